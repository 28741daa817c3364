//! Brief commands, which share shells.

mod place;

use place::{Place, Sshd};
use procession::pool::Rules;
use procession::transport::{Ended, Exec, Exit, Op, RemotePath, TransportError};
use procession_ssh::{Config, Ssh};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Tells the process that runs the frame of a command.
const PARENT: &str = "echo $PPID";

fn brief(script: &str) -> Exec {
    Exec { brief: true, ..Exec::new(["sh", "-c", script]) }
}

fn shell(place: &mut Place, exec: Exec) -> i32 {
    told(&place.run(exec).unwrap())
}

/// The process that ran the frame.
fn told(exit: &Exit) -> i32 {
    assert_eq!(exit.how, Ended::Code(0));
    str::from_utf8(&exit.stdout).unwrap().trim().parse().unwrap()
}

/// A host whose login shell is known, so that brief commands share one.
fn host(extra: &str) -> (Sshd, Place) {
    let sshd = Sshd::start(extra);
    let mut place = Place::new(sshd.config());
    for _ in 0..2 {
        place.run(Exec::new(["true"])).unwrap();
    }
    (sshd, place)
}

#[test]
fn brief_commands_share_a_shell_and_others_have_their_own() {
    let (_sshd, mut place) = host("");
    let first = shell(&mut place, brief(PARENT));
    assert_eq!(shell(&mut place, brief(PARENT)), first);
    assert_ne!(shell(&mut place, Exec::new(["sh", "-c", PARENT])), first);
    assert_eq!(shell(&mut place, brief(PARENT)), first, "it waited for the next one");
}

#[test]
fn a_thousand_brief_commands_need_few_channels_and_one_connection() {
    let (sshd, mut place) = host("LogLevel VERBOSE");
    let many: Vec<_> = (0..1000)
        .map(|at| place.begin(|ret| Op::Exec(brief(&format!("echo {at}; echo {at} >&2")), ret)))
        .collect();
    for (at, slot) in many.iter().enumerate() {
        let exit = place.wait(slot).unwrap();
        let said = format!("{at}\n").into_bytes();
        assert_eq!((&exit.stdout, &exit.stderr), (&said, &said));
    }
    let log = sshd.log();
    let (logins, channels) =
        (log.matches("Accepted publickey").count(), log.matches("Starting session").count());
    assert_eq!(logins, 1);
    assert!(channels < 20, "{channels} channels");
}

#[test]
fn a_shell_that_waits_gives_its_channel_to_other_work() {
    let (_sshd, mut place) = host("");
    // All that the pool lends at a time, and more.
    let all: Vec<_> = (0..12).map(|_| place.begin(|ret| Op::Exec(brief("sleep 1"), ret))).collect();
    all.iter().for_each(|slot| assert_eq!(place.wait(slot).unwrap().how, Ended::Code(0)));
    let busy = place.begin(|ret| Op::Exec(brief("sleep 4"), ret));
    let path: RemotePath = "file".parse().unwrap();
    place.ask(|ret| Op::Write { path, bytes: b"it".to_vec(), mode: 0o644, ret }).unwrap();
    // Had nobody made way, it would have waited until a shell had been idle for five seconds.
    assert!(busy.borrow().is_none(), "the shell of one made way, and that of the other did not have to");
    assert_eq!(place.wait(&busy).unwrap().how, Ended::Code(0));
}

#[test]
fn a_host_with_few_channels_keeps_one_for_control() {
    let (_sshd, mut place) = host("MaxSessions 3");
    let mut burst = || {
        let some: Vec<_> =
            (0..8).map(|_| place.begin(|ret| Op::Exec(brief("sleep 0.05; echo $PPID"), ret))).collect();
        some.iter().map(|slot| told(&place.wait(slot).unwrap())).collect::<BTreeSet<i32>>()
    };
    // How many it allows is learned from a refusal.
    burst();
    let shells = burst();
    assert!(shells.len() < 3, "{shells:?}");
    let slow: Vec<_> = (0..3)
        .map(|_| place.begin(|ret| Op::Exec(Exec::new(["sh", "-c", "sleep 0.05; echo own"]), ret)))
        .collect();
    slow.iter().for_each(|slot| assert_eq!(place.wait(slot).unwrap().stdout, b"own\n"));
}

#[test]
fn a_shell_that_is_killed_while_it_waits_takes_no_command_with_it() {
    let (_sshd, mut place) = host("");
    let first = shell(&mut place, brief(PARENT));
    Sshd::signal(&[first], "KILL");
    // It is heard of with the next thing that happens.
    place.run(Exec::new(["sleep", "0.2"])).unwrap();
    assert_ne!(shell(&mut place, brief(PARENT)), first);
}

#[test]
fn a_shell_that_is_killed_under_its_command_is_no_success() {
    let (_sshd, mut place) = host("");
    let first = shell(&mut place, brief(PARENT));
    let found: Result<Exit, _> = place.run(brief("kill -s KILL $PPID; sleep 1"));
    assert!(
        matches!(found, Ok(Exit { how: Ended::Signal(9), .. }) | Err(TransportError::Unreachable { .. })),
        "{found:?}"
    );
    assert_ne!(shell(&mut place, brief(PARENT)), first);
}

#[test]
fn a_connection_that_breaks_leaves_no_brief_command_without_an_answer() {
    let (sshd, mut place) = host("");
    let first = shell(&mut place, brief(PARENT));
    let many: Vec<_> = (0..100).map(|_| place.begin(|ret| Op::Exec(brief("sleep 0.02"), ret))).collect();
    place.run_until(|| many.iter().filter(|slot| slot.borrow().is_some()).count() >= 20);
    Sshd::signal(&sshd.children(), "KILL");
    for slot in &many {
        let found = place.wait(slot);
        assert!(
            matches!(
                found,
                Ok(Exit { how: Ended::Code(0) | Ended::Signal(9), .. })
                    | Err(TransportError::Unreachable { .. })
            ),
            "{found:?}"
        );
    }
    place.ask(Op::WhenUp).unwrap();
    assert_ne!(shell(&mut place, brief(PARENT)), first);
}

#[test]
fn what_a_login_keeps_does_not_leak_from_one_to_the_next() {
    let (sshd, mut place) = host("");
    let rc =
        "export n=N _s=S IFS=:; set -e; trap 'echo trapped' DEBUG; cd() { echo no; }; true() { echo no; }\n";
    std::fs::write(sshd.folder.path().join(".bashrc"), rc).unwrap();
    let asked = "printf %s \"$n,$OLDPWD,$1\"";
    for word in ["a b", "two\nlines", "a b", "it's"] {
        let mut exec = brief(asked);
        exec.argv.extend(["sh".to_owned(), word.to_owned()]);
        let exit = place.run(exec).unwrap();
        let said = String::from_utf8(exit.stdout).unwrap();
        assert!(said.starts_with("N,") && said.ends_with(&format!(",{word}")), "{said:?}");
        assert_eq!(place.run(Exec { brief: true, ..Exec::new(["true"]) }).unwrap().total, [0, 0]);
    }
}

#[test]
fn a_relative_work_folder_lies_in_the_home_folder_for_each_of_them() {
    let sshd = Sshd::start("");
    let mut place = Place::new(Config { work: ".".parse().unwrap(), ..sshd.config() });
    let home = place.run(Exec::new(["pwd"])).unwrap().stdout;
    for _ in 0..4 {
        let elsewhere = Exec { cwd: Some("/".parse().unwrap()), ..brief("pwd") };
        assert_eq!(place.run(elsewhere).unwrap().stdout, b"/\n");
        assert_eq!(place.run(brief("pwd")).unwrap().stdout, home);
    }
}

#[test]
fn a_login_that_reads_its_input_or_has_none_runs_each_of_them_by_itself() {
    let force = "ForceCommand /bin/bash -c \"$SSH_ORIGINAL_COMMAND\" </dev/null";
    for (profile, extra) in [
        ("cat >/dev/null", ""),
        ("while read -t 0.1 x; do :; done", ""),
        ("", force),
        ("exec 0</dev/null", ""),
    ] {
        let sshd = Sshd::start(extra);
        std::fs::write(sshd.folder.path().join(".bashrc"), format!("{profile}\n")).unwrap();
        let mut place = Place::new(sshd.config());
        let login = |exec| Exec { timeout: Some(Duration::from_secs(60)), ..exec };
        for _ in 0..6 {
            let exit = place.run(login(brief("echo hi"))).unwrap();
            assert_eq!((exit.how, &exit.stdout[..]), (Ended::Code(0), &b"hi\n"[..]), "{profile}{extra}");
        }
    }
}

#[test]
fn other_work_that_is_refused_a_channel_gets_that_of_a_shell() {
    let (sshd, mut place) = host("MaxSessions 3");
    // One shell for each that the host allows; it refuses the next one of all.
    let both: Vec<_> = (0..2).map(|_| place.begin(|ret| Op::Exec(brief("sleep 0.3"), ret))).collect();
    both.iter().for_each(|slot| assert_eq!(place.wait(slot).unwrap().how, Ended::Code(0)));
    // Over another connection, so that it takes no channel of this one.
    let handle = place.runtime.handle();
    let (other, _owner) = Ssh::start(place.runtime.stakker(), handle, sshd.config()).unwrap();
    let ours = std::mem::replace(&mut place.transport, other);
    let clock = place.begin(|ret| Op::Exec(Exec::new(["sleep", "4"]), ret));
    place.transport = ours;
    let path: RemotePath = "file".parse().unwrap();
    place.ask(|ret| Op::Write { path, bytes: b"it".to_vec(), mode: 0o644, ret }).unwrap();
    assert!(clock.borrow().is_none(), "it waited until a shell had been idle for five seconds");
    place.wait(&clock).unwrap();
}

#[test]
fn those_who_were_served_are_not_counted_among_those_who_wait() {
    let sshd = Sshd::start("LogLevel VERBOSE");
    let config = sshd.config();
    let mut place = Place::new(Config { rules: Rules { most_waiting: 100, ..config.rules }, ..config });
    let mut begun = VecDeque::new();
    for at in 0..2_000 {
        // Now and then there is one that needs a channel of its own.
        let exec = Exec { brief: at % 100 != 99, ..Exec::new(["true"]) };
        begun.push_back(place.begin(|ret| Op::Exec(exec, ret)));
        if begun.len() > 40 {
            let first = begun.pop_front().unwrap();
            assert_eq!(place.wait(&first).unwrap().how, Ended::Code(0), "after {at}");
        }
    }
    begun.iter().for_each(|slot| assert_eq!(place.wait(slot).unwrap().how, Ended::Code(0)));
    let channels = sshd.log().matches("Starting session").count();
    assert!(channels < 100, "{channels} channels for 1980 brief ones and 20 others");
}
