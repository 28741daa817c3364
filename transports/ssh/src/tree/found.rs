//! What is to be sent: a walk over a file or a tree of this machine.

use procession::transport::reason;
use procession::transport::{FileKind, Manifest, ManifestError, RemotePath, TransportError};
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

type Result<T> = std::result::Result<T, TransportError>;

/// One thing that is to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// Relative to the root; `.` if the root is a file.
    pub(super) path: RemotePath,
    pub(super) place: PathBuf,
    pub(super) kind: FileKind,
    pub(super) size: u64,
    /// The lower nine bits.
    pub(super) mode: u32,
    /// What a link holds. It stays inside the tree.
    pub(super) target: String,
}

/// All that is to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Walked {
    /// Whether the root is a directory, with its mode.
    pub(super) root: Option<u32>,
    /// Sorted by name; a directory comes before what is in it.
    pub(super) found: Vec<Found>,
}

/// Whether `from` is a directory, or a link to one.
pub(super) fn is_dir(from: &Path) -> Result<bool> {
    Ok(std::fs::metadata(from).map_err(|e| reason::at(from, &e))?.is_dir())
}

/// Looks at all that is at `from`. A link that is named by the user is followed; links in a tree are not, and must not leave
/// it.
pub(super) fn walk(from: &Path) -> Result<Walked> {
    let root = std::fs::metadata(from).map_err(|e| reason::at(from, &e))?;
    if !root.is_dir() {
        let place = std::fs::canonicalize(from).map_err(|e| reason::at(from, &e))?;
        let file = found(RemotePath::here(), place, &root)?;
        return Ok(Walked { root: None, found: vec![file] });
    }
    let mut all = Vec::new();
    for entry in WalkDir::new(from).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|e| walk_error(from, e))?;
        if all.len() >= Manifest::MOST {
            return Err(TransportError::Refused(ManifestError::TooMany.to_string()));
        }
        let below = entry.path().strip_prefix(from).expect("a walk stays below its root");
        let path = below.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| TransportError::Io {
            path: from.display().to_string(),
            why: format!(
                "the name {below:?} is not UTF-8, or too long: rename it or pack it into an archive"
            ),
        })?;
        let meta = entry.metadata().map_err(|e| walk_error(from, e))?;
        all.push(found(path, entry.into_path(), &meta)?);
    }
    Ok(Walked { root: Some(root.permissions().mode() & 0o777), found: all })
}

fn found(path: RemotePath, place: PathBuf, meta: &Metadata) -> Result<Found> {
    let mut target = String::new();
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Dir
    } else if meta.is_symlink() {
        target = link_target(&path, &place)?;
        FileKind::Link
    } else {
        return Err(TransportError::Refused(format!(
            "{} is a socket, a pipe or a device, and cannot be copied",
            place.display()
        )));
    };
    let mode = if kind == FileKind::Link { 0o777 } else { meta.permissions().mode() & 0o777 };
    Ok(Found { path, place, kind, size: if kind == FileKind::File { meta.len() } else { 0 }, mode, target })
}

fn link_target(path: &RemotePath, place: &Path) -> Result<String> {
    let target = std::fs::read_link(place).map_err(|e| reason::at(place, &e))?;
    let text = target.to_str().filter(|text| path.permits_link_to(text));
    text.map(str::to_owned).ok_or_else(|| {
        TransportError::Refused(format!("the link {path} leads out of its tree: {}", target.display()))
    })
}

/// Opens a regular file of this machine to read it; a link or a pipe in its place is `Refused`.
pub(super) fn open(place: &Path) -> Result<(File, Metadata)> {
    use rustix::fs::OFlags;
    // NONBLOCK lets the open of a pipe return at once, and means nothing for a file.
    let flags =
        i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).expect("flags of open(2) are an int");
    let file =
        OpenOptions::new().read(true).custom_flags(flags).open(place).map_err(|e| reason::at(place, &e))?;
    let meta = file.metadata().map_err(|e| reason::at(place, &e))?;
    if meta.is_file() {
        Ok((file, meta))
    } else {
        Err(TransportError::Refused(format!("{} is not a regular file", place.display())))
    }
}

fn walk_error(root: &Path, e: walkdir::Error) -> TransportError {
    let path = e.path().unwrap_or(root).to_owned();
    match e.into_io_error() {
        Some(e) => reason::at(&path, &e),
        // The only other error is a loop of links, and links are not followed.
        None => TransportError::Io { path: path.display().to_string(), why: "it contains itself".to_owned() },
    }
}
