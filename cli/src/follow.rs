//! The journal as a story: what has changed since the last look. It only reads, so it tells the same whoever runs the
//! processes.

use crate::exit::Trouble;
use crate::store::Store;
use crate::view::View;
use procession::ProcessId;
use procession::journal::{Filter, ProcessRow, Reader, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// The stages of what has not ended.
pub(crate) const LIVE: [Stage; 4] = [Stage::Created, Stage::Running, Stage::Paused, Stage::Killing];

/// More than these are read with one scan of all that live; fewer by their ids.
const MANY: usize = 100;

/// Whom to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Whom {
    /// Those that were handed over under these keys.
    Keys(Vec<String>),
    /// Those.
    Ids(Vec<ProcessId>),
    /// All that live at the first look, or come later.
    All,
}

/// Follows processes through the journal.
pub(crate) struct Follow {
    reader: Reader,
    whom: Whom,
    /// Keys whose process is not there yet.
    missing: Vec<String>,
    seen: BTreeMap<ProcessId, View>,
    looked: bool,
}

impl Follow {
    /// Begins to follow; the first look tells of everybody.
    pub(crate) fn begin(store: &Store, whom: Whom) -> Result<Follow, Trouble> {
        let reader = Reader::open(store.journal())?;
        let missing = match &whom {
            Whom::Keys(keys) => keys.clone(),
            Whom::Ids(_) | Whom::All => Vec::new(),
        };
        Ok(Follow { reader, whom, missing, seen: BTreeMap::new(), looked: false })
    }

    /// Those that are new or have changed since the last look, in the order of their ids.
    pub(crate) fn look(&mut self) -> Result<Vec<View>, Trouble> {
        // Asked first: what is written while we read is seen with the next look.
        if !self.reader.changed()? && self.looked {
            return Ok(Vec::new());
        }
        let mut rows = self.new_ones()?;
        rows.extend(self.known_ones()?);
        self.looked = true;
        rows.retain(|row| self.seen.get(&row.id).is_none_or(|view| view.row != *row));
        let mut changes: Vec<View> = rows.into_iter().map(View::of).collect();
        changes.sort_by_key(|view| view.id);
        changes.dedup_by_key(|view| view.id);
        self.seen.extend(changes.iter().map(|view| (view.id, view.clone())));
        Ok(changes)
    }

    /// All that were seen, as they were last.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &View> {
        self.seen.values()
    }

    /// How many are awaited in all, and how many of them have ended.
    pub(crate) fn count(&self) -> (usize, usize) {
        let over = self.seen.values().filter(|view| view.is_over()).count();
        (self.seen.len() + self.missing.len(), over)
    }

    /// Whether all of them are there and have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.looked && self.missing.is_empty() && self.seen.values().all(View::is_over)
    }

    /// Whether all of them are in the journal.
    pub(crate) fn are_there(&self) -> bool {
        self.looked && self.missing.is_empty()
    }

    /// For other questions to the same journal.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Those that had not ended when we looked last, as they are now.
    fn known_ones(&self) -> Result<Vec<ProcessRow>, Trouble> {
        let mut live: BTreeSet<ProcessId> =
            self.seen.values().filter(|view| !view.is_over()).map(|view| view.id).collect();
        let mut rows = Vec::new();
        if live.len() > MANY {
            for row in
                self.reader.processes(&Filter { stages: LIVE.to_vec(), kind: None })?.into_iter().flatten()
            {
                if live.remove(&row.id) {
                    rows.push(row);
                }
            }
        }
        for id in live {
            rows.extend(self.reader.process(id)?.transpose()?);
        }
        Ok(rows)
    }

    fn new_ones(&mut self) -> Result<Vec<ProcessRow>, Trouble> {
        let mut rows = Vec::new();
        match &self.whom {
            Whom::Keys(_) => {
                let mut missing = Vec::new();
                for key in std::mem::take(&mut self.missing) {
                    match self.reader.by_key(&key)?.transpose()? {
                        Some(row) => rows.push(row),
                        None => missing.push(key),
                    }
                }
                self.missing = missing;
            }
            Whom::Ids(ids) if !self.looked => {
                for id in ids {
                    rows.extend(self.reader.process(*id)?.transpose()?);
                }
            }
            Whom::Ids(_) => {}
            Whom::All => {
                let live = self.reader.processes(&Filter { stages: LIVE.to_vec(), kind: None })?;
                // Broken rows are told about by `ps`, and by the runtime that cannot bring them back.
                rows.extend(live.into_iter().flatten().filter(|row| !self.seen.contains_key(&row.id)));
            }
        }
        Ok(rows)
    }
}
