//! SFTP version 3 on one channel: small operations, pipelined, and large files.
//!
//! Nothing here does input or output. [`talk`] is the [`Talk`](crate::talk::Talk) that a session drives; operations are
//! [`Errand`]s that ask and are told; [`client`] matches replies to requests; [`wire`] is the bytes.

mod change;
mod client;
mod contents;
mod look;
mod reason;
mod talk;
mod upload;
pub(crate) mod wire;

pub(crate) use talk::Sftp;
pub(crate) use upload::{Upload, Uploaded};

use procession::transport::TransportError;
use wire::{Reply, Request};

/// What a server may lack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knows {
    /// fsync@openssh.com
    pub(crate) sync: bool,
    /// statvfs@openssh.com
    pub(crate) room: bool,
    /// limits@openssh.com
    pub(crate) limits: bool,
}

/// What an errand asks: each request with a tag of its own choice, which comes back with the reply.
pub(crate) struct Asks {
    knows: Knows,
    requests: Vec<(u32, Request)>,
}

impl Asks {
    fn ask(&mut self, tag: u32, request: Request) {
        self.requests.push((tag, request));
    }
}

/// One operation: requests and replies, and an answer at the end.
///
/// It is over when nothing that it has asked is unanswered, and [`is_waiting`](Errand::is_waiting) says no.
pub(crate) trait Errand {
    /// Asks the first requests.
    fn begin(&mut self, to: &mut Asks);

    /// Hears a reply, and asks on.
    fn on_reply(&mut self, tag: u32, reply: Reply, to: &mut Asks);

    /// Asks more if there is more by now; called whenever the talk is poked.
    fn resume(&mut self, _: &mut Asks) {}

    /// Whether something else than a reply is waited for.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Answers: with the result, or with what broke the channel before.
    fn end(self: Box<Self>, cut: Option<TransportError>);
}
