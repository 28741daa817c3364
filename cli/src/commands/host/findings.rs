//! What a check has found, and what to do about it. Pure: it is given what the host said.

use crate::hosts::{Host, SchedulerKind, TransportKind};
use crate::screen;
use procession::transport::TransportError;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Finding {
    /// `connection`, `work folder`, `scheduler`, `tools`, `queues`, `clock`, `space` or `shell`.
    pub(crate) what: &'static str,
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) told: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

/// What that means for jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Well,
    /// Jobs can run, but somebody should know.
    Odd,
    /// Jobs cannot run.
    Bad,
}

/// What the host said about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Looked {
    /// The lines of `check.sh`.
    pub(super) lines: Vec<String>,
    /// What was said around them.
    pub(super) noise: String,
    /// Why there are no lines.
    pub(super) trouble: Option<String>,
}

/// A clock that is off by more than this makes files look as if they were from another time.
const MOST_SKEW_MS: i64 = 5_000;
/// With less room than this, in KiB, a job of any size is likely to fail.
const LEAST_FREE_KIB: u64 = 1 << 20;

fn well(what: &'static str, told: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Well, told: told.into(), remedy: None }
}

fn odd(what: &'static str, told: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Odd, told: told.into(), remedy: Some(remedy.into()) }
}

fn bad(what: &'static str, told: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { what, verdict: Verdict::Bad, told: told.into(), remedy: Some(remedy.into()) }
}

/// Whether the host can be reached, by the error of the first thing that was asked of it.
pub(super) fn connected(name: &str, host: &Host, error: Option<&TransportError>) -> Finding {
    let ssh = host.ssh.as_ref().map_or(name, |ssh| ssh.host.as_str());
    let remedy = match error {
        Some(TransportError::Unreachable { .. }) => {
            format!("see whether `ssh {ssh}` works; if it does, compare hosts.{name}.ssh with what it uses")
        }
        Some(TransportError::AuthFailed { .. }) => {
            format!(
                "load the key with `ssh-add`, or name it with hosts.{name}.ssh.identity; `ssh -v {ssh}` says more"
            )
        }
        Some(TransportError::HostKeyChanged { .. }) => format!(
            "ask its administrators whether the key was changed; only then `ssh-keygen -R {ssh}`, and connect with `ssh {ssh}`"
        ),
        Some(TransportError::HostKeyUnknown { .. }) => format!(
            "compare the key while connecting once with `ssh {ssh}`, or trust it at first sight with hosts.{name}.ssh.accept_new = true"
        ),
        Some(TransportError::TimedOut(_) | TransportError::Protocol(_) | TransportError::Cancelled) => {
            format!("see what `ssh {ssh} true` prints; it should print nothing")
        }
        Some(_) | None => {
            let told = match host.transport {
                TransportKind::Local => "this machine".to_owned(),
                TransportKind::Ssh => format!("through ssh, as {ssh}"),
            };
            return well("connection", told);
        }
    };
    bad("connection", error.map(ToString::to_string).unwrap_or_default(), remedy)
}

/// Whether files can be made in the work folder.
pub(super) fn work_folder(host: &Host, error: Option<TransportError>) -> Finding {
    let Some(error) = error else { return well("work folder", "a file was written, read and removed") };
    let folder = host.work.as_ref().map_or("the default".to_owned(), |work| work.display().to_string());
    let remedy = match &error {
        TransportError::Permission(_) => {
            format!("choose another `work` than {folder}, one that you may write to")
        }
        TransportError::NoSpace(_) => "make room, or choose a `work` on another file system".to_owned(),
        _ => format!("see that {folder} can be made there, or choose another `work`"),
    };
    bad("work folder", error.to_string(), remedy)
}

/// What the host says about itself; `when` it was asked and had answered, by our clock in milliseconds since 1970.
pub(super) fn looked(host: &Host, looked: &Looked, when: (i64, i64)) -> Vec<Finding> {
    let Looked { lines, noise, trouble } = looked;
    if let Some(trouble) = trouble {
        return vec![bad(
            "shell",
            trouble,
            "it must be able to run `sh`; see what its startup files print or do",
        )];
    }
    let all = |word: &str| -> Vec<&str> {
        lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(w, _)| *w == word)
            .map(|(_, text)| text)
            .collect()
    };
    let one = |word: &str| all(word).first().copied();
    let mut findings = vec![scheduler(host, one("scheduler"), one("silent"), one("system"))];
    let missing = all("missing");
    if !missing.is_empty() {
        let remedy =
            "see that they are in the PATH of a shell without a terminal: `prepend` comes too late for that";
        findings.push(bad("tools", format!("not there: {}", missing.join(", ")), remedy));
    }
    findings.extend(queues(host, &all("queue")));
    findings.extend(one("time").and_then(|time| time.parse().ok()).map(|time| clock(time, when)));
    findings.extend(
        one("free").and_then(|kib| kib.parse().ok()).map(|kib| space(kib, one("folder").unwrap_or("."))),
    );
    findings.push(shell(noise));
    findings
}

fn scheduler(host: &Host, version: Option<&str>, silent: Option<&str>, system: Option<&str>) -> Finding {
    let word = host.scheduler.word();
    match (host.scheduler, version, silent) {
        (SchedulerKind::Direct, _, _) => well(
            "scheduler",
            format!("none; jobs run on the host itself ({})", system.unwrap_or("unknown system")),
        ),
        (_, None, _) => bad(
            "scheduler",
            format!("there is no {word}"),
            "correct `scheduler`, or see that its commands are in the PATH of a shell without a terminal",
        ),
        (_, Some(version), Some(said)) => bad(
            "scheduler",
            format!("{version}, which does not answer: {said}"),
            "wait until its administrators have it back; jobs that are handed over wait too",
        ),
        (_, Some(version), None) => well("scheduler", version),
    }
}

fn queues(host: &Host, there: &[&str]) -> Option<Finding> {
    let unknown: Vec<&str> =
        host.site.queues.keys().map(String::as_str).filter(|queue| !there.contains(queue)).collect();
    match (there.is_empty(), unknown.is_empty()) {
        (true, _) => None,
        (false, true) => Some(well("queues", there.join(", "))),
        (false, false) => Some(odd(
            "queues",
            format!("{}; not there: {}", there.join(", "), unknown.join(", ")),
            "correct their names in `site.queues`",
        )),
    }
}

fn clock(theirs: i64, (asked, answered): (i64, i64)) -> Finding {
    // They said it in whole seconds, at some moment between the two.
    let (least, most) = (
        theirs.saturating_mul(1000).saturating_sub(answered),
        theirs.saturating_mul(1000).saturating_add(999).saturating_sub(asked),
    );
    let skew = if least > 0 {
        least
    } else if most < 0 {
        most
    } else {
        0
    };
    if skew.abs() <= MOST_SKEW_MS {
        return well("clock", "as ours");
    }
    let which = if skew > 0 { "ahead of" } else { "behind" };
    let told = format!("{} {which} ours", screen::span(skew.abs() / 1000));
    odd(
        "clock",
        told,
        "times of files and of jobs there are off by that; a time server would help (chrony, ntpd)",
    )
}

fn space(kib: u64, folder: &str) -> Finding {
    let told = format!("{} free in {folder}", screen::size(kib.saturating_mul(1024)));
    if kib < LEAST_FREE_KIB {
        return odd("space", told, "make room, or choose a `work` on another file system");
    }
    well("space", told)
}

fn shell(noise: &str) -> Finding {
    if noise.trim().is_empty() {
        return well("shell", "prints nothing of its own");
    }
    let told: String = format!("prints {:?}", screen::one_line(noise)).chars().take(100).collect();
    odd(
        "shell",
        told,
        "it does no harm here, but breaks scp and rsync: let startup files print only to a terminal",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::{Site, Ssh};

    fn cluster() -> Host {
        let site = Site { queues: [("short".to_owned(), Default::default())].into(), ..Site::default() };
        let ssh = Some(Ssh { host: "login".into(), ..Ssh::default() });
        Host { transport: TransportKind::Ssh, ssh, scheduler: SchedulerKind::Slurm, site, ..Host::default() }
    }

    fn said(lines: &[&str]) -> Looked {
        Looked { lines: lines.iter().map(ToString::to_string).collect(), ..Looked::default() }
    }

    fn verdicts(findings: &[Finding]) -> Vec<(&'static str, Verdict)> {
        findings.iter().map(|finding| (finding.what, finding.verdict)).collect()
    }

    const HEALTHY: [&str; 6] = [
        "time 1000",
        "system Linux 6.1",
        "folder /work",
        "free 5000000",
        "scheduler slurm 22.05.8",
        "queue short",
    ];

    #[test]
    fn a_healthy_host_is_well_in_all() {
        let findings = looked(&cluster(), &said(&HEALTHY), (999_900, 1_000_300));
        assert!(findings.iter().all(|f| f.verdict == Verdict::Well), "{findings:?}");
        assert_eq!(findings[0].told, "slurm 22.05.8");
        assert_eq!(connected("cluster", &cluster(), None).verdict, Verdict::Well);
    }

    #[test]
    fn each_failure_has_its_remedy() {
        let (host, text) = ("h".to_owned(), || "x".to_owned());
        let errors = [
            (TransportError::Unreachable { host: host.clone(), why: text() }, "`ssh login` works"),
            (TransportError::AuthFailed { host: host.clone(), why: text() }, "ssh-add"),
            (TransportError::HostKeyChanged { host: host.clone(), why: text() }, "administrators"),
            (TransportError::HostKeyUnknown { host, why: text() }, "accept_new"),
            (TransportError::TimedOut(text()), "print nothing"),
        ];
        for (error, words) in errors {
            let finding = connected("cluster", &cluster(), Some(&error));
            assert_eq!(finding.verdict, Verdict::Bad);
            assert!(finding.remedy.as_ref().is_some_and(|remedy| remedy.contains(words)), "{finding:?}");
        }
        for error in [
            TransportError::Permission(text()),
            TransportError::NoSpace(text()),
            TransportError::Exists(text()),
        ] {
            let folder = work_folder(&cluster(), Some(error));
            assert!(folder.verdict == Verdict::Bad && folder.remedy.is_some());
        }
    }

    #[test]
    fn what_is_odd_does_not_fail_and_what_stops_jobs_does() {
        let odd = ["time 1060", "folder /work", "free 500", "scheduler slurm 22.05.8", "queue other"];
        let noisy = Looked { noise: "Welcome!\x1b[2J\n".into(), ..said(&odd) };
        let findings = looked(&cluster(), &noisy, (1_000_000, 1_000_300));
        let expected = [
            ("scheduler", Verdict::Well),
            ("queues", Verdict::Odd),
            ("clock", Verdict::Odd),
            ("space", Verdict::Odd),
            ("shell", Verdict::Odd),
        ];
        assert_eq!(verdicts(&findings), expected);
        assert!(findings[2].told.starts_with("59s ahead"), "{findings:?}");
        let silent = looked(
            &cluster(),
            &said(&["scheduler slurm 22.05.8", "silent no answer", "missing awk"]),
            (0, 0),
        );
        assert_eq!(verdicts(&silent)[..2], [("scheduler", Verdict::Bad), ("tools", Verdict::Bad)]);
        let none = looked(&cluster(), &said(&["time 0"]), (0, 0));
        assert_eq!(verdicts(&none)[0], ("scheduler", Verdict::Bad));
        let broken = Looked { trouble: Some("cut".into()), ..Looked::default() };
        assert_eq!(verdicts(&looked(&cluster(), &broken, (0, 0))), [("shell", Verdict::Bad)]);
    }
}
