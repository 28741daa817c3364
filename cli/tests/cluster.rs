//! A real cluster behind a real sshd, and the real program: what a user would do, and what can come in between.
#![expect(clippy::disallowed_methods, reason = "the test waits for the programs that it kills")]
#![allow(missing_docs, reason = "the names say it")]

mod cluster_stories;
mod shell;
