//! Who hears of it: watchers of each phase, waiters for the end.

use crate::process::life::{Kept, Life, Marks, More};
use crate::process::{OutcomeOf, PhaseOf, Process};
use stakker::{CX, Fwd, Ret};

/// Begins to tell `watcher` of the phases: of the present one at once.
pub(in crate::process) fn on_watch<P: Process>(this: &mut P, _: CX![P], watcher: Fwd<PhaseOf<P>>) {
    let life = this.life();
    watcher.fwd(life.phase());
    life.more().kept.push(Kept::Watcher(watcher));
}

pub(in crate::process) fn on_outcome<P: Process>(this: &mut P, _: CX![P], waiter: Ret<OutcomeOf<P>>) {
    this.life().more().kept.push(Kept::Waiter(waiter));
}
/// Lets the watchers know, once for each burst of transitions: they see the latest phase, not each one between.
pub(super) fn tell<P: Process>(life: &mut Life<P>, cx: CX![P]) {
    let Some(more) = &life.more else { return };
    if life.marks.any(Marks::TELLING) || !more.kept.iter().any(|kept| matches!(kept, Kept::Watcher(_))) {
        return;
    }
    life.marks.set(Marks::TELLING);
    let actor = cx.this().clone();
    cx.lazy(move |s| {
        actor.apply(s, |this, _| {
            let life = this.life();
            life.marks.clear(Marks::TELLING);
            let phase = life.phase();
            if let Some(more) = &life.more {
                tell_watchers(&more.kept, &phase);
            }
        });
    });
}

/// Tells everybody who waits for the end of a process.
pub(in crate::process) fn tell_end<P: Process>(more: &mut More<P>, outcome: &OutcomeOf<P>) {
    let kept = std::mem::take(&mut more.kept);
    tell_watchers(&kept, &outcome.clone().into());
    for kept in kept {
        match kept {
            Kept::Waiter(waiter) => waiter.ret(outcome.clone()),
            Kept::Guard(guard) => drop(guard),
            Kept::Watcher(watcher) => drop(watcher),
        }
    }
}

fn tell_watchers<P: Process>(kept: &[Kept<P>], phase: &PhaseOf<P>) {
    for kept in kept {
        match kept {
            Kept::Watcher(watcher) => watcher.fwd(phase.clone()),
            Kept::Guard(_) | Kept::Waiter(_) => {}
        }
    }
}
