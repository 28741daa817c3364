//! `run --dry-run`: the exact scripts and commands, and nothing done. Also what a host cannot do, before anything is.

use super::Desk;
use crate::exit::{Exit, Trouble};
use crate::hosts::{Host, Hosts};
use crate::jobfile::{JobFile, JobFileError, Slip};
use crate::place::Places;
use crate::screen::{self, Paint};
use crate::{json, kinds};
use procession::journal::Filter;
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{clean, evidence};
use procession_batch::{Dialect, Errand, JobName, Place, Plan, errands};
use std::path::PathBuf;

/// Prints what would be done.
pub(crate) fn dry_run(desk: &Desk, name: &str, hosts: &Hosts, jobs: Vec<JobFile>) -> Result<Exit, Trouble> {
    let host = hosts.host(name)?;
    let (journal, mut process) = next_name(desk)?;
    let mut exit = Exit::Well;
    for job in jobs {
        let path = job.path.clone();
        let plan = dry(job, name, host, JobName { journal, process, attempt: 1 })?;
        process = process.next();
        if !plan.cannot.is_empty() {
            exit = Exit::Input;
        }
        if desk.global.json {
            json::print(&plan);
        } else {
            tell(&plan, &path);
        }
    }
    Ok(exit)
}

/// Refuses jobs that the host could never run, before any of them is begun. Those that it can run it completes with what
/// is the same for all jobs there.
pub(crate) fn preflight(name: &str, host: &Host, jobs: Vec<JobFile>) -> Result<Vec<JobFile>, Trouble> {
    let dialect = kinds::dialect(host);
    let mut slips = Vec::new();
    for job in &jobs {
        let cannot = dialect.cannot(&job.spec);
        let refused = host.site.refuses(name, &job.spec);
        if cannot.is_empty() && refused.is_empty() {
            continue;
        }
        // For the lines only; what counts was read before.
        let text = std::fs::read_to_string(&job.path).unwrap_or_default();
        let places = Places::of(&text, &job.path);
        slips.extend(cannot.into_iter().chain(refused).map(|error| {
            let line = places.line(&error.field);
            Slip { path: job.path.clone(), line, error }
        }));
    }
    if !slips.is_empty() {
        return Err(Trouble::JobFiles(vec![JobFileError::Wrong(slips)]));
    }
    Ok(jobs.into_iter().map(|job| JobFile { spec: host.site.complete(job.spec), ..job }).collect())
}

fn dry(job: JobFile, name: &str, host: &Host, attempt: JobName) -> Result<json::DryRun, Trouble> {
    let dialect = kinds::dialect(host);
    let place = Place { root: String::new(), name: attempt };
    let cannot = dialect.cannot(&job.spec).into_iter().chain(host.site.refuses(name, &job.spec));
    let cannot = cannot.map(|error| error.to_string()).collect();
    let job = JobFile { spec: host.site.complete(job.spec), ..job };
    let submit = dialect.submit(&job.spec, &place).argv;
    let places = [place.clone()];
    let commands = vec![submit, dialect.status(&places).argv, evidence(&places).argv, clean(&place).argv];
    let (host, root, results) = (name.to_owned(), String::new(), PathBuf::new());
    let plan = Plan { spec: job.spec, host: host.clone(), root, base: job.folder, results };
    let errands = errands(&plan, &place, &dialect)
        .map_err(|why| Trouble::Host { host: host.clone(), why: why.to_string() })?;
    let (mut sends, mut scripts) = (Vec::new(), Vec::new());
    for errand in errands {
        match errand {
            Errand::Folder(_) => {}
            Errand::Send { from, to } => sends.push(json::Send { from, to: to.to_string() }),
            Errand::Script { to, text, mode: _ } => scripts.push(json::Script { name: to.to_string(), text }),
        }
    }
    Ok(json::DryRun { file: job.path, host, sends, scripts, commands, cannot })
}

/// The name that the next process would have, if nobody else is faster.
fn next_name(desk: &Desk) -> Result<(JournalUid, ProcessId), Trouble> {
    let Some(reader) = desk.store.look()? else { return Ok((JournalUid(0), ProcessId::FIRST)) };
    let last = reader.processes(&Filter::new())?.into_iter().flatten().map(|row| row.id).max();
    Ok((reader.uid()?, last.map_or(ProcessId::FIRST, ProcessId::next)))
}

fn tell(plan: &json::DryRun, path: &std::path::Path) {
    let paint = Paint::of(&std::io::stdout());
    let mut lines = vec![paint.strong(&format!("# {} on {}", path.display(), plan.host))];
    for send in &plan.sends {
        lines.push(format!("# send {} to {}", send.from.display(), send.to));
    }
    for script in &plan.scripts {
        lines.push(paint.strong(&format!("#### {}", script.name)));
        lines.push(script.text.trim_end().to_owned());
    }
    for (what, argv) in ["submit", "status", "evidence", "clean"].iter().zip(&plan.commands) {
        lines.push(paint.strong(&format!("#### {what}")));
        lines.push(shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_else(|_| format!("{argv:?}")));
    }
    screen::out(&lines.join("\n"));
    for cannot in &plan.cannot {
        screen::err(&format!("procession: {}: {cannot}", path.display()));
    }
}
