//! A process: an actor whose life is a walk through the states of its machine.
//!
//! The author writes a struct (which *is* the actor), an enum of states, and [`Process::advance`]. The framework owns
//! everything else: when `advance` is called, what a pause or a kill means, that a transition is durable before anybody
//! hears of it, and that a panic fails this process and no other.

mod children;
mod desk;
mod drive;
mod few;
mod handle;
mod life;
mod nudges;
mod phase;
mod remains;
mod row;
mod slab;
mod state;
mod step;
mod table;

pub use children::{Backoff, Child, OnFailure};
pub(crate) use desk::{AnyDesk, Desk, Found};
pub(crate) use drive::{Poke, panic_text};
pub use handle::{Handle, Refused, Spawn, Watch};
pub use life::Life;
pub(crate) use life::{Birth, begin, begin_now};
pub use phase::{Fault, Outcome, Phase};
use remains::Remains;
pub(crate) use slab::Place;
pub(crate) use state::read as read_state;
pub use state::{Edge, State, Unreadable};
pub use step::Step;

use serde::{Serialize, de::DeserializeOwned};
use stakker::CX;
use std::fmt::Debug;

/// The phase of a process of this kind.
pub type PhaseOf<P> = Phase<<P as Process>::State, <P as Process>::Output>;

/// The outcome of a process of this kind.
pub type OutcomeOf<P> = Outcome<<P as Process>::Output>;

/// How a process is driven.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DriveMode {
    /// Each state is entered as soon as the one before it was left.
    #[default]
    Continuous,
    /// Each `advance` waits for a [`nudge`](Handle::nudge).
    Step,
}

/// A kind of process: an actor whose life is a walk through the states of its machine. The implementing struct is the
/// actor. Its author writes what to do in each state; the framework owns when that is done, what a pause or a kill means,
/// that a transition is durable before anybody hears of it, and that a panic fails this process and no other.
///
/// ```
/// use procession::{Life, Process, Runtime, Step, states};
/// use serde::{Deserialize, Serialize};
/// use stakker::CX;
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// enum Countdown { At(u32), Zero }
/// states! { Countdown { At => [At, Zero], Zero => [end] } }
///
/// struct Rocket { life: Life<Self> }
///
/// impl Process for Rocket {
///     const KIND: &'static str = "rocket";
///     type State = Countdown;
///     type Output = String;
///     fn life(&mut self) -> &mut Life<Self> { &mut self.life }
///     fn advance(&mut self, _: CX![], state: Countdown, step: Step<Self>) {
///         match state {
///             Countdown::At(0) => step.to(Countdown::Zero),
///             Countdown::At(n) => step.to(Countdown::At(n - 1)),
///             Countdown::Zero => step.finish("lift off".into()),
///         }
///     }
/// }
///
/// let mut runtime = Runtime::builder().build()?;
/// let rocket = runtime.spawn_with(Countdown::At(3), |life| Rocket { life });
/// rocket.launch();
/// assert_eq!(runtime.run_until(&rocket)?.finished(), Some("lift off".into()));
/// # Ok::<(), procession::RuntimeError>(())
/// ```
///
/// A process is rebuilt from its state alone after a crash, so everything that it must know to go on belongs into the
/// state; what it needs to act (services, handles) is given to it by the closure that makes it.
pub trait Process: Sized + 'static {
    /// The name of this kind in the journal. Never change it: old journals know it.
    const KIND: &'static str;

    /// How far it has come: plain data.
    type State: State;

    /// What it brings.
    type Output: Clone + Debug + Serialize + DeserializeOwned + 'static;

    /// The lifecycle, which is a field of the struct.
    fn life(&mut self) -> &mut Life<Self>;

    /// Does what there is to do in `state`, and says with `step` where to go next: now, or later by
    /// [`step.reply`](Step::reply).
    ///
    /// A state is entered again after a pause and after a crash. So whatever leaves a trace outside must look for that
    /// trace before it acts.
    fn advance(&mut self, cx: CX![], state: Self::State, step: Step<Self>);

    /// Takes back what `state` says may be out there, because the process is to be killed, and ends with
    /// [`step.killed`](Step::killed) when nothing is left. Called again after each `step.to` and after a crash.
    ///
    /// Without it the process is one that leaves nothing behind.
    fn clean(&mut self, _cx: CX![], _state: Self::State, step: Step<Self>) {
        step.killed();
    }
}
