//! Exactly once, on the real thing: everything between us and the jobs is hit, again and again.

use super::Site;
use crate::shell::{Dice, nap};
use procession::journal::{Filter, Stage};
use procession_tests::services::Cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;

/// Jobs that append a line when they begin and a line when they are done. Some are there from the beginning, and two more
/// come before each fault, so that every fault meets jobs that are staged, submitted, queued, at work and collected.
const JOBS: usize = 100;
const AT_FIRST: usize = 16;
const A_FAULT: usize = 2;

/// A controller that has lost its memory kills the jobs that it finds on its nodes and does not know. Their owner wishes that
/// they are tried again then, as another attempt.
const AGAIN: &str =
    "[retries]\nattempts = 20\non = [\"vanished\", \"signal\", \"cancelled\", \"node\", \"exit\"]\n";

/// A controller is frozen for so many naps of 10 ms: 5 to 15 s. `sbatch` waits 10 s for it.
const FROZEN_NAPS: std::ops::Range<u64> = 500..1500;

/// How often it is looked, at least half a second apart, before a story counts as stuck.
const MOST_LOOKS: usize = 600;

/// So many naps, at most, from when jobs are handed over to the fault: 2 s, in which some of them come to run.
const MOST_NAPS: u64 = 200;

/// So many jobs, at most, have not finished when more come. One that its node has lost is looked for for two minutes.
const AT_ONCE: usize = 64;

/// What can be hit, and how often.
const FAULTS: [(Fault, usize); 3] = [(Fault::HangUp, 16), (Fault::Crash, 16), (Fault::ControllerFreezes, 4)];
const DEATHS: usize = 6;

/// By this fault the controller has died for the last time. Jobs that it loses are looked for for two minutes, and the story
/// has more to do meanwhile.
const LAST_DEATH: usize = 20;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// The sessions of the sshd are killed.
    HangUp,
    /// The `procession` program is killed, and started again.
    Crash,
    /// slurmctld is killed, and started again. It has forgotten the last seconds, and gives their ids out again.
    ControllerDies,
    /// slurmctld is stopped for some seconds, and then goes on with all that it was told meanwhile.
    ControllerFreezes,
}

#[test]
fn a_hundred_jobs_are_done_exactly_once_though_everything_is_hit_again_and_again() {
    let seed = std::env::var("PROCESSION_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_262);
    println!("replay with PROCESSION_SEED={seed}");
    let limits = "sessions = 2\nopens_an_hour = 3600\npoll = \"1s\"";
    let site = Site::new(Cluster { nodes: 2, cpus: 32, heals: true, ..Cluster::default() }, limits);
    Story { site, dice: Dice(seed) }.tell();
}

struct Story {
    site: Site,
    dice: Dice,
}

impl Story {
    fn tell(mut self) {
        let faults = self.shuffled();
        assert!(faults.len() >= 40 && AT_FIRST + A_FAULT * faults.len() == JOBS);
        let mut runtime = self.begin();
        for (n, fault) in faults.iter().enumerate() {
            let handed_over = AT_FIRST + A_FAULT * n..AT_FIRST + A_FAULT * (n + 1);
            self.await_share(&mut runtime, handed_over.end.saturating_sub(AT_ONCE));
            self.hand_over(&mut runtime, handed_over);
            // The first few come while the first jobs are staged and submitted.
            (0..self.dice.below(MOST_NAPS)).for_each(|_| nap());
            self.is_alive(&mut runtime);
            println!("{n}: {fault:?}, {} have finished", self.site.count(Stage::Finished));
            self.hit(*fault, &mut runtime);
        }
        self.await_share(&mut runtime, JOBS);
        self.site.shell.file("gate", "open");
        self.site
            .shell
            .until("the runtime has nothing left", || runtime.try_wait().expect("it was started").is_some());
        let end = runtime.wait().expect("it was started");
        assert_eq!(end.code(), Some(0), "what was left went well: {}", self.log());
        self.check();
    }

    fn shuffled(&mut self) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            FAULTS.iter().flat_map(|(fault, times)| std::iter::repeat_n(*fault, *times)).collect();
        for at in (1..faults.len()).rev() {
            faults.swap(at, self.dice.below(at as u64 + 1) as usize);
        }
        for _ in 0..DEATHS {
            // Each moves those behind it on.
            faults.insert(self.dice.below((LAST_DEATH - DEATHS) as u64) as usize, Fault::ControllerDies);
        }
        faults
    }

    fn begin(&self) -> Child {
        let gate = self.site.shell.path("gate");
        let script = format!("until [ -e '{}' ]; do sleep 0.2; done; echo keeper > out.txt", gate.display());
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

    /// Its lock is the kernel's, which takes it back from whoever dies: nobody else can have it but another attempt that lives.
    fn job(&self, n: usize) -> String {
        let script = format!(
            "exec 9>'{lock}'\nflock -n 9 || echo \"{n} $PROCESSION_ATTEMPT\" >> '{together}'\n\
             echo \"{n} $PROCESSION_ATTEMPT\" >> '{begun}'\nsleep {}.{}\n\
             echo \"{n} $PROCESSION_ATTEMPT\" > out.txt\ncat out.txt >> '{done}'",
            n % 3,
            n % 10,
            lock = self.site.shell.path(&format!("lock-{n}")).display(),
            together = self.site.shell.path("together").display(),
            begun = self.site.shell.path("begun").display(),
            done = self.site.shell.path("done").display(),
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

    /// Lets the story go on until so many jobs have finished.
    fn await_share(&mut self, runtime: &mut Child, share: usize) {
        for _ in 0..MOST_LOOKS {
            self.is_alive(runtime);
            if self.site.count(Stage::Finished) >= share {
                break;
            }
            (0..50).for_each(|_| nap());
        }
        assert!(self.site.count(Stage::Finished) >= share, "{share} of the jobs finish; {}", self.log());
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
                let more = self.dice.below(FROZEN_NAPS.end - FROZEN_NAPS.start);
                (0..FROZEN_NAPS.start + more).for_each(|_| nap());
                self.site.slurm.thaw("slurmctld");
            }
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.site.shell.path("log")).unwrap_or_default()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.site.shell.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn check(&self) {
        let begun = self.lines("begun");
        let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
        begun.iter().for_each(|line| *starts.entry(line).or_default() += 1);
        let twice: Vec<_> = starts.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "attempts that were started twice: {twice:?}");
        assert_eq!(self.lines("together"), [""; 0], "attempts that began while another one of their job ran");

        assert_eq!(self.site.count(Stage::Finished), JOBS + 1);
        let results: BTreeSet<String> = (1..=JOBS as u64 + 1).filter_map(|id| self.result(id)).collect();
        let jobs: BTreeSet<&str> = results.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!((results.len(), jobs.len()), (JOBS, JOBS), "each job has one result");
        let done = self.lines("done");
        let counted: Vec<&String> = done.iter().filter(|line| results.contains(*line)).collect();
        assert_eq!(counted.len(), JOBS, "the attempts that count were done once: {done:?}");
        let again = self.ids_given_again();
        assert!(again > 0, "the controller forgot jobs, and gave their ids to others");
        // Some may have been killed between their last line and their end.
        println!(
            "{} attempts were killed on their nodes, {} of them in their last moment; ids given out again: {again}",
            begun.len() - JOBS,
            done.len() - JOBS,
        );
        self.site.is_swept();
    }

    /// What the output of this process says, which is verified; none for the keeper.
    fn result(&self, id: u64) -> Option<String> {
        let outputs = self.site.shell.well(&["--json", "outputs", &id.to_string()]).json();
        let files = outputs["files"].as_array().expect("a list");
        let out = files.iter().find(|file| file["path"].as_str().is_some_and(|p| p.ends_with("/out.txt")));
        let Some(out) = out else {
            panic!("process {id} has no output: {:?}", self.site.shell.run(&["show", &id.to_string()]));
        };
        assert_eq!(out["now"], "intact", "process {id}");
        let text = std::fs::read_to_string(out["path"].as_str().expect("a path")).expect("it is intact");
        Some(text.trim().to_owned()).filter(|text| text != "keeper")
    }

    /// How often Slurm gave a job the id that another one had had, as its log says.
    fn ids_given_again(&self) -> usize {
        let log = self.site.slurm.log();
        let accepted = log.lines().filter(|line| line.contains("_slurm_rpc_submit_batch_job: JobId="));
        let ids: Vec<&str> =
            accepted.filter_map(|line| line.split("JobId=").nth(1)?.split(' ').next()).collect();
        ids.len() - ids.iter().collect::<BTreeSet<_>>().len()
    }
}
