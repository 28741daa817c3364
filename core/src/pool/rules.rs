//! How a host may be used: the numbers that its administrators care about.

use std::time::Duration;

/// What counts as never: longer than any session lasts, and short enough to be added to a clock.
const NEVER: Duration = Duration::from_secs(3600 * 24 * 365 * 10);

/// How a host may be used. The defaults suit a login node whose administrators ban eager clients.
///
/// ```
/// use procession::pool::Rules;
/// let rules = Rules { max_sessions: 1, ..Rules::default() };
/// assert_eq!(rules.channels, 8);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// So many sessions at once, those that are being opened or are draining included. At least 1.
    pub max_sessions: u32,
    /// So many channels at once on a session, and one more that only [`Urgency::Control`](super::Urgency::Control) gets. The
    /// default of 8 keeps below the 10 of OpenSSH (`MaxSessions`, sshd_config(5)), whose server frees channels late. At
    /// least 1.
    pub channels: u32,
    /// So many sessions may be opened in a row. At least 1.
    pub burst: u32,
    /// After this long one more may be opened.
    pub refill: Duration,
    /// Never more than so many are opened in any hour, tries that fail included. At least 1.
    pub hourly: u32,
    /// A session that is older gets no new work once a younger one is there, and is closed when nothing is left on it. Each
    /// has up to a tenth less, so that they do not all end at once.
    pub age: Duration,
    /// A session that nobody used for so long is closed. Where a person has to type something for each, this is better long:
    /// `Duration::MAX` means never, also in `age`.
    pub idle: Duration,
    /// So many may wait for a lease, and so many for the host. Who comes later is refused.
    pub most_waiting: usize,
    /// A session that is neither open nor has ended after so long counts as failed. Longer than the 120 s that a server gives
    /// to people who type (`LoginGraceTime`, sshd_config(5)).
    pub open_within: Duration,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            max_sessions: 2,
            channels: 8,
            burst: 4,
            refill: Duration::from_secs(30),
            hourly: 60,
            age: Duration::from_secs(4 * 3600),
            idle: Duration::from_secs(10 * 60),
            most_waiting: 100_000,
            open_within: Duration::from_secs(180),
        }
    }
}

impl Rules {
    /// The same, with nothing at zero that would let everybody wait for ever, and nothing that no clock can count.
    pub(super) fn sound(self) -> Rules {
        Rules {
            max_sessions: self.max_sessions.max(1),
            channels: self.channels.max(1),
            burst: self.burst.max(1),
            hourly: self.hourly.max(1),
            refill: self.refill.min(NEVER),
            age: self.age.min(NEVER),
            idle: self.idle.min(NEVER),
            open_within: self.open_within.min(NEVER),
            ..self
        }
    }
}
