//! What goes wrong in the conversation, and what is to be said about it.

use super::super::complaint::reason;
use super::super::digests::read_sum;
use super::{COMPLAINT, Desk, Expect, Heard};
use crate::talk::Closed;
use procession::transport::TransportError;

impl Desk {
    /// The program gave up; why, its commands have written to the other stream, which may come later than this. So this is
    /// looked at again at the end.
    pub(super) fn failure(&self, word: &[u8]) -> TransportError {
        match word {
            b"exists" => TransportError::Exists(self.subject.clone()),
            b"fail sum" => TransportError::Corrupt(self.subject.clone()),
            word => match word.strip_prefix(b"lacks ") {
                Some(program) => TransportError::NotFound(format!(
                    "the program {} on the host",
                    String::from_utf8_lossy(program)
                )),
                None => TransportError::Io {
                    path: self.subject.clone(),
                    why: format!("the host said {:?}", String::from_utf8_lossy(word)),
                },
            },
        }
    }

    /// It said what nobody can read.
    pub(super) fn garbled(&self, bytes: &[u8]) -> TransportError {
        let start: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
        TransportError::Protocol(format!("about {}: {start:?}", self.subject))
    }

    /// The other stream: complaints of commands, and sums between NULs.
    pub(super) fn complain(&mut self, bytes: &[u8]) {
        self.complaint.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(at) = find(&self.complaint[from..], b"\0sum ") {
            let start = from + at + 5;
            let Some(end) = self.complaint[start..].iter().position(|byte| *byte == 0) else { break };
            match read_sum(&self.complaint[start..start + end]) {
                Ok(sum) => self.news.fwd(Heard::Sum(sum)),
                Err(e) => self.failed = Some(e),
            }
            self.sums += 1;
            from = start + end + 1;
        }
        self.complaint.drain(..from);
        let surplus = self.complaint.len().saturating_sub(COMPLAINT);
        self.complaint.drain(..surplus);
    }

    /// What comes of all of it: the exit code, or why there is none that counts.
    pub(super) fn verdict(&mut self, how: Result<Closed, TransportError>) -> Result<i32, TransportError> {
        let complaint = String::from_utf8_lossy(&self.complaint).into_owned();
        match (self.failed.take(), how) {
            (Some(why @ TransportError::Io { .. }), Ok(_)) => {
                Err(reason(&self.subject, &complaint).unwrap_or(why))
            }
            (Some(why), _) => Err(why),
            (None, Err(why)) => Err(why),
            (None, Ok(closed)) if self.expects.is_empty() || self.expects == [Expect::Rest] => {
                match closed.code {
                    0 => Ok(0),
                    code => match reason(&self.subject, &complaint) {
                        Some(why) => Err(why),
                        None => Ok(code),
                    },
                }
            }
            (None, Ok(closed)) => Err(reason(&self.subject, &complaint).unwrap_or_else(|| {
                let last = complaint.lines().last().unwrap_or("").to_owned();
                let why = format!("the command on the host ended early, with {}: {last}", closed.code);
                TransportError::Io { path: self.subject.clone(), why }
            })),
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
