//! Who hears of it: watchers of each phase, waiters for the end.

use crate::process::few::Few;
use crate::process::life::{Life, Marks};
use crate::process::row::Kept;
use crate::process::{OutcomeOf, PhaseOf, Process};
use stakker::{CX, Fwd};

/// Begins to tell `watcher` of the phases: of the present one at once.
pub(in crate::process) fn on_watch<P: Process>(this: &mut P, _: CX![P], watcher: Fwd<PhaseOf<P>>) {
    let life = this.life();
    watcher.fwd(life.phase());
    life.marks.set(Marks::WATCHED);
    life.desk.keep(life.place, Kept::Watcher(watcher));
}

/// Lets the watchers know, once for each burst of transitions: they see the latest phase, not each one between.
#[inline]
pub(super) fn tell<P: Process>(life: &mut Life<P>, cx: CX![P]) {
    if life.marks.any(Marks::WATCHED) && !life.marks.any(Marks::TELLING) {
        life.marks.set(Marks::TELLING);
        tell_later(cx);
    }
}

fn tell_later<P: Process>(cx: CX![P]) {
    let actor = cx.this().clone();
    cx.lazy(move |s| {
        actor.apply(s, |this, _| {
            let life = this.life();
            life.marks.clear(Marks::TELLING);
            let phase = life.phase();
            life.desk.lend(life.place, |kept| tell_watchers(kept, &phase));
        });
    });
}

/// Tells everybody who waits for the end of a process.
pub(in crate::process) fn tell_end<P: Process>(kept: Few<Kept<P>>, outcome: &OutcomeOf<P>) {
    if kept.as_slice().iter().any(|kept| matches!(kept, Kept::Watcher(_))) {
        tell_watchers(kept.as_slice(), &outcome.clone().into());
    }
    kept.consume(|kept| match kept {
        Kept::Waiter(waiter) => waiter.ret(outcome.clone()),
        Kept::Guard(guard) => drop(guard),
        Kept::Watcher(watcher) => drop(watcher),
    });
}

fn tell_watchers<P: Process>(kept: &[Kept<P>], phase: &PhaseOf<P>) {
    for kept in kept {
        match kept {
            Kept::Watcher(watcher) => watcher.fwd(phase.clone()),
            Kept::Guard(_) | Kept::Waiter(_) => {}
        }
    }
}
