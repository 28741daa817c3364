//! Commands and files on hosts behind SSH, for Procession.
//!
//! The thread that drives it never blocks: sessions are non-blocking, and what may block (files of this machine, keys that
//! are encrypted, an agent that does not answer) happens on helper threads that call no code of the user.
#![forbid(unsafe_code)]

pub mod auth;
pub mod config;
pub mod hostkey;
pub mod jump;
#[cfg_attr(not(test), expect(dead_code, reason = "sessions come next"))]
mod nonce;
#[cfg(test)]
mod pipes;
#[allow(dead_code, unused_imports, reason = "sessions come next")]
mod sftp;
#[expect(dead_code, reason = "sessions come next")]
mod talk;
