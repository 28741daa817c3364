//! A private Grid Engine.

use super::Keeper;
use std::path::PathBuf;

/// A running Grid Engine: one host, the queue `all.q`, the parallel environment `smp`.
pub struct GridEngine {
    keeper: Keeper,
}

impl GridEngine {
    /// One that runs so many jobs at once.
    pub fn start(slots: u32) -> GridEngine {
        GridEngine { keeper: Keeper::start("gridengine", [format!("--slots={slots}")]) }
    }

    /// What every client needs in its environment, its `PATH` among it.
    pub fn env(&self) -> Vec<(String, String)> {
        let names = ["SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT", "SGE_EXECD_PORT"];
        let mut env: Vec<_> =
            names.iter().map(|name| ((*name).to_owned(), self.keeper.fact(name).to_owned())).collect();
        let path = std::env::var("PATH").unwrap_or_default();
        env.push(("PATH".into(), format!("{}:{path}", self.keeper.fact("bin"))));
        env
    }

    /// Its folder, which goes with it.
    pub fn folder(&self) -> PathBuf {
        self.keeper.path("dir")
    }

    /// Kills a daemon: `qmaster` or `execd`.
    pub fn kill(&mut self, daemon: &str) {
        self.keeper.order(&format!("kill {daemon}"));
    }

    /// Stops it: its port stays open, and nothing answers.
    pub fn freeze(&mut self, daemon: &str) {
        self.keeper.order(&format!("freeze {daemon}"));
    }

    /// Lets it go on.
    pub fn thaw(&mut self, daemon: &str) {
        self.keeper.order(&format!("thaw {daemon}"));
    }

    /// Starts one that was killed, and waits until it is at work.
    pub fn restart(&mut self, daemon: &str) {
        self.keeper.order(&format!("start {daemon}"));
    }
}
