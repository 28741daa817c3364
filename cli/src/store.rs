//! Where things are kept: the journal, and beside it the log of a background runtime and the work folder of this machine.

use crate::exit::Trouble;
use procession::journal::{Reader, Sqlite};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A folder that holds one journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store that was named, or the one of this user: `$XDG_STATE_HOME/procession`, else `~/.local/state/procession`
    /// (XDG Base Directory Specification 0.8).
    pub(crate) fn at(named: Option<PathBuf>) -> Result<Store, Trouble> {
        let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let folder = match (named, set("XDG_STATE_HOME"), set("HOME")) {
            (Some(named), _, _) => named,
            (None, Some(state), _) => PathBuf::from(state).join("procession"),
            (None, None, Some(home)) => PathBuf::from(home).join(".local/state/procession"),
            (None, None, None) => return Err(Trouble::NoHome),
        };
        let folder = std::path::absolute(&folder).map_err(|why| Trouble::File { path: folder, why })?;
        Ok(Store { folder })
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// What the runtime at work tells others about its hosts.
    pub(crate) fn board(&self) -> PathBuf {
        self.folder.join("hosts.json")
    }

    /// Where people answer for the runtime at work.
    pub(crate) fn counter(&self) -> PathBuf {
        self.folder.join("login.sock")
    }

    /// What the runtimes of this store share: how often each host was connected to, and by whom.
    pub(crate) fn budgets(&self) -> PathBuf {
        self.folder.join("budgets")
    }

    /// What a background runtime says.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("up.log")
    }

    /// Where jobs of this machine have their folders, unless the file of hosts says otherwise.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// Makes the folder, for its owner only, and the journal in it, if they are not there.
    pub(crate) fn make(&self) -> Result<(), Trouble> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|why| Trouble::File { path: self.folder.clone(), why })?;
        drop(Sqlite::open(self.journal())?);
        Ok(())
    }

    /// The process that holds the journal, if one does: the one that has signed the lock and, as the kernel says, has it
    /// (`/proc/locks`, proc_locks(5)). Nobody is disturbed by the question. A lock can outlive its owner for a moment, in a child
    /// that has not become another program yet; then nobody holds the journal.
    pub(crate) fn holder(&self) -> Option<u32> {
        let path = self.folder.join("journal.lock");
        let inode = format!(":{}", std::fs::metadata(&path).ok()?.ino());
        let pid: u32 = std::fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok()?;
        if test_kill_process(Pid::from_raw(i32::try_from(pid).ok()?)?) == Err(Errno::SRCH) {
            return None;
        }
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let is_it = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&"FLOCK") && words.iter().any(|word| word.ends_with(&inode))
        };
        locks.lines().any(is_it).then_some(pid)
    }

    /// A look into the journal; none if there is none yet.
    pub(crate) fn look(&self) -> Result<Option<Reader>, Trouble> {
        match self.journal().exists() {
            true => Ok(Some(Reader::open(self.journal())?)),
            false => Ok(None),
        }
    }
}
