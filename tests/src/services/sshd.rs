//! A private OpenSSH server.

use super::Keeper;
use std::path::PathBuf;

/// What a server shall be like.
#[derive(Clone, Default, Debug)]
pub struct Server {
    /// In the environment of every command and session. `HOME` is an empty folder unless it is among them, so that no start-up
    /// file of a shell is read; sessions begin in the real home all the same.
    pub env: Vec<(String, String)>,
    /// Lines of `sshd_config`, before all others, so they win: `MaxSessions 2`, `ForceCommand …`, `RekeyLimit 64K`.
    pub set: Vec<String>,
}

/// A running server, for the present user.
pub struct Sshd {
    keeper: Keeper,
}

impl Sshd {
    /// A plain one.
    pub fn start() -> Sshd {
        Sshd::with(Server::default())
    }

    /// One with settings.
    pub fn with(server: Server) -> Sshd {
        let env = server.env.iter().map(|(name, value)| format!("--env={name}={value}"));
        let set = server.set.iter().map(|line| format!("--set={line}"));
        Sshd { keeper: Keeper::start("sshd", env.chain(set)) }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.keeper.fact("port").parse().expect("a port is a number")
    }

    /// Whom it lets in.
    pub fn user(&self) -> &str {
        self.keeper.fact("user")
    }

    /// The private key of the user: Ed25519, in OpenSSH's format, without a passphrase. The public one stands beside it.
    pub fn key(&self) -> PathBuf {
        self.keeper.path("key")
    }

    /// Its host keys (Ed25519, ECDSA, RSA) as `[127.0.0.1]:PORT TYPE KEY`.
    pub fn known_hosts(&self) -> PathBuf {
        self.keeper.path("known_hosts")
    }

    /// For `ssh -F`, with everything that is needed under the alias `box`.
    pub fn ssh_config(&self) -> PathBuf {
        self.keeper.path("ssh_config")
    }

    /// The same, in a new file, under this alias and with these lines before the others.
    pub fn ssh_config_as(&self, alias: &str, lines: &[&str]) -> PathBuf {
        let text = std::fs::read_to_string(self.ssh_config()).expect("it was written");
        let own: String = lines.iter().map(|line| format!("    {line}\n")).collect();
        let to = self.folder().join(format!("etc/ssh_config.{alias}"));
        std::fs::write(&to, text.replace("Host box\n", &format!("Host {alias}\n{own}"))).expect("a file");
        to
    }

    /// Its folder, which goes with it. `etc/authorized_keys` is there to be added to.
    pub fn folder(&self) -> PathBuf {
        self.keeper.path("dir")
    }

    /// What it wrote (`LogLevel VERBOSE`).
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.keeper.path("log")).unwrap_or_default()).into_owned()
    }

    /// How many TCP connections it has taken in since its start.
    pub fn connections(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Connection from ")).count()
    }

    /// How many of them came as far as to be let in.
    pub fn logins(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Accepted ") && line.contains(" for ")).count()
    }

    /// Kills all its sessions; new ones are welcome. Their commands go on, as sshd has it.
    pub fn hang_up(&mut self) {
        self.keeper.order("hang-up");
    }

    /// Stops it and its sessions: connections stay open, and nothing answers.
    pub fn freeze(&mut self) {
        self.keeper.order("freeze");
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.keeper.order("thaw");
    }

    /// Ends all sessions, and refuses connections.
    pub fn down(&mut self) {
        self.keeper.order("down");
    }

    /// Listens again, on the same port.
    pub fn up(&mut self) {
        self.keeper.order("up");
    }
}
