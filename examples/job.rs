//! A batch job from a program of one's own: the spec in Rust, one host without a scheduler, the results in a folder.
//!
//! ```text
//! cargo run -p procession-examples --bin job
//! ```

use procession::journal::Sqlite;
use procession::{Runtime, Spawn};
use procession_batch::dialect::Direct;
use procession_batch::{Hosts, JobSpec, Output, Plan, SchedulerProcess};
use procession_local::{Config, Local};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let [work, results] = ["work", "results"].map(|name| folder.path().join(name));
    std::fs::create_dir(&work)?;

    // Jobs have names in a journal, so that after a crash the one that was submitted is known again.
    let mut runtime = Runtime::builder().journal(Sqlite::open(folder.path().join("journal"))?).build()?;
    let (here, _here) = Local::start(runtime.stakker(), Config::new("/"))?;
    let (host, _host) = Local::start(runtime.stakker(), Config::new(&work))?;
    let mut hosts = Hosts::new(here);
    hosts.add(&mut runtime, host, Direct::new(2));
    SchedulerProcess::register(&mut runtime, hosts);
    runtime.recover()?;

    let spec = JobSpec {
        name: "answer".into(),
        script: Some("echo 42 > answer.txt".into()),
        outputs: vec![Output { pattern: "answer.txt".into(), required: true, limit: None }],
        ..JobSpec::default()
    };
    spec.validate()?;
    let plan = Plan {
        spec,
        host: "local".into(),
        root: String::new(),
        base: folder.path().to_owned(),
        results: results.clone(),
    };
    let job = runtime.spawn::<SchedulerProcess>(plan.clone().job(), Spawn::default())?;
    job.launch();
    let outcome = runtime.run_until(&job)?.finished().ok_or("it did not finish")?;
    println!("{outcome}");
    for file in outcome.outputs.iter().filter(|file| file.path.starts_with("outputs/")) {
        print!(
            "{}: {}",
            file.path,
            std::fs::read_to_string(plan.results_of(outcome.attempt).join(&file.path))?
        );
    }
    Ok(())
}
