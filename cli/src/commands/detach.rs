//! `run --detach`: processes are given to a runtime in the background.

use super::Desk;
use super::session::TICK;
use crate::exit::Trouble;
use crate::follow::Follow;
use crate::signals::Signals;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

/// So many ticks we wait for a runtime to take the processes over: a minute.
const TICKS: u32 = 1200;

/// Waits until the processes are in the journal. Starts a runtime in the background if none has `heard` of them.
pub(super) fn detach(
    desk: &Desk,
    jobs: Option<u32>,
    heard: bool,
    follow: &mut Follow,
) -> Result<(), Trouble> {
    let mut child = if heard { None } else { Some(start(desk, jobs)?) };
    let mut signals = Signals::listen()?;
    for _ in 0..TICKS {
        follow.look()?;
        if follow.are_there() {
            return Ok(());
        }
        if let Some(died) = child.as_mut().and_then(|child| child.try_wait().transpose()) {
            // Another runtime may have been faster to take the journal; then that one has the letters.
            let held = crate::Exit::Store.code().into();
            match died.map(|status| status.code() == Some(held)) {
                Ok(true) => child = None,
                Ok(false) | Err(_) => return Err(not_started(desk)),
            }
        }
        if signals.wait(TICK) > 0 {
            break;
        }
    }
    Err(Trouble::NotTaken { log: desk.store.log() })
}

/// Starts `procession up` with nothing of ours: no terminal, no open file, and soon a session of its own.
fn start(desk: &Desk, jobs: Option<u32>) -> Result<Child, Trouble> {
    let path = desk.store.log();
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let log = log.map_err(|why| Trouble::File { path: path.clone(), why })?;
    let said = log.try_clone().map_err(|why| Trouble::File { path, why })?;
    let program = std::env::current_exe().map_err(|why| Trouble::System { what: "our own path", why })?;
    let mut command = Command::new(program);
    command.arg("up").arg("--own-session").arg("--store").arg(desk.store.folder());
    if let Some(hosts) = &desk.global.hosts {
        command.arg("--hosts").arg(std::path::absolute(hosts).unwrap_or_else(|_| hosts.clone()));
    }
    if let Some(jobs) = jobs {
        command.arg("--jobs").arg(jobs.to_string());
    }
    // Its log has lines, also if ours has colours.
    command.env("NO_COLOR", "1").current_dir("/").stdin(Stdio::null()).stdout(said).stderr(log);
    command.spawn().map_err(|why| Trouble::System { what: "a background runtime", why })
}

fn not_started(desk: &Desk) -> Trouble {
    let log = desk.store.log();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let said = text.lines().next_back().unwrap_or("it said nothing").to_owned();
    Trouble::NotStarted { said, log }
}
