//! Commands and files on hosts behind SSH, for Procession.
//!
//! The thread that drives it never blocks: sessions are non-blocking, and what may block (files of this machine, keys that
//! are encrypted, an agent that does not answer) happens on helper threads that call no code of the user.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), allow(dead_code, unused_imports, reason = "sessions come next"))]

mod disk;
mod nonce;
#[cfg(test)]
mod pipes;
mod reason;
mod sftp;
#[allow(dead_code, reason = "sessions come next")]
mod talk;
mod tree;
