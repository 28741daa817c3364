//! The conversation with the program of [`host.sh`](super::script): commands one after the other, and what comes of each.
//!
//! The program says hello, answers each command with words that end in a NUL, and streams bytes where it was asked to. What is
//! expected is queued along with each command, so that bytes are never taken for words. Whatever a host says has a limit
//! and a form; anything else ends the conversation.

mod verdict;

use super::digests::{Sum, Tool};
use super::listing::{Entry, read_entry};
use super::script;
use crate::talk::{Closed, Line, Opens, Outbox, Talk, Window};
use procession::transport::{Manifest, RemotePath, Stream, TransportError};
use stakker::Fwd;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How much may stand before the hello: what a login shell prints where it should not.
const NOISE: usize = 64 << 10;

/// The longest word: a path, a mode, a size.
const LONGEST_WORD: usize = RemotePath::LONGEST + 128;

/// How much of the complaints of the host's commands is kept. The reason stands at the end.
const COMPLAINT: usize = 8 << 10;

/// How long a program may take to tidy up: longer than a folder of many files needs to be removed, and not for ever, as a
/// file system that hangs would.
const GRACE: Duration = Duration::from_secs(10);

/// How many bytes may have been heard and not be on the disk yet.
const AHEAD: usize = 4 << 20;

/// What comes of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expect {
    /// One word.
    Word,
    /// Entries of a list, up to `end`.
    List,
    /// Words, up to `end`; with a number of who asks.
    Words(u8),
    /// So many bytes.
    Bytes(u64),
    /// Bytes to the end.
    Rest,
}

/// What is heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// The program runs, and hashes with this.
    Hello(Tool),
    Word(String),
    List(Vec<Entry>),
    Words(u8, Vec<Vec<u8>>),
    /// Some of the bytes that were expected. [`Scribe::taken`] lets more come.
    Bytes(Vec<u8>),
    /// A hash that was made beside a stream.
    Sum(Sum),
    /// What was said has been taken, and there is room for more.
    Room,
    /// The conversation is over. `Ok` if the program ended by itself, with its exit code.
    Over(Result<i32, TransportError>),
}

/// A program on a host, as a transfer holds it.
#[derive(Clone)]
pub(super) struct Scribe(Rc<RefCell<Desk>>);

/// The other side of [`Scribe`]: what the session drives.
pub(super) struct ScribeTalk(Rc<RefCell<Desk>>);

struct Desk {
    /// For messages: what the transfer is about.
    subject: String,
    news: Fwd<Heard>,
    line: Option<Line>,
    tool: bool,
    /// So much of what was heard is known to hold no greeting.
    searched: usize,
    out: VecDeque<Vec<u8>>,
    out_bytes: usize,
    ended: bool,
    /// Whether somebody waits to hear that there is room.
    eager: bool,
    expects: VecDeque<Expect>,
    heard: Vec<u8>,
    head: Option<Vec<u8>>,
    entries: Vec<Entry>,
    words: Vec<Vec<u8>>,
    owed: usize,
    complaint: Vec<u8>,
    /// Sums that came on the other stream so far.
    sums: usize,
    failed: Option<TransportError>,
    given_up: bool,
    /// Until when the program may tidy up after it was given up.
    late: Option<Instant>,
    done: bool,
}

impl Scribe {
    /// A conversation about `subject`, which is not placed on a channel yet.
    pub(super) fn new(subject: &str, news: Fwd<Heard>) -> (Scribe, Box<dyn Talk>) {
        let desk = Rc::new(RefCell::new(Desk {
            subject: subject.to_owned(),
            news,
            line: None,
            tool: false,
            searched: 0,
            out: VecDeque::new(),
            out_bytes: 0,
            ended: false,
            eager: false,
            expects: VecDeque::new(),
            heard: Vec::new(),
            head: None,
            entries: Vec::new(),
            words: Vec::new(),
            owed: 0,
            complaint: Vec::new(),
            sums: 0,
            failed: None,
            given_up: false,
            late: None,
            done: false,
        }));
        (Scribe(desk.clone()), Box::new(ScribeTalk(desk)))
    }

    /// Gives a command, and says what comes of it.
    pub(super) fn command(&self, line: String, payload: &[u8], expects: &[Expect]) {
        let mut bytes = line.into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(payload);
        self.0.borrow_mut().expects.extend(expects);
        self.push(bytes);
    }

    /// Adds bytes to what the last command reads. Whether there is room for more; if not, [`Heard::Room`] comes when
    /// there is.
    pub(super) fn push(&self, bytes: Vec<u8>) -> bool {
        let mut desk = self.0.borrow_mut();
        desk.out_bytes += bytes.len();
        desk.out.push_back(bytes);
        let room = desk.out_bytes < AHEAD;
        desk.eager |= !room;
        drop(desk);
        self.poke();
        room
    }

    /// Nothing more is said.
    pub(super) fn end(&self) {
        self.0.borrow_mut().ended = true;
        self.poke();
    }

    /// Ends the input wherever it is: the program notices that something is missing, tidies up, and ends.
    pub(super) fn give_up(&self) {
        let mut desk = self.0.borrow_mut();
        desk.out.clear();
        desk.out_bytes = 0;
        desk.ended = true;
        desk.given_up = true;
        drop(desk);
        self.poke();
    }

    /// Whether it may have had an effect: it has a channel, or had one.
    pub(super) fn is_placed(&self) -> bool {
        self.0.borrow().line.is_some()
    }

    /// So many bytes of [`Heard::Bytes`] are where they belong.
    pub(super) fn taken(&self, count: usize) {
        let mut desk = self.0.borrow_mut();
        let starved = desk.owed >= AHEAD;
        desk.owed = desk.owed.saturating_sub(count);
        let fed = desk.owed < AHEAD;
        drop(desk);
        if starved && fed {
            self.poke();
        }
    }

    fn poke(&self) {
        let line = self.0.borrow().line.clone();
        line.iter().for_each(Line::poke);
    }
}

impl Desk {
    fn hear(&mut self, mut bytes: &[u8]) -> Result<(), TransportError> {
        if self.given_up {
            return Ok(());
        }
        // What is streamed is not copied together.
        if self.heard.is_empty() {
            bytes = self.stream(bytes);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.heard.extend_from_slice(bytes);
        let heard = std::mem::take(&mut self.heard);
        let mut rest = &heard[..];
        if !self.tool {
            rest = self.hello(rest)?;
        }
        while self.tool {
            rest = self.stream(rest);
            let Some(end) = rest.iter().position(|byte| *byte == 0) else { break };
            self.word(&rest[..end])?;
            rest = &rest[end + 1..];
        }
        if self.tool && rest.len() > LONGEST_WORD {
            return Err(self.garbled(rest));
        }
        self.heard = rest.to_vec();
        Ok(())
    }

    /// Passes on what is streamed, and gives back what is behind it.
    fn stream<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while self.tool && !rest.is_empty() {
            let room = match self.expects.front() {
                Some(Expect::Rest) => u64::MAX,
                Some(Expect::Bytes(left)) => *left,
                Some(Expect::Word | Expect::List | Expect::Words(_)) | None => break,
            };
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            rest = later;
            if let Some(Expect::Bytes(left)) = self.expects.front_mut() {
                *left -= now.len() as u64;
                if *left == 0 {
                    self.expects.pop_front();
                }
            }
            if !now.is_empty() {
                self.owed += now.len();
                self.news.fwd(Heard::Bytes(now.to_vec()));
            }
        }
        rest
    }

    fn hello<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], TransportError> {
        const HELLO: &[u8] = b"\0procession 1 ";
        // What was looked through before is not looked through again, but for what may be the beginning of it.
        let from = self.searched.saturating_sub(HELLO.len());
        let at = bytes[from..].windows(HELLO.len()).position(|window| window == HELLO).map(|at| from + at);
        self.searched = at.unwrap_or(bytes.len());
        let Some(at) = at.filter(|at| *at <= NOISE) else {
            return if bytes.len() > NOISE + HELLO.len() { Err(self.garbled(bytes)) } else { Ok(bytes) };
        };
        let after = &bytes[at + HELLO.len()..];
        let Some(end) = after.iter().position(|byte| *byte == 0) else { return Ok(bytes) };
        self.tool = true;
        if &after[..end] != b"none" {
            let tool = Tool::named(&after[..end]).ok_or_else(|| self.garbled(after))?;
            self.news.fwd(Heard::Hello(tool));
        }
        Ok(&after[end + 1..])
    }

    fn word(&mut self, word: &[u8]) -> Result<(), TransportError> {
        if word.len() > LONGEST_WORD {
            return Err(self.garbled(word));
        }
        if let Some(head) = self.head.take() {
            self.entries.push(read_entry(&head, word)?);
            return Ok(());
        }
        if word.starts_with(b"fail ") || word.starts_with(b"lacks ") || word == b"exists" {
            return Err(self.failure(word));
        }
        if self.entries.len().max(self.words.len()) > 2 * Manifest::MOST {
            return Err(TransportError::Refused(format!("{} holds too many files", self.subject)));
        }
        match self.expects.front() {
            Some(Expect::Word) => {
                self.expects.pop_front();
                self.news.fwd(Heard::Word(String::from_utf8_lossy(word).into_owned()));
            }
            Some(Expect::List) if word == b"end" => {
                self.expects.pop_front();
                self.news.fwd(Heard::List(std::mem::take(&mut self.entries)));
            }
            Some(Expect::List) => self.head = Some(word.to_vec()),
            Some(Expect::Words(whose)) if word == b"end" => {
                let whose = *whose;
                self.expects.pop_front();
                self.news.fwd(Heard::Words(whose, std::mem::take(&mut self.words)));
            }
            Some(Expect::Words(_)) => self.words.push(word.to_vec()),
            Some(Expect::Bytes(_) | Expect::Rest) | None => return Err(self.garbled(word)),
        }
        Ok(())
    }
}

impl Talk for ScribeTalk {
    fn opens(&self) -> Opens {
        Opens::Command(script::command_line())
    }

    fn window(&self) -> Window {
        Window::Bulk
    }

    fn placed(&mut self, line: Line) {
        self.0.borrow_mut().line = Some(line);
    }

    fn say(&mut self, out: &mut Outbox) {
        let mut desk = self.0.borrow_mut();
        if desk.given_up && desk.ended {
            out.end();
            return;
        }
        while out.room() > 0
            && let Some(bytes) = desk.out.pop_front()
        {
            desk.out_bytes -= bytes.len();
            out.push(&bytes);
        }
        if desk.out.is_empty() && desk.ended {
            out.end();
        }
        if desk.eager && desk.out_bytes < AHEAD / 2 {
            desk.eager = false;
            desk.news.fwd(Heard::Room);
        }
    }

    fn appetite(&self) -> usize {
        AHEAD.saturating_sub(self.0.borrow().owed)
    }

    fn hear(&mut self, from: Stream, bytes: &[u8]) {
        let mut desk = self.0.borrow_mut();
        match from {
            Stream::Stdout => {
                if desk.failed.is_none()
                    && let Err(e) = desk.hear(bytes)
                {
                    desk.failed = Some(e);
                    // It ends by itself: its input does.
                    desk.out.clear();
                    desk.ended = true;
                    desk.given_up = true;
                }
            }
            Stream::Stderr => desk.complain(bytes),
        }
    }

    fn on_time(&mut self, now: Instant) -> Option<Instant> {
        let mut desk = self.0.borrow_mut();
        if !desk.given_up {
            return None;
        }
        let late = *desk.late.get_or_insert(now + GRACE);
        desk.done = now >= late;
        (!desk.done).then_some(late)
    }

    fn is_done(&self) -> bool {
        self.0.borrow().done
    }

    fn over(self: Box<Self>, how: Result<Closed, TransportError>) {
        let mut desk = self.0.borrow_mut();
        let verdict = desk.verdict(how);
        desk.news.fwd(Heard::Over(verdict));
    }
}
