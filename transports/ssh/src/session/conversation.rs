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

use super::locks::{Budget, Locks};
use super::wire::{Meaning, Wire};
use crate::talk::{Closed, Opens, Outbox, Talk, Window};
use procession::transport::{Stream, TransportError};
use ssh2::Channel;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// The largest packet that we take, in bytes: what RFC 4253, section 6.1, demands of everybody.
const PACKET: u32 = 32 << 10;

/// How much is offered to libssh2 at once; it takes at most 32,700 bytes (`channel.c`, `ssh2_channel_write`).
const SLICE: usize = 64 << 10;

/// By how many bytes libssh2 widens a window at least (`libssh2.h`, LIBSSH2_CHANNEL_MINADJUST).
const LEAST_WIDENING: u64 = 1024;

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
    Talking(Channel, Flow),
    Finishing(Channel, Flow, Result<(), TransportError>),
    Over(Fate),
}

/// What is half done on a channel.
#[derive(Clone, Copy, Default)]
struct Flow {
    /// A write is to be repeated.
    writing: bool,
    /// The packet that widens the window may be half sent.
    widening: bool,
    /// Our EOF is sent.
    ended: bool,
    /// Theirs has come, and all before it was heard.
    heard_end: bool,
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

    /// Until when the server must have answered what it was asked; none if nothing is asked.
    pub(super) fn patience(&self, patience: Duration) -> Option<Instant> {
        match &self.stage {
            Stage::Opening | Stage::Starting(_) => Some(self.since + patience),
            Stage::Finishing(_, flow, _) if flow.heard_end => Some(self.since + patience),
            Stage::Waiting | Stage::Talking(..) | Stage::Finishing(..) | Stage::Over(_) => None,
        }
    }

    /// Since when it waits for the server to close a channel that we have left: its process goes on.
    pub(super) fn lingers_since(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Finishing(_, flow, _) if !flow.heard_end => Some(self.since),
            Stage::Waiting
            | Stage::Opening
            | Stage::Starting(_)
            | Stage::Talking(..)
            | Stage::Finishing(..)
            | Stage::Over(_) => None,
        }
    }

    /// Lets libssh2 read, if there is a channel to read with. While new keys are exchanged only a read sends the rest of its
    /// packets, and calls that have something to send themselves do not get as far: when all channels had something to send,
    /// the session stalled (reproduced with RekeyLimit 64K and a send buffer of 4 KiB). This call reads and does nothing else.
    pub(super) fn stir(&mut self) -> Result<bool, String> {
        let channel = match &mut self.stage {
            Stage::Starting(channel) => channel,
            Stage::Talking(channel, flow) if !flow.heard_end => channel,
            Stage::Finishing(channel, flow, _) if !flow.heard_end => channel,
            Stage::Waiting | Stage::Opening | Stage::Talking(..) | Stage::Finishing(..) | Stage::Over(_) => {
                return Ok(false);
            }
        };
        match channel.wait_eof().map_err(|e| Meaning::of(&e)) {
            Ok(()) | Err(Meaning::Later | Meaning::Lost | Meaning::Channel(_)) => Ok(true),
            Err(Meaning::Broken(why)) => Err(why),
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
            Stage::Talking(channel, flow) => self.talk(ground, channel, flow)?,
            Stage::Finishing(channel, flow, how) => self.finish(ground, channel, flow, how)?,
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
                Opens::Nothing => Stage::Finishing(channel, Flow::default(), Ok(())),
                Opens::Address { .. } | Opens::Stay => {
                    self.begun = true;
                    Stage::Talking(channel, Flow::default())
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
            return Ok((Stage::Finishing(channel, Flow::default(), Ok(())), true));
        }
        let opens = self.talk.opens();
        if let Opens::Command(line) = &opens
            && (line.len() > LONGEST_LINE || line.contains('\0'))
        {
            let why = Err(TransportError::Refused("a command line is too long, or holds a NUL".to_owned()));
            return Ok((Stage::Finishing(channel, Flow::default(), why), true));
        }
        self.begun = true;
        let started = match opens {
            Opens::Command(line) => channel.exec(&line),
            Opens::Subsystem(name) => channel.subsystem(name),
            Opens::Nothing | Opens::Stay | Opens::Address { .. } => Ok(()),
        };
        ground.budget.sent(0);
        match started.map_err(|e| Meaning::of(&e)) {
            Ok(()) | Err(Meaning::Lost) => Ok((Stage::Talking(channel, Flow::default()), true)),
            Err(Meaning::Later) => Ok((Stage::Starting(channel), false)),
            Err(Meaning::Channel(why)) => {
                let why = Err(TransportError::Refused(why));
                Ok((Stage::Finishing(channel, Flow::default(), why), true))
            }
            Err(Meaning::Broken(why)) => Err(why),
        }
    }

    fn talk(&mut self, ground: &mut Ground<'_>, mut channel: Channel, mut flow: Flow) -> Next {
        let mut progress = self.send(ground, &mut channel, &mut flow)?;
        progress |= self.listen(ground, &mut channel, &mut flow)?;
        if !flow.heard_end && channel.eof() {
            flow.heard_end = true;
            self.talk.on_end();
            progress = true;
        }
        self.wake = self.talk.on_time(ground.now);
        let left = flow.heard_end && self.is_left(&mut channel)?;
        match left || self.talk.is_done() {
            true => {
                self.wake = None;
                Ok((Stage::Finishing(channel, flow, Ok(())), true))
            }
            false => Ok((Stage::Talking(channel, flow), progress)),
        }
    }

    /// Whether the other side, which says nothing more, does not hear either. A connection may be closed in one direction.
    fn is_left(&self, channel: &mut Channel) -> Result<bool, String> {
        match self.talk.opens() {
            Opens::Command(_) | Opens::Subsystem(_) | Opens::Nothing | Opens::Stay => Ok(true),
            Opens::Address { .. } => match channel.wait_close().map_err(|e| Meaning::of(&e)) {
                Err(Meaning::Later | Meaning::Lost) => Ok(false),
                Ok(()) | Err(Meaning::Channel(_)) => Ok(true),
                Err(Meaning::Broken(why)) => Err(why),
            },
        }
    }

    /// Writes what there is to say, within the budget, and the EOF after it.
    fn send(
        &mut self,
        ground: &mut Ground<'_>,
        channel: &mut Channel,
        flow: &mut Flow,
    ) -> Result<bool, String> {
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
            if !self.write(ground, channel, flow)? {
                return Ok(progress);
            }
            progress = true;
        }
        if self.out.is_over() && !flow.ended {
            flow.ended = self.end(ground, channel)?;
            progress |= flow.ended;
        }
        Ok(progress)
    }

    /// Writes one slice. Whether something was written.
    fn write(
        &mut self,
        ground: &mut Ground<'_>,
        channel: &mut Channel,
        flow: &mut Flow,
    ) -> Result<bool, String> {
        let rest = self.out.rest();
        let slice = &rest[..rest.len().min(SLICE)];
        let wrote = channel.write(slice);
        ground.budget.sent(*wrote.as_ref().unwrap_or(&0));
        match wrote {
            Ok(0) => Ok(false),
            Ok(count) => {
                flow.writing = false;
                self.out.take(count);
                self.ask = true;
                ground.moved[0] += count as u64;
                Ok(true)
            }
            Err(e) => match ground.wire.meaning(&e) {
                Meaning::Later | Meaning::Lost => {
                    // With an empty window nothing was begun; otherwise the packet may be half sent.
                    flow.writing = channel.write_window().remaining > 0;
                    Ok(false)
                }
                // They listen no more: what is left is not said.
                Meaning::Channel(_) => {
                    flow.writing = false;
                    let rest = self.out.rest().len();
                    self.out.take(rest);
                    Ok(true)
                }
                Meaning::Broken(why) => Err(why),
            },
        }
    }

    /// Sends our EOF. Whether it is sent.
    fn end(&mut self, ground: &mut Ground<'_>, channel: &mut Channel) -> Result<bool, String> {
        // While the socket has room the packet goes out whole, and there is no rest of it that could be mistaken.
        if !ground.locks.ending.take(self.id) {
            return Ok(false);
        }
        if !ground.wire.has_room() {
            ground.locks.ending.release(self.id);
            return Ok(false);
        }
        ground.budget.sent(0);
        let sent = match channel.send_eof().map_err(|e| Meaning::of(&e)) {
            Ok(()) | Err(Meaning::Channel(_)) => true,
            Err(Meaning::Later | Meaning::Lost) => return Ok(false),
            Err(Meaning::Broken(why)) => return Err(why),
        };
        ground.locks.ending.release(self.id);
        Ok(sent)
    }

    /// Reads what has come, within the budget and the appetite of the talk.
    fn listen(
        &mut self,
        ground: &mut Ground<'_>,
        channel: &mut Channel,
        flow: &mut Flow,
    ) -> Result<bool, String> {
        let mut progress = false;
        for (stream, number) in STREAMS {
            while flow.widening || self.talk.appetite() > 0 {
                if !ground.budget.may_hear() {
                    return Ok(true);
                }
                let window = self.talk.window();
                let heard = read(ground, channel, number, window, &mut flow.widening)?;
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

    /// Closes the channel, when nothing on it is half done.
    fn finish(
        &mut self,
        ground: &mut Ground<'_>,
        mut channel: Channel,
        mut flow: Flow,
        how: Result<(), TransportError>,
    ) -> Next {
        if flow.writing {
            self.write(ground, &mut channel, &mut flow)?;
        }
        if flow.writing {
            return Ok((Stage::Finishing(channel, flow, how), false));
        }
        if flow.widening && !widened(&mut channel)? {
            return Ok((Stage::Finishing(channel, flow, how), false));
        }
        flow.widening = false;
        if !flow.ended {
            flow.ended = self.end(ground, &mut channel)?;
            if !flow.ended {
                return Ok((Stage::Finishing(channel, flow, how), false));
            }
        }
        // After their EOF comes their end, with the exit status before it.
        let closed = match flow.heard_end {
            true => channel.wait_close().and_then(|()| channel.close()),
            false => channel.close(),
        };
        ground.budget.sent(0);
        match closed.map_err(|e| Meaning::of(&e)) {
            Err(Meaning::Later | Meaning::Lost) => Ok((Stage::Finishing(channel, flow, how), false)),
            Ok(()) | Err(Meaning::Channel(_)) => {
                let how = how.map(|()| closed_as(&channel));
                Ok((Stage::Over(Fate::Closed(how)), true))
            }
            Err(Meaning::Broken(why)) => Err(why),
        }
    }
}

/// Reads a piece into the ground. How many bytes; 0 if there is nothing now. `widening` tells whether the call must be made
/// again, whatever the talk would like.
fn read(
    ground: &mut Ground<'_>,
    channel: &mut Channel,
    number: i32,
    window: Window,
    widening: &mut bool,
) -> Result<usize, String> {
    let piece = window.piece();
    let heard = channel.stream(number).read(&mut ground.piece[..piece]);
    ground.budget.heard(*heard.as_ref().unwrap_or(&0));
    match heard {
        Ok(count) => {
            // A channel that has come to its end is not read any more, and what was half sent is still half sent.
            *widening = *widening && count == 0 && !widened(channel)?;
            ground.moved[1] += count as u64;
            Ok(count)
        }
        Err(e) => match ground.wire.meaning(&e) {
            Meaning::Later | Meaning::Lost => {
                // libssh2 widens the window before it reads, when less than this is open (`channel.c`, `ssh2_channel_read`).
                let open = channel.read_window();
                let least = open.window_size_initial as usize / 4 * 3 + piece;
                *widening = (open.remaining as usize) < least;
                Ok(0)
            }
            Meaning::Channel(_) => Ok(0),
            Meaning::Broken(why) => Err(why),
        },
    }
}

/// Sends the rest of a packet that widens the window. Whether it is sent.
fn widened(channel: &mut Channel) -> Result<bool, String> {
    match channel.adjust_receive_window(LEAST_WIDENING, true).map_err(|e| Meaning::of(&e)) {
        Ok(_) | Err(Meaning::Channel(_)) => Ok(true),
        Err(Meaning::Later | Meaning::Lost) => Ok(false),
        Err(Meaning::Broken(why)) => Err(why),
    }
}

fn closed_as(channel: &Channel) -> Closed {
    let signal = channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
    Closed { code: channel.exit_status().unwrap_or(0), signal }
}
