//! A file system in memory that behaves like a POSIX one for a single, unprivileged owner.
//!
//! It knows folders, files and symbolic links with modes and times, a quota, and a switch that makes it read-only. It is
//! pure: no clock (the time of each change is an argument), no disk, no errors drawn at random. Paths are absolute; the
//! simulated host puts its work folder in front of relative ones.

use procession::WallTime;
use std::collections::BTreeMap;

/// How many links may be followed while one path is looked up: MAXSYMLINKS of Linux (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// What one file or folder takes of the quota besides its bytes, so that an endless row of empty files fills it too.
const ENTRY_BYTES: u64 = 64;

/// The file system of one simulated machine.
#[derive(Clone, Debug)]
pub struct Fs {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    used: u64,
    quota: u64,
    read_only: bool,
}

/// Why an operation was refused; the names of errno(3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FsError {
    /// ENOENT.
    #[error("no such file or folder")]
    NotFound,
    /// EEXIST.
    #[error("file exists")]
    Exists,
    /// ENOTDIR.
    #[error("not a folder")]
    NotADirectory,
    /// EISDIR.
    #[error("is a folder")]
    IsADirectory,
    /// ENOTEMPTY.
    #[error("folder not empty")]
    NotEmpty,
    /// EACCES.
    #[error("permission denied")]
    Permission,
    /// ENOSPC or EDQUOT.
    #[error("no space left")]
    NoSpace,
    /// EROFS.
    #[error("read-only file system")]
    ReadOnly,
    /// ELOOP.
    #[error("too many levels of symbolic links")]
    Loop,
    /// EINVAL: the root cannot be moved, and no folder into itself.
    #[error("invalid")]
    Invalid,
}

/// What lies at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meta {
    /// File, folder or link.
    pub kind: Kind,
    /// Bytes of the file, of the link's target, or 0.
    pub size: u64,
    /// The lower twelve bits of the mode.
    pub mode: u32,
    /// When its contents last changed.
    pub modified: WallTime,
}

/// The kinds of things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
}

/// A folder that stays the same one when it is moved: the working directory of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folder(Ino);

type Ino = u32;
const ROOT: Ino = 0;

#[derive(Clone, Debug)]
struct Node {
    body: Body,
    mode: u32,
    modified: WallTime,
}

#[derive(Clone, Debug)]
enum Body {
    File(Vec<u8>),
    Dir(BTreeMap<String, Ino>),
    Link(String),
}

/// Where a path leads: the folder, the last name in it, and what has that name, if anything has.
struct Place {
    dir: Ino,
    name: String,
    node: Option<Ino>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Follow,
    Keep,
}

impl Default for Fs {
    fn default() -> Fs {
        Fs::new()
    }
}

impl Fs {
    /// An empty one: a root folder, no quota.
    pub fn new() -> Fs {
        let root = Node { body: Body::Dir(BTreeMap::new()), mode: 0o755, modified: WallTime(0) };
        Fs {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            used: 0,
            quota: u64::MAX,
            read_only: false,
        }
    }

    /// From now on at most `bytes` may be used; what is there already stays.
    pub fn set_quota(&mut self, bytes: u64) {
        self.quota = bytes;
    }

    /// Mounts it read-only, or writable again.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Bytes used, entries included.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Makes one folder, as mkdir(2).
    pub fn mkdir(&mut self, path: &str, mode: u32, now: WallTime) -> Result<(), FsError> {
        let place = self.place(path, LastLink::Keep)?;
        if place.node.is_some() {
            return Err(FsError::Exists);
        }
        self.insert(&place, Body::Dir(BTreeMap::new()), mode, now)
    }

    /// Makes a folder and those above it; that some are there already is no error, as `mkdir -p`.
    pub fn mkdir_all(&mut self, path: &str, now: WallTime) -> Result<(), FsError> {
        let mut sofar = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            sofar.push('/');
            sofar.push_str(part);
            match self.mkdir(&sofar, 0o755, now) {
                Ok(()) => {}
                Err(FsError::Exists) if self.is_dir(&sofar) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// Makes a file or replaces its bytes; `mode` counts for a new one only.
    pub fn write(&mut self, path: &str, bytes: &[u8], mode: u32, now: WallTime) -> Result<(), FsError> {
        self.put(path, bytes, mode, now, |old| old.clear())
    }

    /// Makes a file or adds to its end.
    pub fn append(&mut self, path: &str, bytes: &[u8], now: WallTime) -> Result<(), FsError> {
        self.put(path, bytes, 0o644, now, |_| {})
    }

    /// The bytes of a file; links are followed.
    pub fn read(&self, path: &str) -> Result<&[u8], FsError> {
        let node = self.node(self.place(path, LastLink::Follow)?.node)?;
        match &node.body {
            Body::File(_) if node.mode & 0o400 == 0 => Err(FsError::Permission),
            Body::File(bytes) => Ok(bytes),
            Body::Dir(_) => Err(FsError::IsADirectory),
            Body::Link(_) => Err(FsError::Loop),
        }
    }

    /// What lies at a path; a link is not followed.
    pub fn stat(&self, path: &str) -> Result<Meta, FsError> {
        self.place(path, LastLink::Keep).and_then(|place| self.node(place.node)).map(Node::meta)
    }

    /// Whether something lies at a path; a link is not followed.
    pub fn exists(&self, path: &str) -> bool {
        self.stat(path).is_ok()
    }

    /// Whether a path leads to a folder; links are followed.
    pub fn is_dir(&self, path: &str) -> bool {
        let node = self.place(path, LastLink::Follow).and_then(|place| self.node(place.node));
        matches!(node, Ok(Node { body: Body::Dir(_), .. }))
    }

    /// The folder that a path leads to; links are followed.
    pub fn folder(&self, path: &str) -> Result<Folder, FsError> {
        let ino = self.place(path, LastLink::Follow)?.node.ok_or(FsError::NotFound)?;
        match self.nodes[&ino].body {
            Body::Dir(_) => Ok(Folder(ino)),
            Body::File(_) | Body::Link(_) => Err(FsError::NotADirectory),
        }
    }

    /// Where a folder lies now, without a `/` at the end; none if it has been removed.
    pub fn path_of(&self, folder: Folder) -> Option<String> {
        if folder.0 == ROOT {
            return Some(String::new());
        }
        self.nodes.iter().find_map(|(parent, node)| {
            let Body::Dir(names) = &node.body else { return None };
            let (name, _) = names.iter().find(|(_, ino)| **ino == folder.0)?;
            Some(format!("{}/{name}", self.path_of(Folder(*parent))?))
        })
    }

    /// The names in a folder, sorted, with what they are.
    pub fn list(&self, path: &str) -> Result<Vec<(String, Meta)>, FsError> {
        let node = self.node(self.place(path, LastLink::Follow)?.node)?;
        match &node.body {
            Body::Dir(_) if node.mode & 0o400 == 0 => Err(FsError::Permission),
            Body::Dir(names) => {
                Ok(names.iter().map(|(name, ino)| (name.clone(), self.nodes[ino].meta())).collect())
            }
            Body::File(_) | Body::Link(_) => Err(FsError::NotADirectory),
        }
    }

    /// Everything below a folder, as paths relative to it; a folder comes before its contents; links are not followed.
    pub fn walk(&self, path: &str) -> Result<Vec<(String, Meta)>, FsError> {
        let mut found = Vec::new();
        let mut waiting = vec![String::new()];
        while let Some(dir) = waiting.pop() {
            for (name, meta) in self.list(&format!("{path}/{dir}"))? {
                let below = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                if meta.kind == Kind::Dir {
                    waiting.push(below.clone());
                }
                found.push((below, meta));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// Moves, and replaces a file, a link or an empty folder that is there, as rename(2).
    pub fn rename(&mut self, from: &str, to: &str, now: WallTime) -> Result<(), FsError> {
        let source = self.place(from, LastLink::Keep)?;
        let moved = source.node.ok_or(FsError::NotFound)?;
        let target = self.place(to, LastLink::Keep)?;
        if moved == ROOT || self.lies_below(target.dir, moved) {
            return Err(FsError::Invalid);
        }
        self.may_change(source.dir)?;
        self.may_change(target.dir)?;
        if let Some(replaced) = target.node {
            if replaced == moved {
                return Ok(());
            }
            match (&self.nodes[&moved].body, &self.nodes[&replaced].body) {
                (Body::Dir(_), Body::Dir(names)) if !names.is_empty() => return Err(FsError::NotEmpty),
                (Body::Dir(_), Body::Dir(_)) => {}
                (Body::Dir(_), Body::File(_) | Body::Link(_)) => return Err(FsError::NotADirectory),
                (Body::File(_) | Body::Link(_), Body::Dir(_)) => return Err(FsError::IsADirectory),
                (Body::File(_) | Body::Link(_), Body::File(_) | Body::Link(_)) => {}
            }
            self.take_out(target.dir, &target.name, now);
        }
        self.names(source.dir).remove(&source.name);
        self.names(target.dir).insert(target.name, moved);
        self.touched(source.dir, now);
        self.touched(target.dir, now);
        Ok(())
    }

    /// Removes a file, a link or an empty folder.
    pub fn remove(&mut self, path: &str, now: WallTime) -> Result<(), FsError> {
        let place = self.place(path, LastLink::Keep)?;
        let node = self.node(place.node)?;
        match &node.body {
            Body::Dir(names) if !names.is_empty() => return Err(FsError::NotEmpty),
            Body::Dir(_) | Body::File(_) | Body::Link(_) => {}
        }
        if place.node == Some(ROOT) {
            return Err(FsError::Invalid);
        }
        self.may_change(place.dir)?;
        self.take_out(place.dir, &place.name, now);
        Ok(())
    }

    /// Removes a whole tree, as `rm -r`: what cannot be removed stops it half-way.
    pub fn remove_tree(&mut self, path: &str, now: WallTime) -> Result<(), FsError> {
        if self.stat(path)?.kind == Kind::Dir {
            for (name, _) in self.list(path)? {
                self.remove_tree(&format!("{path}/{name}"), now)?;
            }
        }
        self.remove(path, now)
    }

    /// Makes a symbolic link; its target need not be there.
    pub fn symlink(&mut self, target: &str, link: &str, now: WallTime) -> Result<(), FsError> {
        let place = self.place(link, LastLink::Keep)?;
        if place.node.is_some() {
            return Err(FsError::Exists);
        }
        self.insert(&place, Body::Link(target.to_owned()), 0o777, now)
    }

    /// What a link points to, as it is written.
    pub fn read_link(&self, path: &str) -> Result<&str, FsError> {
        match &self.node(self.place(path, LastLink::Keep)?.node)?.body {
            Body::Link(target) => Ok(target),
            Body::File(_) | Body::Dir(_) => Err(FsError::Invalid),
        }
    }

    /// Sets the permission bits; links are followed.
    pub fn chmod(&mut self, path: &str, mode: u32) -> Result<(), FsError> {
        let ino = self.place(path, LastLink::Follow)?.node.ok_or(FsError::NotFound)?;
        if self.read_only {
            return Err(FsError::ReadOnly);
        }
        self.at(ino).mode = mode & 0o7777;
        Ok(())
    }

    fn put(
        &mut self,
        path: &str,
        bytes: &[u8],
        mode: u32,
        now: WallTime,
        prepare: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), FsError> {
        let place = self.place(path, LastLink::Follow)?;
        let Some(ino) = place.node else {
            return self.insert(&place, Body::File(bytes.to_vec()), mode, now);
        };
        let old = match &self.nodes[&ino] {
            Node { body: Body::Dir(_), .. } => return Err(FsError::IsADirectory),
            Node { body: Body::Link(_), .. } => return Err(FsError::Loop),
            Node { body: Body::File(_), mode, .. } if mode & 0o200 == 0 => return Err(FsError::Permission),
            Node { body: Body::File(old), .. } => old,
        };
        if self.read_only {
            return Err(FsError::ReadOnly);
        }
        let before = old.len() as u64;
        let mut new = old.clone();
        prepare(&mut new);
        new.extend_from_slice(bytes);
        let used = self.used - before + new.len() as u64;
        if used > self.quota && used > self.used {
            return Err(FsError::NoSpace);
        }
        self.used = used;
        let node = self.at(ino);
        node.body = Body::File(new);
        node.modified = now;
        Ok(())
    }

    fn insert(&mut self, place: &Place, body: Body, mode: u32, now: WallTime) -> Result<(), FsError> {
        self.may_change(place.dir)?;
        let used = self.used + ENTRY_BYTES + body.size();
        if used > self.quota {
            return Err(FsError::NoSpace);
        }
        self.used = used;
        let ino = self.next;
        self.next += 1;
        self.nodes.insert(ino, Node { body, mode: mode & 0o7777, modified: now });
        self.names(place.dir).insert(place.name.clone(), ino);
        self.touched(place.dir, now);
        Ok(())
    }

    fn take_out(&mut self, dir: Ino, name: &str, now: WallTime) {
        let gone = self.names(dir).remove(name).and_then(|ino| self.nodes.remove(&ino));
        let gone = gone.expect("the caller has looked it up");
        self.used -= ENTRY_BYTES + gone.body.size();
        self.touched(dir, now);
    }

    fn may_change(&self, dir: Ino) -> Result<(), FsError> {
        if self.read_only {
            Err(FsError::ReadOnly)
        } else if self.nodes[&dir].mode & 0o300 != 0o300 {
            Err(FsError::Permission)
        } else {
            Ok(())
        }
    }

    fn lies_below(&self, dir: Ino, top: Ino) -> bool {
        dir == top
            || match &self.nodes[&top].body {
                Body::Dir(names) => names.values().any(|ino| self.lies_below(dir, *ino)),
                Body::File(_) | Body::Link(_) => false,
            }
    }

    /// Walks a path name by name, as path_resolution(7) says.
    fn place(&self, path: &str, last: LastLink) -> Result<Place, FsError> {
        fn reversed(path: &str) -> impl Iterator<Item = &str> {
            path.split('/').rev().filter(|part| !part.is_empty())
        }
        let mut links = 0;
        let mut parts: Vec<&str> = reversed(path).collect();
        let mut trail: Vec<(Ino, &str)> = Vec::new();
        let mut here = ROOT;
        while let Some(part) = parts.pop() {
            match part {
                "." => continue,
                ".." => {
                    here = trail.pop().map_or(ROOT, |(dir, _)| dir);
                    continue;
                }
                _name => {}
            }
            let node = &self.nodes[&here];
            let Body::Dir(names) = &node.body else { return Err(FsError::NotADirectory) };
            if node.mode & 0o100 == 0 {
                return Err(FsError::Permission);
            }
            let Some(&found) = names.get(part) else {
                return if parts.is_empty() {
                    Ok(Place { dir: here, name: part.to_owned(), node: None })
                } else {
                    Err(FsError::NotFound)
                };
            };
            match &self.nodes[&found].body {
                Body::Link(target) if !parts.is_empty() || last == LastLink::Follow => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(FsError::Loop);
                    }
                    if target.starts_with('/') {
                        here = ROOT;
                        trail.clear();
                    }
                    parts.extend(reversed(target));
                }
                Body::Link(_) | Body::File(_) | Body::Dir(_) => {
                    trail.push((here, part));
                    here = found;
                }
            }
        }
        let (dir, name) = trail.pop().unwrap_or((ROOT, ""));
        Ok(Place { dir, name: name.to_owned(), node: Some(here) })
    }

    fn node(&self, ino: Option<Ino>) -> Result<&Node, FsError> {
        ino.map(|ino| &self.nodes[&ino]).ok_or(FsError::NotFound)
    }

    fn at(&mut self, ino: Ino) -> &mut Node {
        self.nodes.get_mut(&ino).expect("names lead to nodes that are there")
    }

    fn names(&mut self, dir: Ino) -> &mut BTreeMap<String, Ino> {
        match &mut self.at(dir).body {
            Body::Dir(names) => names,
            Body::File(_) | Body::Link(_) => unreachable!("a place lies in a folder"),
        }
    }

    fn touched(&mut self, dir: Ino, now: WallTime) {
        self.at(dir).modified = now;
    }
}

impl Body {
    fn size(&self) -> u64 {
        match self {
            Body::File(bytes) => bytes.len() as u64,
            Body::Dir(_) => 0,
            Body::Link(target) => target.len() as u64,
        }
    }
}

impl Node {
    fn meta(&self) -> Meta {
        let kind = match &self.body {
            Body::File(_) => Kind::File,
            Body::Dir(_) => Kind::Dir,
            Body::Link(_) => Kind::Link,
        };
        Meta { kind, size: self.body.size(), mode: self.mode, modified: self.modified }
    }
}

#[cfg(test)]
mod tests;
