//! What programs see: one document for each command, described in docs/json.md. `schema` names its form; the number in it
//! is raised when a field goes or changes its meaning, and not when one comes.

use crate::board::Now;
use crate::commands::Finding;
use crate::exit::Trouble;
use crate::hosts::Host;
use crate::view::View;
use procession::ProcessId;
use procession::journal::{LedgerRow, ProcessRow};
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A form, by its name and version.
pub(crate) trait Schema: Serialize {
    const SCHEMA: &'static str;
}

#[derive(Serialize)]
struct Tagged<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

/// Prints a document on one line. Whether anybody still reads.
pub(crate) fn print<T: Schema>(body: &T) -> bool {
    let text = serde_json::to_string(&Tagged { schema: T::SCHEMA, body });
    crate::screen::out(&text.expect("our documents have no maps whose keys are not text"))
}

macro_rules! schemas {
    ($($form:ty => $name:literal),+ $(,)?) => { $(impl Schema for $form { const SCHEMA: &'static str = $name; })+ };
}

schemas! {
    Ps<'_> => "procession.ps/1",
    Run<'_> => "procession.run/1",
    Show<'_> => "procession.show/1",
    Change<'_> => "procession.change/1",
    Wishes => "procession.wishes/1",
    Outputs => "procession.outputs/1",
    Why => "procession.why/1",
    Logs => "procession.logs/1",
    Graph => "procession.graph/1",
    Kinds => "procession.kinds/1",
    DryRun => "procession.dry-run/1",
    Gc => "procession.gc/1",
    Dump => "procession.dump/1",
    HostList => "procession.hosts/1",
    HostShow => "procession.host/1",
    HostCheck => "procession.host-check/1",
    Login => "procession.login/1",
    Error => "procession.error/1",
}

/// `ps`.
#[derive(Serialize)]
pub(crate) struct Ps<'a> {
    pub(crate) store: &'a Path,
    /// Whether a runtime is at work on it.
    pub(crate) runtime: bool,
    pub(crate) processes: Vec<View>,
    /// Handed over, and not taken by a runtime yet.
    pub(crate) waiting: usize,
    /// Rows that make no sense, each with the reason.
    pub(crate) broken: Vec<String>,
}

/// `run`, `up`: when it is over.
#[derive(Serialize)]
pub(crate) struct Run<'a> {
    pub(crate) store: &'a Path,
    pub(crate) exit: u8,
    pub(crate) interrupted: bool,
    pub(crate) detached: bool,
    pub(crate) processes: Vec<View>,
}

/// `show`.
#[derive(Serialize)]
pub(crate) struct Show<'a> {
    pub(crate) process: &'a View,
    pub(crate) effects: Vec<Effect>,
    pub(crate) children: Vec<ProcessId>,
}

/// One effect.
#[derive(Serialize)]
pub(crate) struct Effect {
    pub(crate) kind: String,
    pub(crate) host: String,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) made: String,
    pub(crate) end: Option<&'static str>,
    pub(crate) ended: Option<String>,
}

impl Effect {
    pub(crate) fn of(row: &LedgerRow) -> Effect {
        Effect {
            kind: row.effect.kind.to_string(),
            host: row.effect.host.clone(),
            name: row.effect.name.clone(),
            attempt: row.effect.attempt,
            made: crate::screen::stamp(row.made),
            end: row.end.map(|(end, _)| end.word()),
            ended: row.end.map(|(_, at)| crate::screen::stamp(at)),
        }
    }
}

/// `watch`: one line for each change.
#[derive(Serialize)]
pub(crate) struct Change<'a> {
    pub(crate) process: &'a View,
}

/// `pause`, `resume`, `kill`, `nudge`.
#[derive(Serialize)]
pub(crate) struct Wishes {
    /// `pause`, `resume`, `kill` or `nudge`.
    pub(crate) wish: &'static str,
    pub(crate) asked: Vec<ProcessId>,
    /// Those that had ended already.
    pub(crate) over: Vec<ProcessId>,
    /// Whether a runtime heard it; if not, it takes effect with the next one.
    pub(crate) heard: bool,
}

/// `outputs`.
#[derive(Serialize)]
pub(crate) struct Outputs {
    pub(crate) id: ProcessId,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) files: Vec<OutputFile>,
}

/// A file that was brought home and verified then.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct OutputFile {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) blake3: String,
    /// Whether it is still what it was: `intact`, `changed` or `missing`.
    pub(crate) now: &'static str,
}

/// `why`.
#[derive(Serialize)]
pub(crate) struct Why {
    pub(crate) process: View,
    pub(crate) runtime: bool,
    pub(crate) waits_for: String,
    pub(crate) limit: Option<String>,
    pub(crate) next: String,
    pub(crate) when: Option<String>,
}

/// `logs`.
#[derive(Serialize)]
pub(crate) struct Logs {
    pub(crate) id: ProcessId,
    pub(crate) stream: &'static str,
    pub(crate) file: PathBuf,
    /// What is not UTF-8 is replaced.
    pub(crate) text: String,
}

/// `graph KIND`.
#[derive(Serialize)]
pub(crate) struct Graph {
    pub(crate) kind: String,
    pub(crate) edges: Vec<[&'static str; 2]>,
}

/// `graph`.
#[derive(Serialize)]
pub(crate) struct Kinds {
    pub(crate) kinds: Vec<String>,
}

/// `run --dry-run`: one line for each file.
#[derive(Serialize)]
pub(crate) struct DryRun {
    pub(crate) file: PathBuf,
    pub(crate) host: String,
    pub(crate) sends: Vec<Send>,
    pub(crate) scripts: Vec<Script>,
    /// To submit, to ask for the status, to read the evidence, to clean up.
    pub(crate) commands: Vec<Vec<String>>,
    pub(crate) cannot: Vec<String>,
}

/// A file or a tree that would be sent.
#[derive(Serialize)]
pub(crate) struct Send {
    pub(crate) from: PathBuf,
    pub(crate) to: String,
}

/// A file that would be written.
#[derive(Serialize)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// `gc`.
#[derive(Serialize)]
pub(crate) struct Gc {
    pub(crate) dry_run: bool,
    pub(crate) found: Vec<Leftover>,
}

/// Something on a host that belongs to a process that has ended.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leftover {
    pub(crate) process: ProcessId,
    pub(crate) kind: String,
    pub(crate) host: String,
    pub(crate) name: String,
    /// `would-remove`, `removed`, `gone`, or `left`.
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

/// `dump`.
#[derive(Serialize)]
pub(crate) struct Dump {
    pub(crate) row: Value,
    pub(crate) effects: Vec<Effect>,
    pub(crate) letters: Vec<Value>,
}

/// `host list`.
#[derive(Serialize)]
pub(crate) struct HostList {
    pub(crate) file: Option<PathBuf>,
    pub(crate) hosts: Vec<HostLine>,
}

/// One of the hosts.
#[derive(Serialize)]
pub(crate) struct HostLine {
    pub(crate) name: String,
    pub(crate) transport: &'static str,
    pub(crate) scheduler: &'static str,
    pub(crate) ssh: Option<String>,
    pub(crate) work: Option<PathBuf>,
    /// `unknown`, `up`, `degraded`, `down` or `needs-auth`.
    pub(crate) health: &'static str,
    /// Processes that have not ended.
    pub(crate) unfinished: usize,
}

/// `host show`.
#[derive(Serialize)]
pub(crate) struct HostShow {
    pub(crate) name: String,
    /// As the file has it.
    pub(crate) host: Host,
    pub(crate) runtime: bool,
    pub(crate) unfinished: usize,
    /// What the runtime at work says.
    pub(crate) now: Option<Now>,
}

/// `host check`.
#[derive(Serialize)]
pub(crate) struct HostCheck {
    pub(crate) host: String,
    /// Whether jobs can run there.
    pub(crate) well: bool,
    pub(crate) findings: Vec<Finding>,
}

/// `login`.
#[derive(Serialize)]
pub(crate) struct Login {
    pub(crate) host: String,
    /// Whether it let us in.
    pub(crate) well: bool,
    /// Whether that was for a runtime at work.
    pub(crate) runtime: bool,
    pub(crate) why: Option<String>,
}

/// Any command that could not do what was asked.
#[derive(Serialize)]
pub(crate) struct Error {
    pub(crate) exit: u8,
    pub(crate) error: String,
}

impl Error {
    pub(crate) fn of(trouble: &Trouble) -> Error {
        Error { exit: trouble.exit().code(), error: trouble.to_string() }
    }
}

/// A row as it stands in the journal, with its JSON read where it can be.
pub(crate) fn row(row: &ProcessRow) -> Value {
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    serde_json::json!({
        "id": row.id, "kind": row.kind, "version": row.version, "stage": row.stage.word(),
        "desired": row.desired.word(), "seq": row.seq, "parent": row.parent, "key": row.key,
        "born": crate::screen::stamp(row.born), "changed": crate::screen::stamp(row.changed),
        "state": read(&row.state), "outcome": row.outcome.as_deref().map(read),
    })
}
