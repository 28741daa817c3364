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
mod commands;
mod engine;
mod exit;
mod follow;
mod hosts;
mod jobfile;
mod json;
mod kinds;
mod place;
mod progress;
mod screen;
mod signals;
mod store;
mod sweep;
mod view;

pub use exit::Exit;
pub use hosts::{Host, Hosts, HostsError};
pub use jobfile::{JobFile, JobFileError};

use clap::Parser;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// The whole program: reads the arguments (the first is the program's name), does what they say, and gives the code to
/// exit with. Prints to the standard outputs; a panic ends as one line and [`Exit::Bug`].
pub fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    std::panic::set_hook(Box::new(exit::confess));
    let exit = match args::Args::try_parse_from(args) {
        Ok(args) => catch_unwind(AssertUnwindSafe(|| run(args))).unwrap_or(Exit::Bug),
        Err(said) => {
            // Help and the version come this way too, and go to stdout with code 0. If nobody listens, nobody is told.
            let _ = said.print();
            if said.use_stderr() { Exit::Input } else { Exit::Well }
        }
    };
    ExitCode::from(exit.code())
}

fn run(args: args::Args) -> Exit {
    let json = args.common.json;
    match commands::run(args) {
        Ok(exit) => exit,
        Err(trouble) => {
            screen::complain(&trouble, json);
            trouble.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::args::Args::command().debug_assert();
    }
}
