//! Reads what `ssh -G` prints: a keyword in lower case and its value on each line, some of them several times.

use super::expand::Tokens;
use super::{Here, Method, Target, UnknownKeys};
use crate::jump::{Hop, HopError, Route};
use std::path::PathBuf;
use std::time::Duration;

/// Why what `ssh -G` printed is no target.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting that every target has is not there: this was not printed by `ssh -G`.
    #[error("`ssh -G` did not print a {0}")]
    Missing(&'static str),
    /// A number that is none, or too large.
    #[error("`ssh -G` printed a {setting} that makes no sense: {value:?}")]
    Number {
        /// Which setting.
        setting: &'static str,
        /// What was printed.
        value: String,
    },
    /// A `ProxyJump` that is no list of hosts.
    #[error("ProxyJump: {0}")]
    Jump(#[from] HopError),
}

/// The names of keys that `ssh` looks for where no `IdentityFile` is given (`ssh_config(5)`; those of 9.2 and of 10).
pub(super) const USUAL: [&str; 7] =
    ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"];

pub(super) fn target(alias: &str, text: &str, here: &Here) -> Result<Target, ConfigError> {
    let settings = Settings(text);
    let host = settings.needed("hostname")?;
    let user = settings.needed("user")?;
    let port = settings.needed("port")?;
    let port = port.parse().map_err(|_| ConfigError::Number { setting: "port", value: port.to_owned() })?;
    let tokens = Tokens { here, alias, host, port, user };
    let paths = |name| settings.all(name).filter(|text| *text != "none").map(|text| tokens.path(text));
    let identities: Vec<PathBuf> = paths("identityfile").collect();
    // Where there are spaces in a path ssh prints them as they are; such files can't be told apart and are not found.
    let files =
        |name| settings.one(name).unwrap_or_default().split_ascii_whitespace().map(|t| tokens.path(t));
    let usual = |path: &PathBuf| USUAL.iter().any(|name| *path == here.home.join(".ssh").join(name));
    Ok(Target {
        alias: alias.to_owned(),
        host: host.to_owned(),
        port,
        user: user.to_owned(),
        identities_chosen: !identities.iter().all(usual),
        identities,
        certificates: paths("certificatefile").collect(),
        agent: agent(&settings, &tokens),
        identities_only: settings.is_on("identitiesonly", false),
        methods: methods(&settings),
        known_hosts: files("userknownhostsfile").filter(|path| path.as_os_str() != "none").collect(),
        global_known_hosts: files("globalknownhostsfile").filter(|path| path.as_os_str() != "none").collect(),
        host_key_alias: settings.one("hostkeyalias").filter(|text| *text != "none").map(str::to_owned),
        unknown_keys: match settings.one("stricthostkeychecking") {
            Some("accept-new" | "no" | "off" | "false") => UnknownKeys::Accept,
            Some(_) | None => UnknownKeys::Refuse,
        },
        host_key_algorithms: list(settings.one("hostkeyalgorithms")),
        route: route(&settings, &tokens)?,
        connect_timeout: settings.seconds("connecttimeout")?,
    })
}

/// The lines of the output. A keyword may come several times; where only one counts, it is the first.
struct Settings<'a>(&'a str);

impl<'a> Settings<'a> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        let line = move |line: &'a str| {
            let (keyword, value) = line.trim().split_once(' ')?;
            keyword.eq_ignore_ascii_case(name).then(|| value.trim())
        };
        self.0.lines().filter_map(line)
    }

    fn one(&self, name: &'static str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn needed(&self, name: &'static str) -> Result<&'a str, ConfigError> {
        self.one(name).ok_or(ConfigError::Missing(name))
    }

    fn is_on(&self, name: &'static str, otherwise: bool) -> bool {
        match self.one(name) {
            Some("yes" | "true") => true,
            Some("no" | "false") => false,
            // `pubkeyauthentication` may also be `unbound` or `host-bound`: on, with a detail.
            Some(_) | None => otherwise,
        }
    }

    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, ConfigError> {
        match self.one(name) {
            None | Some("none" | "0") => Ok(None),
            Some(text) => match text.parse::<u32>() {
                Ok(seconds) => Ok(Some(Duration::from_secs(seconds.into()))),
                Err(_) => Err(ConfigError::Number { setting: name, value: text.to_owned() }),
            },
        }
    }
}

fn agent(settings: &Settings<'_>, tokens: &Tokens<'_>) -> Option<PathBuf> {
    match settings.one("identityagent") {
        None | Some("SSH_AUTH_SOCK" | "$SSH_AUTH_SOCK" | "${SSH_AUTH_SOCK}") => tokens.here.agent.clone(),
        Some("none") => None,
        Some(text) => Some(tokens.path(text)),
    }
}

fn methods(settings: &Settings<'_>) -> Vec<Method> {
    let named = list(settings.one("preferredauthentications"));
    let preferred = match named.is_empty() {
        true => Method::ALL.to_vec(),
        false => named.iter().filter_map(|name| Method::named(name)).collect(),
    };
    let is_on = |method: &Method| match method {
        Method::PublicKey => settings.is_on("pubkeyauthentication", true),
        Method::KeyboardInteractive => settings.is_on("kbdinteractiveauthentication", true),
        Method::Password => settings.is_on("passwordauthentication", true),
    };
    preferred.into_iter().filter(is_on).collect()
}

fn route(settings: &Settings<'_>, tokens: &Tokens<'_>) -> Result<Route, ConfigError> {
    match (settings.one("proxyjump"), settings.one("proxycommand")) {
        (None | Some("none"), None | Some("none")) => Ok(Route::Direct),
        (None | Some("none"), Some(command)) => {
            // Tokens of a command are those of a path.
            Ok(Route::Command(tokens.path(command).to_string_lossy().into_owned()))
        }
        (Some(hops), _) => Ok(Route::Jump(Hop::list(hops)?)),
    }
}

fn list(text: Option<&str>) -> Vec<String> {
    let names = text.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty() && *name != "none").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Here {
        Here { home: "/home/ann".into(), user: "ann".into(), uid: 1000, agent: Some("/run/agent".into()) }
    }

    /// What OpenSSH 9.2 printed.
    const PRINTED: &str = include_str!("fixtures/jump");
    const COMMAND: &str = include_str!("fixtures/command");

    #[test]
    fn what_ssh_prints_is_understood() {
        let target = target("foo", PRINTED, &here()).unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.user.as_str()),
            ("foo.example.com", 2222, "bob")
        );
        let files = ["/home/ann/.ssh/k", "/home/ann/x/foo.example.com_bob"].map(PathBuf::from);
        assert_eq!(target.identities, files);
        assert!(target.identities_chosen && !target.identities_only);
        assert_eq!(target.certificates, [PathBuf::from("/home/ann/.ssh/k-cert.pub")]);
        assert_eq!(target.agent, Some("/run/agent".into()));
        assert_eq!(target.unknown_keys, UnknownKeys::Accept);
        assert_eq!(target.connect_timeout, Some(Duration::from_secs(7)));
        assert_eq!(target.methods, Method::ALL);
        assert_eq!(target.known_hosts, ["/home/ann/.ssh/known_hosts", "/tmp/more"].map(PathBuf::from));
        assert_eq!(target.global_known_hosts.len(), 2);
        assert!(target.host_key_algorithms.contains(&"rsa-sha2-512".to_owned()));
        let Route::Jump(hops) = &target.route else { panic!("{:?}", target.route) };
        assert_eq!(hops.iter().map(Hop::to_string).collect::<Vec<_>>(), ["a@b:33", "c"]);
    }

    #[test]
    fn the_usual_identities_are_nobodys_choice() {
        let target = target("bar", COMMAND, &here()).unwrap();
        assert!(!target.identities_chosen && target.identities_only);
        assert_eq!(target.agent, None);
        assert_eq!(target.methods, [Method::PublicKey, Method::Password]);
        assert_eq!(target.route, Route::Command("nc bar 22".into()));
        assert_eq!(target.known_name().written(), "zz");
        assert_eq!(target.unknown_keys, UnknownKeys::Refuse);
        assert_eq!(target.connect_timeout, None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let of = |text: &str| target("x", text, &here()).unwrap_err().to_string();
        assert!(of("").contains("hostname"));
        assert!(of("hostname a\nuser b\nport 70000\n").contains("70000"));
        assert!(of("hostname a\nuser b\nport 22\nconnecttimeout soon\n").contains("soon"));
        assert!(of("hostname a\nuser b\nport 22\nproxyjump ,\n").contains("ProxyJump"));
    }
}
