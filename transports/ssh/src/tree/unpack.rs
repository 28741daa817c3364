//! What a host sends of a tree, to a folder of this machine: first beside, all of it, then into place.

use super::digests::{Summer, Tool};
use super::listing::Listed;
use super::untar::{Event, Untar};
use crate::nonce::part_name;
use procession::transport::reason;
use procession::transport::{
    Content, Digest, Digester, FileKind, Manifest, ManifestEntry, RemotePath, TransportError,
};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, TransportError>;

/// A tree that is being received. Dropped before its end, it leaves nothing.
pub(super) struct Unpacker {
    stage: Stage,
    untar: Untar,
    inner: Inner,
}

struct Inner {
    stage: PathBuf,
    wanted: BTreeMap<RemotePath, Listed>,
    arrived: BTreeMap<RemotePath, Content>,
    open: Option<Writing>,
    folder: PathBuf,
    /// One for each list that was sent, with the paths of its files that are still to come.
    sums: Vec<(Summer, u64)>,
    at: usize,
    bytes: u64,
    files: u64,
}

struct Writing {
    path: RemotePath,
    place: PathBuf,
    file: File,
    /// How much of it is kept: what it had when it was listed. It may have grown.
    keep: u64,
    /// How much is still to come.
    left: u64,
    digester: Digester,
    mode: u32,
}

/// A folder that is removed with all that is in it.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0) {
            log::warn!("{} is left behind: {e}", self.0.display());
        }
    }
}

impl Unpacker {
    /// To the folder `to`, which is made: the files and links that are `wanted`, in this order, of which so many files at a
    /// time have one sum.
    pub(super) fn new(to: &Path, wanted: &[Listed], chunks: &[u64], tool: Tool) -> Result<Unpacker> {
        std::fs::create_dir_all(to).map_err(|e| reason::at(to, &e))?;
        let stage = to.join(part_name());
        std::fs::create_dir(&stage).map_err(|e| reason::at(to, &e))?;
        let inner = Inner {
            stage: stage.clone(),
            wanted: wanted.iter().map(|listed| (listed.path.clone(), listed.clone())).collect(),
            arrived: BTreeMap::new(),
            open: None,
            folder: stage.clone(),
            sums: chunks.iter().map(|files| (Summer::new(tool), *files)).collect(),
            at: 0,
            bytes: 0,
            files: 0,
        };
        Ok(Unpacker { stage: Stage(stage), untar: Untar::default(), inner })
    }

    /// Takes in the next bytes of the stream.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let inner = &mut self.inner;
        self.untar.feed(bytes, |event| inner.on(event))
    }

    /// Bytes and files so far.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.inner.bytes, self.inner.files)
    }

    /// After the last byte: everything that was wanted has come and has these sums, and is put into place.
    pub(super) fn end(self, to: &Path, sums: &[String]) -> Result<Manifest> {
        let Unpacker { stage, untar, inner } = self;
        if !untar.is_whole() || inner.open.is_some() {
            return Err(TransportError::Protocol("the stream of the host ended within a file".to_owned()));
        }
        if let Some(missing) = inner.wanted.keys().next() {
            return Err(TransportError::NotFound(missing.to_string()));
        }
        if inner.sums.iter().map(|(summer, _)| summer.sum()).ne(sums.iter().cloned()) {
            return Err(TransportError::Corrupt(to.display().to_string()));
        }
        let mut manifest = Manifest::default();
        let mut made = None;
        for (path, content) in inner.arrived {
            let place = to.join(path.as_str());
            if made != path.parent() {
                make_parents(to, &path)?;
                made = path.parent();
            }
            let from = stage.0.join(path.as_str());
            std::fs::rename(&from, &place).map_err(|e| reason::at(&place, &e))?;
            let mode = match &content {
                Content::Link { target: _ } => 0o777,
                Content::File { .. } | Content::Dir => {
                    let there = std::fs::symlink_metadata(&place).map_err(|e| reason::at(&place, &e))?;
                    there.permissions().mode() & 0o777
                }
            };
            add(&mut manifest, path, mode, content)?;
        }
        Ok(manifest)
    }
}

impl Inner {
    fn on(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::File { path, size } => {
                let wanted = self.wanted(&path, FileKind::File)?;
                let writing = self.create(wanted, size)?;
                self.open = Some(writing);
                if size == 0 {
                    self.close()?;
                }
            }
            Event::Bytes(bytes) => self.write(bytes)?,
            Event::Link { path, target } => {
                self.wanted(&path, FileKind::Link)?;
                if !path.permits_link_to(&target) {
                    return Err(outside(&path, &target));
                }
                let place = self.place(&path)?;
                std::os::unix::fs::symlink(&target, &place).map_err(|e| reason::at(&place, &e))?;
                self.files += 1;
                self.arrived.insert(path, Content::Link { target });
            }
            Event::Same { path, as_path } => self.same(&path, &as_path)?,
        }
        Ok(())
    }

    /// What was asked for comes once; nothing else comes.
    fn wanted(&mut self, path: &RemotePath, kind: FileKind) -> Result<Listed> {
        match self.wanted.remove(path) {
            Some(wanted) if wanted.kind == kind => Ok(wanted),
            Some(_) | None => Err(TransportError::Protocol(format!(
                "the tar of the host sent {path}, which was not asked for"
            ))),
        }
    }

    fn place(&mut self, path: &RemotePath) -> Result<PathBuf> {
        let place = self.stage.join(path.as_str());
        let folder = place.parent().unwrap_or(&self.stage);
        if folder != self.folder {
            std::fs::create_dir_all(folder).map_err(|e| reason::at(folder, &e))?;
            self.folder = folder.to_owned();
        }
        Ok(place)
    }

    fn create(&mut self, wanted: Listed, size: u64) -> Result<Writing> {
        let place = self.place(&wanted.path)?;
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place);
        let file = opened.map_err(|e| reason::at(&place, &e))?;
        Ok(Writing {
            path: wanted.path,
            place,
            file,
            keep: wanted.size,
            left: size,
            digester: Digester::default(),
            mode: wanted.mode & 0o777,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.left -= bytes.len() as u64;
        let kept = bytes.len().min(usize::try_from(open.keep).unwrap_or(usize::MAX));
        open.keep -= kept as u64;
        let kept = &bytes[..kept];
        open.file.write_all(kept).map_err(|e| reason::at(&open.place, &e))?;
        open.digester.update(kept);
        self.bytes += kept.len() as u64;
        if let Some((summer, _)) = self.sums.get_mut(self.at) {
            summer.update(kept);
        }
        if open.left == 0 { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let permissions = Permissions::from_mode(open.mode);
        open.file.set_permissions(permissions).map_err(|e| reason::at(&open.place, &e))?;
        let content = Content::File { size: open.digester.bytes(), digest: open.digester.digest() };
        self.arrived.insert(open.path, content);
        self.counted();
        Ok(())
    }

    /// One more file of the present list is there.
    fn counted(&mut self) {
        self.files += 1;
        if let Some((_, left)) = self.sums.get_mut(self.at) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.at += 1;
            }
        }
    }

    /// A hard link: the same bytes again, as a file of its own.
    fn same(&mut self, path: &RemotePath, as_path: &RemotePath) -> Result<()> {
        let wanted = self.wanted(path, FileKind::File)?;
        let Some(Content::File { size, digest: _ }) = self.arrived.get(as_path).cloned() else {
            return Err(TransportError::Protocol(format!(
                "{path} is said to be {as_path}, which has not come"
            )));
        };
        let from = self.stage.join(as_path.as_str());
        let bytes = std::fs::read(&from).map_err(|e| reason::at(&from, &e))?;
        let writing = self.create(Listed { size, ..wanted }, size)?;
        self.open = Some(writing);
        if size == 0 { self.close() } else { self.write(&bytes) }
    }
}

/// Makes the directories between `root` and `path`. `Exists` if one of them is a link: it would lead elsewhere.
pub(super) fn make_parents(root: &Path, path: &RemotePath) -> Result<()> {
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

/// Adds an entry to a manifest.
pub(super) fn add(manifest: &mut Manifest, path: RemotePath, mode: u32, content: Content) -> Result<()> {
    manifest.insert(ManifestEntry { path, mode, content }).map_err(|e| TransportError::Refused(e.to_string()))
}

/// A link that leads out of its tree.
pub(super) fn outside(path: &RemotePath, target: &str) -> TransportError {
    TransportError::Refused(format!("the link {path} leads out of its tree: {target}"))
}

/// Which of these files are here already with the same size. `Exists` if the way to one of them leads through a link.
pub(super) fn present(to: &Path, wanted: &[Listed]) -> Result<Vec<(RemotePath, PathBuf)>> {
    let mut here = Vec::new();
    let mut known = None;
    for listed in wanted {
        if known != listed.path.parent() {
            known = listed.path.parent();
            let mut folder = to.to_owned();
            for part in known.iter().flat_map(RemotePath::parts) {
                folder.push(part);
                match std::fs::symlink_metadata(&folder) {
                    Ok(there) if there.is_dir() => {}
                    Ok(_) => return Err(TransportError::Exists(folder.display().to_string())),
                    Err(_) => break,
                }
            }
        }
        let place = to.join(listed.path.as_str());
        if listed.kind == FileKind::File
            && std::fs::symlink_metadata(&place)
                .is_ok_and(|there| there.is_file() && there.len() == listed.size)
        {
            here.push((listed.path.clone(), place));
        }
    }
    Ok(here)
}

/// Gives files that are here already the modes that they have there.
pub(super) fn permit(to: &Path, files: Vec<(Listed, Digest)>) -> Result<Vec<(RemotePath, u32, Content)>> {
    let mut set = Vec::new();
    for (listed, digest) in files {
        let place = to.join(listed.path.as_str());
        let mode = listed.mode & 0o777;
        let there = std::fs::symlink_metadata(&place).map_err(|e| reason::at(&place, &e))?;
        if there.permissions().mode() & 0o777 != mode {
            std::fs::set_permissions(&place, Permissions::from_mode(mode))
                .map_err(|e| reason::at(&place, &e))?;
        }
        set.push((listed.path, mode, Content::File { size: listed.size, digest }));
    }
    Ok(set)
}
