//! Certificates of OpenSSH, read by ourselves: `PROTOCOL.certkeys`.
//!
//! The `ssh-key` crate (0.6.7) refuses every certificate that is valid for ever, which is what `ssh-keygen -s` makes where
//! nothing else is said: its times end at 2^63 seconds. Keys and signatures are the crate's; only the frame is ours.

use base64ct::{Base64, Encoding};
use signature::Verifier;
use ssh_key::public::KeyData;
use ssh_key::{PublicKey, Signature};

const SUFFIX: &str = "-cert-v01@openssh.com";

/// A certificate that can be read; nothing about it has been verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Certificate {
    /// The key that it is about.
    pub(crate) key: PublicKey,
    pub(crate) serial: u64,
    /// Of a host, and not of a user.
    pub(crate) is_host: bool,
    /// For whom it is; for anybody if there are none.
    pub(crate) principals: Vec<String>,
    /// In seconds since 1970.
    pub(crate) valid_after: u64,
    /// The first second in which it is not valid any more.
    pub(crate) valid_before: u64,
    /// Whether it demands an option of whoever accepts it.
    pub(crate) is_restricted: bool,
    /// Who signed it.
    pub(crate) authority: KeyData,
    /// As on the wire.
    pub(crate) blob: Vec<u8>,
    signed: usize,
    signature: Signature,
}

impl Certificate {
    /// From the form on the wire; nothing if it is none.
    pub(crate) fn parse(blob: &[u8]) -> Option<Certificate> {
        let mut rest = Reader(blob);
        let kind = rest.text()?;
        let kind = kind.strip_suffix(SUFFIX)?;
        rest.string()?; // the nonce
        let fields = match kind {
            "ssh-ed25519" => 1,
            "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => 2,
            "sk-ssh-ed25519" => 2,
            "sk-ecdsa-sha2-nistp256" => 3,
            _ => return None,
        };
        let before = rest.0;
        for _ in 0..fields {
            rest.string()?;
        }
        let key = [&framed(plain_name(kind).as_bytes())[..], &before[..before.len() - rest.0.len()]].concat();
        let serial = rest.u64()?;
        let is_host = match rest.u32()? {
            1 => false,
            2 => true,
            _ => return None,
        };
        rest.string()?; // its name
        let mut names = Reader(rest.string()?);
        let mut principals = Vec::new();
        while !names.0.is_empty() {
            principals.push(names.text()?.to_owned());
        }
        let (valid_after, valid_before) = (rest.u64()?, rest.u64()?);
        let is_restricted = !rest.string()?.is_empty();
        rest.string()?; // extensions, which nobody must know
        rest.string()?; // reserved
        let authority = PublicKey::from_bytes(rest.string()?).ok()?;
        let signed = blob.len() - rest.0.len();
        let signature = Signature::try_from(rest.string()?).ok()?;
        rest.0.is_empty().then_some(())?;
        Some(Certificate {
            key: PublicKey::from_bytes(&key).ok()?,
            serial,
            is_host,
            principals,
            valid_after,
            valid_before,
            is_restricted,
            authority: authority.key_data().clone(),
            blob: blob.to_vec(),
            signed,
            signature,
        })
    }

    /// From a line of a `-cert.pub` file: the type, base64, a comment.
    pub(crate) fn parse_line(line: &str) -> Option<Certificate> {
        let base64 = line.split_ascii_whitespace().nth(1)?;
        Certificate::parse(&Base64::decode_vec(base64).ok()?)
    }

    /// As a line, without a comment.
    pub(crate) fn line(&self) -> String {
        let kind = Reader(&self.blob).text().expect("it was parsed").to_owned();
        format!("{kind} {}", Base64::encode_string(&self.blob))
    }

    /// Whether the signature is right: that of the authority it names, over all that stands before it.
    pub(crate) fn is_signed(&self) -> bool {
        self.authority.verify(&self.blob[..self.signed], &self.signature).is_ok()
    }
}

/// The types of keys in devices have a suffix of their own (`PROTOCOL.u2f`).
fn plain_name(kind: &str) -> String {
    if kind.starts_with("sk-") { format!("{kind}@openssh.com") } else { kind.to_owned() }
}

fn framed(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a name is short");
    [&length.to_be_bytes()[..], text].concat()
}

/// The types of RFC 4251, section 5, from the front of some bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = include_str!("hostkey/fixtures/host-cert.pub");

    #[test]
    fn it_reads_what_ssh_keygen_made() {
        let certificate = Certificate::parse_line(HOST).unwrap();
        assert!(certificate.is_host && certificate.is_signed() && !certificate.is_restricted);
        assert_eq!(certificate.principals, ["login.example.org", "*.cluster.example.org"]);
        assert_eq!(certificate.line(), HOST.split(' ').take(2).collect::<Vec<_>>().join(" "));
        let key = PublicKey::from_openssh(include_str!("hostkey/fixtures/ed25519.pub")).unwrap();
        assert_eq!(certificate.key.key_data(), key.key_data());
    }

    #[test]
    fn it_may_be_valid_for_ever() {
        let certificate = Certificate::parse_line(include_str!("hostkey/fixtures/forever-cert.pub")).unwrap();
        assert_eq!((certificate.valid_after, certificate.valid_before), (0, u64::MAX));
        assert!(certificate.is_signed());
    }

    #[test]
    fn every_change_is_noticed() {
        let whole = Certificate::parse_line(HOST).unwrap();
        for at in 0..whole.blob.len() {
            assert_eq!(Certificate::parse(&whole.blob[..at]), None, "cut off at {at}");
            let mut blob = whole.blob.clone();
            blob[at] ^= 1;
            // The last 0 of an s or r in the signature may be written in several ways; the rest is signed.
            let accepted = Certificate::parse(&blob).is_some_and(|changed| changed.is_signed());
            assert!(!accepted, "byte {at} may be changed");
        }
    }
}
