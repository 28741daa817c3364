//! How others leave a letter for the runtime, or for the next one.

use super::connection::{self, Trouble};
use super::{bell, schema};
use crate::journal::{Ask, JournalError};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// A way to leave letters in a journal, whether a runtime holds it or not. Blocks, so it is not for actors.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("journal");
/// use procession::journal::{Ask, Desired, Journal, Postbox, Sqlite};
/// use procession::ProcessId;
///
/// drop(Sqlite::open(&path)?);
/// let mut postbox = Postbox::open(&path)?;
/// let posted = postbox.post(&Ask::Desire { process: ProcessId::FIRST, desired: Desired::Kill })?;
/// assert!(!posted.heard, "no runtime is there; the next one will find it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Postbox {
    file: Connection,
    path: PathBuf,
}

/// What has become of a letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Posted {
    /// [`Letter::number`](crate::journal::Letter::number).
    pub number: i64,
    /// Whether a runtime heard the bell. If not, the letter waits for the next one.
    pub heard: bool,
}

impl Postbox {
    /// Opens the postbox of the journal in this file, which must be there.
    pub fn open(path: impl AsRef<Path>) -> Result<Postbox, JournalError> {
        let path = super::real(path.as_ref())?;
        let file = connection::for_writing(&path)?;
        schema::check(&file, &path)?;
        Ok(Postbox { file, path })
    }

    /// Leaves a letter. When this returns it is durable, and whoever holds the journal has been rung.
    pub fn post(&mut self, ask: &Ask) -> Result<Posted, JournalError> {
        let trouble = Trouble::new(&self.path);
        let text = serde_json::to_string(ask)
            .expect("an Ask has no maps, whose keys could be something else than text");
        self.file.execute("INSERT INTO letters (ask) VALUES (?1)", [text]).map_err(|e| trouble.because(e))?;
        Ok(Posted { number: self.file.last_insert_rowid(), heard: bell::ring(&self.path) })
    }
}
