//! Paths on a host: text, `/` separated, checked once when they are made.
//!
//! A path here is not looked up anywhere; what it means is for the transport to say.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A path on a host: UTF-8 text, absolute or relative to the work folder of a transport.
///
/// It is never empty, holds no NUL, and is written in one way only: no `//`, no `.` between, no `/` at the end. `.` alone
/// is the work folder itself. A `..` is kept, because what it means depends on the links of the host;
/// [`inside`](RemotePath::inside) is for those who must not be led out of a folder.
///
/// ```
/// use procession::transport::RemotePath;
/// let base: RemotePath = "/scratch//jobs/".parse()?;
/// assert_eq!(base.as_str(), "/scratch/jobs");
/// let out = base.join(&RemotePath::literal("7/out.txt"));
/// assert_eq!(out.to_string(), "/scratch/jobs/7/out.txt");
/// assert_eq!(out.name(), Some("out.txt"));
/// assert_eq!(out.parent(), Some(RemotePath::literal("/scratch/jobs/7")));
/// # Ok::<(), procession::transport::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemotePath(String);

/// Why a text is no path, or a path is not permitted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// There is no text at all. The work folder itself is `.`.
    #[error("a path is never empty; the folder itself is `.`")]
    Empty,
    /// No file system can hold a NUL in a name.
    #[error("a path holds no NUL: {0:?}")]
    Nul(String),
    /// Longer than [`RemotePath::LONGEST`] bytes.
    #[error("a path of {bytes} bytes is longer than {} bytes", RemotePath::LONGEST)]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// It is a name that was wanted, but it holds a `/`, or it is `.` or `..`.
    #[error("{0:?} is not the name of one file")]
    NotAName(String),
    /// It leads out of the folder that it must stay in.
    #[error("{path} leads out of {base}")]
    Escapes {
        /// The path.
        path: String,
        /// The folder.
        base: String,
    },
}

impl RemotePath {
    /// The longest path, in bytes: PATH_MAX of Linux, which counts the NUL at the end (limits.h).
    pub const LONGEST: usize = 4095;

    /// The work folder itself: `.`
    pub fn here() -> RemotePath {
        RemotePath(".".to_owned())
    }

    /// A path that is written in the source. Panics if it is none: that is an error of the source.
    pub fn literal(text: &'static str) -> RemotePath {
        text.parse().expect("a path that is written in the source is valid")
    }

    /// As text, in the one way of writing it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it begins at the root of the host.
    pub fn is_absolute(&self) -> bool {
        self.0.starts_with('/')
    }

    /// Its names in order, `..` among them, the root and `.` not.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty() && *part != ".")
    }

    /// `tail` as seen from here. A `tail` that is absolute stays what it is.
    pub fn join(&self, tail: &RemotePath) -> RemotePath {
        if tail.is_absolute() || self.0 == "." {
            tail.clone()
        } else if tail.0 == "." {
            self.clone()
        } else if self.0 == "/" {
            RemotePath(format!("/{}", tail.0))
        } else {
            RemotePath(format!("{}/{}", self.0, tail.0))
        }
    }

    /// The file called `name` in this folder. `NotAName` if it is not one name.
    pub fn child(&self, name: &str) -> Result<RemotePath, PathError> {
        if name.contains('/') || name == "." || name == ".." {
            return Err(PathError::NotAName(name.to_owned()));
        }
        Ok(self.join(&name.parse()?))
    }

    /// The folder it lies in. None for the root, for `.`, and where the last part is `..`.
    pub fn parent(&self) -> Option<RemotePath> {
        self.name()?;
        Some(match self.0.rfind('/') {
            Some(0) => RemotePath("/".to_owned()),
            Some(at) => RemotePath(self.0[..at].to_owned()),
            None => RemotePath::here(),
        })
    }

    /// The last name. None for the root, for `.`, and where the last part is `..`.
    pub fn name(&self) -> Option<&str> {
        self.parts().last().filter(|name| *name != "..")
    }

    /// This path below `base`, with every `..` resolved as text. `Escapes` if it leads out of `base`, and for an absolute
    /// path that does not begin with `base`.
    ///
    /// ```
    /// use procession::transport::RemotePath;
    /// let base = RemotePath::literal("/jobs/7");
    /// assert_eq!(RemotePath::literal("a/../b").inside(&base)?, RemotePath::literal("/jobs/7/b"));
    /// assert!(RemotePath::literal("../8/b").inside(&base).is_err());
    /// assert!(RemotePath::literal("/etc/passwd").inside(&base).is_err());
    /// # Ok::<(), procession::transport::PathError>(())
    /// ```
    pub fn inside(&self, base: &RemotePath) -> Result<RemotePath, PathError> {
        let escapes = || PathError::Escapes { path: self.0.clone(), base: base.0.clone() };
        let tail: Vec<&str> = if self.is_absolute() {
            let mut mine = self.parts();
            if !base.is_absolute() || !base.parts().all(|part| mine.next() == Some(part)) {
                return Err(escapes());
            }
            mine.collect()
        } else {
            self.parts().collect()
        };
        let mut resolved: Vec<&str> = Vec::new();
        for part in tail {
            if part != ".." {
                resolved.push(part);
            } else if resolved.pop().is_none() {
                return Err(escapes());
            }
        }
        if resolved.is_empty() {
            return Ok(base.clone());
        }
        base.join(&RemotePath(resolved.join("/"))).0.parse()
    }

    /// Whether a symbolic link that lies here may hold `target` and still lead to something below the folder that this
    /// path is relative to.
    ///
    /// An absolute target may not. A `..` may only stand in front: behind a name, which may be another link, text does not
    /// say where it leads.
    pub fn permits_link_to(&self, target: &str) -> bool {
        if target.starts_with('/') || target.is_empty() || self.is_absolute() {
            return false;
        }
        let depth = self.parts().count().saturating_sub(1);
        let mut parts = target.split('/').filter(|part| !part.is_empty() && *part != ".").peekable();
        let mut ups = 0;
        while parts.next_if_eq(&"..").is_some() {
            ups += 1;
        }
        ups <= depth && parts.all(|part| part != "..") && self.parts().all(|part| part != "..")
    }
}

impl FromStr for RemotePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<RemotePath, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.contains('\0') {
            return Err(PathError::Nul(text.to_owned()));
        }
        if text.len() > RemotePath::LONGEST {
            return Err(PathError::TooLong { bytes: text.len() });
        }
        let mut path = String::with_capacity(text.len());
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if !path.is_empty() || text.starts_with('/') {
                path.push('/');
            }
            path.push_str(part);
        }
        if path.is_empty() {
            path.push_str(if text.starts_with('/') { "/" } else { "." });
        }
        Ok(RemotePath(path))
    }
}

impl TryFrom<String> for RemotePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<RemotePath, PathError> {
        text.parse()
    }
}

impl From<RemotePath> for String {
    fn from(path: RemotePath) -> String {
        path.0
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemotePath({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        text.parse().unwrap()
    }

    #[test]
    fn every_path_is_written_in_one_way() {
        for (text, written) in [
            ("a//b/", "a/b"),
            ("./a/./b", "a/b"),
            ("/", "/"),
            ("///", "/"),
            (".", "."),
            ("./", "."),
            ("/./a", "/a"),
            ("a/../b", "a/../b"),
            (" a b ", " a b "),
            ("new\nline", "new\nline"),
        ] {
            assert_eq!(path(text).as_str(), written, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        assert_eq!("".parse::<RemotePath>(), Err(PathError::Empty));
        assert_eq!("a\0b".parse::<RemotePath>(), Err(PathError::Nul("a\0b".into())));
        assert_eq!("x".repeat(4096).parse::<RemotePath>(), Err(PathError::TooLong { bytes: 4096 }));
        assert!(serde_json::from_str::<RemotePath>("\"\"").is_err());
    }

    #[test]
    fn parents_and_names() {
        assert_eq!(path("/a").parent(), Some(path("/")));
        assert_eq!(path("a").parent(), Some(path(".")));
        assert_eq!(path("/").parent(), None);
        assert_eq!(path(".").name(), None);
        assert_eq!(path("a/..").parent(), None);
    }

    #[test]
    fn joining_knows_the_root_and_the_folder_itself() {
        assert_eq!(path("/").join(&path("a")), path("/a"));
        assert_eq!(path(".").join(&path("a")), path("a"));
        assert_eq!(path("a").join(&path(".")), path("a"));
        assert_eq!(path("a").join(&path("/b")), path("/b"));
        assert_eq!(path("a").child("b c"), Ok(path("a/b c")));
        assert!(path("a").child("b/c").is_err() && path("a").child("..").is_err());
    }

    #[test]
    fn nothing_leads_out_of_its_base() {
        assert_eq!(path("/base/a/../b").inside(&path("/base")), Ok(path("/base/b")));
        assert_eq!(path("a/..").inside(&path("base")), Ok(path("base")));
        for outside in ["..", "a/../..", "a/../../base2", "/base2/a", "/base/../x"] {
            assert!(path(outside).inside(&path("/base")).is_err(), "{outside}");
        }
    }

    #[test]
    fn a_link_stays_inside_only_with_its_climbing_in_front() {
        assert!(path("a/b/link").permits_link_to("../../c"));
        assert!(path("link").permits_link_to("c/d"));
        for (link, target) in
            [("a/link", "../../c"), ("link", "/c"), ("link", ".."), ("a/link", "b/../c"), ("link", "")]
        {
            assert!(!path(link).permits_link_to(target), "{link} -> {target}");
        }
    }
}
