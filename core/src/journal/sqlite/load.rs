//! What a runtime reads when it takes the journal into possession.

use super::connection::{Trouble, columns};
use super::read;
use crate::ProcessId;
use crate::journal::{BrokenRow, Column, EffectRow, JournalError, KnownKey, LedgerRow, Loaded, ProcessRow};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// A stage that is null or nonsense is not known to have ended.
const LIVE: &str = "SELECT id, kind, version, stage, state, desired, seq, parent, key, born, changed, outcome \
    FROM processes AS child WHERE coalesce(stage, '') NOT IN ('finished', 'killed', 'failed') \
    OR (parent IS NOT NULL AND EXISTS (SELECT 1 FROM processes AS parent WHERE parent.id = child.parent \
    AND coalesce(parent.stage, '') NOT IN ('finished', 'killed', 'failed'))) ORDER BY id";
const OPEN_EFFECTS: &str = "SELECT process, kind, host, name, attempt, made, ended, \"end\" \
    FROM effects WHERE \"end\" IS NULL";
const ENDED_KEYS: &str = "SELECT id, key FROM processes WHERE parent IS NULL AND typeof(key) = 'text' \
    AND stage IN ('finished', 'killed', 'failed')";

type Row = Result<ProcessRow, BrokenRow>;

pub(super) fn load(file: &Connection, trouble: Trouble<'_>) -> Result<Loaded, JournalError> {
    let because = |e| trouble.because(e);
    let damage: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(because)?;
    if damage != "ok" {
        return Err(trouble.damaged(damage));
    }
    let uid = read::uid(file, trouble)?;
    let next_id = next_id(file, trouble)?;
    let (mut rows, mut keys) = live(file).map_err(because)?;
    let effects = open_effects(file, &mut rows, &mut keys).map_err(because)?;
    keys.extend(ended_keys(file).map_err(because)?);
    Ok(Loaded { uid, next_id, rows, keys, effects })
}

/// Above all that `meta` has seen, and above what somebody may have put there by hand.
fn next_id(file: &Connection, trouble: Trouble<'_>) -> Result<ProcessId, JournalError> {
    let sql = "SELECT next_id, (SELECT coalesce(max(id), 0) FROM processes) FROM meta";
    let numbers = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (next, highest) = file.query_row(sql, [], numbers).map_err(|e| trouble.because(e))?;
    let id = highest.checked_add(1).map(|after| after.max(next)).filter(|id| *id < i64::MAX);
    let id = id.and_then(|id| ProcessId::new(u64::try_from(id).ok()?));
    id.ok_or_else(|| trouble.damaged(format!("no id can follow {highest} and {next}")))
}

/// The rows, and the keys of those that are broken.
fn live(file: &Connection) -> rusqlite::Result<(Vec<Row>, Vec<KnownKey>)> {
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    let mut statement = file.prepare(LIVE)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let columns = columns(row)?;
        let parsed = ProcessRow::from_columns(&columns);
        if parsed.is_err() {
            keys.extend(key_of_broken(&columns));
        }
        rows.push(parsed);
    }
    Ok((rows, keys))
}

fn key_of_broken(columns: &[Column<'_>; 12]) -> Option<KnownKey> {
    let [id, .., parent, key, _, _, _] = *columns;
    let (Column::Integer(process), Column::Text(key)) = (id, key) else { return None };
    let key = str::from_utf8(key).ok()?.to_owned();
    let parent = match parent {
        Column::Integer(number) => ProcessId::new(u64::try_from(number).ok()?),
        Column::Null | Column::Real(_) | Column::Text(_) | Column::Blob(_) => None,
    };
    Some(KnownKey { parent, key, process })
}

/// The open effects of these processes. A process with an effect that cannot be read must not go on as if it had none,
/// so its row becomes a broken one.
fn open_effects(
    file: &Connection,
    rows: &mut [Row],
    keys: &mut Vec<KnownKey>,
) -> rusqlite::Result<Vec<(ProcessId, EffectRow)>> {
    let ids = rows.iter().enumerate().filter_map(|(at, row)| Some((row.as_ref().ok()?.id, at)));
    let places: BTreeMap<ProcessId, usize> = ids.collect();
    let mut effects = Vec::new();
    let mut statement = file.prepare(OPEN_EFFECTS)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        match LedgerRow::from_columns(&columns(row)?) {
            Ok(row) if places.contains_key(&row.process) => effects.push((row.process, row.effect)),
            Ok(_) => {}
            Err(broken) => {
                let id = u64::try_from(broken.id).ok().and_then(ProcessId::new);
                let Some(place) = id.and_then(|id| places.get(&id)) else { continue };
                let process = broken.id;
                if let Ok(ProcessRow { parent, key: Some(key), .. }) =
                    std::mem::replace(&mut rows[*place], Err(broken))
                {
                    keys.push(KnownKey { parent, key, process });
                }
            }
        }
    }
    Ok(effects)
}

fn ended_keys(file: &Connection) -> rusqlite::Result<Vec<KnownKey>> {
    let mut statement = file.prepare(ENDED_KEYS)?;
    let mut found = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = found.next()? {
        if let [Column::Integer(process), Column::Text(key)] = columns(row)? {
            let key = String::from_utf8_lossy(key).into_owned();
            keys.push(KnownKey { parent: None, key, process });
        }
    }
    Ok(keys)
}
