//! The kinds of processes that this program knows: the only place that knows them. Each kind says how it is registered,
//! how a new one begins, and what a row of it means to people.

use crate::exit::Trouble;
use crate::hosts::Hosts;
use crate::store::Store;
use crate::view::Sketch;
use procession::journal::ProcessRow;
use procession::{Edge, Runtime};

/// What the processes of a runtime need, alive for as long as this is.
#[derive(Default)]
pub(crate) struct Services {
    _owners: Vec<Box<dyn std::any::Any>>,
}

/// Teaches a runtime all kinds, and starts what they need: a transport and a poller for each host.
pub(crate) fn register(_runtime: &mut Runtime, _hosts: &Hosts, _store: &Store) -> Result<Services, Trouble> {
    Ok(Services::default())
}

/// The kinds by name, each with its table of states.
pub(crate) fn tables() -> Vec<(&'static str, &'static [Edge])> {
    vec![]
}

/// What the kind of this row has to say about it; little, if it is not one of ours.
pub(crate) fn sketch(_row: &ProcessRow) -> Sketch {
    Sketch::default()
}
