//! What a host says in a transfer, for the fuzzers.

use super::scribe::{Expect, Heard, Scribe};
use super::untar::{Event, Untar};
use crate::talk::Closed;
use procession::transport::{RemotePath, Stream};
use stakker::Fwd;
use std::cell::RefCell;
use std::rc::Rc;

/// Hears these bytes as the answers to a few commands, and as a tar stream: in one piece and in many, with the same outcome.
pub(crate) fn fuzzed(bytes: &[u8]) {
    assert_eq!(conversation(bytes, bytes.len().max(1)), conversation(bytes, 7));
    assert_eq!(stream(bytes, bytes.len().max(1)), stream(bytes, 7));
}

/// How a conversation ends, and how many bytes were streamed in it.
fn conversation(bytes: &[u8], piece: usize) -> (String, usize) {
    let seen = Rc::new(RefCell::new((String::new(), 0)));
    let to = seen.clone();
    let news = Fwd::new(move |heard| {
        let mut seen = to.borrow_mut();
        match heard {
            Heard::Bytes(bytes) => seen.1 += bytes.len(),
            // What it repeats of the bytes depends on how they came.
            Heard::Over(Err(wrong)) => seen.0.push_str(wrong.word()),
            other => seen.0.push_str(&format!("{other:?}\n")),
        }
    });
    let (scribe, mut talk) = Scribe::new("fuzz", news);
    let expects =
        [Expect::Word, Expect::List, Expect::Words(0), Expect::Bytes(10), Expect::Word, Expect::Rest];
    scribe.command("get x".to_owned(), &[], &expects);
    for some in bytes.chunks(piece) {
        talk.hear(Stream::Stdout, some);
        scribe.taken(some.len());
    }
    talk.over(Ok(Closed { code: 0, signal: None }));
    seen.take()
}

/// What a stream holds. Every path stays inside.
fn stream(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut untar = Untar::default();
    let mut seen = Vec::new();
    let mut bytes_seen = 0;
    let inside = |path: &RemotePath| assert!(!path.is_absolute() && path.parts().all(|part| part != ".."));
    for some in bytes.chunks(piece) {
        let fed = untar.feed(some, |event| {
            match event {
                Event::Bytes(bytes) => bytes_seen += bytes.len(),
                Event::File { path, size } => {
                    inside(&path);
                    seen.push(format!("{bytes_seen} file {path} {size}"));
                }
                Event::Link { path, target } => {
                    inside(&path);
                    seen.push(format!("{bytes_seen} link {path} {target}"));
                }
                Event::Same { path, as_path } => {
                    inside(&path);
                    inside(&as_path);
                    seen.push(format!("{bytes_seen} same {path} {as_path}"));
                }
            }
            Ok(())
        });
        if let Err(wrong) = fed {
            seen.push(wrong.to_string());
            return seen;
        }
    }
    seen.push(format!("{bytes_seen} {}", untar.is_whole()));
    seen
}
