//! This machine, for the processes that run commands on it.

use super::Commands;
use crate::StartError;
use procession::transport::Transport;
use stakker::{Actor, ActorOwn, Core, actor_new, call, ret_nop};
use stakker_mio::MioPoll;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// This machine, as its processes hold it: cheap to clone, owns nothing.
#[derive(Clone)]
pub struct Machine {
    pub(super) commands: Actor<Commands>,
    pub(super) transport: Transport,
    pub(super) work: PathBuf,
}

impl Machine {
    /// Starts the actor that runs commands in this stakker, at most `limit` at once; the others wait in the order in which
    /// they came. `transport` is this machine's, and `work` its work folder.
    pub fn start(
        core: &mut Core,
        transport: &Transport,
        work: impl Into<PathBuf>,
        limit: NonZeroUsize,
    ) -> Result<(Machine, ActorOwn<Commands>), StartError> {
        let poll = core.anymap_try_get::<MioPoll>().ok_or(StartError::NoPoll)?;
        let work = work.into();
        if !work.is_absolute() {
            return Err(StartError::Relative(work));
        }
        let owner = actor_new!(core, Commands, ret_nop!());
        call!([owner], Commands::init(poll, limit.get()));
        Ok((Machine { commands: owner.clone(), transport: transport.clone(), work }, owner))
    }
}
