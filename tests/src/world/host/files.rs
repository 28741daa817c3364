//! The file operations of a simulated host, as programs: a small one is a single step, a transfer one step a file.

use super::machine::{HOME, Here, Next, Program, Value};
use crate::world::faults::PerMille;
use crate::world::fs::{Fs, FsError, Kind, Meta};
use procession::WallTime;
use procession::transport::{
    Content, Digest, FileKind, Manifest, ManifestEntry, RemotePath, Stat, TransportError, Want,
};

/// A small operation.
pub enum Small {
    /// As `Op::List`.
    List(RemotePath),
    /// As `Op::Stat`.
    Stat(RemotePath),
    /// As `Op::Mkdir`.
    Mkdir {
        /// Which.
        path: RemotePath,
        /// With those above it.
        parents: bool,
    },
    /// As `Op::Rename`.
    Rename {
        /// From.
        from: RemotePath,
        /// To.
        to: RemotePath,
    },
    /// As `Op::Remove`.
    Remove {
        /// Which.
        path: RemotePath,
        /// With all that is in it.
        tree: bool,
    },
    /// As `Op::Symlink`.
    Symlink {
        /// What it holds.
        target: String,
        /// Where it lies.
        link: RemotePath,
    },
    /// As `Op::Chmod`.
    Chmod {
        /// Of what.
        path: RemotePath,
        /// The bits.
        mode: u32,
    },
    /// As `Op::Read`.
    Read {
        /// Which.
        path: RemotePath,
        /// At most so many bytes.
        limit: u64,
    },
    /// As `Op::Write`.
    Write {
        /// Which.
        path: RemotePath,
        /// The contents.
        bytes: Vec<u8>,
        /// Of a new file.
        mode: u32,
    },
}

/// A file, folder or link of a tree that is sent or fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// Relative to the root of the tree; `.` is the root itself.
    pub path: String,
    /// The permission bits.
    pub mode: u32,
    /// What it is.
    pub body: FetchedBody,
}

/// What a [`Fetched`] is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchedBody {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A folder.
    Dir,
    /// A link that holds this.
    Link(String),
}

/// A tree on its way to the host.
pub struct Sent {
    /// What, a folder before its contents.
    pub tree: Vec<Fetched>,
    /// How many are there already.
    pub arrived: usize,
    /// Where the root will lie.
    pub to: RemotePath,
    /// Whether a byte of it is damaged on the way.
    pub damaged: bool,
}

/// Files that are wanted from the host.
pub struct Wanted {
    /// Below which folder.
    pub from: RemotePath,
    /// Which.
    pub want: Vec<Want>,
}

impl Program for Small {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let now = here.machine.wall();
        let (text, result) = act(self, &mut here.machine.fs, now);
        here.machine.line(format_args!(
            "[{}] {text}: {}",
            here.pid,
            if result.is_ok() { "done" } else { "refused" }
        ));
        Next::Answers(result)
    }
}

fn act(small: &mut Small, fs: &mut Fs, now: WallTime) -> (String, Result<Value, TransportError>) {
    match small {
        Small::List(path) => {
            let listed = fs.list(&at(path));
            let stats = |names: Vec<(String, Meta)>| {
                names.into_iter().map(|(name, meta)| stat(name, &meta)).collect()
            };
            (format!("list {path}"), listed.map(|names| Value::Stats(stats(names))).map_err(because(path)))
        }
        Small::Stat(path) => {
            let name = path.name().unwrap_or(path.as_str()).to_owned();
            let found = fs.stat(&at(path)).map(|meta| Value::Stat(stat(name, &meta)));
            (format!("stat {path}"), found.map_err(because(path)))
        }
        Small::Mkdir { path, parents } => {
            let made = if *parents { fs.mkdir_all(&at(path), now) } else { fs.mkdir(&at(path), 0o755, now) };
            (format!("mkdir {path}"), done(made, path))
        }
        Small::Rename { from, to } => {
            (format!("rename {from} {to}"), done(fs.rename(&at(from), &at(to), now), from))
        }
        Small::Remove { path, tree } => {
            let removed = if *tree { fs.remove_tree(&at(path), now) } else { fs.remove(&at(path), now) };
            let found = match removed {
                Ok(()) => Ok(Value::Found(true)),
                Err(FsError::NotFound | FsError::NotADirectory) => Ok(Value::Found(false)),
                Err(why) => Err(because(path)(why)),
            };
            (format!("remove {path}"), found)
        }
        Small::Symlink { target, link } => {
            (format!("symlink {target} {link}"), done(fs.symlink(target, &at(link), now), link))
        }
        Small::Chmod { path, mode } => {
            (format!("chmod {mode:o} {path}"), done(fs.chmod(&at(path), *mode), path))
        }
        Small::Read { path, limit } => {
            let read = match fs.read(&at(path)) {
                Ok(bytes) if bytes.len() as u64 > *limit => {
                    Err(TransportError::TooLarge { path: path.to_string(), limit: *limit })
                }
                Ok(bytes) => Ok(Value::Bytes(bytes.to_vec())),
                Err(why) => Err(because(path)(why)),
            };
            (format!("read {path}"), read)
        }
        Small::Write { path, bytes, mode } => {
            (format!("write {path}"), done(fs.write(&at(path), bytes, *mode, now), path))
        }
    }
}

impl Program for Sent {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let now = here.machine.wall();
        let root = at(&self.to);
        let fs = &mut here.machine.fs;
        let Some(entry) = self.tree.get(self.arrived) else {
            let there: Result<Vec<Fetched>, FsError> =
                self.tree.iter().map(|entry| fetch(fs, &root, &entry.path)).collect();
            here.machine.line(format_args!("[{}] all of {} files have arrived", here.pid, self.tree.len()));
            return Next::Answers(
                there.map_err(because(&self.to)).map(|there| Value::Manifest(manifest(&there))),
            );
        };
        let laid = lay(fs, &root, entry, now);
        here.machine.line(format_args!("[{}] put {root} {}: {laid:?}", here.pid, entry.path));
        self.arrived += 1;
        if laid.is_ok() {
            here.machine.made(&under(&root, &entry.path));
        }
        match laid {
            Err(why) => Next::Answers(Err(because(&self.to)(why))),
            Ok(()) if self.damaged && matches!(entry.body, FetchedBody::File(_)) => {
                // Verified before it is renamed into place, so nothing damaged lies there.
                let removed = here.machine.fs.remove(&under(&root, &entry.path), now);
                removed.expect("it has just been laid");
                Next::Answers(Err(TransportError::Corrupt(entry.path.clone())))
            }
            Ok(()) => Next::Soon,
        }
    }
}

impl Program for Wanted {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let found = fetch_wanted(&here.machine.fs, &self.from, &self.want);
        here.machine.line(format_args!("[{}] get {}", here.pid, self.from));
        Next::Answers(found.map(Value::Files))
    }
}

impl Sent {
    /// The tree at `from` on this machine's disk.
    pub fn new(local: &Fs, from: &str, to: RemotePath) -> Result<Sent, TransportError> {
        let tree = read_tree(local, from).map_err(|why| reason(from, why))?;
        Ok(Sent { tree, arrived: 0, to, damaged: false })
    }

    /// The same, with this chance of damage on the way.
    pub fn with_damage(mut self, chance: PerMille, dice: &mut crate::world::faults::Dice) -> Sent {
        self.damaged = dice.chance(chance);
        self
    }
}

/// Writes what was fetched to this machine's disk, and says what lies there.
pub fn receive(
    local: &mut Fs,
    to: &str,
    files: &[Fetched],
    now: WallTime,
) -> Result<Manifest, TransportError> {
    let laid = local.mkdir_all(to, now).and_then(|()| {
        files.iter().try_for_each(|file| {
            let path = under(to, &file.path);
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
            local.mkdir_all(folder, now)?;
            lay(local, to, file, now)
        })
    });
    laid.map_err(|why| reason(to, why))?;
    Ok(manifest(files))
}

fn fetch_wanted(fs: &Fs, from: &RemotePath, want: &[Want]) -> Result<Vec<Fetched>, TransportError> {
    let root = at(from);
    if !fs.is_dir(&root) {
        return Err(TransportError::NotFound(from.to_string()));
    }
    let below = fs.walk(&root).map_err(because(from))?;
    let below = below.iter().filter(|(_, meta)| meta.kind != Kind::Dir);
    let found: Result<Vec<(RemotePath, u64)>, TransportError> = below
        .map(|(path, meta)| {
            let path = path.parse().map_err(|_| TransportError::Protocol(format!("the path {path:?}")))?;
            Ok((path, meta.size))
        })
        .collect();
    let chosen = Want::choose(want, &found?)?;
    chosen
        .iter()
        .map(|path| {
            let fetched = fetch(fs, &root, path.as_str()).map_err(because(path))?;
            match &fetched.body {
                FetchedBody::Link(target) if !path.permits_link_to(target) => {
                    Err(TransportError::Refused(format!("the link {path} leads out of {from}")))
                }
                FetchedBody::Link(_) | FetchedBody::File(_) | FetchedBody::Dir => Ok(fetched),
            }
        })
        .collect()
}

fn read_tree(fs: &Fs, root: &str) -> Result<Vec<Fetched>, FsError> {
    let mut tree = vec![fetch(fs, root, ".")?];
    if fs.stat(root)?.kind == Kind::Dir {
        for (path, _) in fs.walk(root)? {
            tree.push(fetch(fs, root, &path)?);
        }
    }
    Ok(tree)
}

fn fetch(fs: &Fs, root: &str, path: &str) -> Result<Fetched, FsError> {
    let lies = under(root, path);
    let meta = fs.stat(&lies)?;
    let body = match meta.kind {
        Kind::File => FetchedBody::File(fs.read(&lies)?.to_vec()),
        Kind::Dir => FetchedBody::Dir,
        Kind::Link => FetchedBody::Link(fs.read_link(&lies)?.to_owned()),
    };
    Ok(Fetched { path: path.to_owned(), mode: meta.mode, body })
}

fn lay(fs: &mut Fs, root: &str, entry: &Fetched, now: WallTime) -> Result<(), FsError> {
    let lies = under(root, &entry.path);
    match &entry.body {
        FetchedBody::Dir => match fs.mkdir(&lies, entry.mode, now) {
            Err(FsError::Exists) if fs.is_dir(&lies) => Ok(()),
            made => made,
        },
        FetchedBody::File(bytes) => {
            // A new file that takes the place of the old one, as a rename does.
            if fs.stat(&lies).is_ok_and(|meta| meta.kind != Kind::Dir) {
                fs.remove(&lies, now)?;
            }
            fs.write(&lies, bytes, entry.mode, now)
        }
        FetchedBody::Link(target) => {
            if fs.stat(&lies).is_ok_and(|meta| meta.kind != Kind::Dir) {
                fs.remove(&lies, now)?;
            }
            fs.symlink(target, &lies, now)
        }
    }
}

/// The manifest of a tree, without its root folder.
fn manifest(tree: &[Fetched]) -> Manifest {
    let mut manifest = Manifest::default();
    for entry in tree {
        let content = match &entry.body {
            FetchedBody::File(bytes) => Content::File { size: bytes.len() as u64, digest: Digest::of(bytes) },
            FetchedBody::Dir if entry.path == "." => continue,
            FetchedBody::Dir => Content::Dir,
            FetchedBody::Link(target) => Content::Link { target: target.clone() },
        };
        let path = entry.path.parse().expect("names of this file system are names of a path");
        let entry = ManifestEntry { path, mode: entry.mode, content };
        manifest.insert(entry).expect("a walk meets each path once");
    }
    manifest
}

fn stat(name: String, meta: &Meta) -> Stat {
    let kind = match meta.kind {
        Kind::File => FileKind::File,
        Kind::Dir => FileKind::Dir,
        Kind::Link => FileKind::Link,
    };
    Stat { name, kind, size: meta.size, mode: meta.mode, modified: meta.modified }
}

fn under(root: &str, path: &str) -> String {
    if path == "." { root.to_owned() } else { format!("{root}/{path}") }
}

/// A path of the host as an absolute one.
pub fn at(path: &RemotePath) -> String {
    RemotePath::literal(HOME).join(path).to_string()
}

fn done(result: Result<(), FsError>, path: &RemotePath) -> Result<Value, TransportError> {
    result.map(|()| Value::Done).map_err(because(path))
}

fn because(path: &RemotePath) -> impl Fn(FsError) -> TransportError + '_ {
    |why| reason(path.as_str(), why)
}

/// An error of a file system as an error of a transport.
pub fn reason(path: &str, why: FsError) -> TransportError {
    let path = path.to_owned();
    match why {
        FsError::NotFound => TransportError::NotFound(path),
        FsError::Exists => TransportError::Exists(path),
        FsError::Permission | FsError::ReadOnly => TransportError::Permission(path),
        FsError::NoSpace => TransportError::NoSpace(path),
        FsError::NotADirectory
        | FsError::IsADirectory
        | FsError::NotEmpty
        | FsError::Loop
        | FsError::Invalid => TransportError::Io { path, why: why.to_string() },
    }
}
