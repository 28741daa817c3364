//! Requests on their way, and replies that find whoever asked: pipelined, and without a channel.

use super::wire::{self, Hello, Reply, Request};
use crate::talk::Outbox;
use procession::transport::TransportError;
use std::collections::{BTreeMap, VecDeque};

/// How many requests are in flight. With 32 KiB in each they fill the window of a channel (2 MiB) and no more.
pub(super) const IN_FLIGHT: usize = 64;

/// How many requests may wait behind these. Whoever has more to ask asks later.
const MOST_WAITING: usize = 100_000;

/// A client, of which each request carries a ticket `T` that comes back with the reply.
pub(super) struct Client<T> {
    /// None until the server has said hello.
    hello: Option<Hello>,
    greeted: bool,
    next: u32,
    flying: BTreeMap<u32, T>,
    waiting: VecDeque<(T, Request)>,
    heard: Vec<u8>,
}

impl<T> Default for Client<T> {
    fn default() -> Client<T> {
        Client {
            hello: None,
            greeted: false,
            next: 0,
            flying: BTreeMap::new(),
            waiting: VecDeque::new(),
            heard: Vec::new(),
        }
    }
}

impl<T> Client<T> {
    /// Whether so much waits already that nothing should be added.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING
    }

    /// Adds a request to the queue.
    pub(super) fn ask(&mut self, ticket: T, request: Request) {
        self.waiting.push_back((ticket, request));
    }

    /// Says what may be said now.
    pub(super) fn say(&mut self, out: &mut Outbox) {
        if !self.greeted {
            self.greeted = true;
            out.push(&wire::hello());
        }
        while self.hello.is_some() && self.flying.len() < IN_FLIGHT && out.room() > 0 {
            let Some((ticket, request)) = self.waiting.pop_front() else { return };
            // A number in use again would take 2^32 requests during one of them.
            let id = self.next;
            self.next = self.next.wrapping_add(1);
            match &request {
                // Contents are copied once.
                Request::Write { handle, offset, bytes } => {
                    out.push(&wire::write_head(id, handle, *offset, bytes.len()));
                    out.push(bytes);
                }
                _ => out.push(&request.packet(id)),
            }
            self.flying.insert(id, ticket);
        }
    }

    /// Hears bytes of the server, and adds the replies that are complete to `replies`. After an error the channel is of no
    /// more use.
    pub(super) fn hear(&mut self, bytes: &[u8], replies: &mut Vec<(T, Reply)>) -> Result<(), TransportError> {
        // Whole packets are read where they lie; only a piece of one is kept.
        let mut kept = std::mem::take(&mut self.heard);
        if kept.is_empty() {
            let used = self.packets(bytes, replies)?;
            kept.extend_from_slice(&bytes[used..]);
        } else {
            kept.extend_from_slice(bytes);
            let used = self.packets(&kept, replies)?;
            kept.drain(..used);
        }
        self.heard = kept;
        Ok(())
    }

    /// Reads all packets that are complete, and says how many bytes they have.
    fn packets(&mut self, bytes: &[u8], replies: &mut Vec<(T, Reply)>) -> Result<usize, TransportError> {
        let mut rest = bytes;
        while let Some((length, body)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > wire::LONGEST {
                let start = String::from_utf8_lossy(&rest[..rest.len().min(64)]);
                let why = format!("the SFTP server sent a packet of {length} bytes, beginning {start:?}");
                return Err(TransportError::Protocol(why));
            }
            let Some((packet, next)) = body.split_at_checked(length) else { break };
            rest = next;
            self.packet(packet, replies)?;
        }
        Ok(bytes.len() - rest.len())
    }

    fn packet(&mut self, packet: &[u8], replies: &mut Vec<(T, Reply)>) -> Result<(), TransportError> {
        if self.hello.is_none() {
            self.hello = Some(wire::read_hello(packet)?);
            return Ok(());
        }
        let (id, reply) = wire::read_reply(packet)?;
        let ticket = self.flying.remove(&id).ok_or_else(|| {
            TransportError::Protocol(format!("the SFTP server answered request {id}, which was not asked"))
        })?;
        replies.push((ticket, reply));
        Ok(())
    }

    /// Whether the server has said hello.
    pub(super) fn is_ready(&self) -> bool {
        self.hello.is_some()
    }

    /// Whether the server has this extension. Known once it has said hello, and so at every reply.
    pub(super) fn knows(&self, extension: &str) -> bool {
        let extension = extension.as_bytes();
        self.hello.iter().any(|hello| hello.extensions.iter().any(|known| known == extension))
    }
}
