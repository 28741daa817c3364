//! The bell: a datagram socket beside the journal, on which others tell the runtime that they have left a letter.
//!
//! A datagram says nothing but "look"; what is asked lies in the file. So a ring that is lost, doubled or forged does no
//! harm, and nobody has to wait for an answer.

use super::connection::Trouble;
use crate::journal::JournalError;
use rustix::fs::{Mode, OFlags, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Rings that one call takes from the socket: more than its queue holds (`net.unix.max_dgram_qlen`, 10 to 512).
const RINGS_AT_ONCE: usize = 1024;

/// The socket of the runtime that holds the lock; removed from the file system when it is dropped.
pub(super) struct Bell {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Bell {
    /// Hangs it up. Only for whoever holds the lock: a socket that is there already belongs to somebody who is dead.
    pub(super) fn hang(journal: &Path) -> Result<Bell, JournalError> {
        let trouble = Trouble::new(journal);
        let path = super::beside(journal, ".sock");
        match std::fs::symlink_metadata(&path) {
            Ok(there) if there.file_type().is_socket() => {
                std::fs::remove_file(&path).map_err(|e| trouble.io(e))?
            }
            Ok(_) => return Err(trouble.io(format!("{} is in the way, and is no socket", path.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(trouble.io(error)),
        }
        let socket = listen(&path).map_err(|e| trouble.io(format!("{}: {e}", path.display())))?;
        Ok(Bell { socket: socket.into(), path })
    }

    /// Whether somebody has rung since the last call.
    pub(super) fn has_rung(&self) -> bool {
        let mut byte = [0];
        // Datagrams of nothing are rings too. Any error means that there is nothing, or will be nothing, to take.
        (0..RINGS_AT_ONCE).take_while(|_| self.socket.recv(&mut byte).is_ok()).count() > 0
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // If it stays, the next holder of the lock replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Rings the bell of this journal; gives whether somebody listens.
pub(super) fn ring(journal: &Path) -> bool {
    let ring = || -> std::io::Result<()> {
        let reach = Reach::to(&super::beside(journal, ".sock"))?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to(&[0], &reach.path).map(drop)
    };
    match ring() {
        Ok(()) => true,
        // Its queue is full of rings, so it will look.
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

fn listen(path: &Path) -> std::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    // Linux gives the file the mode that the socket has when it is bound, so there is no moment at which others may ring.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(&Reach::to(path)?.path)?)?;
    Ok(socket)
}

/// A short path to a socket. The address of a socket holds 108 bytes (`unix(7)`), and paths are longer: so it goes
/// through the descriptor of its folder, which is open as long as this lives.
struct Reach {
    path: PathBuf,
    _folder: OwnedFd,
}

impl Reach {
    fn to(socket: &Path) -> std::io::Result<Reach> {
        let folder = socket.parent().ok_or(ErrorKind::InvalidInput)?;
        let name = socket.file_name().ok_or(ErrorKind::InvalidInput)?;
        let folder =
            rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Reach { path, _folder: folder })
    }
}
