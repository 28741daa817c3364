//! The process of a batch job. It is thin: it carries out the verb of the state that it is in, gives the answer to the
//! machine, and goes where the machine says. Nothing about jobs is decided here.

use crate::machine::{Ledger, Next, Thing, next};
use crate::planted;
use crate::verbs::sure;
use crate::{Answer, Backoff, Hosts, Input, Job, JobName, Outcome, Place};
use procession::journal::EffectRow;
use procession::transport::{Op, TransportError};
use procession::{Life, Process, Runtime, Step};
use stakker::CX;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

/// Follows one job from its job file to its results. Its state is a [`Job`], its output an [`Outcome`].
///
/// It needs a runtime with a journal, because the journal gives the job its name.
pub struct SchedulerProcess {
    pub(crate) life: Life<Self>,
    pub(crate) hosts: Rc<Hosts>,
    /// How long to wait in the state that is entered next. After a restart it is not known, and nothing is lost by that.
    wait: Duration,
    /// How often in a row the host did not answer.
    failures: u32,
    /// The host is away: the wait begins when it is up again.
    until_up: bool,
}

impl SchedulerProcess {
    /// Teaches a runtime to run jobs on these hosts. Before `recover`.
    pub fn register(runtime: &mut Runtime, hosts: Hosts) {
        let hosts = Rc::new(hosts);
        runtime.register(move |life| {
            let hosts = hosts.clone();
            SchedulerProcess { life, hosts, wait: Duration::ZERO, failures: 0, until_up: false }
        });
    }
}

impl Process for SchedulerProcess {
    const KIND: &'static str = "batch-job";
    type State = Job;
    type Output = Outcome;

    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }

    fn advance(&mut self, cx: CX![], job: Job, step: Step<Self>) {
        self.enter(cx, job, step);
    }

    fn clean(&mut self, cx: CX![], job: Job, step: Step<Self>) {
        let next = next(job.at.clone(), Input::Kill, &job.plan.rules());
        if next.state == job.at { self.enter(cx, job, step) } else { self.follow(cx, job, next, step) }
    }
}

impl SchedulerProcess {
    fn enter(&mut self, cx: CX![], job: Job, step: Step<Self>) {
        if std::mem::take(&mut self.until_up) {
            return self.await_host(cx, job, step);
        }
        let wait = std::mem::take(&mut self.wait);
        if wait.is_zero() {
            return self.act(cx, job, step);
        }
        let ret = step.reply(move |this, cx, step, ()| this.act(cx, job, step));
        self.life.after(cx, wait, ret);
    }

    /// While the host is down this costs nothing: no timer and no command. A pause or a kill leaves the state all the same.
    fn await_host(&mut self, cx: CX![], job: Job, step: Step<Self>) {
        let Some(host) = self.hosts.host(&job.plan.host) else { return self.enter(cx, job, step) };
        let transport = host.transport.clone();
        // A transport that cannot say when it is up has told all it knows: then the wait is all there is.
        let ret = step.reply(move |this, cx, step, _: Result<(), TransportError>| this.enter(cx, job, step));
        transport.op(Op::WhenUp(sure(&transport, ret)));
    }

    /// Goes where the machine says.
    fn follow(&mut self, cx: CX![], job: Job, next: Next, step: Step<Self>) {
        for note in next.ledger {
            self.note(&job, note);
        }
        self.wait = next.wait;
        if next.state == job.at {
            self.enter(cx, job, step);
        } else {
            step.to(Job { at: next.state, ..job });
        }
    }

    /// The host has answered.
    pub(crate) fn heard(&mut self, cx: CX![], job: Job, step: Step<Self>, answer: Answer) {
        self.failures = 0;
        let next = next(job.at.clone(), Input::Answer(answer), &job.plan.rules());
        self.follow(cx, job, next, step);
    }

    /// The host has not answered, or nothing that makes sense.
    pub(crate) fn away(&mut self, cx: CX![], job: Job, step: Step<Self>, why: impl Display) {
        self.failures = self.failures.saturating_add(1);
        let jitter = self.life.runtime().random().to_le_bytes()[0];
        let backoff = Backoff { failures: self.failures, jitter };
        log::warn!(
            "job {:?} on {}: {why}; again when it is up, after {:?}",
            job.plan.spec.name,
            job.plan.host,
            backoff.delay()
        );
        let next = next(job.at.clone(), Input::HostAway(backoff), &job.plan.rules());
        self.until_up = true;
        self.follow(cx, job, next, step);
    }

    /// Writes into the ledger, together with the transition that follows.
    fn note(&mut self, job: &Job, note: Ledger) {
        let (thing, attempt) = match note {
            Ledger::Open(thing, attempt) | Ledger::Close(thing, attempt, _) => (thing, attempt),
        };
        let Some(place) = self.place_of(job, attempt) else { return };
        let (kind, name) = match thing {
            Thing::Folder => ("directory", place.sandbox()),
            Thing::Job => ("job", place.name.to_string()),
        };
        let row = EffectRow { kind: kind.into(), host: job.plan.host.clone(), name, attempt };
        match note {
            Ledger::Open(_, _) if planted::is(planted::Planted::LedgerLate) => {}
            Ledger::Close(_, _, end) if planted::is(planted::Planted::LedgerLate) => {
                self.life.owe(row.clone());
                self.life.settle(row, end);
            }
            Ledger::Open(_, _) => self.life.owe(row),
            Ledger::Close(_, _, end) => self.life.settle(row, end),
        }
    }

    /// Where an attempt lives; nowhere without a journal.
    pub(crate) fn place_of(&self, job: &Job, attempt: u32) -> Option<Place> {
        let journal = self.life.runtime().journal_uid();
        let name = JobName { journal, process: self.life.id()?, attempt };
        Some(Place { root: job.plan.root.clone(), name })
    }
}
