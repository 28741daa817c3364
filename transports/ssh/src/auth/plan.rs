//! Which credential is presented, and in which order: one at a time, few, and never one that this host has refused.
//!
//! Pure. OpenSSH would offer every key of the agent; with a MaxAuthTries of 6 and a fail2ban that locks a user out of a
//! cluster for a day.

use super::agent::AgentKey;
use super::identity::{KeyFile, Private};
use super::secrets::History;
use crate::certificate::Certificate;
use crate::config::{Method, Target};
use ssh_key::{HashAlg, PublicKey};
use std::path::PathBuf;

/// How many keys are presented to a host at most: half of what a server permits by default (MaxAuthTries, `sshd_config(5)`).
pub(super) const MOST_KEYS: usize = 3;

/// A key that may be presented, and who holds its private half.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    /// The same for the same credential: its fingerprint, or its file if that can't be told.
    pub(super) id: String,
    /// For messages.
    pub(super) name: String,
    pub(super) presented: Presented,
    pub(super) holder: Holder,
}

/// What the host is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Presented {
    /// A public key or a certificate, as a line of OpenSSH and as on the wire.
    Public { line: String, blob: Vec<u8> },
    /// What the private half tells when it is opened.
    Inside,
}

/// Who signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    File {
        path: PathBuf,
        locked: bool,
    },
    /// The agent, with the key that has this blob.
    Agent {
        blob: Vec<u8>,
    },
}

/// One way in, to be tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Key(Identity),
    KeyboardInteractive,
    Password,
}

/// The identities to present, and what to say about those that are left out.
pub(super) fn identities(
    target: &Target,
    files: &[KeyFile],
    agent: &[AgentKey],
    history: &History,
) -> (Vec<Identity>, Vec<String>) {
    let mut found: Vec<Identity> = files.iter().flat_map(|file| of_file(file, agent)).collect();
    // A key that was chosen is the one that is meant. Only where nobody chose, or nothing of it is there, others count.
    if !target.identities_only && (!target.identities_chosen || found.is_empty()) {
        found.extend(agent.iter().filter_map(of_agent));
    }
    let mut seen = Vec::new();
    found.retain(|identity| {
        let new = !seen.contains(&identity.id);
        seen.push(identity.id.clone());
        new
    });
    if let Some(worked) = found.iter().find(|identity| Some(&identity.id) == history.worked.as_ref()) {
        return (vec![worked.clone()], Vec::new());
    }
    let mut notes = Vec::new();
    found.retain(|identity| {
        let refused = history.refused.contains(&identity.id);
        if refused {
            notes.push(format!("{} was refused before", identity.name));
        }
        !refused
    });
    if found.len() > MOST_KEYS {
        let left = found.len() - MOST_KEYS;
        notes.push(format!(
            "{left} more keys were not tried: name the right one with IdentityFile in ~/.ssh/config"
        ));
        found.truncate(MOST_KEYS);
    }
    (found, notes)
}

/// What to do, in order, on a host that offers these methods.
pub(super) fn steps(target: &Target, offered: &[Method], identities: Vec<Identity>) -> Vec<Step> {
    let mut identities = Some(identities);
    let mut steps = Vec::new();
    for method in target.methods.iter().filter(|method| offered.contains(method)) {
        match method {
            Method::PublicKey => {
                steps.extend(identities.take().unwrap_or_default().into_iter().map(Step::Key))
            }
            Method::KeyboardInteractive => steps.push(Step::KeyboardInteractive),
            Method::Password => steps.push(Step::Password),
        }
    }
    steps
}

fn of_file(file: &KeyFile, agent: &[AgentKey]) -> Vec<Identity> {
    let name = file.path.display().to_string();
    let in_file = match file.private {
        Private::Open => Some(Holder::File { path: file.path.clone(), locked: false }),
        Private::Locked => Some(Holder::File { path: file.path.clone(), locked: true }),
        Private::Elsewhere => None,
    };
    let Some(public) = &file.public else {
        let id = format!("file {name}");
        return in_file
            .map(|holder| Identity { id, name, presented: Presented::Inside, holder })
            .into_iter()
            .collect();
    };
    let Some((key_id, key)) = of_key(public) else { return Vec::new() };
    let blob_of = |presented: &Presented| match presented {
        Presented::Public { blob, line: _ } => Some(blob.clone()),
        Presented::Inside => None,
    };
    let bare = blob_of(&key);
    let in_agent = |presented: &Presented| {
        let held = |blob: &Vec<u8>| agent.iter().any(|key| key.blob == *blob);
        let blob = blob_of(presented).filter(held).or_else(|| bare.clone().filter(held));
        blob.map(|blob| Holder::Agent { blob })
    };
    let mut found = Vec::new();
    for (id, presented) in file.certificates.iter().map(of_certificate).chain([(key_id, key)]) {
        // The agent first: what it has needs no passphrase.
        if let Some(holder) = in_agent(&presented).or_else(|| in_file.clone()) {
            found.push(Identity { id, name: name.clone(), presented, holder });
        }
    }
    found
}

fn of_agent(key: &AgentKey) -> Option<Identity> {
    let (id, presented) = match Certificate::parse(&key.blob) {
        Some(certificate) => of_certificate(&certificate),
        None => of_key(&PublicKey::from_bytes(&key.blob).ok()?)?,
    };
    let name = format!("{} of the agent ({id})", key.comment);
    Some(Identity { id, name, presented, holder: Holder::Agent { blob: key.blob.clone() } })
}

fn of_key(key: &PublicKey) -> Option<(String, Presented)> {
    let presented = Presented::Public { line: key.to_openssh().ok()?, blob: key.to_bytes().ok()? };
    Some((key.fingerprint(HashAlg::Sha256).to_string(), presented))
}

fn of_certificate(certificate: &Certificate) -> (String, Presented) {
    let presented = Presented::Public { line: certificate.line(), blob: certificate.blob.clone() };
    let key = certificate.key.fingerprint(HashAlg::Sha256);
    // A certificate that is renewed is another credential: the old one may have expired.
    (
        format!("certificate {} of {key}, valid from {}", certificate.serial, certificate.valid_after),
        presented,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Here;

    const KEYS: [&str; 4] = [
        include_str!("../hostkey/fixtures/ed25519.pub"),
        include_str!("../hostkey/fixtures/ecdsa.pub"),
        include_str!("../hostkey/fixtures/rsa.pub"),
        include_str!("../hostkey/fixtures/other.pub"),
    ];
    const CERTIFICATE: &str = include_str!("../hostkey/fixtures/user-cert.pub");

    fn key(at: usize) -> PublicKey {
        PublicKey::from_openssh(KEYS[at]).unwrap()
    }

    fn id(at: usize) -> String {
        key(at).fingerprint(HashAlg::Sha256).to_string()
    }

    fn file(at: usize, private: Private) -> KeyFile {
        KeyFile { path: format!("/k{at}").into(), public: Some(key(at)), private, certificates: Vec::new() }
    }

    fn agent(keys: &[usize]) -> Vec<AgentKey> {
        keys.iter()
            .map(|at| AgentKey { blob: key(*at).to_bytes().unwrap(), comment: format!("a{at}") })
            .collect()
    }

    fn target() -> Target {
        let here = Here { home: "/h".into(), user: "u".into(), uid: 1, agent: None };
        Target { identities_chosen: true, ..Target::new("h", "u", &here) }
    }

    fn ids(found: &[Identity]) -> Vec<String> {
        found.iter().map(|identity| identity.id.clone()).collect()
    }

    #[test]
    fn a_chosen_key_is_the_only_one_though_the_agent_has_many() {
        let (found, _) =
            identities(&target(), &[file(0, Private::Locked)], &agent(&[1, 0, 2]), &History::default());
        assert_eq!(ids(&found), [id(0)]);
        assert!(matches!(found[0].holder, Holder::Agent { .. }), "the agent has it, so nobody is asked");
    }

    #[test]
    fn a_public_file_chooses_a_key_of_the_agent() {
        let (found, _) =
            identities(&target(), &[file(2, Private::Elsewhere)], &agent(&[1, 2]), &History::default());
        assert_eq!(ids(&found), [id(2)]);
        let (found, _) = identities(&target(), &[file(2, Private::Elsewhere)], &[], &History::default());
        assert_eq!(ids(&found), [""; 0]);
    }

    #[test]
    fn where_nobody_chose_at_most_three_are_tried_and_the_rest_is_told() {
        let target = Target { identities_chosen: false, ..target() };
        let files = [file(3, Private::Open)];
        let (found, notes) = identities(&target, &files, &agent(&[0, 1, 2, 3]), &History::default());
        assert_eq!(ids(&found), [id(3), id(0), id(1)]);
        assert!(notes[0].contains("IdentityFile"), "{notes:?}");
        let only = Target { identities_only: true, ..target };
        assert_eq!(identities(&only, &files, &agent(&[0, 1, 2, 3]), &History::default()).0.len(), 1);
    }

    #[test]
    fn what_worked_is_all_and_what_was_refused_is_never_tried_again() {
        let target = Target { identities_chosen: false, ..target() };
        let worked = History { worked: Some(id(1)), ..History::default() };
        assert_eq!(ids(&identities(&target, &[], &agent(&[0, 1, 2]), &worked).0), [id(1)]);
        let refused = History { refused: [id(0), id(2)].into(), ..History::default() };
        let (found, notes) = identities(&target, &[], &agent(&[0, 1, 2]), &refused);
        assert_eq!(ids(&found), [id(1)]);
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn a_certificate_comes_before_its_key_and_is_signed_for_by_the_key_of_the_agent() {
        let certificate = Certificate::parse_line(CERTIFICATE).unwrap();
        let file = KeyFile { certificates: vec![certificate], ..file(0, Private::Locked) };
        let (found, _) = identities(&target(), &[file], &agent(&[0]), &History::default());
        assert_eq!(found.len(), 2);
        assert!(found[0].id.starts_with("certificate 0 of SHA256:") && found[1].id == id(0));
        assert_eq!(found[0].holder, Holder::Agent { blob: key(0).to_bytes().unwrap() });
    }

    #[test]
    fn the_steps_are_those_that_both_sides_want() {
        let key = identities(&target(), &[file(0, Private::Open)], &[], &History::default()).0;
        let steps_of = |offered: &[Method]| steps(&target(), offered, key.clone());
        assert_eq!(
            steps_of(&[Method::Password, Method::PublicKey]),
            [Step::Key(key[0].clone()), Step::Password]
        );
        assert_eq!(steps_of(&[Method::KeyboardInteractive]), [Step::KeyboardInteractive]);
        assert_eq!(steps_of(&[]), []);
    }
}
