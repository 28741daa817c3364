//! What every transport must do: one function a fact, the same for this machine, for ssh and for the simulated host.
//!
//! A transport that passes [`all`] may be put in the place of any other. Each fact gets a fresh [`Harness`] whose work
//! folder is there and empty.
//!
//! The commands that a host must know are few, and a simulated one may recognise them word by word:
//!
//! | command | does |
//! | --- | --- |
//! | `true`, `false` | exit 0, exit 1 |
//! | `echo A B` | writes its arguments, one space between, and a newline |
//! | `cat` | writes what it reads |
//! | `env` | writes its environment, one `NAME=value` a line |
//! | `pwd` | writes its working directory and a newline |
//! | `sleep N` | takes N seconds; decimals are understood |
//! | those of [`script`] | see there |

mod exec;
mod small;
mod transfer;

use procession::transport::{Answer, Op, RemotePath, Transport, TransportError};
use stakker::Ret;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// The few commands that need a shell; each is an argv.
pub mod script {
    /// Exits with 7.
    pub const EXIT_7: [&str; 3] = ["sh", "-c", "exit 7"];
    /// Dies of signal 9.
    pub const KILLED: [&str; 3] = ["sh", "-c", "kill -KILL $$"];
    /// Writes `out` and a newline to stdout, `err` and a newline to stderr.
    pub const BOTH: [&str; 3] = ["sh", "-c", "echo out; echo err >&2"];
    /// Writes `err` and a newline to the device of stderr, which it opens itself.
    pub const DEVICE: [&str; 3] = ["sh", "-c", "echo err > /dev/stderr"];
    /// Runs for a minute, and has a child that makes the file `late` after a second.
    pub const FAMILY: [&str; 3] = ["sh", "-c", "(sleep 1; echo > late) & sleep 60"];
    /// Writes `done` and a newline and ends at once, with a child that keeps its outputs open for a minute.
    pub const HOLDER: [&str; 3] = ["sh", "-c", "sleep 60 & echo done"];
    /// All of them.
    pub const ALL: [[&str; 3]; 6] = [EXIT_7, KILLED, BOTH, DEVICE, FAMILY, HOLDER];
}

/// A host to try, and the loop that drives it.
pub trait Harness {
    /// The host. Its work folder is empty at the beginning of each fact.
    fn transport(&mut self) -> Transport;

    /// Runs the loop until `done` says so. Panics if that never comes; a host under virtual time lets time pass.
    fn run_until(&mut self, done: &mut dyn FnMut() -> bool);

    /// A new empty directory of this machine, which outlives the harness.
    fn local_dir(&mut self) -> PathBuf;
}

/// One fact about transports.
#[derive(Clone, Copy)]
pub struct Fact {
    /// The fact, as a sentence with underscores.
    pub name: &'static str,
    /// Panics if it does not hold.
    pub check: fn(&mut dyn Harness),
}

/// All facts.
pub fn facts() -> Vec<Fact> {
    [exec::FACTS, small::FACTS, transfer::FACTS].concat()
}

/// Checks all facts, each with a harness of its own; prints the name of each before.
pub fn all(mut harness: impl FnMut() -> Box<dyn Harness>) {
    for fact in facts() {
        println!("fact: {}", fact.name);
        (fact.check)(harness().as_mut());
    }
}

/// A list of facts from a list of functions.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        pub(super) const FACTS: &[super::Fact] = &[$(super::Fact { name: stringify!($name), check: $name }),*];
    };
}
use suite;

/// Begins an operation and waits for its answer.
///
/// # Errors
/// Those of the operation.
pub fn ask<T: 'static>(
    harness: &mut dyn Harness,
    op: impl FnOnce(Answer<T>) -> Op,
) -> Result<T, TransportError> {
    begin(harness, op).wait(harness)
}

/// Begins an operation.
fn begin<T: 'static>(harness: &mut dyn Harness, op: impl FnOnce(Answer<T>) -> Op) -> Begun<T> {
    let slot = Rc::new(RefCell::new(None));
    let answer = slot.clone();
    let ret = Ret::new(move |result| {
        let before = answer.borrow_mut().replace(result);
        assert!(before.is_none(), "an operation is answered once");
    });
    harness.transport().op(op(ret));
    Begun(slot)
}

/// An operation that was begun.
struct Begun<T>(Rc<RefCell<Option<Option<Result<T, TransportError>>>>>);

impl<T> Begun<T> {
    fn wait(self, harness: &mut dyn Harness) -> Result<T, TransportError> {
        harness.run_until(&mut || self.0.borrow().is_some());
        self.0.take().flatten().expect("the transport is alive, so it answers")
    }
}

fn path(text: &str) -> RemotePath {
    text.parse().expect("a path of the suite is valid")
}

fn write(harness: &mut dyn Harness, to: &str, bytes: &[u8]) {
    let op = |ret| Op::Write { path: path(to), bytes: bytes.to_vec(), mode: 0o644, ret };
    ask(harness, op).expect("a small file can be written");
}

fn read(harness: &mut dyn Harness, from: &str) -> Result<Vec<u8>, TransportError> {
    ask(harness, |ret| Op::Read { path: path(from), limit: 1 << 20, ret })
}

fn mkdir(harness: &mut dyn Harness, at: &str) {
    ask(harness, |ret| Op::Mkdir { path: path(at), parents: true, ret }).expect("a directory can be made");
}
