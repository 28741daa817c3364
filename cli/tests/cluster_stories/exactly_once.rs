//! Exactly once, on the real thing: everything between us and the jobs is hit, again and again.

use super::Site;
use crate::shell::{Dice, nap};
use procession::journal::{Filter, Stage};
use procession_tests::services::Cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;

/// Jobs that append one line each. Some are there from the beginning, and two more come before each fault.
const JOBS: usize = 100;
const AT_FIRST: usize = 16;
const A_FAULT: usize = 2;

/// What a controller that has lost its memory does to the jobs that it finds on its nodes is no fault of the job.
const AGAIN: &str =
    "[retries]\nattempts = 20\non = [\"vanished\", \"signal\", \"cancelled\", \"node\", \"exit\"]\n";

/// A controller is frozen for so many naps of 10 ms: 15 s, longer than `sbatch` waits for it.
const FROZEN_NAPS: u32 = 1500;

/// How often it is looked, at least half a second apart, before a story counts as stuck.
const MOST_LOOKS: usize = 600;

/// What can be hit, and how often.
const FAULTS: [(Fault, usize); 4] =
    [(Fault::HangUp, 15), (Fault::Crash, 15), (Fault::ControllerDies, 8), (Fault::ControllerFreezes, 4)];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// The sessions of the sshd are killed.
    HangUp,
    /// The `procession` program is killed, and started again.
    Crash,
    /// slurmctld is killed, and started again. It has forgotten the last seconds, and gives their ids out again.
    ControllerDies,
    /// slurmctld is stopped for 15 seconds.
    ControllerFreezes,
}

#[test]
fn a_hundred_jobs_are_done_exactly_once_though_everything_is_hit_again_and_again() {
    let seed = std::env::var("PROCESSION_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_262);
    println!("replay with PROCESSION_SEED={seed}");
    let limits = "sessions = 2\nopens_an_hour = 3600\npoll = \"1s\"";
    let site = Site::new(Cluster { nodes: 2, cpus: 8, ..Cluster::default() }, limits);
    Story { site, dice: Dice(seed) }.tell();
}

struct Story {
    site: Site,
    dice: Dice,
}

impl Story {
    fn tell(mut self) {
        let mut faults: Vec<Fault> =
            FAULTS.iter().flat_map(|(fault, times)| std::iter::repeat_n(*fault, *times)).collect();
        assert!(faults.len() >= 40 && AT_FIRST + A_FAULT * faults.len() == JOBS);
        for at in (1..faults.len()).rev() {
            faults.swap(at, self.dice.below(at as u64 + 1) as usize);
        }
        let mut runtime = self.begin();
        for (n, fault) in faults.iter().enumerate() {
            self.hand_over(&mut runtime, AT_FIRST + A_FAULT * n..AT_FIRST + A_FAULT * (n + 1));
            // The first few come while the first jobs are staged and submitted.
            self.await_share(&mut runtime, (A_FAULT * n).saturating_sub(AT_FIRST));
            println!("{n}: {fault:?}, {} have finished", self.site.count(Stage::Finished));
            self.hit(*fault, &mut runtime);
        }
        self.await_share(&mut runtime, JOBS);
        self.site.shell.file("gate", "open");
        let end = runtime.wait().expect("it was started");
        assert_eq!(end.code(), Some(0), "what was left went well: {}", self.log());
        self.check();
    }

    fn begin(&self) -> Child {
        let gate = self.site.shell.path("gate");
        let script = format!("until [ -e '{}' ]; do sleep 0.2; done; echo done > out.txt", gate.display());
        let mut words: Vec<String> = ["run", "--host", "cluster"].map(String::from).into();
        words.push(self.site.job("keeper", &script, AGAIN));
        words.extend((0..AT_FIRST).map(|n| self.job(n)));
        let runtime = self.site.shell.start(&words);
        let journal = self.site.shell.store().join("journal");
        self.site.shell.until("all jobs are handed over", || {
            procession::journal::Reader::open(&journal).is_ok_and(|reader| {
                reader.processes(&Filter::new()).is_ok_and(|rows| rows.len() == AT_FIRST + 1)
            })
        });
        runtime
    }

    fn job(&self, n: usize) -> String {
        let script = format!(
            "echo \"{n} $PROCESSION_ATTEMPT\" >> '{}'\nsleep {}.{}\necho 'result {n}' > out.txt",
            self.site.shell.path("lines").display(),
            n % 3,
            n % 10
        );
        self.site.job(&format!("job-{n}"), &script, AGAIN)
    }

    /// Gives the runtime more to do, as soon as it is at work.
    fn hand_over(&self, runtime: &mut Child, jobs: std::ops::Range<usize>) {
        self.site.shell.until("the runtime is at work", || {
            self.is_alive(runtime);
            !self.site.shell.well(&["host", "show", "cluster"]).out.contains("no runtime is at work")
        });
        let mut words: Vec<String> = ["run", "--detach", "--host", "cluster"].map(String::from).into();
        words.extend(jobs.map(|n| self.job(n)));
        self.site.shell.well(&words);
    }

    fn is_alive(&self, runtime: &mut Child) {
        let ended = runtime.try_wait().expect("it was started");
        assert!(ended.is_none(), "it ended by itself: {ended:?}; {}", self.log());
    }

    /// Lets the story go on until so many jobs have finished, and a moment longer.
    fn await_share(&mut self, runtime: &mut Child, share: usize) {
        // The nodes are their administrator's business, not ours.
        for _ in 0..MOST_LOOKS {
            self.is_alive(runtime);
            if self.site.count(Stage::Finished) >= share {
                break;
            }
            (0..50).for_each(|_| nap());
            self.site.slurm.resume();
        }
        assert!(self.site.count(Stage::Finished) >= share, "{share} of the jobs finish; {}", self.log());
        (0..self.dice.below(40)).for_each(|_| nap());
    }

    fn hit(&mut self, fault: Fault, runtime: &mut Child) {
        match fault {
            Fault::HangUp => self.site.sshd.hang_up(),
            Fault::Crash => {
                runtime.kill().expect("it is ours");
                runtime.wait().expect("it was started");
                *runtime = self.site.shell.start(&["up"]);
            }
            Fault::ControllerDies => {
                self.site.slurm.kill("slurmctld");
                (0..self.dice.below(100)).for_each(|_| nap());
                self.site.slurm.restart("slurmctld");
            }
            Fault::ControllerFreezes => {
                self.site.slurm.freeze("slurmctld");
                (0..FROZEN_NAPS).for_each(|_| nap());
                self.site.slurm.thaw("slurmctld");
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.site.shell.path("log")).unwrap_or_default()
    }

    fn check(&self) {
        let lines = std::fs::read_to_string(self.site.shell.path("lines")).expect("the jobs wrote");
        let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
        lines.lines().for_each(|line| *starts.entry(line).or_default() += 1);
        let twice: Vec<_> = starts.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "attempts that were started twice: {twice:?}");
        let jobs: BTreeSet<&str> = starts.keys().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(jobs.len(), JOBS, "each job ran");
        let again = starts.len() - JOBS;
        println!("{again} jobs were killed on their nodes and ran again, as their owner wished");

        assert_eq!(self.site.count(Stage::Finished), JOBS + 1);
        for id in 1..=JOBS + 1 {
            let outputs = self.site.shell.well(&["--json", "outputs", &id.to_string()]).json();
            let files = outputs["files"].as_array().expect("a list");
            let out =
                files.iter().find(|file| file["path"].as_str().is_some_and(|p| p.ends_with("/out.txt")));
            assert_eq!(out.expect("it is required")["now"], "intact", "process {id}");
        }
        self.site.is_clean();
    }
}
