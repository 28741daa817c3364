//! Procession beside its peers, measured in one run.
//!
//! Every promise about speed and size is a row here: ours, the same work by others, and the limit. Nothing is compared with
//! a number from another day or another machine, and all that is timed is timed in turn.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, starts threads and waits for children"
)]

mod callgrind;
mod count_alloc;
mod metrics;
mod ours;
mod peers;
mod race;
mod report;
mod scenarios;

use clap::{Parser, Subcommand};
use metrics::{CORE, Metric, Plan, SLURM, SSH};
use std::cell::RefCell;
use std::process::{Command, ExitCode, Stdio};

/// Measures Procession beside its peers: raw stakker, a tokio LocalSet prototype, plain rusqlite loops, bare posix_spawn,
/// the tools of OpenSSH.
///
/// Times are those of the best round; the lanes run in turn, so that a disturbance meets all of them. Instructions are
/// counted by callgrind, if valgrind is installed. Exits with 1 if a promise is not kept.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Args {
    /// Print one JSON object a line: {"metric","unit","ours","peers":{…},"ratio":{…},"gate","ok"}.
    #[arg(long, global = true)]
    json: bool,
    /// Rounds of every race, after one to warm up.
    #[arg(long, global = true, default_value_t = 9)]
    rounds: usize,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The promises of the core.
    Core {
        /// Only these metrics.
        metrics: Vec<String>,
    },
    /// Hosts behind ssh, beside the tools of OpenSSH; needs sshd, scp, rsync and tar.
    Ssh {
        /// Only these metrics.
        metrics: Vec<String>,
    },
    /// Batch jobs under Slurm behind ssh, beside sbatch on the login node; needs sshd and Slurm.
    Slurm {
        /// Only these metrics.
        metrics: Vec<String>,
    },
    /// Do one thing N times, for callgrind or perf to look at.
    Scenario {
        /// Which; a name that does not exist lists those that do.
        name: String,
        /// How often.
        n: u64,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    match &args.what {
        What::Core { metrics } => measure(&args, &CORE, metrics),
        What::Slurm { metrics } => measure(&args, &SLURM, metrics),
        What::Ssh { metrics } => measure(&args, &SSH, metrics),
        What::Scenario { name, n } if scenarios::run(name, *n) => ExitCode::SUCCESS,
        What::Scenario { name, .. } => {
            eprintln!("there is no scenario {name}; there are:");
            scenarios::SCENARIOS.iter().for_each(|(known, _)| eprintln!("    {known}"));
            ExitCode::from(2)
        }
    }
}

fn measure(args: &Args, all: &[Metric], wanted: &[String]) -> ExitCode {
    if let Some(unknown) = wanted.iter().find(|w| all.iter().all(|(name, _)| name != w)) {
        eprintln!("there is no metric {unknown}; there are:");
        all.iter().for_each(|(name, _)| eprintln!("    {name}"));
        return ExitCode::from(2);
    }
    let plan = Plan { rounds: args.rounds.max(1), counts: has_valgrind(), later: RefCell::default() };
    if !args.json {
        println!("{}", report::HEAD);
    }
    let mut kept = true;
    for (_, metric) in all.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name)) {
        let row = metric(&plan);
        kept &= row.ok != Some(false);
        match args.json {
            true => println!("{}", serde_json::to_string(&row).expect("a row is made of names and numbers")),
            false => println!("{row}"),
        }
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn has_valgrind() -> bool {
    let asked =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = asked.is_ok_and(|status| status.success());
    if !there {
        eprintln!("valgrind is not installed: instructions are not counted");
    }
    there
}
