//! The same work with the tools of OpenSSH, over one ControlMaster, which is how they are quick.

use procession_tests::services::Sshd;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A connection that stays open, and the folder on the other side.
pub struct Master {
    config: PathBuf,
    alias: String,
    socket: PathBuf,
    master: Child,
}

impl Master {
    /// Connects to this server, by a file for `ssh -F` and an alias in it.
    pub fn connect(sshd: &Sshd, config: &Path, alias: &str) -> Master {
        let socket = sshd.folder().join("master");
        let (config, alias) = (config.to_owned(), alias.to_owned());
        let mut command = Command::new("ssh");
        command.arg("-F").arg(&config).arg("-S").arg(&socket).args(["-M", "-N", &alias]);
        let master = command.stdin(Stdio::null()).spawn().expect("ssh is installed");
        let master = Master { config, alias, socket, master };
        // Bounded by the patience of whoever runs this.
        while !master
            .ssh(["-O", "check", &master.alias])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        master
    }

    fn ssh<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(&self.config).arg("-S").arg(&self.socket).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// `true`, `n` times, one after the other.
    pub fn run_true(&self, n: u64) {
        for _ in 0..n {
            well(&mut self.ssh([&*self.alias, "true"]));
        }
    }

    /// `true`, `n` times, eight at once, by xargs.
    pub fn run_true_by_xargs(&self, n: u64) {
        let mut command = Command::new("xargs");
        command.args(["-P8", "-I{}", "ssh", "-F"]).arg(&self.config).arg("-S").arg(&self.socket);
        let mut xargs = command
            .args([&*self.alias, "true"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("xargs is installed");
        let mut lines = xargs.stdin.take().expect("it is piped");
        for n in 0..n {
            writeln!(lines, "{n}").expect("xargs reads");
        }
        drop(lines);
        assert!(xargs.wait().expect("it is ours").success(), "xargs");
    }

    /// A tree, by tar at both ends.
    pub fn send_by_tar(&self, from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("a folder");
        let mut tar = Command::new("tar");
        let mut tar =
            tar.arg("cf").arg("-").arg("-C").arg(from).arg(".").stdout(Stdio::piped()).spawn().expect("tar");
        let mut ssh = self.ssh([&*self.alias]);
        ssh.arg(format!("tar xf - -C {}", to.display())).stdin(tar.stdout.take().expect("it is piped"));
        well(&mut ssh);
        assert!(tar.wait().expect("it is ours").success(), "tar");
    }

    /// A tree, by rsync.
    pub fn send_by_rsync(&self, from: &Path, to: &Path) {
        let shell = format!("ssh -F {} -S {}", self.config.display(), self.socket.display());
        let mut rsync = Command::new("rsync");
        rsync.args(["-a", "-e", &shell]).arg(format!("{}/", from.display())).arg(format!(
            "{}:{}",
            self.alias,
            to.display()
        ));
        well(&mut rsync);
    }

    /// A file, by scp, with the cipher that is the default of both.
    pub fn send_by_scp(&self, from: &Path, to: &Path) {
        well(self.scp().arg(from).arg(format!("{}:{}", self.alias, to.display())));
    }

    /// A file from there, by scp.
    pub fn fetch_by_scp(&self, from: &Path, to: &Path) {
        well(self.scp().arg(format!("{}:{}", self.alias, from.display())).arg(to));
    }

    fn scp(&self) -> Command {
        let mut scp = Command::new("scp");
        scp.arg("-q")
            .arg("-F")
            .arg(&self.config)
            .arg("-o")
            .arg(format!("ControlPath={}", self.socket.display()));
        scp
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.ssh(["-O", "exit", &self.alias]).stderr(Stdio::null()).status();
        let _ = self.master.wait();
    }
}

fn well(command: &mut Command) {
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}");
}
