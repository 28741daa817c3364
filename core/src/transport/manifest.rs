//! What a tree of files holds: the thing that both ends of a transfer compare.
//!
//! The text form begins with the number of entries, so that a text that was cut off is known for one, and has one line an
//! entry, fields separated by one space, the path last:
//!
//! ```text
//! procession-manifest 1 3
//! dir 0755 - - out
//! file 0644 6 5891…be03 out/a file with spaces
//! link 0777 - ../in/x out/link
//! ```
//!
//! Control characters and `\` are written `\u{a}`, and a space in the target of a link as `\u{20}`, so each entry is one
//! line whatever the file is called. A name that is not UTF-8 has no manifest: whoever lists a folder reports it.

use super::RemotePath;
use super::digest::Digest;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

const HEAD: &str = "procession-manifest 1 ";

/// The entries of a tree, sorted by path, each path once.
///
/// ```
/// use procession::transport::{Content, Digest, Manifest, ManifestEntry, RemotePath};
/// let mut tree = Manifest::default();
/// let content = Content::File { size: 3, digest: Digest::of(b"abc") };
/// tree.insert(ManifestEntry { path: RemotePath::literal("a\nb"), mode: 0o644, content })?;
/// assert_eq!(tree.to_string().parse::<Manifest>()?, tree);
/// assert_eq!(tree.bytes(), 3);
/// # Ok::<(), procession::transport::ManifestError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Manifest {
    entries: BTreeMap<RemotePath, ManifestEntry>,
}

/// One file, directory or link of a tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestEntry {
    /// Relative to the root of the tree. It is `.` if the tree is one single file.
    pub path: RemotePath,
    /// The lower twelve bits of its mode.
    pub mode: u32,
    /// What it holds.
    pub content: Content,
}

/// What an entry holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A regular file.
    File {
        /// In bytes.
        size: u64,
        /// The hash of its bytes.
        digest: Digest,
    },
    /// A directory; what is in it has entries of its own.
    Dir,
    /// A symbolic link.
    Link {
        /// The text of the link.
        target: String,
    },
}

/// How an entry of one manifest stands in another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// It is not there.
    Missing(RemotePath),
    /// It is there only in the other one.
    Extra(RemotePath),
    /// It is another kind of thing, or holds other bytes.
    Content(RemotePath),
    /// It is the same, with other permissions.
    Mode(RemotePath),
}

/// Why a text is no manifest, or an entry cannot be in one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    /// The first line is not that of a manifest, or of a later version.
    #[error("this is no manifest of version 1: it begins with {0:?}")]
    Head(String),
    /// A line that does not say what an entry is. Lines count from 1.
    #[error("line {line} of the manifest: {why}")]
    Line {
        /// Which line.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The text does not hold as many whole lines as its first line says.
    #[error("the manifest should have {entries} entries, but it was cut off or changed")]
    CutOff {
        /// How many entries its first line names.
        entries: usize,
    },
    /// The same path twice.
    #[error("{0} is twice in the manifest")]
    Twice(RemotePath),
    /// A path that is absolute or holds `..`.
    #[error("{0} does not stay inside the tree")]
    Outside(RemotePath),
    /// More than [`Manifest::MOST`] entries.
    #[error("a manifest holds at most {} entries: pack the files into archives", Manifest::MOST)]
    TooMany,
}

impl Manifest {
    /// The most entries: at some 200 bytes each, two million are what a process can hold without being noticed.
    pub const MOST: usize = 2_000_000;

    /// Adds an entry. `Twice` if there is one with this path, `Outside` if its path is absolute or holds a `..`.
    pub fn insert(&mut self, entry: ManifestEntry) -> Result<(), ManifestError> {
        if entry.path.is_absolute() || entry.path.parts().any(|part| part == "..") {
            return Err(ManifestError::Outside(entry.path));
        }
        if self.entries.contains_key(&entry.path) {
            return Err(ManifestError::Twice(entry.path));
        }
        if self.entries.len() >= Manifest::MOST {
            return Err(ManifestError::TooMany);
        }
        self.entries.insert(entry.path.clone(), entry);
        Ok(())
    }

    /// The entry at this path.
    pub fn at(&self, path: &RemotePath) -> Option<&ManifestEntry> {
        self.entries.get(path)
    }

    /// All entries, sorted by path: a directory comes before what is in it.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &ManifestEntry> {
        self.entries.values()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.values().fold(0, |sum, entry| match &entry.content {
            Content::File { size, digest: _ } => sum.saturating_add(*size),
            Content::Dir | Content::Link { target: _ } => sum,
        })
    }

    /// What is different in `other`, sorted by path. Nothing if both are the same.
    pub fn diff(&self, other: &Manifest) -> Vec<Difference> {
        let mut all: Vec<&RemotePath> = self.entries.keys().chain(other.entries.keys()).collect();
        all.sort();
        all.dedup();
        all.into_iter().filter_map(|path| difference(path, self.at(path), other.at(path))).collect()
    }
}

fn difference(
    path: &RemotePath,
    ours: Option<&ManifestEntry>,
    theirs: Option<&ManifestEntry>,
) -> Option<Difference> {
    match (ours, theirs) {
        (Some(a), Some(b)) if a.content != b.content => Some(Difference::Content(path.clone())),
        (Some(a), Some(b)) if a.mode != b.mode => Some(Difference::Mode(path.clone())),
        (Some(_), Some(_)) | (None, None) => None,
        (Some(_), None) => Some(Difference::Missing(path.clone())),
        (None, Some(_)) => Some(Difference::Extra(path.clone())),
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}{}", self.entries.len())?;
        for entry in self.entries.values() {
            writeln!(f, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ManifestEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = escape(self.path.as_str(), &[]);
        match &self.content {
            Content::File { size, digest } => write!(f, "file {:04o} {size} {digest} {path}", self.mode),
            Content::Dir => write!(f, "dir {:04o} - - {path}", self.mode),
            Content::Link { target } => {
                write!(f, "link {:04o} - {} {path}", self.mode, escape(target, &[' ']))
            }
        }
    }
}

impl FromStr for Manifest {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Manifest, ManifestError> {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let count = head.strip_prefix(HEAD).and_then(|count| count.parse::<usize>().ok());
        let count = count.ok_or_else(|| ManifestError::Head(head.chars().take(80).collect()))?;
        if !body.is_empty() && !body.ends_with('\n') {
            return Err(ManifestError::CutOff { entries: count });
        }
        let mut manifest = Manifest::default();
        for (at, line) in body.split_terminator('\n').enumerate() {
            manifest.insert(line.parse().map_err(|why| ManifestError::Line { line: at + 2, why })?)?;
        }
        if manifest.len() != count {
            return Err(ManifestError::CutOff { entries: count });
        }
        Ok(manifest)
    }
}

impl FromStr for ManifestEntry {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<ManifestEntry, &'static str> {
        let mut fields = line.splitn(5, ' ');
        let mut field = || fields.next().ok_or("it has fewer than five fields");
        let (kind, mode, size, third, path) = (field()?, field()?, field()?, field()?, field()?);
        let mode = u32::from_str_radix(mode, 8).map_err(|_| "the mode is not octal")?;
        if mode > 0o7777 {
            return Err("the mode has more than twelve bits");
        }
        let content = match (kind, size, third) {
            ("file", size, digest) => Content::File {
                size: size.parse().map_err(|_| "the size is not a number")?,
                digest: digest.parse().map_err(|_| "the digest is not 64 hexadecimal digits")?,
            },
            ("dir", "-", "-") => Content::Dir,
            ("link", "-", target) => Content::Link { target: unescape(target)? },
            (_, _, _) => return Err("it is neither a file, nor a dir, nor a link"),
        };
        let path = unescape(path)?.parse().map_err(|_| "the path is not valid")?;
        Ok(ManifestEntry { path, mode, content })
    }
}

fn escape(text: &str, also: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || c == '\\' || also.contains(&c) {
            escaped.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn unescape(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "an escape is not of the form \\u{a}";
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split('\\');
    plain.extend(pieces.next());
    for piece in pieces {
        let (code, rest) = piece.strip_prefix("u{").and_then(|rest| rest.split_once('}')).ok_or(WRONG)?;
        let code = u32::from_str_radix(code, 16).map_err(|_| WRONG)?;
        plain.push(char::from_u32(code).ok_or(WRONG)?);
        plain.push_str(rest);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: &[u8]) -> ManifestEntry {
        let content = Content::File { size: bytes.len() as u64, digest: Digest::of(bytes) };
        ManifestEntry { path: path.parse().unwrap(), mode: 0o640, content }
    }

    fn manifest(entries: impl IntoIterator<Item = ManifestEntry>) -> Manifest {
        let mut manifest = Manifest::default();
        for entry in entries {
            manifest.insert(entry).unwrap();
        }
        manifest
    }

    #[test]
    fn any_file_name_comes_back_from_the_text() {
        let odd = [
            " lead",
            "trail ",
            "a\nb",
            "a\rb",
            "tab\t",
            "q'\"q",
            "naïve 日本 🦀",
            "back\\slash",
            "\u{85}",
            "\\u{a}",
        ];
        let mut tree = manifest(odd.map(|name| file(name, b"x")));
        tree.insert(ManifestEntry { path: RemotePath::literal("dir"), mode: 0o4755, content: Content::Dir })
            .unwrap();
        let content = Content::Link { target: "a target\nwith lines".into() };
        tree.insert(ManifestEntry { path: RemotePath::literal("dir/l k"), mode: 0o777, content }).unwrap();
        let text = tree.to_string();
        assert_eq!(text.lines().count(), 13);
        assert_eq!(text.parse(), Ok(tree));
    }

    #[test]
    fn a_manifest_that_is_cut_anywhere_is_refused() {
        let text = manifest([file("a", b"1"), file("b", b"2")]).to_string();
        for cut in 0..text.len() {
            assert!(text[..cut].parse::<Manifest>().is_err(), "{:?}", &text[..cut]);
        }
    }

    #[test]
    fn damaged_text_never_panics_and_what_is_read_comes_back() {
        let text = manifest([file("a\\b", b"1"), file("c d", b"2")]).to_string();
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                bytes[at] = *rng.choice(b" \n\\u{}0a-/.\xff\x80").expect("there are some");
            }
            if let Ok(read) = String::from_utf8_lossy(&bytes).parse::<Manifest>() {
                assert_eq!(read.to_string().parse(), Ok(read));
            }
        }
    }

    #[test]
    fn wrong_lines_are_named() {
        for line in [
            "file 0644 1",
            "file 9 1 x a",
            "pipe 0644 - - a",
            "dir 0755 4 - a",
            "file 17777 1 x a",
            "dir 0755 - - \\n",
            "",
        ] {
            let text = format!("{HEAD}2\n{line}\ndir 0755 - - z\n");
            match text.parse::<Manifest>() {
                Err(ManifestError::Line { line: 2, why: _ }) => {}
                other => panic!("{line:?}: {other:?}"),
            }
        }
        assert!(matches!("".parse::<Manifest>(), Err(ManifestError::Head(_))));
    }

    #[test]
    fn a_path_is_once_in_a_manifest_and_inside() {
        let mut tree = manifest([file("a", b"")]);
        assert_eq!(tree.insert(file("a", b"other")), Err(ManifestError::Twice(RemotePath::literal("a"))));
        for outside in ["../a", "/a", "b/../../a"] {
            assert!(matches!(tree.insert(file(outside, b"")), Err(ManifestError::Outside(_))));
        }
        assert_eq!(tree.len(), 1);
    }

    #[test]
    fn every_difference_is_named_once() {
        let ours = manifest([file("gone", b""), file("mode", b""), file("same", b""), file("text", b"1")]);
        let theirs = manifest([
            file("extra", b""),
            ManifestEntry { mode: 0o600, ..file("mode", b"") },
            file("same", b""),
            file("text", b"2"),
        ]);
        let path = RemotePath::literal;
        assert_eq!(
            ours.diff(&theirs),
            [
                Difference::Extra(path("extra")),
                Difference::Missing(path("gone")),
                Difference::Mode(path("mode")),
                Difference::Content(path("text")),
            ]
        );
        assert_eq!(ours.diff(&ours), []);
    }
}
