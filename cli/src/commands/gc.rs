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
use crate::reach::Reach;
use crate::screen;
use crate::{kinds, sweep};
use procession::journal::{EffectEnd, EffectRow, Filter, ProcessRow, Reader};
use procession::transport::{Op, RemotePath, TransportError};
use procession::{JournalUid, ProcessId};
use procession_batch::JobName;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Removes what nobody needs any more, or says what that is.
pub(crate) fn gc(desk: &Desk, args: &Gc) -> Result<Exit, Trouble> {
    let hosts = desk.hosts()?;
    let mut far = Far::default();
    let mut found = match desk.store.look()? {
        Some(reader) => find(desk, &hosts, &reader, &mut far)?,
        None => Vec::new(),
    };
    if !args.dry_run && !found.is_empty() {
        sweep::sweep(&desk.store, &mut found, &mut far.hosts)?;
    }
    let leftovers: Vec<Leftover> = found.into_iter().map(|trace| trace.leftover).collect();
    let is_left = leftovers.iter().any(|l| l.what == "left") || far.is_silent;
    let exit = if is_left { Exit::Failed } else { Exit::Well };
    if desk.global.json {
        json::print(&json::Gc { dry_run: args.dry_run, found: leftovers });
    } else if leftovers.is_empty() {
        screen::err(if far.is_silent { "nothing is left over elsewhere" } else { "nothing is left over" });
    } else {
        let row = |l: &Leftover| {
            vec![l.what.into(), l.host.clone(), l.name.clone(), l.process.to_string(), l.why.clone()]
        };
        let rows: Vec<Vec<String>> = leftovers.iter().map(row).collect();
        screen::out(&screen::table(&["", "HOST", "FOLDER", "PROCESS", "WHY"], &rows));
    }
    Ok(exit)
}

/// Something that is left, and where that is.
pub(crate) struct Trace {
    pub(crate) leftover: Leftover,
    /// On this machine; none if it is on another host, in the work folder.
    pub(crate) path: Option<PathBuf>,
    /// Its row in the ledger, if it has one.
    pub(crate) effect: Option<EffectRow>,
}

/// The hosts that are not this machine, as far as processes of this journal were there.
#[derive(Default)]
struct Far {
    hosts: BTreeMap<String, Reach>,
    /// Whether one of them does not answer.
    is_silent: bool,
}

impl Far {
    /// The names in the work folder of a host; none if it does not answer, which is said.
    fn folders(&mut self, desk: &Desk, hosts: &Hosts, name: &str) -> Result<Option<Vec<String>>, Trouble> {
        let mut reach = Reach::to(&desk.store, hosts, name)?;
        let there = match reach.ask(|ret| Op::List(RemotePath::here(), ret))? {
            Ok(there) => there.into_iter().map(|stat| stat.name).collect(),
            Err(TransportError::NotFound(_)) => Vec::new(),
            Err(why) => {
                screen::err(&format!("procession: {why}; `procession host check {name}` says what to do"));
                self.is_silent = true;
                return Ok(None);
            }
        };
        self.hosts.insert(name.to_owned(), reach);
        Ok(Some(there))
    }
}

fn find(desk: &Desk, hosts: &Hosts, reader: &Reader, far: &mut Far) -> Result<Vec<Trace>, Trouble> {
    let uid = reader.uid()?;
    let rows = reader.processes(&Filter::new())?;
    let visited = |row: &ProcessRow| kinds::sketch(row).host;
    let visited: BTreeSet<String> = rows.iter().flatten().filter_map(visited).collect();
    // A row that cannot be read may belong to a process that lives: what is its stays.
    let over: BTreeMap<ProcessId, bool> =
        rows.into_iter().flatten().map(|row| (row.id, row.stage.is_end())).collect();
    let mut found: BTreeMap<(String, String), Trace> = BTreeMap::new();
    for (name, host) in hosts.iter() {
        let (work, there) = match host.transport {
            TransportKind::Local => {
                let work = kinds::work(host, &desk.store);
                let there = folders(&work);
                (Some(work), there)
            }
            TransportKind::Ssh if visited.contains(name) => match far.folders(desk, hosts, name)? {
                Some(there) => (None, there),
                None => continue,
            },
            TransportKind::Ssh => continue,
        };
        for folder in there {
            if let Some(process) = ended(&folder, uid, &over) {
                let why = "a folder of a process that has ended".to_owned();
                let leftover = leftover(process, name, &folder, why);
                let path = work.as_ref().map(|work| work.join(&folder));
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
                let path = work.as_ref().map(|work| work.join(&row.effect.name));
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
