//! `gc`: what is on the hosts and belongs to processes that have ended.
//!
//! What is left is found in the ledger (it was to stay for a look, or could not be removed) and in the work folders of
//! the hosts (a folder with the name of a process that has ended). Nothing else is ever touched: a folder is ours if its
//! name is, to the letter, that of an attempt of this journal.

use super::Desk;
use crate::args::Gc;
use crate::exit::{Exit, Trouble};
use crate::hosts::{Hosts, TransportKind};
use crate::json::{self, Leftover};
use crate::screen;
use crate::{kinds, sweep};
use procession::journal::{EffectEnd, EffectRow, Filter, Reader};
use procession::{JournalUid, ProcessId};
use procession_batch::JobName;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Removes what nobody needs any more, or says what that is.
pub(crate) fn gc(desk: &Desk, args: &Gc) -> Result<Exit, Trouble> {
    let hosts = desk.hosts()?;
    let mut found = match desk.store.look()? {
        Some(reader) => find(desk, &hosts, &reader)?,
        None => Vec::new(),
    };
    if !args.dry_run && !found.is_empty() {
        sweep::sweep(&desk.store, &mut found)?;
    }
    let leftovers: Vec<Leftover> = found.into_iter().map(|trace| trace.leftover).collect();
    let exit = if leftovers.iter().any(|l| l.what == "left") { Exit::Failed } else { Exit::Well };
    if desk.global.json {
        json::print(&json::Gc { dry_run: args.dry_run, found: leftovers });
    } else if leftovers.is_empty() {
        screen::err("nothing is left over");
    } else {
        let row = |l: &Leftover| {
            vec![l.what.into(), l.host.clone(), l.name.clone(), l.process.to_string(), l.why.clone()]
        };
        let rows: Vec<Vec<String>> = leftovers.iter().map(row).collect();
        screen::out(&screen::table(&["", "HOST", "FOLDER", "PROCESS", "WHY"], &rows));
    }
    Ok(exit)
}

/// Something that is left, and where that is on this machine.
pub(crate) struct Trace {
    pub(crate) leftover: Leftover,
    pub(crate) path: PathBuf,
    /// Its row in the ledger, if it has one.
    pub(crate) effect: Option<EffectRow>,
}

fn find(desk: &Desk, hosts: &Hosts, reader: &Reader) -> Result<Vec<Trace>, Trouble> {
    let uid = reader.uid()?;
    let rows = reader.processes(&Filter::new())?;
    // A row that cannot be read may belong to a process that lives: what is its stays.
    let over: BTreeMap<ProcessId, bool> =
        rows.into_iter().flatten().map(|row| (row.id, row.stage.is_end())).collect();
    let mut found: BTreeMap<(String, String), Trace> = BTreeMap::new();
    for (name, host) in hosts.iter() {
        let work = kinds::work(host, &desk.store);
        let there = match host.transport {
            TransportKind::Local => folders(&work),
            TransportKind::Ssh => Vec::new(),
        };
        for folder in there {
            if let Some(process) = ended(&folder, uid, &over) {
                let why = "a folder of a process that has ended".to_owned();
                let leftover = leftover(process, name, &folder, why);
                let path = work.join(&folder);
                found.insert((name.to_owned(), folder), Trace { leftover, path, effect: None });
            }
        }
        for process in over.iter().filter(|(_, over)| **over).map(|(process, _)| *process) {
            for row in reader.effects(process)?.into_iter().flatten() {
                let is_out = row.end.is_none_or(|(end, _)| end == EffectEnd::Kept);
                if row.effect.kind != "directory" || row.effect.host != name || !is_out {
                    continue;
                }
                if ended(&row.effect.name, uid, &over).is_none() {
                    continue;
                }
                let why = if row.end.is_some() { "it was kept for a look" } else { "it was not removed" };
                let leftover = leftover(process, name, &row.effect.name, why.to_owned());
                let path = work.join(&row.effect.name);
                let key = (name.to_owned(), row.effect.name.clone());
                found.insert(key, Trace { leftover, path, effect: Some(row.effect) });
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The names in a folder; none if it is not there.
fn folders(work: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(work).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The process of this journal that has ended and has such a folder.
fn ended(folder: &str, uid: JournalUid, over: &BTreeMap<ProcessId, bool>) -> Option<ProcessId> {
    let name = JobName::parse(folder).filter(|name| name.journal == uid)?;
    over.get(&name.process).copied().unwrap_or(false).then_some(name.process)
}

fn leftover(process: ProcessId, host: &str, name: &str, why: String) -> Leftover {
    let (kind, host, name) = ("directory".to_owned(), host.to_owned(), name.to_owned());
    Leftover { process, kind, host, name, what: "would-remove", why }
}
