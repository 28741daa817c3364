//! What `ssh -G` leaves for its reader: `~`, `%d` and their like in names of files (`ssh_config(5)`, TOKENS).

use std::path::PathBuf;

/// Who we are, on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Here {
    /// The home folder.
    pub home: PathBuf,
    /// The name of the user.
    pub user: String,
    /// The number of the user.
    pub uid: u32,
    /// The socket of the agent that the environment names (`SSH_AUTH_SOCK`).
    pub agent: Option<PathBuf>,
}

impl Here {
    /// As the environment of this program says it.
    pub fn of_environment() -> Here {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        Here {
            home: std::env::home_dir().unwrap_or_default(),
            user: text("USER").or_else(|| text("LOGNAME")).unwrap_or_default(),
            uid: rustix::process::getuid().as_raw(),
            agent: std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from),
        }
    }
}

/// What tokens stand for.
pub(super) struct Tokens<'a> {
    pub(super) here: &'a Here,
    pub(super) alias: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
}

impl Tokens<'_> {
    /// The path that is meant. Tokens that are not known here stay as they are, so their file is not found and named.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let home = || self.here.home.to_string_lossy().into_owned();
        let text = match text.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", home()),
            None => text.to_owned(),
        };
        let mut path = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                path.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => path.push('%'),
                Some('d') => path.push_str(&home()),
                Some('h') => path.push_str(self.host),
                Some('n') => path.push_str(self.alias),
                Some('p') => path.push_str(&self.port.to_string()),
                Some('r') => path.push_str(self.user),
                Some('u') => path.push_str(&self.here.user),
                Some('i') => path.push_str(&self.here.uid.to_string()),
                Some(other) => path.extend(['%', other]),
                None => path.push('%'),
            }
        }
        PathBuf::from(path)
    }
}
