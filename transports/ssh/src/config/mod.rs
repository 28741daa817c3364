//! Where a host is and how to log in there, as `ssh` itself would do it.
//!
//! `ssh -G ALIAS` prints the settings of a host after all its files, `Match` and `Include`. [`Lookup`] runs it as a child
//! that nobody waits for, and [`Target::parse`] reads what it prints. Without an `ssh` program, or for a host that is in no
//! file, a [`Target`] is made by hand with [`Target::new`].

mod expand;
mod lookup;
mod parse;

pub use expand::Here;
pub use lookup::{Lookup, Query};
pub use parse::ConfigError;

use crate::hostkey::HostName;
use crate::jump::Route;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to reach a host and log in.
///
/// ```
/// use procession_ssh::config::{Here, Target};
/// let here = Here { home: "/home/ann".into(), user: "ann".into(), uid: 1000, agent: None };
/// let text = "hostname login.example.org\nport 2222\nuser bob\nidentityfile ~/.ssh/id_ed25519\n";
/// let target = Target::parse("cluster", text, &here)?;
/// assert_eq!((target.host.as_str(), target.port, target.user.as_str()), ("login.example.org", 2222, "bob"));
/// assert_eq!(target.identities[0].to_str(), Some("/home/ann/.ssh/id_ed25519"));
/// # Ok::<(), procession_ssh::config::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// What the user calls it.
    pub alias: String,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user there.
    pub user: String,
    /// Files of private keys (or of public ones, whose private halves an agent has), those to try first at the beginning.
    pub identities: Vec<PathBuf>,
    /// Whether somebody chose these identities, and they are not just the names that `ssh` looks for everywhere.
    pub identities_chosen: bool,
    /// Files of certificates, besides `IDENTITY-cert.pub`.
    pub certificates: Vec<PathBuf>,
    /// The socket of the agent.
    pub agent: Option<PathBuf>,
    /// Whether the agent may be asked for no keys but those of `identities`.
    pub identities_only: bool,
    /// Ways to log in, the preferred one first.
    pub methods: Vec<Method>,
    /// Files of known hosts of the user; a key that is accepted goes to the first.
    pub known_hosts: Vec<PathBuf>,
    /// Files of known hosts of the machine.
    pub global_known_hosts: Vec<PathBuf>,
    /// The name under which its key is known, if that is another one.
    pub host_key_alias: Option<String>,
    /// What becomes of a key that is not known.
    pub unknown_keys: UnknownKeys,
    /// The algorithms for its key that are permitted; all, if there are none.
    pub host_key_algorithms: Vec<String>,
    /// How to get there.
    pub route: Route,
    /// How long a connection may take.
    pub connect_timeout: Option<Duration>,
}

/// A way to log in (RFC 4252, RFC 4256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Method {
    /// A key, from a file or an agent.
    PublicKey,
    /// Questions of the host, answered one by one: passwords, one-time passwords.
    KeyboardInteractive,
    /// A password.
    Password,
}

impl Method {
    /// All of them, in the order in which `ssh` prefers them.
    pub const ALL: [Method; 3] = [Method::PublicKey, Method::KeyboardInteractive, Method::Password];

    /// Its name on the wire.
    ///
    /// ```
    /// assert_eq!(procession_ssh::config::Method::PublicKey.name(), "publickey");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Method::PublicKey => "publickey",
            Method::KeyboardInteractive => "keyboard-interactive",
            Method::Password => "password",
        }
    }

    /// The method of this name, if it is one of ours.
    ///
    /// ```
    /// use procession_ssh::config::Method;
    /// assert_eq!(Method::named("password"), Some(Method::Password));
    /// assert_eq!(Method::named("gssapi-with-mic"), None);
    /// ```
    pub fn named(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// What becomes of a key of a host of which no key is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownKeys {
    /// It is refused: `StrictHostKeyChecking` `yes` and, as there is nobody to ask, `ask`.
    Refuse,
    /// It is accepted and written to the user's file: `accept-new`, and `no`. A changed key is refused all the same.
    Accept,
}

impl Target {
    /// This user on this host, at port 22, with what `ssh` does where nothing is configured.
    ///
    /// ```
    /// use procession_ssh::config::{Here, Target};
    /// let here = Here { home: "/home/ann".into(), user: "ann".into(), uid: 1000, agent: None };
    /// let target = Target { port: 2222, ..Target::new("login.example.org", "bob", &here) };
    /// assert_eq!(target.known_name().written(), "[login.example.org]:2222");
    /// ```
    pub fn new(host: &str, user: &str, here: &Here) -> Target {
        let ssh = here.home.join(".ssh");
        Target {
            alias: host.to_owned(),
            host: host.to_owned(),
            port: HostName::PORT,
            user: user.to_owned(),
            identities: parse::USUAL.iter().map(|name| ssh.join(name)).collect(),
            identities_chosen: false,
            certificates: Vec::new(),
            agent: here.agent.clone(),
            identities_only: false,
            methods: Method::ALL.to_vec(),
            known_hosts: ["known_hosts", "known_hosts2"].map(|name| ssh.join(name)).to_vec(),
            global_known_hosts: ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]
                .map(PathBuf::from)
                .to_vec(),
            host_key_alias: None,
            unknown_keys: UnknownKeys::Refuse,
            host_key_algorithms: Vec::new(),
            route: Route::Direct,
            connect_timeout: None,
        }
    }

    /// Reads what `ssh -G` prints. Settings that are not known here mean nothing.
    pub fn parse(alias: &str, text: &str, here: &Here) -> Result<Target, ConfigError> {
        parse::target(alias, text, here)
    }

    /// The name under which its key is known.
    pub fn known_name(&self) -> HostName {
        match &self.host_key_alias {
            Some(alias) => HostName::alias(alias, self.port),
            None => HostName::new(&self.host, self.port),
        }
    }

    /// All files of known hosts, the user's first.
    pub fn known_hosts_files(&self) -> impl Iterator<Item = &Path> {
        self.known_hosts.iter().chain(&self.global_known_hosts).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests;
