//! `host check`: connects, looks, writes a file and removes it, and tells what it found.

use super::super::Desk;
use super::findings::{Finding, Looked, Verdict, connected, looked, work_folder};
use crate::exit::{Exit, Trouble};
use crate::json;
use crate::reach::Reach;
use crate::screen::{self, Paint};
use procession::transport::{Exec, Exit as Ended, Op, RemotePath, TransportError};
use procession_batch::dialect::{framed, sh};
use std::time::Duration;

/// What asks the host. See the file.
const CHECK: &str = include_str!("check.sh");

/// A scheduler that is busy takes some seconds to answer; one that is away takes longer than anybody waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks a host. [`Exit::Failed`] if jobs could not run there.
pub(super) fn check(desk: &Desk, name: &str) -> Result<Exit, Trouble> {
    let hosts = desk.hosts()?;
    let host = hosts.host(name)?.clone();
    let mut reach = Reach::to(&desk.store, &hosts, name)?;
    let mut findings = Vec::new();
    let here = RemotePath::here();
    let path = here.clone();
    let made = reach.ask(|ret| Op::Mkdir { path, parents: true, ret })?;
    let connection = connected(name, &host, made.as_ref().err());
    let is_there = connection.verdict != Verdict::Bad;
    findings.push(connection);
    if is_there {
        let tried = match made {
            Ok(()) => try_folder(&mut reach)?,
            Err(why) => Err(why),
        };
        let is_writable = tried.is_ok();
        findings.push(work_folder(&host, tried.err()));
        if is_writable {
            let asked = clock();
            let exit = reach.ask(|ret| {
                let argv = sh(CHECK, [host.scheduler.word().to_owned()]);
                Op::Exec(Exec { timeout: Some(PATIENCE), ..Exec::new(argv) }, ret)
            })?;
            findings.extend(looked(&host, &read(exit), (asked, clock())));
        }
    }
    let well = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    if desk.global.json {
        json::print(&json::HostCheck { host: name.to_owned(), well, findings });
    } else {
        tell(&findings);
    }
    Ok(if well { Exit::Well } else { Exit::Failed })
}

/// Writes a file, reads it and removes it.
fn try_folder(reach: &mut Reach) -> Result<Result<(), TransportError>, Trouble> {
    let text = format!("procession host check, {}\n", std::process::id()).into_bytes();
    let path = RemotePath::here().child(&format!(".procession-check-{}", std::process::id()));
    let path = match path {
        Ok(path) => path,
        Err(why) => return Ok(Err(TransportError::Refused(why.to_string()))),
    };
    let (to, bytes) = (path.clone(), text.clone());
    if let Err(why) = reach.ask(|ret| Op::Write { path: to, bytes, mode: 0o600, ret })? {
        return Ok(Err(why));
    }
    let (from, limit) = (path.clone(), 2 * text.len() as u64);
    let read = reach.ask(|ret| Op::Read { path: from, limit, ret })?;
    let removed = reach.ask(|ret| Op::Remove { path: path.clone(), tree: false, ret })?;
    Ok(match (read, removed) {
        (Ok(read), Ok(_)) if read == text => Ok(()),
        (Ok(_), Ok(_)) => Err(TransportError::Corrupt(path.to_string())),
        (Err(why), Ok(_) | Err(_)) | (Ok(_), Err(why)) => Err(why),
    })
}

fn read(exit: Result<Ended, TransportError>) -> Looked {
    let exit = match exit {
        Ok(exit) => exit,
        Err(why) => return Looked { trouble: Some(why.to_string()), ..Looked::default() },
    };
    let text = String::from_utf8_lossy(&exit.stdout);
    let before: String = text.lines().take_while(|line| *line != procession_batch::dialect::BEGIN).collect();
    let noise = format!("{before}{}", String::from_utf8_lossy(&exit.stderr));
    match framed(&exit) {
        Ok(lines) => Looked { lines, noise, trouble: None },
        Err(why) => Looked { lines: Vec::new(), noise, trouble: Some(why.to_string()) },
    }
}

/// Milliseconds since 1970.
fn clock() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn tell(findings: &[Finding]) {
    let paint = Paint::of(&std::io::stdout());
    let mut lines = Vec::new();
    for Finding { what, verdict, told, remedy } in findings {
        let word = match verdict {
            Verdict::Well => paint.good("well"),
            Verdict::Odd => paint.still("odd "),
            Verdict::Bad => paint.bad("bad "),
        };
        lines.push(format!("{word}  {what:<11} {}", screen::one_line(told)));
        lines.extend(remedy.iter().map(|remedy| format!("                  {remedy}")));
    }
    screen::out(&lines.join("\n"));
}
