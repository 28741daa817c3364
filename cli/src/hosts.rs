//! The file of hosts: which machines there are, and what may be asked of them. `local`, this machine, is always there.
//!
//! ```toml
//! [hosts.local]
//! transport = "local"      # how it is reached
//! scheduler = "direct"     # who runs jobs there
//! work = "/scratch/me"     # where jobs have their folders; `work` in the store if it is left out
//! jobs = 4                 # so many run at once; one for each core if it is left out, any number for 0
//! ```

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The machines that are known, by name. Never without `local`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hosts {
    hosts: BTreeMap<String, Host>,
    /// Where they come from; none if there is no file.
    file: Option<PathBuf>,
}

/// One machine.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// How it is reached.
    pub transport: TransportKind,
    /// Who runs jobs there.
    pub scheduler: SchedulerKind,
    /// The folder on the host below which jobs have theirs; absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// So many jobs run there at once; any number for 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u32>,
}

/// How a host is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// It is this machine.
    #[default]
    Local,
}

/// Who runs jobs on a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerKind {
    /// Nobody: they are started, and counted.
    #[default]
    Direct,
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
    /// It is no TOML, or has a field that is unknown or of the wrong type.
    #[error("the file of hosts {} is wrong: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Line, field and reason.
        why: String,
    },
    /// A work folder is relative, so it would be another one from each place.
    #[error("{}: hosts.{host}.work = {:?}: it is not absolute; begin with /", path.display(), work.display())]
    Relative {
        /// The file.
        path: PathBuf,
        /// Which host.
        host: String,
        /// What is there.
        work: PathBuf,
    },
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
    /// assert!(wrong.to_string().contains("jobz"));
    /// # Ok::<(), procession_cli::HostsError>(())
    /// ```
    pub fn parse(text: &str, path: &Path) -> Result<Hosts, HostsError> {
        let file: HostsFile = toml::from_str(text).map_err(|e| HostsError::Wrong {
            path: path.to_owned(),
            why: e.to_string().trim_end().to_owned(),
        })?;
        for (name, host) in &file.hosts {
            if let Some(work) = host.work.as_ref().filter(|work| !work.is_absolute()) {
                let (path, host, work) = (path.to_owned(), name.clone(), work.clone());
                return Err(HostsError::Relative { path, host, work });
            }
        }
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
