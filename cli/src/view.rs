//! How a process looks to people and to programs: a row of the journal, with what its kind has to say about it.

use crate::kinds;
use crate::screen;
use procession::journal::{Desired, ProcessRow, Stage};
use procession::{Fault, ProcessId};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// A process. Its JSON is the `process` of docs/json.md.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct View {
    /// Its number.
    pub(crate) id: ProcessId,
    /// Its kind.
    pub(crate) kind: String,
    /// What people call it; the kind if it has no other name.
    pub(crate) name: String,
    /// Where it runs, if it runs on a host.
    pub(crate) host: Option<String>,
    /// `created`, `running`, `paused`, `killing`, `finished`, `killed` or `failed`.
    pub(crate) phase: &'static str,
    /// `run`, `pause` or `kill`.
    pub(crate) desired: &'static str,
    /// The name of its state.
    pub(crate) state: String,
    /// What there is to say about its state or its end, in a sentence.
    pub(crate) detail: String,
    /// Which attempt it is, if its kind has attempts.
    pub(crate) attempt: Option<u32>,
    /// Whether it did what it was asked to; none while it has not ended.
    pub(crate) ok: Option<bool>,
    /// Where what it brought home lies, or will.
    pub(crate) results: Option<PathBuf>,
    /// The process that spawned it.
    pub(crate) parent: Option<ProcessId>,
    /// When it began and when it last changed, in RFC 3339.
    pub(crate) born: String,
    /// See `born`.
    pub(crate) changed: String,
    #[serde(skip)]
    pub(crate) stage: Stage,
    #[serde(skip)]
    pub(crate) row: ProcessRow,
}

/// What a kind says about one of its processes.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Sketch {
    pub(crate) name: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) detail: String,
    pub(crate) attempt: Option<u32>,
    /// For one that has finished: whether well.
    pub(crate) well: bool,
    pub(crate) results: Option<PathBuf>,
}

impl Sketch {
    /// Of a row that its kind cannot read.
    pub(crate) fn unreadable() -> Sketch {
        let detail = "its state cannot be read; see `procession dump`".to_owned();
        Sketch { detail, ..Sketch::default() }
    }
}

impl View {
    /// The view of this row.
    pub(crate) fn of(row: ProcessRow) -> View {
        let sketch = kinds::sketch(&row);
        let (ok, detail) = match row.stage {
            Stage::Created | Stage::Running | Stage::Paused | Stage::Killing => (None, sketch.detail),
            Stage::Finished => (Some(sketch.well), sketch.detail),
            Stage::Killed => (Some(false), "killed by its owner's wish".to_owned()),
            Stage::Failed => (Some(false), fault(&row)),
        };
        View {
            id: row.id,
            kind: row.kind.to_string(),
            name: screen::one_line(&sketch.name.unwrap_or_else(|| row.kind.to_string())),
            host: sketch.host,
            phase: row.stage.word(),
            desired: row.desired.word(),
            state: sketch.state.unwrap_or_else(|| state_name(&row.state)),
            detail: screen::one_line(&detail),
            attempt: sketch.attempt,
            ok,
            results: sketch.results,
            parent: row.parent,
            born: screen::stamp(row.born),
            changed: screen::stamp(row.changed),
            stage: row.stage,
            row,
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.stage.is_end()
    }

    /// What its owner wants and has not got yet, in words.
    pub(crate) fn wish(&self) -> Option<&'static str> {
        match (self.row.desired, self.stage) {
            (_, Stage::Finished | Stage::Killed | Stage::Failed) => None,
            (Desired::Kill, Stage::Killing) | (Desired::Pause, Stage::Paused) => None,
            (Desired::Kill, Stage::Created | Stage::Running | Stage::Paused) => Some("kill wanted"),
            (Desired::Pause, Stage::Created | Stage::Running | Stage::Killing) => Some("pause wanted"),
            (Desired::Run, Stage::Paused) => Some("resume wanted"),
            (Desired::Run, Stage::Created | Stage::Running | Stage::Killing) => None,
        }
    }

    /// How it is doing, in one word: its state while it lives, and how it ended then.
    pub(crate) fn word(&self) -> &str {
        match self.stage {
            Stage::Running => &self.state,
            Stage::Created | Stage::Paused | Stage::Killing => self.phase,
            Stage::Finished if self.ok == Some(false) => "failed",
            Stage::Finished | Stage::Killed | Stage::Failed => self.phase,
        }
    }
}

/// The name of a state in the journal: states are enums, so it is the only key, or the text itself.
pub(crate) fn state_name(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(fields)) if fields.len() == 1 => fields.keys().cloned().collect(),
        Ok(_) => "-".to_owned(),
        Err(_) => "unreadable".to_owned(),
    }
}

fn fault(row: &ProcessRow) -> String {
    let fault = row.outcome.as_deref().map(serde_json::from_str::<Fault>);
    match fault {
        Some(Ok(fault)) => fault.to_string(),
        Some(Err(_)) => "its fault cannot be read; see `procession dump`".to_owned(),
        None => "without a reason".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use procession::WallTime;

    fn wish(stage: Stage, desired: Desired) -> Option<&'static str> {
        let at = WallTime(0);
        let row = ProcessRow {
            id: ProcessId::FIRST,
            kind: "other".into(),
            version: 1,
            stage,
            state: "\"A\"".into(),
            desired,
            seq: 0,
            parent: None,
            key: None,
            born: at,
            changed: at,
            outcome: None,
        };
        View::of(row).wish()
    }

    #[test]
    fn what_is_wanted_and_not_there_yet_is_said() {
        assert_eq!(wish(Stage::Running, Desired::Kill), Some("kill wanted"));
        assert_eq!(wish(Stage::Running, Desired::Pause), Some("pause wanted"));
        assert_eq!(wish(Stage::Paused, Desired::Run), Some("resume wanted"));
        let settled = [
            (Stage::Running, Desired::Run),
            (Stage::Paused, Desired::Pause),
            (Stage::Killing, Desired::Kill),
            (Stage::Killed, Desired::Kill),
            (Stage::Finished, Desired::Pause),
        ];
        assert!(settled.iter().all(|(stage, desired)| wish(*stage, *desired).is_none()));
    }
}
