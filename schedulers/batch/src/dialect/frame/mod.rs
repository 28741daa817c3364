//! The frame around a payload: the script that a scheduler starts. It is the same under every scheduler, up to some lines
//! at its head.
//!
//! The frame starts the payload at most once, whatever the scheduler does, and leaves the [exit file](super::ExitFile),
//! which is the only evidence of success. Each task of an array has a frame of its own, in a folder of its own.

use super::{ScriptFile, function, job_file, sums};
use crate::{JobSpec, Place};

/// How every frame leaves evidence of its end: a function of the shell.
const LEAVE: &str = include_str!("leave.sh");

/// How every frame knows that the payload is what was sent: another one.
const WHOLE: &str = include_str!("whole.sh");

/// What is the same under every scheduler.
const FRAME: &str = include_str!("frame.sh");

/// What differs from scheduler to scheduler. The texts are put into a script as they are, so they are never a user's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// The scheduler's own lines, whole: `#SBATCH --export=ALL`. These may be a user's; each is a comment of one line.
    pub head: Vec<String>,
    /// Shell text that goes to the sandbox, where a scheduler starts jobs elsewhere: `cd "$PBS_O_WORKDIR" || exit 98`.
    pub enter: &'static str,
    /// Shell word for the scheduler's id of the job, of an array as a whole, as [`Submitted`](super::Submitted) has it:
    /// `"$SLURM_JOB_ID"`.
    pub id: &'static str,
    /// Shell word for the index of a task: `"$SLURM_ARRAY_TASK_ID"`. Used for arrays alone.
    pub task: &'static str,
    /// Shell word that is neither empty nor 0 if the scheduler has started this job before: `"$SLURM_RESTART_COUNT"`.
    pub again: &'static str,
    /// The signal before the walltime, without `SIG`, if the scheduler gives it to the frame alone and not to all
    /// processes of the job.
    pub pass: Option<String>,
    /// The signals, without `SIG`, by which the scheduler says that it is about to kill the job, if it says so to the frame:
    /// `"TERM"`. The frame then ends the payload by itself, to be the one who says how.
    pub ends: &'static str,
    /// Whether the frame itself must give the signal before the walltime, because the scheduler cannot.
    pub warns: bool,
}

impl Frame {
    /// The file that the scheduler starts, with the sandbox as its working folder, and those of the payload.
    pub fn files(&self, spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
        let (function, payload) = function(spec, place);
        std::iter::once(self.file(spec, place, &function, &payload)).chain(payload).collect()
    }

    fn file(&self, spec: &JobSpec, place: &Place, function: &str, payload: &[ScriptFile]) -> ScriptFile {
        let mut text = "#!/bin/sh\n".to_string();
        for line in &self.head {
            text += &format!("{line}\n");
        }
        let name = place.name;
        let task = if spec.array.is_some() { self.task } else { "" };
        let pass = self.pass.as_deref().unwrap_or_default();
        text += &format!("name={name} attempt={}\nid={}\ntask={task}\n", name.attempt, self.id);
        text += &format!("again={}\npass={pass}\n", self.again);
        let walltime = spec.resources.walltime.map(|limit| limit.seconds());
        let limit = walltime.map_or_else(String::new, |limit| limit.to_string());
        text += &format!("ends='{}' walltime={limit}\n", self.ends);
        let warning = spec.signal.as_ref().zip(walltime).filter(|_| self.warns);
        let (warn, after) = warning.map_or_else(Default::default, |(signal, limit)| {
            (signal.name.as_str(), limit.saturating_sub(signal.before.seconds()).to_string())
        });
        text += &format!("warn={warn} after={after}\n{}{function}", sums(payload));
        if !self.enter.is_empty() {
            text += &format!("{}\n", self.enter);
        }
        // The shell reads all of it before it does any of it, so a file that was cut off does nothing.
        let text = text + "{\n" + LEAVE + WHOLE + FRAME + "}\n";
        ScriptFile { name: job_file(name.attempt), text, executable: true }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, sums};
    use crate::{JobName, JobSpec, Place};
    use procession::{JournalUid, ProcessId};

    #[test]
    fn only_a_few_lines_differ_from_scheduler_to_scheduler() {
        let name = JobName { journal: JournalUid(7), process: ProcessId::FIRST, attempt: 2 };
        let place = Place { root: String::new(), name };
        let frame = Frame {
            head: vec!["#X -a b".into()],
            enter: "cd \"$X_DIR\" || exit 98",
            id: "\"$X_ID\"",
            task: "\"$X_TASK\"",
            again: "\"$X_AGAIN\"",
            pass: Some("USR1".into()),
            ends: "TERM USR2",
            warns: true,
        };
        let spec = JobSpec { name: "a".into(), script: Some("true".into()), ..JobSpec::default() };
        let [file, script] = &frame.files(&spec, &place)[..] else { panic!("a frame and a script") };
        let head = "#!/bin/sh\n#X -a b\nname=procession-00000007-1-2 attempt=2\nid=\"$X_ID\"\ntask=\n\
            again=\"$X_AGAIN\"\npass=USR1\nends='TERM USR2' walltime=\nwarn= after=\n";
        let payload = "run_payload() {\nprocession_sandbox=$PWD\n\
            export PROCESSION_JOB=procession-00000007-1-2 PROCESSION_ATTEMPT=2\n\
            exec \"$procession_sandbox\"/.script-2\n}\n";
        let enter = "cd \"$X_DIR\" || exit 98\n{\n# The time";
        let head = [head, &sums(std::slice::from_ref(script)), payload, enter].concat();
        assert!(file.text.starts_with(&head) && file.text.ends_with("\n}\n"), "{}", &file.text[..400]);
        assert_eq!((file.name.as_str(), file.executable), (".job-2", true));
    }
}
