//! Commands and files on hosts behind SSH, for Procession.
//!
//! The thread that drives it never blocks: sessions are non-blocking, and what may block (files of this machine, keys that
//! are encrypted, an agent that does not answer) happens on helper threads that call no code of the user.
#![forbid(unsafe_code)]

pub mod auth;
pub mod config;
pub mod hostkey;
pub mod jump;
mod line;
mod nonce;
mod sftp;
#[expect(dead_code, reason = "sessions come next")]
mod talk;
