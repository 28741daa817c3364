//! Work that may block (a name server, a key with a passphrase, an agent), each on a thread of its own that ends with it.
//!
//! It is rare: once or twice for each connection, and the pool opens few. The thread receives plain data and sends plain
//! data; it runs no code of the user.

use stakker::{Core, Ret, Waker};
use std::sync::{Arc, Mutex, PoisonError};

/// Does `work` on a thread of its own; `done` gets what came of it, on this thread, or `None` if the thread panicked.
///
/// Nobody waits for the thread: it goes on if `done` is no longer wanted, so whatever may block for ever in it must have
/// been given a way out.
pub(crate) fn aside<T: Send + 'static>(
    core: &mut Core,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    done: Ret<T>,
) -> std::io::Result<()> {
    let slot = Arc::new(Mutex::new(None));
    let theirs = slot.clone();
    let mut done = Some(done);
    // Called once when the waker rings, or when it is dropped with the thread.
    let waker = core.waker(move |_, _| {
        let came: Option<T> = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (done.take(), came) {
            (Some(done), Some(came)) => done.ret(came),
            (done, _) => drop(done),
        }
    });
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let ringing = Ringing(waker);
        let came = work();
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(came);
        drop(ringing);
    })?;
    Ok(())
}

/// Rings when it is dropped, also by a panic.
struct Ringing(Waker);

impl Drop for Ringing {
    fn drop(&mut self) {
        self.0.wake();
    }
}
