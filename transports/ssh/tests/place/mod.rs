//! A private sshd and a transport to it.
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts its server, reads clocks and waits for children"
)]
#![allow(dead_code, reason = "each test uses its part")]

use procession::pool::Rules;
use procession::transport::{Answer, Exec, Exit, Op, RemotePath, Transport, TransportError};
use procession::{Runtime, RuntimeError};
use procession_ssh::config::{Here, Target};
use procession_ssh::{Config, Patience, Ssh};
use stakker::{ActorOwn, Ret};
use std::cell::RefCell;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A server of our own in a folder of its own, on a port of this machine; it ends with its value.
pub struct Sshd {
    pub folder: tempfile::TempDir,
    pub port: u16,
    child: Child,
}

impl Sshd {
    pub fn start(extra: &str) -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at(key))
                .status()
                .unwrap();
            assert!(made.success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let public = std::fs::read_to_string(at("host.pub")).unwrap();
        std::fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        let conf = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nUsePAM no\nPidFile none\n\
             StrictModes no\nPasswordAuthentication no\nMaxStartups 100\nSubsystem sftp internal-sftp\n\
             SetEnv HOME={}\n{extra}\n",
            at("host").display(),
            at("user.pub").display(),
            // What the login shell of whoever runs the tests does at its start is not ours to measure.
            folder.path().display(),
        );
        std::fs::write(at("sshd_config"), conf).unwrap();
        // Its folder for unprivileged children, which the package makes at boot.
        let _ = std::fs::create_dir_all("/run/sshd");
        let log = std::fs::File::create(at("log")).unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(at("sshd_config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let sshd = Sshd { folder, port, child };
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return sshd;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("sshd does not listen: {}", sshd.log());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn work(&self) -> PathBuf {
        let work = self.folder.path().join("work");
        std::fs::create_dir_all(&work).unwrap();
        work
    }

    pub fn target(&self) -> Target {
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let here =
            Here { home: self.folder.path().into(), user: user.trim().to_owned(), uid: 0, agent: None };
        Target {
            port: self.port,
            identities: vec![self.folder.path().join("user")],
            identities_chosen: true,
            known_hosts: vec![self.folder.path().join("known_hosts")],
            global_known_hosts: Vec::new(),
            ..Target::new("127.0.0.1", user.trim(), &here)
        }
    }

    pub fn config(&self) -> Config {
        let work: RemotePath = self.work().to_str().unwrap().parse().unwrap();
        let rules = Rules { burst: 100, hourly: 1000, max_sessions: 1, ..Rules::default() };
        let patience = Patience { silence: Duration::from_secs(2), answer: Duration::from_secs(2) };
        Config { rules, patience, ..Config::new("here", self.target(), work) }
    }

    /// The processes of the server that serve connections, not the one that listens.
    pub fn children(&self) -> Vec<i32> {
        children(self.child.id() as i32)
    }

    pub fn signal(pids: &[i32], signal: &str) {
        for pid in pids {
            let _ = Command::new("kill").args(["-s", signal, "--"]).arg(pid.to_string()).status();
        }
    }
}

/// All that descend from a process.
pub fn children(pid: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let direct: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    direct.iter().flat_map(|pid| [vec![*pid], children(*pid)].concat()).collect()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let children = self.children();
        Sshd::signal(&children, "KILL");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A runtime with one transport.
pub struct Place {
    pub transport: Transport,
    pub ssh: Option<ActorOwn<Ssh>>,
    pub runtime: Runtime,
    /// The longest turn, in processor time of this thread.
    pub longest: Duration,
}

/// How many sleeps of a tenth of a second in which nothing came are a hang.
const MOST_QUIET: usize = 1_200;

impl Place {
    pub fn new(config: Config) -> Place {
        let mut runtime = Runtime::builder().build().unwrap();
        let handle = runtime.handle();
        let (transport, ssh) = Ssh::start(runtime.stakker(), handle, config).unwrap();
        Place { transport, ssh: Some(ssh), runtime, longest: Duration::ZERO }
    }

    pub fn run_until(&mut self, mut done: impl FnMut() -> bool) {
        // A turn, and a sleep on the descriptor as a foreign loop would do it.
        let mut quiet = 0;
        while quiet < MOST_QUIET {
            let before = cpu();
            let turn = self.runtime.turn(Instant::now()).map_err(|e: RuntimeError| e.to_string()).unwrap();
            let took = cpu() - before;
            if took > Duration::from_millis(3) {
                println!("a turn of {took:?}");
            }
            self.longest = self.longest.max(took);
            if done() {
                return;
            }
            if !turn.more && !sleep_on(self.runtime.fd().unwrap()) {
                quiet += 1;
            }
        }
        panic!("it never ended");
    }

    pub fn begin<T: 'static>(&mut self, op: impl FnOnce(Answer<T>) -> Op) -> Slot<T> {
        let slot = Rc::new(RefCell::new(None));
        let answer = slot.clone();
        self.transport.op(op(Ret::new(move |result| {
            assert!(answer.borrow_mut().replace(result).is_none(), "answered once");
        })));
        slot
    }

    pub fn wait<T>(&mut self, slot: &Slot<T>) -> Result<T, TransportError> {
        self.run_until(|| slot.borrow().is_some());
        slot.borrow_mut().take().flatten().expect("the transport answers")
    }

    pub fn ask<T: 'static>(&mut self, op: impl FnOnce(Answer<T>) -> Op) -> Result<T, TransportError> {
        let slot = self.begin(op);
        self.wait(&slot)
    }

    pub fn run(&mut self, exec: Exec) -> Result<Exit, TransportError> {
        self.ask(|ret| Op::Exec(exec, ret))
    }
}

pub type Slot<T> = Rc<RefCell<Option<Option<Result<T, TransportError>>>>>;

/// Sleeps until the descriptor is readable, at most a tenth of a second. Whether it is.
fn sleep_on(fd: i32) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::os::fd::AsFd;
    // The descriptor belongs to the runtime; a duplicate through /proc would be another epoll, so it is borrowed by number.
    let fd = rustix::process::pidfd_getfd(
        rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).unwrap(),
        fd,
        rustix::process::PidfdGetfdFlags::empty(),
    )
    .unwrap();
    let mut polled = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
    let wait = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    poll(&mut polled, Some(&wait)).is_ok_and(|ready| ready > 0)
}

/// Processor time of this thread.
pub fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What this process holds in memory of its own, in bytes (proc(5), `VmData` and the like count what is only reserved).
pub fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

pub fn path(text: &str) -> RemotePath {
    text.parse().unwrap()
}

pub fn folder_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
