//! The frame around a command on the host: the script that runs it, and what is read of its marks.
//!
//! The login shell gets one word for `sh`, and `sh` does the rest. Marks carry a number that nobody can foresee:
//!
//! | mark | stream | says |
//! | --- | --- | --- |
//! | `B:PID` | both | here the output begins; the process group is PID, as sshd makes each command the leader of a session |
//! | `C:n`, `C:p` | stdout | the folder is not there; it may not be entered |
//! | `X:` | stdout | `exec` failed: there is no such program, or it may not be run |
//! | `E:STATUS:k` | both | it has ended; with `k` the shell had something to say about it, as it has of a death by signal |
//!
//! What comes before `B` is noise of the login. The end of the channel without an `E` is no success, whatever exit status
//! ssh tells: libssh2 says 0 when the server was killed (measured).
//!
//! A shell can't tell an exit with 137 from a death by signal 9, but it prints a line about the latter, except for SIGINT and
//! SIGPIPE (dash, bash). So the command runs in a command substitution that catches what the shell itself says; 130 and 141
//! are read as these two signals.

use super::quote;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many bytes before the first mark are remembered, for the message if it never comes.
const NOISE: usize = 512;

/// The longest mark after its number, in bytes: a status of a shell is below 1,000, and a process id has at most 10 digits.
const LONGEST_TAIL: usize = 24;

/// Variables that `sh` keeps for itself, or that would change how it reads the rest (bash(1), "Shell Variables").
const OF_THE_SHELL: [&str; 10] =
    ["BASHOPTS", "BASH_ENV", "ENV", "EUID", "IFS", "PPID", "PS4", "SHELLOPTS", "UID", "n"];

/// What is to be run.
pub(super) struct Order<'a> {
    pub(super) argv: &'a [String],
    /// Where, as `cd` takes it; absolute, or relative to the home folder.
    pub(super) folder: &'a str,
    pub(super) env: &'a BTreeMap<String, String>,
}

/// The script for `sh`, on one line.
pub(super) fn script(mark: &str, order: &Order<'_>) -> String {
    let mut text = String::with_capacity(512);
    let newline = |text: &str| text.contains('\n');
    if order.argv.iter().chain(order.env.values()).any(|word| newline(word)) || newline(order.folder) {
        // The default IFS is space, tab and newline, whatever is in the environment (POSIX, sh, 2.5.3).
        text.push_str("n=\"${IFS#??}\";");
    }
    let folder = match order.folder.starts_with('/') {
        true => quote::word(order.folder),
        // Neither CDPATH nor a dash in front changes what this means.
        false => quote::word(&format!("./{}", order.folder)),
    };
    let _ = write!(
        text,
        "echo {mark}B:$$@;echo {mark}B:$$@ >&2;\
         cd {folder} 2>/dev/null||{{ if [ -d {folder} ];then echo {mark}C:p@;else echo {mark}C:n@;fi;exit;}};\
         exec 3>&1 4>&2;\
         m=$( {{ ( trap \"echo {mark}X:@\" 0;{run} >&3 2>&4 3>&- 4>&- );s=$?;}} 2>&1;exit $s);\
         s=$?;case $m in *{mark}X:*)echo {mark}X:@;esac;echo {mark}E:$s:${{m:+k}}@;echo {mark}E:$s:@ >&2",
        run = run(order),
    );
    text
}

fn run(order: &Order<'_>) -> String {
    let mut text = String::new();
    let mut odd = String::new();
    for (name, value) in order.env {
        let value = quote::word(value);
        let ours = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !OF_THE_SHELL.contains(&name.as_str());
        let _ = match ours {
            true => write!(text, "export {name}={value};"),
            false => write!(odd, " {}={value}", quote::word(name)),
        };
    }
    text.push_str("exec");
    if !odd.is_empty() {
        let _ = write!(text, " env{odd}");
    }
    for arg in order.argv {
        text.push(' ');
        text.push_str(&quote::word(arg));
    }
    text
}

/// The command line for the login shell, and what is to be written to its stdin before all else: the script itself, if it is
/// too long for a command line.
pub(super) fn lay_out(script: String, longest: usize) -> (String, String) {
    let line = format!("exec sh -c {}", quote::line(&script));
    if line.len() <= longest {
        return (line, String::new());
    }
    // `head` reads no byte more than it was asked for.
    (format!("exec sh -c {}", quote::line(&format!("eval \"$(head -c {})\"", script.len()))), script)
}

/// What is read on one stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The command is about to be run by the process of this number.
    Began(u32),
    /// Output of the command.
    Output(Vec<u8>),
    /// The folder is not there, or may not be entered.
    NoFolder {
        permission: bool,
    },
    NoProgram,
    /// It has ended with this status; with or without a remark of the shell.
    Ended {
        status: i32,
        remark: bool,
    },
}

/// Finds the marks in one stream.
pub(super) struct Reader {
    mark: Vec<u8>,
    began: bool,
    /// What may be the beginning of a mark, or, before the first mark, the last of the noise.
    held: Vec<u8>,
}

impl Reader {
    pub(super) fn new(mark: &str) -> Reader {
        Reader { mark: mark.as_bytes().to_vec(), began: false, held: Vec::new() }
    }

    /// What was heard before the first mark, to show it to somebody.
    pub(super) fn noise(&self) -> &[u8] {
        if self.began { &[] } else { &self.held }
    }

    /// Reads on. What may be the beginning of a mark is held back.
    pub(super) fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        // Nearly always nothing is held, and nothing in the piece begins a mark.
        if self.began && self.held.is_empty() && !bytes.contains(&self.mark[0]) {
            return heard.push(Heard::Output(bytes.to_vec()));
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut rest = &all[..];
        while let Some(at) = self.find(rest) {
            let tail = &rest[at + self.mark.len()..];
            let Some((mark, length)) = parse(tail) else {
                match tail.len() < LONGEST_TAIL {
                    // Its end is still to come.
                    true => {
                        self.output(&rest[..at], heard);
                        self.held = rest[at..].to_vec();
                        return;
                    }
                    // Somebody else's words.
                    false => {
                        let (before, after) = rest.split_at(at + 1);
                        self.output(before, heard);
                        rest = after;
                        continue;
                    }
                }
            };
            self.output(&rest[..at], heard);
            if !self.began {
                // Noise, which would come out at the end.
                self.held.clear();
                self.began = true;
            }
            heard.push(mark);
            rest = &rest[at + self.mark.len() + length..];
        }
        let keep = self.partial(rest);
        let (out, held) = rest.split_at(rest.len() - keep);
        self.output(out, heard);
        self.held.extend_from_slice(held);
    }

    /// What was held back will not become a mark.
    pub(super) fn end(&mut self, heard: &mut Vec<Heard>) {
        if self.began {
            let held = std::mem::take(&mut self.held);
            self.output(&held, heard);
        }
    }

    fn output(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        if self.began {
            if !bytes.is_empty() {
                heard.push(Heard::Output(bytes.to_vec()));
            }
        } else {
            let room = NOISE.saturating_sub(self.held.len());
            self.held.extend_from_slice(&bytes[bytes.len().saturating_sub(room)..]);
        }
    }

    fn find(&self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(at) = bytes[from..].iter().position(|b| *b == self.mark[0]) {
            if bytes[from + at..].starts_with(&self.mark) {
                return Some(from + at);
            }
            from += at + 1;
        }
        None
    }

    /// How many bytes at the end may be the beginning of a mark.
    fn partial(&self, bytes: &[u8]) -> usize {
        let most = bytes.len().min(self.mark.len() - 1);
        (1..=most).rev().find(|count| self.mark.starts_with(&bytes[bytes.len() - count..])).unwrap_or(0)
    }
}

/// Reads a mark behind its number, and how long it is, with the newline that `echo` adds.
fn parse(tail: &[u8]) -> Option<(Heard, usize)> {
    let end = tail.iter().take(LONGEST_TAIL).position(|b| *b == b'@')?;
    let text = std::str::from_utf8(&tail[..end]).ok()?;
    // The newline comes with the mark, in one write. A terminal in between would make it two bytes.
    let mut length = end + 1;
    match tail.get(length..) {
        Some([b'\r', b'\n', ..]) => length += 2,
        Some([b'\n', ..]) => length += 1,
        _ => return None,
    }
    let (kind, rest) = text.split_once(':')?;
    let heard = match (kind, rest) {
        ("B", pid) => Heard::Began(pid.parse().ok()?),
        ("C", "n") => Heard::NoFolder { permission: false },
        ("C", "p") => Heard::NoFolder { permission: true },
        ("X", "") => Heard::NoProgram,
        ("E", end) => {
            let (status, remark) = end.split_once(':')?;
            Heard::Ended { status: status.parse().ok()?, remark: !remark.is_empty() }
        }
        _ => return None,
    };
    Some((heard, length))
}

#[cfg(test)]
mod tests;
