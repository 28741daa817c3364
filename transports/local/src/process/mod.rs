//! A command on this machine as a durable process: it survives the death of this program, and is found again.
//!
//! ```text
//!            started, at the gate          gone, with evidence
//!  Queued ------------------------> Running -----------------> Finished(Ran)
//!    ^                               |   |
//!    |  gone, and never began        |   | a limit
//!    +-------------------------------+   v
//!                                     Stopping --------------> Finished(Ran)
//! ```
//!
//! **Once.** The command is started behind a gate, by a small shell script, its witness. The gate opens when `Running`,
//! with the number of the witness, is in the journal: so there is never a command that the journal does not know. If this
//! program dies before, the gate closes and nothing has happened. After the gate comes a fence, `mkdir started`.
//!
//! **Evidence.** The witness writes an exit file in the end. A command that is gone without one has [`End::Vanished`],
//! never a success.
//!
//! **Pause.** A paused process lets its command run on, unwatched: the limits that we keep are not kept meanwhile. How it
//! ended is learned when the process goes on. **Kill** is SIGTERM to the group, five seconds later SIGKILL, and `Killed`
//! when the last of the group has gone.
//!
//! A process that is in no journal, and whose command has no folder, no files and no limits, needs no witness: the command
//! is started as it is, and is killed when this program ends.

mod command;
mod commands;
mod evidence;
mod identity;

pub use command::{Command, End, Limit, Limits, Ran};
pub use commands::Commands;
pub use identity::OsProcess;

use crate::StartError;
use commands::{Gone, Launch, Seen, Started, hold};
use procession::journal::{EffectEnd, EffectRow};
use procession::transport::{Ended, Op, RemotePath, Stat, Transport, TransportError};
use procession::{Fault, Life, Process, Step, WallTime, states};
use serde::{Deserialize, Serialize};
use stakker::{Actor, ActorOwn, CX, Core, Ret, actor_new, call, ret_nop};
use stakker_mio::MioPoll;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// A command that runs on this machine.
pub struct LocalProcess {
    life: Life<Self>,
    machine: Machine,
}

/// This machine, as its processes hold it: cheap to clone, owns nothing.
#[derive(Clone)]
pub struct Machine {
    commands: Actor<Commands>,
    transport: Transport,
    work: PathBuf,
}

/// How far a command has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LocalState {
    /// It waits for its turn. Nothing has happened yet.
    Queued {
        /// What is to run.
        command: Command,
    },
    /// It runs, or has ended.
    Running {
        /// What runs.
        command: Command,
        /// As which process: the witness, or the command itself where there is none.
        os: OsProcess,
        /// Since when.
        since: WallTime,
    },
    /// It came to a limit, and is being stopped.
    Stopping {
        /// What runs.
        command: Command,
        /// As which process.
        os: OsProcess,
        /// Since when.
        since: WallTime,
        /// Which limit.
        limit: Limit,
    },
}

states! {
    LocalState {
        Queued => [Running, end],
        Running => [Queued, Stopping, end],
        Stopping => [end],
    }
}

impl LocalState {
    /// The state of a command that is to run.
    pub fn new(command: Command) -> LocalState {
        LocalState::Queued { command }
    }
}

impl Machine {
    /// Starts the actor that runs commands in this stakker, at most `limit` at once; the others wait in the order in which
    /// they came. `transport` is this machine's, and `work` its work folder.
    pub fn start(
        core: &mut Core,
        transport: &Transport,
        work: impl Into<PathBuf>,
        limit: NonZeroUsize,
    ) -> Result<(Machine, ActorOwn<Commands>), StartError> {
        let poll = core.anymap_try_get::<MioPoll>().ok_or(StartError::NoPoll)?;
        let work = work.into();
        if !work.is_absolute() {
            return Err(StartError::Relative(work));
        }
        let owner = actor_new!(core, Commands, ret_nop!());
        call!([owner], Commands::init(poll, limit.get()));
        Ok((Machine { commands: owner.clone(), transport: transport.clone(), work }, owner))
    }
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
                Err(e) => step.fault(fault(&e)),
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
                    step.fault(Fault::new("protocol", "the exit file is not what the witness writes"))
                }
                Err(e) => step.fault(fault(&e)),
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
                Err(TransportError::NotFound(_)) => match ran.gone.ended {
                    None | Some(Ended::Code(evidence::GATE_CLOSED)) => {
                        this.life.settle(this.effect(&ran.os), EffectEnd::Never);
                        step.to(LocalState::Queued { command: ran.command });
                    }
                    Some(Ended::Code(_) | Ended::Signal(_)) => {
                        step.fault(Fault::new("io", "the folder of the command cannot be made or entered"));
                    }
                },
                Err(e) => step.fault(fault(&e)),
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
        self.life.settle(self.effect(os), EffectEnd::Over);
        step.finish(Ran { end, peak_rss: gone.peak_rss, cpu: gone.cpu, wall });
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
