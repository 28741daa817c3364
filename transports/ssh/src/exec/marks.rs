//! The marks of the frame, found in a stream that is cut anywhere.

/// How many bytes before the first mark are remembered, for the message if it never comes.
const NOISE: usize = 512;

/// The longest mark after its number, in bytes: a status of a shell is below 1,000, and a process id has at most 10 digits.
const LONGEST_TAIL: usize = 32;

/// What a shell writes behind its name (bash: `error.c`, `get_name_for_error`).
const REMARK: &[u8] = b": ";

/// What is read on one stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The command is about to be run by the process of this number. The login shell was asked something: it made so many
    /// words of that, of which the first began with this number.
    Began {
        group: u32,
        words: u32,
        version: Option<u32>,
    },
    /// Output of the command.
    Output(Vec<u8>),
    /// The folder is not there, or may not be entered.
    NoFolder {
        permission: bool,
    },
    NoProgram,
    /// The login shell had something to say, which is left out.
    Remark,
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
    /// The login shell speaks, up to the next mark.
    remark: bool,
    /// What may be the beginning of a mark, or, before the first mark, the last of the noise.
    held: Vec<u8>,
}

impl Reader {
    pub(super) fn new(mark: &str) -> Reader {
        Reader { mark: mark.as_bytes().to_vec(), began: false, remark: false, held: Vec::new() }
    }

    /// What was heard before the first mark, to show it to somebody.
    pub(super) fn noise(&self) -> &[u8] {
        if self.began { &[] } else { &self.held }
    }

    /// Reads on. What may be the beginning of a mark is held back.
    pub(super) fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>) {
        // Nearly always nothing is held, and nothing in the piece begins a mark.
        if self.began && !self.remark && self.held.is_empty() && !bytes.contains(&self.mark[0]) {
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
            self.remark = mark == Heard::Remark;
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
            if !bytes.is_empty() && !self.remark {
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
    if tail.starts_with(REMARK) {
        return Some((Heard::Remark, REMARK.len()));
    }
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
        ("B", told) => {
            let (group, told) = told.split_once(':')?;
            let (words, version) = told.split_once(':').unwrap_or((told, ""));
            let (words, version) = (words.parse().unwrap_or(0), version.parse().ok());
            Heard::Began { group: group.parse().ok()?, words, version }
        }
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
