//! The name under which a host is known, and the patterns that may match it.

use sha1::{Digest, Sha1};
use ssh_key::known_hosts::HostPatterns;

/// The name under which a host is known: lower case, with its port if that is not 22.
///
/// ```
/// use procession_ssh::hostkey::HostName;
/// assert_eq!(HostName::new("Login.Example.ORG", 22).written(), "login.example.org");
/// assert_eq!(HostName::new("::1", 2222).written(), "[::1]:2222");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostName {
    name: String,
    port: u16,
    written: String,
}

impl HostName {
    /// The port of ssh (RFC 4253, section 4.1).
    pub const PORT: u16 = 22;

    /// This name or address, at this port.
    pub fn new(name: &str, port: u16) -> HostName {
        let name = name.to_ascii_lowercase();
        let written = match port {
            HostName::PORT => name.clone(),
            port => format!("[{name}]:{port}"),
        };
        HostName { name, port, written }
    }

    /// An alias (`HostKeyAlias`), under which a host is known whatever its port is; `port` is only for messages.
    pub fn alias(alias: &str, port: u16) -> HostName {
        let name = alias.to_ascii_lowercase();
        HostName { written: name.clone(), name, port }
    }

    /// Without the port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As it is written in files of known hosts.
    pub fn written(&self) -> &str {
        &self.written
    }

    pub(super) fn without_port(&self) -> HostName {
        HostName::new(&self.name, HostName::PORT)
    }
}

/// For whom a line is.
#[derive(Clone, Debug)]
pub(super) enum Hosts {
    Patterns(Vec<String>),
    Hashed { salt: Vec<u8>, hash: [u8; 20] },
}

impl From<HostPatterns> for Hosts {
    fn from(patterns: HostPatterns) -> Hosts {
        match patterns {
            HostPatterns::Patterns(patterns) => {
                Hosts::Patterns(patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect())
            }
            HostPatterns::HashedName { salt, hash } => Hosts::Hashed { salt, hash },
        }
    }
}

impl Hosts {
    pub(super) fn matches(&self, host: &HostName) -> bool {
        match self {
            Hosts::Patterns(patterns) => {
                let negated = |pattern: &String| {
                    pattern.strip_prefix('!').is_some_and(|pattern| matches(pattern, host.written()))
                };
                !patterns.iter().any(negated) && patterns.iter().any(|p| matches(p, host.written()))
            }
            Hosts::Hashed { salt, hash } => hmac_sha1(salt, host.written().as_bytes()) == *hash,
        }
    }
}

/// Whether a pattern, in which `*` stands for any text and `?` for one character, is the whole name (`ssh_config(5)`,
/// PATTERNS). It takes at most the product of their lengths.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last star does not match: the star may stand for one character more.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    p = after;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// RFC 2104, with the hash that files of known hosts use.
fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha1::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(text).finalize();
    Sha1::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_name() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "a.b", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("n??", "n01", true),
            ("n??", "n1", false),
            ("[a*]:22?", "[a1]:222", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_negation_counts_wherever_it_stands() {
        let hosts = |text: &str| Hosts::from(text.parse::<HostPatterns>().unwrap());
        let name = HostName::new("bad.example.org", 22);
        assert!(hosts("*.example.org").matches(&name));
        assert!(!hosts("*.example.org,!bad.*").matches(&name));
        assert!(!hosts("!bad.*,*.EXAMPLE.org").matches(&name));
        assert!(!hosts("!other").matches(&name), "a negation alone matches nobody");
    }

    #[test]
    fn the_hash_is_that_of_rfc_2202() {
        let of = |key: &[u8], text: &[u8]| hmac_sha1(key, text).map(|b| format!("{b:02x}")).concat();
        assert_eq!(of(&[0x0b; 20], b"Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00");
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(of(&[0xaa; 80], long), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    }
}
