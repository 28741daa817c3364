//! `up`: a runtime that carries on with all that is unfinished.

use super::session::{IfHeld, Session, Until};
use super::{Desk, verdict};
use crate::args::Up;
use crate::exit::{Exit, Trouble};
use crate::follow::{Follow, Whom};
use crate::progress::Progress;
use crate::{Hosts, json};

/// Carries on.
pub(crate) fn up(desk: &Desk, args: Up) -> Result<Exit, Trouble> {
    if args.own_session {
        // It fails for the leader of a group, who has nothing to leave.
        let _ = rustix::process::setsid();
    }
    let mut hosts = desk.hosts()?;
    if let Some(jobs) = args.jobs {
        hosts.limit(Hosts::LOCAL, jobs);
    }
    desk.store.make()?;
    let mut follow = Follow::begin(&desk.store, Whom::All)?;
    let mut progress = Progress::new(&desk.global);
    let until = if args.stay { Until::Stopped } else { Until::NothingIsLeft };
    let session = Session { desk, hosts: &hosts, until, if_held: IfHeld::Refuse };
    let went = session.go(&mut follow, &mut progress)?;
    let exit = match (went.interrupted, went.parked) {
        (true, _) => Exit::Interrupted,
        (false, 0) => verdict(follow.seen()),
        (false, _) => Exit::Failed,
    };
    if desk.global.json {
        let (store, processes) = (desk.store.folder(), follow.seen().cloned().collect());
        let (exit, interrupted) = (exit.code(), went.interrupted);
        json::print(&json::Run { store, exit, interrupted, detached: false, processes });
    } else if went.interrupted {
        progress.say("left as it is; `procession up` carries on");
    } else if follow.count().0 == 0 {
        progress.say(&format!("nothing is unfinished in {}", desk.store.folder().display()));
    }
    Ok(exit)
}
