//! `logs`: what a process has written, while it runs and afterwards.

use super::Desk;
use super::session::TICK;
use super::watch::Vigil;
use crate::args::Logs;
use crate::exit::{Exit, Trouble};
use crate::hosts::TransportKind;
use crate::kinds::{self, job};
use crate::reach::Reach;
use crate::signals::Signals;
use crate::{json, screen};
use procession::ProcessId;
use procession::transport::{Ended, Exec, Op, RemotePath};
use procession_batch::dialect::sh;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much is read at a time, in bytes.
const PIECE: usize = 64 << 10;

/// How much of a log comes from a host at a time, in bytes.
const FAR_PIECE: usize = 4 << 20;

/// Prints what was written; with `--follow` until the process has ended.
pub(crate) fn logs(desk: &Desk, args: &Logs) -> Result<Exit, Trouble> {
    let stream = if args.errors { "stderr" } else { "stdout" };
    let mut tail = Tail::default();
    if !args.follow || desk.global.json {
        let mut log = Log::of(desk, args.id, stream)?;
        let (file, bytes) = tail.read(&mut log)?.ok_or(Trouble::NoLogs { id: args.id })?;
        if desk.global.json {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            json::print(&json::Logs { id: args.id, stream, file, text });
        } else {
            screen::out_bytes(&bytes);
        }
        return Ok(Exit::Well);
    }
    let mut signals = Signals::listen()?;
    let mut vigil = Vigil::new(desk);
    let mut log = Log::of(desk, args.id, stream)?;
    loop {
        // Whether it is over is asked first: what it wrote last is read then.
        log.look(desk, stream)?;
        if let Some((_, bytes)) = tail.read(&mut log)?
            && !bytes.is_empty()
            && !screen::out_bytes(&bytes)
        {
            return Ok(Exit::Well);
        }
        if log.is_over {
            return Ok(Exit::Well);
        }
        vigil.look();
        let pause = if log.reach.is_some() { FAR_TICK } else { TICK };
        if signals.wait(pause) > 0 {
            return Ok(Exit::Interrupted);
        }
    }
}

/// A host that is not this machine is asked for more of a log no more often than this.
const FAR_TICK: Duration = Duration::from_secs(2);

/// Where a stream of a process lies.
struct Log {
    id: ProcessId,
    live: Option<Live>,
    home: PathBuf,
    /// The host, if it is not this machine.
    reach: Option<Reach>,
    is_over: bool,
}

/// The file on the host, while the job runs.
#[derive(PartialEq)]
enum Live {
    Here(PathBuf),
    There(RemotePath),
}

impl Log {
    fn of(desk: &Desk, id: ProcessId, stream: &str) -> Result<Log, Trouble> {
        let mut log = Log { id, live: None, home: PathBuf::new(), reach: None, is_over: false };
        log.look(desk, stream)?;
        Ok(log)
    }

    /// Looks where it lies now, and whether the process is over.
    fn look(&mut self, desk: &Desk, stream: &str) -> Result<(), Trouble> {
        let (reader, row) = desk.find(self.id)?;
        self.is_over = row.stage.is_end();
        let Some(job) = job::read(&row) else {
            return Err(Trouble::HasNone { id: self.id, kind: row.kind.into_owned(), what: "logs" });
        };
        let hosts = desk.hosts()?;
        let name = &job.job.plan.host;
        let host = hosts.host(name)?;
        let Some(attempt) = job.attempt() else {
            self.live = None;
            return Ok(());
        };
        self.home = job.job.plan.results_of(attempt).join("log").join(stream);
        let file = job.live(stream, reader.uid()?, attempt);
        self.live = match host.transport {
            TransportKind::Local => Some(Live::Here(kinds::work(host, &desk.store).join(file))),
            TransportKind::Ssh => file.parse().ok().map(Live::There),
        };
        // What was brought home needs no host.
        let is_far = host.transport == TransportKind::Ssh && !self.home.exists();
        if is_far && self.reach.is_none() {
            self.reach = Some(Reach::to(&desk.store, &hosts, name)?);
        }
        Ok(())
    }

    /// What stands in it after so many bytes, and where; none if it is not there.
    fn rest(&mut self, from: u64) -> Result<Option<(PathBuf, Vec<u8>)>, Trouble> {
        if let (Some(Live::There(path)), Some(reach)) = (&self.live, &mut self.reach)
            && !self.home.exists()
            && let Some(bytes) = far(reach, path, from)?
        {
            return Ok(Some((PathBuf::from(path.to_string()), bytes)));
        }
        let here = match &self.live {
            Some(Live::Here(path)) => Some(path.clone()),
            Some(Live::There(_)) | None => None,
        };
        for path in here.into_iter().chain([self.home.clone()]) {
            match rest(&path, from) {
                Ok(bytes) => return Ok(Some((path, bytes))),
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => return Err(Trouble::File { path, why }),
            }
        }
        Ok(None)
    }
}

/// Prints the rest of a file, if it is there.
const REST: &str = "[ -f \"$1\" ] || exit 44\ntail -c +\"$2\" <\"$1\"";
/// The code that says that it is not.
const NOT_THERE: i32 = 44;

fn far(reach: &mut Reach, path: &RemotePath, from: u64) -> Result<Option<Vec<u8>>, Trouble> {
    let argv = sh(REST, [path.to_string(), (from + 1).to_string()]);
    let exec = Exec { timeout: Some(Duration::from_secs(60)), keep: FAR_PIECE, ..Exec::new(argv) };
    let exit = reach.ask(|ret| Op::Exec(exec, ret))?;
    let exit = exit.map_err(|why| Trouble::Host { host: reach.name().to_owned(), why: why.to_string() })?;
    match exit.how {
        Ended::Code(0) => Ok(Some(exit.stdout)),
        Ended::Code(NOT_THERE) => Ok(None),
        Ended::Code(_) | Ended::Signal(_) => {
            let why = String::from_utf8_lossy(&exit.stderr).trim().to_owned();
            Err(Trouble::Host { host: reach.name().to_owned(), why })
        }
    }
}

/// How far the log was read. The file at home is a copy of the one on the host, so the place is the same in both; a new
/// attempt has a new file, and is read from its beginning.
#[derive(Default)]
struct Tail {
    of: PathBuf,
    read: u64,
}

impl Tail {
    /// What has come since the last time, and from where; none if there is no file.
    fn read(&mut self, log: &mut Log) -> Result<Option<(PathBuf, Vec<u8>)>, Trouble> {
        if self.of != log.home {
            *self = Tail { of: log.home.clone(), read: 0 };
        }
        let mut all: Option<(PathBuf, Vec<u8>)> = None;
        // Pieces of a host that is far, until it has no more.
        while let Some((path, bytes)) = log.rest(self.read)? {
            self.read += bytes.len() as u64;
            let is_all = bytes.len() < FAR_PIECE;
            match &mut all {
                Some((_, before)) => before.extend(bytes),
                None => all = Some((path, bytes)),
            }
            if is_all {
                break;
            }
        }
        Ok(all)
    }
}

fn rest(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::with_capacity(PIECE);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
