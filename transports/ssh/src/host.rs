//! What a host needs to be told apart from others, and how it is used.

use crate::auth::Secrets;
use crate::config::Target;
use crate::session::Patience;
use procession::pool::{Budget, Rules};
use procession::transport::{RemotePath, Transport};

/// How a host is used.
pub struct Config {
    /// What the host is called in messages and in the ledger.
    pub name: String,
    /// Where it is, and how to log in there.
    pub target: Target,
    /// The last host on the way to it, which connects to it: for a `ProxyJump` the transport of the last hop, as a
    /// [`Network`](crate::jump::Network) finds it. None if we connect, or a `ProxyCommand` does, as the target says.
    pub via: Option<Transport>,
    /// Where relative paths begin: absolute, or below the home folder of the user.
    pub work: RemotePath,
    /// Who answers when a password or a passphrase is needed.
    pub secrets: Secrets,
    /// How many sessions, and how often.
    pub rules: Rules,
    /// What it shares with other runtimes of the same user; nothing if none.
    pub budget: Option<Box<dyn Budget>>,
    /// How long it may be silent.
    pub patience: Patience,
    /// The send buffer of each connection, in bytes; the system's choice if it is none (`SO_SNDBUF`, socket(7)).
    pub send_buffer: Option<usize>,
}

impl Config {
    /// The host at `target`, with a work folder, asking nobody, under the default rules.
    pub fn new(name: &str, target: Target, work: RemotePath) -> Config {
        Config {
            name: name.to_owned(),
            target,
            via: None,
            work,
            secrets: Secrets::silent(),
            rules: Rules::default(),
            budget: None,
            patience: Patience::default(),
            send_buffer: None,
        }
    }
}

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no `MioPoll` in the anymap of this stakker: a runtime in virtual time has none.
    #[error("the runtime has no mio poll")]
    NoPoll,
    /// The helper thread for files cannot be started.
    #[error("the helper thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The target lies behind other hosts (`ProxyJump`), and no transport of the last of them was given.
    #[error("{0} lies behind other hosts, and no transport leads to it")]
    NoGate(String),
}
