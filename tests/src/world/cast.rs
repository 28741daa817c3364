//! Who is in a world: the jobs, drawn from its dice.

use super::faults::{Dice, PerMille};
use super::fs::Fs;
use procession::WallTime;
use procession_batch::{JobSpec, Plan};
use serde_json::json;

/// The folder of this machine that inputs lie in.
const BASE: &str = "/home/user/work";

/// The folder of this machine that results go to.
const RESULTS: &str = "/home/user/results";

/// A job that lasts so long, ends with this code and makes `result.txt`; on this host.
pub fn plain_job(number: usize, host: &str, seconds: u64, code: i32) -> Plan {
    plan(number, host, json!({ "command": ["sim-job", seconds.to_string(), code.to_string(), "result.txt"] }))
}

/// The same, and it does not listen to TERM.
pub fn stubborn_job(number: usize, host: &str, seconds: u64, code: i32) -> Plan {
    let (seconds, code) = (seconds.to_string(), code.to_string());
    plan(number, host, json!({ "command": ["sim-job", seconds, code, "stubborn", "result.txt"] }))
}

/// A job that fails with this code, twice.
pub fn retried_job(number: usize, host: &str, seconds: u64, code: i32) -> Plan {
    let command = json!(["sim-job", seconds.to_string(), code.to_string()]);
    plan(number, host, json!({ "command": command, "retries": { "attempts": 2, "on": ["exit"] } }))
}

/// A job that lasts longer than its walltime, both in seconds.
pub fn long_job(number: usize, host: &str, seconds: u64, walltime: u64) -> Plan {
    let command = json!(["sim-job", seconds.to_string(), "0"]);
    plan(number, host, json!({ "command": command, "resources": { "walltime": format!("{walltime}s") } }))
}

/// A job whose sandbox is moved to another folder when it is over.
pub fn stashed_job(number: usize, host: &str, seconds: u64) -> Plan {
    let command = json!(["sim-job", seconds.to_string(), "0", "result.txt"]);
    plan(number, host, json!({ "command": command, "remote": { "stash": "kept" } }))
}

/// A job of any kind that there is.
pub fn any_job(number: usize, host: &str, dice: &mut Dice) -> Plan {
    let seconds = match dice.below(4) {
        0 => dice.below(3),
        1 => 60 + dice.below(120),
        _ordinary => 3 + dice.below(30),
    };
    let fails = dice.chance(PerMille(150));
    let mut command =
        vec!["sim-job".to_owned(), seconds.to_string(), if fails { "3" } else { "0" }.to_owned()];
    if dice.chance(PerMille(100)) {
        command.push("stubborn".to_owned());
    }
    if !dice.chance(PerMille(50)) {
        command.push("result.txt".to_owned());
    }
    let mut spec = json!({ "command": command });
    if dice.chance(PerMille(200)) {
        spec["retries"] = json!({ "attempts": 1 + dice.below(3), "on": ["exit", "vanished"] });
    }
    if dice.chance(PerMille(100)) {
        spec["resources"] = json!({ "walltime": format!("{}s", 5 + dice.below(40)) });
    }
    match dice.below(10) {
        0 => spec["remote"] = json!("keep"),
        1 => spec["remote"] = json!({ "stash": "kept" }),
        _remove => {}
    }
    plan(number, host, spec)
}

fn plan(number: usize, host: &str, mut spec: serde_json::Value) -> Plan {
    spec["name"] = json!(format!("job {number}"));
    spec["inputs"] = json!([{ "from": "input.txt" }]);
    spec["outputs"] = json!([{ "pattern": "result.txt" }]);
    let spec = JobSpec::from_value(spec).expect("the jobs of a world are valid");
    let results = format!("{RESULTS}/{number}").into();
    Plan { spec, host: host.to_owned(), root: String::new(), base: BASE.into(), results }
}

/// Lays out the inputs.
pub fn lay_inputs(local: &mut Fs, now: WallTime) {
    local.mkdir_all(BASE, now).expect("an empty disk has room");
    local
        .write(&format!("{BASE}/input.txt"), b"what every job reads\n", 0o644, now)
        .expect("an empty disk has room");
}
