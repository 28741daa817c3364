//! A simulated host: a machine, and the connection to it, which loses, delays and doubles.
//!
//! To the production code it is a [`Transport`] like any other. Whoever owns the world drives it:
//! [`next_event`](SimHost::next_event) says when something happens next, [`run`](SimHost::run) lets happen what is due.
//! It outlives the runtime that uses it: when that dies, [`caller_died`](SimHost::caller_died) drops the replies that
//! nobody waits for any more, and what was begun goes on.

mod bundle;
mod direct;
mod files;
mod gate;
mod job;
mod link;
mod machine;
mod plain;
mod reply;
mod sshd;
#[cfg(test)]
mod tests;

pub use gate::GateOwner;
pub use machine::HOME;

use super::boundary::{Boundaries, Strike};
use super::clock::Clock;
use super::disk::LocalDisk;
use super::faults::{Dice, Faults};
use super::fs::Fs;
use super::trace::Trace;
use super::witness::{Nobody, Witness};
use gate::{Gate, Opening};
use link::Link;
use procession::Runtime;
use procession::pool::{Budget, Rules};
use procession::transport::Transport;
use sshd::Sshd;
use stakker::Fwd;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What all parts of one world share.
#[derive(Clone)]
pub struct Shared {
    /// The time.
    pub clock: Clock,
    /// The story.
    pub trace: Trace,
    /// The boundaries between effects.
    pub boundaries: Boundaries,
    /// Who sees what happens on the hosts.
    pub witness: Rc<dyn Witness>,
    /// This machine's own disk, where files are sent from and fetched to.
    pub disk: Rc<dyn LocalDisk>,
}

impl Shared {
    /// The beginning of a world with this disk, of which this trace tells, and which nobody watches.
    pub fn new(trace: Trace, disk: Rc<dyn LocalDisk>) -> Shared {
        let (clock, boundaries) = (Clock::new(), Boundaries::default());
        Shared { clock, trace, boundaries, witness: Rc::new(Nobody), disk }
    }
}

/// A host; a clone is the same one.
#[derive(Clone)]
pub struct SimHost {
    name: Rc<str>,
    link: Rc<RefCell<Link>>,
    /// What stands in front of it, if it is reached through ssh.
    sshd: Option<(Rc<RefCell<Sshd>>, Rules)>,
}

impl SimHost {
    /// A host that has just been started, with an empty disk.
    pub fn new(name: &str, shared: &Shared, faults: Faults, dice: Dice) -> SimHost {
        SimHost::with_disk(name, shared, Rc::default(), faults, dice)
    }

    /// A host that has just been started, with this disk.
    pub fn with_disk(
        name: &str,
        shared: &Shared,
        fs: Rc<RefCell<Fs>>,
        faults: Faults,
        dice: Dice,
    ) -> SimHost {
        let link = Link::new(name, shared.clone(), fs, faults, dice);
        SimHost { name: name.into(), link: Rc::new(RefCell::new(link)), sshd: None }
    }

    /// The same host behind an ssh server, whose users have promised to keep these rules.
    pub fn behind_ssh(self, shared: &Shared, faults: &Faults, dice: Dice, rules: Rules) -> SimHost {
        let sshd = Sshd::new(&self.name, shared, faults, dice, rules.clone());
        SimHost { sshd: Some((Rc::new(RefCell::new(sshd)), rules)), ..self }
    }

    /// The way to it for this runtime: through a pool of sessions if it is behind ssh. The owner is to be dropped before the
    /// runtime.
    pub fn reach(&self, runtime: &mut Runtime, budget: Box<dyn Budget>) -> (Transport, Option<GateOwner>) {
        let Some((sshd, rules)) = &self.sshd else { return (self.transport(), None) };
        let opening = Opening { name: self.name.clone(), sshd: sshd.clone(), link: self.link.clone() };
        let handle = runtime.handle();
        let (transport, owner) = Gate::start(runtime.stakker(), opening, rules.clone(), handle, budget);
        (transport, Some(owner))
    }

    /// When somebody wanted a session; nothing if it is not behind ssh.
    pub fn knocks(&self) -> Vec<Duration> {
        self.sshd.as_ref().map(|(sshd, _)| sshd.borrow().knocks().to_vec()).unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The way to it.
    pub fn transport(&self) -> Transport {
        let link = self.link.clone();
        Transport::new(&self.name, Fwd::new(move |op| Link::begin(&link, op)))
    }

    /// When something happens here next.
    pub fn next_event(&self) -> Option<Duration> {
        let sshd = self.sshd.as_ref().and_then(|(sshd, _)| sshd.borrow().next_event());
        [self.link.borrow().next_event(), sshd].into_iter().flatten().min()
    }

    /// Lets one thing happen that is due by now, and delivers what comes of it; whether there was something. A strike
    /// that is for the runtime is for the caller to carry out.
    pub fn run(&self) -> Option<Option<Strike>> {
        if self.run_sshd() {
            return Some(None);
        }
        let (strike, deliveries) = {
            let mut link = self.link.borrow_mut();
            let strike = link.run_one()?;
            (strike, link.take_deliveries())
        };
        self.weather();
        // Nothing is borrowed here: a reply may begin the next operation at once.
        for delivery in deliveries {
            delivery.deliver();
        }
        Some(strike)
    }

    /// The server hears whether the machine can be reached.
    fn weather(&self) {
        if let Some((sshd, _)) = &self.sshd {
            sshd.borrow_mut().set_reachable(self.link.borrow().is_reachable());
        }
    }

    fn run_sshd(&self) -> bool {
        let Some((sshd, _)) = &self.sshd else { return false };
        let ran = sshd.borrow_mut().run_one();
        let deliveries = sshd.borrow_mut().take_deliveries();
        // Nor here: what breaks answers who waits.
        for deliver in deliveries {
            deliver();
        }
        ran
    }

    /// The runtime that used it is gone: nobody waits for a reply any more. What has been sent still arrives.
    pub fn caller_died(&self) {
        let orphans = self.link.borrow_mut().abandon();
        drop(orphans);
        if let Some((sshd, _)) = &self.sshd {
            let orphans = sshd.borrow_mut().caller_died();
            drop(orphans);
        }
    }

    /// The disk of the machine, to prepare it or to look at it.
    pub fn fs(&self) -> Rc<RefCell<Fs>> {
        self.link.borrow().machine.fs.clone()
    }

    /// What `ps` shows: the number, the group and the arguments of each process.
    pub fn ps(&self) -> Vec<(u32, u32, String)> {
        let link = self.link.borrow();
        link.machine.processes().map(|(pid, process)| (pid, process.group, process.args.clone())).collect()
    }

    /// Starts the machine anew now.
    pub fn reboot(&self) {
        self.link.borrow_mut().reboot();
    }

    /// From now on it cannot be reached, for so long.
    pub fn cut_off(&self, lasts: Duration) {
        self.link.borrow_mut().cut_off(lasts);
        self.weather();
    }

    /// Sets the calendar of the machine this far off.
    pub fn set_skew(&self, skew_ms: i64) {
        self.link.borrow_mut().machine.skew_ms = skew_ms;
    }

    /// Whether nothing is under way to it or from it, and nothing runs there.
    pub fn is_quiet(&self) -> bool {
        self.link.borrow().is_quiet()
    }

    /// How many requests wait for their reply.
    pub fn waiting(&self) -> usize {
        self.link.borrow().waiting()
    }
}
