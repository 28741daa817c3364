//! The commands, one file for each group of them.

mod detach;
mod dry_run;
mod gc;
mod graph;
mod host;
mod login;
mod logs;
mod look;
mod outputs;
mod run;
mod session;
mod up;
mod watch;
mod why;
mod wish;

pub(crate) use gc::Trace;
pub(crate) use host::Finding;

use crate::args::{Args, Command, Global};
use crate::exit::{Exit, Trouble};
use crate::hosts::Hosts;
use crate::store::Store;
use crate::{screen, view::View};
use clap::CommandFactory;
use procession::ProcessId;
use procession::journal::{ProcessRow, Reader};

/// What all commands work with.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) global: Global,
}

/// Does what the command line says.
pub(crate) fn run(args: Args) -> Result<Exit, Trouble> {
    screen::listen_to_log(args.global.verbose);
    if let Command::Completions(wanted) = args.command {
        let mut text = Vec::new();
        clap_complete::generate(wanted.shell, &mut Args::command(), "procession", &mut text);
        screen::out_bytes(&text);
        return Ok(Exit::Well);
    }
    let desk = Desk { store: Store::at(args.global.store.clone())?, global: args.global };
    match args.command {
        Command::Run(args) => run::run(&desk, args),
        Command::Up(args) => up::up(&desk, args),
        Command::Ps(args) => look::ps(&desk, &args),
        Command::Show(one) => look::show(&desk, one.id),
        Command::Dump(one) => look::dump(&desk, one.id),
        Command::Why(one) => why::why(&desk, one.id),
        Command::Logs(args) => logs::logs(&desk, &args),
        Command::Watch(args) => watch::watch(&desk, args),
        Command::Pause(which) => wish::wish(&desk, wish::Wish::Pause, &which),
        Command::Resume(which) => wish::wish(&desk, wish::Wish::Resume, &which),
        Command::Kill(which) => wish::wish(&desk, wish::Wish::Kill, &which),
        Command::Nudge(which) => wish::wish(&desk, wish::Wish::Nudge, &which),
        Command::Outputs(one) => outputs::outputs(&desk, one.id),
        Command::Graph(args) => graph::graph(&desk, &args),
        Command::Host(args) => host::host(&desk, &args.command),
        Command::Login(one) => login::login(&desk, &one.name),
        Command::Gc(args) => gc::gc(&desk, &args),
        Command::Completions(_) => Ok(Exit::Well),
    }
}

impl Desk {
    /// The file of hosts.
    pub(crate) fn hosts(&self) -> Result<Hosts, Trouble> {
        Ok(Hosts::load(self.global.hosts.as_deref())?)
    }

    /// The process with this number, and a look into the journal that it is in.
    pub(crate) fn find(&self, id: ProcessId) -> Result<(Reader, ProcessRow), Trouble> {
        let missing = || Trouble::NoProcess { id, store: self.store.folder().to_owned() };
        let reader = self.store.look()?.ok_or_else(missing)?;
        let row = reader.process(id)?.ok_or_else(missing)??;
        Ok((reader, row))
    }
}

/// The code for processes that have ended, or not.
pub(crate) fn verdict<'a>(views: impl Iterator<Item = &'a View>) -> Exit {
    let all_well = views.into_iter().all(|view| view.ok == Some(true));
    if all_well { Exit::Well } else { Exit::Failed }
}
