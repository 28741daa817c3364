//! `gc`
use super::Desk;
use crate::args::Gc;
use crate::exit::{Exit, Trouble};
pub(crate) fn gc(_desk: &Desk, _args: &Gc) -> Result<Exit, Trouble> { Ok(Exit::Well) }
