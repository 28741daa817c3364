//! What a memory journal holds, and what an entry does to it. An order is checked whole before anything of it is applied.

use crate::ProcessId;
use crate::journal::{EffectEnd, EffectRow, Entry, KnownKey, Letter, ProcessRow, Stage};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which effect: whose, what kind, where, and its name.
type EffectKey = (ProcessId, Cow<'static, str>, String, String);

#[derive(Default)]
pub(super) struct Records {
    rows: BTreeMap<ProcessId, ProcessRow>,
    keys: BTreeMap<(Option<ProcessId>, String), ProcessId>,
    effects: BTreeMap<EffectKey, (u32, Option<EffectEnd>)>,
    letters: BTreeMap<i64, Letter>,
    /// The highest id that was ever given out; zero before the first.
    highest_id: u64,
}

impl Records {
    /// Applies all of them, or none; the error says which one does not fit.
    pub(super) fn apply(&mut self, entries: Vec<Entry>) -> Result<(), String> {
        self.check(&entries)?;
        for entry in entries {
            self.apply_one(entry);
        }
        Ok(())
    }

    /// Whether each entry fits what is there, and what the entries before it will have made of it.
    fn check(&self, entries: &[Entry]) -> Result<(), String> {
        let mut stages: BTreeMap<ProcessId, Stage> = BTreeMap::new();
        let mut keys: BTreeMap<(Option<ProcessId>, &str), ProcessId> = BTreeMap::new();
        for entry in entries {
            match entry {
                Entry::Born(row) => {
                    if self.rows.contains_key(&row.id) || stages.insert(row.id, row.stage).is_some() {
                        return Err(format!("process {} is there already", row.id));
                    }
                    if let Some(key) = &row.key {
                        let there = self.keys.get(&(row.parent, key.clone())).copied();
                        if let Some(other) = there.or(keys.insert((row.parent, key), row.id)) {
                            return Err(format!(
                                "the key {key:?} of process {} belongs to process {other}",
                                row.id
                            ));
                        }
                    }
                }
                Entry::Step { id, stage, .. } | Entry::End { id, stage, .. } => {
                    let now = stages.get(id).copied().or_else(|| self.rows.get(id).map(|r| r.stage));
                    match now {
                        None => return Err(format!("process {id} is not there")),
                        Some(ended) if ended.is_end() => return Err(format!("process {id} has ended")),
                        Some(_) => stages.insert(*id, *stage),
                    };
                }
                // These are no change where they do not apply.
                Entry::EffectMade { .. } | Entry::EffectEnded { .. } | Entry::LetterTaken { .. } => {}
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, entry: Entry) {
        match entry {
            Entry::Born(row) => {
                self.highest_id = self.highest_id.max(row.id.number());
                if let Some(key) = &row.key {
                    self.keys.insert((row.parent, key.clone()), row.id);
                }
                self.rows.insert(row.id, *row);
            }
            Entry::Step { id, seq, stage, desired, state, at } => {
                let row = self.rows.get_mut(&id).expect("check found it");
                (row.seq, row.stage, row.desired, row.changed) = (seq, stage, desired, at);
                if let Some((version, state)) = state {
                    (row.version, row.state) = (version, state);
                }
            }
            Entry::End { id, seq, stage, outcome, at } => {
                let row = self.rows.get_mut(&id).expect("check found it");
                (row.seq, row.stage, row.outcome, row.changed) = (seq, stage, outcome, at);
            }
            Entry::EffectMade { process, effect, at: _ } => {
                let EffectRow { kind, host, name, attempt } = effect;
                let there = self.effects.entry((process, kind, host, name)).or_insert((attempt, None));
                if there.1.is_some() {
                    *there = (attempt, None);
                }
            }
            Entry::EffectEnded { process, effect, end, at: _ } => {
                let EffectRow { kind, host, name, attempt: _ } = effect;
                if let Some((_, open @ None)) = self.effects.get_mut(&(process, kind, host, name)) {
                    *open = Some(end);
                }
            }
            Entry::LetterTaken { number } => {
                self.letters.remove(&number);
            }
        }
    }

    pub(super) fn put_letter(&mut self, letter: Letter) {
        self.letters.insert(letter.number, letter);
    }

    pub(super) fn letters(&self) -> Vec<Letter> {
        self.letters.values().cloned().collect()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &ProcessRow> {
        self.rows.values()
    }

    pub(super) fn effects(&self) -> impl Iterator<Item = (ProcessId, EffectRow, Option<EffectEnd>)> {
        self.effects.iter().map(|((process, kind, host, name), (attempt, end))| {
            let (kind, host, name, attempt) = (kind.clone(), host.clone(), name.clone(), *attempt);
            (*process, EffectRow { kind, host, name, attempt }, *end)
        })
    }

    /// Whether a runtime that starts needs this one: it has not ended, or its parent may still ask for it.
    pub(super) fn is_live(&self, row: &ProcessRow) -> bool {
        let parent = row.parent.and_then(|id| self.rows.get(&id));
        !row.stage.is_end() || parent.is_some_and(|p| !p.stage.is_end())
    }

    /// The keys that are taken by top-level processes which have ended.
    pub(super) fn ended_keys(&self) -> Vec<KnownKey> {
        let ended = self.rows.values().filter(|r| r.parent.is_none() && r.stage.is_end());
        let known = |r: &ProcessRow| Some((r.key.clone()?, r.id.number() as i64));
        ended.filter_map(known).map(|(key, process)| KnownKey { parent: None, key, process }).collect()
    }

    pub(super) fn next_id(&self) -> ProcessId {
        ProcessId::new(self.highest_id).map_or(ProcessId::FIRST, ProcessId::next)
    }
}
