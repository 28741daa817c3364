//! The text that a host is given to run, and the words that are put into it.
//!
//! The program is fixed; names of files come to it as words in which every byte that a shell could take for something else
//! is written as `\0ooo`, which `printf %b` of any POSIX shell undoes.

use super::MIB;
use crate::exec::quote;
use procession::transport::RemotePath;

/// The command line for the login shell of a host, whatever shell that is.
pub(super) fn command_line() -> String {
    let program: Vec<&str> = include_str!("host.sh").lines().filter(|line| !line.starts_with('#')).collect();
    format!("exec /bin/sh -c {} procession", quote::line(&program.join(" ")))
}

/// A name as one word.
pub(super) fn word(text: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._/-".contains(&byte) {
            word.push(char::from(byte));
        } else {
            word.push_str(&format!("\\0{byte:03o}"));
        }
    }
    word
}

/// A path as one word that no command takes for an option.
pub(super) fn place(path: &RemotePath) -> String {
    word(&dotted(path))
}

/// A path that no command takes for an option.
pub(super) fn dotted(path: &RemotePath) -> String {
    if path.is_absolute() { path.as_str().to_owned() } else { format!("./{path}") }
}

/// The command that hashes so many MiB of a file of this size, from there on.
pub(super) fn sum_of(path: &RemotePath, size: u64, skip: u64, count: u64) -> String {
    if skip == 0 && count * MIB >= size {
        format!("whole {}", place(path))
    } else {
        format!("part {} {skip} {count}", place(path))
    }
}

/// Names in a list, each with a NUL behind it.
pub(super) fn list<'a>(paths: impl IntoIterator<Item = &'a RemotePath>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for path in paths {
        bytes.extend(dotted(path).as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_one_line_that_every_login_shell_takes() {
        let line = command_line();
        assert!(!line.contains(['\n', '!']), "{line}");
        assert!(line.len() < crate::session::LONGEST_LINE, "{}", line.len());
    }

    #[test]
    fn a_word_holds_nothing_that_a_shell_knows() {
        assert_eq!(word("a b\n'é"), "a\\0040b\\0012\\0047\\0303\\0251");
        assert_eq!(place(&RemotePath::literal("-rf")), "./-rf");
    }
}
