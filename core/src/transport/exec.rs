//! A command, and how it ends.

use super::{CancelToken, RemotePath};
use stakker::Fwd;
use std::collections::BTreeMap;
use std::time::Duration;

/// A command to run.
///
/// It belongs to the transport and is killed with it, or with its guard, together with its process group. What it starts
/// in a group of its own goes on. The answer comes when it has ended and its outputs have, or soon after its end if
/// somebody whom it left behind still holds them.
pub struct Exec {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// The working directory; the transport's work folder if it is none.
    pub cwd: Option<RemotePath>,
    /// Added to the environment, or replacing what is there.
    pub env: BTreeMap<String, String>,
    /// What the command reads.
    pub stdin: Vec<u8>,
    /// After this long the whole process group is killed, and the answer is `TimedOut`.
    pub timeout: Option<Duration>,
    /// How many bytes of stdout, and of stderr, are kept. What comes after them is read, counted and thrown away.
    pub keep: usize,
    /// If given, every chunk of output as it comes, kept or not.
    pub stream: Option<Fwd<Chunk>>,
    /// Dropping the other side cancels the command: its process group is killed, and the answer is `Cancelled`.
    pub cancel: Option<CancelToken>,
    /// It waits for no other work of its kind: for what is short and is waited for, such as a question about all jobs at
    /// once, or a kill. A transport that never lets anything wait takes no notice.
    pub urgent: bool,
    /// It reads nothing, and whoever it leaves behind writes nothing: its outputs end with it. A transport may have one shell
    /// run many such commands, one after the other, and so spare each the login and the files that it reads. One where a command
    /// has no login takes no notice. It is as good as false where there is an input.
    ///
    /// What one that breaks this promise leaves behind may write into the outputs of another that keeps it. Whoever is left in its
    /// process group may be killed together with a later one.
    ///
    /// ```
    /// use procession::transport::Exec;
    /// let exec = Exec { brief: true, ..Exec::new(["squeue", "--me"]) };
    /// assert!(exec.stdin.is_empty());
    /// ```
    pub brief: bool,
}

impl Exec {
    /// How much of each output is kept where nothing else is said: 1 MiB, a screenful of a long compiler error many times.
    pub const KEEP: usize = 1 << 20;

    /// A command that reads nothing, in the work folder, without a time limit.
    ///
    /// ```
    /// use procession::transport::Exec;
    /// let exec = Exec { stdin: b"2 + 2".to_vec(), ..Exec::new(["bc", "-q"]) };
    /// assert_eq!(exec.argv, ["bc", "-q"]);
    /// ```
    pub fn new<A: Into<String>>(argv: impl IntoIterator<Item = A>) -> Exec {
        Exec {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: None,
            env: BTreeMap::new(),
            stdin: Vec::new(),
            timeout: None,
            keep: Exec::KEEP,
            stream: None,
            cancel: None,
            urgent: false,
            brief: false,
        }
    }
}

/// A piece of output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// From where.
    pub stream: Stream,
    /// The bytes; a character may be cut in two.
    pub bytes: Vec<u8>,
}

/// One of the two outputs of a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// By itself, or by a signal.
    pub how: Ended,
    /// The first [`Exec::keep`] bytes of standard output.
    pub stdout: Vec<u8>,
    /// The first [`Exec::keep`] bytes of standard error.
    pub stderr: Vec<u8>,
    /// How many bytes of stdout and of stderr there were in all.
    pub total: [u64; 2],
}

/// By itself, or by a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The exit code.
    Code(i32),
    /// The signal, by number.
    Signal(i32),
}
