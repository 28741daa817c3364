//! One watcher for each host: it looks at the files of all its running jobs that have monitors, with one command.
//!
//! It decides nothing: whoever watches hears what was seen. A look that fails is about the host; the next one comes as if it
//! had not been.

use super::{Look, Monitor, Row, Sight, look};
use crate::dialect::{AnswerError, Dialect};
use crate::poller::ANSWER_WITHIN;
use crate::{JobName, Place};
use procession::transport::{Exec, Exit, Op, Transport, TransportError};
use stakker::{CX, FixedTimerKey, Ret, after, ret_to};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// So many files are looked at in one command: with long paths and patterns, less than the 128 KiB that old systems allow for
/// the arguments of a command.
pub const ROWS: usize = 100;
/// So many bytes of an answer are kept: a line for each file.
const KEEP: usize = 1 << 20;
/// Never more often than this, however fast the scheduler is.
const LEAST: Duration = Duration::from_secs(1);

/// Somebody wants to know what appears in the files of a running job.
pub struct Watch {
    /// The attempt.
    pub place: Place,
    /// What to look for, each with its number among the job's monitors.
    pub monitors: Vec<(usize, Monitor)>,
    /// Who wants to know. Told once, as soon as there is something.
    pub ret: Ret<Vec<Look>>,
    /// Nobody wants to know any more when this is gone.
    pub alive: Weak<()>,
}

/// The actor that looks at the files of running jobs.
pub struct Watcher {
    transport: Transport,
    dialect: Rc<dyn Dialect>,
    watches: BTreeMap<JobName, Watch>,
    /// How much of each file was looked at. Forgotten with a restart, which only costs a longer look.
    seen: BTreeMap<(JobName, usize), u64>,
    /// Rows of the look under way that no command has carried yet.
    left: VecDeque<Row>,
    timer: Option<FixedTimerKey>,
    is_looking: bool,
}

impl Watcher {
    /// A watcher for one host. It looks as often as the dialect is asked when nothing happens.
    pub fn init(_: CX![], transport: Transport, dialect: Rc<dyn Dialect>) -> Option<Watcher> {
        Some(Watcher {
            transport,
            dialect,
            watches: BTreeMap::new(),
            seen: BTreeMap::new(),
            left: VecDeque::new(),
            timer: None,
            is_looking: false,
        })
    }

    /// Tells what appears in the files of a job.
    pub fn watch(&mut self, cx: CX![], watch: Watch) {
        self.watches.insert(watch.place.name, watch);
        self.arm(cx);
    }

    fn arm(&mut self, cx: CX![]) {
        if self.timer.is_none() && !self.is_looking && !self.watches.is_empty() {
            let every = self.dialect.pace(self.watches.len()).slowest.max(LEAST);
            self.timer = Some(after!(every, [cx], on_due()));
        }
    }

    fn on_due(&mut self, cx: CX![]) {
        self.timer = None;
        self.watches.retain(|_, watch| watch.alive.strong_count() > 0);
        self.seen.retain(|(name, _), _| self.watches.contains_key(name));
        let mut left = VecDeque::new();
        for (name, watch) in &self.watches {
            for (number, monitor) in &watch.monitors {
                let seen = self.seen.get(&(*name, *number)).copied().unwrap_or(0);
                let (place, monitor) = (watch.place.clone(), monitor.clone());
                left.push_back(Row { place, number: *number, monitor, seen });
            }
        }
        self.left = left;
        self.look_next(cx);
    }

    fn look_next(&mut self, cx: CX![]) {
        let rows: Vec<Row> = self.left.drain(..self.left.len().min(ROWS)).collect();
        self.is_looking = !rows.is_empty();
        if rows.is_empty() {
            return self.arm(cx);
        }
        let call = look(&rows);
        let read = call.read;
        let ret = ret_to!([cx], on_looks(read) as (Result<Exit, TransportError>));
        let exec = Exec { timeout: Some(ANSWER_WITHIN), keep: KEEP, brief: true, ..Exec::new(call.argv) };
        self.transport.op(Op::Exec(exec, ret));
    }

    fn on_looks(
        &mut self,
        cx: CX![],
        read: fn(&Exit) -> Result<Vec<Look>, AnswerError>,
        exit: Option<Result<Exit, TransportError>>,
    ) {
        let host = self.transport.name();
        let looks = match exit {
            Some(Ok(exit)) => read(&exit).map_err(|e| e.to_string()),
            Some(Err(why)) => Err(why.to_string()),
            None => Err("its transport ended".to_string()),
        };
        match looks {
            Ok(looks) => self.tell(looks),
            Err(why) => {
                log::warn!("{host}: the files of running jobs cannot be looked at for now: {why}");
                self.left.clear();
            }
        }
        self.look_next(cx);
    }

    fn tell(&mut self, looks: Vec<Look>) {
        let mut told: BTreeMap<JobName, Vec<Look>> = BTreeMap::new();
        for look in looks {
            self.seen.insert((look.name, look.monitor), look.seen);
            if look.sight != Sight::Nothing {
                told.entry(look.name).or_default().push(look);
            }
        }
        for (name, looks) in told {
            if let Some(watch) = self.watches.remove(&name) {
                watch.ret.ret(looks);
            }
        }
    }
}
