//! Trees of files, there and back. What is returned is what was read back at the destination.

use super::copy::{Pace, copy};
use crate::worker::Beat;
use procession::transport::reason;
use procession::transport::{
    Content, FileKind, Manifest, ManifestEntry, ManifestError, RemotePath, TransportError, Want,
};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

type Result<T> = std::result::Result<T, TransportError>;

/// One thing in a tree.
struct Found {
    path: RemotePath,
    place: PathBuf,
    kind: FileKind,
    size: u64,
    mode: u32,
}

/// What a walk has seen.
struct Walked {
    found: Vec<Found>,
    /// Names that are no text or too long, with what is no text replaced.
    unnameable: Vec<String>,
}

/// Copies the file or the tree at `from` to `to`. Directories that are missing above `to` are made.
pub(super) fn put(from: &Path, to: &Path, beat: &mut Beat<'_>) -> Result<Manifest> {
    let mut pace = Pace::new(beat);
    let root = std::fs::metadata(from).map_err(|e| reason::at(from, &e))?;
    if let Some(above) = to.parent() {
        std::fs::create_dir_all(above).map_err(|e| reason::at(above, &e))?;
    }
    let mut manifest = Manifest::default();
    if !root.is_dir() {
        // A link that is named by the user is followed; links in a tree are not.
        let from = std::fs::canonicalize(from).map_err(|e| reason::at(from, &e))?;
        pace.progress.total = root.len();
        let arrived = copy(&from, root.len(), to, &mut pace)?;
        pace.progress.files += 1;
        add(&mut manifest, RemotePath::here(), arrived.mode, arrived.content)?;
        pace.end()?;
        return Ok(manifest);
    }
    let walked = walk(from, &mut pace)?;
    if let Some(name) = walked.unnameable.first() {
        return Err(unnameable(from, name));
    }
    make_dir(to)?;
    pace.progress.total = files(&walked.found).map(|file| file.size).sum();
    let mut dirs = vec![(to.to_owned(), root.permissions().mode() & 0o777)];
    for thing in &walked.found {
        let place = to.join(thing.path.as_str());
        match thing.kind {
            FileKind::Dir => {
                make_dir(&place)?;
                dirs.push((place, thing.mode));
                add(&mut manifest, thing.path.clone(), thing.mode, Content::Dir)?;
            }
            FileKind::File | FileKind::Link | FileKind::Other => {
                send(thing, &place, &mut manifest, &mut pace)?
            }
        }
        pace.beat()?;
    }
    // From the inside out, and at the end: nothing can be made in a directory that is not writable.
    for (dir, mode) in dirs.into_iter().rev() {
        std::fs::set_permissions(&dir, Permissions::from_mode(mode)).map_err(|e| reason::at(&dir, &e))?;
    }
    pace.end()?;
    Ok(manifest)
}

/// Copies what is wanted of the directory `from` to the directory `to`, and never to anywhere else.
pub(super) fn get(from: &Path, want: &[Want], to: &Path, beat: &mut Beat<'_>) -> Result<Manifest> {
    let mut pace = Pace::new(beat);
    let walked = walk(from, &mut pace)?;
    for name in &walked.unnameable {
        let lossy = name.parse();
        if want.iter().any(|want| lossy.as_ref().map_or(true, |name| want.pattern.matches(name))) {
            return Err(unnameable(from, name));
        }
    }
    let candidates: Vec<(RemotePath, u64)> = walked
        .found
        .iter()
        .filter(|thing| matches!(thing.kind, FileKind::File | FileKind::Link))
        .map(|thing| (thing.path.clone(), if thing.kind == FileKind::File { thing.size } else { 0 }))
        .collect();
    let chosen = Want::choose(want, &candidates)?;
    let chosen: Vec<&Found> = walked.found.iter().filter(|thing| chosen.contains(&thing.path)).collect();
    pace.progress.total = files(chosen.iter().copied()).map(|file| file.size).sum();
    std::fs::create_dir_all(to).map_err(|e| reason::at(to, &e))?;
    let mut manifest = Manifest::default();
    for thing in chosen {
        make_parents(to, &thing.path)?;
        send(thing, &to.join(thing.path.as_str()), &mut manifest, &mut pace)?;
        pace.beat()?;
    }
    pace.end()?;
    Ok(manifest)
}

fn send(thing: &Found, place: &Path, manifest: &mut Manifest, pace: &mut Pace<'_, '_>) -> Result<()> {
    match thing.kind {
        FileKind::File => {
            let arrived = copy(&thing.place, thing.size, place, pace)?;
            pace.progress.files += 1;
            add(manifest, thing.path.clone(), arrived.mode, arrived.content)
        }
        FileKind::Link => {
            let target = link(thing, place)?;
            pace.progress.files += 1;
            add(manifest, thing.path.clone(), 0o777, Content::Link { target })
        }
        FileKind::Dir | FileKind::Other => Err(TransportError::Refused(format!(
            "{} is a socket, a pipe or a device, and cannot be copied",
            thing.place.display()
        ))),
    }
}

/// Makes the same link at `place`. `Refused` if it leads out of the tree.
fn link(thing: &Found, place: &Path) -> Result<String> {
    let read = |path: &Path| std::fs::read_link(path).map_err(|e| reason::at(path, &e));
    let target = read(&thing.place)?;
    let outside = || {
        TransportError::Refused(format!(
            "the link {} leads out of its tree: {}",
            thing.path,
            target.display()
        ))
    };
    let text = target.to_str().filter(|text| thing.path.permits_link_to(text)).ok_or_else(outside)?;
    match std::fs::symlink_metadata(place) {
        Ok(there) if there.is_symlink() && read(place)? == target => return Ok(text.to_owned()),
        Ok(there) if there.is_dir() => return Err(TransportError::Exists(place.display().to_string())),
        Ok(_) => std::fs::remove_file(place).map_err(|e| reason::at(place, &e))?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(&target, place).map_err(|e| reason::at(place, &e))?;
    Ok(text.to_owned())
}

/// All that is below `root`, links not followed, sorted by name.
fn walk(root: &Path, pace: &mut Pace<'_, '_>) -> Result<Walked> {
    let mut walked = Walked { found: Vec::new(), unnameable: Vec::new() };
    for entry in WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|e| walk_error(root, e))?;
        if walked.found.len().is_multiple_of(256) {
            pace.beat()?;
        }
        let below = entry.path().strip_prefix(root).expect("a walk stays below its root");
        let Some(path) = below.to_str().and_then(|text| text.parse().ok()) else {
            walked.unnameable.push(below.to_string_lossy().into_owned());
            continue;
        };
        if walked.found.len() >= Manifest::MOST {
            return Err(TransportError::Refused(ManifestError::TooMany.to_string()));
        }
        let meta = entry.metadata().map_err(|e| walk_error(root, e))?;
        let kind = if meta.is_file() {
            FileKind::File
        } else if meta.is_dir() {
            FileKind::Dir
        } else if meta.is_symlink() {
            FileKind::Link
        } else {
            FileKind::Other
        };
        let mode = meta.permissions().mode() & 0o777;
        walked.found.push(Found { path, place: entry.into_path(), kind, size: meta.len(), mode });
    }
    Ok(walked)
}

fn files<'a>(found: impl IntoIterator<Item = &'a Found>) -> impl Iterator<Item = &'a Found> {
    found.into_iter().filter(|thing| thing.kind == FileKind::File)
}

fn make_dir(path: &Path) -> Result<()> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.map_err(|e| reason::at(path, &e)),
    }
}

/// Makes the directories between `root` and `path`. `Exists` if one of them is a link: it would lead elsewhere.
fn make_parents(root: &Path, path: &RemotePath) -> Result<()> {
    let mut place = root.to_owned();
    let mut parts = path.parts().peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            break;
        }
        place.push(part);
        match std::fs::create_dir(&place) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let there = std::fs::symlink_metadata(&place).map_err(|e| reason::at(&place, &e))?;
                if !there.is_dir() {
                    return Err(TransportError::Exists(place.display().to_string()));
                }
            }
            Err(e) => return Err(reason::at(&place, &e)),
        }
    }
    Ok(())
}

fn add(manifest: &mut Manifest, path: RemotePath, mode: u32, content: Content) -> Result<()> {
    manifest.insert(ManifestEntry { path, mode, content }).map_err(|e| TransportError::Refused(e.to_string()))
}

fn walk_error(root: &Path, e: walkdir::Error) -> TransportError {
    let path = e.path().unwrap_or(root).to_owned();
    match e.into_io_error() {
        Some(e) => reason::at(&path, &e),
        // The only other error is a loop of links, and links are not followed.
        None => TransportError::Io { path: path.display().to_string(), why: "it contains itself".to_owned() },
    }
}

fn unnameable(root: &Path, name: &str) -> TransportError {
    TransportError::Io {
        path: root.display().to_string(),
        why: format!("the name {name:?} is not UTF-8, or too long: rename it or pack it into an archive"),
    }
}
