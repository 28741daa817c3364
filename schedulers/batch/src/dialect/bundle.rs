//! Several calls of one script in one command, each answered as if it had come alone.
//!
//! A command on a host behind ssh costs more than most of what our scripts do. What decides that a job is submitted once lies
//! in the script of each part, so carrying parts together changes none of it: each has its shell, its fence and its answer,
//! and one whose answer is cut off is one whose reply was lost.

use super::sh;
use procession::transport::{Ended, Exit};

/// Runs a script several times: `sh -c BUNDLE procession SCRIPT SECONDS (COUNT ARGUMENT…)…`.
pub const BUNDLE: &str = include_str!("bundle.sh");

const PART: &str = "PROCESSION-PART 1";
const OVER: &str = "PROCESSION-OVER 1 ";
const LEFT: &str = "PROCESSION-LEFT 1 ";

/// The script and the arguments of a command line that [`sh`](super::sh) has made; none for any other one.
pub fn call_of(argv: &[String]) -> Option<(&str, &[String])> {
    match argv {
        [sh, c, script, name, args @ ..] if [sh, c, name] == ["sh", "-c", "procession"] => {
            Some((script, args))
        }
        _other => None,
    }
}

/// One command for all these arguments of a script, in order. When `seconds` are over, no more parts are begun.
pub fn bundle<'a>(script: &str, seconds: u64, parts: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let counted =
        parts.into_iter().flat_map(|args| [args.len().to_string()].into_iter().chain(args.iter().cloned()));
    sh(BUNDLE, [script.to_string(), seconds.to_string()].into_iter().chain(counted))
}

/// What each of `count` parts has answered, in order; none for one that was not begun.
///
/// A part that was cut off, or may have been begun unseen, has an answer without an end.
pub fn parts(exit: &Exit, count: usize) -> Vec<Option<Exit>> {
    let silent = Exit { how: exit.how, stdout: Vec::new(), stderr: exit.stderr.clone(), total: [0, 0] };
    let mut parts: Vec<Option<Exit>> = Vec::with_capacity(count);
    let mut lines = exit.stdout.split_inclusive(|byte| *byte == b'\n');
    let mut left = 0;
    while let Some(line) = lines.next() {
        if word(line) == Some(PART) {
            parts.push(Some(part(&mut lines, silent.clone())));
        } else if let Some(rest) = word(line).and_then(|line| line.strip_prefix(LEFT)) {
            left = rest.parse().unwrap_or(0);
        }
    }
    let begun = count.saturating_sub(left).max(parts.len()).min(count);
    parts.resize(begun, Some(silent));
    parts.resize(count, None);
    parts
}

/// The lines of one part. Without its last one it ended as the whole command did.
fn part<'a>(lines: &mut impl Iterator<Item = &'a [u8]>, silent: Exit) -> Exit {
    let mut stdout = Vec::new();
    for line in lines {
        if let Some(code) = word(line).and_then(|line| line.strip_prefix(OVER)) {
            let how = code.parse().map_or(silent.how, Ended::Code);
            return Exit { how, stdout, ..silent };
        }
        stdout.extend_from_slice(line);
    }
    Exit { stdout, ..silent }
}

/// A whole line, without its end.
fn word(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line).ok()?.strip_suffix('\n')
}

#[cfg(test)]
mod tests {
    use super::{bundle, call_of, parts};
    use crate::dialect::{AnswerError, framed, sh};
    use procession::transport::{Ended, Exit};

    fn said(stdout: &str) -> Exit {
        Exit { how: Ended::Code(0), stdout: stdout.into(), stderr: b"oh".to_vec(), total: [0, 0] }
    }

    fn texts(stdout: &str, count: usize) -> Vec<Option<Result<Vec<String>, AnswerError>>> {
        parts(&said(stdout), count).into_iter().map(|part| part.map(|exit| framed(&exit))).collect()
    }

    fn one(text: &str, code: i32) -> String {
        format!(
            "PROCESSION-PART 1\nPROCESSION-BEGIN 1\n{text}\nPROCESSION-END 1\n\nPROCESSION-OVER 1 {code}\n"
        )
    }

    #[test]
    fn each_part_has_its_answer_and_its_code() {
        let all = parts(&said(&format!("Welcome!\n{}{}PROCESSION-LEFT 1 0\n", one("a", 0), one("b", 3))), 2);
        let [Some(a), Some(b)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((framed(a), a.how), (Ok(vec!["a".into()]), Ended::Code(0)));
        assert_eq!((framed(b), b.how), (Ok(vec!["b".into()]), Ended::Code(3)));
    }

    #[test]
    fn a_part_that_was_not_begun_has_none() {
        let told = texts(&format!("{}PROCESSION-LEFT 1 2\n", one("a", 0)), 3);
        assert_eq!(told, [Some(Ok(vec!["a".into()])), None, None]);
    }

    #[test]
    fn what_comes_after_a_cut_may_have_been_begun() {
        let whole = one("a", 0) + &one("b", 0);
        for at in one("a", 0).len()..whole.len() - 1 {
            let told = texts(&whole[..at], 3);
            assert_eq!(told[0], Some(Ok(vec!["a".into()])), "{at}");
            assert!(
                told[1].is_some() && matches!(told[2], Some(Err(AnswerError::Cut { .. }))),
                "{at}: {told:?}"
            );
        }
    }

    #[test]
    fn more_answers_than_parts_are_not_heard() {
        assert_eq!(texts(&(one("a", 0) + &one("b", 0)), 1), [Some(Ok(vec!["a".into()]))]);
        assert_eq!(texts("PROCESSION-LEFT 1 9\n", 1), [None]);
    }

    #[test]
    fn only_scripts_of_ours_can_be_bundled() {
        let argv = sh("exit", ["a".to_string()]);
        assert_eq!(call_of(&argv), Some(("exit", &["a".to_string()][..])));
        assert_eq!(call_of(&argv[1..]), None);
        let both = [&argv[4..], &[]];
        assert_eq!(bundle("exit", 9, both)[4..], ["exit", "9", "1", "a", "0"].map(String::from));
    }
}
