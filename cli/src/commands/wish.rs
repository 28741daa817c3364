//! `pause`, `resume`, `kill`, `nudge`: letters in the journal. They need no runtime: the next one finds them.

use super::{Desk, look};
use crate::args::Which;
use crate::exit::{Exit, Trouble};
use crate::follow::LIVE;
use crate::{json, screen};
use procession::ProcessId;
use procession::journal::{Ask, Desired, Postbox};

/// What is wished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    Pause,
    Resume,
    Kill,
    Nudge,
}

impl Wish {
    fn word(self) -> &'static str {
        match self {
            Wish::Pause => "pause",
            Wish::Resume => "resume",
            Wish::Kill => "kill",
            Wish::Nudge => "nudge",
        }
    }

    fn ask(self, process: ProcessId) -> Ask {
        match self {
            Wish::Pause => Ask::Desire { process, desired: Desired::Pause },
            Wish::Resume => Ask::Desire { process, desired: Desired::Run },
            Wish::Kill => Ask::Desire { process, desired: Desired::Kill },
            Wish::Nudge => Ask::Nudge { process },
        }
    }
}

/// Leaves the wish for each of these processes.
pub(crate) fn wish(desk: &Desk, wish: Wish, which: &Which) -> Result<Exit, Trouble> {
    let mut wishes = json::Wishes { wish: wish.word(), asked: Vec::new(), over: Vec::new(), heard: false };
    for id in named(desk, which)? {
        let (_, row) = desk.find(id)?;
        if row.stage.is_end() {
            wishes.over.push(id);
        } else {
            wishes.asked.push(id);
        }
    }
    // All were looked up before anything is asked, so that a slip in the last id asks nothing of the first.
    if !wishes.asked.is_empty() {
        let mut postbox = Postbox::open(desk.store.journal())?;
        for id in &wishes.asked {
            wishes.heard = postbox.post(&wish.ask(*id))?.heard;
        }
    }
    if desk.global.json {
        json::print(&wishes);
    } else if !desk.global.quiet {
        tell(&wishes, desk.store.holder());
    }
    Ok(Exit::Well)
}

fn named(desk: &Desk, which: &Which) -> Result<Vec<ProcessId>, Trouble> {
    match (which.all, which.ids.is_empty()) {
        (true, _) => desk.store.look()?.map_or(Ok(Vec::new()), |reader| look::all(&reader, &LIVE)),
        (false, false) => Ok(which.ids.clone()),
        (false, true) => Err(Trouble::NobodyNamed),
    }
}

fn tell(wishes: &json::Wishes, holder: Option<u32>) {
    for id in &wishes.over {
        screen::err(&format!("process {id} has ended already"));
    }
    let when = match (wishes.heard, holder) {
        (true, _) => "the runtime was told",
        (false, Some(_)) => "the runtime at work could not be rung; it looks for wishes every few seconds",
        (false, None) => "no runtime is at work; it takes effect with the next `procession up`",
    };
    for id in &wishes.asked {
        screen::out(&format!("process {id}: {} asked for; {when}", wishes.wish));
    }
    if wishes.asked.is_empty() && wishes.over.is_empty() {
        screen::err("nothing to ask: no process is unfinished");
    }
}
