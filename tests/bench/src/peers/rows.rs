//! The journal without us: plain rusqlite loops over the same table, with the same durability (WAL, `synchronous=FULL`).

use rusqlite::{Connection, params};
use std::path::Path;

/// What is written for a transition: a state as short as that of the measured processes.
const STATE: &str = r#"{"Tock":{"n":12345}}"#;

/// A file with a row for each of `live` processes.
pub struct Rows {
    connection: Connection,
    live: u64,
}

impl Rows {
    pub fn create(file: &Path, live: u64) -> rusqlite::Result<Rows> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // The table of the journal, with its indices.
        connection.execute_batch(
            "create table processes (id integer primary key, kind text not null, version integer not null,
                stage text not null, state text not null, desired text not null, seq integer not null, parent integer,
                key text, born integer not null, changed integer not null, outcome text);
            create unique index process_keys on processes (coalesce(parent, 0), key) where key is not null;
            create index process_children on processes (parent) where parent is not null;",
        )?;
        let mut rows = Rows { connection, live };
        let insert =
            "insert into processes values (?1, 'tick', 1, 'running', ?2, 'run', 0, null, null, 0, 0, null)";
        let transaction = rows.connection.transaction()?;
        {
            let mut insert = transaction.prepare(insert)?;
            for id in 1..=live {
                insert.execute(params![id as i64, STATE])?;
            }
        }
        transaction.commit()?;
        Ok(rows)
    }

    /// `n` transitions, each in a transaction of its own: what is durable without group commit.
    pub fn one_by_one(&mut self, n: u64) -> rusqlite::Result<()> {
        let mut update = self.connection.prepare_cached(UPDATE)?;
        for at in 0..n {
            update.execute(transition(at, self.live))?;
        }
        Ok(())
    }

    /// `n` transitions, all in one transaction: the most that one thread can give to SQLite.
    pub fn batched(&mut self, n: u64) -> rusqlite::Result<()> {
        let live = self.live;
        let transaction = self.connection.transaction()?;
        {
            let mut update = transaction.prepare_cached(UPDATE)?;
            for at in 0..n {
                update.execute(transition(at, live))?;
            }
        }
        transaction.commit()
    }

    /// Reads every row whole, as a restart must. Answers how many there are.
    pub fn read_all(&self) -> rusqlite::Result<u64> {
        let mut all =
            self.connection.prepare("select id, kind, version, stage, state, desired, seq from processes")?;
        let mut rows = all.query([])?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            let (id, kind, version): (i64, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (stage, state, desired): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
            std::hint::black_box((id, kind, version, stage, state, desired));
            seen += 1;
        }
        Ok(seen)
    }
}

/// What a transition changes; all of it is bound, since all of it is known only then.
const UPDATE: &str = "update processes set seq = ?2, stage = ?3, desired = ?4, changed = ?5, version = ?6, state = ?7 where id = ?1";

fn transition(at: u64, live: u64) -> (i64, i64, &'static str, &'static str, i64, u32, &'static str) {
    ((at % live + 1) as i64, at as i64, "running", "run", at as i64, 1, STATE)
}
