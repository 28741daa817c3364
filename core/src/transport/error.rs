//! Why an operation on a host did not succeed.

/// A reason, never a text to be parsed. Each says by itself what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TransportError {
    /// The host cannot be reached, or the connection broke. The effect of an operation in flight is unknown.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the system said.
        why: String,
    },
    /// The host refused the credentials. Never tried again without somebody's help.
    #[error("{host} refused the credentials: {why}")]
    AuthFailed {
        /// The host.
        host: String,
        /// What it said.
        why: String,
    },
    /// The host shows another key than the one that is known.
    #[error("the key of {host} has changed: {why}")]
    HostKeyChanged {
        /// The host.
        host: String,
        /// Which key, and where the known one is written.
        why: String,
    },
    /// The host shows a key, and none of it is known.
    #[error("the key of {host} is not known: {why}")]
    HostKeyUnknown {
        /// The host.
        host: String,
        /// Which key, and how to make it known.
        why: String,
    },
    /// There is nothing at this path, or no such program.
    #[error("not found: {0}")]
    NotFound(String),
    /// There is something at this path already.
    #[error("exists already: {0}")]
    Exists(String),
    /// The host does not permit it.
    #[error("permission denied: {0}")]
    Permission(String),
    /// No space, or over quota.
    #[error("no space left for {0}")]
    NoSpace(String),
    /// It took longer than was allowed.
    #[error("timed out: {0}")]
    TimedOut(String),
    /// Its guard was dropped.
    #[error("cancelled")]
    Cancelled,
    /// More bytes than the limit that was given.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// Which file, or what set of files.
        path: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// What arrived is not what was sent: the hash differs.
    #[error("{0} was damaged on the way: its hash differs from the manifest")]
    Corrupt(String),
    /// The host or the transport declined: too many channels, a limit of ours.
    #[error("refused: {0}")]
    Refused(String),
    /// The other side said something that makes no sense. Keep the text: it belongs in a fixture.
    #[error("unexpected answer: {0}")]
    Protocol(String),
    /// Any other error of the host's file system.
    #[error("{path}: {why}")]
    Io {
        /// Where.
        path: String,
        /// What the system said.
        why: String,
    },
}

impl TransportError {
    /// The reason as one word for programs: `not-found`, `no-space`.
    ///
    /// ```
    /// use procession::transport::TransportError;
    /// assert_eq!(TransportError::NotFound("x".into()).word(), "not-found");
    /// ```
    pub const fn word(&self) -> &'static str {
        match self {
            TransportError::Unreachable { .. } => "unreachable",
            TransportError::AuthFailed { .. } => "auth-failed",
            TransportError::HostKeyChanged { .. } => "host-key-changed",
            TransportError::HostKeyUnknown { .. } => "host-key-unknown",
            TransportError::NotFound(_) => "not-found",
            TransportError::Exists(_) => "exists",
            TransportError::Permission(_) => "permission",
            TransportError::NoSpace(_) => "no-space",
            TransportError::TimedOut(_) => "timed-out",
            TransportError::Cancelled => "cancelled",
            TransportError::TooLarge { .. } => "too-large",
            TransportError::Corrupt(_) => "corrupt",
            TransportError::Refused(_) => "refused",
            TransportError::Protocol(_) => "protocol",
            TransportError::Io { .. } => "io",
        }
    }
}
