//! How the results of an attempt come to this machine: into a folder beside their place, compared with what the job left,
//! and put in place by one rename.

use crate::dialect::{ExitFile, attempt_folder};
use crate::verbs::{Site, blames_host, sure};
use crate::{Answer, Fetched, Job, JobName, Output, SchedulerProcess, State, Uncollected};
use procession::Step;
use procession::transport::{
    Cancel, Content, Get, GlobError, Manifest, Op, RemotePath, TransportError, Want,
};
use stakker::CX;
use std::path::{Path, PathBuf};

/// The standard output and error of a job are fetched up to this size together. More than that is in the sandbox.
pub const LOG_LIMIT: u64 = 1 << 30;
/// The largest exit file: a thousand outputs with the longest path.
const EXIT_LIMIT: u64 = 8 << 20;

/// What has come so far.
pub(crate) struct Harvest {
    at: Site,
    /// Where it lies until it is complete.
    part: PathBuf,
    files: Vec<Fetched>,
    outputs: Manifest,
    all: Result<(), Uncollected>,
}

type Fetch = Result<Manifest, TransportError>;

impl SchedulerProcess {
    /// Begins with an empty folder: what an earlier try left there is worth nothing.
    pub(crate) fn collect(&mut self, cx: CX![], job: Job, step: Step<Self>, at: Site) {
        let results = job.plan.results_of(at.place.name.attempt);
        let mut part = results.into_os_string();
        part.push(".part");
        let harvest =
            Harvest { at, part: part.into(), files: vec![], outputs: Manifest::default(), all: Ok(()) };
        let path = match here(&harvest.part) {
            Ok(path) => path,
            Err(why) => return self.not_here(cx, job, step, why),
        };
        let made = path.clone();
        let ret =
            step.reply(move |this: &mut Self, cx, step, gone: Result<bool, TransportError>| match gone {
                Ok(_) => this.make_part(job, step, harvest, made),
                Err(why) => this.not_here(cx, job, step, why),
            });
        let ret = sure(&self.hosts.here, ret);
        self.hosts.here.op(Op::Remove { path, tree: true, ret });
    }

    fn make_part(&mut self, job: Job, step: Step<Self>, harvest: Harvest, path: RemotePath) {
        let ret = step.reply(move |this: &mut Self, cx, step, made| match made {
            Ok(()) => this.fetch_log(cx, job, step, harvest, &["exit", "stdout", "stderr"]),
            Err(why) => this.not_here(cx, job, step, why),
        });
        let ret = sure(&self.hosts.here, ret);
        self.hosts.here.op(Op::Mkdir { path, parents: true, ret });
    }

    fn fetch_log(&mut self, cx: CX![], job: Job, step: Step<Self>, harvest: Harvest, names: &'static [&str]) {
        let attempt = attempt_folder(harvest.at.place.name.attempt);
        let want = names.iter().map(|name| {
            let want = Want::optional(name.parse()?);
            Ok(Want { limit: LOG_LIMIT, ..want })
        });
        let to = harvest.part.join("log");
        let folder = format!("{}/{attempt}", harvest.at.place.sandbox());
        self.fetch(
            cx,
            job,
            step,
            harvest,
            Wanted { folder, want: want.collect(), to },
            move |this, cx, job, step, mut h, log| {
                match log {
                    Ok(log) => h.files.extend(fetched("log", &log)),
                    // Too much was said. How it ended is known all the same.
                    Err(TransportError::TooLarge { .. }) if names.len() > 1 => {
                        return this.fetch_log(cx, job, step, h, &["exit"]);
                    }
                    Err(why) => log::warn!("the log of {} cannot be fetched: {why}", h.at.place.name),
                }
                this.fetch_outputs(cx, job, step, h);
            },
        );
    }

    fn fetch_outputs(&mut self, cx: CX![], job: Job, step: Step<Self>, harvest: Harvest) {
        if job.plan.spec.outputs.is_empty() {
            return self.compare(job, step, harvest);
        }
        // A job that failed need not have made its outputs; what there is of them is wanted.
        let required = ended_well(&job.at);
        let want = job.plan.spec.outputs.iter().map(|output| wanted(output, required)).collect();
        let to = harvest.part.join("outputs");
        let folder = harvest.at.place.sandbox();
        self.fetch(
            cx,
            job,
            step,
            harvest,
            Wanted { folder, want, to },
            |this, _, job, step, mut h, outputs| {
                match outputs {
                    Ok(outputs) => {
                        h.files.extend(fetched("outputs", &outputs));
                        h.outputs = outputs;
                    }
                    Err(TransportError::NotFound(pattern)) => h.all = Err(Uncollected::Missing { pattern }),
                    Err(why) => h.all = Err(Uncollected::Transport(why)),
                }
                this.compare(job, step, h);
            },
        );
    }

    /// Fetches from the host, and goes on with what came of it. A host that is away ends the try.
    fn fetch(
        &mut self,
        cx: CX![],
        job: Job,
        step: Step<Self>,
        harvest: Harvest,
        wanted: Wanted,
        then: impl FnOnce(&mut Self, CX![], Job, Step<Self>, Harvest, Fetch) + 'static,
    ) {
        let get = wanted.folder.parse().map_err(|e| format!("{e}")).and_then(|from| {
            let want = wanted.want.map_err(|e| e.to_string())?;
            Ok(Get::new(from, want, wanted.to))
        });
        let get = match get {
            Ok(get) => get,
            Err(why) => return then(self, cx, job, step, harvest, Err(TransportError::Refused(why))),
        };
        let (guard, cancel) = Cancel::pair();
        self.life.hold(guard);
        let transport = harvest.at.host.transport.clone();
        let ret = step.reply(move |this, cx, step, got: Fetch| match got {
            Err(why) if blames_host(&why) => this.away(cx, job, step, why),
            Ok(_) | Err(_) => then(this, cx, job, step, harvest, got),
        });
        transport.op(Op::Get(Get { cancel: Some(cancel), ..get }, sure(&transport, ret)));
    }

    /// Compares what came with what the job says it left.
    fn compare(&mut self, job: Job, step: Step<Self>, mut harvest: Harvest) {
        let path = here(&harvest.part.join("log/exit")).unwrap_or_else(|_| RemotePath::here());
        let ret = step.reply(move |this: &mut Self, cx, step, text: Result<Vec<u8>, TransportError>| {
            let text = text.unwrap_or_default();
            let exit = read_exit(harvest.at.place.name, &text);
            if let (Ok(()), Some(exit)) = (&harvest.all, exit) {
                harvest.all = compared(&exit, &job.plan.spec.outputs, &harvest.outputs);
            }
            this.put_in_place(cx, job, step, harvest);
        });
        let ret = sure(&self.hosts.here, ret);
        self.hosts.here.op(Op::Read { path, limit: EXIT_LIMIT, ret });
    }

    fn put_in_place(&mut self, cx: CX![], job: Job, step: Step<Self>, harvest: Harvest) {
        let results = job.plan.results_of(harvest.at.place.name.attempt);
        let (from, to) = match (here(&harvest.part), here(&results)) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(why), _) | (_, Err(why)) => return self.not_here(cx, job, step, why),
        };
        let (local, path) = (self.hosts.here.clone(), to.clone());
        let ret = step.reply(move |this: &mut Self, cx, step, gone: Result<bool, TransportError>| {
            if let Err(why) = gone {
                return this.not_here(cx, job, step, why);
            }
            let ret = step.reply(move |this: &mut Self, cx, step, moved: Result<(), TransportError>| {
                let Harvest { files, all, .. } = harvest;
                match moved {
                    Ok(()) => this.heard(cx, job, step, Answer::Collected(files, all)),
                    Err(why) => this.not_here(cx, job, step, why),
                }
            });
            let ret = sure(&local, ret);
            local.op(Op::Rename { from, to, ret });
        });
        let ret = sure(&self.hosts.here, ret);
        self.hosts.here.op(Op::Remove { path, tree: true, ret });
    }

    /// This machine would not take it.
    fn not_here(&mut self, cx: CX![], job: Job, step: Step<Self>, why: TransportError) {
        self.heard(cx, job, step, Answer::Collected(vec![], Err(Uncollected::Transport(why))));
    }
}

/// What to fetch, and to where.
struct Wanted {
    folder: String,
    want: Result<Vec<Want>, GlobError>,
    to: PathBuf,
}

fn wanted(output: &Output, required: bool) -> Result<Want, GlobError> {
    let pattern = output.pattern.parse()?;
    let want = if required && output.required { Want::required(pattern) } else { Want::optional(pattern) };
    let limit = output.limit.map_or(want.limit, |limit| limit.bytes());
    Ok(Want { limit, ..want })
}

fn ended_well(state: &State) -> bool {
    if let State::Collecting { ending, .. } = state { ending.end.is_success() } else { false }
}

/// An absolute path of this machine, as its transport understands it.
fn here(path: &Path) -> Result<RemotePath, TransportError> {
    let text = path.to_str().filter(|_| path.is_absolute());
    let path = text.ok_or_else(|| format!("{} is not an absolute path in UTF-8", path.display()));
    path.and_then(|text| text.parse().map_err(|e| format!("{e}"))).map_err(TransportError::Refused)
}

fn fetched<'a>(folder: &'a str, files: &'a Manifest) -> impl Iterator<Item = Fetched> + 'a {
    files.entries().filter_map(move |entry| match &entry.content {
        Content::File { size, digest } => {
            let path = format!("{folder}/{}", entry.path);
            Some(Fetched { path, size: *size, hash: digest.to_string() })
        }
        Content::Dir | Content::Link { .. } => None,
    })
}

fn read_exit(name: JobName, text: &[u8]) -> Option<ExitFile> {
    let lines: Vec<String> = std::str::from_utf8(text).ok()?.lines().map(str::to_string).collect();
    ExitFile::parse(name, &lines).ok()
}

/// Whether every output that the job listed at its end is here, and as long as it was then. A network file system may
/// show less for a while.
fn compared(exit: &ExitFile, outputs: &[Output], here: &Manifest) -> Result<(), Uncollected> {
    let globs: Vec<procession::transport::Glob> =
        outputs.iter().filter_map(|output| output.pattern.parse().ok()).collect();
    for file in &exit.files {
        let Ok(path) = file.path.parse::<RemotePath>() else { continue };
        if !globs.iter().any(|glob| glob.matches(&path)) {
            continue;
        }
        let found = here.at(&path).map_or(Some(0), |entry| match &entry.content {
            Content::File { size, .. } => Some(*size),
            Content::Dir | Content::Link { .. } => None,
        });
        if let Some(found) = found.filter(|found| *found < file.size) {
            return Err(Uncollected::Shorter { path: file.path.clone(), listed: file.size, found });
        }
    }
    Ok(())
}
