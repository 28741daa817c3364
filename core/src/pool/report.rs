//! What a pool tells about itself, to people and to programs.

use crate::WallTime;
use serde::{Deserialize, Serialize};

/// How a host and its sessions are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The host.
    pub host: String,
    /// Whether it can be used.
    pub health: Health,
    /// Since when it is so.
    pub since: WallTime,
    /// What is wrong with it, if something is.
    pub why: Option<String>,
    /// When the next session will be tried, if one is wanted and must wait.
    pub next_try: Option<WallTime>,
    /// The sessions, oldest first.
    pub sessions: Vec<SessionReport>,
    /// So many sessions may be there at once.
    pub max_sessions: u32,
    /// How many were opened by this pool in the last hour, tries that failed included.
    pub opened_in_hour: u32,
    /// Never more than so many are opened in an hour.
    pub hourly: u32,
    /// Who waits for a channel, or for the host.
    pub waiting: Waiting,
}

/// Whether a host can be used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nobody has asked it for anything yet, or it is being tried for the first time.
    Unknown,
    /// It can.
    Up,
    /// It can, but no further session can be opened for now.
    Degraded,
    /// It cannot; the pool tries by itself.
    Down,
    /// It refuses our credentials, or shows another key than the one that is known. Nothing is tried until somebody has
    /// dealt with that.
    NeedsAuth,
}

/// One session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionReport {
    /// Counts the sessions of this pool.
    pub number: u64,
    /// How far it has come in its life.
    pub stage: SessionStage,
    /// When it was begun to be opened, or was open.
    pub since: WallTime,
    /// Channels in use.
    pub channels: u32,
    /// As many it may have; one of them is for control alone. Fewer than configured if the host refused one.
    pub limit: u32,
}

/// How far a session has come in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionStage {
    /// It is being opened.
    Opening,
    /// It gets work.
    Serving,
    /// It gets no new work, and is closed when nothing is left on it.
    Draining,
}

/// Who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Waiting {
    /// For a channel, to control something.
    pub control: usize,
    /// For a channel, to do some work or to move files.
    pub work: usize,
    /// Until the host is up.
    pub host: usize,
}
