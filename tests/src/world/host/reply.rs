//! The `Ret`s of operations, and how each is answered.

use super::machine::Value;
use crate::world::disk::{LocalDisk, TreeEntry, manifest};
use procession::WallTime;
use procession::transport::{
    Answer, Chunk, Content, Ended, Exit, Manifest, Progress, Stat, Stream, TransportError,
};
use stakker::Fwd;
use std::rc::Rc;

/// Who waits for an operation, by what is told.
pub enum Reply {
    /// The end of a command.
    Exit(Answer<Exit>, Outputs),
    /// What was sent.
    Manifest(Answer<Manifest>, Option<Fwd<Progress>>),
    /// What was fetched, and to which folder of this machine.
    Fetched(Answer<Manifest>, Option<Fwd<Progress>>, String),
    /// What lies in a folder.
    Stats(Answer<Vec<Stat>>),
    /// What lies at a path.
    Stat(Answer<Stat>),
    /// Nothing but that it is done.
    Done(Answer<()>),
    /// Whether there was something.
    Found(Answer<bool>),
    /// The contents of a file.
    Bytes(Answer<Vec<u8>>),
    /// A connection, of which the simulated host has none to give.
    Stream(Answer<std::os::fd::OwnedFd>),
}

/// What a command has written so far.
pub struct Outputs {
    /// How many bytes of each are kept.
    pub keep: usize,
    /// Who hears of each piece.
    pub stream: Option<Fwd<Chunk>>,
    /// What is kept, and how many bytes there were.
    pub stdout: (Vec<u8>, u64),
    /// The same for the other one.
    pub stderr: (Vec<u8>, u64),
}

/// What the connection hands to the caller.
pub enum Delivery {
    /// A piece of output.
    Chunk(Fwd<Chunk>, Chunk),
    /// An answer.
    Answer(Reply, Result<Value, TransportError>, Rc<dyn LocalDisk>, WallTime),
    /// Something that is dropped without an answer.
    Dropped(Reply),
}

impl Outputs {
    /// Nothing yet.
    pub fn new(keep: usize, stream: Option<Fwd<Chunk>>) -> Outputs {
        Outputs { keep, stream, stdout: (Vec::new(), 0), stderr: (Vec::new(), 0) }
    }

    /// Takes in what the command has written.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let (kept, total) = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let room = self.keep.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
        *total += bytes.len() as u64;
    }

    fn exit(self, how: Ended) -> Exit {
        let (stdout, stderr) = (self.stdout, self.stderr);
        Exit { how, stdout: stdout.0, stderr: stderr.0, total: [stdout.1, stderr.1] }
    }
}

impl Delivery {
    /// Does it. Nothing may be borrowed: the caller may begin its next operation at once.
    pub fn deliver(self) {
        match self {
            Delivery::Chunk(to, chunk) => to.fwd(chunk),
            Delivery::Dropped(reply) => drop(reply),
            Delivery::Answer(reply, result, local, now) => reply.give(result, &*local, now),
        }
    }
}

impl Reply {
    fn give(self, result: Result<Value, TransportError>, local: &dyn LocalDisk, now: WallTime) {
        match self {
            Reply::Exit(ret, outputs) => ret.ret(result.map(|value| outputs.exit(value.ended()))),
            Reply::Manifest(ret, progress) => {
                let sent = result.map(Value::manifest);
                tell(progress, &sent);
                ret.ret(sent);
            }
            Reply::Fetched(ret, progress, to) => {
                let received = result.and_then(|value| {
                    let files = value.files();
                    local.lay(&to, &files, now)?;
                    Ok(manifest(&files))
                });
                tell(progress, &received);
                ret.ret(received);
            }
            Reply::Stats(ret) => ret.ret(result.map(Value::stats)),
            Reply::Stat(ret) => ret.ret(result.map(Value::stat)),
            Reply::Done(ret) => ret.ret(result.map(|_| ())),
            Reply::Found(ret) => ret.ret(result.map(Value::found)),
            Reply::Bytes(ret) => ret.ret(result.map(Value::bytes)),
            Reply::Stream(ret) => {
                let why = "the simulated host opens no connections".to_owned();
                ret.ret(Err(result.err().unwrap_or(TransportError::Refused(why))));
            }
        }
    }
}

fn tell(progress: Option<Fwd<Progress>>, moved: &Result<Manifest, TransportError>) {
    if let (Some(progress), Ok(manifest)) = (progress, moved) {
        let files = manifest.entries().filter(|entry| entry.content != Content::Dir).count() as u64;
        progress.fwd(Progress { bytes: manifest.bytes(), total: manifest.bytes(), files });
    }
}

/// Each takes out what the program of this operation answers with: another variant is an error of the simulation.
macro_rules! takes {
    ($($name:ident: $variant:ident -> $type:ty;)*) => {
        impl Value {
            $(fn $name(self) -> $type {
                match self {
                    Value::$variant(value) => value,
                    other => panic!("a {} was answered with {}", stringify!($variant), other.word()),
                }
            })*
        }
    };
}

takes! {
    ended: Ended -> Ended;
    manifest: Manifest -> Manifest;
    files: Files -> Vec<TreeEntry>;
    stats: Stats -> Vec<Stat>;
    stat: Stat -> Stat;
    found: Found -> bool;
    bytes: Bytes -> Vec<u8>;
}

impl Value {
    /// What it is, for the story.
    pub fn word(&self) -> &'static str {
        match self {
            Value::Done => "done",
            Value::Found(_) => "found",
            Value::Bytes(_) => "bytes",
            Value::Stat(_) => "stat",
            Value::Stats(_) => "stats",
            Value::Manifest(_) => "manifest",
            Value::Files(_) => "files",
            Value::Ended(_) => "ended",
        }
    }
}
