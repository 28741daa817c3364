//! Every command, from outside: what it says to people, what it says to programs, and its exit code.
#![expect(clippy::disallowed_methods, reason = "the tests wait for the programs that they start")]
#![allow(missing_docs, reason = "the names say it")]

mod shell;

use shell::Shell;

/// A shell whose store has one job that ended well (1) and one that failed (2).
fn experienced() -> Shell {
    let shell = Shell::new();
    let good = shell.job("good", "echo said; echo done > out.txt");
    let text = std::fs::read_to_string(&good).expect("just written") + "[[outputs]]\npattern = \"out.txt\"\n";
    let good = shell.file("good.toml", &text);
    shell.well(&["run", &good]);
    let bad = shell.job("bad", "echo oh >&2; exit 3");
    assert_eq!(shell.run(&["run", &bad]).code, 1);
    shell
}

#[test]
fn a_store_that_was_never_used_is_no_error_for_those_who_look() {
    let shell = Shell::new();
    assert!(shell.well(&["ps"]).err.contains("no processes"));
    assert_eq!(shell.well(&["--json", "ps"]).json()["processes"], serde_json::json!([]));
    shell.well(&["watch"]);
    shell.well(&["gc", "--dry-run"]);
    shell.well(&["kill", "--all"]);
    assert!(!shell.store().exists(), "looking makes nothing");
    assert!(shell.well(&["up"]).err.contains("nothing is unfinished"));
}

#[test]
fn ps_shows_what_lives_and_on_request_what_has_ended() {
    let shell = experienced();
    assert!(shell.well(&["ps"]).out.is_empty());
    let all = shell.well(&["ps", "--all"]).out;
    assert!(all.contains("good") && all.contains("finished") && all.contains("exited with 3"), "{all}");
    let failed = shell.well(&["--json", "ps", "--phase", "finished"]).json();
    assert_eq!(failed["schema"], "procession.ps/1");
    let oks: Vec<_> =
        failed["processes"].as_array().expect("a list").iter().map(|p| p["ok"].clone()).collect();
    assert_eq!(oks, [true, false]);
    assert_eq!(shell.run(&["ps", "--phase", "dead"]).code, 2);
}

#[test]
fn show_dump_and_why_tell_all_of_one_process() {
    let shell = experienced();
    let show = shell.well(&["show", "1"]).out;
    for word in ["good", "batch-job", "finished", "directory", "undone"] {
        assert!(show.contains(word), "{word} in {show}");
    }
    let show = shell.well(&["--json", "show", "1"]).json();
    assert_eq!((&show["schema"], &show["process"]["ok"]), (&"procession.show/1".into(), &true.into()));
    assert!(show["effects"].as_array().expect("a list").iter().all(|effect| effect["end"].is_string()));
    let dump = shell.well(&["dump", "2"]).json();
    assert_eq!((&dump["schema"], &dump["row"]["stage"]), (&"procession.dump/1".into(), &"finished".into()));
    assert!(dump["row"]["state"]["plan"]["spec"]["script"].is_string(), "{dump}");
    assert!(shell.well(&["why", "2"]).out.contains("exited with 3"));
    let why = shell.well(&["--json", "why", "2"]).json();
    assert_eq!((&why["schema"], &why["runtime"]), (&"procession.why/1".into(), &false.into()));
}

#[test]
fn outputs_are_compared_with_what_was_verified() {
    let shell = experienced();
    let outputs = shell.well(&["--json", "outputs", "1"]).json();
    assert_eq!(outputs["schema"], "procession.outputs/1");
    let files = outputs["files"].as_array().expect("a list");
    let out = files
        .iter()
        .find_map(|f| f["path"].as_str().filter(|p| p.ends_with("/out.txt")))
        .expect("it is there");
    assert_eq!(std::fs::read_to_string(out).expect("there"), "done\n");
    std::fs::write(out, "undone\n").expect("ours");
    let said = shell.run(&["outputs", "1"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("changed") && said.out.contains("intact"), "{said:?}");
}

#[test]
fn logs_are_what_the_job_wrote_on_each_stream() {
    let shell = experienced();
    assert_eq!(shell.well(&["logs", "1"]).out, "said\n");
    assert_eq!(shell.well(&["logs", "--follow", "1"]).out, "said\n");
    assert_eq!(shell.well(&["logs", "--errors", "2"]).out, "oh\n");
    let logs = shell.well(&["--json", "logs", "--errors", "2"]).json();
    assert_eq!((&logs["schema"], &logs["text"]), (&"procession.logs/1".into(), &"oh\n".into()));
}

#[test]
fn a_process_that_is_not_there_is_named_in_the_error() {
    let shell = experienced();
    for command in ["show", "why", "logs", "watch", "pause", "resume", "kill", "nudge", "outputs", "dump"] {
        let said = shell.run(&[command, "99"]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains("no process 99"), "{said:?}");
    }
    let said = shell.run(&["--json", "show", "99"]).json();
    assert_eq!((&said["schema"], &said["exit"]), (&"procession.error/1".into(), &2.into()));
    assert_eq!(shell.run(&["kill"]).code, 2, "nobody was named");
    assert_eq!(shell.run(&["kill", "zero"]).code, 2);
}

#[test]
fn what_has_ended_is_asked_nothing() {
    let shell = experienced();
    let said = shell.well(&["--json", "kill", "1"]).json();
    assert_eq!(
        (&said["schema"], &said["over"], &said["asked"]),
        (&"procession.wishes/1".into(), &serde_json::json!([1]), &serde_json::json!([]))
    );
    assert!(shell.reader().letters().expect("read").is_empty());
}

#[test]
fn graph_draws_every_kind_in_both_languages() {
    let shell = Shell::new();
    let kinds = shell.well(&["graph"]).out;
    for kind in kinds.lines() {
        assert!(shell.well(&["graph", kind]).out.starts_with("stateDiagram-v2\n    [*] --> "));
        assert!(shell.well(&["graph", kind, "--dot"]).out.starts_with("digraph"));
        let edges = shell.well(&["--json", "graph", kind]).json();
        assert!(edges["edges"].as_array().is_some_and(|edges| edges.len() > 3), "{edges}");
    }
    let said = shell.run(&["graph", "nonsense"]);
    assert!(said.code == 2 && said.err.contains("batch-job"), "{said:?}");
}

#[test]
fn there_are_completions_for_every_shell() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = shell.well(&["completions", name]).out;
        assert!(text.contains("nudge") && text.contains("dry-run"), "{name}");
    }
    assert_eq!(shell.run(&["completions", "cobol"]).code, 2);
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let shell = Shell::new();
    let help = shell.well(&["--help"]).out;
    assert!(help.contains("Examples:") && help.contains("Exit codes:"));
    assert!(shell.well(&["run", "--help"]).out.contains("--dry-run"));
    assert!(shell.well(&["--version"]).out.starts_with("procession "));
    assert_eq!(shell.run::<&str>(&[]).code, 2);
}

#[test]
fn a_wrong_job_file_shows_file_line_and_field_and_all_slips_at_once() {
    let shell = Shell::new();
    let one =
        shell.file("one.toml", "name = 'x'\ncommand = ['a']\n[resources]\nmemory = '5Q'\nwalltime = '3'\n");
    let two = shell.file("two.toml", "name = 'x'\ncomand = ['a']\n");
    let three = shell.file(
        "three.json",
        "{\n \"name\": \"x\",\n \"command\": [\"a\"],\n \"resources\": {\"memory\": \"5Q\"}\n}",
    );
    let four = shell.file("four.toml", "name = 'x\n");
    let five = shell.file("five.toml", "name = 'x'\ncommand = ['a']\n[[inputs]]\nfrom = 'nowhere'\n");
    let said = shell.run(&["run", &one, &two, &three, &four, &five, "/no/such.toml"]);
    assert_eq!(said.code, 2, "{said:?}");
    for words in [
        "one.toml:4: resources.memory = \"5Q\"",
        "one.toml:5: resources.walltime",
        "two.toml:2: comand = [\"a\"]: unknown field `comand`",
        "three.json:4: resources.memory",
        "four.toml:1: this is no TOML",
        "five.toml:4: inputs[0].from = \"nowhere\": there is no ",
        "/no/such.toml: the job file cannot be read",
    ] {
        assert!(said.err.contains(words), "{words} in {}", said.err);
    }
    assert!(!shell.store().exists(), "nothing was done");
}

#[test]
fn a_wrong_file_of_hosts_names_the_field_and_an_unknown_host_the_known_ones() {
    let shell = Shell::new();
    let job = shell.job("x", "true");
    let hosts = shell.file("hosts.toml", "[hosts.local]\njobz = 1\n");
    let said = shell.run(&["--hosts", &hosts, "run", &job]);
    assert!(said.code == 2 && said.err.contains("hosts.toml:2: hosts.local.jobz"), "{said:?}");
    let said = shell.run(&["run", "--host", "moon", &job]);
    assert!(said.code == 2 && said.err.contains("moon") && said.err.contains("local"), "{said:?}");
    assert_eq!(shell.run(&["--hosts", "/no/such.toml", "run", &job]).code, 2);
}

#[test]
fn what_a_host_cannot_do_is_refused_before_anything_is_begun() {
    let shell = Shell::new();
    let job = shell.file("gpu.toml", "name = 'x'\ncommand = ['a']\n[resources]\ngpus = 1\n");
    let said = shell.run(&["run", &job]);
    assert!(said.code == 2 && said.err.contains("resources.gpus"), "{said:?}");
    assert!(!shell.store().exists());
}

#[test]
fn a_dry_run_shows_the_scripts_and_commands_and_does_nothing() {
    let shell = Shell::new();
    let job = shell.job("x", "echo unheard > never");
    let said = shell.well(&["run", "--dry-run", &job]).out;
    assert!(said.contains("echo unheard") && said.contains("#### submit"), "{said}");
    let dry = shell.well(&["--json", "run", "--dry-run", &job]).json();
    assert_eq!(dry["schema"], "procession.dry-run/1");
    assert!(dry["commands"].as_array().expect("a list").len() >= 3);
    assert!(!shell.store().exists() && !shell.path("results").exists());
}

#[test]
fn a_store_that_is_no_journal_is_told_apart_and_left_alone() {
    let shell = Shell::new();
    shell.file(
        "store/journal",
        "this is a letter to my aunt, and quite long enough to be looked at as a file of pages",
    );
    for command in [&["ps"][..], &["up"], &["kill", "1"]] {
        let said = shell.run(command);
        assert!(said.code == 4 && said.err.contains("not a usable journal"), "{said:?}");
    }
    assert!(
        std::fs::read_to_string(shell.path("store/journal")).expect("there").starts_with("this is a letter")
    );
}

#[test]
fn gc_removes_what_was_kept_and_nothing_else() {
    let shell = Shell::new();
    let text = "name = 'kept'\ncommand = ['true']\nremote = 'keep'\n";
    shell.well(&["run", &shell.file("kept.toml", text)]);
    let stranger = shell.store().join("work/procession-00000000-1-1");
    std::fs::create_dir(&stranger).expect("a folder of another journal");
    let dry = shell.well(&["--json", "gc", "--dry-run"]).json();
    let found = dry["found"].as_array().expect("a list").clone();
    assert_eq!(
        (found.len(), &found[0]["what"], &found[0]["process"]),
        (1, &"would-remove".into(), &1.into())
    );
    assert!(shell.well(&["gc"]).out.contains("removed"));
    assert!(stranger.exists(), "it is none of ours");
    assert!(shell.well(&["gc"]).err.contains("nothing is left over"));
}

#[test]
fn a_full_disk_is_a_failure_and_a_reader_who_went_away_is_none() {
    let shell = experienced();
    let into = |sink: std::process::Stdio| {
        let mut child =
            shell.command(&["ps", "--all"]).stdout(sink).stderr(std::process::Stdio::null()).spawn();
        child.as_mut().expect("started").wait().expect("started").code()
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
    assert_eq!(into(full.into()), Some(1));
    let (nobody, sink) = std::io::pipe().expect("a pipe");
    drop(nobody);
    assert_eq!(into(sink.into()), Some(0));
}

#[test]
fn every_form_of_json_is_documented_with_an_example_that_parses() {
    let read = |path: &str| {
        std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")))
            .expect("it is in the repository")
    };
    let (source, doc) = (read("src/json.rs"), read("../docs/json.md"));
    let examples: Vec<serde_json::Value> = doc
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().expect("it begins")).expect("an example"))
        .collect();
    let names = source.split('"').filter(|word| word.starts_with("procession.") && word.contains('/'));
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(examples.iter().any(|example| example["schema"] == name), "{name} has no example");
    }
}

#[test]
fn every_field_of_a_job_file_is_documented_and_the_examples_are_read() {
    let read = |path: &str| {
        std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR")))
            .expect("it is in the repository")
    };
    let doc = read("docs/job-files.md");
    let mut examples =
        doc.split("```toml\n").skip(1).map(|rest| rest.split("```").next().expect("it begins"));
    procession_cli::JobFile::parse(examples.next().expect("a job"), "doc.toml".as_ref()).expect("a job");
    let hosts = read("docs/hosts.md");
    let example = hosts.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("hosts");
    procession_cli::Hosts::parse(example, "hosts.toml".as_ref()).expect("hosts");
    // The parser lists the fields when it meets one that it does not know.
    let text = "name = 'x'\ncommand = ['a']\nnonsense = 1\n";
    let slip = procession_cli::JobFile::parse(text, "x.toml".as_ref()).expect_err("nonsense").to_string();
    let fields: Vec<&str> = slip.split('`').skip(3).step_by(2).collect();
    assert!(fields.len() > 15, "{slip}");
    for field in fields {
        let named =
            [format!("`{field}`"), format!("`{field}."), format!("`{field}[]"), format!(", `{field}`")];
        assert!(named.iter().any(|name| doc.contains(name)), "{field} is not documented");
    }
    for job in ["pi", "fails", "array", "gpu"] {
        let path = format!("examples/jobs/{job}.toml");
        procession_cli::JobFile::parse(&read(&path), path.as_ref()).expect("an example");
    }
}

/// What is said about a file of hosts.
fn slips(shell: &Shell, text: &str) -> String {
    let hosts = shell.file("hosts.toml", text);
    let said = shell.run(&["--hosts", &hosts, "run", &shell.job("x", "true")]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(!shell.store().exists(), "nothing was done");
    said.err
}

#[test]
fn every_slip_in_a_file_of_hosts_has_its_line_its_field_and_the_way_out() {
    let shell = Shell::new();
    let text = "[hosts.a]\ntransport = 'ssh'\nwork = 'here'\n[hosts.b]\nssh = 'b'\nscheduler = 'slurm'\njobs = 3\n\
                [hosts.c.limits]\nsessions = 0\npoll = '0s'\n[hosts.c.site]\nqueue = 'x'\n[hosts.c.site.queues.y]\n";
    let said = slips(&shell, text);
    for words in [
        "hosts.toml:2: hosts.a.transport = \"ssh\": nobody says which ssh host it is; name it",
        "hosts.toml:3: hosts.a.work = \"here\": it is not absolute; begin with /",
        "hosts.toml:5: hosts.b.ssh",
        "hosts.toml:7: hosts.b.jobs = 3",
        "hosts.toml:9: hosts.c.limits.sessions = 0",
        "hosts.toml:10: hosts.c.limits.poll = 0s",
        "hosts.toml:12: hosts.c.site.queue = \"x\": there is no such queue below; choose one of y",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    for (text, words) in [
        ("[hosts.a]\nssh = { hots = 'a' }\n", "hosts.toml:2: hosts.a.ssh"),
        ("[hosts.a]\nssh = 5\n", "hosts.toml:2: hosts.a.ssh"),
        (
            "[hosts.a]\nscheduler = 'slrum'\n",
            "hosts.toml:2: hosts.a.scheduler = as it is: unknown variant `slrum`",
        ),
        ("[hosts.a.site.queues.q]\nmemory = 'much'\n", "hosts.toml:2: hosts.a.site.queues.q.memory"),
        ("[hosts.a\n", "hosts.toml:1: the file"),
    ] {
        let said = slips(&shell, text);
        assert!(said.contains(words), "{words} in {said}");
    }
}

#[test]
fn a_job_that_no_queue_would_take_is_refused_before_anything_is_sent() {
    let shell = Shell::new();
    let hosts = shell.file(
        "hosts.toml",
        "[hosts.local.site.queues.short]\nwalltime = '1h'\n[hosts.local.site]\nqueue = 'short'\n",
    );
    let job = shell.file("long.toml", "name = 'x'\ncommand = ['true']\n[resources]\nwalltime = '2h'\n");
    let said = shell.run(&["--hosts", &hosts, "run", &job]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err.contains("long.toml:4: resources.walltime = 2h: the queue short of local permits 1h"),
        "{said:?}"
    );
    assert!(!shell.store().exists());
}

#[test]
fn a_host_that_works_is_well_and_its_folder_is_left_as_it_was() {
    let shell = Shell::new();
    let check = shell.well(&["--json", "host", "check", "local"]).json();
    assert_eq!((&check["schema"], &check["well"]), (&"procession.host-check/1".into(), &true.into()));
    let whats: Vec<&str> =
        check["findings"].as_array().expect("a list").iter().filter_map(|f| f["what"].as_str()).collect();
    assert_eq!(whats, ["connection", "work folder", "scheduler", "clock", "space", "shell"]);
    assert_eq!(std::fs::read_dir(shell.store().join("work")).expect("made").count(), 0);
    assert!(shell.well(&["host", "check", "local"]).out.contains("well  work folder"));
}

#[test]
fn a_host_that_does_not_work_says_what_to_do_and_the_check_fails() {
    let shell = Shell::new();
    // A file in the way, which even root cannot make a folder of.
    let work = shell.file("in-the-way", "");
    let hosts = shell.file(
        "hosts.toml",
        &format!(
            "[hosts.local]\nwork = '{work}/below'\n[hosts.slurm]\nscheduler = 'slurm'\nwork = '{work}-not'\n"
        ),
    );
    let said = shell.run(&["--hosts", &hosts, "host", "check", "local"]);
    assert!(said.code != 0 && (said.out.clone() + &said.err).contains("below"), "{said:?}");
    let command = |args: &[&str]| {
        let mut command = shell.command(args);
        // Nothing of Slurm is there.
        command.env("PATH", "/nonexistent:/bin").output().expect("the program starts")
    };
    let bare = command(&["--hosts", &hosts, "--json", "host", "check", "slurm"]);
    let found: serde_json::Value = serde_json::from_slice(&bare.stdout).expect("JSON");
    let scheduler = &found["findings"].as_array().expect("a list")[2];
    assert_eq!(scheduler["what"], "scheduler");
    assert!(
        scheduler["verdict"] == "bad"
            || scheduler["told"].as_str().is_some_and(|told| told.contains("slurm"))
    );
    assert_eq!(shell.run(&["host", "check", "moon"]).code, 2);
}

#[test]
fn hosts_are_listed_and_shown_whether_a_runtime_is_at_work_or_not() {
    let shell = Shell::new();
    let hosts = shell.file(
        "hosts.toml",
        "[hosts.cluster]\ntransport = 'ssh'\nssh = 'login'\nscheduler = 'slurm'\n[hosts.cluster.site.queues.q]\nwalltime = '1h'\n",
    );
    let list = shell.well(&["--hosts", &hosts, "--json", "host", "list"]).json();
    let names: Vec<_> = list["hosts"].as_array().expect("a list").iter().map(|h| h["name"].clone()).collect();
    assert_eq!(names, ["cluster", "local"]);
    assert_eq!((&list["hosts"][0]["health"], &list["hosts"][1]["health"]), (&"unknown".into(), &"up".into()));
    assert!(shell.well(&["--hosts", &hosts, "host", "list"]).out.contains("ssh login"));
    let show = shell.well(&["--hosts", &hosts, "--json", "host", "show", "cluster"]).json();
    assert_eq!((&show["runtime"], &show["now"]), (&false.into(), &serde_json::Value::Null));
    let show = shell.well(&["--hosts", &hosts, "host", "show", "cluster"]).out;
    assert!(show.contains("q walltime 1h") && show.contains("no runtime is at work"), "{show}");
    assert!(!shell.store().exists(), "looking makes nothing");
    assert_eq!(shell.run(&["host", "show", "moon"]).code, 2);
}
