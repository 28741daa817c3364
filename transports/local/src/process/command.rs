//! What a [`LocalProcess`](super::LocalProcess) is to run, and what came of it: plain data.

use procession::transport::{Ended, RemotePath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A command for this machine. Relative paths begin at its folder, and the folder at the work folder of the transport.
///
/// ```
/// use procession_local::{Command, Limits};
/// use std::time::Duration;
/// let limits = Limits { wall: Some(Duration::from_secs(60)), ..Limits::default() };
/// let command = Command { limits, ..Command::new(["make", "-j2"]) };
/// assert_eq!(command.argv[0], "make");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; no shell is put between. The program is looked up in `PATH`.
    pub argv: Vec<String>,
    /// Added to the environment of this program, or replacing what is there.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where it runs and where its evidence lies; made if it is not there. None: a folder of its own, if it needs one.
    #[serde(default)]
    pub folder: Option<RemotePath>,
    /// The file that it reads. None: nothing.
    #[serde(default)]
    pub stdin: Option<RemotePath>,
    /// The file that its standard output goes to. None: nowhere.
    #[serde(default)]
    pub stdout: Option<RemotePath>,
    /// The file that its standard error goes to. None: nowhere.
    #[serde(default)]
    pub stderr: Option<RemotePath>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
}

/// What a command may use; none is no limit.
///
/// The kernel keeps `cpu`, `address_space` and `output`, always. Procession keeps the others, while it watches: not while
/// the process is paused or this program is not running.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How long it may take.
    #[serde(default)]
    pub wall: Option<Duration>,
    /// How much CPU time each of its processes may use, in whole seconds, rounded up (RLIMIT_CPU, getrlimit(2)).
    #[serde(default)]
    pub cpu: Option<Duration>,
    /// How many bytes all its processes together may have resident. Looked at twice a second.
    #[serde(default)]
    pub memory: Option<u64>,
    /// How many bytes of address space each of its processes may have (RLIMIT_AS). An allocation beyond it fails, and
    /// what the program makes of that is its own affair. Many runtimes reserve far more than they use.
    #[serde(default)]
    pub address_space: Option<u64>,
    /// How large each file that it writes may become, in bytes (RLIMIT_FSIZE).
    #[serde(default)]
    pub output: Option<u64>,
    /// How many processes it may be at once. Looked at twice a second. Those that left their parent are not seen.
    #[serde(default)]
    pub processes: Option<u32>,
}

/// What came of a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// The most bytes that one of its processes had resident, as far as it is known: by wait4(2) where it was a child of
    /// this program, else the largest that was seen.
    pub peak_rss: Option<u64>,
    /// The CPU time of all its processes that were waited for, as far as it is known.
    pub cpu: Option<Duration>,
    /// From its start to its end, by the calendar.
    pub wall: Duration,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By itself or by a signal. A shell stood between if the process was in a journal or had limits; then 127 may mean
    /// that there is no such program, and an exit code above 128 is read as a signal. Outside of a journal, 95 and 96 may
    /// mean that a file or the folder cannot be made or opened.
    Ended(Ended),
    /// It came to a limit, and was stopped.
    Limit(Limit),
    /// It began and is gone, and there is no evidence of how it ended: the machine went down, or it was killed together
    /// with the shell that watched it.
    Vanished,
}

/// The limit that a command came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// [`Limits::wall`].
    Wall,
    /// [`Limits::cpu`].
    Cpu,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::output`].
    Output,
    /// [`Limits::processes`].
    Processes,
}

impl Command {
    /// A command without input, output, folder and limits.
    pub fn new<A: Into<String>>(argv: impl IntoIterator<Item = A>) -> Command {
        Command {
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            folder: None,
            stdin: None,
            stdout: None,
            stderr: None,
            limits: Limits::default(),
        }
    }

    /// Whether nothing of it needs a folder or a shell, so that it can be started as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.folder.is_none()
            && self.stdin.is_none()
            && self.stdout.is_none()
            && self.stderr.is_none()
            && self.limits == Limits::default()
    }
}

impl Limits {
    /// What an end means under these limits: a signal that the kernel sends for a limit of ours is that limit
    /// (signal(7): SIGXCPU is 24 and SIGXFSZ 25 on the common architectures).
    pub(super) fn judge(&self, ended: Ended) -> End {
        match ended {
            Ended::Signal(24) if self.cpu.is_some() => End::Limit(Limit::Cpu),
            Ended::Signal(25) if self.output.is_some() => End::Limit(Limit::Output),
            Ended::Signal(_) | Ended::Code(_) => End::Ended(ended),
        }
    }
}
