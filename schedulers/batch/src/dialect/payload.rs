//! The payload: what the user asked for, as a script that any dialect's frame can start.

use super::cksum::cksum;
use super::{ScriptFile, payload_file, script_file};
use crate::{JobSpec, Place, Work};

/// Up to so many bytes a payload is a part of its frame.
const SHORT: usize = 16 << 10;

/// The files that hold what the user asked for: the payload, and the script if the job is one.
///
/// The payload sets the environment, loads modules, goes to `cwd`, and then runs `prepend`, the command and `append`, in
/// one shell. It ends with the code of the command. The words of the command are quoted here, in a file; no remote
/// command line ever is.
pub fn payload(spec: &JobSpec, place: &Place) -> Vec<ScriptFile> {
    let mut text = format!("#!/bin/sh\n# The payload of {}: {}\n", place.name, one_line(&spec.name));
    // Signals go to the whole group. This shell survives those that the command may want to act upon, and then runs
    // `append`; a trap, unlike an ignored signal, is not handed down to the command.
    text += "trap : HUP INT QUIT USR1 USR2 TERM ALRM\n";
    text += &lines(spec, place);
    let payload = ScriptFile { name: payload_file(place.name.attempt), text, executable: true };
    std::iter::once(payload).chain(script(spec, place)).collect()
}

/// The same for a frame: a function of its shell that becomes the payload, and the files that this needs.
///
/// A payload that is a few lines of ours is itself that function, which spares a file, its checksum and a shell. Shell text of a
/// user has a shell of its own; and so has what a scheduler could take for a line of its own, of which some look for them in
/// the whole of a script.
pub(super) fn function(spec: &JobSpec, place: &Place) -> (String, Vec<ScriptFile>) {
    let lines = lines(spec, place);
    let is_ours = spec.prepend.is_empty() && spec.append.is_empty() && spec.modules.is_empty();
    if is_ours && lines.len() <= SHORT && !lines.lines().any(|line| line.trim_start().starts_with('#')) {
        return (format!("run_payload() {{\n{lines}}}\n"), script(spec, place).into_iter().collect());
    }
    let call = "run_payload() { exec sh \".payload-$attempt\" \"$name\"; }\n";
    (call.to_string(), payload(spec, place))
}

/// The user's script.
fn script(spec: &JobSpec, place: &Place) -> Option<ScriptFile> {
    let Work::Script(text) = spec.work() else { return None };
    let text = if text.starts_with("#!") { text.to_string() } else { format!("#!/bin/sh\n{text}") };
    Some(ScriptFile { name: script_file(place.name.attempt), text: ending(&text), executable: true })
}

/// The lines in the head of a frame by which it knows these files: see `frame/whole.sh`.
pub(super) fn sums(payload: &[ScriptFile]) -> String {
    let parts: Vec<&str> = payload.iter().map(|file| file.name.as_str()).collect();
    let sums: Vec<String> =
        payload.iter().map(|file| format!("{} {}", cksum(&file.text), file.name)).collect();
    format!("parts='{}'\nsums='{}'\n", parts.join(" "), sums.join(" "))
}

fn lines(spec: &JobSpec, place: &Place) -> String {
    let command = match spec.work() {
        Work::Command(argv) => joined(argv),
        Work::Script(_) => format!("\"$procession_sandbox\"/{}", script_file(place.name.attempt)),
    };
    let mut text = "procession_sandbox=$PWD\n".to_string();
    text += &format!("export PROCESSION_JOB={} PROCESSION_ATTEMPT={}\n", place.name, place.name.attempt);
    for (name, value) in &spec.env {
        text += &format!("export {name}={}\n", quoted(value));
    }
    if !spec.modules.is_empty() {
        text += "command -v module >/dev/null 2>&1 || . /etc/profile\n";
    }
    for module in &spec.modules {
        text += &format!("module load {} || exit 96\n", quoted(module));
    }
    if let Some(cwd) = &spec.cwd {
        text += &format!("mkdir -p {0} && cd {0} || exit 96\n", quoted(cwd));
    }
    text += &ending(&spec.prepend);
    let launcher = if spec.mpi.is_empty() { String::new() } else { format!("{} ", joined(&spec.mpi)) };
    // Through `exec`, for which the first word is a program, whatever else it means to a shell: `if`, `test`, `A=b`.
    if spec.append.is_empty() {
        return text + &format!("exec {launcher}{command}\n");
    }
    text += &format!("(exec {launcher}{command})\n");
    text += "procession_code=$?\n";
    text += &ending(&spec.append);
    text + "exit \"$procession_code\"\n"
}

fn joined(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word that a POSIX shell reads back as it is.
fn quoted(word: &str) -> String {
    let quoted = shlex::try_quote(word).expect("validation lets no NUL into a job");
    quoted.into_owned()
}

/// Text from a job file, with the newline at its end that an editor would have put there.
fn ending(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_string() } else { format!("{text}\n") }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
