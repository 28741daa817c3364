//! What a host says is there, before anybody believes it.

use procession::transport::{FileKind, RemotePath, TransportError};

/// One thing that a host says is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    /// Relative to the folder; it never leads out of it.
    pub(super) path: RemotePath,
    pub(super) kind: FileKind,
    pub(super) size: u64,
    /// The lower twelve bits.
    pub(super) mode: u32,
    /// What a link holds; as text, if it is text.
    pub(super) target: Option<String>,
}

/// What one entry of a list says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    Listed(Listed),
    /// A name that is no text, or no name, with what is no text replaced.
    Unnameable(String),
}

/// Reads an entry: `type mode size path` as `find -printf` writes it, or `permissions size path` with the permissions as
/// `ls -l` writes them; and what the link holds.
pub(super) fn read_entry(head: &[u8], target: &[u8]) -> Result<Entry, TransportError> {
    let wrong = || {
        let head: String = String::from_utf8_lossy(head).chars().take(200).collect();
        TransportError::Protocol(format!("no entry of a list: {head:?}"))
    };
    let (first, rest) = cut(head).ok_or_else(wrong)?;
    let (kind, mode, rest) = if first.len() == 1 {
        let (mode, rest) = cut(rest).ok_or_else(wrong)?;
        let mode = std::str::from_utf8(mode).ok().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        (first[0], mode.filter(|mode| *mode <= 0o7777).ok_or_else(wrong)?, rest)
    } else {
        (first[0], symbolic(first).ok_or_else(wrong)?, rest)
    };
    let kind = match kind {
        b'f' | b'-' => FileKind::File,
        b'd' => FileKind::Dir,
        b'l' => FileKind::Link,
        _ => FileKind::Other,
    };
    let (size, path) = cut(rest).ok_or_else(wrong)?;
    let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
    // `ls` writes two numbers where a device has its size.
    let size = if kind == FileKind::Other { size.unwrap_or(0) } else { size.ok_or_else(wrong)? };
    let parsed = std::str::from_utf8(path).ok().and_then(|path| path.parse::<RemotePath>().ok());
    let Some(parsed) = parsed else {
        return Ok(Entry::Unnameable(String::from_utf8_lossy(path).into_owned()));
    };
    if parsed.is_absolute() || parsed.parts().any(|part| part == "..") {
        return Err(wrong());
    }
    let target = (kind == FileKind::Link).then(|| String::from_utf8_lossy(target).into_owned());
    Ok(Entry::Listed(Listed { path: parsed, kind, size, mode, target }))
}

/// Up to the next space, and what is behind it. The first part is never empty.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b' ').filter(|at| *at > 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// `-rwsr-xr-t`, with a sign for more rights behind it on some hosts.
fn symbolic(text: &[u8]) -> Option<u32> {
    let letters = text.get(1..10)?;
    let mut mode = 0;
    for (at, letter) in letters.iter().enumerate() {
        let bit = 0o400 >> at;
        let special = [0o4000, 0o2000, 0o1000][at / 3];
        mode |= match letter {
            b'-' => 0,
            b'r' | b'w' | b'x' => bit,
            b's' | b't' => bit | special,
            b'S' | b'T' => special,
            _ => return None,
        };
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Entry, TransportError> {
        read_entry(head.as_bytes(), b"to")
    }

    #[test]
    fn both_forms_say_the_same() {
        let a = read("f 4755 12 a b\nc").unwrap();
        assert_eq!(a, read("-rwsr-xr-x 12 a b\nc").unwrap());
        let Entry::Listed(listed) = a else { panic!("{a:?}") };
        assert_eq!((listed.mode, listed.size, listed.path.as_str()), (0o4755, 12, "a b\nc"));
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        for head in
            ["f 644 1 ../x", "f 644 1 /etc/x", "f 644 1 a/../../x", "f 99 1 x", "f 644 x", "x", "", " "]
        {
            assert!(matches!(read(head), Err(TransportError::Protocol(_))), "{head}");
        }
    }
}
