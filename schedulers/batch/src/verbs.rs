//! How the process of a job carries out its verbs: each is an operation or two, and ends in an answer for the machine.

use crate::courier::{Manner, Order, Rank};
use crate::dialect::{Call, Cleaned, Evidence, JobId, Status, clean};
use crate::machine::Verb;
use crate::monitor::{Judgement, Look, Monitor, Watch, judge};
use crate::planted;
use crate::poller::{Away, Follow, died};
use crate::staging::{Errand, errands};
use crate::{Answer, Host, Job, Place, Proof, Remote, SchedulerProcess, State, Tidied};
use procession::transport::{self, Cancel, Op, RemotePath, TransportError};
use procession::{Fault, Step};
use stakker::{CX, Ret, call};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Where a verb is carried out.
pub(crate) struct Site {
    pub host: Host,
    pub place: Place,
}

impl SchedulerProcess {
    /// Does what the state asks for.
    pub(crate) fn act(&mut self, cx: CX![], job: Job, step: Step<Self>) {
        let Some(host) = self.hosts.host(&job.plan.host).cloned() else { return self.no_host(cx, job, step) };
        let attempt = job.at.attempt().map_or(0, |attempt| attempt.number);
        let Some(place) = self.place_of(&job, attempt) else {
            let why = "a batch job needs a runtime with a journal, which gives it its name";
            return step.fault(Fault::new("no-journal", why));
        };
        let dialect = host.dialect.clone();
        let at = Site { host, place };
        match job.at.verb(&job.plan.rules()) {
            Verb::Begin => self.heard(cx, job, step, Answer::Begun),
            Verb::Stage => match errands(&job.plan, &at.place, &*dialect) {
                Ok(errands) => self.stage(cx, job, step, at, errands),
                Err(why) => self.heard(cx, job, step, Answer::Staged(Err(why))),
            },
            Verb::Submit => {
                let call = dialect.submit(&job.plan.spec, &at.place);
                self.ask(job, step, at, call, Manner::ENTRY, Answer::Submitted);
            }
            Verb::Ask => {
                let call = dialect.ask(&at.place);
                self.ask(job, step, at, call, Manner::COMMON, Answer::Found);
            }
            Verb::Fence => {
                let call = dialect.fence(&at.place);
                self.ask(job, step, at, call, Manner::COMMON, Answer::Found);
            }
            Verb::Follow => self.listen(job, step, at),
            Verb::ReadEvidence => self.read_evidence(job, step, at),
            Verb::LookUp => self.look_up(job, step, at),
            Verb::Collect => {
                let courier = at.host.courier.clone();
                let ret = step.reply(move |this: &mut Self, cx, step, ()| this.collect(cx, job, step, at));
                call!([courier], when_calm(ret));
            }
            Verb::Cancel(force) => {
                let call = dialect.cancel(&at.place, job_of(&job.at), force);
                let manner = Manner { company: dialect.cancels(), rank: Rank::Control };
                self.ask(job, step, at, call, manner, Answer::Cancelled);
            }
            Verb::Remove => self.remove(job, step, at),
            Verb::Keep => self.heard(cx, job, step, Answer::Tidied(Tidied::Kept)),
            Verb::Stash => self.stash(cx, job, step, at),
            Verb::Finish | Verb::Die => {
                let State::Ended { outcome } = job.at else { return step.killed() };
                step.finish(outcome);
            }
        }
    }

    /// A job whose host is not configured any more is not lost: it waits until it is again.
    fn no_host(&mut self, cx: CX![], job: Job, step: Step<Self>) {
        let why = format!("this runtime has no host {:?}", job.plan.host);
        match job.at {
            State::Planned => step.fault(Fault::new("no-host", why)),
            State::Ended { outcome } => step.finish(outcome),
            State::Killed => step.killed(),
            State::Staging { .. }
            | State::Submitting { .. }
            | State::Reconciling { .. }
            | State::Queued { .. }
            | State::Running { .. }
            | State::Seeking { .. }
            | State::Collecting { .. }
            | State::Cancelling { .. }
            | State::Cleaning { .. } => self.away(cx, job, step, why),
        }
    }

    /// Runs a command of the dialect, perhaps together with those of other jobs. It has no guard: to break off a submission halfway is what makes it uncertain, and
    /// all of them end by themselves soon.
    fn ask<T: 'static>(
        &mut self,
        job: Job,
        step: Step<Self>,
        at: Site,
        call: Call<T>,
        manner: Manner,
        then: fn(T) -> Answer,
    ) {
        let Call { argv, read } = call;
        let ret = step.reply(move |this, cx, step, exit: Result<transport::Exit, TransportError>| match exit
            .map_err(Away::from)
            .and_then(|exit| Ok(read(&exit)?))
        {
            Ok(told) => this.heard(cx, job, step, then(told)),
            Err(away) => this.away(cx, job, step, away),
        });
        let ret = sure(&at.host.transport, ret);
        call!([at.host.courier], carry(Order { argv, manner, ret }));
    }

    fn stage(&mut self, cx: CX![], job: Job, step: Step<Self>, at: Site, mut left: VecDeque<Errand>) {
        let Some(errand) = left.pop_front() else {
            return self.heard(cx, job, step, Answer::Staged(Ok(())));
        };
        let (guard, cancel) = Cancel::pair();
        self.life.hold(guard);
        let transport = at.host.transport.clone();
        let ret = step.reply(move |this, cx, step, done| match done {
            Ok(()) => this.stage(cx, job, step, at, left),
            Err(why) if blames_host(&why) => this.away(cx, job, step, why),
            Err(why) => this.heard(cx, job, step, Answer::Staged(Err(why))),
        });
        transport.op(errand.op(cancel, sure(&transport, ret)));
    }

    fn listen(&mut self, job: Job, step: Step<Self>, at: Site) {
        let known = if let State::Queued { reason, .. } = &job.at {
            Status::Pending(reason.clone())
        } else {
            Status::Running
        };
        let guard = Rc::new(());
        let alive = Rc::downgrade(&guard);
        // A monitor has warned already: that is for this attempt no news.
        let attempt = at.place.name.attempt;
        let is_told = |number| job.warnings.iter().any(|w| (w.attempt, w.monitor) == (attempt, number));
        let monitors =
            job.plan.spec.monitors.iter().cloned().enumerate().filter(|(number, _)| !is_told(*number));
        let monitors: Vec<(usize, Monitor)> =
            if matches!(job.at, State::Running { .. }) { monitors.collect() } else { Vec::new() };
        let ret = step.reply(move |this: &mut Self, cx, step, news| match news {
            News::Status(status) => this.heard(cx, job, step, Answer::Status(status)),
            News::Looks(looks) => this.on_looks(cx, job, step, attempt, looks),
        });
        let (status, looks) = whichever_is_first(ret);
        if !monitors.is_empty() {
            let watch = Watch { place: at.place.clone(), monitors, ret: looks, alive: alive.clone() };
            call!([at.host.watcher], watch(watch));
        }
        call!([at.host.poller], follow(Follow { place: at.place, known, ret: status, alive }));
        self.life.hold(guard);
    }

    /// Something appeared in the files of the job.
    fn on_looks(&mut self, cx: CX![], mut job: Job, step: Step<Self>, attempt: u32, looks: Vec<Look>) {
        match judge(&job.plan.spec, attempt, &job.warnings, &looks) {
            Judgement::Stop(alarm) => self.heard(cx, job, step, Answer::Alarm(alarm)),
            Judgement::Warn(alarms) if alarms.is_empty() => self.act(cx, job, step),
            Judgement::Warn(alarms) => {
                alarms.iter().for_each(|alarm| log::warn!("job {:?}: {alarm}", job.plan.spec.name));
                job.warnings.extend(alarms);
                step.to(job);
            }
        }
    }

    fn read_evidence(&mut self, job: Job, step: Step<Self>, at: Site) {
        let ret = step.reply(move |this, cx, step, left: Result<Evidence, Away>| match left {
            Ok(left) => {
                let proof = Proof::of(&left, job.plan.spec.array.as_ref().map(|array| array.range));
                this.heard(cx, job, step, Answer::Evidence(proof));
            }
            Err(away) => this.away(cx, job, step, away),
        });
        call!([at.host.poller], read(at.place, ret));
    }

    fn look_up(&mut self, job: Job, step: Step<Self>, at: Site) {
        let ret = step.reply(move |this, cx, step, word: Result<Status, Away>| match word {
            Ok(status) => this.heard(cx, job, step, Answer::Status(status)),
            Err(away) => this.away(cx, job, step, away),
        });
        call!([at.host.poller], look_up(at.place, ret));
    }

    /// Removes the sandbox, also from where it was moved to before the owner wished for its end.
    fn remove(&mut self, job: Job, step: Step<Self>, at: Site) {
        let call = clean(&at.place);
        let Some((_, _, stashed)) = stash_paths(&job, &at.place) else {
            return self.ask(job, step, at, call, Manner::COMMON, |cleaned| Answer::Tidied(tidied(cleaned)));
        };
        let transport = at.host.transport.clone();
        let ret = step.reply(move |this: &mut Self, cx, step, gone: Result<bool, _>| match gone {
            Ok(_) => this.ask(job, step, at, call, Manner::COMMON, |cleaned| Answer::Tidied(tidied(cleaned))),
            Err(why) if blames_host(&why) => this.away(cx, job, step, why),
            Err(_) => this.heard(cx, job, step, Answer::Tidied(Tidied::Stuck)),
        });
        let ret = sure(&transport, ret);
        transport.op(Op::Remove { path: stashed, tree: true, ret });
    }

    /// Moves the sandbox below the folder that the owner named.
    fn stash(&mut self, cx: CX![], job: Job, step: Step<Self>, at: Site) {
        let Some((folder, from, to)) = stash_paths(&job, &at.place) else {
            return self.heard(cx, job, step, Answer::Tidied(Tidied::Stuck));
        };
        let transport = at.host.transport.clone();
        let ret = step.reply(move |this, cx, step, made| match made {
            Ok(()) => {
                let transport = at.host.transport;
                let ret =
                    step.reply(|this: &mut Self, cx, step, moved| this.on_stashed(cx, job, step, moved));
                let ret = sure(&transport, ret);
                transport.op(Op::Rename { from, to, ret });
            }
            Err(why) => this.on_stashed(cx, job, step, Err(why)),
        });
        let ret = sure(&transport, ret);
        transport.op(Op::Mkdir { path: folder, parents: true, ret });
    }

    fn on_stashed(&mut self, cx: CX![], job: Job, step: Step<Self>, moved: Result<(), TransportError>) {
        match moved {
            // What is not there any more was moved before a crash.
            Ok(()) | Err(TransportError::NotFound(_)) => {
                self.heard(cx, job, step, Answer::Tidied(Tidied::Kept));
            }
            Err(why) if blames_host(&why) => self.away(cx, job, step, why),
            Err(why) => {
                log::warn!("job {:?} cannot be stashed: {why}", job.plan.spec.name);
                self.heard(cx, job, step, Answer::Tidied(Tidied::Stuck));
            }
        }
    }
}

/// What a job that is followed can hear.
enum News {
    Status(Status),
    Looks(Vec<Look>),
}

/// Two ways to the same answer. What comes second is about a state that was left.
fn whichever_is_first(ret: Ret<News>) -> (Ret<Status>, Ret<Vec<Look>>) {
    let first = Rc::new(Cell::new(Some(ret)));
    (way(first.clone(), News::Status), way(first, News::Looks))
}

/// A way that is closed says nothing; the last one takes the answer with it, which is then known to be lost.
fn way<T: 'static>(first: Rc<Cell<Option<Ret<News>>>>, news: fn(T) -> News) -> Ret<T> {
    Ret::new(move |answer: Option<T>| {
        if let Some(answer) = answer
            && let Some(ret) = first.take()
        {
            ret.ret(news(answer));
        }
    })
}

fn stash_paths(job: &Job, place: &Place) -> Option<(RemotePath, RemotePath, RemotePath)> {
    let Remote::Stash(folder) = &job.plan.spec.remote else { return None };
    let folder: RemotePath = folder.parse().ok()?;
    let to = folder.child(&place.name.to_string()).ok()?;
    Some((folder, place.sandbox().parse().ok()?, to))
}

fn job_of(state: &State) -> Option<&JobId> {
    if let State::Cancelling { job, .. } = state { job.as_ref() } else { None }
}

fn tidied(cleaned: Cleaned) -> Tidied {
    match cleaned {
        Cleaned::Gone => Tidied::Removed,
        Cleaned::Left | Cleaned::Refused => Tidied::Stuck,
    }
}

/// Whether the fault lies with the host or the way to it, so that trying again is all that can be done.
pub(crate) fn blames_host(why: &TransportError) -> bool {
    matches!(
        why,
        TransportError::Unreachable { .. }
            | TransportError::AuthFailed { .. }
            | TransportError::HostKeyChanged { .. }
            | TransportError::HostKeyUnknown { .. }
            | TransportError::TimedOut(_)
            | TransportError::Cancelled
            | TransportError::Corrupt(_)
            | TransportError::Protocol(_)
    )
}

/// The same answer, but a transport that dies with the operation in flight is a host that is away.
pub(crate) fn sure<T: 'static>(
    transport: &transport::Transport,
    ret: Ret<Result<T, TransportError>>,
) -> transport::Answer<T> {
    let host = transport.name().to_string();
    Ret::new(move |answer: Option<Result<T, TransportError>>| {
        if answer.is_none() && planted::is(planted::Planted::ReplySwallowed) {
            return std::mem::forget(ret);
        }
        ret.ret(answer.unwrap_or_else(|| Err(died(&host))));
    })
}
