//! `host`: which hosts there are, whether they work, and how they are used just now.

mod check;
mod findings;
mod show;

pub(crate) use findings::Finding;

use super::Desk;
use crate::args::HostCommand;
use crate::exit::{Exit, Trouble};

/// Does what `host` was asked for.
pub(crate) fn host(desk: &Desk, command: &HostCommand) -> Result<Exit, Trouble> {
    match command {
        HostCommand::List => show::list(desk),
        HostCommand::Show(one) => show::show(desk, &one.name),
        HostCommand::Check(one) => check::check(desk, &one.name),
    }
}
