//! Words for shells: for `sh`, whose rules we know, and for the login shell in front of it, which may be any.

/// A word as `sh` takes it. A newline is written as `$_n`, so that no shell in front ever sees one.
pub(super) fn word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./,:=@%+".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("'\"'\"'"),
            '\n' => quoted.push_str("'\"$_n\"'"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A text of one line as the login shell takes it, be it `sh`, `bash`, `zsh`, `csh`, `tcsh` or `fish`: single quotes, and
/// outside of them what one of these reads differently inside.
///
/// In `fish` a `\` in single quotes may escape, in `csh` a `!` there recalls an old command; both are plain when they stand
/// behind a `\` without quotes (csh(1), "History substitution"; fish-language(1), "Quotes").
pub(crate) fn line(text: &str) -> String {
    debug_assert!(!text.contains('\n'), "csh ends a quoted word at a newline");
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("'\"'\"'"),
            '\\' => quoted.push_str("'\\\\'"),
            '!' => quoted.push_str("'\\!'"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        for plain in ["a", "--user=x", "/usr/bin/env", "50%", "a,b:c+d@e"] {
            assert_eq!(word(plain), plain);
        }
    }

    #[test]
    fn what_a_shell_reads_is_quoted() {
        assert_eq!(word(""), "''");
        assert_eq!(word("$HOME `x`"), "'$HOME `x`'");
        assert_eq!(word("it's"), "'it'\"'\"'s'");
        assert_eq!(word("a\nb"), "'a'\"$_n\"'b'");
    }

    #[test]
    fn no_backslash_and_no_exclamation_mark_stands_in_single_quotes() {
        assert_eq!(line("a!b\\c'd"), "'a'\\!'b'\\\\'c'\"'\"'d'");
    }
}
