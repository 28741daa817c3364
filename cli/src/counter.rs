//! The counter at which people answer for a runtime that has no terminal: a socket beside the journal, for its owner alone.
//! `procession login HOST` comes there, is asked what the host asks, and hears whether the host let us in. Nothing that is
//! said there is kept in a file.
//!
//! Each side says one JSON document a line.

use crate::exit::Trouble;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// The longest line. A question is one, and an answer.
const LONGEST: u64 = 64 << 10;

/// What the runtime says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    /// Answer this, shown while it is typed or not. The next line is an [`Answer`].
    Ask { question: String, is_shown: bool },
    /// We are in.
    In,
    /// We are not, for this reason.
    Out { why: String },
    /// There is no host of this name that could be logged in to.
    NoHost,
}

/// What whoever came says after the name of the host.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer(pub(crate) Option<String>);

/// One side of a conversation at the counter.
pub(crate) struct Conversation {
    lines: BufReader<UnixStream>,
}

impl Conversation {
    /// With whoever is at the other end.
    pub(crate) fn on(stream: UnixStream) -> Conversation {
        Conversation { lines: BufReader::new(stream) }
    }

    /// Goes to the counter of the runtime at work; none if there is none.
    pub(crate) fn with_runtime(store: &Store) -> Result<Option<Conversation>, Trouble> {
        let path = store.counter();
        if store.holder().is_none() || !path.exists() {
            return Ok(None);
        }
        let stream = UnixStream::connect(&path).map_err(|why| Trouble::File { path, why })?;
        Ok(Some(Conversation::on(stream)))
    }

    pub(crate) fn say(&mut self, what: &impl Serialize) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.lines.get_mut().write_all(&line)
    }

    /// What the other side says next; none if it has gone or makes no sense.
    pub(crate) fn hear<T: for<'de> Deserialize<'de>>(&mut self) -> Option<T> {
        let mut line = Vec::new();
        std::io::Read::take(&mut self.lines, LONGEST).read_until(b'\n', &mut line).ok()?;
        serde_json::from_slice(&line).ok()
    }
}
