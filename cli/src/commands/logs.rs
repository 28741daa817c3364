//! `logs`: what a process has written, while it runs and afterwards.

use super::Desk;
use super::session::TICK;
use super::watch::Vigil;
use crate::args::Logs;
use crate::exit::{Exit, Trouble};
use crate::kinds::job;
use crate::signals::Signals;
use crate::{json, screen};
use procession::ProcessId;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How much is read at a time, in bytes.
const PIECE: usize = 64 << 10;

/// Prints what was written; with `--follow` until the process has ended.
pub(crate) fn logs(desk: &Desk, args: &Logs) -> Result<Exit, Trouble> {
    let stream = if args.errors { "stderr" } else { "stdout" };
    let mut tail = Tail::default();
    if !args.follow || desk.global.json {
        let (files, _) = look(desk, args.id, stream)?;
        let (file, bytes) = tail.read(&files)?.ok_or(Trouble::NoLogs { id: args.id })?;
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
    loop {
        // Whether it is over is asked first: what it wrote last is read then.
        let (files, is_over) = look(desk, args.id, stream)?;
        if let Some((_, bytes)) = tail.read(&files)?
            && !bytes.is_empty()
            && !screen::out_bytes(&bytes)
        {
            return Ok(Exit::Well);
        }
        if is_over {
            return Ok(Exit::Well);
        }
        vigil.look();
        if signals.wait(TICK) > 0 {
            return Ok(Exit::Interrupted);
        }
    }
}

/// Where the stream may lie, the likeliest first, and whether the process is over.
fn look(desk: &Desk, id: ProcessId, stream: &str) -> Result<(Vec<PathBuf>, bool), Trouble> {
    let (reader, row) = desk.find(id)?;
    let is_over = row.stage.is_end();
    let Some(job) = job::read(&row) else {
        return Err(Trouble::HasNone { id, kind: row.kind.into_owned(), what: "logs" });
    };
    let hosts = desk.hosts()?;
    let host = hosts.host(&job.job.plan.host)?;
    Ok((job.logs(stream, reader.uid()?, host, &desk.store), is_over))
}

/// How far the log was read. The file at home is a copy of the one on the host, so the place is the same in both; a new
/// attempt has a new file, and is read from its beginning.
#[derive(Default)]
struct Tail {
    of: Vec<PathBuf>,
    read: u64,
}

impl Tail {
    /// What has come since the last time, and from where; none if there is no file.
    fn read(&mut self, files: &[PathBuf]) -> Result<Option<(PathBuf, Vec<u8>)>, Trouble> {
        if self.of != files && !files.is_empty() {
            *self = Tail { of: files.to_owned(), read: 0 };
        }
        for path in files {
            match rest(path, self.read) {
                Ok(bytes) => {
                    self.read += bytes.len() as u64;
                    return Ok(Some((path.clone(), bytes)));
                }
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => return Err(Trouble::File { path: path.clone(), why }),
            }
        }
        Ok(None)
    }
}

fn rest(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::with_capacity(PIECE);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
