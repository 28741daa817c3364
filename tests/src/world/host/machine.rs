//! The machine behind a simulated host: its disk, and the table of what runs on it.
//!
//! It knows no connection and no operation. Every process makes one step at a time, with time between the steps, so that
//! anything can happen there. The host drives it: [`due`](Machine::due) says who is next, [`step`](Machine::step) lets
//! it make its step, and what came of it is taken from [`happened`](Machine::happened).

use super::Shared;
use crate::world::clock::Clock;
use crate::world::disk::TreeEntry;
use crate::world::faults::{Dice, Faults, PerMille};
use crate::world::fs::{Folder, Fs, FsError};
use crate::world::trace::Trace;
use crate::world::witness::Witness;
use procession::WallTime;
use procession::transport::{Ended, Manifest, Stat, Stream, TransportError};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

/// Where commands start, and what relative paths are relative to.
pub const HOME: &str = "/home/user";

/// The number that the first process after a start gets, so that numbers come again after a reboot, as they do.
const FIRST_PID: Pid = 100;

/// How long a process takes between two of its steps when nothing holds it up.
const BETWEEN_STEPS: RangeInclusive<Duration> = Duration::from_micros(20)..=Duration::from_micros(2000);

/// The number of a process.
pub type Pid = u32;

/// The number of a request, as the connection counts them.
pub type RequestId = u64;

/// Something that runs on the machine, one step at a time.
pub trait Program {
    /// Makes one step: at most one effect, or one look at the world.
    fn step(&mut self, here: &mut Here<'_>) -> Next;

    /// What a signal other than KILL does to it.
    fn on_signal(&mut self, signal: Signal) -> Reaction {
        match signal {
            Signal::Term | Signal::Kill => Reaction::Dies,
        }
    }
}

/// What a process does after a step.
pub enum Next {
    /// Its next step comes as soon as the machine finds time for it.
    Soon,
    /// Its next step comes after this long.
    After(Duration),
    /// Its next step comes when somebody wakes it.
    Sleeps,
    /// It has ended.
    Exits(i32),
    /// It has ended with something else than an exit code.
    Answers(Result<Value, TransportError>),
}

/// The signals that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}

impl Signal {
    /// Its number on Linux.
    pub const fn number(self) -> i32 {
        match self {
            Signal::Term => 15,
            Signal::Kill => 9,
        }
    }
}

/// What a process makes of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// It ends.
    Dies,
    /// It goes on, and if it was asleep it wakes.
    Wakes,
    /// It goes on as if nothing had been.
    Ignores,
}

/// What a request is answered with.
pub enum Value {
    /// Nothing but that it is done.
    Done,
    /// Whether there was something.
    Found(bool),
    /// The contents of a file.
    Bytes(Vec<u8>),
    /// What lies at a path.
    Stat(Stat),
    /// What lies in a folder.
    Stats(Vec<Stat>),
    /// What arrived.
    Manifest(Manifest),
    /// Files that are on their way.
    Files(Vec<TreeEntry>),
    /// How a command ended; its output was told before.
    Ended(Ended),
}

/// What came of a step, for whoever asked for it.
pub enum Happened {
    /// It wrote something.
    Output {
        /// Whose command.
        request: RequestId,
        /// To where.
        stream: Stream,
        /// What.
        bytes: Vec<u8>,
    },
    /// It is over.
    Over {
        /// Which.
        request: RequestId,
        /// With what.
        result: Result<Value, TransportError>,
    },
}

/// A machine.
pub struct Machine {
    /// Its name in the story.
    pub name: String,
    /// Its disk.
    pub fs: Rc<RefCell<Fs>>,
    /// Its luck.
    pub dice: Dice,
    /// What goes wrong here.
    pub faults: Faults,
    /// How far its clock is off.
    pub skew_ms: i64,
    /// What came of the steps, oldest first.
    pub happened: VecDeque<Happened>,
    /// When it was started.
    pub booted: Duration,
    clock: Clock,
    trace: Trace,
    witness: Rc<dyn Witness>,
    locks: BTreeMap<String, Lock>,
    /// How the children ended whose parents have not asked yet.
    ended: BTreeMap<Pid, Ended>,
    processes: BTreeMap<Pid, Process>,
    next_pid: Pid,
    queue: BTreeMap<(Duration, u64), Pid>,
    queued: u64,
}

/// A process as `ps` and the kernel have it.
pub struct Process {
    /// Its process group: what a signal to `-GROUP` reaches.
    pub group: Pid,
    /// Its arguments, as `ps` shows them.
    pub args: String,
    /// Its working directory.
    pub cwd: Folder,
    /// When it began.
    pub began: Duration,
    /// Who waits for it, if anybody does.
    pub request: Option<RequestId>,
    /// Who is woken when it ends.
    pub parent: Option<Pid>,
    /// None while it makes its step.
    program: Option<Box<dyn Program>>,
}

/// A file that is locked with `flock`.
#[derive(Default)]
struct Lock {
    holder: Option<Pid>,
    waiters: VecDeque<Pid>,
}

/// Whether to be woken when a lock that is taken falls back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// Yes: the next try comes then.
    Woken,
    /// No: the next try is the caller's own affair.
    No,
}

/// How a process is started.
pub struct Spawn {
    /// Its arguments, as `ps` shows them.
    pub args: String,
    /// Where.
    pub cwd: Folder,
    /// The group it belongs to; a new one of its own if none.
    pub group: Option<Pid>,
    /// Who waits for it.
    pub request: Option<RequestId>,
    /// Who started it, if that is a process which waits for it.
    pub parent: Option<Pid>,
    /// What it does.
    pub program: Box<dyn Program>,
}

impl Machine {
    /// A machine that has just been started, with an empty home.
    pub fn new(name: &str, shared: &Shared, fs: Rc<RefCell<Fs>>, faults: Faults, dice: Dice) -> Machine {
        let Shared { clock, trace, witness, boundaries: _, disk: _ } = shared.clone();
        fs.borrow_mut().mkdir_all(HOME, clock.wall()).expect("an empty disk has room for a home");
        Machine {
            name: name.to_owned(),
            fs,
            dice,
            faults,
            skew_ms: 0,
            happened: VecDeque::new(),
            booted: clock.now(),
            clock,
            trace,
            witness,
            locks: BTreeMap::new(),
            ended: BTreeMap::new(),
            processes: BTreeMap::new(),
            next_pid: FIRST_PID,
            queue: BTreeMap::new(),
            queued: 0,
        }
    }

    /// How long it has been running.
    pub fn uptime(&self) -> Duration {
        self.clock.now().saturating_sub(self.booted)
    }

    /// When the next process makes a step.
    pub fn next_step(&self) -> Option<Duration> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Who makes a step now, if anybody does.
    pub fn due(&mut self) -> Option<Pid> {
        loop {
            let entry = self.queue.first_entry().filter(|first| first.key().0 <= self.clock.now())?;
            let pid = entry.remove();
            if self.processes.contains_key(&pid) {
                return Some(pid);
            }
        }
    }

    /// Lets a process make its step. One that is gone makes none.
    pub fn step(&mut self, pid: Pid) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let (mut program, request) =
            (process.program.take().expect("it makes one step at a time"), process.request);
        let next = program.step(&mut Here { machine: self, pid, request });
        // A program may end its own process group.
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.program = Some(program);
        match next {
            Next::Soon => self.wake_soon(pid),
            Next::After(pause) => self.wake_after(pid, pause),
            Next::Sleeps => {}
            Next::Exits(code) => self.end(pid, Ok(Value::Ended(Ended::Code(code)))),
            Next::Answers(result) => self.end(pid, result),
        }
    }

    /// Starts a process; its first step comes soon.
    pub fn spawn(&mut self, spawn: Spawn) -> Pid {
        let pid = self.next_pid;
        self.next_pid += 1;
        let Spawn { args, cwd, group, request, parent, program } = spawn;
        let forked = group.is_some();
        let (group, began, program) = (group.unwrap_or(pid), self.clock.now(), Some(program));
        self.processes.insert(pid, Process { group, args, cwd, began, request, parent, program });
        if forked {
            self.wake_soon(pid);
        } else {
            // What comes from outside begins at once: a message is never later than the connection makes it.
            let pause = self.dice.within(&BETWEEN_STEPS);
            self.wake_after(pid, pause);
        }
        pid
    }

    /// Lets a process make a step when the machine finds time for it, which may take a while.
    fn wake_soon(&mut self, pid: Pid) {
        let held_up = self.dice.chance(self.chance_now(self.faults.slow_step));
        let pause = if held_up { self.faults.late.clone() } else { BETWEEN_STEPS };
        let pause = self.dice.within(&pause);
        self.wake_after(pid, pause);
    }

    /// Lets a process make a step after this long.
    pub fn wake_after(&mut self, pid: Pid, pause: Duration) {
        self.queued += 1;
        self.queue.insert((self.clock.now() + pause, self.queued), pid);
    }

    /// Sends a signal to a process group; how many processes it reached.
    pub fn signal(&mut self, group: Pid, signal: Signal) -> usize {
        let reached: Vec<Pid> =
            self.processes().filter(|(_, p)| p.group == group).map(|(pid, _)| pid).collect();
        for pid in &reached {
            let process = self.processes.get_mut(pid).expect("it is in the table");
            let reaction = match (signal, &mut process.program) {
                (Signal::Kill, Some(_) | None) => Reaction::Dies,
                // It is just making its step: a frame that ends its own group, and ignores the signal itself.
                (Signal::Term, None) => Reaction::Ignores,
                (Signal::Term, Some(program)) => program.on_signal(signal),
            };
            match reaction {
                Reaction::Dies => self.end(*pid, Ok(Value::Ended(Ended::Signal(signal.number())))),
                Reaction::Wakes => self.wake_after(*pid, Duration::ZERO),
                Reaction::Ignores => {}
            }
        }
        reached.len()
    }

    /// Ends whatever was started for a request, with its whole group.
    pub fn hang_up(&mut self, request: RequestId) {
        let groups: Vec<Pid> =
            self.processes().filter(|(_, p)| p.request == Some(request)).map(|(_, p)| p.group).collect();
        for group in groups {
            self.signal(group, Signal::Kill);
        }
    }

    /// Starts the machine anew: nothing that ran runs any more, and the numbers begin again. Who waited is not told.
    pub fn reboot(&mut self) {
        self.line(format_args!("reboot with {} processes", self.processes.len()));
        self.processes.clear();
        self.queue.clear();
        self.locks.clear();
        self.ended.clear();
        self.next_pid = FIRST_PID;
        self.booted = self.clock.now();
    }

    /// The table of processes, by number.
    pub fn processes(&self) -> impl Iterator<Item = (Pid, &Process)> {
        self.processes.iter().map(|(pid, process)| (*pid, process))
    }

    /// One process.
    pub fn process(&self, pid: Pid) -> Option<&Process> {
        self.processes.get(&pid)
    }

    /// A process has called setsid and exec: it has a group of its own, and `ps` shows other arguments.
    pub fn exec(&mut self, pid: Pid, args: String) {
        if let Some(process) = self.processes.get_mut(&pid) {
            (process.args, process.group, process.request) = (args, pid, None);
        }
    }

    /// How a child ended, once: none while it runs.
    pub fn wait(&mut self, child: Pid) -> Option<Ended> {
        self.ended.remove(&child)
    }

    /// Takes a lock, as `flock` on this file; it falls back when its holder ends. If another has it, `waiter` is woken when
    /// it falls back.
    pub fn lock(&mut self, file: &str, holder: Pid, wait: Wait) -> bool {
        let lock = self.locks.entry(file.to_owned()).or_default();
        match (lock.holder, wait) {
            (None, Wait::Woken | Wait::No) => {
                lock.holder = Some(holder);
                true
            }
            (Some(_), Wait::Woken) => {
                lock.waiters.push_back(holder);
                false
            }
            (Some(_), Wait::No) => false,
        }
    }

    /// Gives a lock back, and wakes who waits for it.
    pub fn unlock(&mut self, file: &str, holder: Pid) {
        let Some(lock) = self.locks.get_mut(file).filter(|lock| lock.holder == Some(holder)) else { return };
        lock.holder = None;
        for waiter in std::mem::take(&mut lock.waiters) {
            self.wake_after(waiter, Duration::ZERO);
        }
    }

    /// Tells whoever watches the world that something was made at a path.
    pub fn made(&self, path: &str) {
        self.witness.on_made(&self.name, path);
    }

    /// Tells whoever watches the world that a job has passed its fence.
    pub fn started(&self, job: &str) {
        self.witness.on_started(&self.name, job);
    }

    /// Tells whoever watches the world that a job has left its exit file.
    pub fn exited(&self, job: &str, code: i32) {
        self.witness.on_exit(&self.name, job, code);
    }

    /// Tells whoever watches the world how many payloads run, now that one more does.
    pub fn payload_began(&self, job: &str) {
        let running =
            self.processes().filter(|(_, process)| process.args.starts_with("sh .payload-")).count();
        self.witness.on_payload(&self.name, job, running);
    }

    /// What the calendar of this machine shows.
    pub fn wall(&self) -> WallTime {
        WallTime(self.clock.wall().0 + self.skew_ms)
    }

    /// This chance, or none if the calm has come.
    pub fn chance_now(&self, chance: PerMille) -> PerMille {
        if self.clock.now() < self.faults.calm_after { chance } else { PerMille(0) }
    }

    /// Adds a line to the story.
    pub fn line(&self, what: fmt::Arguments<'_>) {
        self.trace.line(self.clock.now(), &self.name, what);
    }

    fn end(&mut self, pid: Pid, result: Result<Value, TransportError>) {
        let process = self.processes.remove(&pid).expect("it was in the table");
        let held: Vec<String> = self
            .locks
            .iter()
            .filter(|(_, lock)| lock.holder == Some(pid))
            .map(|(file, _)| file.clone())
            .collect();
        for file in held {
            self.unlock(&file, pid);
        }
        if let (Some(parent), Ok(Value::Ended(how))) = (process.parent, &result) {
            self.ended.insert(pid, *how);
            self.wake_after(parent, Duration::ZERO);
        }
        if let Some(request) = process.request {
            self.happened.push_back(Happened::Over { request, result });
        }
    }
}

/// What a program sees of the machine while it makes a step.
pub struct Here<'a> {
    /// The machine.
    pub machine: &'a mut Machine,
    /// Its own number.
    pub pid: Pid,
    request: Option<RequestId>,
}

impl Here<'_> {
    /// Where a path leads from its working directory. `NotFound` if that has been removed.
    pub fn path(&self, path: &str) -> Result<String, FsError> {
        if path.starts_with('/') {
            return Ok(path.to_owned());
        }
        let process = self.machine.process(self.pid).expect("it makes a step");
        let cwd = self.machine.fs.borrow().path_of(process.cwd).ok_or(FsError::NotFound)?;
        Ok(if path == "." { format!("{cwd}/") } else { format!("{cwd}/{path}") })
    }

    /// Writes to standard output.
    pub fn print(&mut self, text: impl AsRef<[u8]>) {
        self.write(Stream::Stdout, text.as_ref());
    }

    /// Writes to one of the two outputs.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if let (Some(request), false) = (self.request, bytes.is_empty()) {
            self.machine.happened.push_back(Happened::Output { request, stream, bytes: bytes.to_vec() });
        }
    }

    /// Makes a folder. `Exists` says that another was first.
    pub fn mkdir(&mut self, path: &str) -> Result<(), FsError> {
        let (path, now) = (self.path(path)?, self.machine.wall());
        let made = self.machine.fs.borrow_mut().mkdir(&path, 0o755, now);
        self.machine.line(format_args!("[{}] mkdir {path}: {made:?}", self.pid));
        if made.is_ok() {
            self.machine.made(&path);
        }
        made
    }

    /// Makes or replaces a file.
    pub fn write_file(&mut self, path: &str, text: &str) -> Result<(), FsError> {
        let (path, now) = (self.path(path)?, self.machine.wall());
        let written = self.machine.fs.borrow_mut().write(&path, text.as_bytes(), 0o644, now);
        self.machine.line(format_args!("[{}] write {path}: {written:?}", self.pid));
        written
    }

    /// Moves something.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), FsError> {
        let (from, to, now) = (self.path(from)?, self.path(to)?, self.machine.wall());
        let moved = self.machine.fs.borrow_mut().rename(&from, &to, now);
        self.machine.line(format_args!("[{}] mv {from} {to}: {moved:?}", self.pid));
        moved
    }

    /// The text of a file; none if it cannot be read.
    pub fn read(&self, path: &str) -> Option<String> {
        let disk = self.machine.fs.borrow();
        let bytes = disk.read(&self.path(path).ok()?).ok()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether there is a file.
    pub fn is_file(&self, path: &str) -> bool {
        self.path(path).is_ok_and(|path| self.machine.fs.borrow().read(&path).is_ok())
    }

    /// Whether there is a folder.
    pub fn is_dir(&self, path: &str) -> bool {
        self.path(path).is_ok_and(|path| self.machine.fs.borrow().is_dir(&path))
    }

    /// Whether anything lies there.
    pub fn exists(&self, path: &str) -> bool {
        self.path(path).is_ok_and(|path| self.machine.fs.borrow().exists(&path))
    }

    /// The id of a job of the direct scheduler: its number, and when it began, in ticks since the machine was started.
    pub fn job_id(&self, pid: Pid) -> String {
        let began = self.machine.process(pid).map_or(self.machine.booted, |process| process.began);
        format!("{pid}:{}", (began - self.machine.booted).as_millis() / 10)
    }
}
