//! `watch`: follow processes, whoever runs them.

use super::session::TICK;
use super::{Desk, verdict};
use crate::args::Watch;
use crate::exit::{Exit, Trouble};
use crate::follow::{Follow, Whom};
use crate::progress::Progress;
use crate::signals::Signals;

/// Follows until all have ended. Ctrl-C ends the watching only.
pub(crate) fn watch(desk: &Desk, args: Watch) -> Result<Exit, Trouble> {
    for id in &args.ids {
        desk.find(*id)?;
    }
    let mut progress = if desk.global.json { Progress::Json } else { Progress::new(&desk.global) };
    if desk.store.look()?.is_none() {
        progress.say("nothing to watch: no process was ever run here");
        return Ok(Exit::Well);
    }
    let whom = if args.ids.is_empty() { Whom::All } else { Whom::Ids(args.ids) };
    let mut follow = Follow::begin(&desk.store, whom)?;
    let mut signals = Signals::listen()?;
    loop {
        let changes = follow.look()?;
        let count = follow.count();
        if !changes.iter().all(|view| progress.on_change(view, count)) {
            return Ok(Exit::Well);
        }
        if follow.is_over() {
            return Ok(verdict(follow.seen()));
        }
        if signals.wait(TICK) > 0 {
            return Ok(Exit::Interrupted);
        }
    }
}
