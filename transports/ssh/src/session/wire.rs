//! The connection of a session: the socket, its place in the poll, and libssh2 upon it.

use procession::transport::TransportError;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::net::{Shutdown, shutdown, sockopt};
use ssh2::{ErrorCode, MethodType};
use stakker::Fwd;
use stakker_mio::mio::Interest;
use stakker_mio::{FdSource, MioPoll, MioSource, Ready};
use std::sync::Arc;
use std::time::Duration;

/// All descriptors of this crate have the same priority as those of others: none of them may starve the rest.
const PRIORITY: u32 = 10;

/// How long the system tries to deliver what was sent, before it breaks the connection: as long as a human would wait for a
/// terminal that hangs. Without it Linux tries for about a quarter of an hour (tcp(7), tcp_retries2).
const DELIVERY: Duration = Duration::from_secs(60);

/// libssh2's code for "would block" (`libssh2.h`, LIBSSH2_ERROR_EAGAIN).
const AGAIN: i32 = -37;

/// The socket of a session. Dropping it shuts it down: what libssh2 might still want to say at its end fails at once, and
/// nothing leaks (measured: 82 KiB a session otherwise).
pub(crate) struct Socket {
    // The registration ends before the descriptor can be closed.
    _source: MioSource<FdSource>,
    fd: Arc<OwnedFd>,
}

/// The socket with libssh2 upon it.
pub(crate) struct Wire {
    // Shut down before libssh2 says good-bye.
    socket: Socket,
    ssh: ssh2::Session,
}

impl Socket {
    /// Ends the connection. Whoever uses it, on whatever thread, gets an error at once.
    pub(crate) fn cut(&self) {
        // It fails only for a socket that is not connected any more.
        let _ = shutdown(&self.fd, Shutdown::Both);
    }

    /// Another descriptor of the same socket.
    pub(crate) fn twin(&self) -> std::io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// libssh2 upon it again.
    pub(crate) fn with(self, ssh: ssh2::Session) -> Wire {
        Wire { socket: self, ssh }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Wire {
    /// libssh2 upon a connected, non-blocking socket, before the handshake. `ready` is called on every edge of the socket.
    pub(crate) fn new(poll: &MioPoll, fd: OwnedFd, ready: Fwd<Ready>) -> std::io::Result<Wire> {
        // A socket that is no TCP (behind a jump host) has no such options.
        let _ = sockopt::set_tcp_nodelay(&fd, true);
        let _ = sockopt::set_socket_keepalive(&fd, true);
        let _ = sockopt::set_tcp_user_timeout(&fd, DELIVERY.as_millis() as u32);
        let fd = Arc::new(fd);
        let both = Interest::READABLE | Interest::WRITABLE;
        let source = poll.add(FdSource::new(fd.as_raw_fd()), both, PRIORITY, ready)?;
        let mut ssh = ssh2::Session::new().map_err(std::io::Error::from)?;
        ssh.set_blocking(false);
        ssh.set_tcp_stream(fd.clone());
        Ok(Wire { socket: Socket { _source: source, fd }, ssh })
    }

    /// libssh2.
    pub(crate) fn ssh(&self) -> &ssh2::Session {
        &self.ssh
    }

    /// libssh2, for the handshake.
    pub(crate) fn ssh_mut(&mut self) -> &mut ssh2::Session {
        &mut self.ssh
    }

    /// What we encrypt with, once that is agreed on.
    pub(crate) fn cipher(&self) -> Option<&str> {
        self.ssh.methods(MethodType::CryptCs)
    }

    /// The two apart, so that libssh2 can go to another thread.
    pub(crate) fn apart(self) -> (Socket, ssh2::Session) {
        (self.socket, self.ssh)
    }

    /// Ends the connection. Whoever uses it, on whatever thread, gets an error at once.
    pub(crate) fn cut(&self) {
        self.socket.cut();
    }

    /// Whether the socket takes a small packet whole. Linux says so only while a third of its buffer is free.
    pub(crate) fn has_room(&self) -> bool {
        let fd = self.socket.fd.as_fd();
        let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(rustix::event::poll(&mut polled, Some(&at_once)), Ok(1..))
    }

    /// What a call that failed means for the session and for the channel.
    pub(crate) fn meaning(&self, e: &std::io::Error) -> Meaning {
        if e.kind() == std::io::ErrorKind::WouldBlock {
            return Meaning::Later;
        }
        match ssh2::Error::last_session_error(&self.ssh) {
            Some(last) => Meaning::of(&last),
            None => Meaning::Broken(e.to_string()),
        }
    }
}

/// What an error of libssh2 means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// The socket would block: the same call again, later.
    Later,
    /// New keys came while an answer was waited for, and libssh2 has lost count of it: it takes "nothing yet" for the end of
    /// its list of answers (`packet.c`, `ssh2_packet_requirev`, where `strchr` finds the 0; reproduced with RekeyLimit 64K).
    /// What was asked was sent, and its answer is still to come.
    Lost,
    /// It is about this channel only; the session goes on.
    Channel(String),
    /// The session is no more.
    Broken(String),
}

impl Meaning {
    /// The meaning of an error: LIBSSH2_ERROR_CHANNEL_FAILURE (-21) to LIBSSH2_ERROR_CHANNEL_EOF_SENT (-27) are about a
    /// channel (`libssh2.h`).
    pub(crate) fn of(e: &ssh2::Error) -> Meaning {
        match e.code() {
            ErrorCode::Session(AGAIN) => Meaning::Later,
            ErrorCode::Session(-1) => Meaning::Lost,
            ErrorCode::Session(-27..=-21) => Meaning::Channel(e.message().to_owned()),
            ErrorCode::Session(code) => Meaning::Broken(format!("{} ({code})", e.message())),
            ErrorCode::SFTP(code) => Meaning::Broken(format!("{} (sftp {code})", e.message())),
        }
    }
}

/// The host cannot be reached, or can no longer.
pub(crate) fn unreachable(host: &str, why: impl Into<String>) -> TransportError {
    TransportError::Unreachable { host: host.to_owned(), why: why.into() }
}
