//! `watch`: follow processes, whoever runs them.

use super::session::TICK;
use super::{Desk, verdict};
use crate::args::Watch;
use crate::exit::{Exit, Trouble};
use crate::follow::{Follow, Whom};
use crate::progress::Progress;
use crate::screen;
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
    let mut vigil = Vigil::new(desk);
    loop {
        let changes = follow.look()?;
        let count = follow.count();
        if !changes.iter().all(|view| progress.on_change(view, count)) {
            return Ok(Exit::Well);
        }
        if follow.is_over() {
            return Ok(verdict(follow.seen()));
        }
        vigil.look();
        if signals.wait(TICK) > 0 {
            return Ok(Exit::Interrupted);
        }
    }
}

/// Watches over the runtime, for somebody who waits for what it does: says so when none is at work.
pub(super) struct Vigil<'a> {
    desk: &'a Desk,
    ticks: u32,
    alone: bool,
}

impl Vigil<'_> {
    /// So many ticks are between two looks: about a second.
    const TICKS: u32 = 20;

    pub(super) fn new(desk: &Desk) -> Vigil<'_> {
        Vigil { desk, ticks: 0, alone: false }
    }

    /// To be called with each tick.
    pub(super) fn look(&mut self) {
        let is_due = self.ticks.is_multiple_of(Vigil::TICKS);
        self.ticks = self.ticks.wrapping_add(1);
        if !is_due {
            return;
        }
        let alone = self.desk.store.holder().is_none();
        if alone && !self.alone && !self.desk.global.quiet {
            screen::err(
                "no runtime is at work, so nothing changes; `procession up` carries on (still watching)",
            );
        }
        self.alone = alone;
    }
}
