//! What can be wrong with a file of hosts: each slip with its file, line and field, and the way out.

use super::{Host, HostsError, HostsFile, SchedulerKind, TransportKind};
use crate::jobfile::Slip;
use crate::place::Places;
use procession_batch::SpecError;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the text, or says which field does not fit.
pub(super) fn typed(text: &str, path: &Path) -> Result<HostsFile, HostsError> {
    let no_toml = |e: &toml::de::Error| {
        let line = e.span().map(|span| Places::of(text, path).line_at(span.start));
        let error = SpecError::new(
            "the file",
            "as it is",
            &format!("this is no TOML: {}", e.message()),
            "correct it",
        );
        HostsError::Wrong(vec![Slip { path: path.to_owned(), line, error }])
    };
    let toml = toml::Deserializer::parse(text).map_err(|e| no_toml(&e))?;
    serde_path_to_error::deserialize(toml).map_err(|e| {
        let field = e.path().to_string();
        let line = e.inner().span().map(|span| Places::of(text, path).line_at(span.start));
        let line = Places::of(text, path).line(&field).or(line);
        let found = if e.inner().message().starts_with("missing field") { "nothing" } else { "as it is" };
        let error = SpecError::new(field, found, e.inner().message(), "write it as docs/hosts.md says");
        HostsError::Wrong(vec![Slip { path: path.to_owned(), line, error }])
    })
}

/// What the types cannot say.
pub(super) fn check(hosts: &BTreeMap<String, Host>, text: &str, path: &Path) -> Result<(), HostsError> {
    let places = Places::of(text, path);
    let slips: Vec<Slip> = hosts
        .iter()
        .flat_map(|(name, host)| of_host(name, host))
        .map(|error| Slip { path: path.to_owned(), line: places.line(&error.field), error })
        .collect();
    if slips.is_empty() { Ok(()) } else { Err(HostsError::Wrong(slips)) }
}

fn of_host(name: &str, host: &Host) -> Vec<SpecError> {
    let mut wrong = Wrong { host: name, errors: Vec::new() };
    let tame = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(tame) {
        wrong.say("", format!("{name:?}"), "no name for a host", "use letters, digits, `-`, `_` and `.`");
    }
    way(host, &mut wrong);
    folder(host, &mut wrong);
    scheduler(host, &mut wrong);
    limits(host, &mut wrong);
    wrong.errors
}

/// What is wrong with one host.
struct Wrong<'a> {
    host: &'a str,
    errors: Vec<SpecError>,
}

impl Wrong<'_> {
    fn say(&mut self, field: &str, value: String, why: &str, way_out: &str) {
        let host = self.host;
        let field = if field.is_empty() { format!("hosts.{host}") } else { format!("hosts.{host}.{field}") };
        self.errors.push(SpecError::new(field, value, why, way_out));
    }
}

fn way(host: &Host, wrong: &mut Wrong<'_>) {
    match (host.transport, &host.ssh) {
        (TransportKind::Local, None) => {}
        (TransportKind::Local, Some(_)) => {
            let way_out = "write `transport = \"ssh\"` too";
            wrong.say("ssh", "given".into(), "this host is reached without it", way_out);
        }
        (TransportKind::Ssh, None) => {
            let way_out = "name it as you would for `ssh`: `ssh = \"cluster\"`";
            wrong.say("transport", "\"ssh\"".into(), "nobody says which ssh host it is", way_out);
        }
        (TransportKind::Ssh, Some(ssh)) if ssh.host.is_empty() || ssh.host.starts_with('-') => {
            let way_out = "name it as you would for `ssh`";
            wrong.say("ssh", format!("{:?}", ssh.host), "no name of an ssh host", way_out);
        }
        (TransportKind::Ssh, Some(_)) => {}
    }
}

fn folder(host: &Host, wrong: &mut Wrong<'_>) {
    let Some(work) = &host.work else { return };
    let shown = format!("{:?}", work.display().to_string());
    let below_home = host.transport == TransportKind::Ssh && work.starts_with("~");
    let text = work.to_str().unwrap_or_default();
    if !work.is_absolute() && !below_home {
        wrong.say("work", shown, "it is not absolute", "begin with /, or on an ssh host with ~/");
    } else if text.is_empty() || text.contains(['\n', '\0']) || text.split('/').any(|part| part == "..") {
        wrong.say("work", shown, "not a folder that is the same from everywhere", "give it without `..`");
    }
}

fn scheduler(host: &Host, wrong: &mut Wrong<'_>) {
    if let Some(jobs) = host.jobs.filter(|_| host.scheduler != SchedulerKind::Direct) {
        wrong.say("jobs", jobs.to_string(), "the scheduler itself limits the jobs at once", "leave it out");
    }
    let settings = [
        ("gridengine", host.gridengine.is_some(), SchedulerKind::GridEngine),
        ("lsf", host.lsf.is_some(), SchedulerKind::Lsf),
    ];
    for (field, given, scheduler) in settings {
        if given && host.scheduler != scheduler {
            let way_out = "leave it out, or correct `scheduler`";
            wrong.say(field, "given".into(), "this host has another scheduler", way_out);
        }
    }
    let queues = &host.site.queues;
    if let Some(queue) =
        host.site.queue.as_ref().filter(|queue| !queues.is_empty() && !queues.contains_key(*queue))
    {
        let way_out = format!("choose one of {}", queues.keys().cloned().collect::<Vec<_>>().join(", "));
        wrong.say("site.queue", format!("{queue:?}"), "there is no such queue below", &way_out);
    }
}

fn limits(host: &Host, wrong: &mut Wrong<'_>) {
    let limits = &host.limits;
    let counts = [
        ("sessions", limits.sessions),
        ("channels", limits.channels),
        ("opens_an_hour", limits.opens_an_hour),
    ];
    for (field, _) in counts.iter().filter(|(_, count)| *count == Some(0)) {
        let way_out = "give 1 or more, or leave it out";
        wrong.say(&format!("limits.{field}"), "0".into(), "nothing could ever be done there", way_out);
    }
    if limits.poll.is_some_and(|poll| poll.seconds() == 0) {
        let way_out = "give at least 1s, or leave it out";
        wrong.say("limits.poll", "0s".into(), "it would be asked all the time", way_out);
    }
}
