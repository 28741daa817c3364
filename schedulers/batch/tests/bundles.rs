//! Calls for several jobs in one command, run by the real `sh`: each is answered as if it had come alone.
#![expect(clippy::disallowed_methods, reason = "these tests run real commands")]

use procession::transport::{Ended, Exit};
use procession::{JournalUid, ProcessId};
use procession_batch::dialect::{
    Call, Cancelled, Dialect, Direct, Force, Found, Slurm, Submitted, bundle, call_of, parts, sh,
};
use procession_batch::{JobName, JobSpec, Place};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn place(process: u64) -> Place {
    let process = ProcessId::new(process).expect("not zero");
    Place { root: String::new(), name: JobName { journal: JournalUid(0xbad), process, attempt: 1 } }
}

fn run(argv: &[String], folder: &Path) -> Exit {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a PATH"));
    let output = Command::new(&argv[0]).args(&argv[1..]).current_dir(folder).env("PATH", path).output();
    let output = output.expect("runs");
    let how = Ended::Code(output.status.code().expect("no signal"));
    Exit { how, stdout: output.stdout, stderr: output.stderr, total: [0, 0] }
}

fn bundled(calls: &[Vec<String>], seconds: u64) -> Vec<String> {
    let (script, _) = call_of(&calls[0]).expect("a script of ours");
    bundle(script, seconds, calls.iter().map(|call| call_of(call).expect("the same").1))
}

/// A program that stands before all others of its name.
fn fake(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("permitted");
}

/// What is staged for a job of `true`, below `folder`; the folder of the attempt too if `with_folder`.
fn stage(folder: &Path, place: &Place, with_folder: bool) -> JobSpec {
    let spec = JobSpec { name: "true".into(), command: Some(vec!["true".into()]), ..JobSpec::default() };
    let made = if with_folder { Slurm.folder(place) } else { place.sandbox() };
    std::fs::create_dir_all(folder.join(made)).expect("made");
    for file in Slurm.files(&spec, place) {
        std::fs::write(folder.join(place.sandbox()).join(file.name), file.text).expect("written");
    }
    spec
}

#[test]
fn each_part_has_its_own_arguments_its_own_shell_and_its_own_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "seen=${seen-new}; printf '%s.%s.%s.%s\\n' \"$seen\" \"$#\" \"$1\" \"${12}\"; seen=old; cd /; exit \"$#\"";
    let twelve: Vec<String> = (1..=11).map(|n| n.to_string()).chain(["a 'b' \"$c\"\n*".into()]).collect();
    let calls = [sh(script, twelve), sh(script, []), sh(script, ["x y".to_string()])];
    let parts = parts(&run(&bundled(&calls, 20), folder.path()), calls.len());
    let texts: Vec<_> = parts.iter().flatten().map(|part| String::from_utf8_lossy(&part.stdout)).collect();
    assert_eq!(texts, ["new.12.1.a 'b' \"$c\"\n*\n\n", "new.0..\n\n", "new.1.x y.\n\n"]);
    assert_eq!(parts.iter().flatten().map(|part| part.how).collect::<Vec<_>>(), [12, 0, 1].map(Ended::Code));
}

#[test]
fn when_the_time_is_over_no_more_are_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    let calls = ["a", "b"].map(|word| sh("echo \"$1\" >>log", [word.to_string()]));
    let none = parts(&run(&bundled(&calls, 0), folder.path()), 2);
    assert_eq!(none, [None, None]);
    assert!(!folder.path().join("log").exists());
}

#[test]
fn jobs_that_are_submitted_together_are_each_submitted_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let places: Vec<Place> = (1..=3).map(place).collect();
    // The second has no sandbox; the third is fenced.
    let spec = stage(folder.path(), &places[0], true);
    stage(folder.path(), &places[2], true);
    let fence = Slurm.fence(&places[2]);
    assert_eq!((fence.read)(&run(&fence.argv, folder.path())), Ok(Found::Fenced));
    fake(
        folder.path(),
        "sbatch",
        &format!("echo ran >>{}/log; echo 'a greeting'; echo '7;cluster'", folder.path().display()),
    );
    let calls: Vec<Call<_>> = places.iter().map(|place| Slurm.submit(&spec, place)).collect();
    let argv = bundled(&calls.iter().map(|call| call.argv.clone()).collect::<Vec<_>>(), 20);
    let told = || -> Vec<String> {
        let parts = parts(&run(&argv, folder.path()), 3);
        let told = parts.iter().zip(&calls).map(|(part, call)| (call.read)(part.as_ref().expect("begun")));
        told.map(|told| format!("{:?}", told.expect("an answer"))).collect()
    };
    let first = ["Accepted(JobId(\"7\"))", "Refused(NoSandbox)", "Unsure"];
    assert_eq!(told(), first);
    assert_eq!(told(), first, "repeating it is no second submission");
    assert_eq!(std::fs::read_to_string(folder.path().join("log")).expect("a log"), "ran\n");
}

#[test]
fn of_many_who_submit_at_once_one_does_in_any_shell() {
    for (shell, with_folder) in [("sh", true), ("bash", true), ("sh", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let place = place(1);
        let spec = stage(folder.path(), &place, with_folder);
        fake(
            folder.path(),
            "sbatch",
            &format!("echo ran >>{}/log; sleep 0.1; echo 7", folder.path().display()),
        );
        let mut call = Slurm.submit(&spec, &place);
        call.argv[0] = shell.into();
        let told: Vec<_> = std::thread::scope(|scope| {
            let one = || (call.read)(&run(&call.argv, folder.path())).expect("an answer");
            let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().expect("no panic")).collect()
        });
        let accepted = Submitted::Accepted(procession_batch::dialect::JobId("7".into()));
        assert!(told.iter().all(|told| [&accepted, &Submitted::Unsure].contains(&told)), "{told:?}");
        assert!(told.contains(&accepted));
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).expect("a log"), "ran\n", "{shell}");
    }
}

#[test]
fn what_another_machine_has_begun_is_no_lack_of_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = place(1);
    let spec = stage(folder.path(), &place, true);
    fake(folder.path(), "sbatch", "echo 7");
    // It is there for whoever makes it, and not for whoever looks.
    let begun = folder.path().join(Slurm.folder(&place)).join("begun");
    std::os::unix::fs::symlink("/nonexistent", begun).expect("made");
    let call = Slurm.submit(&spec, &place);
    assert_eq!((call.read)(&run(&call.argv, folder.path())), Ok(Submitted::Unsure));
}

#[test]
fn an_id_that_was_cut_off_is_no_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = place(1);
    let attempt = folder.path().join(Slurm.folder(&place));
    std::fs::create_dir_all(&attempt).expect("made");
    std::fs::write(attempt.join("begun"), "").expect("written");
    fake(folder.path(), "squeue", "exit 0");
    fake(folder.path(), "sacct", "exit 1");
    for (id, found) in [
        ("", Found::Absent),
        ("12", Found::Absent),
        ("123\n", Found::Known(procession_batch::dialect::JobId("123".into()))),
    ] {
        std::fs::write(attempt.join("id"), id).expect("written");
        let call = Slurm.ask(&place);
        assert_eq!((call.read)(&run(&call.argv, folder.path())), Ok(found), "{id:?}");
    }
}

#[test]
fn one_scancel_ends_many_and_an_id_that_is_somebody_elses_by_now_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let places: Vec<Place> = (1..=5).map(place).collect();
    for place in &places[..4] {
        std::fs::create_dir_all(folder.path().join(place.sandbox())).expect("made");
    }
    let names: Vec<String> = places.iter().map(|place| place.name.to_string()).collect();
    let rows = [
        format!("7|RUNNING|{}", names[0]),
        format!("7|PENDING|{}", names[0]),
        format!("8|COMPLETED|{}", names[1]),
        format!("9|PENDING|{}", names[2]),
        // Others: one whose name begins as ours does, one that has it after a line of its own making.
        format!("10|RUNNING|{}0", names[0]),
        format!("11|RUNNING|a|{}", names[0]),
    ];
    let log = folder.path().join("log");
    fake(
        folder.path(),
        "squeue",
        &format!("echo squeue >>{}\ncat <<'EOF'\n{}\nEOF\n", log.display(), rows.join("\n")),
    );
    fake(folder.path(), "scancel", &format!("shift 2; echo scancel \"$@\" >>{}", log.display()));
    let force = |n| if n == 2 { Force::Kill } else { Force::Term };
    let calls: Vec<Call<Cancelled>> =
        places.iter().enumerate().map(|(n, place)| Slurm.cancel(place, None, force(n))).collect();
    let args = calls.iter().flat_map(|call| call_of(&call.argv).expect("a script of ours").1.to_vec());
    let argv = sh(call_of(&calls[0].argv).expect("a script of ours").0, args);
    let parts = parts(&run(&argv, folder.path()), calls.len());
    let told = parts.iter().map(|part| (calls[0].read)(part.as_ref().expect("begun")).expect("an answer"));
    let expected = [Cancelled::Still, Cancelled::Never, Cancelled::Still, Cancelled::Never, Cancelled::Gone];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!(log, "squeue\nscancel --full --signal=KILL 9\nscancel 9 7\n");
    // One alone is answered in the same words.
    let alone = run(&calls[0].argv, folder.path());
    assert_eq!((calls[0].read)(&alone), Ok(Cancelled::Still));
}

#[test]
fn the_direct_dialect_cancels_in_a_bundle_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = [place(1), place(2)];
    let calls: Vec<Call<Cancelled>> =
        places.iter().map(|place| Direct::new(0).cancel(place, None, Force::Kill)).collect();
    let argv = bundled(&calls.iter().map(|call| call.argv.clone()).collect::<Vec<_>>(), 20);
    let parts = parts(&run(&argv, folder.path()), 2);
    for part in parts {
        assert_eq!((calls[0].read)(&part.expect("begun")), Ok(Cancelled::Gone));
    }
}
