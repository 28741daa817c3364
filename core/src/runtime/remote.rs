//! The runtime, as other threads hold it.

use crate::ProcessId;
use crate::journal::Desired;
use crate::runtime::RuntimeHandle;
use stakker::Stakker;
use stakker_mio::mio::Waker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Call = Box<dyn FnOnce(&mut Stakker) + Send>;
type Order = Box<dyn FnOnce(&RuntimeHandle) + Send>;

/// Reaches a runtime from another thread. Cheap to clone.
///
/// ```
/// use procession::Runtime;
/// let mut runtime = Runtime::builder().build()?;
/// let remote = runtime.remote();
/// let thread = std::thread::Builder::new().spawn(move || remote.stop())?;
/// runtime.run_while(|_| true)?; // until `stop`
/// # thread.join().ok();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RemoteHandle {
    shared: Arc<Shared>,
}

/// The runtime no longer exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the runtime was closed")]
pub struct RuntimeClosed;

struct Shared {
    /// Something is queued. Read without the lock, because most turns have nothing here.
    full: AtomicBool,
    queue: Mutex<Queue>,
    waker: Option<Arc<Waker>>,
}

#[derive(Default)]
struct Queue {
    closed: bool,
    calls: Vec<Call>,
    orders: Vec<Order>,
}

impl RemoteHandle {
    pub(super) fn new(waker: Option<Arc<Waker>>) -> RemoteHandle {
        RemoteHandle {
            shared: Arc::new(Shared { full: AtomicBool::new(false), queue: Mutex::default(), waker }),
        }
    }

    /// Runs `call` on the runtime's thread, in its next turn. A panic in it stops the runtime, like one in a service.
    pub fn call(&self, call: impl FnOnce(&mut Stakker) + Send + 'static) -> Result<(), RuntimeClosed> {
        self.push(|queue| queue.calls.push(Box::new(call)))
    }

    /// Sets what is wanted of a process that is in the journal.
    pub fn desire(&self, id: ProcessId, desired: Desired) -> Result<(), RuntimeClosed> {
        self.order(move |runtime| {
            runtime.desire(id, desired);
        })
    }

    /// Lets the runtime's own loop return.
    pub fn stop(&self) -> Result<(), RuntimeClosed> {
        self.order(RuntimeHandle::stop)
    }

    fn order(&self, order: impl FnOnce(&RuntimeHandle) + Send + 'static) -> Result<(), RuntimeClosed> {
        self.push(|queue| queue.orders.push(Box::new(order)))
    }

    fn push(&self, push: impl FnOnce(&mut Queue)) -> Result<(), RuntimeClosed> {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.closed {
            return Err(RuntimeClosed);
        }
        push(&mut queue);
        drop(queue);
        // Woken after the lock is free, and once for all that is queued until the runtime looks.
        if !self.shared.full.swap(true, Ordering::AcqRel)
            && let Some(Err(e)) = self.shared.waker.as_ref().map(|w| w.wake())
        {
            log::error!("the waker of a runtime failed: {e}");
        }
        Ok(())
    }

    /// Runs what is queued.
    pub(super) fn deliver(&self, stakker: &mut Stakker, runtime: impl FnOnce() -> RuntimeHandle) {
        if !self.shared.full.load(Ordering::Acquire) {
            return;
        }
        self.shared.full.store(false, Ordering::Release);
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (calls, orders) = (std::mem::take(&mut queue.calls), std::mem::take(&mut queue.orders));
        drop(queue);
        calls.into_iter().for_each(|call| stakker.defer(call));
        if !orders.is_empty() {
            let runtime = runtime();
            orders.into_iter().for_each(|order| order(&runtime));
        }
    }

    pub(super) fn close(&self) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        let rest = std::mem::take(&mut *queue);
        queue.closed = true;
        drop(queue);
        drop(rest);
    }
}
