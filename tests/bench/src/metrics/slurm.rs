//! Batch jobs under a real Slurm, behind a real sshd; beside the same jobs by hand on the login node.

use super::Plan;
use crate::ours::batch::Cluster;
use crate::peers::sbatch;
use crate::race::{Lane, Lap, race};
use crate::report::{Limit, Row};
use procession::transport::{Ended, Exit};
use procession_batch::dialect::{BEGIN, Dialect, END, Slurm as Words};
use procession_tests::services::{self, Server, Slurm, Sshd};
use serde_json::json;
use std::cell::RefCell;
use std::fmt::Write;
use tempfile::TempDir;

/// Jobs in a lap of submissions.
const JOBS: u32 = 100;
/// Tasks of the array.
const TASKS: u32 = 1000;
/// Live jobs in a listing.
const LISTED: u64 = 10_000;
/// A round of a thousand tasks takes half a minute.
const MOST_ROUNDS: usize = 2;

struct Site {
    ours: RefCell<Cluster>,
    folder: TempDir,
    slurm: Slurm,
    _sshd: Sshd,
}

impl Site {
    fn new() -> Site {
        let slurm = Slurm::with(services::Cluster { cpus: 32, ..services::Cluster::default() });
        let sshd = Sshd::with(Server { env: vec![slurm.env()], ..Server::default() });
        let folder = TempDir::new().expect("a folder for temporary files");
        let ours = RefCell::new(Cluster::over_ssh(&sshd.ssh_config(), "box", folder.path()));
        Site { ours, folder, slurm, _sshd: sshd }
    }
}

/// Jobs a second that Slurm has taken.
pub fn submit_rate(plan: &Plan) -> Row {
    let site = Site::new();
    let (here, slurm) = (site.folder.path(), &site.slurm);
    let spec = json!({ "name": "true", "command": ["true"] });
    let mut lanes = [
        Lane::new("ours", || {
            let mut ours = site.ours.borrow_mut();
            let mut jobs = Vec::new();
            let lap = Lap::of(JOBS.into(), || jobs = ours.submit(&spec, JOBS));
            ours.wait(&jobs);
            lap
        }),
        Lane::new("sbatch_loop", || {
            let lap = Lap::of(JOBS.into(), || sbatch::submit(slurm, JOBS, here));
            sbatch::until_idle(slurm, here);
            lap
        }),
    ];
    let paces = race(plan.rounds.min(MOST_ROUNDS), &mut lanes);
    let [ours, by_hand] = [paces[0].1.least, paces[1].1.least].map(|ns| 1e9 / ns);
    let limits = [Limit::LeastOf(0.9, "sbatch_loop")];
    Row::new("submit_rate", "1/s", Some(ours), [("sbatch_loop", by_hand)], &limits)
}

/// A spec with 1,000 tasks, each with its outcome and its output.
pub fn jobs_1000_end_to_end(plan: &Plan) -> Row {
    let site = Site::new();
    let by_hand = site.folder.path().join("by-hand");
    std::fs::create_dir(&by_hand).expect("a folder");
    let spec = json!({
        "name": "thousand",
        "script": "echo \"$PROCESSION_TASK\" > \"out-$PROCESSION_TASK\"",
        "array": { "range": TASKS.to_string() },
        "outputs": [{ "pattern": "out-*" }],
    });
    let mut lanes = [
        Lane::new("ours", || {
            let mut ours = site.ours.borrow_mut();
            Lap::of(1, || {
                let jobs = ours.submit(&spec, 1);
                ours.wait(&jobs);
            })
        }),
        Lane::new("sbatch_array", || Lap::of(1, || sbatch::array(&site.slurm, TASKS, &by_hand))),
    ];
    let paces = race(plan.rounds.min(MOST_ROUNDS), &mut lanes);
    let [ours, by_hand] = [paces[0].1.least, paces[1].1.least].map(|ns| ns / 1e9);
    let limits = [Limit::MostOf(1.15, "sbatch_array")];
    Row::new("jobs_1000_end_to_end", "s", Some(ours), [("sbatch_array", by_hand)], &limits)
}

/// What squeue says of 10,000 jobs, read.
pub fn poll_10k(plan: &Plan) -> Row {
    let mut text = format!("{BEGIN}\n");
    for n in 1..=LISTED {
        let state = ["PENDING|Priority", "RUNNING|None", "COMPLETED|None"][n as usize % 3];
        writeln!(text, "{}|{state}|procession-0badcafe-{n}-1", 1_000_000 + n).expect("a string takes all");
    }
    text += &format!("{END}\n");
    let total = [text.len() as u64, 0];
    let exit = Exit { how: Ended::Code(0), stdout: text.into_bytes(), stderr: Vec::new(), total };
    let read = Words.status(&[]).read;
    let once = || Lap::of(1, || assert_eq!(read(&exit).expect("as squeue has it").len() as u64, LISTED));
    let paces = race(plan.rounds, &mut [Lane::new("ours", once)]);
    Row::new("poll_10k", "ms", Some(paces[0].1.least / 1e6), [], &[Limit::Most(10.0)])
}
