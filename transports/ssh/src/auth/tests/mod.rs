//! Against a real sshd and a real ssh-agent, on this machine.
#![expect(
    clippy::disallowed_methods,
    reason = "a test is a host with a clock, and starts servers of its own"
)]

mod sshd;

use super::prompt::{Prompt, PromptKind, Question, Secret};
use super::{Authentication, Login, Secrets};
use crate::config::{Here, Target, UnknownKeys};
use crate::hostkey::KnownHosts;
use procession::transport::TransportError;
use rustix::process::Signal;
use ssh2::{MethodType, Session};
use sshd::{Agent, PASSWORD, Sshd, keygen};
use stakker::{ActorOwn, Fwd, Ret, Stakker};
use stakker_mio::{MioPoll, mio};
use std::cell::RefCell;
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A runtime, and the host it logs in to.
struct Desk {
    stakker: Stakker,
    poll: MioPoll,
    sshd: Sshd,
    target: Target,
    secrets: Secrets,
    asked: Rc<RefCell<Vec<Prompt>>>,
}

type Slot = Rc<RefCell<Option<Option<Result<Session, TransportError>>>>>;

impl Desk {
    /// With nobody to ask. The host is known.
    fn new(sshd: Sshd) -> Desk {
        let mut stakker = Stakker::new(Instant::now());
        let poll = mio::Poll::new().unwrap();
        let poll = MioPoll::new(&mut stakker, poll, mio::Events::with_capacity(64), 10).unwrap();
        let here = Here { home: sshd.path("home"), user: "nobody".into(), uid: 0, agent: None };
        let known = sshd.path("known_hosts");
        fs::write(&known, sshd.known_line()).unwrap();
        let target = Target {
            alias: "cluster".into(),
            port: sshd.address.port(),
            identities_chosen: true,
            identities: Vec::new(),
            known_hosts: vec![known],
            global_known_hosts: Vec::new(),
            ..Target::new("127.0.0.1", &sshd.user, &here)
        };
        Desk { stakker, poll, sshd, target, secrets: Secrets::silent(), asked: Rc::default() }
    }

    /// With a program that gives these answers, one after the other.
    fn answering(mut self, answers: &'static [&'static str]) -> Desk {
        let asked = self.asked.clone();
        self.secrets = Secrets::new(Fwd::new(move |question: Question| {
            let at = asked.borrow().len();
            asked.borrow_mut().push(question.prompt.clone());
            match answers.get(at) {
                Some(answer) => question.answer(Secret::new(*answer)),
                None => question.decline(),
            }
        }));
        self
    }

    fn with_key(mut self, key: &Path) -> Desk {
        self.target.identities = vec![key.to_owned()];
        self
    }

    fn begin(&mut self) -> (ActorOwn<Authentication>, Slot) {
        let known = KnownHosts::read(self.target.known_hosts_files());
        let stream = TcpStream::connect(self.sshd.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        let socket = OwnedFd::from(stream.try_clone().unwrap());
        let mut session = Session::new().unwrap();
        let algorithms = known.algorithms(&self.target.known_name(), &self.target.host_key_algorithms);
        session.method_pref(MethodType::HostKey, &algorithms).unwrap();
        session.set_tcp_stream(stream);
        session.handshake().unwrap();
        session.set_blocking(false);
        let slot: Slot = Rc::default();
        let done = slot.clone();
        let login = Login {
            session,
            socket,
            target: Arc::new(self.target.clone()),
            known: Arc::new(known),
            secrets: self.secrets.clone(),
        };
        let done = Ret::new(move |how| *done.borrow_mut() = Some(how));
        (Authentication::start(&mut self.stakker, login, done), slot)
    }

    fn turn(&mut self) {
        self.stakker.run(Instant::now(), false);
        let wait = self.stakker.next_wait_max(Instant::now(), Duration::from_secs(1), false);
        self.poll.poll(wait).unwrap();
    }

    fn log_in(&mut self) -> Result<Session, TransportError> {
        let (_owner, slot) = self.begin();
        for _ in 0..100_000 {
            if let Some(how) = slot.borrow_mut().take() {
                return how.expect("the login says how it ended");
            }
            self.turn();
        }
        panic!("the login never ends");
    }

    /// Logs in, and runs a command to prove it.
    fn must(&mut self) {
        let session = self.log_in().unwrap();
        assert!(session.authenticated() && !session.is_blocking());
        session.set_blocking(true);
        let mut channel = session.channel_session().unwrap();
        channel.exec("echo in").unwrap();
        let mut said = String::new();
        channel.read_to_string(&mut said).unwrap();
        assert_eq!(said, "in\n");
    }

    fn refused(&mut self) -> String {
        match self.log_in().map(drop) {
            Err(TransportError::AuthFailed { host, why }) => {
                assert_eq!(host, "cluster");
                why
            }
            other => panic!("{other:?}"),
        }
    }

    fn kinds(&self) -> Vec<PromptKind> {
        self.asked.borrow().iter().map(|prompt| prompt.kind.clone()).collect()
    }
}

fn with_key(passphrase: &str) -> (Desk, PathBuf) {
    let sshd = Sshd::start("");
    let key = sshd.key("key", passphrase);
    sshd.authorize(&key);
    (Desk::new(sshd).with_key(&key), key)
}

#[test]
fn a_plain_key_opens_the_door_and_nobody_is_asked() {
    let (desk, _) = with_key("");
    let mut desk = desk.answering(&[]);
    desk.must();
    assert_eq!(desk.kinds(), []);
}

#[test]
fn a_key_that_is_refused_is_presented_once_and_never_again() {
    let sshd = Sshd::start("");
    let key = sshd.key("stranger", "");
    let mut desk = Desk::new(sshd).with_key(&key);
    let why = desk.refused();
    assert!(why.contains("stranger is not accepted") && why.contains("`ssh cluster`"), "{why}");
    assert!(desk.refused().contains("was refused before"));
    assert_eq!(desk.sshd.logged("Failed publickey"), 1, "the second time it was not presented");
    desk.sshd.authorize(&key);
    assert!(desk.refused().contains("was refused before"), "only a person can help");
    desk.secrets.forget("cluster");
    desk.must();
}

#[test]
fn a_passphrase_is_asked_for_once_and_serves_all_sessions() {
    let (desk, key) = with_key("sesame");
    let mut desk = desk.answering(&["sesame"]);
    desk.must();
    desk.must();
    assert_eq!(desk.kinds(), [PromptKind::Passphrase { file: key }]);
}

#[test]
fn a_passphrase_is_asked_for_without_a_public_file_as_well() {
    let (desk, key) = with_key("sesame");
    fs::remove_file(format!("{}.pub", key.display())).unwrap();
    let mut desk = desk.answering(&["sesame"]);
    desk.must();
    assert_eq!(desk.kinds().len(), 1);
}

#[test]
fn a_wrong_passphrase_is_never_heard_of_by_the_host_and_asked_again() {
    let (desk, _) = with_key("sesame");
    let mut desk = desk.answering(&["simsim", "simsim", "sesame"]);
    let why = desk.refused();
    assert!(why.contains("the passphrase does not open the key"), "{why}");
    assert_eq!(desk.kinds().len(), 2, "the same wrong one ends it");
    desk.must();
    assert_eq!(desk.sshd.logged("Failed publickey"), 0);
}

#[test]
fn an_encrypted_key_with_nobody_to_ask_says_so() {
    let (mut desk, _) = with_key("sesame");
    assert!(desk.refused().contains("is encrypted, and nobody gave its passphrase"));
}

#[test]
fn nobody_is_asked_for_the_passphrase_of_a_key_that_the_host_does_not_want() {
    let sshd = Sshd::start("");
    let key = sshd.key("stranger", "sesame");
    let mut desk = Desk::new(sshd).with_key(&key).answering(&["sesame"]);
    assert!(desk.refused().contains("is not accepted"));
    assert_eq!(desk.kinds(), []);
}

#[test]
fn keys_of_other_formats_are_read_as_well() {
    for (kind, format, passphrase) in
        [("rsa", "PEM", ""), ("rsa", "PEM", "sesame"), ("ecdsa", "PKCS8", "sesame"), ("rsa", "RFC4716", "")]
    {
        let sshd = Sshd::start("");
        let key = sshd.path("key");
        let file = key.display().to_string();
        keygen(&["-q", "-t", kind, "-m", format, "-N", passphrase, "-f", &file]);
        sshd.authorize(&key);
        let mut desk = Desk::new(sshd).with_key(&key).answering(&["sesame"]);
        desk.must();
        fs::remove_file(format!("{file}.pub")).unwrap();
        desk.must();
        assert_eq!(desk.kinds().len(), usize::from(!passphrase.is_empty()), "{kind} {format}");
    }
}

/// A host that trusts an authority, and a key with a certificate of it.
fn certified(passphrase: &str) -> (Sshd, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca").display().to_string();
    keygen(&["-q", "-t", "ecdsa", "-N", "", "-f", &authority]);
    let sshd = Sshd::start(&format!("TrustedUserCAKeys {}", folder.keep().join("ca.pub").display()));
    let key = sshd.key("key", passphrase);
    let public = format!("{}.pub", key.display());
    keygen(&["-q", "-s", &authority, "-I", "someone", "-n", &sshd.user, "-V", "+1h", &public]);
    (sshd, key)
}

#[test]
fn a_certificate_opens_the_door() {
    let (sshd, key) = certified("");
    let mut desk = Desk::new(sshd).with_key(&key);
    desk.must();
    assert_eq!(desk.sshd.logged("Failed publickey"), 0);
    assert!(
        desk.sshd.logged("Accepted certificate ID \"someone\"") > 0 || desk.sshd.logged("ED25519-CERT") > 0
    );
}

#[test]
fn a_certificate_file_is_signed_for_by_an_agent_that_has_only_the_key() {
    let (sshd, key) = certified("");
    let certificate = sshd.path("elsewhere.pub");
    fs::rename(format!("{}-cert.pub", key.display()), &certificate).unwrap();
    let agent = Agent::start(sshd.folder.path(), &[&key]);
    fs::remove_file(&key).unwrap();
    let mut desk = Desk::new(sshd).with_key(&key);
    desk.target.agent = Some(agent.path.clone());
    desk.target.certificates = vec![certificate];
    desk.must();
    assert_eq!(desk.sshd.logged("Failed publickey"), 0);
}

#[test]
fn of_an_agent_with_many_keys_the_one_that_is_named_is_presented_alone() {
    let sshd = Sshd::start("");
    let keys: Vec<PathBuf> = (0..5).map(|n| sshd.key(&format!("key{n}"), "")).collect();
    sshd.authorize(&keys[3]);
    let agent = Agent::start(sshd.folder.path(), &keys.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    let mut desk = Desk::new(sshd).with_key(Path::new(&format!("{}.pub", keys[3].display())));
    desk.target.agent = Some(agent.path.clone());
    desk.must();
    assert_eq!(desk.sshd.logged("Failed publickey"), 0);
}

#[test]
fn where_nobody_chose_three_keys_of_the_agent_are_tried_and_the_one_that_worked_is_remembered() {
    let sshd = Sshd::start("");
    let keys: Vec<PathBuf> = (0..5).map(|n| sshd.key(&format!("key{n}"), "")).collect();
    let agent = Agent::start(sshd.folder.path(), &keys.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    let mut desk = Desk::new(sshd);
    desk.target.identities_chosen = false;
    desk.target.agent = Some(agent.path.clone());
    desk.sshd.authorize(&keys[2]);
    desk.must();
    assert_eq!(desk.sshd.logged("Failed publickey"), 2);
    desk.must();
    assert_eq!(desk.sshd.logged("Failed publickey"), 2, "the second time only the right one");
    drop(agent);
    let why = desk.refused();
    assert!(why.contains("the agent at"), "{why}");
}

#[test]
fn an_agent_that_is_stopped_holds_up_nobody() {
    let (mut desk, key) = with_key("");
    let agent = Agent::start(desk.sshd.folder.path(), &[&key]);
    agent.signal(Signal::STOP);
    desk.target.agent = Some(agent.path.clone());
    desk.must();
    fs::remove_file(&key).unwrap();
    let why = desk.refused();
    assert!(why.contains("does not answer"), "{why}");
    agent.signal(Signal::CONT);
}

#[test]
fn an_agent_that_stops_while_it_should_sign_ends_with_the_limit_and_the_actors_go_on() {
    let (mut desk, key) = with_key("");
    let agent = Agent::start(desk.sshd.folder.path(), &[&key]);
    let asked = Arc::new(AtomicBool::new(false));
    let (listener, path) = deaf(&desk, &agent, asked.clone());
    desk.target.agent = Some(path);
    desk.target.connect_timeout = Some(Duration::from_millis(700));
    let (_owner, slot) = desk.begin();
    let mut while_it_should_sign = 0;
    for _ in 0..10_000 {
        desk.stakker.run(Instant::now(), false);
        if slot.borrow().is_some() {
            break;
        }
        while_it_should_sign += u32::from(asked.load(Ordering::Relaxed));
        desk.poll.poll(Duration::from_millis(20)).unwrap();
    }
    assert!(while_it_should_sign > 0, "the thread of the actors was held up");
    let how = slot.take().unwrap().unwrap().map(drop);
    assert!(
        matches!(&how, Err(TransportError::AuthFailed { why, .. }) if why.contains("does not sign")),
        "{how:?}"
    );
    listener.join().unwrap();
}

/// An agent that lists the keys of a real one, and never signs. The thread ends when its clients have gone.
fn deaf(desk: &Desk, agent: &Agent, asked: Arc<AtomicBool>) -> (std::thread::JoinHandle<()>, PathBuf) {
    let path = desk.sshd.path("deaf.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let real = agent.path.clone();
    let work = move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut agent = super::agent::reach(&real).unwrap();
        let request = super::agent::receive(&mut client).unwrap();
        super::agent::send(&mut agent, &request).unwrap();
        super::agent::send(&mut client, &super::agent::receive(&mut agent).unwrap()).unwrap();
        let (mut client, _) = listener.accept().unwrap();
        // The request to sign, and then the end: the login shut the connection down.
        super::agent::receive(&mut client).unwrap();
        asked.store(true, Ordering::Relaxed);
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    };
    (std::thread::spawn(work), path)
}

#[test]
fn a_password_is_asked_for_once_and_a_wrong_one_is_never_repeated() {
    let Some(sshd) = Sshd::with_password("PasswordAuthentication yes") else { return };
    let mut desk = Desk::new(sshd).answering(&["wrong", PASSWORD]);
    desk.must();
    desk.must();
    assert_eq!(desk.kinds(), [PromptKind::Password, PromptKind::Password]);
    assert_eq!(desk.sshd.logged("Failed password"), 1);
    desk.secrets.forget("cluster");
    let mut desk = desk.answering(&["wrong", "wrong", "wrong"]);
    desk.asked.borrow_mut().clear();
    let why = desk.refused();
    assert!(why.contains("the same password was refused before"), "{why}");
    assert_eq!(desk.sshd.logged("Failed password"), 2);
}

#[test]
fn questions_of_the_host_are_answered() {
    let Some(sshd) = Sshd::with_password("UsePAM yes\nKbdInteractiveAuthentication yes") else { return };
    let mut desk = Desk::new(sshd).answering(&[PASSWORD]);
    desk.must();
    desk.must();
    assert_eq!(desk.kinds(), [PromptKind::Password]);
    assert!(desk.asked.borrow()[0].text.contains("Password: ") && !desk.asked.borrow()[0].echo);
}

#[test]
fn a_question_that_nobody_answers_sends_nothing() {
    let Some(sshd) = Sshd::with_password("UsePAM yes\nKbdInteractiveAuthentication yes") else { return };
    let mut desk = Desk::new(sshd);
    let why = desk.refused();
    assert!(why.contains("nobody answered \"") && why.contains("Password:"), "{why}");
    assert_eq!(desk.sshd.logged("Failed keyboard-interactive"), 0);
}

#[test]
fn a_code_is_asked_for_each_time_and_the_password_only_once() {
    let Some(sshd) = Sshd::with_token(&["111", "222"]) else { return };
    let mut desk = Desk::new(sshd).answering(&[PASSWORD, "111", "222"]);
    desk.must();
    desk.must();
    let code = || PromptKind::OneTime { instruction: String::new() };
    assert_eq!(desk.kinds(), [PromptKind::Password, code(), code()]);
    assert!(desk.asked.borrow()[1].text.contains("Verification code") && desk.asked.borrow()[1].echo);
    assert!(desk.refused().contains("nobody answered"), "no code is used twice");
}

#[test]
fn a_wrong_code_does_not_condemn_the_password() {
    let Some(sshd) = Sshd::with_token(&["111"]) else { return };
    let mut desk = Desk::new(sshd).answering(&[PASSWORD, "999", PASSWORD, "111"]);
    desk.must();
    assert_eq!(desk.kinds().len(), 4);
}

#[test]
fn a_key_and_then_a_password_is_two_factors() {
    let settings =
        "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive";
    let Some(sshd) = Sshd::with_password(settings) else { return };
    let key = sshd.key("key", "");
    sshd.authorize(&key);
    let mut desk = Desk::new(sshd).with_key(&key).answering(&[PASSWORD]);
    desk.must();
    assert_eq!(desk.kinds(), [PromptKind::Password]);
    assert_eq!(desk.sshd.logged("Failed publickey"), 0);
}

#[test]
fn dropping_the_owner_ends_a_login_that_waits_for_a_person() {
    let (mut desk, _) = with_key("sesame");
    let open = Rc::new(RefCell::new(Vec::new()));
    let slot = open.clone();
    desk.secrets = Secrets::new(Fwd::new(move |question| slot.borrow_mut().push(question)));
    let (owner, done) = desk.begin();
    while open.borrow().is_empty() {
        desk.turn();
    }
    drop(owner);
    for _ in 0..20 {
        desk.stakker.run(Instant::now(), false);
        desk.poll.poll(Duration::from_millis(5)).unwrap();
    }
    assert!(done.take().unwrap().is_none(), "who waits hears that there is no answer");
    let question: Question = open.borrow_mut().pop().unwrap();
    question.answer(Secret::new("sesame"));
    desk.must();
}

#[test]
fn unknown_changed_and_revoked_keys_are_refused_before_anything_is_presented() {
    let (mut desk, _) = with_key("");
    let file = desk.target.known_hosts[0].clone();
    let line = fs::read_to_string(&file).unwrap();
    fs::write(&file, "").unwrap();
    let how = desk.log_in().map(drop);
    assert!(
        matches!(&how, Err(TransportError::HostKeyUnknown { why, .. }) if why.contains("ssh-keyscan")),
        "{how:?}"
    );
    let other = desk.sshd.key("other", "");
    let other = fs::read_to_string(format!("{}.pub", other.display())).unwrap();
    fs::write(&file, format!("# a comment\n[127.0.0.1]:{} {other}", desk.sshd.address.port())).unwrap();
    desk.target.unknown_keys = UnknownKeys::Accept;
    let how = desk.log_in().map(drop);
    let place = format!("{}:2", file.display());
    assert!(
        matches!(&how, Err(TransportError::HostKeyChanged { why, .. }) if why.contains(&place)),
        "{how:?}"
    );
    fs::write(&file, format!("{line}@revoked * {}", line.split_once(' ').unwrap().1)).unwrap();
    let how = desk.log_in().map(drop);
    assert!(
        matches!(&how, Err(TransportError::HostKeyChanged { why, .. }) if why.contains("revoked")),
        "{how:?}"
    );
    assert_eq!(desk.sshd.logged("publickey"), 0);
    assert_eq!(desk.sshd.connections(), 3);
}

#[test]
fn accept_new_writes_the_key_down_once() {
    let (mut desk, _) = with_key("");
    let file = desk.target.known_hosts[0].clone();
    let line = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    desk.target.unknown_keys = UnknownKeys::Accept;
    desk.must();
    desk.must();
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), 1);
    assert!(line.starts_with(written.trim_end()), "{written} is not the beginning of {line}");
}

#[test]
fn a_host_with_a_certificate_is_known_by_its_authority() {
    let (mut desk, _) = with_key("");
    let at = desk.sshd.folder.path().display().to_string();
    keygen(&["-q", "-t", "ecdsa", "-N", "", "-f", &format!("{at}/ca")]);
    keygen(&[
        "-q",
        "-h",
        "-s",
        &format!("{at}/ca"),
        "-I",
        "host",
        "-n",
        "127.0.0.1",
        &format!("{at}/host.pub"),
    ]);
    let config = fs::read_to_string(desk.sshd.path("config")).unwrap();
    fs::write(desk.sshd.path("config"), format!("{config}HostCertificate {at}/host-cert.pub\n")).unwrap();
    // With its plain key alone it is known as before: no certificate is negotiated.
    desk.must();
    let authority = fs::read_to_string(desk.sshd.path("ca.pub")).unwrap();
    let file = desk.target.known_hosts[0].clone();
    fs::write(&file, format!("@cert-authority [127.0.0.1]:* {authority}")).unwrap();
    desk.must();
    fs::write(&file, format!("@cert-authority [127.0.0.2]:* {authority}")).unwrap();
    assert!(matches!(desk.log_in().map(drop), Err(TransportError::HostKeyUnknown { .. })));
}
