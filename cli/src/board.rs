//! The board: what a runtime at work tells others about its hosts. It is a file beside the journal, `hosts.json`, which is
//! replaced whole when something has changed, at most once a second; whoever reads it sees the old one or the new one.
//!
//! It is for people who look. Nothing is decided by it, and it counts only as long as the one who wrote it holds the journal.

use crate::store::Store;
use procession::pool::Report;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// All that is on it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Board {
    /// Who wrote it.
    pub(crate) pid: u32,
    /// Each host by its name.
    pub(crate) hosts: BTreeMap<String, Now>,
}

/// How a host is used just now.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Now {
    /// What limits the jobs there, in words.
    pub(crate) limit: String,
    /// Its sessions and its health; none for this machine, which needs no sessions.
    pub(crate) pool: Option<Report>,
}

impl Board {
    /// What the runtime at work has written; none if none is at work, or it has written nothing yet.
    pub(crate) fn look(store: &Store) -> Option<Board> {
        let text = std::fs::read(store.board()).ok()?;
        let board: Board = serde_json::from_slice(&text).ok()?;
        (store.holder() == Some(board.pid)).then_some(board)
    }

    /// Puts it in the place of the old one.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec(self)?;
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&text)?;
        std::fs::rename(&new, path)
    }
}
