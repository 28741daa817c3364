//! One talk on its channel: opened, spoken, closed, in steps that never block.
//!
//! ```text
//! Waiting → Opening → Starting → Talking → Finishing → Over
//!    └─────────┴── refused, recalled ──────────────────→┘
//! ```
//!
//! A call that would block is made again with the same arguments until it does not: libssh2 holds its half-sent packet, and
//! nobody else can send the rest of it. So a channel is never closed in the middle of a write or of a widening of its
//! window, and one that has been left by its talk goes on as a shell of itself until it is closed.

use super::flow::{self, Flow};
use super::locks::{Budget, Locks};
use super::wire::{Meaning, Wire};
use crate::talk::{Closed, Opens, Outbox, Talk};
use procession::transport::{Stream, TransportError};
use ssh2::Channel;
use std::time::Instant;

/// The largest packet that we take, in bytes: what RFC 4253, section 6.1, demands of everybody.
const PACKET: u32 = 32 << 10;

/// The longest command line, in bytes: libssh2 puts it into one packet of less than 35,000 (`transport.c`).
pub(crate) const LONGEST_LINE: usize = 32_000;

/// The streams of a channel, and their numbers for ssh2 (RFC 4254, section 5.2).
const STREAMS: [(Stream, i32); 2] = [(Stream::Stdout, 0), (Stream::Stderr, 1)];

/// A talk on its channel.
pub(super) struct Conversation {
    id: u64,
    talk: Box<dyn Talk>,
    stage: Stage,
    out: Outbox,
    /// The talk should be asked whether it has something to say.
    ask: bool,
    /// The host was told what to do: from here on its effect is unknown if the session breaks.
    begun: bool,
    /// Since when it is in this stage.
    since: Instant,
    /// When the talk wants to be told the time.
    wake: Option<Instant>,
}

enum Stage {
    /// For the right to open a channel.
    Waiting,
    Opening,
    Starting(Channel),
    Talking(Flow),
    Finishing(Flow, Result<(), TransportError>),
    Over(Fate),
}

/// How a conversation ended.
pub(super) enum Fate {
    /// The talk is to be told this.
    Closed(Result<Closed, TransportError>),
    /// The channel was refused: nothing has happened.
    Refused(String),
}

/// Where a step takes place.
pub(super) struct Ground<'a> {
    pub(super) wire: &'a Wire,
    pub(super) locks: &'a mut Locks,
    pub(super) budget: &'a mut Budget,
    /// All that had arrived when this round began is taken in.
    pub(super) stirred: bool,
    /// To read into.
    pub(super) piece: &'a mut [u8],
    pub(super) now: Instant,
    /// Bytes moved, sent and heard.
    pub(super) moved: &'a mut [u64; 2],
    /// Something about the session is in doubt: it should get no new work.
    pub(super) doubt: &'a mut bool,
}

/// What a step led to: the next stage, and whether something went on.
type Next = Result<(Stage, bool), String>;

impl Conversation {
    pub(super) fn new(id: u64, talk: Box<dyn Talk>, now: Instant) -> Conversation {
        let stage = Stage::Waiting;
        Conversation {
            id,
            talk,
            stage,
            out: Outbox::default(),
            ask: true,
            begun: false,
            since: now,
            wake: None,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether the host was told what to do.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// The talk, and how it ended; none while its channel is open.
    pub(super) fn into_fate(self) -> (Box<dyn Talk>, Option<Fate>) {
        match self.stage {
            Stage::Over(fate) => (self.talk, Some(fate)),
            Stage::Waiting
            | Stage::Opening
            | Stage::Starting(_)
            | Stage::Talking(..)
            | Stage::Finishing(..) => (self.talk, None),
        }
    }

    /// The talk has something new.
    pub(super) fn poke(&mut self) {
        self.ask = true;
    }

    /// When it wants to be stepped though nothing came.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// What the server was asked and has not answered yet, and since when it is asked; none if it owes nothing.
    pub(super) fn unanswered(&self) -> Option<(&'static str, Instant)> {
        let what = match &self.stage {
            Stage::Opening => "to open a channel",
            Stage::Starting(_) => "to start a command",
            Stage::Finishing(flow, _) if flow.has_heard_end() => "to close a channel",
            Stage::Waiting | Stage::Talking(..) | Stage::Finishing(..) | Stage::Over(_) => return None,
        };
        Some((what, self.since))
    }

    /// Where it stands, for whoever looks for the reason of a stall.
    pub(super) fn standing(&self) -> String {
        let at = match &self.stage {
            Stage::Waiting => "waiting".to_owned(),
            Stage::Opening => "opening".to_owned(),
            Stage::Starting(_) => "starting".to_owned(),
            Stage::Talking(flow) => format!("talking, {}", flow.standing()),
            Stage::Finishing(flow, _) => format!("finishing, {}", flow.standing()),
            Stage::Over(_) => "over".to_owned(),
        };
        format!("{} {at}, {} bytes to say", self.id, self.out.rest().len())
    }

    /// Since when it waits for the server to close a channel that we have left: its process goes on.
    pub(super) fn lingers_since(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Finishing(flow, _) if !flow.has_heard_end() => Some(self.since),
            Stage::Waiting
            | Stage::Opening
            | Stage::Starting(_)
            | Stage::Talking(..)
            | Stage::Finishing(..)
            | Stage::Over(_) => None,
        }
    }

    /// Lets libssh2 read, if there is a channel to read with, and does nothing else. Whether all that has arrived
    /// is taken in now.
    pub(super) fn stir(&mut self) -> Result<bool, String> {
        match &mut self.stage {
            Stage::Starting(channel) => flow::stir(channel),
            Stage::Talking(flow) | Stage::Finishing(flow, _) => flow.stir(),
            Stage::Waiting | Stage::Opening | Stage::Over(_) => Ok(false),
        }
    }

    /// Does what can be done now. Whether something was; an error is about the whole session.
    pub(super) fn step(&mut self, ground: &mut Ground<'_>) -> Result<bool, String> {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        let before = std::mem::discriminant(&stage);
        let (stage, progress) = match stage {
            Stage::Waiting => self.wait(ground)?,
            Stage::Opening => self.open(ground)?,
            Stage::Starting(channel) => self.start(ground, channel)?,
            Stage::Talking(flow) => self.talk(ground, flow)?,
            Stage::Finishing(flow, how) => self.finish(ground, flow, how)?,
            Stage::Over(fate) => (Stage::Over(fate), false),
        };
        if std::mem::discriminant(&stage) != before {
            self.since = ground.now;
        }
        self.stage = stage;
        Ok(progress)
    }

    fn wait(&mut self, ground: &mut Ground<'_>) -> Next {
        if self.talk.is_done() {
            return Ok((Stage::Over(Fate::Closed(Ok(Closed { code: 0, signal: None }))), true));
        }
        match ground.locks.opening.take(self.id) {
            true => Ok((Stage::Opening, true)),
            false => Ok((Stage::Waiting, false)),
        }
    }

    fn open(&mut self, ground: &mut Ground<'_>) -> Next {
        let ssh = ground.wire.ssh();
        let opens = self.talk.opens();
        let opened = match &opens {
            Opens::Command(_) | Opens::Subsystem(_) | Opens::Nothing | Opens::Stay => {
                ssh.channel_open("session", self.talk.window().bytes(), PACKET, None)
            }
            Opens::Address { host, port } => ssh.channel_direct_tcpip(host, *port, None),
        };
        ground.budget.sent(0);
        let stage = match opened.map_err(|e| Meaning::of(&e)) {
            Ok(channel) => match opens {
                Opens::Command(_) | Opens::Subsystem(_) => Stage::Starting(channel),
                Opens::Nothing => Stage::Finishing(Flow::new(channel), Ok(())),
                Opens::Address { .. } | Opens::Stay => {
                    self.begun = true;
                    Stage::Talking(Flow::new(channel))
                }
            },
            Err(Meaning::Later) => return Ok((Stage::Opening, false)),
            // The next try finds the answer to this one: libssh2 gives it the same number. A channel more is open there now.
            Err(Meaning::Lost) => {
                *ground.doubt = true;
                return Ok((Stage::Opening, true));
            }
            Err(Meaning::Channel(why)) => Stage::Over(match opens {
                Opens::Command(_) | Opens::Subsystem(_) | Opens::Stay => Fate::Refused(why),
                // An answer is all that was wanted.
                Opens::Nothing => Fate::Closed(Ok(Closed { code: 0, signal: None })),
                Opens::Address { host, port } => {
                    Fate::Closed(Err(TransportError::Refused(format!("{host}:{port}: {why}"))))
                }
            }),
            Err(Meaning::Broken(why)) => return Err(why),
        };
        ground.locks.opening.release(self.id);
        Ok((stage, true))
    }

    fn start(&mut self, ground: &mut Ground<'_>, mut channel: Channel) -> Next {
        if !self.begun && self.talk.is_done() {
            return Ok((Stage::Finishing(Flow::new(channel), Ok(())), true));
        }
        let opens = self.talk.opens();
        if let Opens::Command(line) = &opens
            && (line.len() > LONGEST_LINE || line.contains('\0'))
        {
            let why = Err(TransportError::Refused("a command line is too long, or holds a NUL".to_owned()));
            return Ok((Stage::Finishing(Flow::new(channel), why), true));
        }
        self.begun = true;
        let started = match opens {
            Opens::Command(line) => channel.exec(&line),
            Opens::Subsystem(name) => channel.subsystem(name),
            Opens::Nothing | Opens::Stay | Opens::Address { .. } => Ok(()),
        };
        ground.budget.sent(0);
        match started.map_err(|e| Meaning::of(&e)) {
            Ok(()) | Err(Meaning::Lost) => Ok((Stage::Talking(Flow::new(channel)), true)),
            Err(Meaning::Later) => Ok((Stage::Starting(channel), false)),
            Err(Meaning::Channel(why)) => {
                let why = Err(TransportError::Refused(why));
                Ok((Stage::Finishing(Flow::new(channel), why), true))
            }
            Err(Meaning::Broken(why)) => Err(why),
        }
    }

    fn talk(&mut self, ground: &mut Ground<'_>, mut flow: Flow) -> Next {
        let mut progress = self.send(ground, &mut flow)?;
        progress |= self.listen(ground, &mut flow)?;
        if flow.hears_end() {
            self.talk.on_end();
            progress = true;
        }
        self.wake = self.talk.on_time(ground.now);
        let left = flow.has_heard_end() && self.is_left(&mut flow)?;
        match left || self.talk.is_done() {
            true => {
                self.wake = None;
                Ok((Stage::Finishing(flow, Ok(())), true))
            }
            false => Ok((Stage::Talking(flow), progress)),
        }
    }

    /// Whether the other side, which says nothing more, does not hear either. A connection may be closed in one direction.
    fn is_left(&self, flow: &mut Flow) -> Result<bool, String> {
        match self.talk.opens() {
            Opens::Command(_) | Opens::Subsystem(_) | Opens::Nothing | Opens::Stay => Ok(true),
            Opens::Address { .. } => flow.is_left(),
        }
    }

    /// Writes what there is to say, within the budget, and the EOF after it.
    fn send(&mut self, ground: &mut Ground<'_>, flow: &mut Flow) -> Result<bool, String> {
        let mut progress = false;
        loop {
            if self.ask && self.out.room() > 0 && !self.out.has_ended() {
                self.ask = false;
                self.talk.say(&mut self.out);
            }
            if self.out.rest().is_empty() {
                break;
            }
            if !ground.budget.may_send() {
                return Ok(true);
            }
            let Some(count) = flow.write(ground, self.out.rest())? else { return Ok(progress) };
            self.out.take(count);
            self.ask = true;
            progress = true;
        }
        if self.out.is_over() && !flow.has_ended() {
            progress |= flow.end(ground, self.id)?;
        }
        Ok(progress)
    }

    /// Reads what has come, within the budget and the appetite of the talk.
    fn listen(&mut self, ground: &mut Ground<'_>, flow: &mut Flow) -> Result<bool, String> {
        let mut progress = false;
        for (stream, number) in STREAMS {
            while flow.must_read() || self.talk.appetite() > 0 {
                if !ground.budget.may_hear() {
                    return Ok(true);
                }
                let heard = flow.read(ground, number, self.talk.window())?;
                if heard == 0 {
                    break;
                }
                self.talk.hear(stream, &ground.piece[..heard]);
                self.ask = true;
                progress = true;
            }
        }
        Ok(progress)
    }

    fn finish(&mut self, ground: &mut Ground<'_>, mut flow: Flow, how: Result<(), TransportError>) -> Next {
        match flow.close(ground, self.id, self.out.rest())? {
            None => Ok((Stage::Finishing(flow, how), false)),
            Some(closed) => Ok((Stage::Over(Fate::Closed(how.map(|()| closed))), true)),
        }
    }
}
