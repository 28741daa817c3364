//! `run`: jobs from their files to their verified outputs.
//!
//! The jobs are always handed over by letters in the journal, whoever runs them then: this program, a background
//! runtime, or one that is at work already. So none is lost between two of them, and none is begun twice.

use super::session::{IfHeld, Session, Until};
use super::{Desk, detach, dry_run, verdict};
use crate::args::Run;
use crate::exit::{Exit, Trouble};
use crate::follow::{Follow, Whom};
use crate::jobfile::JobFile;
use crate::json;
use crate::kinds::job;
use crate::progress::Progress;
use crate::screen::{self, Paint};
use crate::view::View;
use procession::journal::Postbox;
use std::io::Read;

/// Runs jobs.
pub(crate) fn run(desk: &Desk, args: Run) -> Result<Exit, Trouble> {
    let mut hosts = desk.hosts()?;
    hosts.host(&args.host)?;
    if let Some(jobs) = args.jobs {
        hosts.limit(&args.host, jobs);
    }
    let jobs = read(&args)?;
    if args.dry_run {
        return dry_run::dry_run(desk, &args.host, &hosts, jobs);
    }
    let jobs = dry_run::preflight(&args.host, hosts.host(&args.host)?, jobs)?;
    desk.store.make()?;
    let (keys, heard) = hand_over(desk, &args, jobs)?;
    let mut follow = Follow::begin(&desk.store, Whom::Keys(keys))?;
    let mut progress = Progress::new(&desk.global);
    if args.detach {
        detach::detach(desk, args.jobs, heard, &mut follow)?;
        return Ok(tell_detached(desk, &follow));
    }
    if heard && args.jobs.is_some() {
        progress.say("--jobs is up to the runtime that is at work, and is left as it is there");
    }
    let session = Session { desk, hosts: &hosts, until: Until::Over, if_held: IfHeld::Follow };
    let went = session.go(&mut follow, &mut progress)?;
    drop(progress);
    Ok(tell_end(desk, &follow, went.interrupted))
}

/// All job files, or all that is wrong with them.
fn read(args: &Run) -> Result<Vec<JobFile>, Trouble> {
    let (mut jobs, mut wrong) = (Vec::new(), Vec::new());
    for path in &args.files {
        match JobFile::read(path) {
            Ok(job) => jobs.push(job),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(jobs) } else { Err(Trouble::JobFiles(wrong)) }
}

/// Leaves a letter for each job. Their keys, and whether a runtime heard it.
fn hand_over(desk: &Desk, args: &Run, jobs: Vec<JobFile>) -> Result<(Vec<String>, bool), Trouble> {
    let run = nonce()?;
    let mut postbox = Postbox::open(desk.store.journal())?;
    let (mut keys, mut heard) = (Vec::new(), false);
    for (n, job) in jobs.into_iter().enumerate() {
        let key = format!("run-{run}-{n}");
        let results = job::make_results(&args.results, &job.spec.name)?;
        let posted = job::adoption(job, &args.host, results.clone(), key.clone())
            .and_then(|letter| Ok(postbox.post(&letter)?));
        if posted.is_err() {
            // Nobody will ever bring anything there. Should it not be empty, it is somebody else's.
            let _ = std::fs::remove_dir(&results);
        }
        heard = posted?.heard;
        keys.push(key);
    }
    Ok((keys, heard))
}

/// What no other run has in its keys.
fn nonce() -> Result<String, Trouble> {
    let mut bytes = [0; 8];
    let random = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    random.map_err(|why| Trouble::System { what: "random bytes", why })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn tell_detached(desk: &Desk, follow: &Follow) -> Exit {
    if desk.global.json {
        let (store, processes) = (desk.store.folder(), follow.seen().cloned().collect());
        json::print(&json::Run { store, exit: 0, interrupted: false, detached: true, processes });
        return Exit::Well;
    }
    for view in follow.seen() {
        screen::out(&format!("{} {}", view.id, view.name));
    }
    if !desk.global.quiet {
        screen::err("running in the background; `procession watch` follows them");
    }
    Exit::Well
}

fn tell_end(desk: &Desk, follow: &Follow, interrupted: bool) -> Exit {
    let exit = if interrupted { Exit::Interrupted } else { verdict(follow.seen()) };
    if desk.global.json {
        let (store, processes) = (desk.store.folder(), follow.seen().cloned().collect());
        json::print(&json::Run { store, exit: exit.code(), interrupted, detached: false, processes });
        return exit;
    }
    if !desk.global.quiet {
        follow.seen().filter(|view| view.is_over()).for_each(tell_results);
    }
    if interrupted {
        let (all, over) = follow.count();
        let store = match &desk.global.store {
            Some(store) => format!(" --store {}", store.display()),
            None => String::new(),
        };
        screen::err(&format!(
            "{} left as they are. To carry on: procession up{store}\nTo look: procession ps{store}",
            all - over
        ));
    }
    exit
}

fn tell_results(view: &View) {
    let paint = Paint::of(&std::io::stdout());
    let files = job::read(&view.row).map(|job| job.files().to_vec()).unwrap_or_default();
    let outputs = files.iter().filter(|file| file.path.starts_with("outputs/")).count();
    let head = format!("{} {}: {}", view.id, view.name, paint.phase(view.word(), view.ok));
    let told = match &view.results {
        Some(folder) if outputs > 0 => {
            let files = if outputs == 1 { "1 file".to_owned() } else { format!("{outputs} files") };
            format!("{head}, {}; {files} verified in {}", view.detail, folder.join("outputs").display())
        }
        Some(folder) if !files.is_empty() => {
            format!("{head}, {}; what it wrote is in {}", view.detail, folder.join("log").display())
        }
        Some(_) | None => format!("{head}, {}", view.detail),
    };
    screen::out(&told);
}
