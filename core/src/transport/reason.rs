//! What an error of the system means to whoever asked: the same for every transport that touches files of this machine.

use super::TransportError;
use std::io::{Error, ErrorKind};
use std::path::Path;

/// The reason for a failure at `path`.
///
/// ```
/// use procession::transport::{TransportError, reason};
/// let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
/// assert_eq!(reason::at("/x".as_ref(), &missing), TransportError::NotFound("/x".into()));
/// ```
pub fn at(path: &Path, e: &Error) -> TransportError {
    named(&path.display().to_string(), e)
}

/// The reason for a failure of the thing that is called `name`: a path, a program, an address.
///
/// ```
/// use procession::transport::{TransportError, reason};
/// let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
/// assert_eq!(reason::named("a disk", &full), TransportError::NoSpace("a disk".into()));
/// ```
pub fn named(name: &str, e: &Error) -> TransportError {
    let name = name.to_owned();
    match e.kind() {
        // ENOTDIR: a part of the path is a file, so there is nothing at the path.
        ErrorKind::NotFound | ErrorKind::NotADirectory => TransportError::NotFound(name),
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::IsADirectory => {
            TransportError::Exists(name)
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => TransportError::Permission(name),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => TransportError::NoSpace(name),
        ErrorKind::TimedOut => TransportError::TimedOut(name),
        // EAGAIN of fork, ENOMEM, E2BIG: limits of the machine. EMFILE and ENFILE have no kind of their own.
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory | ErrorKind::ArgumentListTooLong => {
            TransportError::Refused(format!("{name}: {e}"))
        }
        _ if matches!(
            rustix::io::Errno::from_io_error(e),
            Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
        ) =>
        {
            TransportError::Refused(format!("{name}: {e}"))
        }
        _ => TransportError::Io { path: name, why: e.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn every_errno_has_its_reason() {
        let of = |errno: Errno| named("x", &errno.into());
        let x = || "x".to_owned();
        assert_eq!(of(Errno::NOENT), TransportError::NotFound(x()));
        assert_eq!(of(Errno::NOTDIR), TransportError::NotFound(x()));
        assert_eq!(of(Errno::EXIST), TransportError::Exists(x()));
        assert_eq!(of(Errno::NOTEMPTY), TransportError::Exists(x()));
        assert_eq!(of(Errno::ACCESS), TransportError::Permission(x()));
        assert_eq!(of(Errno::PERM), TransportError::Permission(x()));
        assert_eq!(of(Errno::ROFS), TransportError::Permission(x()));
        assert_eq!(of(Errno::NOSPC), TransportError::NoSpace(x()));
        assert_eq!(of(Errno::DQUOT), TransportError::NoSpace(x()));
        assert!(matches!(of(Errno::MFILE), TransportError::Refused(_)));
        assert!(matches!(of(Errno::TOOBIG), TransportError::Refused(_)));
        assert!(matches!(of(Errno::IO), TransportError::Io { .. }));
    }
}
