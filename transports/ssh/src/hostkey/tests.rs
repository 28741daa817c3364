//! Against lines and certificates that `ssh-keygen` made (OpenSSH 9.2); its `-l`, `-F` and `-L` gave the expectations.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const PLAIN_FILE: &str = include_str!("fixtures/plain");
const HASHED: &str = include_str!("fixtures/hashed");
const AUTHORITIES: &str = include_str!("fixtures/authorities");

/// 2026-01-01.
const NOW: WallTime = WallTime(1_767_225_600_000);

macro_rules! key {
    ($name:literal) => {
        PublicKey::from_openssh(include_str!(concat!("fixtures/", $name, ".pub")))
            .unwrap()
            .to_bytes()
            .unwrap()
    };
}

macro_rules! certificate {
    ($name:literal) => {
        Certificate::parse_line(include_str!(concat!("fixtures/", $name, "-cert.pub"))).unwrap().blob
    };
}

fn known(text: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.add("known_hosts", text);
    known
}

fn login() -> HostName {
    HostName::new("login.example.org", 22)
}

#[test]
fn the_key_that_is_written_is_known_plain_and_hashed() {
    for text in [PLAIN_FILE, HASHED] {
        let known = known(text);
        assert!(known.skipped().is_empty(), "{:?}", known.skipped());
        assert_eq!(known.check(&login(), &key!("ed25519"), NOW), Verdict::Known);
        assert_eq!(known.check(&HostName::new("192.0.2.7", 22), &key!("ed25519"), NOW), Verdict::Known);
        assert_eq!(known.check(&login(), &key!("ecdsa"), NOW), Verdict::Known);
        assert_eq!(known.check(&HostName::new("login.example.org", 2222), &key!("rsa"), NOW), Verdict::Known);
    }
}

#[test]
fn tabs_separate_fields_too() {
    assert_eq!(
        known(PLAIN_FILE).check(&HostName::new("gate.example.org", 22), &key!("rsa"), NOW),
        Verdict::Known
    );
}

#[test]
fn another_key_of_the_same_host_is_a_change_and_names_the_lines() {
    let verdict = known(PLAIN_FILE).check(&login(), &key!("other"), NOW);
    let Verdict::Changed { shown, known } = &verdict else { panic!("{verdict:?}") };
    assert_eq!(shown.algorithm, "ssh-ed25519");
    assert_eq!(known.iter().map(|place| place.line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(known[0].key.fingerprint, "SHA256:QFp+Twdd5LkUx9ldCLc+nuQUJI+N0UgaaBeWdXyEXQ4");
    let Some(TransportError::HostKeyChanged { host, why }) = verdict.refusal("cluster", &login()) else {
        panic!("a change is refused")
    };
    assert_eq!(host, "cluster");
    assert!(why.contains("known_hosts:2") && why.contains("ssh-keygen -R 'login.example.org'"), "{why}");
}

#[test]
fn a_key_of_another_type_is_a_change_and_not_new() {
    let verdict = known(PLAIN_FILE).check(&login(), &key!("rsa"), NOW);
    assert!(matches!(verdict, Verdict::Changed { .. }), "{verdict:?}");
}

#[test]
fn a_host_without_a_line_is_unknown_and_the_reason_says_what_to_do() {
    let name = HostName::new("new.example.org", 2200);
    let verdict = known(PLAIN_FILE).check(&name, &key!("ed25519"), NOW);
    let Some(TransportError::HostKeyUnknown { why, .. }) = verdict.refusal("new", &name) else {
        panic!("{verdict:?}")
    };
    for part in ["SHA256:QFp+Twdd5LkUx9ldCLc", "`ssh new`", "ssh-keyscan -p 2200 new.example.org"] {
        assert!(why.contains(part), "{part} is not in: {why}");
    }
}

#[test]
fn a_key_known_without_a_port_counts_for_another_port_but_is_no_change_there() {
    let other_port = HostName::new("gate.example.org", 2022);
    assert_eq!(known(PLAIN_FILE).check(&other_port, &key!("rsa"), NOW), Verdict::Known);
    let verdict = known(PLAIN_FILE).check(&other_port, &key!("ecdsa"), NOW);
    assert!(matches!(verdict, Verdict::Unknown { .. }), "{verdict:?}");
}

#[test]
fn a_revoked_key_is_refused_though_it_is_known_as_well() {
    let text = format!("login.example.org {}{AUTHORITIES}", include_str!("fixtures/other.pub"));
    let verdict = known(&text).check(&login(), &key!("other"), NOW);
    let Verdict::Revoked { at, .. } = &verdict else { panic!("{verdict:?}") };
    assert_eq!(at.line, 4);
    assert!(matches!(verdict.refusal("x", &login()), Some(TransportError::HostKeyChanged { .. })));
}

#[test]
fn certificates_of_a_known_authority_prove_the_host() {
    let known = known(AUTHORITIES);
    assert_eq!(known.check(&login(), &certificate!("host"), NOW), Verdict::Known);
    assert_eq!(known.check(&login(), &certificate!("hostrsa"), NOW), Verdict::Known);
    let other_port = HostName::new("login.example.org", 2222);
    assert!(matches!(known.check(&other_port, &certificate!("host"), NOW), Verdict::Unknown { .. }));
    let node = HostName::new("n1.cluster.example.org", 22);
    assert_eq!(
        known.check(&node, &certificate!("host"), NOW),
        Verdict::Known,
        "a principal may be a pattern"
    );
}

#[test]
fn certificates_that_do_not_hold_say_why_and_count_as_their_plain_key() {
    let with = |certificate: Vec<u8>, host: HostName| match known(AUTHORITIES).check(&host, &certificate, NOW)
    {
        Verdict::Unknown { certificate: Some(why), .. } => why,
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(with(certificate!("expired"), login()), "it has expired");
    assert_eq!(with(certificate!("user"), login()), "it is not one of a host");
    assert_eq!(with(certificate!("critical"), login()), "it demands an option that is not known here");
    assert_eq!(with(certificate!("host"), HostName::new("db.example.org", 22)), "it is for other names");
    let early = WallTime(0);
    let verdict = known(AUTHORITIES).check(&login(), &certificate!("host"), early);
    assert!(matches!(verdict, Verdict::Unknown { certificate: Some("it is not valid yet"), .. }));
    let mut forged = certificate!("host");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(with(forged, login()), "its signature is wrong");
    let both = format!("{PLAIN_FILE}{AUTHORITIES}");
    assert_eq!(known(&both).check(&login(), &certificate!("expired"), NOW), Verdict::Known);
}

#[test]
fn a_certificate_of_a_revoked_authority_is_refused() {
    let text = format!("{AUTHORITIES}@revoked * {}", include_str!("fixtures/ca.pub"));
    let verdict = known(&text).check(&login(), &certificate!("host"), NOW);
    assert!(matches!(verdict, Verdict::Revoked { .. }), "{verdict:?}");
}

#[test]
fn a_line_of_garbage_spoils_only_itself() {
    let text =
        format!("garbage\nlogin.example.org ssh-ed25519 AAAA\n1024 35 1234\n@strange x y z\n{PLAIN_FILE}");
    let known = known(&text);
    assert_eq!(known.skipped().iter().map(|s| s.line).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(known.check(&login(), &key!("ed25519"), NOW), Verdict::Known);
    assert_eq!(known.check(&login(), b"", NOW), Verdict::Unreadable);
}

#[test]
fn types_that_are_known_are_negotiated_first_and_certificates_only_with_an_authority() {
    let plain = known(PLAIN_FILE);
    assert_eq!(
        plain.algorithms(&login(), &[]),
        "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"
    );
    let gate = plain.algorithms(&HostName::new("gate.example.org", 22), &[]);
    assert!(gate.starts_with("rsa-sha2-512,rsa-sha2-256,ssh-ed25519,"), "{gate}");
    let permitted = ["sk-ssh-ed25519@openssh.com", "ssh-rsa", "ssh-ed25519"].map(str::to_owned);
    assert_eq!(plain.algorithms(&HostName::new("gate.example.org", 22), &permitted), "ssh-rsa,ssh-ed25519");
    let authorities = known(AUTHORITIES).algorithms(&login(), &[]);
    assert!(authorities.starts_with("ssh-ed25519-cert-v01@openssh.com,"), "{authorities}");
    assert!(authorities.contains(",rsa-sha2-512-cert-v01@openssh.com,"), "{authorities}");
}

#[test]
fn a_key_is_learned_once_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/known_hosts");
    let name = HostName::new("new.example.org", 2200);
    assert_eq!(learn(&file, &name, &key!("rsa")).unwrap(), Learned::Added);
    assert_eq!(learn(&file, &name, &key!("rsa")).unwrap(), Learned::Already);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(KnownHosts::read([&file]).check(&name, &key!("rsa"), NOW), Verdict::Known);
    fs::write(&file, "cut off").unwrap();
    learn(&file, &name, &key!("rsa")).unwrap();
    assert!(fs::read_to_string(&file).unwrap().starts_with("cut off\n[new.example.org]:2200 ssh-rsa AAAA"));
}

#[test]
fn files_that_are_missing_are_empty_and_those_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let known = KnownHosts::read([folder.path().join("none"), folder.path().to_owned()]);
    assert!(known.is_empty());
    assert_eq!(known.skipped().len(), 1);
    assert_eq!(known.skipped()[0].file, folder.path());
}
