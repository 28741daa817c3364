//! Removing what is left over, and noting it in the ledger. Needs the journal for itself: two who sweep would both be right,
//! but a runtime that begins meanwhile must not find its ledger changed under it.

use crate::commands::Trace;
use crate::exit::Trouble;
use crate::json::Leftover;
use crate::reach::Reach;
use crate::store::Store;
use procession::WallTime;
use procession::journal::{EffectEnd, Entry, Journal, JournalError, Note, Order, Sqlite};
use procession::transport::{Op, RemotePath, TransportError};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::channel;

/// Removes each of these, says what became of it, and closes its row.
pub(crate) fn sweep(
    store: &Store,
    found: &mut [Trace],
    far: &mut BTreeMap<String, Reach>,
) -> Result<(), Trouble> {
    let mut journal = Sqlite::open(store.journal())?;
    journal.load()?;
    let at = WallTime(jiff::Timestamp::now().as_millisecond());
    let mut entries = Vec::new();
    for trace in found {
        let (what, why) = match &trace.path {
            Some(path) => match std::fs::remove_dir_all(path) {
                Ok(()) => ("removed", None),
                Err(why) if why.kind() == ErrorKind::NotFound => ("gone", None),
                Err(why) => ("left", Some(why.to_string())),
            },
            None => match remove_there(&trace.leftover, far)? {
                Ok(true) => ("removed", None),
                Ok(false) => ("gone", None),
                Err(why) => ("left", Some(why.to_string())),
            },
        };
        trace.leftover.what = what;
        if let Some(why) = why {
            trace.leftover.why = why;
        } else if let Some(effect) = trace.effect.clone() {
            let (process, end) = (trace.leftover.process, EffectEnd::Undone);
            // One that was kept has ended already, and only an open one can end.
            entries.push(Entry::EffectMade { process, effect: effect.clone(), at });
            entries.push(Entry::EffectEnded { process, effect, end, at });
        }
    }
    if entries.is_empty() { Ok(()) } else { Ok(write(&mut journal, entries)?) }
}

/// Removes a folder on another host. Whether it was there.
fn remove_there(
    leftover: &Leftover,
    far: &mut BTreeMap<String, Reach>,
) -> Result<Result<bool, TransportError>, Trouble> {
    let path: RemotePath = match leftover.name.parse() {
        Ok(path) => path,
        Err(why) => return Ok(Err(TransportError::Refused(format!("{why}")))),
    };
    match far.get_mut(&leftover.host) {
        Some(reach) => reach.ask(|ret| Op::Remove { path, tree: true, ret }),
        None => Ok(Err(TransportError::Refused("its host was not asked".to_owned()))),
    }
}

/// Writes, and waits until it is durable.
fn write(journal: &mut Sqlite, entries: Vec<Entry>) -> Result<(), JournalError> {
    let (wake, woken) = channel();
    // Nobody waits any more: then nobody needs to be woken.
    journal.wake_with(Arc::new(move || wake.send(()).unwrap_or(())));
    journal.send(Order::Write { ticket: 1, entries });
    loop {
        woken.recv().map_err(|_| JournalError::Ended)?;
        while let Some(note) = journal.take() {
            match note {
                Note::Durable { .. } => return Ok(()),
                Note::Failed { why, .. } => return Err(why),
                Note::Letters(_) | Note::Bell => {}
            }
        }
    }
}
