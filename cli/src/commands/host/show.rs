//! `host list` and `host show`: what the file says, and what the runtime at work says.

use super::super::Desk;
use crate::board::{Board, Now};
use crate::exit::{Exit, Trouble};
use crate::follow::LIVE;
use crate::hosts::{Host, TransportKind};
use crate::json;
use crate::screen::{self, Paint};
use crate::view::View;
use procession::journal::Filter;
use procession::pool::{Health, Report, SessionStage};
use std::collections::BTreeMap;

/// Lists the hosts.
pub(super) fn list(desk: &Desk) -> Result<Exit, Trouble> {
    let hosts = desk.hosts()?;
    let board = Board::look(&desk.store);
    let unfinished = unfinished(desk)?;
    let listed = hosts.iter().map(|(name, host)| json::HostLine {
        name: name.to_owned(),
        transport: host.transport.word(),
        scheduler: host.scheduler.word(),
        ssh: host.ssh.as_ref().map(|ssh| ssh.host.clone()),
        work: host.work.clone(),
        health: health(host, board.as_ref().and_then(|board| board.hosts.get(name))),
        unfinished: unfinished.get(name).copied().unwrap_or(0),
    });
    let listed = json::HostList { file: hosts.file().map(ToOwned::to_owned), hosts: listed.collect() };
    if desk.global.json {
        json::print(&listed);
        return Ok(Exit::Well);
    }
    let rows: Vec<Vec<String>> = listed.hosts.into_iter().map(cells).collect();
    screen::out(&screen::table(&["HOST", "TRANSPORT", "SCHEDULER", "HEALTH", "UNFINISHED", "WORK"], &rows));
    if listed.file.is_none() {
        screen::err(
            "there is no file of hosts; docs/hosts.md says how to write ~/.config/procession/hosts.toml",
        );
    }
    Ok(Exit::Well)
}

fn cells(line: json::HostLine) -> Vec<String> {
    let transport = line.ssh.map_or(line.transport.to_owned(), |ssh| format!("{} {ssh}", line.transport));
    let work = line.work.map_or("-".to_owned(), |work| work.display().to_string());
    vec![
        line.name,
        transport,
        line.scheduler.to_owned(),
        line.health.to_owned(),
        line.unfinished.to_string(),
        work,
    ]
}

/// Of a host that nobody uses, nobody knows.
fn health(host: &Host, now: Option<&Now>) -> &'static str {
    match (host.transport, now.and_then(|now| now.pool.as_ref())) {
        (TransportKind::Local, _) => "up",
        (TransportKind::Ssh, None) => "unknown",
        (TransportKind::Ssh, Some(report)) => word(report.health),
    }
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Unknown => "unknown",
        Health::Up => "up",
        Health::Degraded => "degraded",
        Health::Down => "down",
        Health::NeedsAuth => "needs-auth",
    }
}

/// How many processes of each host have not ended.
fn unfinished(desk: &Desk) -> Result<BTreeMap<String, usize>, Trouble> {
    let mut counts = BTreeMap::new();
    if let Some(reader) = desk.store.look()? {
        for row in reader.processes(&Filter { stages: LIVE.to_vec(), kind: None })?.into_iter().flatten() {
            if let Some(host) = View::of(row).host {
                *counts.entry(host).or_insert(0) += 1;
            }
        }
    }
    Ok(counts)
}

/// Shows one host.
pub(super) fn show(desk: &Desk, name: &str) -> Result<Exit, Trouble> {
    let hosts = desk.hosts()?;
    let host = hosts.host(name)?.clone();
    let board = Board::look(&desk.store);
    let unfinished = unfinished(desk)?.get(name).copied().unwrap_or(0);
    let runtime = desk.store.holder().is_some();
    let now = board.and_then(|mut board| board.hosts.remove(name));
    let shown = json::HostShow { name: name.to_owned(), host, runtime, unfinished, now };
    if desk.global.json {
        json::print(&shown);
    } else {
        tell(&shown);
    }
    Ok(Exit::Well)
}

fn tell(shown: &json::HostShow) {
    let paint = Paint::of(&std::io::stdout());
    let mut lines = vec![paint.strong(&shown.name)];
    let mut say = |what: &str, text: String| lines.push(format!("  {what:<10} {text}"));
    let host = &shown.host;
    let ssh = host.ssh.as_ref().map_or(String::new(), |ssh| format!(" {}", ssh.host));
    say("reached", format!("{}{ssh}", host.transport.word()));
    say("scheduler", host.scheduler.word().to_owned());
    if let Some(work) = &host.work {
        say("work", work.display().to_string());
    }
    for (name, queue) in &host.site.queues {
        say("queue", format!("{name} {}", limits(queue)).trim_end().to_owned());
    }
    say("unfinished", shown.unfinished.to_string());
    match &shown.now {
        Some(now) => {
            say("limit", now.limit.clone());
            if let Some(report) = &now.pool {
                pool(report, paint, &mut say);
            }
        }
        None if shown.runtime => say("now", "the runtime at work does not use it".to_owned()),
        None => say("now", "no runtime is at work, so nothing of it is in use".to_owned()),
    }
    screen::out(&lines.join("\n"));
}

fn limits(queue: &crate::hosts::Queue) -> String {
    let json = serde_json::to_value(queue).unwrap_or_default();
    let fields = json.as_object().into_iter().flatten();
    fields
        .map(|(name, limit)| format!("{name} {}", limit.to_string().trim_matches('"')))
        .collect::<Vec<_>>()
        .join(", ")
}

fn pool(report: &Report, paint: Paint, say: &mut impl FnMut(&str, String)) {
    let word = word(report.health);
    let painted = match report.health {
        Health::Up => paint.good(word),
        Health::Unknown | Health::Degraded => paint.still(word),
        Health::Down | Health::NeedsAuth => paint.bad(word),
    };
    say(
        "health",
        format!("{painted} since {} ({} ago)", screen::moment(report.since), screen::age(report.since)),
    );
    if let Some(why) = &report.why {
        say("", screen::one_line(why));
    }
    if let Some(at) = report.next_try {
        say("next try", screen::moment(at));
    }
    say("sessions", format!("{} of {} open at once", report.sessions.len(), report.max_sessions));
    for session in &report.sessions {
        let stage = match session.stage {
            SessionStage::Opening => "is being opened",
            SessionStage::Serving => "serves",
            SessionStage::Draining => "gets no new work",
        };
        let age = screen::age(session.since);
        say(
            "",
            format!(
                "#{} {stage} since {age}, {} of {} channels in use",
                session.number, session.channels, session.limit
            ),
        );
    }
    say("opened", format!("{} of {} in the last hour", report.opened_in_hour, report.hourly));
    let waiting = report.waiting;
    say(
        "waiting",
        format!("{} to control, {} to work, {} for the host", waiting.control, waiting.work, waiting.host),
    );
}
