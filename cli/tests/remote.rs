//! The command on a cluster behind SSH: a real sshd, and a real Slurm behind it.
#![expect(clippy::disallowed_methods, reason = "the tests wait for the programs that they start")]
#![allow(missing_docs, reason = "the names say it")]

mod shell;

use procession_tests::services::{Server, Slurm, Sshd};
use serde_json::Value;
use shell::Shell;

/// A user with a file of hosts, and the cluster that is in it.
struct User {
    shell: Shell,
    sshd: Sshd,
    slurm: Slurm,
}

impl User {
    fn new() -> User {
        User::who(|_| {})
    }

    /// One whose key was looked at before.
    fn who(prepare: impl FnOnce(&Sshd)) -> User {
        let slurm = Slurm::start();
        let sshd = Sshd::with(Server { env: vec![slurm.env()], ..Server::default() });
        prepare(&sshd);
        let shell = Shell::new();
        let (config, work) = (sshd.ssh_config(), shell.path("there"));
        let hosts = format!(
            "[hosts.cluster]\ntransport = 'ssh'\nssh = {{ host = 'box', config = '{}' }}\nscheduler = 'slurm'\n\
             work = '{}'\nlimits.poll = '1s'\nlimits.opens_an_hour = 50\n",
            config.display(),
            work.display()
        );
        shell.file("config/procession/hosts.toml", &hosts);
        User { shell, sshd, slurm }
    }

    fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
        self.shell.run(&args).json()
    }

    /// The words of a check, each with its verdict.
    fn check(&self) -> Vec<(String, String)> {
        let check = self.json(&["host", "check", "cluster"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let findings = check["findings"].as_array().expect("a list");
        findings.iter().map(|finding| (text(&finding["what"]), text(&finding["verdict"]))).collect()
    }
}

#[test]
fn a_job_runs_on_the_cluster_and_all_commands_reach_it_there() {
    let user = User::new();
    let shell = &user.shell;
    let pi = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/jobs/pi.toml");
    let said = shell.well(&["run", "--host", "cluster", pi]);
    assert!(said.out.contains("1 pi: finished, exited with 0; 11 files verified"), "{said:?}");
    assert!(shell.well(&["outputs", "1"]).out.contains("pi.txt"));

    // One that runs until there is a file, and one that would for ever.
    let gate = shell.path("gate");
    let text = format!("echo said\nuntil [ -e '{}' ]; do sleep 0.1; done\necho done\n", gate.display());
    let job = shell.job("long", &text);
    let kept = std::fs::read_to_string(&job).expect("just written") + "remote = 'keep'\n";
    let job = shell.file("long.toml", &kept);
    shell.well(&["run", "--detach", "--host", "cluster", &job, &shell.job("endless", "sleep 100000")]);
    shell.until("the log of a running job is read through ssh", || shell.run(&["logs", "2"]).out == "said\n");
    shell.until("it is known to run", || shell.well(&["why", "2"]).out.contains("to end"));
    let host = user.json(&["host", "show", "cluster"]);
    assert_eq!((&host["now"]["pool"]["health"], &host["unfinished"]), (&"up".into(), &2.into()), "{host}");
    assert_eq!(host["now"]["pool"]["hourly"], 50);
    assert_eq!(user.json(&["host", "list"])["hosts"][0]["health"], "up");
    shell.well(&["kill", "3"]);
    shell.until("the endless one is killed", || shell.phase(3) == "killed");
    std::fs::write(gate, "").expect("ours");
    shell.well(&["watch", "2"]);
    assert_eq!(shell.well(&["logs", "2"]).out, "said\ndone\n");

    shell.until("the runtime has ended", || user.json(&["ps"])["runtime"] == false);
    let found = user.json(&["gc"]);
    assert_eq!((&found["found"][0]["process"], &found["found"][0]["what"]), (&2.into(), &"removed".into()));
    assert_eq!(std::fs::read_dir(shell.path("there")).expect("there").count(), 0, "nothing is left there");
    assert!(shell.reader().open_effects().expect("read").is_empty());
}

#[test]
fn a_check_names_what_is_wrong_with_a_cluster() {
    let mut user = User::new();
    assert!(user.check().iter().all(|(_, verdict)| verdict == "well"), "{:?}", user.check());
    user.slurm.kill("slurmctld");
    assert!(user.check().contains(&("scheduler".to_owned(), "bad".to_owned())), "{:?}", user.check());
    // Somebody else's key in the place of the one that is known.
    let known = user.sshd.known_hosts();
    let text = std::fs::read_to_string(&known).expect("there");
    std::fs::write(&known, "").expect("ours");
    let said = user.shell.run(&["host", "check", "cluster"]);
    assert!(said.code == 1 && said.out.contains("accept_new"), "{said:?}");
    std::fs::write(&known, text).expect("ours");
    user.sshd.down();
    let said = user.shell.run(&["host", "check", "cluster"]);
    assert!(said.code == 1 && said.out.contains("`ssh box` works"), "{said:?}");
}

/// The program on a terminal of its own (script(1) of util-linux), where somebody types these one after the other, whenever a
/// passphrase is asked for.
fn on_a_terminal(shell: &Shell, args: &str, typed: &[&str]) -> (bool, String) {
    use std::io::{Read, Write};
    let program = format!("'{}' {args}", env!("CARGO_BIN_EXE_procession"));
    let mut command = std::process::Command::new("script");
    command.args(["-q", "-e", "-c", &program, "/dev/null"]).current_dir(shell.folder.path());
    command.env("PROCESSION_STORE", shell.store()).env("XDG_CONFIG_HOME", shell.path("config"));
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("script is there");
    let (mut keys, mut screen) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (mut seen, mut byte) = (Vec::new(), [0]);
    let mut typed = typed.iter();
    while screen.read(&mut byte).is_ok_and(|count| count == 1) {
        seen.push(byte[0]);
        if seen.ends_with(b"@box):") {
            // Ctrl-D when there is nothing left to say.
            keys.write_all(typed.next().unwrap_or(&"\x04").as_bytes()).expect("it reads");
        }
    }
    (child.wait().expect("started").success(), String::from_utf8_lossy(&seen).into_owned())
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_or_answered_for_a_runtime_in_the_background() {
    let user = User::who(|sshd| {
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"]).arg(sshd.key());
        assert!(keygen.status().expect("ssh-keygen is there").success());
    });
    let shell = &user.shell;
    // Nobody can be asked: the check says so.
    let said = shell.run(&["host", "check", "cluster"]);
    assert!(said.code == 1 && said.out.contains("bad"), "{said:?}");
    let (well, seen) = on_a_terminal(shell, "host check cluster", &[" open sesame\r"]);
    assert!(!well, "a space too much: {seen}");
    let (well, seen) = on_a_terminal(shell, "host check cluster", &["open sesame\r"]);
    assert!(well && !seen.contains("sesame"), "{seen}");

    shell.well(&["run", "--detach", "--host", "cluster", &shell.job("waits", "true")]);
    let health = || user.json(&["host", "show", "cluster"])["now"]["pool"]["health"].clone();
    shell.until("the host needs somebody", || health() == "needs-auth");
    let why = shell.well(&["why", "1"]).out;
    assert!(why.contains("does not let us in") && why.contains("procession login cluster"), "{why}");
    assert_eq!(shell.run(&["login", "cluster"]).code, 1, "here is no terminal either");
    let (well, seen) = on_a_terminal(shell, "login cluster", &["open sesame\r"]);
    assert!(well && seen.contains("goes on"), "{seen}");
    shell.well(&["watch"]);
    assert_eq!(shell.phase(1), "finished");
}
