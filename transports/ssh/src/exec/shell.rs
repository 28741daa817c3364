//! What is learned about the shell that a host gives to a command, and how: along with the first commands of a session, never
//! by one of its own.
//!
//! ```text
//!           braces                     version 5 or later
//! Unknown ─────────→ Braces ────────────────────────────────→ Bash
//!    └──────────────────┴──── anything else ────────────────→ Other
//! ```
//!
//! The line that starts a command must be one that every login shell takes, csh and fish among them, and so it cannot ask for a
//! variable: an unknown one is an error there. It can hold `{a..c}`, which bash, ksh and zsh make three words of, and all
//! others leave as one. Among these three a variable may be asked for.

/// What is known of the login shell of a session.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Shell {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It makes several words of `{a..c}`.
    Braces,
    /// It is bash, of version 5 or later, which takes a name of our choice for what it says itself (bash(1), `BASH_ARGV0`).
    Bash,
    /// Another one.
    Other,
}

impl Shell {
    /// What stands behind the script for `sh`, for the login shell to make words of.
    pub(super) fn question(self) -> &'static str {
        match self {
            Shell::Unknown => " sh {a..c}",
            Shell::Braces => " sh \"${BASH_VERSION-}\"",
            Shell::Bash | Shell::Other => "",
        }
    }

    /// What is known after the question: how many words it came to, and the number that the first of them began with.
    pub(super) fn told(self, words: u32, version: Option<u32>) -> Shell {
        match (self, words, version) {
            (Shell::Unknown, 3, _) => Shell::Braces,
            (Shell::Unknown, _, _) => Shell::Other,
            (Shell::Braces, 1, Some(5..)) => Shell::Bash,
            (Shell::Braces, _, _) => Shell::Other,
            (known @ (Shell::Bash | Shell::Other), _, _) => known,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_bash_is_taken_for_one() {
        assert_eq!(Shell::Unknown.told(3, None), Shell::Braces);
        assert_eq!(Shell::Unknown.told(1, None), Shell::Other);
        assert_eq!(Shell::Braces.told(1, Some(5)), Shell::Bash);
        assert_eq!(Shell::Braces.told(1, Some(4)), Shell::Other);
        assert_eq!(Shell::Braces.told(1, None), Shell::Other);
    }
}
