//! Spawning, from inside and from outside of a turn.

use super::kinds::{Maker, unlaunched};
use super::{Kernel, Runtime, Slot};
use crate::journal::{Desired, Entry, ProcessRow, Stage};
use crate::process::{Desk, DriveMode, Handle, Life, Process, Spawn, begin, begin_now};
use crate::{Edge, JournalUid, ProcessId, State, WallTime};
use stakker::Core;
use std::rc::Rc;

/// The runtime, as code on its own thread holds it: in services, and in processes through
/// [`Life::runtime`](crate::Life::runtime).
#[derive(Clone)]
pub struct RuntimeHandle {
    kernel: Rc<Kernel>,
}

/// Why a process could not be spawned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpawnError {
    /// No closure is registered for this kind.
    #[error("no kind {0} is registered with this runtime: call Runtime::register before spawning")]
    UnknownKind(String),
    /// A live process has this key already; or one in the journal, where also those that ended keep theirs.
    #[error("a process with the key {0} exists already")]
    KeyTaken(String),
    /// The state cannot be written as JSON.
    #[error("the state cannot be written as JSON: {0}")]
    State(String),
    /// The runtime is closing.
    #[error("the runtime is closing")]
    Closing,
}

impl Runtime {
    /// Teaches the runtime to make processes of a kind: `make` puts the lifecycle into the author's struct, together with
    /// the services that it needs. Register before [`recover`](Self::recover).
    pub fn register<P: Process>(&mut self, make: impl Fn(Life<P>) -> P + 'static) {
        if self.kernel.add_kind(P::KIND, Rc::new(Maker::<P>(Rc::new(make)))).is_some() {
            log::warn!("the kind {} was registered twice; the later one holds", P::KIND);
        }
    }

    /// Spawns a process of a registered kind. It is in the journal, if the runtime has one, before it is launched.
    ///
    /// ```
    /// # use procession::*; use serde::*; use stakker::CX;
    /// # #[derive(Clone, Debug, Serialize, Deserialize)] struct Once;
    /// # impl State for Once {}
    /// # struct Two { life: Life<Self> }
    /// # impl Process for Two {
    /// #   const KIND: &'static str = "two"; type State = Once; type Output = i64;
    /// #   fn life(&mut self) -> &mut Life<Self> { &mut self.life }
    /// #   fn advance(&mut self, _: CX![], _: Once, step: Step<Self>) { step.finish(2) }
    /// # }
    /// use procession::journal::MemoryStore;
    /// let store = MemoryStore::new();
    /// let mut runtime = Runtime::builder().journal(store.open()).build()?;
    /// runtime.register(|life| Two { life });
    /// let two = runtime.spawn::<Two>(Once, Spawn::default())?;
    /// two.launch();
    /// assert_eq!(runtime.run_until(&two)?, Outcome::Finished(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<P: Process>(&mut self, state: P::State, spawn: Spawn) -> Result<Handle<P>, SpawnError> {
        let handle = self.handle();
        handle.spawn(&mut self.stakker, state, spawn)
    }

    /// Spawns a process that is not in the journal, of a kind that needs no registration.
    pub fn spawn_with<P: Process>(&mut self, state: P::State, make: impl FnOnce(Life<P>) -> P) -> Handle<P> {
        let desk = Desk::of(&self.kernel);
        begin_now(&desk, &mut self.stakker, unlaunched(None, state, false, None), make)
    }
}

impl RuntimeHandle {
    pub(crate) fn of(kernel: &Rc<Kernel>) -> RuntimeHandle {
        RuntimeHandle { kernel: kernel.clone() }
    }

    /// Spawns a process of a registered kind. See [`Runtime::spawn`].
    pub fn spawn<P: Process>(
        &self,
        core: &mut Core,
        state: P::State,
        spawn: Spawn,
    ) -> Result<Handle<P>, SpawnError> {
        self.spawn_in(core, None, state, spawn)
    }

    pub(crate) fn spawn_child<P: Process>(
        &self,
        core: &mut Core,
        parent: Slot,
        state: P::State,
        spawn: Spawn,
    ) -> Result<Handle<P>, SpawnError> {
        self.spawn_in(core, Some(parent), state, spawn)
    }

    fn spawn_in<P: Process>(
        &self,
        core: &mut Core,
        parent: Option<Slot>,
        state: P::State,
        spawn: Spawn,
    ) -> Result<Handle<P>, SpawnError> {
        let kernel = &self.kernel;
        if kernel.is_closing() {
            return Err(SpawnError::Closing);
        }
        let make = self.maker::<P>()?;
        if let Some(key) = &spawn.key
            && self.find_key(parent, key).is_some_and(|slot| kernel.is_live(slot))
        {
            return Err(SpawnError::KeyTaken(key.clone()));
        }
        // A child of a process that is not in the journal could never be found again, so it is not in it either.
        let durable = kernel.is_durable() && parent.is_none_or(|p| kernel.id_of(p).is_some());
        let parent_id = parent.and_then(|p| kernel.id_of(p));
        if let Some(key) = spawn.key.as_ref().filter(|key| durable && kernel.is_key_taken(parent_id, key)) {
            return Err(SpawnError::KeyTaken(key.clone()));
        }
        let id = durable.then(|| kernel.new_id());
        if let Some(id) = id {
            let json = serde_json::to_string(&state).map_err(|e| SpawnError::State(e.to_string()))?;
            kernel.note(Entry::Born(Box::new(newborn::<P>(kernel, id, json, parent, spawn.key.clone()))));
        }
        let desk = Desk::of(kernel);
        let birth = unlaunched(id, state, spawn.drive == DriveMode::Step, parent);
        let place = begin(&desk, core, birth, &*make);
        if let Some(key) = spawn.key {
            if durable && parent.is_none() {
                kernel.take_key(None, key.clone());
            }
            kernel.enter_child(parent, key, desk.slot(place));
        }
        Ok(Handle::new(&desk, place))
    }

    fn maker<P: Process>(&self) -> Result<Rc<dyn Fn(Life<P>) -> P>, SpawnError> {
        let kinds = self.kernel.kinds();
        let maker = kinds.get(P::KIND).and_then(|kind| kind.as_any().downcast_ref::<Maker<P>>());
        maker.map(|m| m.0.clone()).ok_or_else(|| SpawnError::UnknownKind(P::KIND.into()))
    }

    fn find_key(&self, parent: Option<Slot>, key: &str) -> Option<Slot> {
        self.kernel.child_of(parent.unwrap_or_default(), key)
    }

    /// A handle to the process with this number, if it lives here and is of this kind.
    pub fn find<P: Process>(&self, id: ProcessId) -> Option<Handle<P>> {
        let slot = self.kernel.slot_of(id)?;
        let desk = Desk::of(&self.kernel);
        let place = desk.place(slot).filter(|place| desk.find(*place).is_some())?;
        Some(Handle::new(&desk, place))
    }

    /// Sets what is wanted of the process with this number, of whatever kind. Whether it lives here.
    pub fn desire(&self, id: ProcessId, desired: Desired) -> bool {
        let Some(slot) = self.kernel.slot_of(id) else { return false };
        self.kernel.poke(slot, crate::process::Poke::Desire(desired));
        true
    }

    /// Nudges the process with this number, of whatever kind. Whether it lives here.
    pub fn nudge(&self, id: ProcessId) -> bool {
        let Some(slot) = self.kernel.slot_of(id) else { return false };
        self.kernel.nudge(slot);
        true
    }

    /// Lets the runtime's own loop return after this turn. Nothing is lost: what lives goes on with the next runtime.
    pub fn stop(&self) {
        self.kernel.stop();
    }

    /// The kinds that are registered, each with its table of states.
    pub fn kinds(&self) -> Vec<(String, &'static [Edge])> {
        self.kernel.kinds().iter().map(|(name, kind)| (name.clone(), kind.table())).collect()
    }

    /// How many processes have not ended.
    pub fn live(&self) -> usize {
        self.kernel.live()
    }

    /// The identity of the journal; all zero without one.
    pub fn journal_uid(&self) -> JournalUid {
        self.kernel.uid()
    }

    /// What the calendar showed when this turn began.
    pub fn wall(&self) -> WallTime {
        self.kernel.wall()
    }

    /// A number that nobody can foresee, and that a simulation with the same seed draws again.
    pub fn random(&self) -> u64 {
        self.kernel.rng().u64(..)
    }
}

fn newborn<P: Process>(
    kernel: &Kernel,
    id: ProcessId,
    state: String,
    parent: Option<Slot>,
    key: Option<String>,
) -> ProcessRow {
    let at = kernel.wall();
    ProcessRow {
        id,
        kind: P::KIND.into(),
        version: P::State::VERSION,
        stage: Stage::Created,
        state,
        desired: Desired::Pause,
        seq: 0,
        parent: parent.and_then(|p| kernel.id_of(p)),
        key,
        born: at,
        changed: at,
        outcome: None,
    }
}

/// The row of a process that is taken over from outside, launched already.
pub(super) fn adopted(kernel: &Kernel, kind: &str, version: u32, state: String, key: String) -> ProcessRow {
    let at = kernel.wall();
    ProcessRow {
        id: kernel.new_id(),
        kind: kind.to_owned().into(),
        version,
        stage: Stage::Created,
        state,
        desired: Desired::Run,
        seq: 0,
        parent: None,
        key: Some(key),
        born: at,
        changed: at,
        outcome: None,
    }
}
