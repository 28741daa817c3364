//! The frame around a command on the host: the script that runs it. What is read of its marks is [`marks`](super::marks).
//!
//! The login shell gets one word for `sh`, and `sh` does the rest. Marks carry a number that nobody can foresee:
//!
//! | mark | stream | says |
//! | --- | --- | --- |
//! | `B:PID` | both | here the output begins; the process group is PID, as sshd makes each command the leader of a session |
//! | `C:n`, `C:p` | stdout | the folder is not there; it may not be entered |
//! | `X:` | stdout | `exec` failed: there is no such program, or it may not be run |
//! | `E:STATUS:k` | both | it has ended; with `k` the shell had something to say about it, as it has of a death by signal |
//!
//! What comes before `B` is noise of the login. The end of the channel without an `E` is no success, whatever exit status
//! ssh tells: libssh2 says 0 when the server was killed (measured).
//!
//! A shell can't tell an exit with 137 from a death by signal 9, but it prints a line about the latter, except for SIGINT and
//! SIGPIPE (dash, bash). So the command runs in a command substitution that catches what the shell itself says; 130 and 141
//! are read as these two signals.

use super::quote;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Variables that `sh` keeps for itself, or that would change how it reads the rest (bash(1), "Shell Variables").
const OF_THE_SHELL: [&str; 10] =
    ["BASHOPTS", "BASH_ENV", "ENV", "EUID", "IFS", "PPID", "PS4", "SHELLOPTS", "UID", "n"];

/// What is to be run.
pub(super) struct Order<'a> {
    pub(super) argv: &'a [String],
    /// Where, as `cd` takes it; absolute, or relative to the home folder.
    pub(super) folder: &'a str,
    pub(super) env: &'a BTreeMap<String, String>,
}

/// The script for `sh`, on one line.
pub(super) fn script(mark: &str, order: &Order<'_>) -> String {
    let mut text = String::with_capacity(512);
    let newline = |text: &str| text.contains('\n');
    if order.argv.iter().chain(order.env.values()).any(|word| newline(word)) || newline(order.folder) {
        // The default IFS is space, tab and newline, whatever is in the environment (POSIX, sh, 2.5.3).
        text.push_str("n=\"${IFS#??}\";");
    }
    let folder = match order.folder.starts_with('/') {
        true => quote::word(order.folder),
        // Neither CDPATH nor a dash in front changes what this means.
        false => quote::word(&format!("./{}", order.folder)),
    };
    let _ = write!(
        text,
        "echo {mark}B:$$@;echo {mark}B:$$@ >&2;\
         cd {folder} 2>/dev/null||{{ if [ -d {folder} ];then echo {mark}C:p@;else echo {mark}C:n@;fi;exit;}};\
         exec 3>&1 4>&2;\
         m=$( {{ ( trap \"echo {mark}X:@\" 0;{run} >&3 2>&4 3>&- 4>&- );s=$?;}} 2>&1;exit $s);\
         s=$?;case $m in *{mark}X:*)echo {mark}X:@;esac;echo {mark}E:$s:${{m:+k}}@;echo {mark}E:$s:@ >&2",
        run = run(order),
    );
    text
}

fn run(order: &Order<'_>) -> String {
    let mut text = String::new();
    let mut odd = String::new();
    for (name, value) in order.env {
        let value = quote::word(value);
        let ours = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !OF_THE_SHELL.contains(&name.as_str());
        let _ = match ours {
            true => write!(text, "export {name}={value};"),
            false => write!(odd, " {}={value}", quote::word(name)),
        };
    }
    text.push_str("exec");
    if !odd.is_empty() {
        let _ = write!(text, " env{odd}");
    }
    for arg in order.argv {
        text.push(' ');
        text.push_str(&quote::word(arg));
    }
    text
}

/// The command line for the login shell, and what is to be written to its stdin before all else: the script itself, if it is
/// too long for a command line.
pub(super) fn lay_out(script: String, longest: usize) -> (String, String) {
    let line = format!("exec sh -c {}", quote::line(&script));
    if line.len() <= longest {
        return (line, String::new());
    }
    // `head` reads no byte more than it was asked for.
    (format!("exec sh -c {}", quote::line(&format!("eval \"$(head -c {})\"", script.len()))), script)
}

#[cfg(test)]
mod tests;
