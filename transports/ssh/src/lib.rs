//! Commands and files on hosts behind SSH, for Procession.
//!
//! The thread that drives it never blocks: sessions are non-blocking, and what may block (files of this machine, keys that
//! are encrypted, an agent that does not answer) happens on helper threads that call no code of the user.
#![forbid(unsafe_code)]

#[cfg_attr(not(test), expect(dead_code, reason = "sessions come next"))]
pub mod auth;
mod certificate;
pub mod config;
pub mod hostkey;
#[expect(dead_code, reason = "sessions come next")]
pub mod jump;
#[expect(dead_code, reason = "sessions come next")]
mod talk;
