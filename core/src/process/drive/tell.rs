//! Who hears of it: watchers of each phase, waiters for the end.

use crate::process::few::Few;
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
#[inline]
pub(super) fn tell<P: Process>(life: &mut Life<P>, cx: CX![P]) {
    if life.more.is_some() && !life.marks.any(Marks::TELLING) {
        begin_to_tell(life, cx);
    }
}

fn begin_to_tell<P: Process>(life: &mut Life<P>, cx: CX![P]) {
    if life.more.as_ref().is_some_and(|more| is_watched(more.kept.as_slice())) {
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
            if let Some(more) = &life.more {
                tell_watchers(more.kept.as_slice(), &phase);
            }
        });
    });
}

/// Tells everybody who waits for the end of a process.
pub(in crate::process) fn tell_end<P: Process>(more: &mut More<P>, outcome: &OutcomeOf<P>) {
    let kept = std::mem::replace(&mut more.kept, Few::None);
    if is_watched(kept.as_slice()) {
        tell_watchers(kept.as_slice(), &outcome.clone().into());
    }
    kept.consume(|kept| match kept {
        Kept::Waiter(waiter) => waiter.ret(outcome.clone()),
        Kept::Guard(guard) => drop(guard),
        Kept::Watcher(watcher) => drop(watcher),
    });
}

fn is_watched<P: Process>(kept: &[Kept<P>]) -> bool {
    kept.iter().any(|kept| matches!(kept, Kept::Watcher(_)))
}

fn tell_watchers<P: Process>(kept: &[Kept<P>], phase: &PhaseOf<P>) {
    for kept in kept {
        match kept {
            Kept::Watcher(watcher) => watcher.fwd(phase.clone()),
            Kept::Guard(_) | Kept::Waiter(_) => {}
        }
    }
}
