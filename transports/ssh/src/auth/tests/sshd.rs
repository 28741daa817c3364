//! A real sshd in a folder of its own: on loopback, one process for each connection (`sshd -i`), gone with the test.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";

/// The password of the user, where the host has one.
pub(super) const PASSWORD: &str = "correct horse";

/// A module of PAM that asks for a code, and takes each code once: the file of that name is removed.
const TOKEN: &str = r#"
#include <stdio.h>
#include <unistd.h>
int pam_prompt(void *pamh, int style, char **response, const char *format, ...);
int pam_sm_authenticate(void *pamh, int flags, int argc, const char **argv) {
    char *code = NULL, path[4096];
    if (pam_prompt(pamh, 2, &code, "Verification code: ") != 0 || code == NULL) return 7;
    snprintf(path, sizeof path, "%s/code-%s", argv[0], code);
    return unlink(path) == 0 ? 0 : 7;
}
int pam_sm_setcred(void *pamh, int flags, int argc, const char **argv) { return 0; }
"#;

pub(super) struct Sshd {
    pub(super) folder: TempDir,
    pub(super) address: SocketAddr,
    pub(super) user: String,
    served: Arc<Mutex<Vec<Child>>>,
    over: Arc<AtomicBool>,
}

impl Sshd {
    /// With these lines in front of its configuration.
    pub(super) fn start(settings: &str) -> Sshd {
        Sshd::serve(settings, None)
    }

    /// With a password for the user, in files that stand in for those of the machine in a mount namespace: nothing of the
    /// machine is changed. Nothing if this machine does not let us make one.
    pub(super) fn with_password(settings: &str) -> Option<Sshd> {
        let may = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            eprintln!("left out: no mount namespace may be made here, so no user can have a password");
            return None;
        }
        Some(Sshd::serve(settings, Some(PASSWORD)))
    }

    /// With a password and a token for the user, whose codes are these.
    pub(super) fn with_token(codes: &[&str]) -> Option<Sshd> {
        let sshd = Sshd::with_password("UsePAM yes\nKbdInteractiveAuthentication yes")?;
        fs::write(sshd.path("token.c"), TOKEN).unwrap();
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-o", "token.so", "token.c", "-l:libpam.so.0"]);
        if !compile.current_dir(sshd.folder.path()).status().is_ok_and(|status| status.success()) {
            eprintln!("left out: a module of PAM cannot be compiled here, so no user can have a token");
            return None;
        }
        let at = sshd.folder.path().display();
        let pam = fs::read_to_string(sshd.path("pam")).unwrap();
        let with_token = format!("pam_unix.so\nauth required {at}/token.so {at}\n");
        fs::write(sshd.path("pam"), pam.replacen("pam_unix.so\n", &with_token, 1)).unwrap();
        for code in codes {
            fs::write(sshd.path(&format!("code-{code}")), "").unwrap();
        }
        Some(sshd)
    }

    fn serve(settings: &str, password: Option<&str>) -> Sshd {
        let folder = tempfile::tempdir().unwrap();
        let user = said(Command::new("id").arg("-un"));
        let at = folder.path().display();
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &format!("{at}/host")]);
        fs::write(folder.path().join("authorized"), "").unwrap();
        // What the user's own shell does at a login is no part of a test.
        let settings = format!(
            "{settings}\nSetEnv HOME={at}\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
        );
        fs::write(folder.path().join("config"), settings).unwrap();
        let mut arguments =
            vec![SSHD.to_owned(), "-i".into(), "-e".into(), "-f".into(), format!("{at}/config")];
        if let Some(password) = password {
            let hash = said(Command::new("openssl").args(["passwd", "-6", password]));
            fs::write(folder.path().join("shadow"), format!("{user}:{hash}:20000:0:99999:7:::\n")).unwrap();
            fs::write(
                folder.path().join("pam"),
                "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
            )
            .unwrap();
            let script = format!(
                "mount --bind {at}/shadow /etc/shadow && mount --bind {at}/pam /etc/pam.d/sshd && exec {}",
                arguments.join(" ")
            );
            arguments = ["unshare", "-m", "sh", "-c", &script].map(str::to_owned).to_vec();
        }
        Sshd::accept(folder, user, arguments)
    }

    fn accept(folder: TempDir, user: String, arguments: Vec<String>) -> Sshd {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = folder.path().join("log");
        let (served, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (theirs, ended) = (served.clone(), over.clone());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let log = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
                let socket = OwnedFd::from(stream);
                let child = Command::new(&arguments[0])
                    .args(&arguments[1..])
                    .stdin(socket.try_clone().unwrap())
                    .stdout(socket)
                    .stderr(log)
                    .spawn()
                    .unwrap();
                theirs.lock().unwrap().push(child);
            }
        });
        Sshd { folder, address, user, served, over }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new key in the folder, encrypted if there is a passphrase.
    pub(super) fn key(&self, name: &str, passphrase: &str) -> PathBuf {
        let path = self.path(name);
        keygen(&["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", &path.display().to_string()]);
        path
    }

    /// Lets this key in.
    pub(super) fn authorize(&self, key: &Path) {
        let line = fs::read_to_string(format!("{}.pub", key.display())).unwrap();
        let all = fs::read_to_string(self.path("authorized")).unwrap();
        fs::write(self.path("authorized"), all + &line).unwrap();
    }

    /// Its key, as a line of a file of known hosts.
    pub(super) fn known_line(&self) -> String {
        let key = fs::read_to_string(self.path("host.pub")).unwrap();
        format!("[127.0.0.1]:{} {key}", self.address.port())
    }

    /// How many times this stands in its log.
    pub(super) fn logged(&self, text: &str) -> usize {
        fs::read_to_string(self.path("log")).unwrap_or_default().matches(text).count()
    }

    pub(super) fn connections(&self) -> usize {
        self.served.lock().unwrap().len()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(self.address);
        for child in self.served.lock().unwrap().iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A real ssh-agent with these keys.
pub(super) struct Agent {
    pub(super) path: PathBuf,
    child: Child,
}

impl Agent {
    pub(super) fn start(folder: &Path, keys: &[&Path]) -> Agent {
        let path = folder.join("agent.sock");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&path).stdout(Stdio::null()).spawn().unwrap();
        let agent = Agent { path, child };
        for key in keys {
            // Until it listens; each try takes some milliseconds.
            let added = (0..1000).any(|_| {
                let mut add = Command::new("ssh-add");
                add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &agent.path).stderr(Stdio::null());
                add.status().unwrap().success()
            });
            assert!(added, "{} could not be added to the agent", key.display());
        }
        agent
    }

    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn keygen(arguments: &[&str]) {
    assert!(Command::new("ssh-keygen").args(arguments).status().unwrap().success(), "{arguments:?}");
}

fn said(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}
