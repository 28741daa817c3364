//! What a job is: the contents of a job file, in TOML or JSON.
//!
//! ```
//! use procession_batch::JobSpec;
//! let spec = JobSpec::from_value(serde_json::json!({
//!     "name": "pi",
//!     "command": ["python3", "pi.py", "1000"],
//!     "inputs": [{ "from": "pi.py" }],
//!     "outputs": [{ "pattern": "pi.txt" }],
//!     "resources": { "memory": "500M", "walltime": "1h30m" },
//! }))?;
//! assert_eq!(spec.resources.walltime.map(|w| w.seconds()), Some(5400));
//! # Ok::<(), procession_batch::SpecErrors>(())
//! ```

use crate::EndKind;
use crate::monitor::Monitor;
use crate::resources::{ArrayRange, Memory, Resources, Span};
use crate::validate::SpecErrors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A job, as its owner describes it. Every field but `name` and one of `command` and `script` may be left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// What people call it. Any text; the host knows the job by another name.
    pub name: String,
    /// The program and its arguments. No shell reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Or a script. Without a `#!` line it is one for `/bin/sh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Added to the environment on the host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The folder in which the command starts, relative to the sandbox; made if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What the job needs.
    #[serde(default)]
    pub resources: Resources,
    /// The queue or partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Whom to charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The quality of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<String>,
    /// Which nodes will do, in the scheduler's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// Whether to have the nodes alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclusive: bool,
    /// Many tasks in one submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<Array>,
    /// Shell text before the command, in the same shell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prepend: String,
    /// Shell text after the command, in the same shell. `$procession_code` is the code of the command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub append: String,
    /// Environment modules to load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// Words before the command that start it on all ranks: `["mpirun", "-n", "8"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mpi: Vec<String>,
    /// Files and trees to send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Upload>,
    /// Files to fetch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// A signal some time before the walltime is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// What to look for in its files while it runs, and what to do when it is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Monitor>,
    /// Lines for the scheduler as they are, without its prefix: `--reservation=maintenance`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheduler: Vec<String>,
    /// Whether to try again after the job itself failed.
    #[serde(default)]
    pub retries: Retries,
    /// What becomes of the sandbox on the host after the job has ended.
    #[serde(default)]
    pub remote: Remote,
}

/// What a job runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work<'a> {
    /// A program and its arguments.
    Command(&'a [String]),
    /// The text of a script.
    Script(&'a str),
}

/// Many tasks in one submission.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// Their indices: `"16"` for 0 to 15, `"1-9"`, or `"0-20:5"`.
    pub range: ArrayRange,
    /// How many of them may run at once; any number if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
}

impl Array {
    /// More tasks than this are several arrays: each has an entry in the outcome, and the outcome is one row of a journal.
    pub const MOST: usize = 10_000;
}

/// A file or a tree to send.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// A file or a folder of this machine, relative to the job file.
    pub from: PathBuf,
    /// Where it goes in the sandbox; its own name if it is left out. A folder with `"."` puts its contents on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Upload {
    /// Where it goes in the sandbox, normalised; nowhere if it has no name of its own.
    pub fn target(&self) -> Option<String> {
        let own_name = || self.from.file_name().map(|name| name.to_string_lossy().into_owned());
        let target = self.to.clone().or_else(own_name)?;
        Some(target.parse().map_or(target, |path: procession::transport::RemotePath| path.to_string()))
    }
}

/// Files to fetch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// A path in the sandbox, or a pattern: `*`, `?`, `[a-z]`, `**` for folders.
    pub pattern: String,
    /// Whether the job has failed if nothing matches. Yes if it is left out.
    #[serde(default = "yes")]
    pub required: bool,
    /// The files may not be larger than this together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Memory>,
}

/// A signal some time before the walltime is over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its name without `SIG`: `USR1`.
    pub name: String,
    /// How long before the end.
    pub before: Span,
}

/// Whether to try again after the job itself failed. What the host or the scheduler loses is not counted here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// How often it may be run in all, from 1 to [`Retries::MOST`].
    #[serde(default = "one")]
    pub attempts: u32,
    /// After which ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<EndKind>,
}

impl Retries {
    /// More runs than this are a loop, not a retry.
    pub const MOST: u32 = 100;
}

impl Default for Retries {
    fn default() -> Retries {
        Retries { attempts: one(), on: Vec::new() }
    }
}

/// What becomes of the sandbox on the host after the job has ended.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Remote {
    /// It is removed, unless the job ended well and its outputs could not be fetched.
    #[default]
    Remove,
    /// It stays where it is.
    Keep,
    /// It is moved into this folder of the host.
    Stash(String),
}

impl JobSpec {
    /// Reads the contents of a job file, and checks it. TOML is turned into a value by the `toml` crate.
    ///
    /// # Errors
    /// All that is wrong with it, each with its field.
    pub fn from_value(value: serde_json::Value) -> Result<JobSpec, SpecErrors> {
        crate::validate::read(value)
    }

    /// Everything that is wrong with this job, whatever the scheduler.
    ///
    /// # Errors
    /// All that is wrong with it, each with its field.
    pub fn validate(&self) -> Result<(), SpecErrors> {
        SpecErrors::result(crate::validate::check(self), ())
    }

    /// What it runs. A job that is valid has exactly one of the two.
    pub fn work(&self) -> Work<'_> {
        match (&self.command, &self.script) {
            (Some(argv), None | Some(_)) => Work::Command(argv),
            (None, Some(text)) => Work::Script(text),
            (None, None) => Work::Command(&[]),
        }
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

fn is_false(value: &bool) -> bool {
    !value
}
