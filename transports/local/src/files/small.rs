//! Operations that take one or two system calls.

use super::copy::Temp;
use procession::WallTime;
use procession::transport::reason;
use procession::transport::{FileKind, Stat, TransportError};
use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

type Result<T> = std::result::Result<T, TransportError>;

/// How much [`remove`] may remove.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// A file, a link or an empty directory.
    One,
    /// All that is in it, too.
    Tree,
}

pub(super) fn stat(path: &Path) -> Result<Stat> {
    let found = std::fs::symlink_metadata(path).map_err(|e| reason::at(path, &e))?;
    let name = match path.file_name() {
        Some(name) => utf8(name, path)?,
        None => "/".to_owned(),
    };
    Ok(described(name, &found))
}

pub(super) fn list(path: &Path) -> Result<Vec<Stat>> {
    let wrong = |e: std::io::Error| reason::at(path, &e);
    let mut stats = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        match entry.metadata() {
            Ok(found) => stats.push(described(utf8(&entry.file_name(), path)?, &found)),
            // It went away between the two looks.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(reason::at(&entry.path(), &e)),
        }
    }
    stats.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(stats)
}

pub(super) fn mkdir(path: &Path, parents: bool) -> Result<()> {
    let made = if parents { std::fs::create_dir_all(path) } else { std::fs::create_dir(path) };
    made.map_err(|e| reason::at(path, &e))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => reason::at(from, &e),
        _ => reason::at(to, &e),
    })
}

pub(super) fn remove(path: &Path, depth: Depth) -> Result<bool> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if matches!(reason::at(path, &e), TransportError::NotFound(_)) => return Ok(false),
        Err(e) => return Err(reason::at(path, &e)),
    };
    let removed = match (found.is_dir(), depth) {
        (false, _) => std::fs::remove_file(path),
        (true, Depth::One) => std::fs::remove_dir(path),
        // It opens each directory without following links, so nobody can lead it elsewhere meanwhile.
        (true, Depth::Tree) => std::fs::remove_dir_all(path),
    };
    removed.map(|()| true).map_err(|e| reason::at(path, &e))
}

pub(super) fn symlink(target: &str, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, link).map_err(|e| reason::at(link, &e))
}

pub(super) fn chmod(path: &Path, mode: u32) -> Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode & 0o7777)).map_err(|e| reason::at(path, &e))
}

pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, found) = open_regular(path, Follow::Yes)?;
    let too_large = || TransportError::TooLarge { path: path.display().to_string(), limit };
    if found.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| reason::at(path, &e))?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mode = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => found.mode(),
        Ok(_) | Err(_) => mode,
    };
    let mut temp = Temp::beside(path)?;
    let wrong = |e: std::io::Error| reason::at(path, &e);
    temp.file.write_all(bytes).map_err(wrong)?;
    temp.file.set_permissions(Permissions::from_mode(mode & 0o7777)).map_err(wrong)?;
    temp.file.sync_all().map_err(wrong)?;
    temp.become_final(path)?;
    // The rename is on the disk when its directory is.
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrong)
}

pub(super) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let found = (host, port).to_socket_addrs();
    found
        .map(Iterator::collect)
        .map_err(|e| TransportError::Unreachable { host: host.to_owned(), why: e.to_string() })
}

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    Yes,
    No,
}

/// Opens a regular file to read. `Refused` for anything else: a pipe would block for ever.
pub(super) fn open_regular(path: &Path, follow: Follow) -> Result<(File, Metadata)> {
    let nofollow = if follow == Follow::No { OFlags::NOFOLLOW } else { OFlags::empty() };
    // NONBLOCK lets the open of a pipe return at once, and means nothing for a file.
    let flags = OFlags::NONBLOCK | nofollow;
    let flags = i32::try_from(flags.bits()).expect("flags of open(2) are an int");
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|e| reason::at(path, &e))?;
    let found = file.metadata().map_err(|e| reason::at(path, &e))?;
    if found.is_file() {
        Ok((file, found))
    } else {
        Err(TransportError::Refused(format!("{} is not a regular file", path.display())))
    }
}

/// A name as text. Paths here are text, so one that is none cannot be worked with.
fn utf8(name: &std::ffi::OsStr, within: &Path) -> Result<String> {
    name.to_str().map(str::to_owned).ok_or_else(|| TransportError::Io {
        path: within.display().to_string(),
        why: format!("the name {:?} is not UTF-8", name.display().to_string()),
    })
}

fn described(name: String, found: &Metadata) -> Stat {
    let kind = found.file_type();
    let kind = if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Dir
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        debug_assert!(kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device());
        FileKind::Other
    };
    let modified =
        WallTime(found.mtime().saturating_mul(1000).saturating_add(found.mtime_nsec() / 1_000_000));
    Stat { name, kind, size: found.len(), mode: found.mode() & 0o7777, modified }
}
