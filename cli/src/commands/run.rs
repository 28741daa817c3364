//! `run`: jobs from their files to their verified outputs.
use super::Desk;
use crate::args::Run;
use crate::exit::{Exit, Trouble};
pub(crate) fn run(_desk: &Desk, _args: Run) -> Result<Exit, Trouble> { Ok(Exit::Well) }
