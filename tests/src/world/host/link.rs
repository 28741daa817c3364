//! The connection to a simulated machine: requests, their fates, and the weather.

use super::Shared;
use super::bundle::Bundle;
use super::direct;
use super::files::{Sent, Small, Wanted, at};
use super::machine::{HOME, Happened, Machine, Pid, Program, RequestId, Signal, Spawn, Value};
use super::plain::{CommandLine, Plain};
use super::reply::{Delivery, Outputs, Reply};
use crate::world::boundary::Strike;
use crate::world::faults::{Dice, Faults, PerMille};
use crate::world::fs::Fs;
use procession::transport::{Answer, CancelToken, Chunk, Exec, Get, Op, Put, TransportError};
use stakker::Ret;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// The connection and the machine behind it.
pub struct Link {
    /// The machine.
    pub machine: Machine,
    shared: Shared,
    requests: BTreeMap<RequestId, Request>,
    queue: BTreeMap<(Duration, u64), Event>,
    /// Counts requests and events.
    count: u64,
    reachable: bool,
    /// Who waits until it can be reached.
    hopeful: Vec<Answer<()>>,
    deliveries: Vec<Delivery>,
}

struct Request {
    reply: Reply,
    fate: Fate,
    kind: RequestKind,
    /// Counts up when the answer that is under way is lost.
    answer: u32,
    /// While it lives, dropping the guard on the other side reaches us.
    _cancel: Option<Rc<CancelToken>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    /// One message: once it is sent it needs nobody.
    Message,
    /// Many messages: it ends when either side does.
    Transfer,
}

/// What becomes of the answer, and how long after the request has been carried out.
#[derive(Clone, Copy)]
enum Fate {
    Answered(Duration),
    Dropped(Duration),
    Unreachable(Duration),
}

enum Event {
    Arrives(RequestId, Job),
    Doubled(CommandJob),
    Answer { request: RequestId, answer: u32, result: Result<Value, TransportError> },
    Drop(RequestId),
    TimesOut(RequestId),
    HangsUp(RequestId),
    OutageBegins,
    OutageEnds,
    Reboots,
}

/// What a request starts on the machine.
enum Job {
    Command(CommandJob),
    Files(&'static str, Box<dyn Program>),
    /// It fails before anything is sent.
    Impossible(TransportError),
}

#[derive(Clone)]
struct CommandJob {
    argv: Vec<String>,
    cwd: Option<String>,
    env: BTreeMap<String, String>,
    stdin: Vec<u8>,
    timeout: Option<Duration>,
}

impl Link {
    /// A connection in good weather.
    pub fn new(name: &str, shared: Shared, fs: Rc<RefCell<Fs>>, faults: Faults, dice: Dice) -> Link {
        let machine = Machine::new(name, &shared, fs, faults, dice);
        let (requests, queue, deliveries) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (count, reachable, hopeful) = (0, true, Vec::new());
        let mut link = Link { machine, shared, requests, queue, count, reachable, hopeful, deliveries };
        link.forecast_outage();
        link.forecast_reboot();
        link
    }

    /// Takes an operation, and sends it on its way. A machine whose power is gone sends nothing.
    pub fn begin(this: &Rc<RefCell<Link>>, op: Op) {
        if let Op::WhenUp(ret) = op {
            return Link::when_up(this, ret);
        }
        let (id, cancel) = {
            let mut link = this.borrow_mut();
            if !link.shared.witness.has_power() {
                return;
            }
            link.count += 1;
            let id = link.count;
            let (reply, job, kind, cancel) = link.split(op);
            let cancel = cancel.map(Rc::new);
            let fate = link.draw_fate();
            link.requests.insert(id, Request { reply, fate, kind, answer: 0, _cancel: cancel.clone() });
            link.send(id, job);
            (id, cancel)
        };
        if let Some(cancel) = cancel {
            let weak = Rc::downgrade(this);
            // It may be told at once, so nothing is borrowed here.
            cancel.on_cancel(Ret::new(move |told: Option<()>| {
                if let (Some(()), Some(link)) = (told, weak.upgrade()) {
                    link.borrow_mut().cancel(id);
                }
            }));
        }
    }

    fn when_up(this: &Rc<RefCell<Link>>, ret: Answer<()>) {
        let is_reachable = this.borrow().reachable;
        if is_reachable { ret.ret(Ok(())) } else { this.borrow_mut().hopeful.push(ret) }
    }

    /// Whether requests arrive.
    pub fn is_reachable(&self) -> bool {
        self.reachable
    }

    /// When something happens next.
    pub fn next_event(&self) -> Option<Duration> {
        let event = self.queue.keys().next().map(|(at, _)| *at);
        [event, self.machine.next_step()].into_iter().flatten().min()
    }

    /// Lets one thing happen that is due; the strike that is for the runtime, if there was one.
    pub fn run_one(&mut self) -> Option<Option<Strike>> {
        let now = self.shared.clock.now();
        let next = self.next_event().filter(|at| *at <= now)?;
        let first = self.queue.first_entry().filter(|entry| entry.key().0 == next);
        if let Some(entry) = first {
            let event = entry.remove();
            self.on_event(event);
            return Some(None);
        }
        let Some(pid) = self.machine.due() else { return Some(None) };
        let before = self.pass(pid, self.request_of(pid));
        let request = self.request_of(pid);
        self.machine.step(pid);
        let after = self.pass(pid, request);
        self.collect();
        Some(before.or(after))
    }

    /// What is to be handed to the caller, when nothing is borrowed.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Nobody waits any more. The replies are for the caller to drop, when nothing is borrowed.
    pub fn abandon(&mut self) -> Vec<Delivery> {
        let requests = std::mem::take(&mut self.requests);
        for (id, request) in &requests {
            // A command without its connection may go on or not; a transfer cannot.
            let hangs_up = match request.kind {
                RequestKind::Transfer => true,
                RequestKind::Message => self.machine.dice.chance(PerMille(500)),
            };
            if hangs_up {
                self.queue.retain(|_, event| !matches!(event, Event::Arrives(sent, _) if sent == id));
                self.machine.hang_up(*id);
            }
        }
        self.machine.happened.clear();
        let mut orphans = self.take_deliveries();
        orphans.extend(self.hopeful.drain(..).map(|ret| Delivery::Dropped(Reply::Done(ret))));
        orphans.extend(requests.into_values().map(|request| Delivery::Dropped(request.reply)));
        orphans
    }

    /// Starts the machine anew.
    pub fn reboot(&mut self) {
        self.machine.reboot();
        self.outage();
    }

    /// Whether nothing is under way here and nothing runs; the weather does not count.
    pub fn is_quiet(&self) -> bool {
        let idle = |event: &Event| match event {
            Event::OutageBegins | Event::OutageEnds | Event::Reboots => true,
            Event::TimesOut(id) | Event::HangsUp(id) => !self.requests.contains_key(id),
            Event::Arrives(..) | Event::Doubled(_) | Event::Answer { .. } | Event::Drop(_) => false,
        };
        self.requests.is_empty() && self.queue.values().all(idle) && self.machine.next_step().is_none()
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.requests.len()
    }

    fn split(&mut self, op: Op) -> (Reply, Job, RequestKind, Option<CancelToken>) {
        let small = |reply, small| (reply, Job::Files("sftp", Box::new(small)), RequestKind::Message, None);
        match op {
            Op::Exec(exec, ret) => {
                let Exec { argv, cwd, env, stdin, timeout, keep, stream, cancel, urgent: _, brief: _ } = exec;
                let cwd = cwd.map(|path| at(&path));
                if argv.is_empty() {
                    let refused = TransportError::Refused("a command without a program".to_owned());
                    let reply = Reply::Exit(ret, Outputs::new(keep, stream));
                    return (reply, Job::Impossible(refused), RequestKind::Message, cancel);
                }
                let job = Job::Command(CommandJob { argv, cwd, env, stdin, timeout });
                (Reply::Exit(ret, Outputs::new(keep, stream)), job, RequestKind::Message, cancel)
            }
            Op::Put(Put { from, to, progress, cancel }, ret) => {
                let sent = Sent::new(&*self.shared.disk, &from.to_string_lossy(), to);
                let chance = self.machine.chance_now(self.machine.faults.damaged);
                let job = match sent {
                    Ok(sent) => Job::Files("put", Box::new(sent.with_damage(chance, &mut self.machine.dice))),
                    Err(why) => Job::Impossible(why),
                };
                (Reply::Manifest(ret, progress), job, RequestKind::Transfer, cancel)
            }
            Op::Get(Get { from, want, to, progress, cancel }, ret) => {
                let reply = Reply::Fetched(ret, progress, to.to_string_lossy().into_owned());
                (reply, Job::Files("get", Box::new(Wanted { from, want })), RequestKind::Transfer, cancel)
            }
            Op::List(path, ret) => small(Reply::Stats(ret), Small::List(path)),
            Op::Stat(path, ret) => small(Reply::Stat(ret), Small::Stat(path)),
            Op::Mkdir { path, parents, ret } => small(Reply::Done(ret), Small::Mkdir { path, parents }),
            Op::Rename { from, to, ret } => small(Reply::Done(ret), Small::Rename { from, to }),
            Op::Remove { path, tree, ret } => small(Reply::Found(ret), Small::Remove { path, tree }),
            Op::Symlink { target, link, ret } => small(Reply::Done(ret), Small::Symlink { target, link }),
            Op::Chmod { path, mode, ret } => small(Reply::Done(ret), Small::Chmod { path, mode }),
            Op::Read { path, limit, ret } => small(Reply::Bytes(ret), Small::Read { path, limit }),
            Op::Write { path, bytes, mode, ret } => {
                small(Reply::Done(ret), Small::Write { path, bytes, mode })
            }
            Op::WhenUp(_) => unreachable!("it is answered before anything is sent"),
            Op::Connect { host, port, ret } => {
                let refused = TransportError::Refused(format!(
                    "{host}:{port}: the simulated host opens no connections"
                ));
                (Reply::Stream(ret), Job::Impossible(refused), RequestKind::Message, None)
            }
        }
    }

    fn draw_fate(&mut self) -> Fate {
        let machine = &mut self.machine;
        let (lost, late) = (machine.faults.reply_lost, machine.faults.reply_late);
        let (slow, quick) = (machine.faults.late.clone(), machine.faults.latency.clone());
        if machine.dice.chance(machine.chance_now(lost)) {
            let after = machine.dice.within(&slow);
            if machine.dice.chance(PerMille(500)) { Fate::Dropped(after) } else { Fate::Unreachable(after) }
        } else if machine.dice.chance(machine.chance_now(late)) {
            Fate::Answered(machine.dice.within(&slow))
        } else {
            Fate::Answered(machine.dice.within(&quick))
        }
    }

    fn send(&mut self, id: RequestId, job: Job) {
        let lost = self.machine.chance_now(self.machine.faults.request_lost);
        if let Job::Impossible(why) = job {
            self.after(Duration::ZERO, Event::Answer { request: id, answer: 0, result: Err(why) });
        } else if !self.reachable || self.machine.dice.chance(lost) {
            self.machine.line(format_args!("#{id} {} never arrives", job.words()));
            self.lose(id);
        } else {
            self.machine.line(format_args!("#{id} {}", job.words()));
            let latency = self.machine.dice.within(&self.machine.faults.latency.clone());
            if let Job::Command(command) = &job {
                let doubled = self.machine.chance_now(self.machine.faults.doubled);
                if self.machine.dice.chance(doubled) {
                    let later =
                        latency + self.machine.dice.within(&self.machine.faults.doubled_after.clone());
                    self.after(later, Event::Doubled(command.clone()));
                }
            }
            self.after(latency, Event::Arrives(id, job));
        }
    }

    /// The answer to a request is lost; after a while that is known.
    fn lose(&mut self, id: RequestId) {
        let after = self.machine.dice.within(&self.machine.faults.late.clone());
        let (request, name) = (self.requests.get_mut(&id), &self.machine.name);
        let Some(request) = request else { return };
        request.answer += 1;
        request.fate = Fate::Unreachable(after);
        let result = Err(unreachable(name));
        let answer = request.answer;
        self.after(after, Event::Answer { request: id, answer, result });
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Arrives(id, job) if self.reachable => self.start(Some(id), job),
            Event::Arrives(id, _lost) => self.lose(id),
            Event::Doubled(command) if self.reachable => {
                self.machine.line(format_args!("once more {}", Job::Command(command.clone()).words()));
                self.start(None, Job::Command(command));
            }
            Event::Doubled(_lost) => {}
            Event::Answer { request, answer, result } => self.answer(request, answer, result),
            Event::Drop(id) => {
                let dropped = self.requests.remove(&id).map(|request| Delivery::Dropped(request.reply));
                self.deliveries.extend(dropped);
            }
            Event::TimesOut(id) => {
                self.machine.hang_up(id);
                self.machine.happened.clear();
                self.finish(id, Err(TransportError::TimedOut(format!("a command on {}", self.machine.name))));
            }
            Event::HangsUp(id) => {
                self.machine.hang_up(id);
                self.collect();
            }
            Event::OutageBegins => self.outage(),
            Event::OutageEnds => {
                self.reachable = true;
                self.machine.line(format_args!("can be reached"));
                let (disk, now) = (self.shared.disk.clone(), self.shared.clock.wall());
                let up = |ret| Delivery::Answer(Reply::Done(ret), Ok(Value::Done), disk.clone(), now);
                self.deliveries.extend(self.hopeful.drain(..).map(up));
                self.forecast_outage();
            }
            Event::Reboots if self.shared.clock.now() < self.machine.faults.calm_after => {
                self.reboot();
                self.forecast_reboot();
            }
            Event::Reboots => {}
        }
    }

    fn start(&mut self, request: Option<RequestId>, job: Job) {
        let (args, cwd, program) = match job {
            Job::Command(command) => {
                if let (Some(id), Some(timeout)) = (request, command.timeout) {
                    self.after(timeout, Event::TimesOut(id));
                }
                let CommandJob { argv, cwd, env, stdin, timeout: _ } = command;
                match program(&CommandLine { argv: &argv, env: &env, stdin: &stdin }) {
                    Some(program) => (argv.join(" "), cwd.unwrap_or(HOME.to_owned()), program),
                    None => return self.refuse(request, argv.first().cloned().unwrap_or_default()),
                }
            }
            Job::Files(name, program) => (name.to_owned(), HOME.to_owned(), program),
            Job::Impossible(_) => unreachable!("what is impossible is never sent"),
        };
        let folder = self.machine.fs.borrow().folder(&cwd);
        match folder {
            Ok(cwd) => {
                self.machine.spawn(Spawn { args, cwd, group: None, request, parent: None, program });
            }
            Err(_) => self.refuse(request, cwd),
        }
    }

    fn refuse(&mut self, request: Option<RequestId>, what: String) {
        if let Some(id) = request {
            self.finish(id, Err(TransportError::NotFound(what)));
        }
    }

    /// A request has been carried out; what becomes of its answer was drawn long ago.
    fn finish(&mut self, id: RequestId, result: Result<Value, TransportError>) {
        let Some(request) = self.requests.get(&id) else { return };
        let answer = request.answer;
        match request.fate {
            Fate::Answered(after) => self.after(after, Event::Answer { request: id, answer, result }),
            Fate::Dropped(after) => self.after(after, Event::Drop(id)),
            Fate::Unreachable(after) => {
                let result = Err(unreachable(&self.machine.name));
                self.after(after, Event::Answer { request: id, answer, result });
            }
        }
    }

    fn answer(&mut self, id: RequestId, answer: u32, result: Result<Value, TransportError>) {
        if self.requests.get(&id).is_none_or(|request| request.answer != answer) {
            return;
        }
        let request = self.requests.remove(&id).expect("it has just been seen");
        match &result {
            Ok(value) => self.machine.line(format_args!("#{id} answered: {}", value.word())),
            Err(why) => self.machine.line(format_args!("#{id} answered: {why}")),
        }
        let local = self.shared.disk.clone();
        self.deliveries.push(Delivery::Answer(request.reply, result, local, self.shared.clock.wall()));
    }

    /// The guard of an operation was dropped: the answer is given at once, and the machine hears of it later, if it does.
    fn cancel(&mut self, id: RequestId) {
        let lost = self.machine.chance_now(self.machine.faults.request_lost);
        let latency = self.machine.dice.within(&self.machine.faults.latency.clone());
        // A transfer ends when this side sends no more; a command must hear of it.
        let transfer = self.requests.get(&id).is_some_and(|request| request.kind == RequestKind::Transfer);
        if transfer || (self.reachable && !self.machine.dice.chance(lost)) {
            self.after(latency, Event::HangsUp(id));
        }
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.answer += 1;
        let answer = request.answer;
        self.after(
            Duration::ZERO,
            Event::Answer { request: id, answer, result: Err(TransportError::Cancelled) },
        );
    }

    /// Passes a boundary, and carries out what is not for the runtime.
    fn pass(&mut self, pid: Pid, request: Option<RequestId>) -> Option<Strike> {
        let strike = self.shared.boundaries.pass()?;
        self.machine.line(format_args!("{strike:?} at [{pid}]"));
        match strike {
            Strike::Crash | Strike::Kill | Strike::Pause => Some(strike),
            Strike::CrashAndHangUp => {
                if let (Some(_command), Some(process)) = (request, self.machine.process(pid)) {
                    let group = process.group;
                    self.machine.signal(group, Signal::Kill);
                }
                Some(strike)
            }
            Strike::ReplyDropped => {
                if let Some(request) = request.and_then(|id| self.requests.get_mut(&id)) {
                    request.fate = Fate::Dropped(Duration::from_secs(1));
                }
                None
            }
            Strike::Unreachable => {
                self.outage();
                None
            }
            Strike::Reboot => {
                self.reboot();
                None
            }
        }
    }

    fn request_of(&self, pid: Pid) -> Option<RequestId> {
        self.machine.process(pid).and_then(|process| process.request)
    }

    /// Takes from the machine what came of its steps.
    fn collect(&mut self) {
        while let Some(happened) = self.machine.happened.pop_front() {
            match happened {
                Happened::Output { request, stream, bytes } => {
                    let Some(Request { reply: Reply::Exit(_, outputs), .. }) =
                        self.requests.get_mut(&request)
                    else {
                        continue;
                    };
                    outputs.write(stream, &bytes);
                    if let Some(to) = &outputs.stream {
                        self.deliveries.push(Delivery::Chunk(to.clone(), Chunk { stream, bytes }));
                    }
                }
                Happened::Over { request, result } => self.finish(request, result),
            }
        }
    }

    /// From now on the machine cannot be reached, for a while. What runs there goes on; what is under way is lost.
    fn outage(&mut self) {
        let lasts = self.machine.dice.within(&self.machine.faults.outage.clone());
        self.cut_off(lasts);
    }

    /// The same, for so long.
    pub fn cut_off(&mut self, lasts: Duration) {
        self.machine.line(format_args!("cannot be reached for {lasts:?}"));
        self.reachable = false;
        let ids: Vec<RequestId> = self.requests.keys().copied().collect();
        for id in ids {
            self.lose(id);
            // What is still under way is lost by itself when it arrives nowhere; a transfer ends here.
            if self.requests[&id].kind == RequestKind::Transfer {
                self.machine.hang_up(id);
            }
        }
        self.machine.happened.clear();
        self.queue.retain(|_, event| !matches!(event, Event::OutageBegins | Event::OutageEnds));
        self.after(lasts, Event::OutageEnds);
    }

    fn forecast_outage(&mut self) {
        if let Some(range) = self.machine.faults.reachable.clone() {
            let good = self.machine.dice.within(&range);
            if self.shared.clock.now() + good < self.machine.faults.calm_after {
                self.after(good, Event::OutageBegins);
            }
        }
    }

    fn forecast_reboot(&mut self) {
        if let Some(range) = self.machine.faults.uptime.clone() {
            let up = self.machine.dice.within(&range);
            self.after(up, Event::Reboots);
        }
    }

    fn after(&mut self, pause: Duration, event: Event) {
        self.count += 1;
        self.queue.insert((self.shared.clock.now() + pause, self.count), event);
    }
}

impl Job {
    /// For the story: the command without the text of its script.
    fn words(&self) -> String {
        match self {
            Job::Files(name, _) => (*name).to_owned(),
            Job::Impossible(why) => why.to_string(),
            Job::Command(command) => {
                let short =
                    |word: &String| if word.contains('\n') { "SCRIPT".to_owned() } else { word.clone() };
                command.argv.iter().map(short).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// What a command line starts; none if there is no such program.
fn program(line: &CommandLine<'_>) -> Option<Box<dyn Program>> {
    if let Some(bundle) = Bundle::of(line.argv) {
        return Some(Box::new(bundle));
    }
    if let Some(script) = direct::script(line.argv) {
        return Some(script);
    }
    Some(Box::new(Plain::of(line)?))
}

fn unreachable(host: &str) -> TransportError {
    TransportError::Unreachable { host: host.to_owned(), why: "the connection broke".to_owned() }
}
