//! The lifecycle of one process: the field through which the framework keeps its books in the author's struct.

use super::desk::{AnyDesk, Desk};
use super::row::{Kept, More};
use super::slab::Place;
use super::{Child, Handle, OutcomeOf, Phase, PhaseOf, Process, Remains, State, children};
use crate::journal::{Desired, EffectEnd, EffectRow, Entry, Stage};
use crate::runtime::{Kernel, RuntimeHandle, Slot};
use crate::{Fault, ProcessId};
use stakker::{Actor, ActorOwn, CX, Core, FixedTimerKey, Ret, Stakker};
use std::rc::Rc;
use std::time::Duration;

/// The lifecycle of a process. It comes into the author's struct through the closure that makes it.
pub struct Life<P: Process> {
    pub(super) desk: Rc<Desk<P>>,
    pub(super) place: Place,
    /// Counts the states that were entered and left. A step or a reply of another epoch is late.
    pub(super) epoch: u32,
    pub(super) stage: Stage,
    pub(super) desired: Desired,
    pub(super) marks: Marks,
    pub(super) state: P::State,
}

/// What is true of a process at the moment: a set of the bits below.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks(u16);

impl Marks {
    /// Its transitions go to the journal.
    pub const DURABLE: Marks = Marks(1);
    /// A transition is on its way to the journal; nothing else happens until it is there.
    pub const COMMITTING: Marks = Marks(2);
    /// `advance` or `clean` was called for this state: once for each entry.
    pub const DRIVEN: Marks = Marks(4);
    /// It waits on the agenda for a turn that has room.
    pub const QUEUED: Marks = Marks(8);
    /// In step mode: it may not advance until it is nudged.
    pub const STEPWISE: Marks = Marks(16);
    /// It is to be killed, and waits for its children to be gone first.
    pub const OUTLIVED: Marks = Marks(32);
    /// Its watchers will hear of it at the end of this burst.
    pub const TELLING: Marks = Marks(64);
    /// Something is held in this state.
    pub const HOLDING: Marks = Marks(128);
    /// Somebody is told of its phases.
    pub const WATCHED: Marks = Marks(256);

    /// Whether one of these bits is set.
    pub fn any(self, of: Marks) -> bool {
        self.0 & of.0 != 0
    }
    pub fn set(&mut self, mark: Marks) {
        self.0 |= mark.0;
    }
    pub fn clear(&mut self, mark: Marks) {
        self.0 &= !mark.0;
    }
    pub const fn and(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

/// With what a life begins: afresh, or as the journal had it.
pub(crate) struct Birth<P: Process> {
    /// The number in the journal, of a process that is in one.
    pub id: Option<ProcessId>,
    pub stage: Stage,
    pub desired: Desired,
    pub state: P::State,
    pub stepwise: bool,
    pub seq: u64,
    pub parent: Option<Slot>,
}

impl<P: Process> Life<P> {
    fn begin(desk: &Rc<Desk<P>>, place: Place, birth: Birth<P>) -> Life<P> {
        let Birth { id, stage, desired, state, stepwise, .. } = birth;
        let mut marks = Marks::default();
        for (is, mark) in [(id.is_some(), Marks::DURABLE), (stepwise, Marks::STEPWISE)] {
            if is {
                marks.set(mark);
            }
        }
        Life { desk: desk.clone(), place, epoch: 0, stage, desired, marks, state }
    }

    /// The number of this process in the journal; none if it is not in one.
    pub fn id(&self) -> Option<ProcessId> {
        self.desk.id_of(self.place)
    }

    /// The phase at this moment.
    pub fn phase(&self) -> PhaseOf<P> {
        let state = self.state.clone();
        match self.stage {
            Stage::Created => Phase::Created(state),
            Stage::Running => Phase::Running(state),
            Stage::Paused => Phase::Paused(state),
            // An ended process is dropped in the same breath, so nobody can ask it for its end here.
            Stage::Killing | Stage::Finished | Stage::Killed | Stage::Failed => Phase::Killing(state),
        }
    }

    /// The runtime that this process lives in.
    pub fn runtime(&self) -> RuntimeHandle {
        RuntimeHandle::of(self.kernel())
    }

    /// Keeps `guard` until this state is left, by whatever door: a step, a pause, a kill, a fault. The only way to keep a
    /// lease, an operation in flight or a timer.
    pub fn hold<G: 'static>(&mut self, guard: G) {
        self.marks.set(Marks::HOLDING);
        self.desk.keep(self.place, Kept::Guard(Box::new(guard)));
    }

    /// Answers `ret` after `delay`, unless this state is left before: the timer is held.
    ///
    /// ```
    /// # use procession::*; use serde::*; use stakker::CX; use std::time::Duration;
    /// # #[derive(Clone, Debug, Serialize, Deserialize)] enum Nap { Asleep }
    /// # impl State for Nap {}
    /// # struct Sleeper { life: Life<Self> }
    /// impl Process for Sleeper {
    /// #   const KIND: &'static str = "sleeper"; type State = Nap; type Output = ();
    /// #   fn life(&mut self) -> &mut Life<Self> { &mut self.life }
    ///     fn advance(&mut self, cx: CX![], _: Nap, step: Step<Self>) {
    ///         self.life.after(cx, Duration::from_millis(1), step.reply(|_, _, step, ()| step.finish(())));
    ///     }
    /// }
    /// # let mut runtime = Runtime::builder().build()?;
    /// # let sleeper = runtime.spawn_with(Nap::Asleep, |life| Sleeper { life });
    /// # sleeper.launch();
    /// # assert_eq!(runtime.run_until(&sleeper)?, Outcome::Finished(()));
    /// # Ok::<(), RuntimeError>(())
    /// ```
    pub fn after(&mut self, cx: CX![P], delay: Duration, ret: Ret<()>) {
        self.kernel().count_timer(1);
        let kernel = self.kernel().clone();
        let key = cx.after(delay, move |_| {
            kernel.count_timer(-1);
            ret.ret(());
        });
        self.hold(Timer { key, actor: cx.this().clone(), kernel: self.kernel().clone() });
    }

    /// Spawns a child, or finds it again if it exists: `child.key` names it within this parent, also after a restart.
    /// Its outcome comes to `ret`, unless [`OnFailure`](crate::OnFailure) says otherwise.
    ///
    /// The child's kind must be registered. Children are killed when their parent is, or ends.
    pub fn child<C: Process>(&mut self, cx: CX![P], child: Child, state: C::State, ret: Ret<OutcomeOf<C>>) {
        children::adopt::<P, C>(self, cx, child, state, ret);
    }

    /// Notes in the ledger that `effect` is about to happen. It is written together with the next transition, so call
    /// this before the step into the state that has the effect.
    pub fn owe(&mut self, effect: EffectRow) {
        if let (true, Some(process)) = (self.marks.any(Marks::DURABLE), self.id()) {
            let at = self.kernel().wall();
            self.more(|more| more.ledger.push(Entry::EffectMade { process, effect, at }));
        }
    }

    /// Notes in the ledger how an effect ended. It is written together with the next transition.
    pub fn settle(&mut self, effect: EffectRow, end: EffectEnd) {
        if let (true, Some(process)) = (self.marks.any(Marks::DURABLE), self.id()) {
            let at = self.kernel().wall();
            self.more(|more| more.ledger.push(Entry::EffectEnded { process, effect, end, at }));
        }
    }

    /// Whether nothing stands between a step and the next state: it runs, it shall run, and it is in no journal.
    #[inline]
    pub(super) fn walks_freely(&self) -> bool {
        const ASIDE: Marks = Marks::TELLING.and(Marks::WATCHED);
        self.stage == Stage::Running
            && self.desired == Desired::Run
            && self.marks.0 & !ASIDE.0 == Marks::DRIVEN.0
    }

    #[inline]
    pub(super) fn kernel(&self) -> &Rc<Kernel> {
        &self.desk.kernel
    }

    /// Wants this of its children. Most processes have none, and for those there is nothing more to ask.
    #[inline]
    pub(super) fn desire_children(&self, desired: Desired) {
        if self.kernel().has_kin() {
            self.kernel().desire_children(self.slot(), desired);
        }
    }

    /// How the kernel calls it.
    pub(super) fn slot(&self) -> Slot {
        self.desk.slot(self.place)
    }

    /// What few processes have, if this one has it. It is at the desk.
    pub(super) fn more<T>(&self, with: impl FnOnce(&mut More<P>) -> T) -> Option<T> {
        self.desk.more(self.place, with)
    }

    /// The name of this process in a message.
    pub(super) fn title(&self) -> String {
        match self.id() {
            Some(id) => format!("process {id} ({})", P::KIND),
            None => format!("a process of kind {}", P::KIND),
        }
    }
}

/// An actor that is stopped past the framework, by `stop!` or `fail!` in its own code, still ends with a reason.
impl<P: Process> Drop for Life<P> {
    fn drop(&mut self) {
        if !self.stage.is_end() {
            self.on_stopped();
        }
    }
}

impl<P: Process> Life<P> {
    #[cold]
    fn on_stopped(&self) {
        if self.kernel().is_closing() {
            return;
        }
        let fault = Fault::Stopped { state: self.state.name().into() };
        log::error!("{}: {fault}; the journal still has it as {}", self.title(), self.stage.word());
        self.desk.ended(self.place, Remains::Failed(Box::new(fault)));
    }
}

/// A held timer. Dropping it takes the timer out of the queue.
struct Timer<P: Process> {
    key: FixedTimerKey,
    actor: Actor<P>,
    kernel: Rc<Kernel>,
}

impl<P: Process> Drop for Timer<P> {
    fn drop(&mut self) {
        let (key, kernel) = (self.key, self.kernel.clone());
        self.actor.defer(move |s| {
            if s.timer_del(key) {
                kernel.count_timer(-1);
            }
        });
    }
}

/// Makes a process, and lets it move in. Nothing drives it yet.
pub(crate) fn begin<P: Process>(
    desk: &Rc<Desk<P>>,
    core: &mut Core,
    birth: Birth<P>,
    make: &dyn Fn(Life<P>) -> P,
) -> Place {
    let own = ActorOwn::<P>::new(core, stakker::ret_nop!(), 0);
    let actor = own.clone();
    let place = desk.settle(own, &birth);
    let process = make(Life::begin(desk, place, birth));
    // The value goes in before any other call to the actor is queued, so the actor never keeps a queue of its own.
    core.defer(move |s| actor.apply_prep(s, move |_| Some(process)));
    place
}

/// The same of one in no journal, from outside a turn, where nothing needs to wait for the queue; and with a handle.
pub(crate) fn begin_now<P: Process>(
    desk: &Rc<Desk<P>>,
    stakker: &mut Stakker,
    birth: Birth<P>,
    make: impl FnOnce(Life<P>) -> P,
) -> Handle<P> {
    let own = ActorOwn::<P>::new(stakker, stakker::ret_nop!(), 0);
    let handle = Handle::counted(desk, desk.reserve());
    own.apply_prep(stakker, |_| Some(make(Life::begin(desk, handle.place(), birth))));
    desk.settle_at(handle.place(), own);
    handle
}
