//! How the program ends: its exit codes, and the reasons for the bad ones.

use crate::hosts::HostsError;
use crate::jobfile::JobFileError;
use procession::journal::{BrokenRow, JournalError};
use procession::{ProcessId, RuntimeError};
use std::panic::PanicHookInfo;
use std::path::PathBuf;

/// What the program says with its exit code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Exit {
    /// All of it went well.
    Well,
    /// A process failed or was killed, or an output is not what it should be.
    Failed,
    /// What was typed, or what a file says, is wrong. Nothing was done.
    Input,
    /// Interrupted; what was running goes on, or waits for the next runtime.
    Interrupted,
    /// The store cannot be used: held by another runtime, damaged, too new, full.
    Store,
    /// A bug in Procession.
    Bug,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Well => 0,
            Exit::Failed => 1,
            Exit::Input => 2,
            Exit::Interrupted => 3,
            Exit::Store => 4,
            Exit::Bug => 5,
        }
    }
}

/// Why a command could not do what was asked. Each says what and where, and the way out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The journal said no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The runtime cannot go on.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Job files are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    JobFiles(Vec<JobFileError>),
    /// The file of hosts is wrong.
    #[error(transparent)]
    Hosts(#[from] HostsError),
    /// There is no such process.
    #[error("there is no process {id} in {store}; `procession ps --all` lists those that are there")]
    NoProcess { id: ProcessId, store: PathBuf },
    /// Its row makes no sense.
    #[error(transparent)]
    Broken(#[from] BrokenRow),
    /// There is no such kind.
    #[error("there is no kind {kind}; there are: {known}")]
    NoKind { kind: String, known: String },
    /// Neither ids nor `--all`.
    #[error("which processes? Give their ids, or --all")]
    NobodyNamed,
    /// Nothing was written that could be shown.
    #[error("process {id} has written nothing yet; `procession why {id}` says what it waits for")]
    NoLogs { id: ProcessId },
    /// It is of a kind that has nothing of the sort.
    #[error("process {id} is of kind {kind}, which has no {what}")]
    HasNone { id: ProcessId, kind: String, what: &'static str },
    /// A file or folder of ours cannot be made, read or written.
    #[error("{}: {why}", path.display())]
    File { path: PathBuf, why: std::io::Error },
    /// There is neither `--store` nor a home.
    #[error("there is no HOME to keep the store in; name a folder with --store")]
    NoHome,
    /// The background runtime did not start.
    #[error("the background runtime ended at once: {said} (its log is {})", log.display())]
    NotStarted { said: String, log: PathBuf },
    /// Nobody took over what was handed over.
    #[error(
        "no runtime took the processes over in a minute; they wait in the journal for the next `procession up` (see {})",
        log.display()
    )]
    NotTaken { log: PathBuf },
    /// The system refused something that a program can hardly be without.
    #[error("the system refused {what}: {why}")]
    System { what: &'static str, why: std::io::Error },
    /// A transport or a poller cannot be started.
    #[error("host {host} cannot be used: {why}")]
    Host { host: String, why: String },
    /// The state of a new process cannot be written. Our bug.
    #[error("the new process cannot be written as JSON: {0}")]
    State(#[from] serde_json::Error),
    /// The thread of the runtime panicked; the hook has said where.
    #[error(
        "the runtime ended by a bug; what is in the journal is safe, and `procession up` goes on from there"
    )]
    Engine,
}

impl Trouble {
    /// The code that this leads to.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Trouble::Journal(_) | Trouble::Runtime(RuntimeError::Journal(_)) => Exit::Store,
            Trouble::File { .. } | Trouble::NoHome | Trouble::NotTaken { .. } => Exit::Store,
            Trouble::JobFiles(_) | Trouble::Hosts(_) | Trouble::NoProcess { .. } => Exit::Input,
            Trouble::NoKind { .. } | Trouble::NobodyNamed | Trouble::HasNone { .. } => Exit::Input,
            Trouble::Broken(_) | Trouble::NoLogs { .. } | Trouble::Host { .. } => Exit::Failed,
            Trouble::NotStarted { .. } | Trouble::System { .. } => Exit::Failed,
            Trouble::Runtime(_) | Trouble::State(_) | Trouble::Engine => Exit::Bug,
        }
    }
}

/// The panic hook: one line for the user, and nothing else.
pub(crate) fn confess(panic: &PanicHookInfo<'_>) {
    let said = panic.payload();
    let said = said.downcast_ref::<&str>().copied().map(str::to_owned);
    let said = said.or_else(|| panic.payload().downcast_ref::<String>().cloned()).unwrap_or_default();
    let place = panic.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let first = said.lines().next().unwrap_or_default();
    crate::screen::err(&format!(
        "procession: a bug, please report this line: procession {version}, {place}: {first}"
    ));
}
