//! Is this the host that we know? Files of known hosts, and what a key that a host shows means to them.
//!
//! Nothing here opens a connection, and only [`KnownHosts::read`] and [`learn`] touch files: [`KnownHosts::check`] and
//! [`KnownHosts::algorithms`] are functions of their arguments. The rules are those of OpenSSH (`sshd(8)`, "SSH_KNOWN_HOSTS
//! FILE FORMAT"; `PROTOCOL.certkeys`), with one difference, which is stricter: a host of which keys are known, and that
//! shows one of another type, counts as changed and not as new.
//!
//! Host certificates are verified: signature, authority, time, kind, name, no critical option. The types of certificates
//! are negotiated only for hosts that have an `@cert-authority` line; a certificate that does not hold falls back to the
//! plain key in it, as with OpenSSH.

mod append;
mod certificate;
mod line;
mod name;

pub use append::{Learned, learn};
pub use name::HostName;

use crate::certificate::Certificate;
use line::{Line, Marker};
use procession::WallTime;
use procession::transport::TransportError;
use ssh_key::{HashAlg, PublicKey, public::KeyData};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What some files say about hosts. Lines that make no sense are left out, each with its place and the reason.
///
/// ```
/// use procession::WallTime;
/// use procession_ssh::hostkey::{HostName, KnownHosts, Verdict};
/// let text = "login.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio\n";
/// let mut known = KnownHosts::default();
/// known.add("known_hosts", text);
/// let other = HostName::new("other.example.org", 22);
/// let key = ssh_key::PublicKey::from_openssh(&text[18..])?.to_bytes()?;
/// assert!(matches!(known.check(&other, &key, WallTime(0)), Verdict::Unknown { .. }));
/// assert_eq!(known.check(&HostName::new("login.example.org", 22), &key, WallTime(0)), Verdict::Known);
/// # Ok::<(), ssh_key::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct KnownHosts {
    lines: Vec<Line>,
    skipped: Vec<Skipped>,
}

/// A line that says nothing about any host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// In which file.
    pub file: PathBuf,
    /// Which line, from 1; 0 if the file itself could not be read.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// A key in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The type: `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:` and 43 characters, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
}

/// Where a key is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// In which file.
    pub file: PathBuf,
    /// Which line, from 1.
    pub line: usize,
    /// Which key.
    pub key: Shown,
}

/// What a key that a host shows means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is the key of this host, or a certificate of an authority that may speak for it.
    Known,
    /// No key of this host is known.
    Unknown {
        /// The key that it shows.
        shown: Shown,
        /// Why its certificate does not help, if it showed one.
        certificate: Option<&'static str>,
    },
    /// Other keys of this host are known.
    Changed {
        /// The key that it shows.
        shown: Shown,
        /// Those that are known; never empty.
        known: Vec<Place>,
    },
    /// Somebody wrote that this key, or the authority of its certificate, must never be trusted again.
    Revoked {
        /// The key that it shows.
        shown: Shown,
        /// Where that is written.
        at: Place,
    },
    /// It is no key of a type that is known here.
    Unreadable,
}

/// The algorithms for keys of hosts, in the order of OpenSSH 9. `ssh-rsa` with SHA-1 is not among them.
const PLAIN: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

impl KnownHosts {
    /// The longest file that is read, in bytes: 100,000 hosts. What comes after is not looked at.
    pub const LONGEST: u64 = 32 << 20;

    /// Reads these files, those first that come first. A file that is not there is empty; one that can't be read is among
    /// the [`skipped`](KnownHosts::skipped). It blocks while the file system does: call it on a helper thread.
    pub fn read<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> KnownHosts {
        let mut known = KnownHosts::default();
        for file in files {
            let file = file.as_ref();
            match append::read(file, KnownHosts::LONGEST) {
                Ok(text) => known.add(file, &text),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => {
                    known.skipped.push(Skipped { file: file.to_owned(), line: 0, why: e.to_string() });
                }
            }
        }
        known
    }

    /// Adds the lines of a text, as those of that file.
    pub fn add(&mut self, file: impl AsRef<Path>, text: &str) {
        let file: Arc<Path> = file.as_ref().into();
        for (at, text) in text.lines().enumerate() {
            match Line::parse(&file, at + 1, text) {
                Ok(line) => self.lines.extend(line),
                Err(why) => self.skipped.push(Skipped { file: file.to_path_buf(), line: at + 1, why }),
            }
        }
    }

    /// How many keys there are in all.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines that made no sense.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What `key`, in the format of RFC 4253, section 6.6, means if `host` shows it at this time.
    pub fn check(&self, host: &HostName, key: &[u8], now: WallTime) -> Verdict {
        if let Some(certificate) = Certificate::parse(key) {
            return self.check_certificate(host, &certificate, now);
        }
        match PublicKey::from_bytes(key) {
            Ok(key) => self.check_plain(host, key.key_data(), None),
            Err(_) => Verdict::Unreadable,
        }
    }

    fn check_certificate(&self, host: &HostName, certificate: &Certificate, now: WallTime) -> Verdict {
        let key = certificate.key.key_data();
        for either in [key, &certificate.authority] {
            if let Some(at) = self.revoked(host, either) {
                return Verdict::Revoked { shown: Shown::of(key), at };
            }
        }
        let authorities = self.of(host).filter(|line| line.marker == Some(Marker::Authority));
        let trusted = authorities.into_iter().any(|line| line.key == certificate.authority);
        match certificate::verify(certificate, host, trusted, now) {
            Ok(()) => Verdict::Known,
            Err(why) => self.check_plain(host, key, Some(why)),
        }
    }

    fn check_plain(&self, host: &HostName, key: &KeyData, certificate: Option<&'static str>) -> Verdict {
        let shown = Shown::of(key);
        if let Some(at) = self.revoked(host, key) {
            return Verdict::Revoked { shown, at };
        }
        if self.plain(host).any(|line| &line.key == key) {
            return Verdict::Known;
        }
        let known: Vec<Place> = self.plain(host).map(Line::place).collect();
        if !known.is_empty() {
            return Verdict::Changed { shown, known };
        }
        // As OpenSSH does: a key that is known for the name alone also counts for its other ports.
        if self.plain(&host.without_port()).any(|line| &line.key == key) {
            return Verdict::Known;
        }
        Verdict::Unknown { shown, certificate }
    }

    /// The algorithms to negotiate with this host, for `method_pref(HostKey)`: of those that are `permitted` (all that are
    /// known here, if that is empty) the ones first of which keys are known. Certificates only if an authority is known
    /// that may speak for the host.
    pub fn algorithms(&self, host: &HostName, permitted: &[String]) -> String {
        let allowed: Vec<&str> = match permitted.is_empty() {
            true => PLAIN.to_vec(),
            false => permitted.iter().map(String::as_str).collect(),
        };
        let authority = self.of(host).any(|line| line.marker == Some(Marker::Authority));
        let is_ours = |name: &str| PLAIN.contains(&name) || name == "ssh-rsa";
        let is_known = |name: &str| {
            let named = |line: &Line| line.key.algorithm().as_str() == of_key(name);
            self.plain(host).any(named) || self.plain(&host.without_port()).any(named)
        };
        let plain = || allowed.iter().copied().filter(|name| is_ours(name));
        let mut chosen: Vec<String> = Vec::new();
        if authority {
            chosen.extend(plain().map(|name| format!("{name}-cert-v01@openssh.com")));
        }
        chosen.extend(plain().filter(|name| is_known(name)).map(str::to_owned));
        chosen.extend(plain().filter(|name| !is_known(name)).map(str::to_owned));
        chosen.join(",")
    }

    fn of<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(|line| line.hosts.matches(host))
    }

    fn plain<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a Line> {
        self.of(host).filter(|line| line.marker.is_none())
    }

    fn revoked(&self, host: &HostName, key: &KeyData) -> Option<Place> {
        self.of(host).find(|line| line.marker == Some(Marker::Revoked) && &line.key == key).map(Line::place)
    }
}

/// The type of the key that an algorithm uses: those of RSA differ only in the hash (RFC 8332).
fn of_key(algorithm: &str) -> &str {
    if algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { algorithm }
}

impl Verdict {
    /// As a reason that says what to do; nothing if the key is known. `alias` is what the user calls the host.
    pub fn refusal(&self, alias: &str, host: &HostName) -> Option<TransportError> {
        let why = match self {
            Verdict::Known => return None,
            Verdict::Unknown { shown, certificate } => {
                let certificate = match certificate {
                    Some(why) => format!(" (its certificate does not help: {why})"),
                    None => String::new(),
                };
                let why = format!(
                    "its key {shown} is in no file of known hosts{certificate}. Compare the fingerprint with what the \
                     administrators publish, then run `ssh {alias}` once and accept it, or add what `ssh-keyscan -p {} \
                     {}` prints to your known_hosts; or permit `accept-new`",
                    host.port(),
                    host.name()
                );
                return Some(TransportError::HostKeyUnknown { host: alias.to_owned(), why });
            }
            Verdict::Changed { shown, known } => {
                let known: Vec<String> = known.iter().map(Place::to_string).collect();
                format!(
                    "it shows {shown}, but known is {}. Somebody may be listening in. If the administrators confirm the \
                     new key, remove these lines (`ssh-keygen -R '{}'`) and run `ssh {alias}` once",
                    known.join(" and "),
                    host.written()
                )
            }
            Verdict::Revoked { shown, at } => {
                format!("it shows {shown}, which is revoked by {at}. Do not connect; ask the administrators")
            }
            Verdict::Unreadable => "it shows a key of a type that is not known here".to_owned(),
        };
        Some(TransportError::HostKeyChanged { host: alias.to_owned(), why })
    }
}

/// The plain key, if this is a certificate: certificates are not written to files of known hosts.
pub(crate) fn plain(key: &[u8]) -> Option<Vec<u8>> {
    Certificate::parse(key)?.key.to_bytes().ok()
}

impl Shown {
    fn of(key: &KeyData) -> Shown {
        Shown {
            algorithm: key.algorithm().as_str().to_owned(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.file.display(), self.line, self.key)
    }
}

#[cfg(test)]
mod tests;
