//! Commands: on a channel of their own, or one after the other in a shell.

use super::{MOST_WAITING, Ssh, Waiting};
use crate::exec::{Command, Lane, Seat, Word};
use crate::session::{Placement, Session, Unplaced};
use crate::talk::{Recall, Talk};
use procession::pool::{Lease, Urgency};
use procession::transport::{Answer, Exec, Exit, TransportError};
use stakker::{Actor, CX, Ret, at, call, fwd_to, lazy, ret_some_to, ret_to};
use std::rc::Rc;

impl Ssh {
    pub(super) fn exec(&mut self, cx: CX![], exec: Exec, answer: Answer<Exit>) {
        match Command::new(self.host.clone(), &self.work, self.runtime.random(), exec, answer) {
            Ok(mut command) => {
                command.id = self.number();
                if let Some(cancel) = command.cancel() {
                    let (id, recall) = (command.id, command.recall());
                    cancel.on_cancel(ret_some_to!([cx], on_cancel(id, recall) as ()));
                }
                self.run(cx, Box::new(command));
            }
            Err((e, answer)) => answer.ret(Err(e)),
        }
    }

    /// Lets a shell that is free have it, or waits for one; or leases a channel. A channel that is kept for control is not held
    /// for longer than one command.
    fn run(&mut self, cx: CX![], command: Box<Command>) {
        let (id, urgency) = (command.id, command.urgency());
        if !command.may_take_turns() {
            return self.lease(cx, id, urgency, command);
        }
        match self.lanes.give(command) {
            Ok(()) => {}
            Err(command) if urgency == Urgency::Control => self.lease(cx, id, urgency, command),
            Err(command) if self.lanes.waiting() >= MOST_WAITING => {
                let full = format!("{MOST_WAITING} commands wait already, the limit");
                command.over(Err(TransportError::Refused(full)));
            }
            Err(command) => {
                self.lanes.wait(command);
                self.ask_for_lanes(cx);
            }
        }
    }

    fn ask_for_lanes(&mut self, cx: CX![]) {
        while self.lanes.asks() {
            let answer = self.on_answer(cx);
            self.sessions.lease(Urgency::Work, answer);
        }
    }

    fn on_answer(&self, cx: CX![]) -> Ret<Result<Lease<Actor<Session>>, TransportError>> {
        ret_to!([cx], on_lane() as (Result<Lease<Actor<Session>>, TransportError>))
    }

    fn on_lane(&mut self, cx: CX![], lease: Option<Result<Lease<Actor<Session>>, TransportError>>) {
        self.lanes.answered();
        match lease {
            // With nobody there it goes back.
            Some(Ok(lease)) => {
                if let Some(command) = self.lanes.open() {
                    let (words, token) = (fwd_to!([cx], on_word() as (Word)), self.lanes.token());
                    let lane = Lane::new(self.runtime.random(), command, cx.now(), words, token);
                    let session = lease.session().clone();
                    let back = ret_some_to!([cx], on_lane_unplaced() as (Unplaced));
                    let placement = Placement::new(Box::new(lane), lease, back);
                    call!([session], converse(placement));
                }
            }
            Some(Err(e)) => self.fail_all(&e),
            None => self.fail_all(&self.closed()),
        }
        self.ask_for_lanes(cx);
    }

    /// There is no way to the host: all who wait hear of it, as if each had asked for a channel.
    fn fail_all(&mut self, why: &TransportError) {
        while let Some(command) = self.lanes.next() {
            command.over(Err(why.clone()));
        }
    }

    fn on_lane_unplaced(&mut self, cx: CX![], unplaced: Unplaced) {
        let (mut talk, refused) = match unplaced {
            Unplaced::Refused(talk, lease) => (talk, Some(lease)),
            Unplaced::Broken(talk) => (talk, None),
        };
        match talk.give_up() {
            Some(command) => self.lanes.wait(command),
            None => talk.over(Err(self.closed())),
        }
        if let Some(lease) = refused {
            self.lanes.refused();
            lease.refused(self.on_answer(cx));
        }
        self.give_turns();
        self.ask_for_lanes(cx);
    }

    /// Those who wait, to shells that are free.
    fn give_turns(&mut self) {
        while let Some(command) = self.lanes.next() {
            if let Err(command) = self.lanes.give(command) {
                return self.lanes.wait(command);
            }
        }
    }

    pub(super) fn on_word(&mut self, cx: CX![], word: Word) {
        match word {
            Word::Free(seat) => self.on_free(cx, seat),
            Word::Unsaid(command) => self.run(cx, command),
            Word::Unfit(mut command) => {
                command.keep_apart();
                self.run(cx, command);
            }
            Word::Gone => {
                self.lanes.gone();
                // By then its channel has found somebody, or nobody.
                lazy!([cx], on_gone());
            }
        }
    }

    fn on_gone(&mut self, _: CX![]) {
        self.lanes.make_way();
    }

    /// A shell is free for who has waited longest, unless it is to make way for other work.
    fn on_free(&mut self, cx: CX![], seat: Rc<Seat>) {
        if seat.is_old(cx.now()) || self.lanes.makes_way() {
            return seat.close();
        }
        match self.lanes.next() {
            Some(command) => {
                if let Err(command) = seat.give(command) {
                    self.lanes.wait(command);
                }
            }
            None => {
                if let Some(when) = self.lanes.add(seat, cx.now()) {
                    at!(when, [cx], on_sweep());
                }
            }
        }
        self.ask_for_lanes(cx);
    }

    fn on_sweep(&mut self, cx: CX![]) {
        if let Some(when) = self.lanes.sweep(cx.now()) {
            at!(when, [cx], on_sweep());
        }
    }

    fn on_cancel(&mut self, _: CX![], id: u64, recall: Rc<Recall>) {
        recall.wish();
        let waiting = self.lanes.take(id).map(|command| command as Box<dyn Talk>);
        if let Some(talk) = waiting.or_else(|| self.take(id).map(|Waiting { talk, .. }| talk)) {
            talk.over(Err(TransportError::Cancelled));
        }
    }
}
