//! The process itself: it asks the machine, looks at the evidence, and goes on.

use super::commands::{Started, hold};
use super::evidence;
use super::launch::Launch;
use super::running::{Gone, Seen};
use super::{Command, End, LocalState, Machine, OsProcess, Ran};
use procession::journal::{EffectEnd, EffectRow};
use procession::transport::{Ended, Op, RemotePath, Stat, TransportError};
use procession::{Fault, Life, Process, Step, WallTime};
use stakker::{CX, Ret, call};
use std::process::Stdio;
use std::time::Duration;

/// A command that runs on this machine.
///
/// ```
/// use procession::transport::Ended;
/// use procession::{Runtime, Spawn};
/// use procession_local::{Command, Config, End, Local, LocalProcess, LocalState, Machine};
/// use std::num::NonZeroUsize;
///
/// let work = std::env::temp_dir();
/// let mut runtime = Runtime::builder().build()?;
/// let (transport, _local) = Local::start(runtime.stakker(), Config::new(&work))?;
/// let two_at_once = NonZeroUsize::new(2).expect("two is not zero");
/// let (machine, _commands) = Machine::start(runtime.stakker(), &transport, &work, two_at_once)?;
/// runtime.register(move |life| LocalProcess::new(life, machine.clone()));
///
/// let listing = runtime.spawn::<LocalProcess>(LocalState::new(Command::new(["ls"])), Spawn::default())?;
/// listing.launch();
/// let ran = runtime.run_until(&listing)?.finished().expect("nobody kills it");
/// assert_eq!(ran.end, End::Ended(Ended::Code(0)));
/// # drop((_commands, _local));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LocalProcess {
    life: Life<Self>,
    machine: Machine,
}

impl LocalProcess {
    /// Gives a command its life; see [`Runtime::register`](procession::Runtime::register).
    pub fn new(life: Life<LocalProcess>, machine: Machine) -> LocalProcess {
        LocalProcess { life, machine }
    }
}

/// What stands between this program and the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// Nothing.
    Nothing,
    /// A gate, behind which the kernel's limits are set; the command is a child of this program.
    Gate,
    /// A witness, so that the command can survive this program.
    Witness,
}

impl Process for LocalProcess {
    const KIND: &'static str = "local";
    type State = LocalState;
    type Output = Ran;

    fn life(&mut self) -> &mut Life<Self> {
        &mut self.life
    }

    fn advance(&mut self, _: CX![], state: LocalState, step: Step<Self>) {
        match state {
            LocalState::Queued { command } => self.start(command, step),
            LocalState::Running { command, os, since } => self.watch(command, os, since, step),
            LocalState::Stopping { command: _, os, since, limit } => {
                let leader = os;
                let stopped = step.reply(move |this: &mut Self, _, step, gone| {
                    this.finish(&leader, End::Limit(limit), gone, this.since(since), step);
                });
                self.stop(os, stopped);
            }
        }
    }

    fn clean(&mut self, _: CX![], state: LocalState, step: Step<Self>) {
        match state {
            // What was started and not claimed was killed with the hold, and has not been through the gate.
            LocalState::Queued { command: _ } => step.killed(),
            LocalState::Running { command: _, os, since: _ }
            | LocalState::Stopping { command: _, os, since: _, limit: _ } => {
                let effect = self.effect(&os);
                let stopped = step.reply(move |this: &mut Self, _, step, _: Gone| {
                    this.life.settle(effect, EffectEnd::Undone);
                    step.killed();
                });
                self.stop(os, stopped);
            }
        }
    }
}

impl LocalProcess {
    fn between(&self, command: &Command) -> Between {
        match (self.life.id(), command.is_plain()) {
            (Some(_), _) => Between::Witness,
            (None, false) => Between::Gate,
            (None, true) => Between::Nothing,
        }
    }

    fn start(&mut self, command: Command, step: Step<Self>) {
        let launch = match self.launch(&command) {
            Ok(launch) => launch,
            Err(e) => return step.fault(fault(&e)),
        };
        let (hold, serial) = hold(&self.machine.commands, None);
        self.life.hold(hold);
        let started = step.reply(move |this: &mut Self, _, step, started: Started| match started {
            Ok(os) => {
                let since = this.life.runtime().wall();
                this.life.owe(this.effect(&os));
                call!([this.machine.commands], claim(os));
                step.to(LocalState::Running { command, os, since });
            }
            Err(e) => step.fault(fault(&e)),
        });
        call!([self.machine.commands], start(serial, launch, started));
    }

    fn launch(&self, command: &Command) -> Result<Launch, TransportError> {
        let Some(program) = command.argv.first() else {
            return Err(TransportError::Refused("a command has at least the name of a program".to_owned()));
        };
        let between = self.between(command);
        let mut os_command = match between {
            Between::Nothing => {
                let mut plain = std::process::Command::new(program);
                plain.args(&command.argv[1..]).envs(&command.env);
                plain
            }
            Between::Gate => self.behind(evidence::GATE, command),
            Between::Witness => self.behind(evidence::WITNESS, command),
        };
        os_command.current_dir(&self.machine.work).stdout(Stdio::null()).stderr(Stdio::null());
        let (gated, survives) = (between != Between::Nothing, between == Between::Witness);
        Ok(Launch { command: os_command, limits: command.limits.clone(), gated, survives })
    }

    fn behind(&self, script: &str, command: &Command) -> std::process::Command {
        let mut shell = std::process::Command::new("sh");
        let file =
            |path: &Option<RemotePath>| path.as_ref().map_or("/dev/null", RemotePath::as_str).to_owned();
        let folder =
            self.folder(command).map(|folder| self.machine.work.join(folder.as_str())).unwrap_or_default();
        shell.args(["-c", script, "procession"]).arg(folder).arg(self.evidence().as_str());
        shell.args([file(&command.stdin), file(&command.stdout), file(&command.stderr)]);
        for (name, value) in &command.env {
            if name == "PATH" {
                // The shell has to find its own tools where they are.
                shell.args(["env".to_owned(), format!("PATH={value}")]);
            } else {
                shell.env(name, value);
            }
        }
        shell.args(&command.argv);
        shell
    }

    /// The folder of the command: a process in a journal always has one.
    fn folder(&self, command: &Command) -> Option<RemotePath> {
        let own =
            self.life.id().map(|id| name(format!("procession-{}-{id}", self.life.runtime().journal_uid())));
        command.folder.clone().or(own)
    }

    /// Where the evidence of this process lies, and of no other: as seen from its folder.
    fn evidence(&self) -> RemotePath {
        let id = self.life.id().map_or(0, |id| id.number());
        name(format!(".procession-{}-{id}", self.life.runtime().journal_uid()))
    }

    fn watch(&mut self, command: Command, os: OsProcess, since: WallTime, step: Step<Self>) {
        call!([self.machine.commands], open(os));
        let (hold, serial) = hold(&self.machine.commands, Some(&os));
        self.life.hold(hold);
        let limits = command.limits.clone();
        let left = limits.wall.map(|limit| limit.saturating_sub(self.since(since)));
        let watched = os;
        let seen = step.reply(move |this: &mut Self, _, step, seen| match seen {
            Seen::Exceeded(limit) => step.to(LocalState::Stopping { command, os, since, limit }),
            Seen::Gone(gone) => match this.between(&command) {
                Between::Nothing | Between::Gate => {
                    let end = gone.ended.map_or(End::Vanished, |ended| command.limits.judge(ended));
                    this.finish(&os, end, gone, this.since(since), step);
                }
                Between::Witness => this.collect(Running { command, os, since, gone }, step),
            },
        });
        call!([self.machine.commands], watch(watched, serial, limits, left, seen));
    }

    /// The witness is gone: what did it leave?
    fn collect(&mut self, ran: Running, step: Step<Self>) {
        let exit = self.left(&ran.command, &name(evidence::EXIT.to_owned()));
        let stat =
            step.reply(move |this: &mut Self, _, step, found: Result<Stat, TransportError>| match found {
                Ok(stat) => this.read(ran, stat, step),
                Err(TransportError::NotFound(_)) => this.doubt(ran, step),
                Err(e) => this.fail(&ran.os, fault(&e), step),
            });
        self.machine.transport.op(Op::Stat(exit, stat));
    }

    fn read(&mut self, ran: Running, stat: Stat, step: Step<Self>) {
        let exit = self.left(&ran.command, &name(evidence::EXIT.to_owned()));
        let ret = step.reply(move |this: &mut Self, _, step, bytes: Result<Vec<u8>, TransportError>| {
            match bytes.map(|bytes| evidence::read(&bytes)) {
                Ok(Some(evidence)) => {
                    let gone = Gone { cpu: ran.gone.cpu.or(evidence.cpu), ..ran.gone };
                    let wall = between(ran.since, stat.modified);
                    this.finish(&ran.os, ran.command.limits.judge(evidence.ended), gone, wall, step);
                }
                Ok(None) => {
                    let odd = Fault::new("protocol", "the exit file is not what the witness writes");
                    this.fail(&ran.os, odd, step);
                }
                Err(e) => this.fail(&ran.os, fault(&e), step),
            }
        });
        self.machine.transport.op(Op::Read { path: exit, limit: evidence::LONGEST, ret });
    }

    /// There is no exit file: either the command never began, or nobody knows how it ended.
    fn doubt(&mut self, ran: Running, step: Step<Self>) {
        let fence = self.left(&ran.command, &RemotePath::here());
        let stat =
            step.reply(move |this: &mut Self, _, step, found: Result<Stat, TransportError>| match found {
                Ok(_) => {
                    let os = ran.os;
                    let stopped = step.reply(move |this: &mut Self, _, step, _: Gone| {
                        this.finish(&ran.os, End::Vanished, ran.gone, this.since(ran.since), step);
                    });
                    // The command may have outlived its witness, and nobody would see it end.
                    this.stop(os, stopped);
                }
                Err(TransportError::NotFound(_)) => {
                    this.settle(&ran.os, EffectEnd::Never);
                    match ran.gone.ended {
                        None | Some(Ended::Code(evidence::GATE_CLOSED)) => {
                            step.to(LocalState::Queued { command: ran.command });
                        }
                        Some(Ended::Code(_) | Ended::Signal(_)) => step.fault(Fault::new(
                            "io",
                            "the command did not begin: its folder, or a file, cannot be made or opened",
                        )),
                    }
                }
                Err(e) => this.fail(&ran.os, fault(&e), step),
            });
        self.machine.transport.op(Op::Stat(fence, stat));
    }

    /// A path in the folder of the evidence, as the transport sees it.
    fn left(&self, command: &Command, file: &RemotePath) -> RemotePath {
        let folder = self.folder(command).unwrap_or_else(RemotePath::here);
        folder.join(&self.evidence()).join(file)
    }

    fn stop(&mut self, os: OsProcess, stopped: Ret<Gone>) {
        call!([self.machine.commands], stop(os, stopped));
    }

    fn finish(&mut self, os: &OsProcess, end: End, gone: Gone, wall: Duration, step: Step<Self>) {
        self.settle(os, EffectEnd::Over);
        step.finish(Ran { end, peak_rss: gone.peak_rss, cpu: gone.cpu, wall });
    }

    /// It is gone, and what it left cannot be read.
    fn fail(&mut self, os: &OsProcess, fault: Fault, step: Step<Self>) {
        self.settle(os, EffectEnd::Over);
        step.fault(fault);
    }

    fn settle(&mut self, os: &OsProcess, end: EffectEnd) {
        let effect = self.effect(os);
        self.life.settle(effect, end);
        call!([self.machine.commands], release(*os));
    }

    fn effect(&self, os: &OsProcess) -> EffectRow {
        let name = format!("{}/{}/{:016x}", os.pid, os.start, os.boot);
        EffectRow {
            kind: "process-group".into(),
            host: self.machine.transport.name().to_owned(),
            name,
            attempt: 1,
        }
    }

    fn since(&self, since: WallTime) -> Duration {
        between(since, self.life.runtime().wall())
    }
}

/// A command that is gone, on the way to knowing how.
struct Running {
    command: Command,
    os: OsProcess,
    since: WallTime,
    gone: Gone,
}

fn between(from: WallTime, to: WallTime) -> Duration {
    Duration::from_millis(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

fn name(text: String) -> RemotePath {
    text.parse().expect("a name that is made here is a path")
}

fn fault(e: &TransportError) -> Fault {
    Fault::new(e.word(), e)
}
