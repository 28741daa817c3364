//! How the results of an attempt come to this machine: into a folder beside their place, compared with what the job left,
//! and put in place by one rename.

use crate::dialect::{EXIT_LINES, ExitFile, ListedFile};
use crate::verbs::{Site, blames_host, sure};
use crate::{Answer, Fetched, Job, JobName, Output, SchedulerProcess, State, Uncollected};
use procession::Step;
use procession::transport::{
    Cancel, Content, Get, Glob, GlobError, Manifest, Op, RemotePath, TransportError, Want,
};
use stakker::CX;
use std::path::{Path, PathBuf};

/// The standard output and error of a job are fetched up to this size together. More than that is in the sandbox.
pub const LOG_LIMIT: u64 = 1 << 30;
/// What is fetched of the folder of an attempt: of the job, of the tasks of an array, and of the scheduler.
const LOG: &[&str] =
    &["exit", "stdout", "stderr", "scheduler*", "task-*/exit", "task-*/stdout", "task-*/stderr"];
/// What is fetched if that is too much.
const EXITS: &[&str] = &["exit", "task-*/exit"];
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
            Ok(()) => this.fetch_log(cx, job, step, harvest, LOG),
            Err(why) => this.not_here(cx, job, step, why),
        });
        let ret = sure(&self.hosts.here, ret);
        self.hosts.here.op(Op::Mkdir { path, parents: true, ret });
    }

    fn fetch_log(
        &mut self,
        cx: CX![],
        job: Job,
        step: Step<Self>,
        harvest: Harvest,
        names: &'static [&'static str],
    ) {
        let want = names.iter().map(|name| {
            let want = Want::optional(name.parse()?);
            Ok(Want { limit: LOG_LIMIT, ..want })
        });
        let to = harvest.part.join("log");
        let folder = harvest.at.place.attempt_folder();
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
                    Err(TransportError::TooLarge { .. }) if names == LOG => {
                        return this.fetch_log(cx, job, step, h, EXITS);
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
                    Err(TransportError::NotFound(pattern)) => h.all = Err(Uncollected::Unseen { pattern }),
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
            if let Some(exit) = read_exit(harvest.at.place.name, &text) {
                harvest.all = compared(&exit, harvest.all, &job.plan.spec.outputs, &harvest.outputs);
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

/// Compares what came with what the job listed at its end, which a network file system may not show at once.
fn compared(
    exit: &ExitFile,
    all: Result<(), Uncollected>,
    outputs: &[Output],
    here: &Manifest,
) -> Result<(), Uncollected> {
    let listed = |pattern: &str| {
        let glob: Option<Glob> = pattern.parse().ok();
        let matches = move |path: &RemotePath| glob.as_ref().is_some_and(|glob| glob.matches(path));
        exit.files.iter().filter(move |file| file.path.parse().is_ok_and(|path| matches(&path)))
    };
    match all {
        Ok(()) => {
            outputs.iter().flat_map(|output| listed(&output.pattern)).try_for_each(|file| shorter(file, here))
        }
        Err(Uncollected::Unseen { pattern }) => {
            let known_absent = exit.files.len() < EXIT_LINES && listed(&pattern).next().is_none();
            Err(if known_absent { Uncollected::Missing { pattern } } else { Uncollected::Unseen { pattern } })
        }
        Err(
            why @ (Uncollected::Missing { .. } | Uncollected::Shorter { .. } | Uncollected::Transport(_)),
        ) => Err(why),
    }
}

fn shorter(listed: &ListedFile, here: &Manifest) -> Result<(), Uncollected> {
    let entry = listed.path.parse().ok().and_then(|path| here.at(&path));
    let found = match entry.map(|entry| &entry.content) {
        Some(Content::File { size, .. }) => *size,
        // It was a file when the job ended, and somebody has replaced it: there is nothing to compare.
        Some(Content::Dir | Content::Link { .. }) => return Ok(()),
        None => 0,
    };
    if found >= listed.size {
        return Ok(());
    }
    Err(Uncollected::Shorter { path: listed.path.clone(), listed: listed.size, found })
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Uncollected, compared};
    use crate::Output;
    use crate::dialect::{EXIT_LINES, ExitCause, ExitFile, ListedFile};
    use procession::WallTime;
    use procession::transport::{Content, Digest, ManifestEntry, RemotePath};

    fn left(files: &[(&str, u64)]) -> ExitFile {
        let files =
            files.iter().map(|(path, size)| ListedFile { path: (*path).into(), size: *size }).collect();
        let (started, ended) = (WallTime(0), WallTime(1));
        ExitFile { code: 0, cause: ExitCause::Exited, started, ended, files }
    }

    fn came(path: &'static str, size: u64) -> Manifest {
        let content = Content::File { size, digest: Digest::of(b"") };
        let mut manifest = Manifest::default();
        let entry = ManifestEntry { path: RemotePath::literal(path), mode: 0o644, content };
        manifest.insert(entry).expect("one entry");
        manifest
    }

    fn outputs() -> Vec<Output> {
        vec![Output { pattern: "out/*".into(), required: true, limit: None }]
    }

    #[test]
    fn what_came_is_as_long_as_what_was_left() {
        let exit = left(&[("out/a", 7), ("other", 9)]);
        assert_eq!(compared(&exit, Ok(()), &outputs(), &came("out/a", 7)), Ok(()));
        for (here, found) in [(came("out/a", 3), 3), (Manifest::default(), 0)] {
            let shorter = Uncollected::Shorter { path: "out/a".into(), listed: 7, found };
            assert_eq!(compared(&exit, Ok(()), &outputs(), &here), Err(shorter));
        }
    }

    #[test]
    fn only_a_whole_list_proves_that_an_output_was_never_made() {
        let pattern = || "out/*".to_string();
        let unseen = || Err(Uncollected::Unseen { pattern: pattern() });
        let compare = |exit: &ExitFile| compared(exit, unseen(), &outputs(), &Manifest::default());
        assert_eq!(compare(&left(&[("other", 9)])), Err(Uncollected::Missing { pattern: pattern() }));
        assert_eq!(compare(&left(&[("out/a", 9)])), unseen());
        assert_eq!(compare(&left(&[("other", 1); EXIT_LINES])), unseen());
    }
}
