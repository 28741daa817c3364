//! The `procession` command. All of it is in the library, so that tests and fuzzers can call it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    procession_cli::main(std::env::args_os())
}
