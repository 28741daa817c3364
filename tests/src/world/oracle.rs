//! The properties of a world: what must hold whatever goes wrong.
//!
//! The oracle knows nothing of how the production code works. It hears what becomes durable in the journal, and sees what
//! happens on the hosts, each at the moment it does, and compares the two. The first thing that must not be is kept, with
//! the time; the world stops at it.

use super::clock::Clock;
use super::host::SimHost;
use super::trace::Trace;
use super::witness::Witness;
use procession::ProcessId;
use procession::journal::{Desired, EffectEnd, Entry, MemoryStore, Stage};
use procession_batch::{End, JobName, Outcome, Unrun, Verdict};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Watches a world; a clone is the same oracle.
#[derive(Clone)]
pub struct Oracle {
    seen: Rc<RefCell<Seen>>,
    store: MemoryStore,
    clock: Clock,
    trace: Trace,
}

#[derive(Default)]
struct Seen {
    /// The stage of each process, as it is durable.
    stages: BTreeMap<ProcessId, Stage>,
    /// Effects that have a row in the ledger and no end: whose, what kind, where, which.
    open: BTreeSet<(ProcessId, String, String, String)>,
    /// Those of them that ended by being left to the owner. What is late may still write into a folder that was kept.
    kept: BTreeSet<(ProcessId, String, String, String)>,
    /// Attempts that have passed their fence.
    started: BTreeSet<String>,
    /// The exit codes of the attempts that have left evidence.
    exits: BTreeMap<String, i32>,
    /// Processes that were killed, and whose hosts have not been looked at yet.
    killed: Vec<ProcessId>,
    outcomes: BTreeMap<ProcessId, String>,
    /// Processes whose job was over in the journal.
    over: BTreeSet<ProcessId>,
    /// Processes whose owner wished for their end before that.
    doomed: BTreeSet<ProcessId>,
    wrong: Option<String>,
    most_at_once: u32,
}

impl Oracle {
    /// An oracle that watches this store. On each host at most so many jobs may run at once; any number if 0.
    pub fn new(store: &MemoryStore, clock: &Clock, trace: &Trace, most_at_once: u32) -> Oracle {
        let seen = Rc::new(RefCell::new(Seen { most_at_once, ..Seen::default() }));
        let oracle = Oracle { seen, store: store.clone(), clock: clock.clone(), trace: trace.clone() };
        let (seen, clock, trace) = (oracle.seen.clone(), clock.clone(), trace.clone());
        store.watch(move |entry| {
            trace.line(clock.now(), "journal", format_args!("{}", line(entry)));
            seen.borrow_mut().on_entry(entry);
        });
        oracle
    }

    /// What must not be, if it was.
    pub fn wrong(&self) -> Option<String> {
        self.seen.borrow().wrong.clone()
    }

    /// Says that something must not be.
    pub fn object(&self, what: String) {
        self.seen.borrow_mut().object(what);
    }

    /// The durable stage of a process.
    pub fn stage(&self, id: ProcessId) -> Option<Stage> {
        self.seen.borrow().stages.get(&id).copied()
    }

    /// How many processes are in this stage.
    pub fn count(&self, stage: Stage) -> usize {
        self.seen.borrow().stages.values().filter(|s| **s == stage).count()
    }

    /// How many processes have ended.
    pub fn ended(&self) -> usize {
        self.seen.borrow().stages.values().filter(|stage| stage.is_end()).count()
    }

    /// What each process came to, in JSON; nothing for those that were killed.
    pub fn outcomes(&self) -> BTreeMap<ProcessId, String> {
        self.seen.borrow().outcomes.clone()
    }

    /// Looks at the hosts of those that were killed just now: nothing of them may be left.
    pub fn check_killed(&self, hosts: &[SimHost]) {
        let killed = std::mem::take(&mut self.seen.borrow_mut().killed);
        for id in killed {
            self.check_nothing_left(id, hosts);
        }
    }

    /// Looks at everything, when all is over.
    pub fn check_end(&self, hosts: &[SimHost]) {
        let (open, killed): (Vec<_>, Vec<ProcessId>) = {
            let seen = self.seen.borrow();
            let killed = seen.stages.iter().filter(|(_, stage)| **stage == Stage::Killed).map(|(id, _)| *id);
            (seen.open.iter().cloned().collect(), killed.collect())
        };
        for row in open {
            self.object(format!("the ledger has no end for {row:?}"));
        }
        for id in killed {
            self.check_nothing_left(id, hosts);
        }
        for host in hosts {
            for (pid, _, args) in host.ps() {
                self.object(format!("[{pid}] {args} still runs on {}", host.name()));
            }
        }
    }

    /// A frame that has left its evidence is over: it has only to end itself.
    fn check_nothing_left(&self, id: ProcessId, hosts: &[SimHost]) {
        let proven = |name: &JobName| self.seen.borrow().exits.contains_key(&name.to_string());
        for host in hosts {
            for (pid, _, args) in host.ps() {
                let of_job = args
                    .split(' ')
                    .filter_map(JobName::parse)
                    .any(|name| name.process == id && !proven(&name));
                if of_job && (args.starts_with("sh .job-") || args.starts_with("sh .payload-")) {
                    self.object(format!(
                        "process {id} was killed, but [{pid}] {args} runs on {}",
                        host.name()
                    ));
                }
            }
            let files = host.fs().borrow().walk("").unwrap_or_default();
            let left =
                files.into_iter().find(|(path, _)| job_of(path).is_some_and(|name| name.process == id));
            if let Some((path, _)) = left {
                self.object(format!("process {id} was killed, but /{path} is on {}", host.name()));
            }
        }
    }
}

impl Witness for Oracle {
    fn on_made(&self, host: &str, path: &str) {
        let Some(name) = job_of(path) else { return };
        let seen = self.seen.borrow();
        let recorded = seen.open.iter().chain(&seen.kept).any(|(id, kind, at, row)| {
            *id == name.process && kind == "directory" && at == host && job_of(row) == Some(name)
        });
        drop(seen);
        if !recorded {
            self.object(format!("{path} was made on {host} without a row in the ledger"));
        }
    }

    fn has_power(&self) -> bool {
        !self.store.crashed()
    }

    fn on_started(&self, host: &str, job: &str) {
        self.trace.line(self.clock.now(), host, format_args!("{job} has started"));
        let mut seen = self.seen.borrow_mut();
        if !seen.started.insert(job.to_owned()) {
            seen.object(format!("{job} has started twice"));
        }
        let Some(name) = JobName::parse(job) else { return };
        if seen.stages.get(&name.process).is_none_or(|stage| stage.is_end()) {
            seen.object(format!("{job} has started, but its process has ended"));
        }
        let row = (name.process, "job".to_owned(), host.to_owned(), job.to_owned());
        if !seen.open.contains(&row) {
            seen.object(format!("{job} has started on {host} without a row in the ledger"));
        }
    }

    fn on_payload(&self, host: &str, job: &str, running: usize) {
        let mut seen = self.seen.borrow_mut();
        let most = seen.most_at_once;
        if most > 0 && running > most as usize {
            seen.object(format!("{job} makes {running} jobs at once on {host}, and the limit is {most}"));
        }
    }

    fn on_exit(&self, _host: &str, job: &str, code: i32) {
        self.seen.borrow_mut().exits.insert(job.to_owned(), code);
    }

    fn on_broken(&self, host: &str, what: String) {
        self.object(format!("{host}: {what}"));
    }
}

impl Seen {
    fn object(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn on_entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Born(row) => self.enter(row.id, row.stage),
            Entry::Step { id, stage, desired, state, .. } => {
                self.enter(*id, *stage);
                if state.as_ref().is_some_and(|(_, json)| json.contains(r#""at":{"state":"ended""#)) {
                    self.over.insert(*id);
                }
                if *desired == Desired::Kill && !self.over.contains(id) {
                    self.doomed.insert(*id);
                }
            }
            Entry::End { id, stage, outcome, .. } => {
                self.enter(*id, *stage);
                self.on_end(*id, *stage, outcome.as_deref());
            }
            Entry::EffectMade { process, effect, .. } => {
                let (kind, host, name) = (effect.kind.to_string(), effect.host.clone(), effect.name.clone());
                self.open.insert((*process, kind, host, name));
            }
            Entry::EffectEnded { process, effect, end, .. } => {
                let (kind, host, name) = (effect.kind.to_string(), effect.host.clone(), effect.name.clone());
                let row = (*process, kind, host, name);
                self.open.remove(&row);
                if *end == EffectEnd::Kept {
                    self.kept.insert(row);
                }
            }
            Entry::LetterTaken { .. } => {}
        }
    }

    fn enter(&mut self, id: ProcessId, stage: Stage) {
        if let Some(before) = self.stages.insert(id, stage).filter(|before| before.is_end()) {
            self.object(format!("process {id} had ended as {}, and is {} now", before.word(), stage.word()));
        }
    }

    fn on_end(&mut self, id: ProcessId, stage: Stage, outcome: Option<&str>) {
        match (stage, outcome) {
            (Stage::Killed, _) => self.killed.push(id),
            (Stage::Finished, _) if self.doomed.contains(&id) => {
                self.object(format!("process {id} was to be killed, and finished"));
            }
            (Stage::Finished, Some(json)) => {
                self.outcomes.insert(id, json.to_owned());
                match serde_json::from_str::<Outcome>(json) {
                    Ok(outcome) => self.check_outcome(id, &outcome),
                    Err(why) => self.object(format!("process {id} has an output that cannot be read: {why}")),
                }
            }
            // No fault of the world is a fault of the process: a job that is lost is an outcome too.
            (stage, outcome) => {
                self.object(format!("process {id} is {}: {}", stage.word(), outcome.unwrap_or("no reason")));
            }
        }
    }

    /// Finished needs evidence, and what never ran has not started.
    fn check_outcome(&mut self, id: ProcessId, outcome: &Outcome) {
        let of = |names: &mut dyn Iterator<Item = &String>| {
            names
                .filter_map(|name| JobName::parse(name))
                .any(|n| n.process == id && n.attempt == outcome.attempt)
        };
        let (started, proven) = (of(&mut self.started.iter()), of(&mut self.exits.keys()));
        let attempt = outcome.attempt;
        match &outcome.verdict {
            Verdict::Ran(ending) | Verdict::Incomplete { ending, .. } => match (&ending.end, proven) {
                (End::Vanished, _) | (_, true) => {}
                (end, false) => {
                    self.object(format!("process {id} says of attempt {attempt} {end:?}, without evidence"));
                }
            },
            Verdict::Unrun(Unrun::Unstaged(_) | Unrun::Refused(_) | Unrun::Lost(_)) if started => {
                self.object(format!(
                    "process {id} says that attempt {attempt} never ran, but it has started"
                ));
            }
            Verdict::Unrun(_) => {}
        }
    }
}

/// The job whose sandbox a path of a host lies in; none also for one that is about to be removed.
fn job_of(path: &str) -> Option<JobName> {
    path.split('/').find_map(JobName::parse)
}

/// An entry of the journal, for the story.
fn line(entry: &Entry) -> String {
    match entry {
        Entry::Born(row) => format!("{} is born", row.id),
        Entry::Step { id, stage, desired, state, .. } => {
            let at =
                state.as_ref().and_then(|(_, json)| json.rsplit_once("\"at\":")).map_or("", |(_, at)| at);
            format!("{id} {} wants {} {at}", stage.word(), desired.word())
        }
        Entry::End { id, stage, outcome, .. } => {
            format!("{id} {} {}", stage.word(), outcome.as_deref().unwrap_or(""))
        }
        Entry::EffectMade { process, effect, .. } => {
            format!("{process} owes {} {}", effect.kind, effect.name)
        }
        Entry::EffectEnded { process, effect, end, .. } => {
            format!("{process} settles {} {}: {}", effect.kind, effect.name, end.word())
        }
        Entry::LetterTaken { number } => format!("letter {number} is taken"),
    }
}
