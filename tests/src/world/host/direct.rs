//! The scripts of the direct scheduler and of the sandbox, step by step.
//!
//! The production code sends their text; it is recognised whole, and simulated here with every effect a step of its own.
//! Each function says which script it plays, in the order of that script's lines.

use super::job::{Frame, FrameArgs};
use super::machine::{Here, Next, Pid, Program, Signal, Spawn};
use procession_batch::dialect::{CLEAN, EVIDENCE, direct_scripts};
use std::collections::VecDeque;

/// The program that a command line of ours starts; none if it is not one of our scripts.
pub fn script(argv: &[String]) -> Option<Box<dyn Program>> {
    let [sh, c, text, _name, args @ ..] = argv else { return None };
    if sh != "sh" || c != "-c" {
        return None;
    }
    let all = args.to_vec();
    let of = |index: usize| args.get(index).cloned().unwrap_or_default();
    let place = || PlaceArgs { sandbox: of(0), attempt: of(1), name: of(2) };
    let triples = || {
        let triples = all.chunks_exact(3);
        triples
            .map(|t| PlaceArgs { sandbox: t[0].clone(), attempt: t[1].clone(), name: t[2].clone() })
            .collect()
    };
    // A submission whose fence was taken away is recognised too, so that the world can show what becomes of it.
    let fenced = text.replace(r#"mkdir -p "$1/.attempt-$2" 2>"#, r#"mkdir "$1/.attempt-$2" 2>"#);
    match fenced.as_str() {
        direct_scripts::SUBMIT => {
            let is_fenced = fenced == *text;
            let frame = FrameArgs {
                name: of(2),
                attempt: of(1),
                at_once: of(3).parse().unwrap_or(0),
                slots: of(4),
                walltime: of(5).parse().unwrap_or(0),
                before: of(7).parse().unwrap_or(0),
            };
            Some(Box::new(Submit { place: place(), frame, line: SubmitLine::Look, child: None, is_fenced }))
        }
        direct_scripts::STATUS => Some(Box::new(StatusOf { jobs: triples(), alive: None })),
        direct_scripts::FENCE => {
            let close = of(3) == "close";
            Some(Box::new(Fence { place: place(), close, line: FenceLine::Make }))
        }
        direct_scripts::CANCEL => {
            let signal = if of(3) == "KILL" { Signal::Kill } else { Signal::Term };
            Some(Box::new(CancelJob { place: place(), is_shut: false, signal, groups: None }))
        }
        text if text == EVIDENCE => Some(Box::new(EvidenceOf { jobs: triples(), line: EvidenceLine::Begin })),
        text if text == CLEAN => Some(Box::new(Clean { place: place(), line: CleanLine::Check })),
        _plain => None,
    }
}

/// The three arguments by which every script knows an attempt.
struct PlaceArgs {
    sandbox: String,
    attempt: String,
    name: String,
}

impl PlaceArgs {
    fn folder(&self) -> String {
        format!("{}/.attempt-{}", self.sandbox, self.attempt)
    }
}

/// Says the answer, framed as all scripts do, and ends.
fn answers(here: &mut Here<'_>, answer: &str) -> Next {
    here.machine.line(format_args!("[{}] says {answer}", here.pid));
    here.print(format!("PROCESSION-BEGIN 1\n{answer}\nPROCESSION-END 1\n"));
    Next::Exits(0)
}

/// The processes of `ps` that carry this job's name behind `.job-N` or `.payload-N`: number and group of each.
fn carrying(here: &Here<'_>, name: &str, words: &[&str]) -> Vec<(Pid, Pid)> {
    let carries = |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        args.windows(2).any(|pair| {
            let numbered = |word: &&str| pair[0].strip_prefix(word).is_some_and(|n| n.parse::<u32>().is_ok());
            pair[1] == name && words.iter().any(numbered)
        })
    };
    here.machine.processes().filter(|(_, p)| carries(&p.args)).map(|(pid, p)| (pid, p.group)).collect()
}

/// `submit.sh`
struct Submit {
    place: PlaceArgs,
    frame: FrameArgs,
    line: SubmitLine,
    child: Option<String>,
    is_fenced: bool,
}

enum SubmitLine {
    Look,
    Slots,
    Mkdir,
    Fork,
    WriteId,
    MoveId,
    Say,
    Lost,
}

impl Submit {
    /// Starts the frame in the sandbox; its id, if the sandbox is still there.
    fn fork(&self, here: &mut Here<'_>) -> Option<String> {
        let path = here.path(&self.place.sandbox).ok()?;
        let cwd = here.machine.fs.borrow().folder(&path).ok()?;
        let me = here.machine.process(here.pid).expect("it makes a step");
        // Until it has called exec it looks like its parent, and is in its group.
        let (args, group) = (me.args.clone(), Some(me.group));
        let program = Box::new(Frame::new(self.frame.clone()));
        let child = here.machine.spawn(Spawn { args, cwd, group, request: None, parent: None, program });
        here.machine.line(format_args!("[{}] forks [{child}] for {}", here.pid, self.place.name));
        Some(here.job_id(child))
    }
}

impl Program for Submit {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let PlaceArgs { sandbox, attempt, name: _ } = &self.place;
        let folder = self.place.folder();
        self.line = match self.line {
            SubmitLine::Look if !here.is_dir(sandbox) => return answers(here, "refused no-sandbox"),
            SubmitLine::Look => {
                let there =
                    ["job", "payload"].map(|file| here.is_file(&format!("{sandbox}/.{file}-{attempt}")));
                if there != [true, true] {
                    return answers(here, "refused no-script");
                }
                if self.frame.at_once == 0 { SubmitLine::Mkdir } else { SubmitLine::Slots }
            }
            SubmitLine::Slots => {
                let slots = here.path(&self.frame.slots).expect("a command starts in a folder that is there");
                let now = here.machine.wall();
                if here.machine.fs.borrow_mut().mkdir_all(&slots, now).is_err() {
                    return answers(here, "refused no-slots");
                }
                self.frame.slots = slots;
                SubmitLine::Mkdir
            }
            SubmitLine::Mkdir if here.mkdir(&folder).is_ok() => SubmitLine::Fork,
            SubmitLine::Mkdir if !self.is_fenced && here.is_dir(&folder) => SubmitLine::Fork,
            SubmitLine::Mkdir => SubmitLine::Lost,
            SubmitLine::Fork => match self.fork(here) {
                Some(id) => {
                    self.child = Some(id);
                    SubmitLine::WriteId
                }
                None => return answers(here, "refused no-sandbox"),
            },
            SubmitLine::WriteId => {
                let id = format!("{}\n", self.child.as_deref().unwrap_or_default());
                match here.write_file(&format!("{folder}/id.submit"), &id) {
                    Ok(()) => SubmitLine::MoveId,
                    Err(_) => return answers(here, "unsure"),
                }
            }
            SubmitLine::MoveId => {
                match here.rename(&format!("{folder}/id.submit"), &format!("{folder}/id")) {
                    Ok(()) => SubmitLine::Say,
                    Err(_) => return answers(here, "unsure"),
                }
            }
            SubmitLine::Say => {
                let answer = format!("submitted {}", self.child.as_deref().unwrap_or_default());
                return answers(here, &answer);
            }
            SubmitLine::Lost if !here.is_dir(&folder) => return answers(here, "refused no-space"),
            SubmitLine::Lost => {
                let known = here.read(&format!("{folder}/id")).map(|id| format!("known {}", id.trim_end()));
                return answers(here, known.as_deref().unwrap_or("unsure"));
            }
        };
        Next::Soon
    }
}

/// `status.sh`
struct StatusOf {
    jobs: VecDeque<PlaceArgs>,
    alive: Option<Vec<String>>,
}

impl Program for StatusOf {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let Some(alive) = &self.alive else {
            // The listing comes first, of all jobs at once.
            let running = |job: &&PlaceArgs| !carrying(here, &job.name, &[".job-", ".payload-"]).is_empty();
            self.alive = Some(self.jobs.iter().filter(running).map(|job| job.name.clone()).collect());
            here.print("PROCESSION-BEGIN 1\n");
            return Next::Soon;
        };
        let Some(job) = self.jobs.pop_front() else {
            here.print("PROCESSION-END 1\n");
            return Next::Exits(0);
        };
        let folder = job.folder();
        let word = if here.is_file(&format!("{folder}/exit")) {
            "exited"
        } else if !alive.contains(&job.name) {
            "absent"
        } else if here.is_dir(&format!("{folder}/started")) {
            "running"
        } else {
            "pending"
        };
        here.machine.line(format_args!("[{}] says {} {word}", here.pid, job.name));
        here.print(format!("{} {word}\n", job.name));
        Next::Soon
    }
}

/// `fence.sh`
struct Fence {
    place: PlaceArgs,
    close: bool,
    line: FenceLine,
}

enum FenceLine {
    Make,
    Look,
    Known,
    List,
    Close,
    Closed,
}

impl Program for Fence {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let folder = self.place.folder();
        let known =
            |here: &Here<'_>| here.read(&format!("{folder}/id")).map(|id| format!("known {}", id.trim_end()));
        let started = format!("{folder}/started");
        self.line = match self.line {
            FenceLine::Make if here.mkdir(&folder).is_ok() => return answers(here, "fenced"),
            FenceLine::Make => FenceLine::Look,
            FenceLine::Look if here.is_dir(&folder) => FenceLine::Known,
            FenceLine::Look if here.is_dir(&self.place.sandbox) => return Next::Exits(1),
            FenceLine::Look => return answers(here, "fenced"),
            FenceLine::Known => match known(here) {
                Some(answer) => return answers(here, &answer),
                None => FenceLine::List,
            },
            FenceLine::List => match (carrying(here, &self.place.name, &[".job-"]).first(), known(here)) {
                (Some(_), Some(answer)) => return answers(here, &answer),
                (Some((pid, _)), None) => return answers(here, &format!("known {pid}:0")),
                (None, _) if self.close => FenceLine::Close,
                (None, _) => return answers(here, "absent"),
            },
            FenceLine::Close if here.mkdir(&started).is_ok() => return answers(here, "fenced"),
            FenceLine::Close => FenceLine::Closed,
            FenceLine::Closed => match known(here) {
                Some(answer) => return answers(here, &answer),
                None if here.is_dir(&started) => return answers(here, "fenced"),
                None => return Next::Exits(1),
            },
        };
        Next::Soon
    }
}

/// `cancel.sh`
struct CancelJob {
    place: PlaceArgs,
    is_shut: bool,
    signal: Signal,
    groups: Option<Vec<Pid>>,
}

impl Program for CancelJob {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        if !self.is_shut {
            self.is_shut = true;
            let _told_in_the_story = here.mkdir(&format!("{}/started", self.place.folder()));
            return Next::Soon;
        }
        let Some(groups) = &self.groups else {
            let mut groups: Vec<Pid> = carrying(here, &self.place.name, &[".job-", ".payload-"])
                .into_iter()
                .map(|(_, group)| group)
                .collect();
            groups.dedup();
            self.groups = Some(groups);
            return Next::Soon;
        };
        let count = groups.len();
        for group in groups {
            let reached = here.machine.signal(*group, self.signal);
            here.machine.line(format_args!("[{}] {:?} to -{group}: {reached}", here.pid, self.signal));
        }
        if count == 0 { answers(here, "gone") } else { answers(here, &format!("still {count}")) }
    }
}

/// `evidence.sh`
struct EvidenceOf {
    jobs: VecDeque<PlaceArgs>,
    line: EvidenceLine,
}

enum EvidenceLine {
    Begin,
    Id,
    Started,
    Exit,
}

impl Program for EvidenceOf {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let Some(job) = self.jobs.front() else {
            here.print("PROCESSION-END 1\n");
            return Next::Exits(0);
        };
        let (folder, name) = (job.folder(), job.name.clone());
        self.line = match self.line {
            EvidenceLine::Begin => {
                here.print("PROCESSION-BEGIN 1\n");
                EvidenceLine::Id
            }
            EvidenceLine::Id => {
                here.print(format!("job {name}\n"));
                if let Some(id) = here.read(&format!("{folder}/id")) {
                    here.print(format!("id {id}"));
                }
                EvidenceLine::Started
            }
            EvidenceLine::Started => {
                if here.is_dir(&format!("{folder}/started")) {
                    here.print("started\n");
                }
                EvidenceLine::Exit
            }
            EvidenceLine::Exit => {
                let exit = here.read(&format!("{folder}/exit")).unwrap_or_default();
                here.print(exit.lines().map(|line| format!("| {line}\n")).collect::<String>());
                self.jobs.pop_front();
                EvidenceLine::Id
            }
        };
        Next::Soon
    }
}

/// `clean.sh`
struct Clean {
    place: PlaceArgs,
    line: CleanLine,
}

enum CleanLine {
    Check,
    RemoveOld,
    Move,
    Remove,
    Say,
}

impl Program for Clean {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let PlaceArgs { sandbox, attempt: _, name } = &self.place;
        let gone = format!("{sandbox}.gone");
        self.line = match self.line {
            CleanLine::Check => {
                let ours = name.starts_with("procession-") && name.matches('-').count() >= 3;
                let named = sandbox.rsplit('/').next() == Some(name);
                if !ours || !named || sandbox.split('/').any(|part| part == "..") {
                    return answers(here, "refused");
                }
                CleanLine::RemoveOld
            }
            CleanLine::RemoveOld if remove_some(here, &gone) => CleanLine::RemoveOld,
            CleanLine::RemoveOld => CleanLine::Move,
            CleanLine::Move => {
                if here.is_dir(sandbox) {
                    let _told_in_the_story = here.rename(sandbox, &gone);
                }
                CleanLine::Remove
            }
            CleanLine::Remove if remove_some(here, &gone) => CleanLine::Remove,
            CleanLine::Remove => CleanLine::Say,
            CleanLine::Say => {
                let left = [sandbox, &gone].iter().any(|path| here.exists(path));
                return answers(here, if left { "left" } else { "gone" });
            }
        };
        Next::Soon
    }
}

/// One step of `rm -rf`: removes one thing, the deepest first. Whether there may be more to remove.
fn remove_some(here: &mut Here<'_>, path: &str) -> bool {
    let (Ok(root), now) = (here.path(path), here.machine.wall()) else { return false };
    if !here.machine.fs.borrow().exists(&root) {
        return false;
    }
    let deepest = here
        .machine
        .fs
        .borrow()
        .walk(&root)
        .ok()
        .and_then(|all| all.last().map(|(path, _)| format!("{root}/{path}")));
    let deepest = deepest.unwrap_or(root);
    let removed = here.machine.fs.borrow_mut().remove(&deepest, now);
    here.machine.line(format_args!("[{}] rm {deepest}: {removed:?}", here.pid));
    removed.is_ok()
}
