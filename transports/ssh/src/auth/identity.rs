//! What lies in the files that a user names as identities.

use crate::certificate::Certificate;
use crate::config::Target;
use ssh_key::{Algorithm, PrivateKey, PublicKey};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The longest file of a key, in bytes: an RSA key of 16,384 bits has 13,000.
const LONGEST: u64 = 64 << 10;

/// An identity file that is there, with what lies beside it.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    /// As the user names it.
    pub(super) path: PathBuf,
    /// Its public half, if it can be told without a passphrase.
    pub(super) public: Option<PublicKey>,
    pub(super) private: Private,
    /// Certificates for this key.
    pub(super) certificates: Vec<Certificate>,
}

/// What there is of the private half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Private {
    /// Readable as it is.
    Open,
    /// Encrypted with a passphrase.
    Locked,
    /// Not in this file, or in a device that only an agent speaks to.
    Elsewhere,
}

/// Reads all identities of a target that are there, and the reasons why others could not be read.
pub(super) fn read(target: &Target) -> (Vec<KeyFile>, Vec<String>) {
    let mut notes = Vec::new();
    let mut certificates = Vec::new();
    for path in &target.certificates {
        match text(path).map(|text| Certificate::parse_line(&text)) {
            Ok(Some(certificate)) => certificates.push(certificate),
            Ok(None) => notes.push(format!("{} is no certificate", path.display())),
            Err(e) => notes.push(format!("{}: {e}", path.display())),
        }
    }
    let mut files = Vec::new();
    for path in &target.identities {
        match file(path, &certificates) {
            Ok(file) => files.push(file),
            // Most of the usual names are nowhere; only what somebody chose is missed.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !target.identities_chosen => {}
            Err(e) => notes.push(format!("{}: {e}", path.display())),
        }
    }
    (files, notes)
}

/// The whole text of a small file; overwritten in memory when it is dropped.
pub(super) fn text(path: &Path) -> std::io::Result<Zeroizing<String>> {
    // It never grows, for what it would leave behind nobody would overwrite.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize + 1));
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn file(path: &Path, certificates: &[Certificate]) -> std::io::Result<KeyFile> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        text(Path::new(&name))
    };
    let public = beside(".pub").ok().and_then(|text| PublicKey::from_openssh(&text).ok());
    let (private, inside) = match text(path) {
        Ok(text) => look(&text),
        // With an agent the public half is enough.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && public.is_some() => (Private::Elsewhere, None),
        Err(e) => return Err(e),
    };
    // What is inside is the truth; a `.pub` beside it may belong to an older key.
    let public = inside.or(public);
    let own = beside("-cert.pub").ok().and_then(|text| Certificate::parse_line(&text));
    let of_this_key =
        |c: &Certificate| public.as_ref().is_some_and(|public| public.key_data() == c.key.key_data());
    let all = own.into_iter().chain(certificates.iter().cloned());
    Ok(KeyFile { path: path.to_owned(), certificates: all.filter(of_this_key).collect(), public, private })
}

/// What a file of a key holds: the state of its private half, and its public half if that can be seen.
pub(super) fn look(text: &str) -> (Private, Option<PublicKey>) {
    if let Ok(public) = PublicKey::from_openssh(text) {
        return (Private::Elsewhere, Some(public));
    }
    match PrivateKey::from_openssh(text) {
        Ok(key) => {
            let private = match key.algorithm() {
                // The file is a handle to a device.
                Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Private::Elsewhere,
                _ if key.is_encrypted() => Private::Locked,
                _ => Private::Open,
            };
            (private, Some(PublicKey::from(key.public_key().key_data().clone())))
        }
        // PEM of other kinds says so in its head: `Proc-Type: 4,ENCRYPTED`, `BEGIN ENCRYPTED PRIVATE KEY`.
        Err(_) if text.contains("ENCRYPTED") => (Private::Locked, None),
        Err(_) => (Private::Open, None),
    }
}
