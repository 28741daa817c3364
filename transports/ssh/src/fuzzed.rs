//! The parsers of what hosts say, for the fuzzers of this project. It is no part of the API.

use crate::sftp::Sftp;
use crate::talk::{Closed, Outbox, Talk, Window};
use procession::transport::{Answer, Op, RemotePath, Stream, TransportError};
use stakker::Ret;
use std::cell::Cell;
use std::rc::Rc;

/// What an SFTP server says while a few operations are asked of it. Each of them is answered once, whatever it says.
pub fn sftp(bytes: &[u8]) {
    let answers = Rc::new(Cell::new(0));
    let (sftp, talk) = Sftp::new("fuzz", Window::Command);
    let mut talk: Box<dyn Talk> = Box::new(talk);
    for op in operations(&answers) {
        sftp.small(&RemotePath::here(), op).unwrap_or_else(|_| unreachable!("they are small"));
    }
    let mut out = Outbox::default();
    let mut rest = bytes;
    while !rest.is_empty() && !talk.is_done() {
        talk.say(&mut out);
        out.take(out.rest().len());
        // A packet at a time, as its length says: so that replies come after their requests.
        let length = rest.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
        let (now, later) = rest.split_at(length.saturating_add(4).min(rest.len()));
        talk.hear(Stream::Stdout, now);
        rest = later;
    }
    talk.over(Ok(Closed { code: 0, signal: None }));
    assert_eq!(answers.get(), 6, "each operation is answered once");
}

fn operations(answers: &Rc<Cell<usize>>) -> [Op; 6] {
    let path = |text: &'static str| RemotePath::literal(text);
    [
        Op::List(path("d"), count(answers)),
        Op::Stat(path("f"), count(answers)),
        Op::Read { path: path("r"), limit: 100_000, ret: count(answers) },
        Op::Write { path: path("w"), bytes: vec![0; 40_000], mode: 0o644, ret: count(answers) },
        Op::Mkdir { path: path("a/b/c"), parents: true, ret: count(answers) },
        Op::Remove { path: path("x"), tree: false, ret: count(answers) },
    ]
}

fn count<T: 'static>(answers: &Rc<Cell<usize>>) -> Answer<T> {
    let answers = answers.clone();
    Ret::new(move |answer: Option<Result<T, TransportError>>| {
        assert!(answer.is_some(), "an answer is not dropped");
        answers.set(answers.get() + 1);
    })
}

/// What the program of a transfer says, streams of tar among it.
pub fn transfer(bytes: &[u8]) {
    crate::tree::fuzzed(bytes);
}
