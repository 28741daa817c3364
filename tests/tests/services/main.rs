//! On the real thing: sshd, Slurm and Grid Engine, each in a folder of its own. `tests/services` has the scripts.
#![expect(clippy::disallowed_methods, reason = "these tests wait for real programs")]
#![allow(missing_docs, reason = "the names say it")]

mod clients;
mod dialects;
mod ends;
mod gridengine;
mod handles;
mod hosts;
mod loops;
mod slurm;
mod ssh;
