//! Files and trees, there and back.
//!
//! A transfer is an actor. What is on this machine it leaves to the [disk's thread](crate::disk); what is on the host it does
//! in one conversation with [a program](script) that runs there, however many files there are; large files go to a host over
//! SFTP, from where the last attempt was cut. Nothing is believed that a host says: what arrived is hashed on both sides.

mod compare;
mod complaint;
mod digests;
mod fetch;
mod found;
mod fuzzed;
mod get;
mod listing;
mod pack;
mod plan;
mod put;
mod reader;
mod remove;
mod scribe;
mod script;
mod send;
mod unpack;
mod untar;

pub(crate) use fuzzed::fuzzed;
pub(crate) use get::Getting;
pub(crate) use put::Putting;
pub(crate) use remove::remove_tree;

use crate::disk::Disk;
use crate::talk::Talk;
use stakker::Fwd;

/// From this size on a file is sent by itself and can be resumed: 8 MiB, a tenth of a second of a fast line.
pub(super) const LARGE: u64 = 8 << 20;

/// Large files are resumed, and hashed on a host, in multiples of this many bytes.
pub(super) const MIB: u64 = 1 << 20;

/// What a transfer works with.
#[derive(Clone)]
pub(crate) struct Place {
    /// What the host is called in messages.
    pub(crate) host: String,
    /// The thread for files of this machine.
    pub(crate) disk: Disk,
    /// Takes a conversation that needs a channel. If there is none, [`Talk::over`] says why.
    pub(crate) open: Fwd<Box<dyn Talk>>,
}
