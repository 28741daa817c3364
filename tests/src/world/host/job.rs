//! A job of the direct scheduler on a simulated host: the frame (`job.sh`), its watch over the walltime, and the payload.
//!
//! What a payload does is written in its own text: `sim-job SECONDS CODE`, and the words after it, anywhere in the
//! `.payload-N` that the production code has made. So a story decides how its jobs go, and the host plays it.

use super::machine::{Here, Next, Pid, Program, Reaction, Signal, Spawn, Wait};
use procession::WallTime;
use procession::transport::Ended;
use procession_batch::JobName;
use procession_batch::dialect::{ExitCause, ExitFile, ListedFile};
use std::time::Duration;

/// How long the frame leaves a payload between TERM and KILL when its walltime is over.
const GRACE: Duration = Duration::from_secs(5);

/// How often the head of the queue tries the slots.
const SLOT_RETRY: Duration = Duration::from_secs(1);

/// What stands in a frame that has lost its fence.
const UNFENCED: &str = r#"mkdir -p "$here/started""#;

/// The arguments of `job.sh`.
#[derive(Clone, Debug)]
pub struct FrameArgs {
    /// The name of the job.
    pub name: String,
    /// Which attempt.
    pub attempt: String,
    /// Jobs at once; any number if 0.
    pub at_once: u32,
    /// The folder of the slots.
    pub slots: String,
    /// In seconds; none if 0.
    pub walltime: u64,
    /// How many seconds before the walltime a signal is sent; none if 0.
    pub before: u64,
}

/// `job.sh`
pub struct Frame {
    args: FrameArgs,
    line: FrameLine,
    traps: bool,
    is_fenced: bool,
    payload: Option<Pid>,
    began: WallTime,
    code: i32,
}

enum FrameLine {
    Exec,
    WriteId,
    MoveId,
    Queue,
    Slot(u32),
    Start,
    Outputs,
    Fork,
    Watch,
    Wait,
    WriteExit,
    MoveExit,
    End,
}

impl Frame {
    /// A frame that has just been forked.
    pub fn new(args: FrameArgs) -> Frame {
        Frame {
            args,
            line: FrameLine::Exec,
            traps: false,
            is_fenced: true,
            payload: None,
            began: WallTime(0),
            code: 0,
        }
    }

    fn folder(&self) -> String {
        format!(".attempt-{}", self.args.attempt)
    }

    /// What `ps` shows of it.
    fn shown(&self) -> String {
        let FrameArgs { name, attempt, at_once, slots, walltime, before } = &self.args;
        format!("sh .job-{attempt} {name} {attempt} {at_once} {slots} {walltime} TERM {before}")
    }

    fn queue(&self) -> String {
        format!("{}/queue", self.args.slots)
    }

    /// Whether its first line finds that another has started this attempt, or has shut the door.
    fn is_fenced_off(&self, here: &Here<'_>) -> bool {
        let text = here.read(&format!(".job-{}", self.args.attempt)).unwrap_or_default();
        !text.contains(UNFENCED) && here.is_dir(&format!("{}/started", self.folder()))
    }

    /// The lines up to the fence.
    fn arrive(&mut self, here: &mut Here<'_>) -> Next {
        let folder = self.folder();
        self.line = match self.line {
            FrameLine::Exec if !here.is_file(&format!(".job-{}", self.args.attempt)) => {
                return Next::Exits(127);
            }
            FrameLine::Exec if self.is_fenced_off(here) => return Next::Exits(97),
            FrameLine::Exec => {
                here.machine.exec(here.pid, self.shown());
                let text = here.read(&format!(".job-{}", self.args.attempt)).unwrap_or_default();
                self.is_fenced = !text.contains(UNFENCED);
                FrameLine::WriteId
            }
            FrameLine::WriteId => {
                let id = format!("{}\n", here.job_id(here.pid));
                match here.write_file(&format!("{folder}/id.job"), &id) {
                    Ok(()) => FrameLine::MoveId,
                    Err(_) => return Next::Exits(98),
                }
            }
            FrameLine::MoveId => match here.rename(&format!("{folder}/id.job"), &format!("{folder}/id")) {
                Ok(()) if self.args.at_once == 0 => FrameLine::Start,
                Ok(()) => FrameLine::Queue,
                Err(_) => return Next::Exits(98),
            },
            FrameLine::Queue => {
                if !here.machine.lock(&self.queue(), here.pid, Wait::Woken) {
                    return Next::Sleeps;
                }
                FrameLine::Slot(1)
            }
            FrameLine::Slot(slot) => return self.try_slot(here, slot),
            FrameLine::Start => match here.mkdir(&format!("{folder}/started")) {
                Ok(()) => {
                    here.machine.started(&self.args.name);
                    self.began = here.machine.wall();
                    self.traps = true;
                    FrameLine::Outputs
                }
                // The script as it lies there may have lost its fence.
                Err(_) if !self.is_fenced => {
                    here.machine.started(&self.args.name);
                    self.traps = true;
                    FrameLine::Outputs
                }
                Err(_) => return Next::Exits(97),
            },
            FrameLine::Outputs
            | FrameLine::Fork
            | FrameLine::Watch
            | FrameLine::Wait
            | FrameLine::WriteExit
            | FrameLine::MoveExit
            | FrameLine::End => return self.run(here),
        };
        Next::Soon
    }

    fn try_slot(&mut self, here: &mut Here<'_>, slot: u32) -> Next {
        let file = format!("{}/slot-{slot}", self.args.slots);
        if here.write_file(&file, "").is_err() {
            return Next::Exits(98);
        }
        if here.machine.lock(&file, here.pid, Wait::No) {
            here.machine.unlock(&self.queue(), here.pid);
            self.line = FrameLine::Start;
            return Next::Soon;
        }
        if here.is_dir(&format!("{}/started", self.folder())) {
            return Next::Exits(97);
        }
        self.line = FrameLine::Slot(slot % self.args.at_once + 1);
        if slot == self.args.at_once { Next::After(SLOT_RETRY) } else { Next::Soon }
    }

    /// The lines behind the fence.
    fn run(&mut self, here: &mut Here<'_>) -> Next {
        let folder = self.folder();
        self.line = match self.line {
            FrameLine::Outputs => {
                let opened =
                    ["stdout", "stderr"].map(|file| here.write_file(&format!("{folder}/{file}"), ""));
                if opened.iter().all(Result::is_ok) {
                    FrameLine::Fork
                } else {
                    // A redirection that fails ends the command with 2 (dash(1)).
                    self.code = 2;
                    FrameLine::WriteExit
                }
            }
            FrameLine::Fork => {
                let program = Box::new(Payload::new(&self.args));
                self.payload = Some(self.spawn(here, program, Some(here.pid)));
                if self.args.walltime == 0 { FrameLine::Wait } else { FrameLine::Watch }
            }
            FrameLine::Watch => {
                let program = Box::new(Watch::new(&self.args, self.payload.expect("it was forked before")));
                self.spawn(here, program, None);
                FrameLine::Wait
            }
            FrameLine::Wait => {
                let payload = self.payload.expect("it was forked before");
                let Some(how) = here.machine.wait(payload) else { return Next::Sleeps };
                self.code = match how {
                    Ended::Code(code) => code,
                    Ended::Signal(signal) => 128 + signal,
                };
                here.machine.signal(payload, Signal::Kill);
                FrameLine::WriteExit
            }
            FrameLine::WriteExit => {
                match here.write_file(&format!("{folder}/exit.tmp"), &self.exit_file(here)) {
                    Ok(()) => FrameLine::MoveExit,
                    Err(_) => FrameLine::End,
                }
            }
            FrameLine::MoveExit => {
                if here.rename(&format!("{folder}/exit.tmp"), &format!("{folder}/exit")).is_ok() {
                    here.machine.exited(&self.args.name, self.code);
                }
                FrameLine::End
            }
            FrameLine::End => {
                // The watch over the walltime is what is left in this group; the frame itself ignores the signal.
                here.machine.signal(here.pid, Signal::Term);
                return Next::Exits(self.code);
            }
            FrameLine::Exec
            | FrameLine::WriteId
            | FrameLine::MoveId
            | FrameLine::Queue
            | FrameLine::Slot(_)
            | FrameLine::Start => unreachable!("these lines come before the fence"),
        };
        Next::Soon
    }

    /// Forks; until the child has called exec it looks like the frame, and is in its group.
    fn spawn(&self, here: &mut Here<'_>, program: Box<dyn Program>, parent: Option<Pid>) -> Pid {
        let me = here.machine.process(here.pid).expect("it makes a step");
        let (cwd, group) = (me.cwd, Some(me.group));
        here.machine.spawn(Spawn { args: self.shown(), cwd, group, request: None, parent, program })
    }

    fn exit_file(&self, here: &Here<'_>) -> String {
        let walltime = here.is_dir(&format!("{}/walltime", self.folder())) && self.code != 0;
        let cause = if walltime { ExitCause::Walltime } else { ExitCause::Exited };
        let below =
            here.path(".").ok().and_then(|cwd| here.machine.fs.borrow().walk(&cwd).ok()).unwrap_or_default();
        let ours =
            |path: &str| [".attempt-", ".payload-", ".job-", ".script-"].iter().any(|w| path.starts_with(w));
        let files = below
            .into_iter()
            .filter(|(path, meta)| meta.kind == crate::world::fs::Kind::File && !ours(path))
            .map(|(path, meta)| ListedFile { path, size: meta.size })
            .collect();
        let exit =
            ExitFile { code: self.code, cause, started: self.began, ended: here.machine.wall(), files };
        let name = JobName::parse(&self.args.name).expect("the production code names its jobs");
        exit.print(name)
    }
}

impl Program for Frame {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        self.arrive(here)
    }

    fn on_signal(&mut self, _: Signal) -> Reaction {
        if self.traps { Reaction::Wakes } else { Reaction::Dies }
    }
}

/// The subshell of `job.sh` that keeps the walltime.
struct Watch {
    folder: String,
    payload: Pid,
    pauses: [Duration; 2],
    line: u8,
}

impl Watch {
    fn new(args: &FrameArgs, payload: Pid) -> Watch {
        let first = Duration::from_secs(args.walltime - args.before);
        let folder = format!(".attempt-{}", args.attempt);
        Watch { folder, payload, pauses: [first, Duration::from_secs(args.before)], line: 0 }
    }
}

impl Program for Watch {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        self.line += 1;
        match self.line {
            1 => Next::After(self.pauses[0]),
            2 if self.pauses[1].is_zero() => Next::Soon,
            2 => {
                here.machine.signal(self.payload, Signal::Term);
                Next::After(self.pauses[1])
            }
            3 => {
                let _told_in_the_story = here.mkdir(&format!("{}/walltime", self.folder));
                Next::Soon
            }
            4 => {
                here.machine.signal(self.payload, Signal::Term);
                Next::After(GRACE)
            }
            _last => {
                here.machine.signal(self.payload, Signal::Kill);
                Next::Exits(0)
            }
        }
    }
}

/// What the user asked for.
struct Payload {
    name: String,
    attempt: String,
    plan: Option<Plan>,
}

/// `sim-job SECONDS CODE [stubborn] [FILE…]`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Plan {
    seconds: u64,
    code: i32,
    stubborn: bool,
    files: Vec<String>,
}

impl Plan {
    /// Reads the words behind `sim-job`, up to the end of the subshell that runs them; a payload without them ends well at
    /// once.
    fn of(text: &str) -> Plan {
        let line = text.lines().find_map(|line| line.split_once("sim-job ")).map_or("", |(_, words)| words);
        let mut words = line.trim_end_matches(')').split(' ').filter(|word| !word.is_empty());
        let mut plan = Plan {
            seconds: words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            code: words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            ..Plan::default()
        };
        for word in words {
            match word {
                "stubborn" => plan.stubborn = true,
                file => plan.files.push(file.to_owned()),
            }
        }
        plan
    }
}

impl Payload {
    fn new(args: &FrameArgs) -> Payload {
        Payload { name: args.name.clone(), attempt: args.attempt.clone(), plan: None }
    }
}

impl Program for Payload {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let Some(plan) = &mut self.plan else {
            let file = format!(".payload-{}", self.attempt);
            let Some(text) = here.read(&file) else { return Next::Exits(127) };
            here.machine.exec(here.pid, format!("sh {file} {}", self.name));
            here.machine.payload_began(&self.name);
            let plan = Plan::of(&text);
            here.machine.line(format_args!("[{}] {} runs: {plan:?}", here.pid, self.name));
            let seconds = plan.seconds;
            self.plan = Some(plan);
            return Next::After(Duration::from_secs(seconds));
        };
        match plan.files.pop() {
            Some(file) => match here.write_file(&file, &format!("made by {}\n", self.name)) {
                Ok(()) => Next::Soon,
                Err(_) => Next::Exits(1),
            },
            None => {
                here.machine.line(format_args!("[{}] {} ends with {}", here.pid, self.name, plan.code));
                Next::Exits(plan.code)
            }
        }
    }

    fn on_signal(&mut self, _: Signal) -> Reaction {
        match &self.plan {
            Some(plan) if plan.stubborn => Reaction::Ignores,
            Some(_) | None => Reaction::Dies,
        }
    }
}
