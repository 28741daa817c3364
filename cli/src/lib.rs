//! The `procession` command, as a library: [`main`] with arguments is the whole program.
//!
//! Two sides that never mix. The *engine* is the runtime on a thread of its own: it never prints, and a terminal that
//! was stopped cannot stop a job. The rest is for people: it may block, it only reads the journal and leaves letters in
//! it, and so it works in the same way whether the runtime is in this program, in another one, or nowhere.
//!
//! `args` is the command line, `commands` has one file for each group of commands, `jobfile` and `hosts` read what people
//! write, `kinds` is the one place that knows which kinds of processes there are, `view` is how a row of the journal looks
//! to people and programs, `follow` turns the journal into a story, and `progress`, `screen` and `json` tell it.
#![forbid(unsafe_code)]

mod args;
mod board;
mod commands;
mod counter;
mod engine;
mod exit;
mod follow;
mod hosts;
mod jobfile;
mod json;
mod kinds;
mod place;
mod program;
mod progress;
mod reach;
mod screen;
mod signals;
mod store;
mod sweep;
mod terminal;
mod view;

pub use exit::Exit;
pub use hosts::{
    GridEngineNames, Host, Hosts, HostsError, Limits, LsfUnits, Queue, SchedulerKind, Site, Ssh,
    TransportKind,
};
pub use jobfile::{JobFile, JobFileError, Slip};
pub use program::main;
