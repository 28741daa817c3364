//! How to get to a host: directly, through other hosts, or through a command.
//!
//! A host behind others is reached through sessions of our own: the transport of the last hop opens a stream to it
//! (`Op::Connect`, which is `direct-tcpip` of RFC 4254, section 7.2), and the next session speaks over that. So a chain is
//! in one thread, and hosts behind the same gate share its pool.

mod network;
mod proxy_command;

pub use network::{Finder, Network, NetworkSetup};

pub(crate) use proxy_command::ProxyCommand;

use crate::config::Query;
use std::fmt;

/// How to get to a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// By a connection of our own.
    Direct,
    /// Through these hosts, the first one first; never empty.
    Jump(Vec<Hop>),
    /// Through what a command reads and writes (`ProxyCommand`).
    Command(String),
}

impl Route {
    /// Whose settings tell how to get to the last host on the way, if there is one: its own, but the hosts before it are
    /// those of this route, if there are any (as `ssh -J a,b c` goes to `b` through `a`, and asks `a` how to get there).
    ///
    /// ```
    /// use procession_ssh::jump::{Hop, Route};
    /// let route = Route::Jump(Hop::list("gate,ann@inner:2222")?);
    /// let query = route.last().expect("there is one");
    /// assert_eq!((query.alias.as_str(), query.port, query.jump.as_deref()), ("inner", Some(2222), Some("gate")));
    /// assert_eq!(Route::Direct.last(), None);
    /// # Ok::<(), procession_ssh::jump::HopError>(())
    /// ```
    pub fn last(&self) -> Option<Query> {
        match self {
            Route::Direct | Route::Command(_) => None,
            Route::Jump(hops) => {
                let (last, before) = hops.split_last()?;
                let before: Vec<String> = before.iter().map(Hop::to_string).collect();
                Some(Query {
                    alias: last.host.clone(),
                    user: last.user.clone(),
                    port: last.port,
                    jump: (!before.is_empty()).then(|| before.join(",")),
                })
            }
        }
    }
}

/// A host on the way. What is not said here is looked up for it in turn.
///
/// ```
/// use procession_ssh::jump::Hop;
/// let hops = Hop::list("ann@gate.example.org:2222,[2001:db8::1]")?;
/// assert_eq!((hops[0].user.as_deref(), hops[0].port), (Some("ann"), Some(2222)));
/// assert_eq!((hops[1].host.as_str(), hops[1].port), ("2001:db8::1", None));
/// # Ok::<(), procession_ssh::jump::HopError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hop {
    /// The user there, if one was given.
    pub user: Option<String>,
    /// What the user calls it.
    pub host: String,
    /// The port, if one was given.
    pub port: Option<u16>,
}

/// Why a text is no list of hosts to jump through.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HopError {
    /// There is a hop without a host.
    #[error("{0:?} names no host")]
    NoHost(String),
    /// The host or the user holds a blank, a control character, a slash or a bracket.
    #[error("{0:?} holds a character that no host and no user has")]
    Character(String),
    /// What stands for the port is no port.
    #[error("{0:?} has a port that is none")]
    Port(String),
    /// More than [`Hop::MOST`] of them.
    #[error("more than {} hosts to jump through", Hop::MOST)]
    TooMany,
}

impl Hop {
    /// The longest way. A longer one is a loop: `ssh` itself gives up at some point too.
    pub const MOST: usize = 8;

    /// Reads the value of a `ProxyJump`: hosts with commas between, each as `[user@]host[:port]` or an `ssh://` address.
    pub fn list(text: &str) -> Result<Vec<Hop>, HopError> {
        let hops: Vec<Hop> = text.split(',').map(|hop| Hop::parse(hop.trim())).collect::<Result<_, _>>()?;
        if hops.len() > Hop::MOST { Err(HopError::TooMany) } else { Ok(hops) }
    }

    fn parse(text: &str) -> Result<Hop, HopError> {
        let no_host = || HopError::NoHost(text.to_owned());
        let rest = text.strip_prefix("ssh://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(place) => {
                let (host, after) = place.split_once(']').ok_or_else(no_host)?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or(after)) })
            }
            None => match place.split_once(':') {
                // More than one colon: an address of IPv6 without brackets, and so without a port.
                Some((_, port)) if port.contains(':') => (place, None),
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        // What begins with a dash would be an option to `ssh`.
        if host.is_empty()
            || host.starts_with('-')
            || user.is_some_and(|user| user.is_empty() || user.starts_with('-'))
        {
            return Err(no_host());
        }
        if [Some(host), user].into_iter().flatten().any(|word| word.contains(is_foreign)) {
            return Err(HopError::Character(text.to_owned()));
        }
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(0)) | Some(Err(_)) => return Err(HopError::Port(text.to_owned())),
            Some(Ok(port)) => Some(port),
        };
        Ok(Hop { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

/// What would be read as something else when the hop is written again.
fn is_foreign(c: char) -> bool {
    c.is_whitespace() || c.is_control() || ['/', '[', ']'].contains(&c)
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_written_as_they_are_read() {
        for text in ["a", "a,b,c", "u@a:1,b", "[::1]:22", "u@[fe80::1%25eth0]", "u@x@a"] {
            let hops = Hop::list(text).unwrap();
            assert_eq!(hops.iter().map(Hop::to_string).collect::<Vec<_>>().join(","), text);
        }
        assert_eq!(Hop::list("ssh://u@a:22/").unwrap()[0].to_string(), "u@a:22");
        assert_eq!(Hop::list("::1").unwrap()[0].to_string(), "[::1]");
    }

    #[test]
    fn what_is_no_hop_is_refused() {
        for text in ["", ",", "a,", "u@", "@a", "-oX", "u@-x", "a:", "a:0", "a:65536", "[a", "[]:22", "-x@a"]
        {
            assert!(Hop::list(text).is_err(), "{text}");
        }
        for text in ["a b", "ssh:// a", "ssh://ssh://u@a", "u v@a", "a\u{7}", "a:b]:c", "a/b"] {
            assert_eq!(Hop::list(text), Err(HopError::Character(text.to_owned())));
        }
        assert_eq!(Hop::list(&["a"; 9].join(",")), Err(HopError::TooMany));
    }
}
