//! What an entry does to the file. The statements are prepared once, for the life of the helper thread.

use super::connection::Trouble;
use super::lock::Watch;
use super::read;
use crate::ProcessId;
use crate::journal::{Desired, EffectEnd, EffectRow, Entry, JournalError, Letter, ProcessRow, Stage};
use rusqlite::{Connection, Statement, params};

const BORN: &str = "INSERT INTO processes \
    (id, kind, version, stage, state, desired, seq, parent, key, born, changed, outcome) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const NEXT_ID: &str = "UPDATE meta SET next_id = max(next_id, ?1)";
// Design note: `stage NOT IN (…)` would build its list anew for each row, and take more than twice as long. One that has
// finished or failed has an outcome, so one word is left to compare.
const STEP: &str = "UPDATE processes SET seq = ?2, stage = ?3, desired = ?4, changed = ?5 \
    WHERE id = ?1 AND outcome IS NULL AND stage <> 'killed'";
const STEP_TO: &str = "UPDATE processes SET seq = ?2, stage = ?3, desired = ?4, changed = ?5, version = ?6, state = ?7 \
    WHERE id = ?1 AND outcome IS NULL AND stage <> 'killed'";
/// The transition that most are: on to the next state of a process that runs and shall run.
const STEP_ON: &str = "UPDATE processes SET seq = ?2, stage = 'running', desired = 'run', changed = ?3, version = ?4, \
    state = ?5 WHERE id = ?1 AND outcome IS NULL AND stage <> 'killed'";
const END: &str = "UPDATE processes SET seq = ?2, stage = ?3, changed = ?4, outcome = ?5 \
    WHERE id = ?1 AND outcome IS NULL AND stage <> 'killed'";
const MADE: &str = "INSERT INTO effects (process, kind, host, name, attempt, made) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT DO UPDATE SET attempt = excluded.attempt, made = excluded.made, ended = NULL, \"end\" = NULL \
    WHERE \"end\" IS NOT NULL";
const ENDED: &str = "UPDATE effects SET ended = ?5, \"end\" = ?6 \
    WHERE process = ?1 AND kind = ?2 AND host = ?3 AND name = ?4 AND \"end\" IS NULL";

pub(super) struct Apply<'a> {
    file: &'a Connection,
    trouble: Trouble<'a>,
    /// What must hold for a transaction; nothing if there is no lock yet.
    watch: Option<&'a Watch>,
    begin: Statement<'a>,
    commit: Statement<'a>,
    born: Statement<'a>,
    next_id: Statement<'a>,
    step: Statement<'a>,
    step_to: Statement<'a>,
    step_on: Statement<'a>,
    end: Statement<'a>,
    made: Statement<'a>,
    ended: Statement<'a>,
    taken: Statement<'a>,
}

impl<'a> Apply<'a> {
    pub(super) fn new(file: &'a Connection, trouble: Trouble<'a>) -> Result<Apply<'a>, JournalError> {
        let prepare = |sql| file.prepare(sql).map_err(|e| trouble.because(e));
        Ok(Apply {
            file,
            trouble,
            watch: None,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            born: prepare(BORN)?,
            next_id: prepare(NEXT_ID)?,
            step: prepare(STEP)?,
            step_to: prepare(STEP_TO)?,
            step_on: prepare(STEP_ON)?,
            end: prepare(END)?,
            made: prepare(MADE)?,
            ended: prepare(ENDED)?,
            taken: prepare("DELETE FROM letters WHERE number = ?1")?,
        })
    }

    /// The same, writing only as long as the lock holds.
    pub(super) fn under(self, watch: &'a Watch) -> Apply<'a> {
        Apply { watch: Some(watch), ..self }
    }

    /// Makes all of them durable, in one transaction, or none.
    pub(super) fn commit<'e>(
        &mut self,
        orders: impl Iterator<Item = &'e [Entry]>,
    ) -> Result<(), JournalError> {
        let written = self.transact(orders);
        // After some errors SQLite has rolled back by itself.
        if written.is_err() && !self.file.is_autocommit() {
            // If this fails too, the next BEGIN does.
            let _ = self.file.execute_batch("ROLLBACK");
        }
        written
    }

    pub(super) fn letters(&self) -> Result<Vec<Letter>, JournalError> {
        read::letters(self.file).map_err(|e| self.trouble.because(e))
    }

    fn transact<'e>(&mut self, orders: impl Iterator<Item = &'e [Entry]>) -> Result<(), JournalError> {
        let trouble = self.trouble;
        self.begin.execute([]).map_err(|e| trouble.because(e))?;
        // Within the transaction: nobody else writes between the look and the commit.
        if let Some(watch) = self.watch {
            watch.hold()?;
        }
        let mut highest_born: Option<ProcessId> = None;
        for entry in orders.flatten() {
            if let Entry::Born(row) = entry {
                highest_born = highest_born.max(Some(row.id));
            }
            let changed = self.entry(entry).map_err(|e| trouble.because(e))?;
            self.expect_change(entry, changed)?;
        }
        if let Some(id) = highest_born {
            self.next_id.execute([integer(id.next().number())]).map_err(|e| trouble.because(e))?;
        }
        self.commit.execute([]).map_err(|e| trouble.because(e))?;
        Ok(())
    }

    /// Gives the number of rows that it changed.
    fn entry(&mut self, entry: &Entry) -> rusqlite::Result<usize> {
        match entry {
            Entry::Born(row) => self.born(row),
            Entry::Step { id, seq, stage, desired, state, at } => {
                let (id, seq) = (integer(id.number()), integer(*seq));
                match (state, stage, desired) {
                    (None, _, _) => self.step.execute(params![id, seq, stage.word(), desired.word(), at.0]),
                    (Some((version, state)), Stage::Running, Desired::Run) => {
                        self.step_on.execute(params![id, seq, at.0, version, state])
                    }
                    (Some((version, state)), _, _) => {
                        let params = params![id, seq, stage.word(), desired.word(), at.0, version, state];
                        self.step_to.execute(params)
                    }
                }
            }
            Entry::End { id, seq, stage, outcome, at } => {
                self.end.execute(params![integer(id.number()), integer(*seq), stage.word(), at.0, outcome])
            }
            Entry::EffectMade { process, effect: EffectRow { kind, host, name, attempt }, at } => {
                self.made.execute(params![integer(process.number()), kind, host, name, attempt, at.0])
            }
            Entry::EffectEnded { process, effect, end, at } => {
                self.effect_ended(*process, effect, *end, at.0)
            }
            Entry::LetterTaken { number } => self.taken.execute([number]),
        }
    }

    fn born(&mut self, row: &ProcessRow) -> rusqlite::Result<usize> {
        let parent = row.parent.map(|p| integer(p.number()));
        self.born.execute(params![
            integer(row.id.number()),
            row.kind,
            row.version,
            row.stage.word(),
            row.state,
            row.desired.word(),
            integer(row.seq),
            parent,
            row.key,
            row.born.0,
            row.changed.0,
            row.outcome,
        ])
    }

    fn effect_ended(
        &mut self,
        id: ProcessId,
        row: &EffectRow,
        end: EffectEnd,
        at: i64,
    ) -> rusqlite::Result<usize> {
        let EffectRow { kind, host, name, attempt: _ } = row;
        self.ended.execute(params![integer(id.number()), kind, host, name, at, end.word()])
    }

    fn expect_change(&self, entry: &Entry, changed: usize) -> Result<(), JournalError> {
        match entry {
            Entry::Step { id, .. } | Entry::End { id, .. } if changed == 0 => {
                Err(self.trouble.refused(format!("process {id} has ended, or is not there")))
            }
            Entry::Born(_) | Entry::Step { .. } | Entry::End { .. } => Ok(()),
            // These are no change where they do not apply.
            Entry::EffectMade { .. } | Entry::EffectEnded { .. } | Entry::LetterTaken { .. } => Ok(()),
        }
    }
}

/// Integers in SQLite have a sign. Ids and counts begin at 0 or 1 and count up by one, so they never get there; one that
/// did would be refused as negative when it is read.
fn integer(number: u64) -> i64 {
    number as i64
}
