//! One line of a file of known hosts.

use super::name::Hosts;
use super::{Place, Shown};
use ssh_key::PublicKey;
use ssh_key::known_hosts::Entry;
use ssh_key::public::KeyData;
use std::path::Path;
use std::sync::Arc;

/// A key, for whom it is, and where that is written.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) marker: Option<Marker>,
    pub(super) hosts: Hosts,
    pub(super) key: KeyData,
    file: Arc<Path>,
    number: usize,
}

/// What a line says about its key, beyond that it is the host's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Marker {
    /// It signs certificates of these hosts.
    Authority,
    /// It must not be trusted.
    Revoked,
}

impl Line {
    /// Nothing for a comment or an empty line; the reason, if it makes no sense.
    pub(super) fn parse(file: &Arc<Path>, number: usize, text: &str) -> Result<Option<Line>, String> {
        let mut fields: Vec<&str> = text.split_ascii_whitespace().collect();
        match fields.first() {
            None => return Ok(None),
            Some(first) if first.starts_with('#') => return Ok(None),
            Some(_) => {}
        }
        // Hosts, type and key, with a marker before them; what follows is a comment, in which anything may stand.
        let marked = fields[0].starts_with('@');
        fields.truncate(if marked { 4 } else { 3 });
        // The parser knows single spaces only; sshd(8) permits any white space.
        let entry: Entry = fields.join(" ").parse().map_err(|e: ssh_key::Error| e.to_string())?;
        let marker = entry.marker().map(|marker| match marker {
            ssh_key::known_hosts::Marker::CertAuthority => Marker::Authority,
            ssh_key::known_hosts::Marker::Revoked => Marker::Revoked,
        });
        let hosts = Hosts::from(entry.host_patterns().clone());
        let key = PublicKey::from(entry).key_data().clone();
        Ok(Some(Line { marker, hosts, key, file: file.clone(), number }))
    }

    pub(super) fn place(&self) -> Place {
        Place { file: self.file.to_path_buf(), line: self.number, key: Shown::of(&self.key) }
    }
}
