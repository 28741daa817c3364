//! The one-shot right to leave a state.

use super::desk::Desk;
use super::slab::Place;
use super::{Fault, Life, Process, State, drive, table::Said};
use stakker::{Actor, CX, Fwd, Ret};
use std::fmt::Display;
use std::rc::Rc;

/// The right to leave the present state, once. Using it consumes it; dropping it fails the process with
/// [`Fault::Abandoned`], so a process never waits for an answer that cannot come.
#[must_use = "a step that is dropped fails the process"]
pub struct Step<P: Process> {
    /// Taken when the step is used.
    desk: Option<Rc<Desk<P>>>,
    place: Place,
    /// The call of the author's code that this step was given to.
    call: u64,
    epoch: u32,
}

/// What a process said.
pub(crate) enum Word<P: Process> {
    To(P::State),
    Finish(P::Output),
    /// Boxed, because a fault is large and rare.
    Fail(Box<Fault>),
    Abandon,
    Killed,
}

impl<P: Process> Word<P> {
    pub(super) fn said(&self) -> Said {
        match self {
            Word::To(_) => Said::To,
            Word::Finish(_) => Said::Finish,
            Word::Fail(_) | Word::Abandon => Said::Fail,
            Word::Killed => Said::Killed,
        }
    }
}

impl<P: Process> Step<P> {
    /// The step that is given to a call of the author's code, which begins.
    #[inline]
    pub(super) fn new(life: &Life<P>) -> Step<P> {
        let call = life.desk.open();
        Step { desk: Some(life.desk.clone()), place: life.place, call, epoch: life.epoch }
    }

    /// Goes on to `state`. It is entered when the transition is durable.
    #[inline]
    pub fn to(self, state: P::State) {
        self.say(Word::To(state));
    }

    /// Ends the process with `output`.
    #[inline]
    pub fn finish(self, output: P::Output) {
        self.say(Word::Finish(output));
    }

    /// Ends the process with a fault whose code is `failed`.
    pub fn fail(self, reason: impl Display) {
        self.fault(Fault::new("failed", reason));
    }

    /// Ends the process with this fault.
    pub fn fault(self, fault: Fault) {
        self.say(Word::Fail(Box::new(fault)));
    }

    /// Ends a process that is to be killed, because nothing of it is left outside. Anywhere else it is a fault.
    pub fn killed(self) {
        self.say(Word::Killed);
    }

    /// Remains in this state, and gives the right back: for handlers of [`each`](Self::each) that decide to wait for
    /// the next item. The process can then be moved on only by the stream that the item came from.
    pub fn stay(self) {
        drop(self.used());
    }

    /// Turns the step into a `Ret` that will call `method` with a fresh step and the answer. If the `Ret` dies
    /// unanswered, the process fails with [`Fault::Abandoned`]; if the state was left before the answer came, the answer
    /// is logged and dropped.
    pub fn reply<T: 'static>(self, method: impl FnOnce(&mut P, CX![P], Step<P>, T) + 'static) -> Ret<T> {
        let epoch = self.epoch;
        let Some(actor) = self.into_actor() else { return Ret::new(|_| ()) };
        Ret::new(move |answer| {
            let deferrer = actor.access_deferrer().clone();
            deferrer.defer(move |s| {
                // Who waits for an answer has its value: `query` is `apply` without what that would do if it had not.
                actor.query(s, |this, cx| match answer {
                    Some(answer) => {
                        if !drive::is_current(this, epoch) {
                            return drive::on_late(this, "an answer");
                        }
                        drive::hear(this, cx, |this, cx, step| method(this, cx, step, answer));
                    }
                    None => drive::on_word(this, cx, epoch, Word::Abandon),
                });
            });
        })
    }

    /// Turns the step into a `Fwd` that will call `method` for each item of a stream, with a fresh step that the method
    /// must use: to leave, or to [`stay`](Self::stay). When the last clone of the `Fwd` is gone and the state has not been
    /// left, the process fails with [`Fault::Abandoned`].
    ///
    /// ```
    /// # use procession::*; use serde::*; use stakker::{CX, Fwd};
    /// # #[derive(Clone, Debug, Serialize, Deserialize)] enum S { Listening }
    /// # impl State for S {}
    /// # struct Third { life: Life<Self>, source: Fwd<Fwd<u32>>, seen: u32 }
    /// impl Process for Third {
    /// #   const KIND: &'static str = "third"; type State = S; type Output = u32;
    /// #   fn life(&mut self) -> &mut Life<Self> { &mut self.life }
    ///     fn advance(&mut self, _: CX![], _: S, step: Step<Self>) {
    ///         self.source.fwd(step.each(Self::on_item));
    ///     }
    /// }
    /// impl Third {
    ///     fn on_item(&mut self, _: CX![], step: Step<Self>, item: u32) {
    ///         self.seen += 1;
    ///         if self.seen == 3 { step.finish(item) } else { step.stay() }
    ///     }
    /// }
    /// # let mut runtime = Runtime::builder().build()?;
    /// # let source = Fwd::new(|sink: Fwd<u32>| (10..20).for_each(|n| sink.fwd(n)));
    /// # let third = runtime.spawn_with(S::Listening, move |life| Third { life, source: source.clone(), seen: 0 });
    /// # third.launch();
    /// # assert_eq!(runtime.run_until(&third)?, Outcome::Finished(12));
    /// # Ok::<(), RuntimeError>(())
    /// ```
    pub fn each<T: 'static>(self, method: impl Fn(&mut P, CX![P], Step<P>, T) + 'static) -> Fwd<T> {
        let epoch = self.epoch;
        let Some(actor) = self.into_actor() else { return Fwd::new(|_| ()) };
        let method = std::rc::Rc::new(method);
        let source = Source { actor: actor.clone(), epoch };
        Fwd::new(move |item| {
            let _alive = &source;
            let (target, method) = (actor.clone(), method.clone());
            actor.defer(move |s| {
                target.apply(s, move |this, cx| {
                    if !drive::is_current(this, epoch) {
                        return drive::on_late(this, "an item of a stream");
                    }
                    drive::hear(this, cx, |this, cx, step| method(this, cx, step, item));
                });
            });
        })
    }

    #[inline(always)]
    fn say(self, word: Word<P>) {
        let (place, call, epoch) = (self.place, self.call, self.epoch);
        let Some(desk) = self.used() else { return };
        if let Some(word) = desk.lay(call, word) {
            send(&desk, place, epoch, word);
        }
    }

    /// The actor, which takes over the right of this step. None if it is gone.
    #[inline(always)]
    fn into_actor(self) -> Option<Actor<P>> {
        let place = self.place;
        self.used()?.actor(place)
    }

    /// The desk, of a step that is used up: there is nothing left to drop, and no need to look for it.
    #[inline(always)]
    fn used(mut self) -> Option<Rc<Desk<P>>> {
        let desk = self.desk.take();
        std::mem::forget(self);
        desk
    }
}

#[cold]
fn send<P: Process>(desk: &Desk<P>, place: Place, epoch: u32, word: Word<P>) {
    if let Some(actor) = desk.actor(place) {
        tell(actor, epoch, word);
    }
}

/// Lives as long as the `Fwd` of a stream. Its end is told one round later, so that what the last item made the process
/// say is heard first.
struct Source<P: Process> {
    actor: Actor<P>,
    epoch: u32,
}

impl<P: Process> Drop for Source<P> {
    fn drop(&mut self) {
        let (actor, epoch) = (self.actor.clone(), self.epoch);
        self.actor.defer(move |_| tell(actor, epoch, Word::Abandon));
    }
}

fn tell<P: Process>(actor: Actor<P>, epoch: u32, word: Word<P>) {
    let deferrer = actor.access_deferrer().clone();
    deferrer.defer(move |s| actor.apply(s, move |this, cx| drive::on_word(this, cx, epoch, word)));
}

impl<P: Process> Drop for Step<P> {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.take() {
            send(&desk, self.place, self.epoch, Word::Abandon);
        }
    }
}

/// For messages: the state that a life is in.
pub(super) fn state_name<P: Process>(life: &Life<P>) -> String {
    life.state.name().to_owned()
}
