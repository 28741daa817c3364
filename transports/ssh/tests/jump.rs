//! Through gates and commands to real servers, found by the names in a file of `ssh`.
#![expect(clippy::disallowed_methods, reason = "a test is a host with a clock")]

mod place;

use place::{Place, Sshd};
use procession::Runtime;
use procession::transport::{Ended, Exec, TransportError};
use procession_ssh::auth::Secrets;
use procession_ssh::config::{Here, Lookup, Query};
use procession_ssh::jump::{Finder, Network, NetworkSetup};
use procession_ssh::{Config, Patience, Ssh};
use stakker::{ActorOwn, Ret};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A runtime that knows the hosts of a file.
struct Map {
    runtime: Runtime,
    finder: Finder,
    network: ActorOwn<Network>,
    _folder: tempfile::TempDir,
}

impl Map {
    fn new(file: &str) -> Map {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, file).unwrap();
        let lookup = Lookup { file: Some(path), here: here(folder.path()), ..Lookup::new() };
        let patience = Patience { silence: Duration::from_secs(2), answer: Duration::from_secs(5) };
        let setup = NetworkSetup { lookup, patience, ..NetworkSetup::new(Secrets::silent()) };
        let mut runtime = Runtime::builder().build().unwrap();
        let handle = runtime.handle();
        let (finder, network) = Network::start(runtime.stakker(), handle, setup);
        Map { runtime, finder, network, _folder: folder }
    }

    fn find(&mut self, alias: &str) -> Result<Config, TransportError> {
        let slot = Rc::new(RefCell::new(None));
        let answer = slot.clone();
        self.finder.find(Query::new(alias), Ret::new(move |config| *answer.borrow_mut() = Some(config)));
        for _ in 0..100_000 {
            if let Some(config) = slot.borrow_mut().take() {
                return config.expect("the network answers");
            }
            let now = Instant::now();
            self.runtime.turn(now).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the network never answers");
    }

    /// Becomes the place of one host.
    fn into_place(mut self, alias: &str) -> (Place, ActorOwn<Network>, tempfile::TempDir) {
        let config = self.find(alias).unwrap();
        let handle = self.runtime.handle();
        let (transport, ssh) = Ssh::start(self.runtime.stakker(), handle, config).unwrap();
        let place = Place { transport, ssh: Some(ssh), runtime: self.runtime, longest: Duration::ZERO };
        (place, self.network, self._folder)
    }
}

fn here(home: &Path) -> Here {
    Here { home: home.to_owned(), user: "nobody".into(), uid: 0, agent: None }
}

/// A section of the file that names a server.
fn section(alias: &str, sshd: &Sshd, more: &str) -> String {
    let at = |name: &str| -> PathBuf { sshd.folder.path().join(name) };
    format!(
        "Host {alias}\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {}\n UserKnownHostsFile {}\n {more}\n",
        sshd.port,
        sshd.target().user,
        at("user").display(),
        at("known_hosts").display(),
    )
}

fn says(place: &mut Place, text: &str) {
    let exit = place.run(Exec::new(["echo", text])).unwrap();
    assert_eq!((exit.how, exit.stdout), (Ended::Code(0), format!("{text}\n").into_bytes()));
}

#[test]
fn a_host_behind_two_gates_is_reached_by_its_name_alone() {
    let (outer, inner, host) = (Sshd::start(""), Sshd::start(""), Sshd::start(""));
    let file = section("outer", &outer, "")
        + &section("inner", &inner, "ProxyJump outer")
        + &section("cluster", &host, "ProxyJump inner");
    let (mut place, _network, _folder) = Map::new(&file).into_place("cluster");
    says(&mut place, "through two gates");
    says(&mut place, "again");
    let opened = |sshd: &Sshd| sshd.log().matches("Accepted publickey").count();
    assert_eq!([opened(&outer), opened(&inner), opened(&host)], [1, 1, 1]);
}

#[test]
fn a_list_of_gates_is_passed_in_its_order() {
    let (outer, inner, host) = (Sshd::start(""), Sshd::start(""), Sshd::start(""));
    let file = section("outer", &outer, "")
        + &section("inner", &inner, "")
        + &section("cluster", &host, "ProxyJump outer,inner");
    let (mut place, _network, _folder) = Map::new(&file).into_place("cluster");
    says(&mut place, "in order");
    assert!(outer.log().contains("Accepted publickey") && inner.log().contains("Accepted publickey"));
}

#[test]
fn the_key_of_the_host_behind_a_gate_is_checked_by_its_own_name() {
    let (gate, host) = (Sshd::start(""), Sshd::start(""));
    let file = section("gate", &gate, "") + &section("cluster", &host, "ProxyJump gate");
    fs::write(host.folder.path().join("known_hosts"), "").unwrap();
    let (mut place, _network, _folder) = Map::new(&file).into_place("cluster");
    let how = place.run(Exec::new(["true"]));
    assert!(matches!(&how, Err(TransportError::HostKeyUnknown { host, .. }) if host == "cluster"), "{how:?}");
    assert!(!host.log().contains("Accepted"));
}

#[test]
fn a_gate_that_refuses_is_the_reason() {
    let (gate, host) = (Sshd::start(""), Sshd::start(""));
    let file = section("gate", &gate, "") + &section("cluster", &host, "ProxyJump gate");
    fs::write(gate.folder.path().join("user.pub"), "").unwrap();
    let (mut place, _network, _folder) = Map::new(&file).into_place("cluster");
    let how = place.run(Exec::new(["true"])).unwrap_err();
    // The host itself has refused nothing: it is tried again when the gate lets us through.
    let TransportError::Unreachable { host: whom, why } = how else { panic!("{how}") };
    assert!(whom == "cluster" && why.contains("refused the credentials"), "{why}");
    assert_eq!(host.log().matches("Connection from").count(), 0);
}

#[test]
fn a_command_is_a_way_too() {
    let host = Sshd::start("");
    let config = host.folder.path().join("sshd_config");
    let command = format!("ProxyCommand /usr/sbin/sshd -i -f {}", config.display());
    let file = section("cluster", &host, &command);
    let (mut place, _network, _folder) = Map::new(&file).into_place("cluster");
    says(&mut place, "through a command");
}

#[test]
fn a_host_that_refused_us_is_tried_again_when_somebody_says_so() {
    let host = Sshd::start("LogLevel VERBOSE");
    let key = host.folder.path().join("user.pub");
    let known = fs::read_to_string(&key).unwrap();
    fs::write(&key, "").unwrap();
    let secrets = Secrets::silent();
    let mut place = Place::new(Config { secrets: secrets.clone(), ..host.config() });
    for _ in 0..3 {
        let how = place.run(Exec::new(["true"]));
        assert!(matches!(&how, Err(TransportError::AuthFailed { .. })), "{how:?}");
    }
    assert_eq!(host.log().matches("Failed publickey").count(), 1, "the host is not asked again by itself");
    fs::write(&key, known).unwrap();
    secrets.forget("127.0.0.1");
    says(&mut place, "in");
}

#[test]
fn gates_in_a_circle_and_unknown_options_are_refused() {
    let host = Sshd::start("");
    let file = section("a", &host, "ProxyJump b") + &section("b", &host, "ProxyJump a");
    let why = Map::new(&file).find("a").map(|config| config.name).unwrap_err().to_string();
    assert!(why.contains("circle"), "{why}");
    let why = Map::new("Host x\n Nonsense 1\n").find("x").map(|config| config.name).unwrap_err().to_string();
    assert!(why.contains("ssh -G x"), "{why}");
}
