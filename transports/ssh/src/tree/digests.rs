//! Two hashes at once: the one of manifests, and the one that the host has a tool for.

use procession::transport::{Digest, Digester, TransportError};
use sha2::{Digest as _, Sha256};

/// What a host hashes with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tool {
    /// BLAKE3, with `b3sum`.
    Blake3,
    /// SHA-256, with whatever there is.
    Sha256,
}

impl Tool {
    /// By the name that the host gives it.
    pub(super) fn named(name: &[u8]) -> Option<Tool> {
        match name {
            b"blake3" => Some(Tool::Blake3),
            b"sha256" => Some(Tool::Sha256),
            _ => None,
        }
    }
}

/// A hash in hexadecimal digits, as the host prints it.
pub(super) type Sum = String;

/// The hash that a host will find, made piece by piece.
#[derive(Clone)]
pub(super) enum Summer {
    Blake3(Box<Digester>),
    Sha256(Sha256),
}

impl Summer {
    pub(super) fn new(tool: Tool) -> Summer {
        match tool {
            Tool::Blake3 => Summer::Blake3(Box::default()),
            Tool::Sha256 => Summer::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Summer::Blake3(digester) => digester.update(bytes),
            Summer::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn sum(&self) -> Sum {
        match self {
            Summer::Blake3(digester) => digester.digest().to_string(),
            Summer::Sha256(hasher) => hexadecimal(hasher),
        }
    }
}

/// The hash of many files, as the host makes it of what arrived (`all` in `host.sh`): of their contents one after the other; or,
/// because `b3sum` reads files faster than a pipe, of its own output for each of them.
pub(super) enum Total {
    Contents(Sha256),
    Lines(Box<Digester>),
}

impl Total {
    pub(super) fn new(tool: Tool) -> Total {
        match tool {
            Tool::Blake3 => Total::Lines(Box::default()),
            Tool::Sha256 => Total::Contents(Sha256::new()),
        }
    }

    /// Some more of a file.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        match self {
            Total::Contents(hasher) => hasher.update(bytes),
            Total::Lines(_) => {}
        }
    }

    /// All of a file has come, and this is what it holds.
    pub(super) fn whole(&mut self, digest: &Digest) {
        match self {
            Total::Contents(_) => {}
            Total::Lines(lines) => lines.update(format!("{digest}\n").as_bytes()),
        }
    }

    pub(super) fn sum(&self) -> Sum {
        match self {
            Total::Contents(hasher) => hexadecimal(hasher),
            Total::Lines(lines) => lines.digest().to_string(),
        }
    }
}

/// Both hashes of one file.
#[derive(Clone)]
pub(super) struct Both {
    ours: Digester,
    theirs: Summer,
}

impl Both {
    pub(super) fn new(tool: Tool) -> Both {
        Both { ours: Digester::default(), theirs: Summer::new(tool) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.ours.update(bytes);
        if let Summer::Sha256(_) = self.theirs {
            self.theirs.update(bytes);
        }
    }

    /// Adds to the hash of manifests only; the other one is of no use from then on.
    pub(super) fn update_ours(&mut self, bytes: &[u8]) {
        self.ours.update(bytes);
    }

    pub(super) fn digest(&self) -> Digest {
        self.ours.digest()
    }

    pub(super) fn sum(&self) -> Sum {
        match &self.theirs {
            Summer::Blake3(_) => self.ours.digest().to_string(),
            Summer::Sha256(_) => self.theirs.sum(),
        }
    }
}

fn hexadecimal(hasher: &Sha256) -> Sum {
    hasher.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of a tool that hashed named files: the hash and the name. None for anything else, as an error that it prints.
pub(super) fn named_sum(line: &[u8]) -> Option<(Sum, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let (sum, name) = line.split_at_checked(64)?;
    let name = name.strip_prefix("  ").or_else(|| name.strip_prefix(" *"))?;
    Some((read_sum(sum.as_bytes()).ok()?, name))
}

/// A hash as a host prints it.
pub(super) fn read_sum(text: &[u8]) -> Result<Sum, TransportError> {
    let sum = String::from_utf8_lossy(text).to_ascii_lowercase();
    if sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(sum)
    } else {
        Err(TransportError::Protocol(format!(
            "no hash of 256 bits: {:?}",
            sum.chars().take(80).collect::<String>()
        )))
    }
}
