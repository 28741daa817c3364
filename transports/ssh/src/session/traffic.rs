//! All conversations of an open session, driven together: the pattern without which libssh2 stalls.
//!
//! Any call that reads takes in what has arrived for all channels, and no further edge tells of it. So after anything moved
//! all talks are stepped again, until a whole round moves nothing. Each round begins with another one.

use super::conversation::{Conversation, Fate, Ground};
use super::locks::{Budget, Locks};
use super::pulse::{Patience, Pulse, endurance};
use super::wire::Wire;
use crate::talk::{Talk, Window};
use std::time::{Duration, Instant};

/// How long the server may keep a channel that we have left before the session gets no new work: its process goes on, and
/// its place among MaxSessions is taken.
const LINGER: Duration = Duration::from_secs(30);

/// How long after the last movement it is looked again. What arrives in the middle of a round is taken in by one talk for
/// another that has been stepped before; the socket is empty then, and the poll says nothing.
const LOOKS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(20)];

/// What happens on an open session.
pub(super) struct Traffic {
    talks: Vec<Conversation>,
    locks: Locks,
    /// The number of the next conversation.
    next: u64,
    /// With whom the next round begins.
    first: usize,
    piece: Box<[u8]>,
    pulse: Pulse,
    /// Bytes carried, sent and heard.
    moved: [u64; 2],
    endurance: u64,
    doubt: bool,
    worn: bool,
    patience: Patience,
    /// How often it was looked again since something moved, and when that is next.
    looks: usize,
    look: Option<Instant>,
    // Channels hold the session too, so the connection must be cut before they are dropped: see `Drop`.
    wire: Wire,
}

/// What a pump led to.
pub(super) struct Pumped {
    /// There is more to do; others first.
    pub(super) more: bool,
    /// These are over.
    pub(super) over: Vec<Ended>,
    /// The session should get no new work, from now on. Said once.
    pub(super) worn: bool,
}

/// A conversation that is over.
pub(super) struct Ended {
    pub(super) id: u64,
    pub(super) talk: Box<dyn Talk>,
    pub(super) fate: Fate,
}

impl Traffic {
    pub(super) fn new(wire: Wire, patience: Patience, now: Instant) -> Traffic {
        let cipher = wire.cipher();
        let maker = if procession_chachapoly::is_in_place() { "OpenSSL" } else { "libssh2" };
        log::debug!("a session is open, encrypted with {cipher:?}; ChaCha20 is that of {maker}");
        Traffic {
            endurance: endurance(cipher),
            talks: Vec::new(),
            locks: Locks::default(),
            next: 0,
            first: 0,
            piece: vec![0; Window::Bulk.piece()].into(),
            pulse: Pulse::new(now),
            moved: [0; 2],
            doubt: false,
            worn: false,
            patience,
            looks: 0,
            look: None,
            wire,
        }
    }

    /// The number that the next conversation will have.
    pub(super) fn next_id(&self) -> u64 {
        self.next
    }

    /// Takes a talk in. It is stepped with the next pump.
    pub(super) fn add(&mut self, talk: Box<dyn Talk>, now: Instant) {
        self.talks.push(Conversation::new(self.next, talk, now));
        self.next += 1;
    }

    /// The talk with this number has something new.
    pub(super) fn poke(&mut self, id: u64) {
        if let Some(talk) = self.talks.iter_mut().find(|talk| talk.id() == id) {
            talk.poke();
        }
    }

    /// Whether nobody talks.
    pub(super) fn is_quiet(&self) -> bool {
        self.talks.is_empty()
    }

    /// Whether to ask the server for a sign of life now.
    pub(super) fn is_silent(&mut self, now: Instant) -> bool {
        self.pulse.is_due(self.patience.silence, now)
    }

    /// Does what can be done now, within the budget. An error is the end of the session.
    pub(super) fn pump(&mut self, now: Instant) -> Result<Pumped, String> {
        let mut budget = Budget::new();
        let mut over = Vec::new();
        let before = self.moved;
        let mut moving = true;
        while moving && !budget.is_spent() {
            moving = self.round(&mut budget, now)?;
            self.sort_out(&mut over);
        }
        if self.moved[1] > before[1] || !over.is_empty() {
            self.pulse.on_heard(now);
        }
        let late = |(_, asked): &(&str, Instant)| now >= *asked + self.patience.answer;
        if let Some((what, _)) = self.talks.iter().filter_map(Conversation::unanswered).find(late) {
            let standing: Vec<_> = self.talks.iter().map(Conversation::standing).collect();
            log::debug!("a server does not answer; conversations: {}", standing.join("; "));
            return Err(format!("the server was asked {what}, and did not for {:?}", self.patience.answer));
        }
        self.look_again(&over, self.moved != before, now);
        let worn = self.wears(now);
        Ok(Pumped { more: moving, over, worn })
    }

    /// Decides when to look again though nothing came.
    fn look_again(&mut self, over: &[Ended], moved: bool, now: Instant) {
        if moved || !over.is_empty() {
            self.looks = 0;
        }
        let wait = LOOKS.get(self.looks).filter(|_| self.talks.len() > 1);
        self.looks = (self.looks + 1).min(LOOKS.len());
        self.look = wait.map(|wait| now + *wait);
    }

    /// One step of each. Whether anything moved.
    fn round(&mut self, budget: &mut Budget, now: Instant) -> Result<bool, String> {
        // First, so that what it takes in is found by those whom it is for.
        let mut stirred = false;
        for talk in &mut self.talks {
            stirred = talk.stir()?;
            if stirred {
                break;
            }
        }
        let (wire, locks, piece) = (&self.wire, &mut self.locks, &mut self.piece);
        let (moved, doubt) = (&mut self.moved, &mut self.doubt);
        let mut ground = Ground { wire, locks, budget, stirred, piece, now, moved, doubt };
        let count = self.talks.len();
        let mut moving = false;
        for at in 0..count {
            moving |= self.talks[(self.first + at) % count].step(&mut ground)?;
        }
        self.first = self.first.wrapping_add(1);
        Ok(moving)
    }

    fn sort_out(&mut self, over: &mut Vec<Ended>) {
        while let Some(at) = self.talks.iter().position(Conversation::is_over) {
            let conversation = self.talks.remove(at);
            let id = conversation.id();
            if let (talk, Some(fate)) = conversation.into_fate() {
                over.push(Ended { id, talk, fate });
            }
        }
    }

    /// Whether it is worn, if it was not before.
    fn wears(&mut self, now: Instant) -> bool {
        let carried = self.moved.iter().any(|moved| *moved >= self.endurance);
        let lingers = self.talks.iter().filter_map(Conversation::lingers_since).any(|at| now >= at + LINGER);
        let worn = (carried || lingers || self.doubt) && !self.worn;
        if worn {
            let (moved, doubt) = (self.moved, self.doubt);
            log::debug!(
                "a session is worn: bytes {moved:?}, a process lingers: {lingers}, in doubt: {doubt}"
            );
        }
        self.worn |= worn;
        worn
    }

    /// When to pump though nothing came.
    pub(super) fn alarm(&self) -> Option<Instant> {
        let talks = self.talks.iter().flat_map(|talk| {
            let lingers = talk.lingers_since().filter(|_| !self.worn).map(|at| at + LINGER);
            let late = talk.unanswered().map(|(_, asked)| asked + self.patience.answer);
            [talk.wake(), late, lingers]
        });
        talks.chain([self.pulse.next(self.patience.silence), self.look]).flatten().min()
    }

    /// Ends the connection, and gives back all talks: whether each had begun.
    pub(super) fn end(mut self) -> Vec<(u64, Box<dyn Talk>, bool)> {
        self.wire.cut();
        let talks = std::mem::take(&mut self.talks).into_iter();
        talks
            .map(|talk| (talk.id(), talk.has_begun(), talk.into_fate().0))
            .map(|(id, begun, t)| (id, t, begun))
            .collect()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.wire.cut();
    }
}
