//! The small locks of a session, and how much one pump may do.
//!
//! libssh2 keeps the state of an opening channel in the session, so one is opened at a time. It recognises the rest of a
//! half-sent packet by its address and length alone, and an EOF is built on the stack: another channel's EOF would finish
//! it, and never be sent itself (reproduced). Everything else may go on side by side, and must: a packet of libssh2's own may
//! be what is half-sent, and only another call can send its rest. A lock around whole operations stalled for ever (reproduced).

/// Who may do what only one may do at a time.
#[derive(Default)]
pub(crate) struct Locks {
    /// Opens a channel.
    pub(crate) opening: Lock,
    /// Sends an EOF.
    pub(crate) ending: Lock,
}

/// Held by nobody or by the talk with this number.
#[derive(Default)]
pub(crate) struct Lock(Option<u64>);

impl Lock {
    /// Whether it is mine now.
    pub(crate) fn take(&mut self, me: u64) -> bool {
        *self.0.get_or_insert(me) == me
    }

    /// It is mine no more, if it was.
    pub(crate) fn release(&mut self, me: u64) {
        if self.0 == Some(me) {
            self.0 = None;
        }
    }
}

/// How much one pump may still do. It is counted in bytes, because time stands still within a turn; what is allowed takes
/// about 1 ms (measured), and what libssh2 takes in beyond it is bounded by the windows.
pub(crate) struct Budget {
    out: usize,
    into: usize,
    calls: usize,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { out: 128 << 10, into: 256 << 10, calls: 512 }
    }

    /// One call of libssh2 was made, and moved so many bytes.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.out = self.out.saturating_sub(bytes);
        self.calls = self.calls.saturating_sub(1);
    }

    /// One call of libssh2 was made, and brought so many bytes.
    pub(crate) fn heard(&mut self, bytes: usize) {
        self.into = self.into.saturating_sub(bytes);
        self.calls = self.calls.saturating_sub(1);
    }

    /// Whether more may be sent.
    pub(crate) fn may_send(&self) -> bool {
        self.out > 0 && self.calls > 0
    }

    /// Whether more may be read.
    pub(crate) fn may_hear(&self) -> bool {
        self.into > 0 && self.calls > 0
    }

    /// Whether the pump should stop, though there may be more to do.
    pub(crate) fn is_spent(&self) -> bool {
        !self.may_send() || !self.may_hear()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one() {
        let mut lock = Lock::default();
        assert!(lock.take(1) && lock.take(1));
        assert!(!lock.take(2));
        lock.release(2);
        assert!(!lock.take(2), "only the holder releases");
        lock.release(1);
        assert!(lock.take(2));
    }

    #[test]
    fn a_budget_is_spent_by_bytes_or_by_calls() {
        let mut bytes = Budget::new();
        bytes.sent(128 << 10);
        assert!(bytes.is_spent() && !bytes.may_send() && bytes.may_hear());
        let mut calls = Budget::new();
        (0..512).for_each(|_| calls.heard(0));
        assert!(calls.is_spent() && !calls.may_send() && !calls.may_hear());
    }
}
