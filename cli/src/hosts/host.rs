//! One host: how it is reached, who runs jobs there, and how politely it is asked.

use super::Site;
use procession_batch::Span;
use procession_batch::dialect::MemoryUnit;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// One machine.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// How it is reached.
    pub transport: TransportKind,
    /// Which ssh host it is; only for the transport `ssh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// Who runs jobs there.
    pub scheduler: SchedulerKind,
    /// The folder on the host below which jobs have theirs: absolute, or below the home folder with `~/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// So many jobs run there at once; any number for 0. Only where there is no scheduler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u32>,
    /// The names that a Grid Engine site has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gridengine: Option<GridEngineNames>,
    /// What the administrator of an LSF site has set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lsf: Option<LsfUnits>,
    /// How politely it is asked.
    #[serde(skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// What its administrators offer, and what its users say each time.
    #[serde(skip_serializing_if = "is_default")]
    pub site: Site,
}

/// How a host is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// It is this machine.
    #[default]
    Local,
    /// Through SSH.
    Ssh,
}

/// Who runs jobs on a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerKind {
    /// Nobody: they are started, and counted.
    #[default]
    Direct,
    /// Slurm.
    Slurm,
    /// PBS Pro or OpenPBS.
    Pbs,
    /// Torque.
    Torque,
    /// Grid Engine: Univa's, Altair's, Son of it.
    GridEngine,
    /// IBM Spectrum LSF.
    Lsf,
}

/// The names that a Grid Engine site has chosen; the usual ones if they are left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GridEngineNames {
    /// The parallel environment that keeps the slots of a job on one node: `smp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_node: Option<String>,
    /// The parallel environment that spreads them over nodes: `mpi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub many_nodes: Option<String>,
    /// The resource that counts GPUs: `gpu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
}

/// What the administrator of an LSF site has set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LsfUnits {
    /// `LSF_UNIT_FOR_LIMITS` of lsf.conf(5): `"Unset"`, `"KB"`, `"MB"`, `"GB"` or `"TB"`.
    pub unit: MemoryUnit,
}

/// Which ssh host it is: a name as in `~/.ssh/config`, or a table.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Ssh {
    /// What `ssh` would be called with: an alias of `~/.ssh/config`, or the name of a machine.
    pub host: String,
    /// The port; what `~/.ssh/config` says if it is left out. So it is with all that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// As whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file of the private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// Another file than `~/.ssh/config`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// Whether the key of a host that was never met is taken down and trusted from then on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_new: bool,
}

/// How politely a host is asked. What is left out is chosen so that a login node does not mind.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// So many ssh sessions at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// So many channels at once on each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Sessions that may be opened in an hour, tries that fail included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_an_hour: Option<u32>,
    /// The scheduler is asked no more often than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Span>,
}

impl TransportKind {
    /// Its word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            TransportKind::Local => "local",
            TransportKind::Ssh => "ssh",
        }
    }
}

impl SchedulerKind {
    /// Its word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            SchedulerKind::Direct => "direct",
            SchedulerKind::Slurm => "slurm",
            SchedulerKind::Pbs => "pbs",
            SchedulerKind::Torque => "torque",
            SchedulerKind::GridEngine => "gridengine",
            SchedulerKind::Lsf => "lsf",
        }
    }
}

fn is_default<T: Default + PartialEq>(what: &T) -> bool {
    *what == T::default()
}

/// The long form of [`Ssh`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    host: String,
    port: Option<u16>,
    user: Option<String>,
    identity: Option<PathBuf>,
    config: Option<PathBuf>,
    #[serde(default)]
    accept_new: bool,
}

impl<'de> Deserialize<'de> for Ssh {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Ssh, D::Error> {
        from.deserialize_any(Either)
    }
}

/// A name or a table. Written out, because an untagged enum could not say what is wrong with the table.
struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Ssh;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an ssh host, or a table with `host`")
    }

    fn visit_str<E>(self, name: &str) -> Result<Ssh, E> {
        Ok(Ssh { host: name.to_owned(), ..Ssh::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Ssh, A::Error> {
        let Long { host, port, user, identity, config, accept_new } =
            Long::deserialize(MapAccessDeserializer::new(fields))?;
        Ok(Ssh { host, port, user, identity, config, accept_new })
    }
}
