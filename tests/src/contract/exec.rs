//! Commands.

use super::{Harness, ask, begin, mkdir, path, script, suite};
use procession::transport::{Cancel, Chunk, Ended, Exec, Exit, Op, Stream, TransportError};
use stakker::Fwd;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

suite![
    a_command_tells_its_exit_code,
    a_signal_is_no_exit_code,
    outputs_are_kept_apart,
    an_output_may_be_opened_again_by_its_device,
    arguments_arrive_as_they_are,
    environment_and_folder_are_set,
    a_mebibyte_of_input_comes_back,
    output_is_bounded_and_counted,
    output_streams_as_it_comes,
    a_missing_program_is_named,
    a_missing_folder_is_not_found,
    a_command_without_a_program_is_refused,
    a_timeout_kills_and_says_so,
    a_cancel_kills_the_whole_group,
    a_guard_dropped_before_the_start_cancels,
    a_guard_dropped_after_the_end_changes_nothing,
    a_grandchild_that_holds_the_output_does_not_hold_the_answer,
    many_commands_run_at_once,
    brief_commands_keep_their_outputs_apart,
    a_brief_command_that_is_cancelled_takes_no_other_with_it,
];

fn run(harness: &mut dyn Harness, exec: Exec) -> Result<Exit, TransportError> {
    ask(harness, |ret| Op::Exec(exec, ret))
}

fn code(harness: &mut dyn Harness, argv: &[&str]) -> Ended {
    run(harness, Exec::new(argv.iter().copied())).expect("it runs").how
}

fn a_command_tells_its_exit_code(harness: &mut dyn Harness) {
    assert_eq!(code(harness, &["true"]), Ended::Code(0));
    assert_eq!(code(harness, &["false"]), Ended::Code(1));
    assert_eq!(code(harness, &script::EXIT_7), Ended::Code(7));
}

fn a_signal_is_no_exit_code(harness: &mut dyn Harness) {
    assert_eq!(code(harness, &script::KILLED), Ended::Signal(9));
}

fn outputs_are_kept_apart(harness: &mut dyn Harness) {
    let exit = run(harness, Exec::new(script::BOTH)).expect("it runs");
    assert_eq!((&exit.stdout[..], &exit.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(exit.total, [4, 4]);
}

fn an_output_may_be_opened_again_by_its_device(harness: &mut dyn Harness) {
    let exit = run(harness, Exec::new(script::DEVICE)).expect("it runs");
    assert_eq!((exit.how, &exit.stderr[..]), (Ended::Code(0), &b"err\n"[..]));
}

fn arguments_arrive_as_they_are(harness: &mut dyn Harness) {
    for odd in ["a b", "it's", "\"q\"", "$HOME `x` $(y)", "new\nline", "naïve 日本 🦀", "*", "-n?", "", "\\"]
    {
        let exit = run(harness, Exec::new(["echo", "=", odd])).expect("it runs");
        assert_eq!(String::from_utf8_lossy(&exit.stdout), format!("= {odd}\n"));
    }
}

fn environment_and_folder_are_set(harness: &mut dyn Harness) {
    let mut exec = Exec::new(["env"]);
    exec.env.insert("PROCESSION_FACT".into(), "it's = so".into());
    let said = run(harness, exec).expect("it runs").stdout;
    assert!(String::from_utf8_lossy(&said).lines().any(|line| line == "PROCESSION_FACT=it's = so"));

    mkdir(harness, "some folder");
    let exec = Exec { cwd: Some(path("some folder")), ..Exec::new(["pwd"]) };
    let said = run(harness, exec).expect("it runs").stdout;
    assert!(String::from_utf8_lossy(&said).ends_with("/some folder\n"));
}

fn a_mebibyte_of_input_comes_back(harness: &mut dyn Harness) {
    let bytes: Vec<u8> = (0..1u32 << 20).map(|at| (at % 251) as u8).collect();
    let exec = Exec { stdin: bytes.clone(), keep: bytes.len(), ..Exec::new(["cat"]) };
    let exit = run(harness, exec).expect("it runs");
    assert!(exit.stdout == bytes, "cat gives back what it was given");
    assert_eq!(exit.total, [1 << 20, 0]);
}

fn output_is_bounded_and_counted(harness: &mut dyn Harness) {
    let exec = Exec { stdin: vec![b'x'; 300_000], keep: 10, ..Exec::new(["cat"]) };
    let exit = run(harness, exec).expect("it runs");
    assert_eq!(exit.stdout, b"xxxxxxxxxx");
    assert_eq!((exit.how, exit.total), (Ended::Code(0), [300_000, 0]));
}

fn output_streams_as_it_comes(harness: &mut dyn Harness) {
    let chunks: Rc<RefCell<Vec<Chunk>>> = Rc::default();
    let sink = chunks.clone();
    let stream = Some(Fwd::new(move |chunk| sink.borrow_mut().push(chunk)));
    let exit = run(harness, Exec { stream, keep: 1, ..Exec::new(script::BOTH) }).expect("it runs");
    let of = |which| -> Vec<u8> {
        chunks
            .borrow()
            .iter()
            .filter(|chunk| chunk.stream == which)
            .flat_map(|chunk| chunk.bytes.clone())
            .collect()
    };
    assert_eq!((of(Stream::Stdout), of(Stream::Stderr)), (b"out\n".to_vec(), b"err\n".to_vec()));
    assert_eq!(exit.stdout, b"o");
}

fn a_missing_program_is_named(harness: &mut dyn Harness) {
    match run(harness, Exec::new(["no-such-program-here", "x"])) {
        Err(TransportError::NotFound(name)) => assert!(name.contains("no-such-program-here"), "{name}"),
        other => panic!("{other:?}"),
    }
}

fn a_missing_folder_is_not_found(harness: &mut dyn Harness) {
    let exec = Exec { cwd: Some(path("no/such/folder")), ..Exec::new(["true"]) };
    match run(harness, exec) {
        Err(TransportError::NotFound(name)) => assert!(name.contains("no/such/folder"), "{name}"),
        other => panic!("{other:?}"),
    }
}

fn a_command_without_a_program_is_refused(harness: &mut dyn Harness) {
    assert!(matches!(run(harness, Exec::new([""; 0])), Err(TransportError::Refused(_))));
}

fn a_timeout_kills_and_says_so(harness: &mut dyn Harness) {
    let exec = Exec { timeout: Some(Duration::from_millis(100)), ..Exec::new(["sleep", "60"]) };
    assert!(matches!(run(harness, exec), Err(TransportError::TimedOut(_))));
    let exec = Exec { timeout: Some(Duration::from_secs(3600)), ..Exec::new(["true"]) };
    assert_eq!(run(harness, exec).expect("it is in time").how, Ended::Code(0));
}

fn a_cancel_kills_the_whole_group(harness: &mut dyn Harness) {
    let (guard, token) = Cancel::pair();
    let exec = Exec { cancel: Some(token), ..Exec::new(script::FAMILY) };
    let begun = begin(harness, |ret| Op::Exec(exec, ret));
    // Long enough for the shell to have started its child, and less than the child waits.
    assert_eq!(code(harness, &["sleep", "0.3"]), Ended::Code(0));
    drop(guard);
    assert_eq!(begun.wait(harness), Err(TransportError::Cancelled));
    assert_eq!(code(harness, &["sleep", "1.2"]), Ended::Code(0));
    let late = ask(harness, |ret| Op::Stat(path("late"), ret));
    assert!(matches!(late, Err(TransportError::NotFound(_))), "the grandchild went on: {late:?}");
}

fn a_guard_dropped_before_the_start_cancels(harness: &mut dyn Harness) {
    let (guard, token) = Cancel::pair();
    drop(guard);
    let exec = Exec { cancel: Some(token), ..Exec::new(["sleep", "60"]) };
    assert_eq!(run(harness, exec), Err(TransportError::Cancelled));
}

fn a_guard_dropped_after_the_end_changes_nothing(harness: &mut dyn Harness) {
    let (guard, token) = Cancel::pair();
    let exec = Exec { cancel: Some(token), ..Exec::new(["true"]) };
    assert_eq!(run(harness, exec).expect("it runs").how, Ended::Code(0));
    drop(guard);
    assert_eq!(code(harness, &["true"]), Ended::Code(0));
}

fn a_grandchild_that_holds_the_output_does_not_hold_the_answer(harness: &mut dyn Harness) {
    let exec = Exec { timeout: Some(Duration::from_secs(30)), ..Exec::new(script::HOLDER) };
    let exit = run(harness, exec).expect("the answer does not wait for the grandchild");
    assert_eq!((exit.how, &exit.stdout[..]), (Ended::Code(0), &b"done\n"[..]));
}

fn many_commands_run_at_once(harness: &mut dyn Harness) {
    let begun: Vec<_> = (0..20)
        .map(|at| begin(harness, |ret| Op::Exec(Exec::new(["echo".to_owned(), at.to_string()]), ret)))
        .collect();
    for (at, begun) in begun.into_iter().enumerate() {
        assert_eq!(begun.wait(harness).expect("it runs").stdout, format!("{at}\n").into_bytes());
    }
}

fn brief<A: Into<String>>(argv: impl IntoIterator<Item = A>) -> Exec {
    Exec { brief: true, ..Exec::new(argv) }
}

fn brief_commands_keep_their_outputs_apart(harness: &mut dyn Harness) {
    mkdir(harness, "some folder");
    // The first ones may still have a login each.
    for round in 0..5 {
        let many: Vec<_> = (0..20)
            .map(|at| {
                begin(harness, |ret| Op::Exec(brief(["echo".to_owned(), format!("{round}\n{at}")]), ret))
            })
            .collect();
        for (at, begun) in many.into_iter().enumerate() {
            assert_eq!(begun.wait(harness).expect("it runs").stdout, format!("{round}\n{at}\n").into_bytes());
        }
        let both = run(harness, brief(script::BOTH)).expect("it runs");
        assert_eq!((&both.stdout[..], &both.stderr[..], both.total), (&b"out\n"[..], &b"err\n"[..], [4, 4]));
        assert_eq!(run(harness, brief(script::EXIT_7)).expect("it runs").how, Ended::Code(7));
        assert_eq!(run(harness, brief(script::KILLED)).expect("it runs").how, Ended::Signal(9));
        let nothing = run(harness, brief(["cat"])).expect("it runs");
        assert_eq!((nothing.how, nothing.total), (Ended::Code(0), [0, 0]), "there is nothing to read");

        let env = [("PROCESSION_FACT".to_owned(), format!("it's = {round}"))].into();
        let there = Exec { env, cwd: Some(path("some folder")), ..brief(["env"]) };
        let said = String::from_utf8(run(harness, there).expect("it runs").stdout).expect("it is text");
        assert!(said.lines().any(|line| line == format!("PROCESSION_FACT=it's = {round}")));
        let after = String::from_utf8(run(harness, brief(["env"])).expect("it runs").stdout).expect("text");
        assert!(!after.contains("PROCESSION_FACT"), "the next one has a fresh environment");
        let here = run(harness, brief(["pwd"])).expect("it runs").stdout;
        assert!(!String::from_utf8_lossy(&here).contains("some folder"), "and a fresh folder");

        assert!(matches!(run(harness, brief(["no-such-program-here"])), Err(TransportError::NotFound(_))));
        let nowhere = Exec { cwd: Some(path("no/such/folder")), ..brief(["true"]) };
        assert!(matches!(run(harness, nowhere), Err(TransportError::NotFound(_))));
        let input = Exec { stdin: b"said".to_vec(), ..brief(["cat"]) };
        assert_eq!(run(harness, input).expect("it runs").stdout, b"said");
        assert_eq!(run(harness, brief(["false"])).expect("it runs").how, Ended::Code(1));
    }
}

fn a_brief_command_that_is_cancelled_takes_no_other_with_it(harness: &mut dyn Harness) {
    for _ in 0..4 {
        let (guard, token) = Cancel::pair();
        let exec = Exec { cancel: Some(token), ..brief(["sleep", "60"]) };
        let cancelled = begin(harness, |ret| Op::Exec(exec, ret));
        let others: Vec<_> = (0..20)
            .map(|at| begin(harness, |ret| Op::Exec(brief(["echo".to_owned(), at.to_string()]), ret)))
            .collect();
        assert_eq!(run(harness, brief(["sleep", "0.1"])).expect("it runs").how, Ended::Code(0));
        drop(guard);
        let late = Exec { timeout: Some(Duration::from_millis(100)), ..brief(["sleep", "60"]) };
        assert!(matches!(run(harness, late), Err(TransportError::TimedOut(_))));
        assert_eq!(cancelled.wait(harness), Err(TransportError::Cancelled));
        for (at, other) in others.into_iter().enumerate() {
            assert_eq!(other.wait(harness).expect("it runs").stdout, format!("{at}\n").into_bytes());
        }
    }
}
