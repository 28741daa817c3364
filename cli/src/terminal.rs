//! Questions on the terminal: passphrases, passwords, codes. What is typed is not shown, and goes nowhere else.

use crate::screen::{self, Paint};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use std::fs::File;
use std::io::{Read, Write};

/// The longest answer, in bytes. What is longer was pasted by mistake.
const LONGEST: usize = 4096;

/// Asks on the terminal of this program, above the bars. None if there is no terminal that could be asked, or if whoever sits
/// there wants out: Ctrl-C also interrupts the program, Ctrl-D only declines.
pub(crate) fn ask(question: &str, is_shown: bool) -> Option<String> {
    let terminal = open()?;
    screen::with_bars_aside(|| Asking::begin(terminal, is_shown)?.answer(question))
}

/// Whether there is somebody who could be asked.
pub(crate) fn is_there() -> bool {
    open().is_some()
}

/// The terminal, if we are what is typed to: a program in the background would be stopped for reading from it.
fn open() -> Option<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open("/dev/tty", flags, Mode::empty()).ok()?;
    (tcgetpgrp(&terminal).ok()? == getpgrp()).then(|| terminal.into())
}

/// A terminal that hands over each key. It is as it was when this is dropped.
struct Asking {
    terminal: File,
    before: Termios,
    is_shown: bool,
}

impl Asking {
    fn begin(terminal: File, is_shown: bool) -> Option<Asking> {
        let before = tcgetattr(&terminal).ok()?;
        let mut raw = before.clone();
        // Ctrl-C comes as a key, so that nothing can end us between two moments and leave the terminal mute.
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is no answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &raw).ok()?;
        Some(Asking { terminal, before, is_shown })
    }

    fn answer(mut self, question: &str) -> Option<String> {
        let paint = Paint::of(&self.terminal);
        self.say(&paint.strong(&format!("{} ", screen::one_line(question))));
        let mut line = Line::default();
        loop {
            let mut key = [0];
            match self.terminal.read(&mut key) {
                Ok(1) => {}
                Ok(_) => return self.end(None),
                Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return self.end(None),
            }
            let shown = line.bytes.len();
            match line.press(key[0]) {
                Pressed::More if self.is_shown && line.bytes.len() > shown => {
                    self.say(&String::from_utf8_lossy(&key));
                }
                Pressed::More if self.is_shown && line.bytes.len() < shown => self.say("\x08 \x08"),
                Pressed::More => {}
                Pressed::Done => {
                    let answer = String::from_utf8(std::mem::take(&mut line.bytes)).ok();
                    return self.end(answer);
                }
                Pressed::Declined => return self.end(None),
                Pressed::Interrupted => {
                    let answer = self.end(None);
                    // As if the terminal had done it.
                    let _ = kill_process(getpid(), Signal::INT);
                    return answer;
                }
            }
        }
    }

    fn end(mut self, answer: Option<String>) -> Option<String> {
        self.say("\n");
        answer
    }

    fn say(&mut self, text: &str) {
        // If the terminal is gone, the next read says so.
        let _ = self.terminal.write_all(text.as_bytes());
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // It worked when we changed it.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// What was typed so far. Overwritten when it is dropped.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pressed {
    More,
    Done,
    Declined,
    Interrupted,
}

impl Line {
    fn press(&mut self, key: u8) -> Pressed {
        match key {
            b'\r' | b'\n' => return Pressed::Done,
            // Ctrl-C and Ctrl-\.
            0x03 | 0x1c => return Pressed::Interrupted,
            // Ctrl-D.
            0x04 if self.bytes.is_empty() => return Pressed::Declined,
            // Backspace takes a whole character.
            0x08 | 0x7f => while self.bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U takes all.
            0x15 => self.bytes.clear(),
            _ if self.bytes.len() < LONGEST && key >= 0x20 => self.bytes.push(key),
            _ => {}
        }
        Pressed::More
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bytes.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (Pressed, String) {
        let mut line = Line::default();
        let mut last = Pressed::More;
        for key in keys {
            last = line.press(*key);
            if last != Pressed::More {
                break;
            }
        }
        (last, String::from_utf8_lossy(&line.bytes).into_owned())
    }

    #[test]
    fn keys_make_a_line() {
        assert_eq!(typed(b"secret\r"), (Pressed::Done, "secret".into()));
        assert_eq!(typed("sä\x7fe\n".as_bytes()), (Pressed::Done, "se".into()));
        assert_eq!(typed(b"wrong\x15right\n"), (Pressed::Done, "right".into()));
        assert_eq!(typed(b"a\x03b").0, Pressed::Interrupted);
        assert_eq!(typed(b"\x04").0, Pressed::Declined);
        assert_eq!(typed(b"\x7f\x1b[A\n"), (Pressed::Done, "[A".into()), "keys that steer are none");
    }

    #[test]
    fn without_a_terminal_nobody_is_asked() {
        // The tests have no terminal to themselves; with one, this test must not wait for a person.
        if !is_there() {
            assert_eq!(ask("who?", false), None);
        }
    }
}
