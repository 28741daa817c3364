//! What the host is given to run.

use super::*;

#[test]
fn a_long_script_goes_through_stdin() {
    let (line, first) = lay_out("x".repeat(100), 50);
    assert_eq!(line, "exec sh -c 'eval \"$(head -c 100)\"'");
    assert_eq!(first.len(), 100);
    assert_eq!(lay_out("true".to_owned(), 50), ("exec sh -c 'true'".to_owned(), String::new()));
}

#[test]
fn odd_variables_go_through_env() {
    let env =
        BTreeMap::from([("A".into(), "1".into()), ("a.b".into(), "2".into()), ("UID".into(), "3".into())]);
    let order = Order { argv: &["p".to_owned()], folder: "/", env: &env };
    assert_eq!(run(&order), "export A=1;exec env UID=3 a.b=2 p");
}
