//! The one helper thread of a transport: all that may block (file systems, name servers) happens here.
//!
//! It receives plain data and sends plain data. Bulk work is done one by one, in chunks; between two chunks small work has
//! its turn, and a cancel takes effect. No code of a user runs here.

use crate::files::{Reply, Work};
use procession::transport::{Progress, TransportError};
use stakker::{Core, Fwd, Waker};
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Child;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The number of a piece of work, drawn by the actor.
pub(crate) type WorkId = u64;

/// What the thread has to say.
pub(crate) enum News {
    /// So far.
    Progress(Progress),
    /// The work is over.
    Done(Reply),
}

/// The actor's end of the thread. Dropping the last one ends the thread after its present chunk; what was still to be done
/// is dropped, and half-written files are removed.
pub(crate) struct Worker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    inbox: Mutex<Inbox>,
    bell: Condvar,
    outbox: Mutex<Vec<(WorkId, News)>>,
}

#[derive(Default)]
struct Inbox {
    small: VecDeque<(WorkId, Work)>,
    bulk: VecDeque<(WorkId, Work)>,
    cancelled: BTreeSet<WorkId>,
    orphans: Vec<Child>,
    closed: bool,
}

impl Worker {
    /// Starts the thread. `news` is called when there is something to [`collect`](Worker::collect).
    pub(crate) fn start(core: &mut Core, name: &str, news: Fwd<()>) -> std::io::Result<Rc<Worker>> {
        let shared = Arc::new(Shared::default());
        let waker = core.waker(move |_, _| news.fwd(()));
        let theirs = shared.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || theirs.work(&waker))?;
        Ok(Rc::new(Worker { shared }))
    }

    /// Gives the thread something to do.
    pub(crate) fn ask(&self, id: WorkId, work: Work) {
        let mut inbox = self.shared.inbox();
        let queue = if work.is_bulk() { &mut inbox.bulk } else { &mut inbox.small };
        queue.push_back((id, work));
        drop(inbox);
        self.shared.bell.notify_one();
    }

    /// Work that is no longer wanted is answered with `Cancelled`, unless it is done already.
    pub(crate) fn cancel(&self, id: WorkId) {
        self.shared.inbox().cancelled.insert(id);
    }

    /// Takes a child that has been killed, to reap it.
    pub(crate) fn adopt(&self, child: Child) {
        self.shared.inbox().orphans.push(child);
        self.shared.bell.notify_one();
    }

    /// All news since the last time.
    pub(crate) fn collect(&self) -> Vec<(WorkId, News)> {
        let news = std::mem::take(&mut *self.shared.outbox());
        let mut inbox = self.shared.inbox();
        for (id, news) in &news {
            if let News::Done(_) = news {
                inbox.cancelled.remove(id);
            }
        }
        drop(inbox);
        news
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.inbox().closed = true;
        self.shared.bell.notify_one();
    }
}

impl Shared {
    // A panic of the thread is caught around each piece of work, so a poisoned lock guards data that is whole.
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outbox(&self) -> MutexGuard<'_, Vec<(WorkId, News)>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, waker: &Waker) {
        loop {
            let mut inbox = self.inbox();
            while !inbox.closed && inbox.small.is_empty() && inbox.bulk.is_empty() && inbox.orphans.is_empty()
            {
                inbox = self.bell.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            let orphans = std::mem::take(&mut inbox.orphans);
            let next = if inbox.closed {
                None
            } else if let Some(next) = inbox.small.pop_front() {
                Some(next)
            } else {
                inbox.bulk.pop_front()
            };
            let closed = inbox.closed;
            drop(inbox);
            bury(orphans);
            if let Some((id, work)) = next {
                self.one(id, work, waker);
            } else if closed {
                return;
            }
        }
    }

    fn one(&self, id: WorkId, work: Work, waker: &Waker) {
        let mut beat = |progress: Option<Progress>| {
            if let Some(progress) = progress {
                self.tell(id, News::Progress(progress), waker);
            }
            loop {
                let mut inbox = self.inbox();
                if inbox.closed || inbox.cancelled.contains(&id) {
                    return Err(TransportError::Cancelled);
                }
                let Some((id, work)) = inbox.small.pop_front() else { return Ok(()) };
                drop(inbox);
                // Small work has no beat of its own, so this is as deep as it gets.
                self.tell(id, News::Done(guarded(work, &mut |_| Ok(()))), waker);
            }
        };
        let reply = match beat(None) {
            Ok(()) => guarded(work, &mut beat),
            Err(e) => work.failed(e),
        };
        self.tell(id, News::Done(reply), waker);
    }

    fn tell(&self, id: WorkId, news: News, waker: &Waker) {
        let mut outbox = self.outbox();
        outbox.push((id, news));
        let first = outbox.len() == 1;
        // Wake after unlocking: a waker inside the lock lets the other thread run into it.
        drop(outbox);
        if first {
            waker.wake();
        }
    }
}

/// Does the work; a panic in it is a bug of ours that costs this piece of work and no other.
fn guarded(work: Work, beat: &mut Beat<'_>) -> Reply {
    let failed = work.failed(TransportError::Protocol("the file work panicked; please report it".to_owned()));
    catch_unwind(AssertUnwindSafe(|| work.run(beat))).unwrap_or(failed)
}

/// Called between two chunks, with the progress now and then. An error says that the work must end.
pub(crate) type Beat<'a> = dyn FnMut(Option<Progress>) -> Result<(), TransportError> + 'a;

/// Reaps children that have been sent SIGKILL, on a thread of its own that ends with it: for those that nobody watches.
pub(crate) fn bury_elsewhere(children: Vec<Child>) {
    let buried = std::thread::Builder::new().name("procession-reap".to_owned()).spawn(move || bury(children));
    if let Err(e) = buried {
        log::warn!("a killed child stays a zombie until this program ends: {e}");
    }
}

/// Reaps children that have been sent SIGKILL, so the wait is short.
#[expect(clippy::disallowed_methods, reason = "this is the helper thread, and the children are being killed")]
fn bury(orphans: Vec<Child>) {
    for mut orphan in orphans {
        if let Err(e) = orphan.wait() {
            log::error!("child {} cannot be waited for: {e}", orphan.id());
        }
    }
}
