//! Receives one large file, into a hidden file beside that the next attempt goes on with.

use super::MIB;
use super::digests::{Both, Sum, Tool};
use super::listing::Listed;
use super::unpack::make_parents;
use crate::disk::STEP;
use procession::transport::reason;
use procession::transport::{Content, Digest, TransportError};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, TransportError>;

/// A large file that is being received. Dropped, what there is stays for the next attempt; see [`Fetch::discard`].
pub(super) struct Fetch {
    listed: Listed,
    to: PathBuf,
    part: PathBuf,
    file: File,
    tool: Tool,
    /// What is there already and has still to be hashed, in bytes.
    back: u64,
    both: Both,
    at: u64,
}

impl Fetch {
    /// Opens what is to become `listed` below the folder `to`, and goes on where the last attempt was cut.
    pub(super) fn open(to: &Path, listed: &Listed, tool: Tool) -> Result<Fetch> {
        let wrong = |e: std::io::Error| reason::at(to, &e);
        std::fs::create_dir_all(to).map_err(wrong)?;
        let name = Digest::of(format!("{}\0{}", listed.path, listed.size).as_bytes()).to_string();
        let part = to.join(format!(".procession-{}.part", &name[..16]));
        let nofollow =
            i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).expect("flags of open(2) are an int");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(nofollow);
        let file = options.open(&part).map_err(|e| reason::at(&part, &e))?;
        let there = file.metadata().map_err(wrong)?.len();
        let back = if there <= listed.size { there / MIB * MIB } else { 0 };
        // What is behind the last whole MiB is fetched again; and a file of the right size needs no byte, but its hash. ext4 writes a
        // file that was cut to nothing to the disk when it is closed (`auto_da_alloc`, ext4(5)): a new one is not cut.
        if back != there {
            file.set_len(back).map_err(wrong)?;
        }
        let both = Both::new(tool);
        Ok(Fetch { listed: listed.clone(), to: to.to_owned(), part, file, tool, back, both, at: 0 })
    }

    /// Hashes more of what is there already.
    pub(super) fn look_back(&mut self) -> Result<()> {
        let left = usize::try_from(self.back - self.at).unwrap_or(STEP).min(STEP);
        let mut bytes = vec![0; left];
        self.file.read_exact(&mut bytes).map_err(|e| reason::at(&self.part, &e))?;
        self.both.update(&bytes);
        self.at += left as u64;
        Ok(())
    }

    /// Whether all of it is hashed.
    pub(super) fn is_back(&self) -> bool {
        self.at >= self.back
    }

    /// How many bytes are there.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The hash of what is there.
    pub(super) fn sum(&self) -> Sum {
        self.both.sum()
    }

    /// What is there is something else: from the beginning.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|e| reason::at(&self.part, &e))?;
        (self.back, self.at, self.both) = (0, 0, Both::new(self.tool));
        Ok(())
    }

    /// Takes in the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(e) = self.file.write_all(bytes) {
            // A full disk is not to stay full of what cannot be used.
            let removed = std::fs::remove_file(&self.part);
            log::debug!("{} is removed: {removed:?}", self.part.display());
            return Err(reason::at(&self.part, &e));
        }
        self.both.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Whether all has come.
    pub(super) fn is_whole(&self) -> bool {
        self.at == self.listed.size
    }

    /// Removes what is there.
    pub(super) fn discard(self) {
        if let Err(e) = std::fs::remove_file(&self.part) {
            log::warn!("{} is left behind: {e}", self.part.display());
        }
    }

    /// Gives it its mode and its name, if it has the hash that the host found.
    pub(super) fn end(self, theirs: &str) -> Result<(u32, Content)> {
        let place = self.to.join(self.listed.path.as_str());
        if self.sum() != theirs || !self.is_whole() {
            self.discard();
            return Err(TransportError::Corrupt(place.display().to_string()));
        }
        let mode = self.listed.mode & 0o777;
        self.file.set_permissions(Permissions::from_mode(mode)).map_err(|e| reason::at(&place, &e))?;
        make_parents(&self.to, &self.listed.path)?;
        std::fs::rename(&self.part, &place).map_err(|e| reason::at(&place, &e))?;
        Ok((mode, Content::File { size: self.listed.size, digest: self.both.digest() }))
    }
}
