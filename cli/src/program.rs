//! The program: arguments in, a code out.

use crate::exit::{self, Exit};
use crate::{args, commands, screen};
use clap::Parser;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// The whole program: reads the arguments (the first is the program's name), does what they say, and gives the code to
/// exit with. Prints to the standard outputs; a panic ends as one line and [`Exit::Bug`].
pub fn main(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    std::panic::set_hook(Box::new(exit::confess));
    let exit = match args::Args::try_parse_from(args) {
        Ok(args) => guarded(|| run(args)),
        Err(said) => {
            // Help and the version come this way too, and go to stdout with code 0. If nobody listens, nobody is told.
            let _ = said.print();
            if said.use_stderr() { Exit::Input } else { Exit::Well }
        }
    };
    ExitCode::from(exit.code())
}

/// A panic is a bug of ours, and the hook has confessed it.
fn guarded(run: impl FnOnce() -> Exit) -> Exit {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(Exit::Bug)
}

fn run(args: args::Args) -> Exit {
    let json = args.global.json;
    match commands::run(args) {
        Ok(Exit::Well) if screen::has_lost() => Exit::Failed,
        Ok(exit) => exit,
        Err(trouble) => {
            screen::complain(&trouble, json);
            trouble.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, guarded};
    use crate::exit::Trouble;
    use clap::CommandFactory;

    #[test]
    fn a_panic_on_either_side_ends_as_a_bug_with_code_5() {
        assert_eq!(guarded(|| panic!("planted")).code(), 5);
        assert_eq!(guarded(|| Exit::Well).code(), 0);
        assert_eq!(Trouble::Engine.exit().code(), 5, "the engine's thread has panicked");
    }

    #[test]
    fn the_command_line_is_well_formed() {
        crate::args::Args::command().debug_assert();
    }
}
