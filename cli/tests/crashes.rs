//! Real crashes: the runtime is killed at random moments, again and again, and nothing is lost and nothing is done twice.
#![expect(clippy::disallowed_methods, reason = "the test waits for the programs that it kills")]
#![allow(missing_docs, reason = "the names say it")]

mod shell;

use procession::journal::{Filter, Reader, Stage};
use procession::{JournalUid, ProcessId};
use procession_batch::JobName;
use shell::{Dice, Shell, processes_with};
use std::collections::BTreeSet;
use std::process::{Child, ExitStatus};

/// Jobs that append one line each.
const JOBS: usize = 200;

/// Jobs that would never end, to be killed.
const VICTIMS: usize = 4;

/// One job ends only when the last runtime is at work, so that no runtime before it can be done with everything.
const KEEPER: usize = 1;

/// So many of the jobs are paused, and resumed later.
const PAUSED: usize = 6;

/// How often the runtime is killed.
const KILLS: u32 = 36;

/// So many kills come before any job needs to have ended.
const LEAD: u32 = 6;

/// After which of them something is asked while nothing runs.
const PAUSE_AFTER: u32 = 6;
const KILL_AFTER: u32 = 14;
const RESUME_AFTER: u32 = 24;

#[test]
fn two_hundred_jobs_are_done_exactly_once_though_the_runtime_is_killed_again_and_again() {
    let seed = std::env::var("PROCESSION_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261);
    println!("replay with PROCESSION_SEED={seed}");
    let story = Story { shell: Shell::new(), dice: Dice(seed) };
    story.tell();
}

struct Story {
    shell: Shell,
    dice: Dice,
}

impl Story {
    fn tell(mut self) {
        let mut runtime = self.begin();
        let (mut paused, mut victims) = (Vec::new(), Vec::new());
        for kill in 1..=KILLS {
            let died = self.kill_at_some_moment(runtime, kill);
            assert!(died.code().is_none(), "it ended by itself before kill {kill}: {died}; {}", self.log());
            if kill == PAUSE_AFTER {
                paused = self.live("job-").into_iter().rev().take(PAUSED).collect();
                assert_eq!(paused.len(), PAUSED, "there is nobody left to pause");
                self.ask("pause", &paused);
            }
            if kill == KILL_AFTER {
                victims = self.live("victim-");
                assert_eq!(victims.len(), VICTIMS, "they end only if they are killed");
                self.ask("kill", &victims);
            }
            if kill == RESUME_AFTER {
                assert!(paused.iter().all(|id| self.stage(*id) == Stage::Paused), "the pauses took effect");
                assert!(self.has_ended_as(&victims, Stage::Killed), "the kills took effect");
                self.ask("resume", &paused);
            }
            println!("kill {kill}: {} live", self.live("").len());
            runtime = self.shell.start(&["up", "--jobs", "8"]);
        }
        self.shell.file("gate", "open");
        let end = runtime.wait().expect("it was started");
        assert_eq!(end.code(), Some(0), "what was left went well: {}", self.log());
        self.check();
    }

    /// Hands all jobs over to a runtime in the foreground, and waits until they are in the journal.
    fn begin(&self) -> Child {
        let mut files = vec!["run".to_owned(), "--jobs".to_owned(), "8".to_owned()];
        let lines = self.shell.path("lines");
        let mut with_output = |name: &str, script: &str| {
            let file = self.shell.job(name, script);
            let text = std::fs::read_to_string(&file).expect("just written");
            let text = text + "[[outputs]]\npattern = \"out.txt\"\n";
            files.push(self.shell.file(&format!("{name}.toml"), &text));
        };
        for n in 0..JOBS {
            let script =
                format!("echo {n} >> '{}'\nsleep 0.{}\necho 'result {n}' > out.txt", lines.display(), n % 10);
            with_output(&format!("job-{n}"), &script);
        }
        let gate = self.shell.path("gate");
        let script = format!("until [ -e '{}' ]; do sleep 0.2; done\necho done > out.txt", gate.display());
        with_output("keeper", &script);
        for n in 0..VICTIMS {
            files.push(self.shell.job(&format!("victim-{n}"), "sleep 100000"));
        }
        let runtime = self.shell.start(&files);
        let journal = self.shell.store().join("journal");
        self.shell.until("all jobs are handed over", || {
            let Ok(reader) = Reader::open(&journal) else { return false };
            let rows = reader.processes(&Filter::new()).map_or(0, |rows| rows.len());
            rows + reader.letters().map_or(0, |letters| letters.len()) == JOBS + VICTIMS + KEEPER
        });
        runtime
    }

    /// Lets the story go on until a share of the jobs has ended, and a few writes further, and then kills. What is under way
    /// at that moment is chance.
    fn kill_at_some_moment(&mut self, mut runtime: Child, kill: u32) -> ExitStatus {
        let mut reader = self.shell.reader();
        // The first few kills come while the jobs are staged and submitted.
        let share = JOBS * kill.saturating_sub(LEAD) as usize / KILLS as usize;
        let finished = Filter { stages: vec![Stage::Finished], kind: None };
        let mut writes = self.dice.below(8);
        // Bounded by a count: a runtime that hangs is killed too, and the end of the story tells. One that has nothing left to
        // write is not waited for as long.
        let mut patience = 20_000;
        while patience > 0 {
            patience -= 1;
            let changed = reader.changed().expect("the journal can be read");
            if changed && reader.processes(&finished).expect("read").len() >= share {
                writes = writes.saturating_sub(1);
                patience = patience.min(1_000);
            }
            if writes == 0 || runtime.try_wait().expect("it was started").is_some() {
                break;
            }
            self.dice.dawdle();
        }
        runtime.kill().expect("it is ours");
        runtime.wait().expect("it was started")
    }

    fn ask(&self, wish: &str, ids: &[ProcessId]) {
        let mut args = vec![wish.to_owned()];
        args.extend(ids.iter().map(ToString::to_string));
        let said = self.shell.well(&args);
        assert!(said.out.contains("no runtime is at work"), "{said:?}");
    }

    /// Those whose names begin so and that have not ended.
    fn live(&self, name: &str) -> Vec<ProcessId> {
        let said = self.shell.well(&["--json", "ps"]).json();
        let all = said["processes"].as_array().expect("a list").clone();
        let named = all.iter().filter(|view| view["name"].as_str().is_some_and(|n| n.starts_with(name)));
        named.map(|view| shell::id(view["id"].as_u64().expect("a number"))).collect()
    }

    fn stage(&self, id: ProcessId) -> Stage {
        self.shell.reader().process(id).expect("read").expect("there").expect("sound").stage
    }

    fn has_ended_as(&self, ids: &[ProcessId], stage: Stage) -> bool {
        ids.iter().all(|id| self.stage(*id) == stage)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.shell.path("log")).unwrap_or_default()
    }

    fn check(&self) {
        let lines = std::fs::read_to_string(self.shell.path("lines")).expect("the jobs wrote");
        let numbers: BTreeSet<usize> = lines.lines().map(|line| line.parse().expect("a number")).collect();
        assert_eq!((lines.lines().count(), numbers.len()), (JOBS, JOBS), "each job ran exactly once");

        let reader = self.shell.reader();
        let rows = reader.processes(&Filter::new()).expect("read");
        let rows: Vec<_> = rows.into_iter().map(|row| row.expect("sound")).collect();
        let count = |stage| rows.iter().filter(|row| row.stage == stage).count();
        assert_eq!(
            (count(Stage::Finished), count(Stage::Killed), rows.len()),
            (JOBS + KEEPER, VICTIMS, JOBS + VICTIMS + KEEPER)
        );
        for row in rows.iter().filter(|row| row.stage == Stage::Finished) {
            let outputs = self.shell.well(&["--json", "outputs", &row.id.to_string()]).json();
            let files = outputs["files"].as_array().expect("a list");
            let out = files
                .iter()
                .find(|file| file["path"].as_str().is_some_and(|path| path.ends_with("/out.txt")));
            assert_eq!(out.expect("it is required")["now"], "intact", "process {}", row.id);
        }

        let open = reader.open_effects().expect("read");
        assert!(open.is_empty(), "effects without an end: {open:?}");
        let ours = |name: &str| JobName::parse(name).is_some();
        let work = std::fs::read_dir(self.shell.store().join("work")).expect("a work folder").flatten();
        let left: Vec<_> = work.filter(|entry| entry.file_name().to_str().is_some_and(ours)).collect();
        assert!(left.is_empty(), "folders that nobody needs: {left:?}");
        self.check_processes(reader.uid().expect("read"));
    }

    fn check_processes(&self, uid: JournalUid) {
        let name = format!("{}{uid}-", JobName::PREFIX);
        self.shell.until("no process of a job is left", || processes_with(&name).is_empty());
        let store = self.shell.store();
        let store = store.to_str().expect("UTF-8");
        self.shell.until("no child of a runtime is left", || processes_with(store).is_empty());
    }
}
