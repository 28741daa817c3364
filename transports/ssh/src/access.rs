//! Who the host must be, and who we are: what a session asks of those who know keys.

use procession::transport::TransportError;
use stakker::Core;

/// Proves to the host who we are. It runs on a thread of its own, with the session in blocking mode, because an agent or a
/// passphrase may take its time; when that takes too long the connection is cut, and every call fails.
pub(crate) type Login = Box<dyn FnOnce(&ssh2::Session) -> Result<(), TransportError> + Send>;

/// What is known about the keys of a host and of its user; the same for all of its sessions.
pub(crate) trait Access {
    /// Before the handshake: which kinds of keys and ciphers are preferred.
    fn prepare(&self, ssh: &ssh2::Session) -> Result<(), TransportError>;

    /// After the handshake: whether this is the right host. It does not block.
    fn check(&self, ssh: &ssh2::Session) -> Result<(), TransportError>;

    /// After that: how we prove who we are.
    fn login(&self, core: &mut Core) -> Login;
}
