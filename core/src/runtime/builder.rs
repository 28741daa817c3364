//! How a runtime is made.

use super::clock::Clock;
use super::io::Io;
use super::{Kernel, RemoteHandle, Runtime, RuntimeError};
use crate::journal::Journal;
use stakker::Stakker;
use std::os::fd::AsRawFd;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Instant;

/// Describes a runtime.
#[derive(Default)]
pub struct Builder {
    journal: Option<Box<dyn Journal>>,
    virtual_start: Option<Instant>,
    seed: Option<u64>,
}

impl Builder {
    /// Keeps processes in this journal. Without one, all of them are forgotten at the end.
    pub fn journal(self, journal: impl Journal + 'static) -> Builder {
        Builder { journal: Some(Box::new(journal)), ..self }
    }

    /// Lets time stand still at `start`, and move only by what is given to [`Runtime::turn`]. Such a runtime has no
    /// descriptor and opens none.
    ///
    /// ```
    /// use procession::Runtime;
    /// # #[expect(clippy::disallowed_methods)] let start = std::time::Instant::now();
    /// let mut runtime = Runtime::builder().virtual_time(start).seed(7).build()?;
    /// assert!(runtime.fd().is_none());
    /// let turn = runtime.turn(start)?;
    /// assert_eq!((turn.more, turn.next), (false, None));
    /// # Ok::<(), procession::RuntimeError>(())
    /// ```
    pub fn virtual_time(self, start: Instant) -> Builder {
        Builder { virtual_start: Some(start), ..self }
    }

    /// Draws every random number from this seed. Without it, from the system.
    pub fn seed(self, seed: u64) -> Builder {
        Builder { seed: Some(seed), ..self }
    }

    /// Makes the runtime, and takes the journal into possession.
    pub fn build(self) -> Result<Runtime, RuntimeError> {
        let clock = self.virtual_start.map_or(Clock::real(), Clock::virtual_at);
        let now = clock.now_at_start();
        let mut stakker = catch_unwind(|| Stakker::new(now)).map_err(|_| RuntimeError::OnlyOne)?;
        let io = match clock.is_real() {
            true => Some(Io::new(&mut stakker)?),
            false => None,
        };
        let waker = io.as_ref().map(Io::waker);
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let kernel = Rc::new(Kernel::new(clock, now, waker.clone(), seed));
        let remote = RemoteHandle::new(waker.clone());
        let mut journal = self.journal;
        let loaded = match &mut journal {
            Some(journal) => {
                let loaded = journal.load()?;
                kernel.open_journal(loaded.uid, loaded.next_id);
                if let Some(waker) = waker {
                    journal.wake_with(std::sync::Arc::new(move || {
                        if let Err(e) = waker.wake() {
                            log::error!("the waker of a runtime failed: {e}");
                        }
                    }));
                }
                if let (Some(io), Some(bell)) = (&io, journal.bell_fd()) {
                    io.listen(bell.as_raw_fd())?;
                }
                Some(loaded)
            }
            None => None,
        };
        Ok(Runtime { loaded, journal, kernel, remote, io, stakker, clock, idle: false, broken: None })
    }
}
