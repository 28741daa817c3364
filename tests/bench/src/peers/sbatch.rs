//! The same jobs, by hand on the login node.

use procession_tests::services::Slurm;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A loop of the shell that submits `n` jobs of `true`, one after the other.
pub fn submit(slurm: &Slurm, n: u32, folder: &Path) {
    let script = format!("for i in $(seq {n}); do sbatch --parsable -o /dev/null --wrap true || exit; done");
    well(shell(slurm, &script, folder));
}

/// An array of so many tasks that each write a file; and waits until none of them is left.
pub fn array(slurm: &Slurm, tasks: u32, folder: &Path) {
    let last = tasks - 1;
    let wrap = r#"echo "$SLURM_ARRAY_TASK_ID" > "out-$SLURM_ARRAY_TASK_ID""#;
    well(shell(slurm, &format!("sbatch -o /dev/null --array=0-{last} --wrap '{wrap}'"), folder));
    until_idle(slurm, folder);
}

/// Waits until the queue is empty.
pub fn until_idle(slurm: &Slurm, folder: &Path) {
    loop {
        let left = shell(slurm, "squeue -h", folder).stdout(Stdio::piped()).output().expect("squeue");
        if left.stdout.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn shell(slurm: &Slurm, script: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).envs([slurm.env()]).current_dir(folder).stdout(Stdio::null());
    command
}

fn well(mut command: Command) {
    let status = command.status().expect("a shell");
    assert!(status.success(), "{command:?}: {status}");
}
