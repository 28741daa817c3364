//! Where the framework has a process, and how it ended.

use crate::journal::Stage;
use serde::{Deserialize, Serialize};

/// Where the framework has a process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase<S, O> {
    /// Exists, was never launched.
    Created(S),
    /// Walks: `advance` was or will be called with this state.
    Running(S),
    /// Holds still; owns nothing but this state.
    Paused(S),
    /// Takes back what it did; the end will be `Killed`.
    Killing(S),
    /// Ended by itself.
    Finished(O),
    /// Ended because its owner wished so; nothing of it is left outside.
    Killed,
    /// Ended by a fault.
    Failed(Fault),
}

impl<S, O> Phase<S, O> {
    /// The phase without what it carries.
    pub fn stage(&self) -> Stage {
        match self {
            Phase::Created(_) => Stage::Created,
            Phase::Running(_) => Stage::Running,
            Phase::Paused(_) => Stage::Paused,
            Phase::Killing(_) => Stage::Killing,
            Phase::Finished(_) => Stage::Finished,
            Phase::Killed => Stage::Killed,
            Phase::Failed(_) => Stage::Failed,
        }
    }

    /// The state, while there is one.
    pub fn state(&self) -> Option<&S> {
        match self {
            Phase::Created(s) | Phase::Running(s) | Phase::Paused(s) | Phase::Killing(s) => Some(s),
            Phase::Finished(_) | Phase::Killed | Phase::Failed(_) => None,
        }
    }
}

impl<S, O> From<Outcome<O>> for Phase<S, O> {
    fn from(outcome: Outcome<O>) -> Self {
        match outcome {
            Outcome::Finished(o) => Phase::Finished(o),
            Outcome::Killed => Phase::Killed,
            Outcome::Failed(f) => Phase::Failed(f),
        }
    }
}

/// How a process ended.
///
/// ```
/// use procession::Outcome;
/// assert_eq!(Outcome::Finished(4).finished(), Some(4));
/// assert_eq!(Outcome::<i64>::Killed.finished(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<O> {
    /// By itself, with this output.
    Finished(O),
    /// By its owner's wish.
    Killed,
    /// By a fault.
    Failed(Fault),
}

impl<O> Outcome<O> {
    /// The output, if it finished.
    pub fn finished(self) -> Option<O> {
        match self {
            Outcome::Finished(o) => Some(o),
            Outcome::Killed | Outcome::Failed(_) => None,
        }
    }

    /// The stage that this outcome is.
    pub fn stage(&self) -> Stage {
        match self {
            Outcome::Finished(_) => Stage::Finished,
            Outcome::Killed => Stage::Killed,
            Outcome::Failed(_) => Stage::Failed,
        }
    }
}

/// Why a process failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its author's code said so, with [`Step::fail`](crate::Step::fail).
    #[error("{reason}")]
    Failed {
        /// A word for programs: `failed`, unless the author chose another.
        code: String,
        /// A sentence for people.
        reason: String,
    },
    /// Nobody was left who could have moved it on: a `Step` was dropped, or a `Ret` died with its callee.
    #[error("abandoned in state {state}: the step, or the answer it waited for, was dropped")]
    Abandoned {
        /// The name of the state.
        state: String,
    },
    /// Its code panicked.
    #[error("panicked in state {state}: {message}")]
    Panicked {
        /// The name of the state.
        state: String,
        /// What the panic said.
        message: String,
    },
    /// It made a transition that its own table of states does not name. Checked in builds with debug assertions.
    #[error("the table of states has no transition from {from} to {to}")]
    OffTable {
        /// From.
        from: String,
        /// To.
        to: String,
    },
    /// It said [`killed`](crate::Step::killed) although nobody had asked for its end.
    #[error("said that it was killed in state {state}, but nobody had asked")]
    NotAsked {
        /// The name of the state.
        state: String,
    },
    /// A child that it depends on did not finish.
    #[error("its child {key} did not finish: {why}")]
    Child {
        /// The child's key.
        key: String,
        /// How the child ended.
        why: String,
    },
    /// Its actor was stopped from within, past the framework.
    #[error("its actor was stopped past the framework, in state {state}")]
    Stopped {
        /// The name of the state.
        state: String,
    },
    /// Its outcome, or the outcome that was asked for, could not be read from the journal.
    #[error("its outcome cannot be read: {why}")]
    Unreadable {
        /// What does not fit.
        why: String,
    },
}

impl Fault {
    /// A fault of the author's own, under a word of the author's own.
    pub fn new(code: impl Into<String>, reason: impl std::fmt::Display) -> Fault {
        Fault::Failed { code: code.into(), reason: reason.to_string() }
    }
}
