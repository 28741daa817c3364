//! A session: processes are followed to their end while this program runs them, or somebody else does.
//!
//! The runtime of this program takes over when whoever held the journal dies. The first Ctrl-C stops our runtime and
//! leaves everything as it is; a second one ends the program at once.

use super::Desk;
use crate::board::Board;
use crate::engine::{Engine, News, parked_ids};
use crate::exit::{Exit, Trouble};
use crate::follow::Follow;
use crate::hosts::Hosts;
use crate::kinds;
use crate::progress::Progress;
use crate::signals::Signals;
use procession::Recovered;
use procession::journal::{Ask, JournalError, Letter, Stage};
use procession::pool::Health;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often we look whether something has changed: sooner than anybody would notice, and it costs a microsecond.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// So many ticks after a runtime was found to hold the journal, we look whether it still does: about a second.
const TICKS_BETWEEN_TRIES: u32 = 20;

/// What ends a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Until {
    /// All that are followed have ended.
    Over,
    /// The same, and no letter waits.
    NothingIsLeft,
    /// Only Ctrl-C.
    Stopped,
}

/// What to do if another runtime holds the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IfHeld {
    /// Follow what it does.
    Follow,
    /// Give up.
    Refuse,
}

/// How a session is to go.
pub(crate) struct Session<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) hosts: &'a Hosts,
    pub(crate) until: Until,
    pub(crate) if_held: IfHeld,
}

/// How a session went.
pub(crate) struct Went {
    /// Whether Ctrl-C ended it.
    pub(crate) interrupted: bool,
    /// How many processes could not be brought back.
    pub(crate) parked: usize,
}

/// Where the runtime is.
enum Runner {
    Unknown,
    Ours,
    Theirs { ticks: u32 },
}

impl Session<'_> {
    /// Follows to the end.
    pub(crate) fn go(&self, follow: &mut Follow, progress: &mut Progress) -> Result<Went, Trouble> {
        let mut signals = Signals::listen()?;
        let mut engine = Engine::start(&self.desk.store, self.hosts)?;
        let (mut runner, mut parked) = (Runner::Unknown, Vec::new());
        let mut barred = Barred::default();
        let interrupted = loop {
            if let Some(news) = engine.news() {
                runner = self.on_news(news, &runner, progress, &mut parked)?;
            }
            let changes = follow.look()?;
            let count = follow.count();
            changes.iter().for_each(|view| {
                progress.on_change(view, count);
            });
            if self.is_over(follow, &runner, &parked)? {
                break false;
            }
            if !changes.is_empty() && only_paused_are_left(follow) {
                progress.say("all that is left is paused; `procession resume` lets it go on");
            }
            if signals.wait(TICK) > 0 {
                break true;
            }
            barred.look(self.desk, progress);
            if let Runner::Theirs { ticks } = &mut runner {
                *ticks += 1;
                if ticks.is_multiple_of(TICKS_BETWEEN_TRIES) {
                    engine.try_again();
                }
            }
        };
        if interrupted {
            progress.say("stopping; the jobs stay as they are (Ctrl-C again: at once)");
        }
        stop(engine, signals)?;
        Ok(Went { interrupted, parked: parked.len() })
    }

    fn on_news(
        &self,
        news: News,
        runner: &Runner,
        progress: &Progress,
        parked: &mut Vec<i64>,
    ) -> Result<Runner, Trouble> {
        match news {
            News::Began(recovered) => {
                tell_recovered(&recovered, progress);
                parked.extend(parked_ids(&recovered.parked));
                Ok(Runner::Ours)
            }
            News::Held(why) if self.if_held == IfHeld::Refuse => Err(why.into()),
            News::Held(why) => match runner {
                Runner::Theirs { ticks } => Ok(Runner::Theirs { ticks: *ticks }),
                Runner::Unknown | Runner::Ours => {
                    tell_held(&why, progress);
                    Ok(Runner::Theirs { ticks: 0 })
                }
            },
            // It ends by itself only if it cannot go on.
            News::Ended(result) => result.and(Err(Trouble::Engine)),
        }
    }

    fn is_over(&self, follow: &Follow, runner: &Runner, parked: &[i64]) -> Result<bool, Trouble> {
        let ended = || {
            let is_parked = |id: procession::ProcessId| parked.contains(&(id.number() as i64));
            follow.are_there() && follow.seen().all(|view| view.is_over() || is_parked(view.id))
        };
        match (self.until, runner) {
            (Until::Stopped, Runner::Unknown | Runner::Ours | Runner::Theirs { .. }) => Ok(false),
            (Until::Over, Runner::Unknown) => Ok(false),
            (Until::Over, Runner::Ours | Runner::Theirs { .. }) => Ok(ended()),
            (Until::NothingIsLeft, Runner::Unknown | Runner::Theirs { .. }) => Ok(false),
            (Until::NothingIsLeft, Runner::Ours) => {
                Ok(ended() && !follow.reader().letters()?.iter().any(will_be_taken))
            }
        }
    }
}

/// Tells once of each host that does not let the runtime in.
#[derive(Default)]
struct Barred {
    ticks: u32,
    told: BTreeSet<String>,
}

impl Barred {
    /// To be called with each tick.
    fn look(&mut self, desk: &Desk, progress: &Progress) {
        self.ticks = self.ticks.wrapping_add(1);
        if !self.ticks.is_multiple_of(TICKS_BETWEEN_TRIES) {
            return;
        }
        for (name, now) in Board::look(&desk.store).into_iter().flat_map(|board| board.hosts) {
            let Some(report) = now.pool.filter(|report| report.health == Health::NeedsAuth) else {
                self.told.remove(&name);
                continue;
            };
            if self.told.insert(name.clone()) {
                let why = crate::screen::one_line(&report.why.unwrap_or_default());
                progress
                    .say(&format!("{name} does not let us in: {why}; `procession login {name}` answers it"));
            }
        }
    }
}

/// Whether our runtime takes this letter. One that hands over a process of an unknown kind waits for another program.
fn will_be_taken(letter: &Letter) -> bool {
    match &letter.ask {
        Ok(Ask::Desire { .. } | Ask::Nudge { .. }) | Err(_) => true,
        Ok(Ask::Adopt { kind, .. }) => kinds::tables().iter().any(|(known, _)| known == kind),
    }
}

fn only_paused_are_left(follow: &Follow) -> bool {
    let mut left = follow.seen().filter(|view| !view.is_over()).peekable();
    left.peek().is_some() && left.all(|view| view.stage == Stage::Paused)
}

fn tell_recovered(recovered: &Recovered, progress: &Progress) {
    if recovered.restored > 0 {
        progress.say(&format!("carrying on with {} unfinished", recovered.restored));
    }
    for parked in &recovered.parked {
        progress.say(&format!("procession: {parked}"));
    }
}

fn tell_held(why: &JournalError, progress: &Progress) {
    if let JournalError::Held { holder, .. } = why {
        progress.say(&format!("handed over to the runtime that is at work (pid {holder}); following it"));
    }
}

/// Stops our runtime, unless a second Ctrl-C says that this takes too long.
fn stop(engine: Engine, mut signals: Signals) -> Result<(), Trouble> {
    let impatient = std::thread::Builder::new().name("procession-impatient".into()).spawn(move || {
        loop {
            if signals.wait(Duration::from_secs(3600)) > 0 {
                std::process::exit(Exit::Interrupted.code().into());
            }
        }
    });
    impatient.map_err(|why| Trouble::System { what: "a thread for signals", why })?;
    engine.stop()
}
