//! A private Slurm cluster.

use super::Keeper;
use std::path::PathBuf;

/// What a cluster shall be like.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Nodes `node1`, `node2`, …, at most 40; all are this machine.
    pub nodes: u32,
    /// Processors of each. Nobody counts whether they are there.
    pub cpus: u32,
    /// Memory of each, in MiB. Nobody counts here either.
    pub memory_mib: u32,
    /// With slurmdbd and a database, so that `sacct` works.
    pub accounting: bool,
    /// Jobs that use more memory than they asked for are killed; see [`Slurm::can_limit_memory`].
    pub limit_memory: bool,
    /// A health check takes back the nodes that Slurm drains for the id of a forgotten job, as sites do it.
    pub heals: bool,
    /// Lines of `slurm.conf`, in the place of ours: `("SlurmdTimeout", "10")`.
    pub set: Vec<(&'static str, String)>,
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster {
            nodes: 1,
            cpus: 2,
            memory_mib: 2000,
            accounting: false,
            limit_memory: false,
            heals: false,
            set: Vec::new(),
        }
    }
}

/// A running cluster, with the queues `debug` (the default one) and `long`.
pub struct Slurm {
    keeper: Keeper,
}

impl Slurm {
    /// A plain one: one node, no accounting.
    pub fn start() -> Slurm {
        Slurm::with(Cluster::default())
    }

    /// One with settings.
    pub fn with(cluster: Cluster) -> Slurm {
        let mut args = vec![
            format!("--nodes={}", cluster.nodes),
            format!("--cpus={}", cluster.cpus),
            format!("--memory={}", cluster.memory_mib),
        ];
        args.extend(cluster.accounting.then(|| "--accounting".to_owned()));
        args.extend(cluster.heals.then(|| "--heal".to_owned()));
        args.extend(cluster.limit_memory.then(|| "--limit-memory".to_owned()));
        args.extend(cluster.set.iter().map(|(name, value)| format!("--set={name}={value}")));
        Slurm { keeper: Keeper::start("slurm", args) }
    }

    /// Whether this machine has what a cluster needs to limit memory: root, and a memory cgroup of version 1.
    pub fn can_limit_memory() -> bool {
        std::fs::OpenOptions::new().write(true).open("/sys/fs/cgroup/memory/cgroup.procs").is_ok()
    }

    /// What every client needs in its environment.
    pub fn env(&self) -> (String, String) {
        ("SLURM_CONF".into(), self.keeper.fact("conf").into())
    }

    /// Its folder, which goes with it.
    pub fn folder(&self) -> PathBuf {
        self.keeper.path("dir")
    }

    /// What slurmctld wrote.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.keeper.path("ctld_log")).unwrap_or_default()).into_owned()
    }

    /// Kills a daemon: `slurmctld`, `slurmdbd`, `node1`, …
    pub fn kill(&mut self, daemon: &str) {
        self.keeper.order(&format!("kill {daemon}"));
    }

    /// What a power cut does to a node: its daemon and its jobs are gone, and nobody is told.
    pub fn crash(&mut self, node: &str) {
        self.keeper.order(&format!("crash {node}"));
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
