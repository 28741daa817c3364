//! The simulated host keeps the contract of the transports, under virtual time.

use procession::WallTime;
use procession::transport::{Transport, TransportError};
use procession_tests::contract::{self, Harness};
use procession_tests::world::disk::{LocalDisk, TreeBody, TreeEntry};
use procession_tests::world::faults::{Dice, Faults};
use procession_tests::world::host::{Shared, SimHost};
use procession_tests::world::trace::Trace;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use walkdir::WalkDir;

struct Simulated {
    shared: Shared,
    host: SimHost,
    folder: tempfile::TempDir,
    dirs: usize,
}

/// The contract lays out real files, so this machine's disk is the real one here.
struct RealDisk;

impl LocalDisk for RealDisk {
    fn read_tree(&self, from: &str) -> Result<Vec<TreeEntry>, TransportError> {
        let mut tree = Vec::new();
        for entry in WalkDir::new(from).sort_by_file_name() {
            let entry = entry.map_err(|_| TransportError::NotFound(from.to_owned()))?;
            let path = entry.path().strip_prefix(from).unwrap().to_str().unwrap().to_owned();
            let path = if path.is_empty() { ".".to_owned() } else { path };
            let body = if entry.file_type().is_dir() {
                TreeBody::Dir
            } else if entry.file_type().is_symlink() {
                TreeBody::Link(fs::read_link(entry.path()).unwrap().to_str().unwrap().to_owned())
            } else {
                TreeBody::File(fs::read(entry.path()).unwrap())
            };
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            tree.push(TreeEntry { path, mode, body });
        }
        Ok(tree)
    }

    fn lay(&self, to: &str, files: &[TreeEntry], _: WallTime) -> Result<(), TransportError> {
        let root = Path::new(to);
        fs::create_dir_all(root).unwrap();
        for file in files {
            let path = root.join(&file.path);
            let folder = path.parent().unwrap();
            if fs::create_dir_all(folder).is_err_and(|why| why.kind() == ErrorKind::AlreadyExists)
                || folder.canonicalize().is_ok_and(|real| !real.starts_with(root.canonicalize().unwrap()))
            {
                return Err(TransportError::Exists(file.path.clone()));
            }
            match &file.body {
                TreeBody::File(bytes) => {
                    fs::write(&path, bytes).unwrap();
                    fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
                }
                TreeBody::Link(target) => symlink(target, &path).unwrap(),
                TreeBody::Dir => fs::create_dir_all(&path).unwrap(),
            }
        }
        Ok(())
    }
}

impl Simulated {
    fn new() -> Simulated {
        let shared = Shared::new(Trace::hashed(), Rc::new(RealDisk));
        let host = SimHost::new("host", &shared, Faults::NONE, Dice::new(1));
        Simulated { shared, host, folder: tempfile::tempdir().unwrap(), dirs: 0 }
    }
}

impl Harness for Simulated {
    fn transport(&mut self) -> Transport {
        self.host.transport()
    }

    fn run_until(&mut self, done: &mut dyn FnMut() -> bool) {
        while !done() {
            let next = self.host.next_event().expect("something will happen");
            self.shared.clock.advance_to(next);
            while !done() && self.host.run().is_some() {}
        }
    }

    fn local_dir(&mut self) -> PathBuf {
        self.dirs += 1;
        let dir = self.folder.path().join(format!("dir{}", self.dirs));
        fs::create_dir(&dir).unwrap();
        dir
    }
}

#[test]
fn the_simulated_host_keeps_the_contract() {
    contract::all(|| Box::new(Simulated::new()));
}
