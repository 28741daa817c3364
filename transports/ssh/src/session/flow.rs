//! A channel, and what is half done on it.
//!
//! libssh2 holds one packet that was sent in part, and takes its rest from nobody but who began it: the same call on the
//! same channel. While it is held nothing else is sent, new keys neither, and without them nothing is read. So whoever forgets
//! what it has begun stops the whole session for ever.

use super::conversation::Ground;
use super::wire::Meaning;
use crate::talk::{Closed, Window};
use ssh2::Channel;
use std::io::{Read, Write};

/// How much is offered to libssh2 at once; it takes at most 32,700 bytes (`channel.c`, `ssh2_channel_write`).
const SLICE: usize = 64 << 10;

/// By how many bytes libssh2 widens a window at least (`libssh2.h`, LIBSSH2_CHANNEL_MINADJUST).
const LEAST_WIDENING: u64 = 1024;

/// A channel on which bytes flow.
pub(super) struct Flow {
    channel: Channel,
    /// A write is to be repeated.
    writing: bool,
    widening: Widening,
    /// Our EOF is sent.
    ended: bool,
    /// Theirs has come, and all before it was heard.
    heard_end: bool,
}

/// Whose call sends the rest of a packet that widens the window of what we take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Widening {
    /// There is no such packet.
    Done,
    /// A read may have begun it, and a read goes on with it. Before their end has come, that is: after it a read does nothing.
    ByRead,
    /// We have, because nobody reads any more. A read knows nothing of it.
    ByUs,
}

impl Flow {
    pub(super) fn new(channel: Channel) -> Flow {
        Flow { channel, writing: false, widening: Widening::Done, ended: false, heard_end: false }
    }

    /// Whether our EOF is sent.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether theirs has come, and all before it was heard.
    pub(super) fn has_heard_end(&self) -> bool {
        self.heard_end
    }

    /// Whether their end has come just now.
    pub(super) fn hears_end(&mut self) -> bool {
        let news = !self.heard_end && self.channel.eof();
        self.heard_end |= news;
        news
    }

    /// Whether a read must be made, whatever the talk would like.
    pub(super) fn must_read(&self) -> bool {
        self.widening != Widening::Done
    }

    /// Where it stands, for whoever looks for the reason of a stall.
    pub(super) fn standing(&self) -> String {
        let Flow { channel: _, writing, widening, ended, heard_end } = self;
        format!("writing {writing}, widening {widening:?}, ended {ended}, heard the end {heard_end}")
    }

    /// Lets libssh2 read, and does nothing else. Whether all that has arrived is taken in now.
    pub(super) fn stir(&mut self) -> Result<bool, String> {
        if self.heard_end {
            return Ok(false);
        }
        stir(&mut self.channel)
    }

    /// Writes the beginning of what is left to say. How much of that is said; none if it has to wait.
    pub(super) fn write(&mut self, ground: &mut Ground<'_>, rest: &[u8]) -> Result<Option<usize>, String> {
        let slice = &rest[..rest.len().min(SLICE)];
        let wrote = self.channel.write(slice);
        ground.budget.sent(*wrote.as_ref().unwrap_or(&0));
        match wrote {
            Ok(0) => Ok(None),
            Ok(count) => {
                self.writing = false;
                ground.moved[0] += count as u64;
                Ok(Some(count))
            }
            Err(e) => match ground.wire.meaning(&e) {
                Meaning::Later | Meaning::Lost => {
                    // With an empty window nothing was begun; otherwise the packet may be half sent.
                    self.writing = self.channel.write_window().remaining > 0;
                    Ok(None)
                }
                // They listen no more: what is left is not said.
                Meaning::Channel(_) => {
                    self.writing = false;
                    Ok(Some(rest.len()))
                }
                Meaning::Broken(why) => Err(why),
            },
        }
    }

    /// Reads a piece into the ground. How many bytes; 0 if there is nothing now.
    pub(super) fn read(
        &mut self,
        ground: &mut Ground<'_>,
        number: i32,
        window: Window,
    ) -> Result<usize, String> {
        if self.widening == Widening::ByUs && !self.widened()? {
            return Ok(0);
        }
        // What has arrived is taken in already, so a read that finds nothing would only ask the system once more.
        if ground.stirred && !self.must_read() && self.channel.read_window().available == 0 {
            return Ok(0);
        }
        let piece = window.piece();
        let heard = self.channel.stream(number).read(&mut ground.piece[..piece]);
        ground.budget.heard(*heard.as_ref().unwrap_or(&0));
        match heard {
            // A channel that has come to its end is not read any more, and what was half sent is still half sent.
            Ok(0) if self.widening == Widening::ByRead && self.channel.eof() => {
                self.widened()?;
                Ok(0)
            }
            Ok(count) => {
                self.widening = Widening::Done;
                ground.moved[1] += count as u64;
                Ok(count)
            }
            Err(e) => match ground.wire.meaning(&e) {
                Meaning::Later | Meaning::Lost => {
                    // libssh2 widens the window before it reads, when less than this is open (`channel.c`, `ssh2_channel_read`).
                    let open = self.channel.read_window();
                    let least = open.window_size_initial as usize / 4 * 3 + piece;
                    let narrow = (open.remaining as usize) < least;
                    self.widening = if narrow { Widening::ByRead } else { Widening::Done };
                    Ok(0)
                }
                Meaning::Channel(_) => Ok(0),
                Meaning::Broken(why) => Err(why),
            },
        }
    }

    /// Sends the rest of a packet that widens the window, whoever began it. Whether it is sent.
    fn widened(&mut self) -> Result<bool, String> {
        let widened = self.channel.adjust_receive_window(LEAST_WIDENING, true);
        self.widening = match widened.map_err(|e| Meaning::of(&e)) {
            Ok(_) | Err(Meaning::Channel(_)) => Widening::Done,
            Err(Meaning::Later | Meaning::Lost) => Widening::ByUs,
            Err(Meaning::Broken(why)) => return Err(why),
        };
        Ok(self.widening == Widening::Done)
    }

    /// Sends our EOF, as the conversation with this number. Whether it is sent.
    pub(super) fn end(&mut self, ground: &mut Ground<'_>, id: u64) -> Result<bool, String> {
        // While the socket has room the packet goes out whole, and there is no rest of it that could be mistaken.
        if !ground.locks.ending.take(id) {
            return Ok(false);
        }
        if !ground.wire.has_room() {
            ground.locks.ending.release(id);
            return Ok(false);
        }
        ground.budget.sent(0);
        match self.channel.send_eof().map_err(|e| Meaning::of(&e)) {
            Ok(()) | Err(Meaning::Channel(_)) => self.ended = true,
            Err(Meaning::Later | Meaning::Lost) => return Ok(false),
            Err(Meaning::Broken(why)) => return Err(why),
        }
        ground.locks.ending.release(id);
        Ok(true)
    }

    /// Whether the other side has closed the channel.
    pub(super) fn is_left(&mut self) -> Result<bool, String> {
        match self.channel.wait_close().map_err(|e| Meaning::of(&e)) {
            Err(Meaning::Later | Meaning::Lost) => Ok(false),
            Ok(()) | Err(Meaning::Channel(_)) => Ok(true),
            Err(Meaning::Broken(why)) => Err(why),
        }
    }

    /// Closes the channel, when nothing on it is half done. `rest` is what was not said yet, of which libssh2 may hold a
    /// part. How it was closed; none if that has to wait.
    pub(super) fn close(
        &mut self,
        ground: &mut Ground<'_>,
        id: u64,
        rest: &[u8],
    ) -> Result<Option<Closed>, String> {
        if self.writing {
            self.write(ground, rest)?;
        }
        if self.writing || (self.must_read() && !self.widened()?) || !(self.ended || self.end(ground, id)?) {
            return Ok(None);
        }
        // After their EOF comes their end, with the exit status before it.
        let closed = match self.heard_end {
            true => self.channel.wait_close().and_then(|()| self.channel.close()),
            false => self.channel.close(),
        };
        ground.budget.sent(0);
        match closed.map_err(|e| Meaning::of(&e)) {
            Err(Meaning::Later | Meaning::Lost) => Ok(None),
            Ok(()) | Err(Meaning::Channel(_)) => {
                let signal = self.channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
                Ok(Some(Closed { code: self.channel.exit_status().unwrap_or(0), signal }))
            }
            Err(Meaning::Broken(why)) => Err(why),
        }
    }
}

/// Lets libssh2 read through this channel, and does nothing else. While new keys are exchanged only a read sends the rest of
/// its packets, and calls that have something to send themselves do not get as far: when all channels had something to
/// send, the session stalled (reproduced with RekeyLimit 64K and a send buffer of 4 KiB). Whether all that has arrived is taken
/// in now.
pub(super) fn stir(channel: &mut Channel) -> Result<bool, String> {
    match channel.wait_eof().map_err(|e| Meaning::of(&e)) {
        Err(Meaning::Later) => Ok(true),
        // At its end it reads nothing.
        Ok(()) | Err(Meaning::Lost | Meaning::Channel(_)) => Ok(false),
        Err(Meaning::Broken(why)) => Err(why),
    }
}
