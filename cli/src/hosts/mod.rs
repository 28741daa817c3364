//! The file of hosts: which machines there are, how each is reached, and what may be asked of it. `local`, this machine, is
//! always there.
//!
//! ```toml
//! [hosts.cluster]
//! transport = "ssh"
//! ssh = "cluster"          # as in ~/.ssh/config
//! scheduler = "slurm"
//! work = "/scratch/me"
//! ```
//!
//! All fields are in docs/hosts.md.

mod host;
mod site;
mod wrong;

pub use host::{GridEngineNames, Host, Limits, LsfUnits, SchedulerKind, Ssh, TransportKind};
pub use site::{Queue, Site};

use crate::jobfile::Slip;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The machines that are known, by name. Never without `local`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hosts {
    hosts: BTreeMap<String, Host>,
    /// Where they come from; none if there is no file.
    file: Option<PathBuf>,
}

/// What is wrong with a file of hosts.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// It cannot be read.
    #[error("the file of hosts {} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// Its fields are wrong, or it is no TOML. Never empty.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Slip>),
    /// There is no host of this name.
    #[error("there is no host {name}; known are {known}: see the file of hosts{}", in_file(file))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Those that are there.
        known: String,
        /// The file, if there is one.
        file: Option<PathBuf>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsFile {
    #[serde(default)]
    hosts: BTreeMap<String, Host>,
}

impl Hosts {
    /// The machine that is always there.
    pub const LOCAL: &'static str = "local";

    /// The hosts of the named file; without a name of the user's file, which need not be there:
    /// `$XDG_CONFIG_HOME/procession/hosts.toml`, else `~/.config/procession/hosts.toml`.
    pub fn load(named: Option<&Path>) -> Result<Hosts, HostsError> {
        let file = match named {
            Some(named) => Some(named.to_owned()),
            None => users_file().filter(|path| path.exists()),
        };
        let Some(path) = file else { return Ok(Hosts::none()) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Hosts::parse(&text, &path),
            Err(why) => Err(HostsError::Unreadable { path, why }),
        }
    }

    /// Reads the text of a file of hosts. `path` is for messages.
    ///
    /// ```
    /// use procession_cli::Hosts;
    /// let hosts = Hosts::parse("[hosts.local]\njobs = 3", "hosts.toml".as_ref())?;
    /// assert_eq!(hosts.host("local")?.jobs, Some(3));
    /// let wrong = Hosts::parse("[hosts.local]\njobz = 3", "hosts.toml".as_ref()).unwrap_err();
    /// assert!(wrong.to_string().starts_with("hosts.toml:2: hosts.local.jobz"));
    /// # Ok::<(), procession_cli::HostsError>(())
    /// ```
    pub fn parse(text: &str, path: &Path) -> Result<Hosts, HostsError> {
        let file = wrong::typed(text, path)?;
        wrong::check(&file.hosts, text, path)?;
        let mut hosts = Hosts { hosts: file.hosts, file: Some(path.to_owned()) };
        hosts.hosts.entry(Hosts::LOCAL.to_owned()).or_default();
        Ok(hosts)
    }

    /// Only this machine.
    pub fn none() -> Hosts {
        Hosts { hosts: BTreeMap::from([(Hosts::LOCAL.to_owned(), Host::default())]), file: None }
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> Result<&Host, HostsError> {
        self.hosts.get(name).ok_or_else(|| HostsError::Unknown {
            name: name.to_owned(),
            known: self.hosts.keys().cloned().collect::<Vec<_>>().join(", "),
            file: self.file.clone(),
        })
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.hosts.iter().map(|(name, host)| (name.as_str(), host))
    }

    /// Where they come from; none if there is no file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The same file, with this one host alone.
    pub fn only(&self, name: &str) -> Result<Hosts, HostsError> {
        let host = self.host(name)?.clone();
        Ok(Hosts { hosts: BTreeMap::from([(name.to_owned(), host)]), file: self.file.clone() })
    }

    /// Lets so many jobs run at once on the host of this name, whatever the file says.
    pub fn limit(&mut self, name: &str, jobs: u32) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.jobs = Some(jobs);
        }
    }
}

fn users_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("procession/hosts.toml"))
}

fn in_file(file: &Option<PathBuf>) -> String {
    file.as_ref().map(|file| format!(" {}", file.display())).unwrap_or_default()
}
