//! Commands on a real server.

mod place;

use place::{Place, Sshd};
use procession::transport::{Ended, Exec, Exit, TransportError};

#[test]
fn a_command_runs() {
    let sshd = Sshd::start("");
    let mut place = Place::new(sshd.config());
    let exit = place.run(Exec::new(["echo", "hello"])).unwrap();
    assert_eq!((exit.how, &exit.stdout[..]), (Ended::Code(0), &b"hello\n"[..]));
}

/// What a user may have in the file that bash reads before any command (bash(1), "Invocation": a shell that sshd runs).
const RC: &str = "\
echo welcome; echo oops >&2
cd() { builtin cd \"$@\" && echo \"in $PWD\"; }
echo_and_exit() { echo bye; echo bye >&2; }
trap echo_and_exit EXIT
trap 'echo debug' DEBUG
IFS=0123456789
readonly FIXED=theirs
set -eu -o pipefail
";

fn text(exit: &Exit) -> (Ended, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (exit.how, text(&exit.stdout), text(&exit.stderr))
}

fn a_round(place: &mut Place) {
    let mut run = |argv: &[&str]| place.run(Exec::new(argv.iter().copied())).map(|exit| text(&exit));
    let said = |how, out: &str, err: &str| Ok((how, out.to_owned(), err.to_owned()));
    assert_eq!(run(&["true"]), said(Ended::Code(0), "", ""));
    assert_eq!(run(&["false"]), said(Ended::Code(1), "", ""));
    assert_eq!(run(&["sh", "-c", "echo out; echo err >&2; exit 5"]), said(Ended::Code(5), "out\n", "err\n"));
    assert_eq!(
        run(&["sh", "-c", "printf cut; printf off >&2; kill -9 $$"]),
        said(Ended::Signal(9), "cut", "off")
    );
    assert_eq!(run(&["sh", "-c", "kill -SEGV $$ # a\nlong\nstory"]), said(Ended::Signal(11), "", ""));
    assert_eq!(run(&["sh", "-c", "kill -PIPE $$"]), said(Ended::Signal(13), "", ""));
    assert_eq!(run(&["sh", "-c", "kill -INT $$"]), said(Ended::Signal(2), "", ""));
    assert_eq!(run(&["sh", "-c", "echo no >&2; exit 137"]), said(Ended::Code(137), "", "no\n"));
    assert_eq!(run(&["sh", "-c", "exit 127"]), said(Ended::Code(127), "", ""));
    assert_eq!(run(&["sh", "-c", "exit 126"]), said(Ended::Code(126), "", ""));
    assert!(matches!(run(&["no-such-program"]), Err(TransportError::NotFound(_))));
    assert!(matches!(run(&["/etc/passwd"]), Err(TransportError::Permission(_))));
    assert!(matches!(run(&["/etc"]), Err(TransportError::Permission(_))));
    assert!(matches!(run(&["/no/such/program"]), Err(TransportError::NotFound(_))));
    assert_eq!(run(&["test", "a", "=", "a b"]), said(Ended::Code(1), "", ""));
    assert!(
        matches!(run(&["test", "-z", "]", "x", "y"]), Ok((Ended::Code(2), _, err)) if err.contains("test: "))
    );
    for builtin in ["exit", "cd", "eval", "source", "trap"] {
        let found = run(&[builtin, "7"]);
        assert!(matches!(found, Err(TransportError::NotFound(_))), "{builtin}: {found:?}");
    }
    let odd =
        ["a b", "it's", "\"q\"", "$HOME `x` $(y)", "new\nline", "*", "-n?", "", "\\", "!", "{a,b}", "~"];
    let expected: String = odd.iter().map(|word| format!("<{word}>")).collect();
    let words = ["printf", "<%s>"].into_iter().chain(odd).map(str::to_owned);
    assert_eq!(place.run(Exec::new(words)).map(|exit| text(&exit)), said(Ended::Code(0), &expected, ""));
    let names = ["FIXED", "SECONDS", "BASH_ENV", "a.b", "IFS", "PLAIN"];
    let env = names.map(|name| (name.to_owned(), "0 ours".to_owned()));
    for env in [env[..].to_vec(), vec![env[0].clone(), env[5].clone()]] {
        let exit = place.run(Exec { env: env.iter().cloned().collect(), ..Exec::new(["env"]) }).unwrap();
        let (how, out, err) = text(&exit);
        assert_eq!((how, &err[..]), (Ended::Code(0), ""));
        for (name, value) in env {
            assert!(out.lines().any(|line| line == format!("{name}={value}")), "{name}: {out}");
        }
    }
}

/// Each frame: the one that asks, the one of a bash that is known, and the one of any other shell.
#[test]
fn whatever_the_login_shell_is_and_says_a_command_is_told_as_it_was() {
    let as_dash = "ForceCommand exec /bin/dash -c \"$SSH_ORIGINAL_COMMAND\"";
    for (extra, rc) in [("", ""), ("", RC), (as_dash, "")] {
        let sshd = Sshd::start(extra);
        std::fs::write(sshd.folder.path().join(".bashrc"), rc).unwrap();
        let mut place = Place::new(sshd.config());
        a_round(&mut place);
        a_round(&mut place);
        assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "it was one session all the time");
    }
}
