//! The frame around a command on the host: the script that runs it. What is read of its marks is [`marks`](super::marks).
//!
//! Marks carry a number that nobody can foresee:
//!
//! | mark | stream | says |
//! | --- | --- | --- |
//! | `B:PID:WORDS:VERSION` | both | here the output begins; the process group is PID, as sshd makes each command the leader of a session; what the login shell made of a question, see [`Shell`] |
//! | `C:n`, `C:p` | stdout | the folder is not there; it may not be entered |
//! | `X:` | stdout | `exec` failed: there is no such program, or it may not be run |
//! | `: …` | stderr | the login shell has something to say, up to the next mark |
//! | `E:STATUS:k` | both | it has ended; with `k` the shell had something to say about it, as it has of a death by signal |
//!
//! What comes before `B` is noise of the login. The end of the channel without an `E` is no success, whatever exit status
//! ssh tells: libssh2 says 0 when the server was killed (measured).
//!
//! A shell can't tell an exit with 137 from a death by signal 9, but it prints a line about the latter, except for SIGINT and
//! SIGPIPE (dash, bash); 130 and 141 are read as these two signals. There are two ways to catch that line:
//!
//! - Any login shell gets one word for `sh`, and in `sh` the command runs in a command substitution that catches what the
//!   shell itself says. That takes a shell and two forks more than the command alone.
//! - A bash of version 5 runs the frame itself, under a name which is the mark: what it says begins with that. Its stderr is
//!   the one of the command, and one fork is all there is. It may run many, one line after the other: see [`turns`].

use super::quote;
use super::shell::Shell;
use procession::transport::{Exec, RemotePath, TransportError};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Variables that `sh` keeps for itself, or that would change how it reads the rest (bash(1), "Shell Variables").
const OF_THE_SHELL: [&str; 20] = [
    "COMP_WORDBREAKS",
    "DIRSTACK",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "OPTIND",
    "PPID",
    "PS4",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
    "UID",
    "_n",
];

/// Programs that are the same when a shell has them built in (POSIX, XCU): they are not started.
const BUILT_IN: [&str; 4] = ["true", "false", "test", "["];

/// What is to be run.
pub(super) struct Order {
    pub(super) argv: Vec<String>,
    /// Where, as `cd` takes it; absolute, or relative to the home folder.
    pub(super) folder: String,
    pub(super) env: BTreeMap<String, String>,
}

impl Order {
    /// What `exec` wants to be run below the work folder: its words are taken out of it. An error says what no host can run.
    pub(super) fn of(work: &RemotePath, exec: &mut Exec) -> Result<Order, TransportError> {
        let Some(program) = exec.argv.first() else {
            let why = "a command has at least the name of a program".to_owned();
            return Err(TransportError::Refused(why));
        };
        // `exec` would take it for an option; and no file can have no name.
        if program.starts_with('-') || program.is_empty() {
            return Err(TransportError::NotFound(program.clone()));
        }
        if let Some(odd) = exec.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0', '\n'])) {
            return Err(TransportError::Refused(format!("{odd:?} is no name of a variable")));
        }
        let words = exec.argv.iter().chain(exec.env.values());
        if let Some(odd) = words.into_iter().find(|word| word.contains('\0')) {
            return Err(TransportError::Refused(format!("{odd:?} holds a NUL")));
        }
        let folder = exec.cwd.as_ref().map_or_else(|| work.clone(), |path| work.join(path));
        Ok(Order {
            argv: std::mem::take(&mut exec.argv),
            folder: folder.as_str().to_owned(),
            env: std::mem::take(&mut exec.env),
        })
    }

    /// The folder as a word that neither CDPATH nor a dash in front makes anything else of.
    fn folder(&self) -> String {
        match self.folder.starts_with('/') {
            true => quote::word(&self.folder),
            false => quote::word(&format!("./{}", self.folder)),
        }
    }

    fn has_newline(&self) -> bool {
        self.argv.iter().chain(self.env.values()).chain([&self.folder]).any(|word| word.contains('\n'))
    }
}

/// The command line for a login shell of which this is known, and what is to be written to its stdin before all else: the
/// script itself, if it is too long for a command line.
pub(super) fn lay_out(mark: &str, order: &Order, shell: Shell, longest: usize) -> (String, String) {
    if shell == Shell::Bash {
        let line = for_bash(mark, order);
        if line.len() <= longest {
            return (line, String::new());
        }
    }
    let script = for_sh(mark, order);
    let line = format!("exec sh -c {}{}", quote::line(&script), shell.question());
    if line.len() <= longest {
        return (line, String::new());
    }
    // `head` reads no byte more than it was asked for.
    let head = format!("eval \"$(head -c {})\"", script.len());
    (format!("exec sh -c {}{}", quote::line(&head), shell.question()), script)
}

/// The script for `sh`, on one line.
fn for_sh(mark: &str, order: &Order) -> String {
    let mut text = String::with_capacity(512);
    if order.has_newline() {
        // The default IFS is space, tab and newline, whatever is in the environment (POSIX, sh, 2.5.3).
        text.push_str("_n=\"${IFS#??}\";");
    }
    let _ = write!(
        text,
        "echo {mark}B:$$:$#:${{1%%.*}}@;echo {mark}B:$$:@ >&2;{enter}\
         exec 3>&1 4>&2;\
         m=$( {{ ( trap \"echo {mark}X:@\" 0;{run} >&3 2>&4 3>&- 4>&- );s=$?;}} 2>&1;exit $s);\
         s=$?;case $m in *{mark}X:*)echo {mark}X:@;esac;echo {mark}E:$s:${{m:+k}}@;echo {mark}E:$s:@ >&2",
        enter = enter(mark, order, "cd", " 2>/dev/null"),
        run = run(order),
    );
    text
}

/// The script for a login shell that is bash, which has read the files of its user before: options, traps and functions may be
/// anything. What has no end mark on stderr had nothing said about it: statuses below 126 are never the shell's.
fn for_bash(mark: &str, order: &Order) -> String {
    let begin = format!("BASH_ARGV0={mark};set +emuvx;trap - 0 DEBUG ERR CHLD;IFS=");
    let end = format!("[ $_s -lt 126 ]||echo {mark}E:$_s:@ >&2;echo {mark}E:$_s:@");
    in_bash(mark, order, &begin, "", &end)
}

/// The command line of a bash that runs the lines of its input, one after the other: those of [`for_turn`]. It tells when it reads,
/// and when it does not any more: what it was told after that is not run. Its variables have names that nobody exports: what comes
/// later would have them in its environment.
pub(super) fn turns(mark: &str) -> String {
    format!(
        "set +aemuvx;trap - 0 DEBUG ERR CHLD;_h=$PWD;echo {};\
         while IFS= builtin read -r _l;do builtin cd \"$_h\";eval \"$_l\";done;echo {}",
        ready(mark),
        over(mark)
    )
}

/// What it tells when it reads.
pub(super) fn ready(mark: &str) -> String {
    format!("{mark}R@")
}

/// What it tells when it does not any more.
pub(super) fn over(mark: &str) -> String {
    format!("{mark}N@")
}

/// The script as a line for [`turns`]. The input is that of the shell, so the command has none; and the shell goes on after it, so
/// both outputs have an end mark.
pub(super) fn for_turn(mark: &str, order: &Order) -> String {
    let end = format!("echo {mark}E:$_s:@ >&2;echo {mark}E:$_s:@");
    in_bash(mark, order, &format!("BASH_ARGV0={mark};IFS="), "</dev/null", &end)
}

fn in_bash(mark: &str, order: &Order, begin: &str, input: &str, end: &str) -> String {
    let mut text = String::with_capacity(512);
    let _ = write!(
        text,
        "{begin};echo {mark}B:$$:@ >&2;echo {mark}B:$$:@;{enter}",
        // What it complains about is a remark.
        enter = enter(mark, order, "builtin cd", ""),
    );
    let newline = if order.has_newline() { "_n=$'\\n';" } else { "" };
    let built_in = order.argv.first().is_some_and(|program| BUILT_IN.contains(&program.as_str()));
    let _ = match built_in && order.env.is_empty() {
        // It complains under the name that it has in any script.
        true => write!(text, "{newline}BASH_ARGV0=bash;builtin{};", words(&order.argv)),
        false => write!(text, "({newline}{}){input};", run_in_bash(order)),
    };
    let _ = write!(text, "_s=$?;{end}");
    text
}

/// Enters the folder, or says why not.
fn enter(mark: &str, order: &Order, cd: &str, silently: &str) -> String {
    let folder = order.folder();
    format!(
        "{cd} {folder}{silently}||{{ if [ -d {folder} ];then echo {mark}C:p@;else echo {mark}C:n@;fi;exit;}};"
    )
}

/// Becomes the command, with its variables.
fn run(order: &Order) -> String {
    let (ours, odd): (Vec<_>, Vec<_>) = order.env.iter().partition(|(name, _)| is_ours(name));
    let mut text = String::new();
    for (name, value) in ours {
        let _ = write!(text, "export {name}={};", quote::word(value));
    }
    text.push_str("exec");
    if !odd.is_empty() {
        text.push_str(" env");
    }
    for (name, value) in odd {
        let _ = write!(text, " {}={}", quote::word(name), quote::word(value));
    }
    text + &words(&order.argv)
}

/// The same where the files of the user may have made any variable read-only: then `env` sets them all.
fn run_in_bash(order: &Order) -> String {
    if order.env.is_empty() {
        return run(order);
    }
    let mut all = String::new();
    for (name, value) in &order.env {
        let _ = write!(all, " {}={}", quote::word(name), quote::word(value));
    }
    let program = words(&order.argv);
    match order.env.keys().all(is_ours) {
        true => format!("export{all} 2>/dev/null&&exec{program};exec env{all}{program}"),
        false => format!("exec env{all}{program}"),
    }
}

/// Whether a shell leaves a variable alone.
fn is_ours(name: impl AsRef<str>) -> bool {
    let name = name.as_ref();
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.starts_with("BASH")
        && !OF_THE_SHELL.contains(&name)
}

fn words(argv: &[String]) -> String {
    argv.iter().map(|arg| format!(" {}", quote::word(arg))).collect()
}

#[cfg(test)]
mod tests;
