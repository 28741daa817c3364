//! `why`: what a process waits for, which limit that is, and what happens next and when.

use super::Desk;
use crate::board::Board;
use crate::exit::{Exit, Trouble};
use crate::kinds::{self, job};
use crate::view::View;
use crate::{json, screen};
use procession::ProcessId;
use procession::journal::{Ask, Desired, Letter, Stage};
use procession::pool::Health;

/// What there is to say, before it is known whether a runtime is at work.
pub(crate) struct Because {
    pub(crate) waits_for: String,
    pub(crate) limit: Option<String>,
    pub(crate) next: String,
    pub(crate) when: Option<String>,
}

impl Because {
    fn of(waits_for: impl Into<String>, next: impl Into<String>) -> Because {
        Because { waits_for: waits_for.into(), limit: None, next: next.into(), when: None }
    }
}

/// Says why.
pub(crate) fn why(desk: &Desk, id: ProcessId) -> Result<Exit, Trouble> {
    let (reader, row) = desk.find(id)?;
    let holder = desk.store.holder();
    let letters: Vec<&str> = reader.letters()?.iter().filter_map(|letter| wish(letter, id)).collect();
    let process = View::of(row);
    let because = match process.stage {
        Stage::Finished | Stage::Killed | Stage::Failed => {
            Because::of(format!("nothing: {}", process.detail), "nothing; it has ended")
        }
        _ if !letters.is_empty() => Because::of(
            format!("a runtime that reads what was asked of it: {}", letters.join(", ")),
            "it is done",
        ),
        Stage::Created => Because::of("its launch", "nothing, until it is resumed"),
        Stage::Paused => {
            Because::of("you: it was paused", format!("nothing, until `procession resume {id}`"))
        }
        Stage::Running | Stage::Killing => {
            let hosts = desk.hosts()?;
            match job::read(&process.row) {
                Some(job) if let Some(because) = held_up(desk, &job.job.plan.host) => because,
                Some(job) => {
                    let host = hosts.host(&job.job.plan.host)?;
                    let why = job.because(process.row.changed, &kinds::dialect(host));
                    let when = why.at.map(screen::stamp);
                    let limit = why.limit.map(|limit| at_work(desk, &job.job.plan.host).unwrap_or(limit));
                    Because { waits_for: why.waits_for, limit, next: why.next, when }
                }
                None => Because::of(process.detail.clone(), "its own program knows"),
            }
        }
    };
    let Because { waits_for, limit, next, mut when } = because;
    if holder.is_none() && !process.is_over() {
        when = Some("when a runtime is at work: none is; `procession up` starts one".to_owned());
    }
    let why = json::Why { process, runtime: holder.is_some(), waits_for, limit, next, when };
    if desk.global.json {
        json::print(&why);
    } else {
        tell(&why);
    }
    Ok(Exit::Well)
}

/// What its host says, if that is in the way of all its jobs.
fn held_up(desk: &Desk, host: &str) -> Option<Because> {
    let report = Board::look(&desk.store)?.hosts.remove(host)?.pool?;
    let since = screen::moment(report.since);
    let why = report.why.as_deref().map(screen::one_line).unwrap_or_default();
    match report.health {
        Health::Unknown | Health::Up | Health::Degraded => None,
        Health::Down => Some(Because {
            waits_for: format!("{host}, which is down since {since}: {why}"),
            limit: None,
            next: "it is tried again, and all its jobs go on by themselves".to_owned(),
            when: report.next_try.map(screen::stamp),
        }),
        Health::NeedsAuth => Some(Because::of(
            format!("{host}, which does not let us in since {since}: {why}"),
            format!("nothing, until `procession login {host}`, or the key is loaded with `ssh-add`"),
        )),
    }
}

/// The limit as the runtime at work has it, which may have been started with another one than the file says.
fn at_work(desk: &Desk, host: &str) -> Option<String> {
    Board::look(&desk.store)?.hosts.remove(host).map(|now| now.limit)
}

fn wish(letter: &Letter, id: ProcessId) -> Option<&'static str> {
    match &letter.ask {
        Ok(Ask::Desire { process, desired }) if *process == id => Some(match desired {
            Desired::Run => "resume",
            Desired::Pause => "pause",
            Desired::Kill => "kill",
        }),
        Ok(Ask::Nudge { process }) if *process == id => Some("nudge"),
        Ok(Ask::Desire { .. } | Ask::Nudge { .. } | Ask::Adopt { .. }) | Err(_) => None,
    }
}

fn tell(why: &json::Why) {
    let mut lines = vec![format!(
        "{} {}: {} ({})",
        why.process.id, why.process.name, why.process.phase, why.process.state
    )];
    lines.push(format!("  waits for  {}", why.waits_for));
    if let Some(limit) = &why.limit {
        lines.push(format!("  limit      {limit}"));
    }
    lines.push(format!("  next       {}", why.next));
    if let Some(when) = &why.when {
        lines.push(format!("  when       {when}"));
    }
    screen::out(&lines.join("\n"));
}
