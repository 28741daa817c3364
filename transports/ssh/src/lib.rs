//! Commands and files on hosts behind SSH, for Procession.
//!
//! The thread that drives it never blocks: sessions are non-blocking, and what may block (files of this machine, keys that
//! are encrypted, an agent that does not answer) happens on helper threads that call no code of the user.
#![forbid(unsafe_code)]

mod aside;
pub mod auth;
mod certificate;
pub mod config;
mod dialer;
mod disk;
mod exec;
#[doc(hidden)]
pub mod fuzzed;
mod host;
pub mod hostkey;
pub mod jump;
mod nonce;
mod session;
mod sftp;
mod talk;
mod transport;
mod tree;
mod tunnel;

pub use host::{Config, StartError};
pub use session::Patience;
pub use transport::Ssh;

#[cfg(test)]
#[path = "tests/pipes.rs"]
mod pipes;
