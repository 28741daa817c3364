//! What the host is given to run.

use super::*;

const LONGEST: usize = 32_000;

fn order(argv: &[&str], env: &[(&str, &str)]) -> Order {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Order { argv: argv.iter().map(|arg| (*arg).to_owned()).collect(), folder: "/".to_owned(), env }
}

#[test]
fn a_long_script_goes_through_stdin() {
    let order = order(&["p"], &[]);
    for shell in [Shell::Unknown, Shell::Bash] {
        let (line, first) = lay_out("@0:", &order, shell, 50);
        let question = shell.question();
        assert_eq!(line, format!("exec sh -c 'eval \"$(head -c {})\"'{question}", first.len()));
        assert_eq!(first, for_sh("@0:", &order));
    }
    assert_eq!(lay_out("@0:", &order, Shell::Unknown, LONGEST).1, "");
}

#[test]
fn odd_variables_go_through_env() {
    let order = order(&["p"], &[("A", "1"), ("a.b", "2"), ("UID", "3")]);
    assert_eq!(run(&order), "export A=1;exec env UID=3 a.b=2 p");
    assert_eq!(run_in_bash(&order), "exec env A=1 UID=3 a.b=2 p");
}

#[test]
fn a_login_shell_is_asked_until_it_is_known() {
    let order = order(&["p"], &[]);
    let line = |shell| lay_out("@0:", &order, shell, LONGEST).0;
    assert!(line(Shell::Unknown).ends_with("' sh {a..c}"));
    assert!(line(Shell::Braces).ends_with("' sh \"${BASH_VERSION-}\""));
    assert!(line(Shell::Other).starts_with("exec sh -c '") && line(Shell::Other).ends_with('\''));
    assert!(line(Shell::Bash).starts_with("BASH_ARGV0=@0:;"));
}

#[test]
fn only_a_shell_that_is_known_runs_a_program_of_its_own() {
    let order = order(&["true", "a b"], &[]);
    assert!(lay_out("@0:", &order, Shell::Bash, LONGEST).0.contains(";builtin true 'a b';"));
    assert!(!lay_out("@0:", &order, Shell::Other, LONGEST).0.contains("builtin"));
}

#[test]
fn one_of_many_ends_on_both_outputs_and_reads_nothing() {
    let order = order(&["p", "a\nb"], &[]);
    let line = for_turn("@0:", &order);
    assert!(line.contains("(_n=$'\\n';exec p 'a'\"$_n\"'b')</dev/null;"), "{line}");
    assert!(line.ends_with("echo @0:E:$_s:@ >&2;echo @0:E:$_s:@") && !line.contains('\n'), "{line}");
}
