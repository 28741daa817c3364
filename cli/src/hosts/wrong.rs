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
    let mut errors = Vec::new();
    let mut wrong = |field: &str, value: String, why: &str, way_out: &str| {
        let field = if field.is_empty() { format!("hosts.{name}") } else { format!("hosts.{name}.{field}") };
        errors.push(SpecError::new(field, value, why, way_out));
    };
    let tame = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with(['-', '.']) || !name.chars().all(tame) {
        wrong("", format!("{name:?}"), "no name for a host", "use letters, digits, `-`, `_` and `.`");
    }
    match (host.transport, &host.ssh) {
        (TransportKind::Local, None) => {}
        (TransportKind::Local, Some(_)) => {
            wrong(
                "ssh",
                "given".into(),
                "this host is reached without it",
                "write `transport = \"ssh\"` too",
            );
        }
        (TransportKind::Ssh, None) => {
            let way_out = "name it as you would for `ssh`: `ssh = \"cluster\"`";
            wrong("transport", "\"ssh\"".into(), "nobody says which ssh host it is", way_out);
        }
        (TransportKind::Ssh, Some(ssh)) if ssh.host.is_empty() || ssh.host.starts_with('-') => {
            wrong(
                "ssh",
                format!("{:?}", ssh.host),
                "no name of an ssh host",
                "name it as you would for `ssh`",
            );
        }
        (TransportKind::Ssh, Some(_)) => {}
    }
    if let Some(work) = &host.work {
        let shown = format!("{:?}", work.display().to_string());
        let below_home = host.transport == TransportKind::Ssh && work.starts_with("~");
        let text = work.to_str().unwrap_or_default();
        if !work.is_absolute() && !below_home {
            wrong("work", shown, "it is not absolute", "begin with /, or on an ssh host with ~/");
        } else if text.contains(['\n', '\0']) || text.split('/').any(|part| part == "..") {
            wrong("work", shown, "not a folder that is the same from everywhere", "give it without `..`");
        }
    }
    if host.jobs.is_some() && host.scheduler != SchedulerKind::Direct {
        let why = "the scheduler itself limits the jobs at once";
        wrong("jobs", format!("{:?}", host.jobs.unwrap_or_default()), why, "leave it out");
    }
    let limits = &host.limits;
    let counts = [
        ("sessions", limits.sessions),
        ("channels", limits.channels),
        ("opens_an_hour", limits.opens_an_hour),
    ];
    for (field, _) in counts.iter().filter(|(_, count)| *count == Some(0)) {
        wrong(
            &format!("limits.{field}"),
            "0".into(),
            "nothing could ever be done there",
            "give 1 or more, or leave it out",
        );
    }
    if limits.poll.is_some_and(|poll| poll.seconds() == 0) {
        wrong(
            "limits.poll",
            "0s".into(),
            "it would be asked all the time",
            "give at least 1s, or leave it out",
        );
    }
    let site = &host.site;
    if let Some(queue) =
        site.queue.as_ref().filter(|queue| !site.queues.is_empty() && !site.queues.contains_key(*queue))
    {
        let known = site.queues.keys().cloned().collect::<Vec<_>>().join(", ");
        wrong(
            "site.queue",
            format!("{queue:?}"),
            "there is no such queue below",
            &format!("choose one of {known}"),
        );
    }
    errors
}
