//! Whether the server still answers, and how much a session has carried. Decisions only.

use std::time::{Duration, Instant};

/// How long a server may be silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// How long an open session may be silent before the server is asked for a sign of life.
    pub silence: Duration,
    /// How long the server may take to answer what libssh2 asks it: to open a channel, to start a command, to close one; and to
    /// greet us.
    pub answer: Duration,
}

impl Default for Patience {
    /// Asks after 30 s of silence and waits 20 s for an answer: a frozen server is noticed within a minute.
    fn default() -> Patience {
        Patience { silence: Duration::from_secs(30), answer: Duration::from_secs(20) }
    }
}

/// When the server was last heard.
pub(super) struct Pulse {
    heard: Instant,
    /// It was asked and has not answered yet.
    asked: bool,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Pulse {
        Pulse { heard: now, asked: false }
    }

    /// Something came.
    pub(super) fn on_heard(&mut self, now: Instant) {
        *self = Pulse::new(now);
    }

    /// Whether to ask for a sign of life now. Says so once for each silence.
    pub(super) fn is_due(&mut self, patience: Duration, now: Instant) -> bool {
        let due = !self.asked && now >= self.heard + patience;
        self.asked |= due;
        due
    }

    /// When to look again. After it was asked the patience of the question itself counts.
    pub(super) fn next(&self, patience: Duration) -> Option<Instant> {
        (!self.asked).then(|| self.heard + patience)
    }
}

/// How many bytes a session may carry in a direction before it gets no new work, so that it need not change its keys in
/// the middle of a transfer: just below what OpenSSH's server permits (measured with 9.2: 1 GiB with chacha20-poly1305, 64 GiB
/// with AES).
pub(super) fn endurance(cipher: Option<&str>) -> u64 {
    match cipher {
        Some(cipher) if cipher.starts_with("aes") => 32 << 30,
        Some(_) | None => 900 << 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(30);

    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_silent_server_is_asked_once() {
        let start = now();
        let mut pulse = Pulse::new(start);
        assert!(!pulse.is_due(SILENCE, start + SILENCE / 2));
        assert_eq!(pulse.next(SILENCE), Some(start + SILENCE));
        assert!(pulse.is_due(SILENCE, start + SILENCE));
        assert!(!pulse.is_due(SILENCE, start + 2 * SILENCE));
        assert_eq!(pulse.next(SILENCE), None);
        pulse.on_heard(start + 2 * SILENCE);
        assert_eq!(pulse.next(SILENCE), Some(start + 3 * SILENCE));
    }

    #[test]
    fn chacha_is_worn_before_its_gibibyte() {
        assert!(endurance(Some("chacha20-poly1305@openssh.com")) < 1 << 30);
        assert!(endurance(Some("aes256-gcm@openssh.com")) > 1 << 30);
    }
}
