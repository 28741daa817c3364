//! The command line, as types. What a user can learn from `--help` stands here and nowhere else.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use procession::ProcessId;
use std::path::PathBuf;

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  procession run job.toml              run a job, follow it, fetch and verify what it made
  procession run --detach jobs/*.toml  the same in the background
  procession watch                     come back to it, from any terminal
  procession why 3                     what it waits for, and what happens next
  procession kill 3                    works also while nothing runs, or while the host is down
  procession host check cluster        whether jobs can run there, and what to do if not
  procession up                        carry on with all that is unfinished, after a crash or a reboot

Exit codes:
  0  all went well                     3  interrupted; the jobs go on, or wait for `procession up`
  1  something failed or was killed    4  the store cannot be used: held, damaged, too new, full
  2  wrong usage or a wrong file       5  a bug in Procession";

/// Run, watch, pause and kill processes that survive.
///
/// Jobs are described in files (TOML or JSON), run on this machine or on the hosts of a file, and are kept in a journal:
/// a crash, a reboot or a closed terminal loses none of them and submits none of them twice.
#[derive(Parser, Debug)]
#[command(name = "procession", version, after_help = EXAMPLES, styles = STYLES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Global {
    /// The folder that holds the journal [default: $XDG_STATE_HOME/procession or ~/.local/state/procession]
    #[arg(long, global = true, value_name = "DIR", env = "PROCESSION_STORE", hide_env_values = true)]
    pub(crate) store: Option<PathBuf>,
    /// The file of hosts [default: ~/.config/procession/hosts.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "PROCESSION_HOSTS", hide_env_values = true)]
    pub(crate) hosts: Option<PathBuf>,
    /// Print JSON, in the forms of docs/json.md
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only what was asked for, and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr: -v what the runtime does, -vv each step of it
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Run(Run),
    Up(Up),
    Ps(Ps),
    /// Show one process: its state, its effects on the world, its end
    Show(One),
    /// Say why a process is not further: what it waits for, which limit, what happens next and when
    Why(One),
    Logs(Logs),
    Watch(Watch),
    /// Let processes hold still between two steps; a job that runs on its host goes on running
    Pause(Which),
    /// Let paused processes go on
    Resume(Which),
    /// End processes and leave nothing of them behind; cannot be taken back
    Kill(Which),
    /// Let processes ask again now, or make one step if they are driven step by step
    Nudge(Which),
    /// List the files that a process has brought home
    Outputs(One),
    Graph(Graph),
    Gc(Gc),
    Host(Host),
    Login(Login),
    /// Print all that the journal has of a process, as JSON
    Dump(One),
    Completions(Completions),
}

/// Run jobs: stage their files, submit them, follow them, fetch and verify their outputs.
///
/// If a runtime is at work on the store already, the jobs are handed over to it and followed from here.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  procession run job.toml
  procession run --jobs 2 --results /data/pi jobs/*.toml
  procession run --dry-run job.toml      print the exact scripts and commands, and do nothing

Ctrl-C leaves the jobs running; `procession up` or `procession watch` come back to them.")]
pub(crate) struct Run {
    /// Job files, in TOML or JSON
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where to run them
    #[arg(long, value_name = "NAME", default_value = crate::Hosts::LOCAL)]
    pub(crate) host: String,
    /// So many jobs at once on this host; any number for 0
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<u32>,
    /// The folder for what the jobs bring home; each has one of its own in it
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,
    /// Hand the jobs to a background runtime, and return
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print the scripts and commands that would be run, and do nothing
    #[arg(long, conflicts_with = "detach")]
    pub(crate) dry_run: bool,
}

/// Carry on with all that is unfinished, until nothing is.
#[derive(clap::Args, Debug)]
pub(crate) struct Up {
    /// Stay when nothing is left, for what others hand over
    #[arg(long)]
    pub(crate) stay: bool,
    /// So many jobs at once on this machine; any number for 0
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<u32>,
    /// Leave the session of the terminal; for `run --detach`
    #[arg(long, hide = true)]
    pub(crate) own_session: bool,
}

/// List processes: those that have not ended, unless told otherwise.
#[derive(clap::Args, Debug)]
pub(crate) struct Ps {
    /// Those that have ended too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only those in these phases: created, running, paused, killing, finished, killed, failed
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub(crate) phase: Vec<procession::journal::Stage>,
}

/// Print what a process has written.
#[derive(clap::Args, Debug)]
pub(crate) struct Logs {
    /// The process
    pub(crate) id: ProcessId,
    /// Go on until the process has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Its standard error instead of its standard output
    #[arg(short, long)]
    pub(crate) errors: bool,
}

/// Follow processes until they have ended, whoever runs them.
#[derive(clap::Args, Debug)]
pub(crate) struct Watch {
    /// The processes; all that have not ended, if none is given
    pub(crate) ids: Vec<ProcessId>,
}

/// One process.
#[derive(clap::Args, Debug)]
pub(crate) struct One {
    /// The process
    pub(crate) id: ProcessId,
}

/// Some processes, or all that have not ended.
#[derive(clap::Args, Debug)]
pub(crate) struct Which {
    /// The processes
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<ProcessId>,
    /// All that have not ended
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
}

/// Draw the states of a kind of process: Mermaid, or DOT for Graphviz.
#[derive(clap::Args, Debug)]
pub(crate) struct Graph {
    /// The kind; without one, the kinds are listed
    pub(crate) kind: Option<String>,
    /// DOT instead of Mermaid
    #[arg(long)]
    pub(crate) dot: bool,
}

/// Compare the ledger with what is on the hosts, and remove what nobody needs any more.
#[derive(clap::Args, Debug)]
pub(crate) struct Gc {
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Say which hosts there are, whether they work, and how they are used just now.
///
/// Hosts stand in a file, see docs/hosts.md. `local`, this machine, is always there.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  procession host list
  procession host check cluster          connects, writes a file and removes it, names the scheduler
  procession host show cluster           sessions, channels, what waits, health, the next try
  procession run --host cluster job.toml")]
pub(crate) struct Host {
    #[command(subcommand)]
    pub(crate) command: HostCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum HostCommand {
    /// List the hosts
    List,
    /// Show how a host is used: its sessions and channels, what was opened in the last hour, what waits, its health
    Show(OneHost),
    /// Find out whether jobs can run on a host, and what to do if not
    ///
    /// Connects, writes a file in the work folder and removes it, and tells the scheduler and its version, the skew of the
    /// clock, the free space, and what the shell prints by itself. Exits with 1 if jobs cannot run there.
    Check(OneHost),
}

/// Answer what a host asks before it lets us in, for the runtime at work.
///
/// A runtime with a terminal asks there. One in the background cannot, so its host waits (`procession host show` says
/// needs-auth) until somebody loads a key with `ssh-add` or answers here; nothing that is typed is kept in a file, and all
/// processes of the host go on. Without a runtime at work, it finds out whether the host lets us in.
#[derive(clap::Args, Debug)]
pub(crate) struct Login {
    /// The host, by its name in the file of hosts
    pub(crate) name: String,
}

/// One host.
#[derive(clap::Args, Debug)]
pub(crate) struct OneHost {
    /// The host, by its name in the file of hosts
    pub(crate) name: String,
}

/// Print the completions for a shell.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  procession completions bash > ~/.local/share/bash-completion/completions/procession
  procession completions zsh  > ~/.zfunc/_procession
  procession completions fish > ~/.config/fish/completions/procession.fish")]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: Shell,
}

fn phase(word: &str) -> Result<procession::journal::Stage, String> {
    use procession::journal::Stage;
    let known = || Stage::ALL.map(Stage::word).join(", ");
    Stage::from_word(word).ok_or_else(|| format!("there are: {}", known()))
}
