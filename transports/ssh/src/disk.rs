//! The one helper thread of a transport for files of this machine: reading, hashing and writing happen here, never on the
//! thread that drives the sessions.
//!
//! Work is a value that goes there and comes back: a step of a transfer takes its open files along and brings them home with
//! what it read. One step is bounded by whoever makes it ([`STEP`]), so transfers take turns. No code of a user runs here.

use procession::transport::TransportError;
use stakker::{Core, Fwd, Ret, Waker};
use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many bytes one step reads or writes: some milliseconds of a disk, and enough for the hash to run at full width.
pub(crate) const STEP: usize = 1 << 20;

/// What a step may give back, and the number of who waits for it.
type Home = (u64, Option<Box<dyn Any + Send>>);
type Work = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;
type Waiting = Box<dyn FnOnce(Option<Box<dyn Any + Send>>)>;

/// The thread, as actors hold it. Dropping the last one ends the thread after its present step.
#[derive(Clone)]
pub(crate) struct Disk(Rc<Desk>);

struct Desk {
    shared: Arc<Shared>,
    waiting: RefCell<(u64, BTreeMap<u64, Waiting>)>,
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    bell: Condvar,
    outbox: Mutex<Vec<Home>>,
}

#[derive(Default)]
struct Inbox {
    work: VecDeque<(u64, Work)>,
    closed: bool,
}

impl Disk {
    /// Starts the thread. `news` is called when there is something to [`collect`](Disk::collect).
    pub(crate) fn start(core: &mut Core, news: Fwd<()>) -> std::io::Result<Disk> {
        let shared = Arc::new(Shared::default());
        let waker = core.waker(move |_, _| news.fwd(()));
        let theirs = shared.clone();
        std::thread::Builder::new().name("procession-disk".to_owned()).spawn(move || theirs.work(&waker))?;
        Ok(Disk(Rc::new(Desk { shared, waiting: RefCell::default() })))
    }

    /// Does a step on the thread. `ret` gets `None` if it panicked, which is a bug of ours, or if the thread is gone.
    pub(crate) fn step<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static, ret: Ret<T>) {
        let mut waiting = self.0.waiting.borrow_mut();
        let number = waiting.0;
        waiting.0 += 1;
        let home = move |home: Option<Box<dyn Any + Send>>| match home.and_then(|home| home.downcast().ok()) {
            Some(home) => ret.ret(*home),
            None => drop(ret),
        };
        waiting.1.insert(number, Box::new(home));
        self.0.shared.inbox().work.push_back((number, Box::new(move || Box::new(work()))));
        self.0.shared.bell.notify_one();
    }

    /// Hands over what came home.
    pub(crate) fn collect(&self) {
        let home = std::mem::take(&mut *self.0.shared.outbox());
        for (number, home) in home {
            let waiting = self.0.waiting.borrow_mut().1.remove(&number);
            if let Some(waiting) = waiting {
                waiting(home);
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.shared.inbox().closed = true;
        self.shared.bell.notify_one();
    }
}

/// What a step that came to nothing means.
pub(crate) fn lost() -> TransportError {
    TransportError::Protocol("the file work panicked; please report it".to_owned())
}

impl Shared {
    // A panic is caught around each step, so a poisoned lock guards data that is whole.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Vec<Home>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, waker: &Waker) {
        loop {
            let mut inbox = self.inbox();
            while !inbox.closed && inbox.work.is_empty() {
                inbox = self.bell.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if inbox.closed {
                return;
            }
            let Some((number, work)) = inbox.work.pop_front() else { continue };
            drop(inbox);
            let home = catch_unwind(AssertUnwindSafe(work)).ok();
            let mut outbox = self.outbox();
            outbox.push((number, home));
            let first = outbox.len() == 1;
            // Wake after unlocking: a waker inside the lock lets the other thread run into it.
            drop(outbox);
            if first {
                waker.wake();
            }
        }
    }
}
