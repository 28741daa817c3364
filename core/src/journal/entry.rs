//! The rows and the entries of a journal: plain data, the same for every implementation.

use crate::{ProcessId, WallTime};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How far the framework has brought a process. The journal's name for a phase, without what the phase carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Exists, was never launched.
    Created,
    /// Walks through its states.
    Running,
    /// Holds still in a state, and owns nothing but data.
    Paused,
    /// Cleans up after itself; the end will be `Killed`.
    Killing,
    /// Ended by itself, with an output.
    Finished,
    /// Ended because its owner wished so, and nothing of it is left.
    Killed,
    /// Ended by a fault.
    Failed,
}

impl Stage {
    /// Every stage, in the order of a life.
    pub const ALL: [Stage; 7] = [
        Stage::Created,
        Stage::Running,
        Stage::Paused,
        Stage::Killing,
        Stage::Finished,
        Stage::Killed,
        Stage::Failed,
    ];

    /// Whether the process has ended, and nothing will change any more.
    pub const fn is_end(self) -> bool {
        match self {
            Stage::Created | Stage::Running | Stage::Paused | Stage::Killing => false,
            Stage::Finished | Stage::Killed | Stage::Failed => true,
        }
    }

    /// The word in the file and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Stage::Created => "created",
            Stage::Running => "running",
            Stage::Paused => "paused",
            Stage::Killing => "killing",
            Stage::Finished => "finished",
            Stage::Killed => "killed",
            Stage::Failed => "failed",
        }
    }

    /// The stage that this word means.
    pub fn from_word(word: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|s| s.word() == word)
    }
}

/// What the owner of a process wants of it. A level, not an edge: it holds until another one is set, and `Kill` for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// Go on.
    Run,
    /// Hold still between two steps. The desire of every process until it is launched.
    Pause,
    /// End, and leave nothing behind.
    Kill,
}

impl Desired {
    /// Every desire.
    pub const ALL: [Desired; 3] = [Desired::Run, Desired::Pause, Desired::Kill];

    /// The word in the file and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Desired::Run => "run",
            Desired::Pause => "pause",
            Desired::Kill => "kill",
        }
    }

    /// The desire that this word means.
    pub fn from_word(word: &str) -> Option<Desired> {
        Desired::ALL.into_iter().find(|d| d.word() == word)
    }
}

/// A process as the journal has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessRow {
    /// Its number.
    pub id: ProcessId,
    /// `Process::KIND`.
    pub kind: Cow<'static, str>,
    /// The version of the state's form, `State::VERSION` when it was written.
    pub version: u32,
    /// How far it has come.
    pub stage: Stage,
    /// The state, in JSON.
    pub state: String,
    /// What its owner wants.
    pub desired: Desired,
    /// Counts its transitions.
    pub seq: u64,
    /// The process that spawned it, if a process did.
    pub parent: Option<ProcessId>,
    /// The name under which its parent, or whoever handed it over, finds it again. Unique for each parent.
    pub key: Option<String>,
    /// When it was put into the journal.
    pub born: WallTime,
    /// When the row last changed.
    pub changed: WallTime,
    /// For a finished process its output and for a failed one its fault, in JSON.
    pub outcome: Option<String>,
}

/// Something that changes the world outside, written down before it is done, so that it can be found and undone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct EffectRow {
    /// What it is: `directory`, `job`, `process-group`, `pod`.
    pub kind: Cow<'static, str>,
    /// Where: the name of a host.
    pub host: String,
    /// Which: a path, a job's name, an id. Unique for each process, kind and host.
    pub name: String,
    /// The attempt it belongs to.
    pub attempt: u32,
}

/// How an effect ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectEnd {
    /// It is gone by itself: a job that ended.
    Over,
    /// It was undone: a directory removed, a job cancelled.
    Undone,
    /// It never came to be.
    Never,
    /// It is still there, on purpose, for somebody to look at; `gc` removes it.
    Kept,
}

impl EffectEnd {
    /// Every end.
    pub const ALL: [EffectEnd; 4] = [EffectEnd::Over, EffectEnd::Undone, EffectEnd::Never, EffectEnd::Kept];

    /// The word in the file and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            EffectEnd::Over => "over",
            EffectEnd::Undone => "undone",
            EffectEnd::Never => "never",
            EffectEnd::Kept => "kept",
        }
    }

    /// The end that this word means.
    pub fn from_word(word: &str) -> Option<EffectEnd> {
        EffectEnd::ALL.into_iter().find(|e| e.word() == word)
    }
}

/// One change to the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// A new process. Its id must be new, and so must its key among the children of its parent.
    Born(Box<ProcessRow>),
    /// A process that has not ended entered a state, or its stage or desire changed.
    Step {
        /// Which.
        id: ProcessId,
        /// The number of this transition.
        seq: u64,
        /// The stage it is in now.
        stage: Stage,
        /// What its owner wants now.
        desired: Desired,
        /// The version and the JSON of the state it is in now; none if the state is the same.
        state: Option<(u32, String)>,
        /// When.
        at: WallTime,
    },
    /// A process that has not ended did so now.
    End {
        /// Which.
        id: ProcessId,
        /// The number of this transition.
        seq: u64,
        /// `Finished`, `Killed` or `Failed`.
        stage: Stage,
        /// The output or the fault, in JSON; none for `Killed`.
        outcome: Option<String>,
        /// When.
        at: WallTime,
    },
    /// A process is about to have an effect. The same effect again is no change while it is open; after its end, it is
    /// open once more.
    EffectMade {
        /// Whose.
        process: ProcessId,
        /// What.
        effect: EffectRow,
        /// When.
        at: WallTime,
    },
    /// An effect has ended. One that is unknown, or has ended, is no change.
    EffectEnded {
        /// Whose.
        process: ProcessId,
        /// What; its `attempt` does not matter.
        effect: EffectRow,
        /// How.
        end: EffectEnd,
        /// When.
        at: WallTime,
    },
    /// A letter has been acted upon, in the same write as its consequence. One that is not there is no change.
    LetterTaken {
        /// [`Letter::number`].
        number: i64,
    },
}

/// A wish that somebody wrote into the journal from outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Set the desire of a process.
    Desire {
        /// Which.
        process: ProcessId,
        /// To what.
        desired: Desired,
    },
    /// Let a process in step mode make one step.
    Nudge {
        /// Which.
        process: ProcessId,
    },
    /// Take over a new process, and launch it.
    Adopt {
        /// `Process::KIND`.
        kind: String,
        /// The version of the state's form.
        version: u32,
        /// The state, in JSON.
        state: String,
        /// The name under which the sender finds it again. A second one with the same key is not taken over again, as
        /// long as the journal has the first one, ended or not.
        key: String,
    },
}

/// An [`Ask`] as it lies in the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Counts up; never given out again.
    pub number: i64,
    /// What is asked; none if it cannot be understood, with the reason.
    pub ask: Result<Ask, String>,
}
