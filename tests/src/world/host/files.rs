//! The file operations of a simulated host, as programs: a small one is a single step, a transfer one step a file.

use super::machine::{HOME, Here, Next, Program, Value};
use crate::world::disk::{LocalDisk, TreeBody, TreeEntry, lay, manifest, read_entry, reason, under};
use crate::world::faults::{Dice, PerMille};
use crate::world::fs::{Fs, FsError, Kind, Meta};
use procession::WallTime;
use procession::transport::{FileKind, RemotePath, Stat, TransportError, Want};

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

/// A tree on its way to the host.
pub struct Sent {
    /// What, a folder before its contents.
    pub tree: Vec<TreeEntry>,
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
        let (text, result) = act(self, &mut here.machine.fs.borrow_mut(), now);
        let word = if result.is_ok() { "done" } else { "refused" };
        here.machine.line(format_args!("[{}] {text}: {word}", here.pid));
        if let (Ok(_), Some(path)) = (&result, self.makes()) {
            here.machine.made(&at(path));
        }
        Next::Answers(result)
    }
}

impl Small {
    /// Where something is when it is done that was not there before.
    fn makes(&self) -> Option<&RemotePath> {
        match self {
            Small::Mkdir { path, .. } | Small::Write { path, .. } => Some(path),
            Small::Symlink { link, .. } => Some(link),
            Small::Rename { to, .. } => Some(to),
            Small::List(_)
            | Small::Stat(_)
            | Small::Remove { .. }
            | Small::Chmod { .. }
            | Small::Read { .. } => None,
        }
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
            // It replaces the old one whole, and takes its mode over.
            let lies = at(path);
            let old = fs.stat(&lies).ok().filter(|meta| meta.kind == Kind::File).map(|meta| meta.mode);
            let ready = if old.is_some() { fs.remove(&lies, now) } else { Ok(()) };
            let written = ready.and_then(|()| fs.write(&lies, bytes, old.unwrap_or(*mode), now));
            (format!("write {path}"), done(written, path))
        }
    }
}

impl Program for Sent {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let now = here.machine.wall();
        let root = at(&self.to);
        let disk = here.machine.fs.clone();
        let fs = &mut *disk.borrow_mut();
        let Some(entry) = self.tree.get(self.arrived) else {
            let there: Result<Vec<TreeEntry>, FsError> =
                self.tree.iter().map(|entry| read_entry(fs, &root, &entry.path)).collect();
            here.machine.line(format_args!("[{}] all of {} files have arrived", here.pid, self.tree.len()));
            return Next::Answers(
                there.map_err(because(&self.to)).map(|there| Value::Manifest(manifest(&there))),
            );
        };
        let above = root.rsplit_once('/').map_or("/", |(above, _)| above);
        // The folders above are made once, at the beginning: what vanishes later stays away.
        let ready = if self.arrived == 0 { fs.mkdir_all(above, now) } else { Ok(()) };
        let laid = ready.and_then(|()| lay(fs, &root, entry, now));
        here.machine.line(format_args!("[{}] put {root} {}: {laid:?}", here.pid, entry.path));
        self.arrived += 1;
        if laid.is_ok() {
            here.machine.made(&under(&root, &entry.path));
        }
        match laid {
            Err(why) => Next::Answers(Err(because(&self.to)(why))),
            Ok(()) if self.damaged && matches!(entry.body, TreeBody::File(_)) => {
                // Verified before it is renamed into place, so nothing damaged lies there.
                let removed = fs.remove(&under(&root, &entry.path), now);
                removed.expect("it has just been laid");
                Next::Answers(Err(TransportError::Corrupt(entry.path.clone())))
            }
            Ok(()) => Next::Soon,
        }
    }
}

impl Program for Wanted {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        let found = fetch_wanted(&here.machine.fs.borrow(), &self.from, &self.want);
        here.machine.line(format_args!("[{}] get {}", here.pid, self.from));
        Next::Answers(found.map(Value::Files))
    }
}

impl Sent {
    /// The tree at `from` on this machine's disk. `Refused` if a link in it leads out of it.
    pub fn new(local: &dyn LocalDisk, from: &str, to: RemotePath) -> Result<Sent, TransportError> {
        let tree = local.read_tree(from)?;
        for entry in &tree {
            let path: RemotePath =
                entry.path.parse().map_err(|_| TransportError::Protocol(entry.path.clone()))?;
            match &entry.body {
                TreeBody::Link(target) if !path.permits_link_to(target) => {
                    return Err(TransportError::Refused(format!("the link {path} leads out of {from}")));
                }
                TreeBody::Link(_) | TreeBody::File(_) | TreeBody::Dir => {}
            }
        }
        Ok(Sent { tree, arrived: 0, to, damaged: false })
    }

    /// The same, with this chance of damage on the way.
    pub fn with_damage(mut self, chance: PerMille, dice: &mut Dice) -> Sent {
        self.damaged = dice.chance(chance);
        self
    }
}

fn fetch_wanted(fs: &Fs, from: &RemotePath, want: &[Want]) -> Result<Vec<TreeEntry>, TransportError> {
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
            let fetched = read_entry(fs, &root, path.as_str()).map_err(because(path))?;
            match &fetched.body {
                TreeBody::Link(target) if !path.permits_link_to(target) => {
                    Err(TransportError::Refused(format!("the link {path} leads out of {from}")))
                }
                TreeBody::Link(_) | TreeBody::File(_) | TreeBody::Dir => Ok(fetched),
            }
        })
        .collect()
}

fn stat(name: String, meta: &Meta) -> Stat {
    let kind = match meta.kind {
        Kind::File => FileKind::File,
        Kind::Dir => FileKind::Dir,
        Kind::Link => FileKind::Link,
    };
    Stat { name, kind, size: meta.size, mode: meta.mode, modified: meta.modified }
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
