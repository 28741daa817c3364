//! The services themselves: they come up, several at once, can be hit in every way, and leave nothing behind.

use crate::clients::{attempt, run, until};
use procession_tests::services::{Cluster, GridEngine, Keeper, Server, Slurm, Sshd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn ssh(sshd: &Sshd, command: &str) -> String {
    let config = sshd.ssh_config();
    run(&["ssh", "-F", config.to_str().expect("UTF-8"), "box", command], &[])
}

/// Processes that have the folder in their arguments, their environment, or among their open files.
fn left_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().expect("UTF-8");
    let holds = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(folder.len()).any(|part| part == folder.as_bytes())
    };
    let opens = |process: &Path| {
        let files = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|to| to.starts_with(folder))
    };
    let all = std::fs::read_dir("/proc").expect("a proc file system").flatten().map(|entry| entry.path());
    let others = all.filter(|path| !path.ends_with(std::process::id().to_string()));
    let found =
        others.filter(|path| holds(&path.join("cmdline")) || holds(&path.join("environ")) || opens(path));
    found.map(|path| std::fs::read_to_string(path.join("comm")).unwrap_or_default()).collect()
}

#[test]
fn an_sshd_takes_in_its_user_and_counts_connections() {
    let server = Server { env: vec![("FACT".into(), "it is so".into())], ..Server::default() };
    let sshd = Sshd::with(server);
    assert_eq!((sshd.connections(), sshd.logins()), (0, 0));
    assert_eq!(ssh(&sshd, "echo $FACT"), "it is so");
    assert_eq!((sshd.connections(), sshd.logins()), (1, 1));
    let config = sshd.ssh_config_as("other", &["Compression yes"]);
    let said = run(&["ssh", "-F", config.to_str().expect("UTF-8"), "-G", "other"], &[]);
    assert!(
        said.contains(&format!("port {}\n", sshd.port())) && said.contains("compression yes\n"),
        "{said}"
    );
}

#[test]
fn an_sshd_can_be_hit_in_every_way() {
    let mut sshd = Sshd::start();
    let config = sshd.ssh_config();
    let mut argv = vec!["-F", config.to_str().expect("UTF-8"), "box"];
    argv.push("echo; exec sleep 1000");
    let mut session =
        Command::new("ssh").args(&argv).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("ssh");
    until("the session is there", || sshd.logins() == 1);
    sshd.freeze();
    assert!(session.try_wait().expect("ours").is_none(), "a frozen session has not ended");
    sshd.thaw();
    sshd.hang_up();
    assert!(!session.wait().expect("ours").success());
    assert_eq!(ssh(&sshd, "echo again"), "again");
    sshd.down();
    argv[3] = "true";
    assert_eq!(attempt(&["ssh", argv[0], argv[1], argv[2], argv[3]], &[]).status.code(), Some(255));
    sshd.up();
    assert_eq!(ssh(&sshd, "echo back"), "back");
    assert_eq!(sshd.connections(), 3);
}

#[test]
fn nothing_is_left_of_an_sshd_and_its_sessions() {
    let sshd = Sshd::start();
    let folder = sshd.folder();
    ssh(&sshd, "setsid -f sleep 1000 >/dev/null 2>&1");
    assert!(left_of(&folder).iter().any(|name| name == "sleep\n"), "{:?}", left_of(&folder));
    drop(sshd);
    assert_eq!(left_of(&folder), [""; 0]);
    assert!(!folder.exists());
}

#[test]
fn a_cluster_runs_jobs_and_another_beside_it_knows_nothing_of_them() {
    let cluster = Cluster { nodes: 2, ..Cluster::default() };
    let (one, two) = (Slurm::with(cluster), Slurm::start());
    let env = [one.env()];
    run(&["sbatch", "-W", "-o", "/dev/null", "--wrap", "true"], &env);
    assert_eq!(run(&["squeue", "-h", "-t", "all", "-o", "%i %T"], &env), "1 COMPLETED");
    assert_eq!(run(&["squeue", "-h", "-t", "all"], &[two.env()]), "");
    assert_eq!(run(&["sinfo", "-h", "-p", "long", "-o", "%D"], &env), "2");
}

#[test]
fn a_cluster_can_be_hit_in_every_way() {
    let mut slurm =
        Slurm::with(Cluster { set: vec![("EnforcePartLimits", "ALL".into())], ..Cluster::default() });
    let env = [slurm.env()];
    let ping = || String::from_utf8(attempt(&["scontrol", "ping"], &env).stdout).expect("UTF-8");
    let refused = attempt(&["sbatch", "-t", "2:00:00", "-o", "/dev/null", "--wrap", "true"], &env);
    assert!(!refused.status.success(), "an impossible request is refused: {refused:?}");
    slurm.kill("slurmctld");
    assert!(ping().contains(" is DOWN"), "{}", ping());
    slurm.restart("slurmctld");
    slurm.kill("node1");
    slurm.restart("node1");
    slurm.freeze("slurmctld");
    slurm.thaw("slurmctld");
    run(&["sbatch", "-W", "-o", "/dev/null", "--wrap", "true"], &env);
}

#[test]
fn a_cluster_with_accounting_remembers() {
    let slurm = Slurm::with(Cluster { accounting: true, ..Cluster::default() });
    let env = [slurm.env()];
    let said = attempt(&["sbatch", "-W", "-o", "/dev/null", "--wrap", "exit 3"], &env);
    assert_eq!(said.status.code(), Some(3), "{said:?}");
    until("the row is there", || run(&["sacct", "-nXP", "-o", "State,ExitCode"], &env) == "FAILED|3:0");
}

#[test]
fn nothing_is_left_of_a_cluster_and_its_jobs() {
    let slurm = Slurm::with(Cluster { accounting: true, ..Cluster::default() });
    let folder = slurm.folder();
    let script = "setsid -f sleep 1000; sleep 1000";
    let env = [slurm.env()];
    run(&["sbatch", "--export=NONE", "-o", "/dev/null", "--wrap", script], &env);
    until("it runs", || left_of(&folder).iter().filter(|name| *name == "sleep\n").count() == 2);
    drop(slurm);
    assert_eq!(left_of(&folder), [""; 0]);
    assert!(!folder.exists());
}

#[test]
fn a_grid_engine_runs_jobs_and_another_beside_it_knows_nothing_of_them() {
    let (mut one, two) = (GridEngine::start(2), GridEngine::start(1));
    let env = one.env();
    let submit = ["qsub", "-terse", "-b", "y", "-o", "/dev/null", "-e", "/dev/null", "sh", "-c", "'exit 3'"];
    assert_eq!(run(&submit, &env), "1");
    let account = || String::from_utf8(attempt(&["qacct", "-j", "1"], &env).stdout).expect("UTF-8");
    until("the row is there", || account().contains("exit_status  3"));
    assert_eq!(run(&["qstat"], &two.env()), "");
    one.kill("qmaster");
    assert!(!attempt(&["qstat"], &env).status.success());
    one.restart("qmaster");
    run(&submit, &env);
}

#[test]
fn nothing_is_left_of_a_grid_engine_and_its_jobs() {
    let engine = GridEngine::start(2);
    let folder = engine.folder();
    let words = ["qsub", "-b", "y", "-o", "/dev/null", "-e", "/dev/null", "sleep", "1000"];
    run(&words, &engine.env());
    until("it runs", || left_of(&folder).iter().any(|name| name == "sleep\n"));
    drop(engine);
    assert_eq!(left_of(&folder), [""; 0]);
    assert!(!folder.exists());
}

/// The other half of this story is [`a_service_dies_with_the_test_that_started_it`].
#[test]
fn only_a_part_of_another_story() {
    let Ok(to) = std::env::var("PROCESSION_TEST_DIES") else { return };
    let sshd = Sshd::start();
    std::fs::write(&to, format!("{}\n", sshd.folder().display())).expect("written");
    loop {
        crate::clients::nap();
    }
}

#[test]
fn a_service_dies_with_the_test_that_started_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("note");
    let me = std::env::current_exe().expect("it is known");
    let mut test = Command::new(me);
    test.args(["--exact", "handles::only_a_part_of_another_story"]).env("PROCESSION_TEST_DIES", &note);
    let mut test = test.stdout(Stdio::null()).spawn().expect("it starts");
    let read = || std::fs::read_to_string(&note).unwrap_or_default();
    until("it is up", || read().ends_with('\n'));
    let service = PathBuf::from(read().trim());
    assert_eq!(service.metadata().expect("there").uid(), folder.path().metadata().expect("there").uid());
    test.kill().expect("ours");
    test.wait().expect("ours");
    until("nothing is left", || left_of(&service).is_empty() && !service.exists());
}

#[test]
#[should_panic(expected = "sshd has ended")]
fn a_script_that_does_not_come_up_is_a_panic() {
    Keeper::start("sshd", ["--nonsense"]);
}
