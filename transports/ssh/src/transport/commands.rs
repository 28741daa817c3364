//! Commands: on a channel of their own, or one after the other in a shell.

use super::{Ssh, Waiting, Waits};
use crate::exec::{Command, Seat, Word};
use crate::talk::Recall;
use procession::transport::{Answer, Exec, Exit, TransportError};
use stakker::{CX, at, ret_some_to};
use std::rc::Rc;

impl Ssh {
    pub(super) fn exec(&mut self, cx: CX![], exec: Exec, answer: Answer<Exit>) {
        match Command::new(self.host.clone(), &self.work, self.runtime.random(), exec, answer) {
            Ok(command) => {
                let (recall, id) = (command.recall(), self.number());
                if let Some(cancel) = command.cancel() {
                    cancel.on_cancel(ret_some_to!([cx], on_cancel(id, recall) as ()));
                }
                self.run(cx, id, Box::new(command));
            }
            Err((e, answer)) => answer.ret(Err(e)),
        }
    }

    /// Lets a shell that is free have it, or leases a channel.
    fn run(&mut self, cx: CX![], id: u64, command: Box<Command>) {
        let urgency = command.urgency();
        if !command.may_take_turns() {
            self.lease(cx, id, urgency, Waits::Talk(command));
        } else if let Err(command) = self.lanes.give(command) {
            self.lease(cx, id, urgency, Waits::Brief(command));
        }
    }

    pub(super) fn on_word(&mut self, cx: CX![], word: Word) {
        match word {
            Word::Unsaid(command) => {
                let id = self.number();
                self.run(cx, id, command);
            }
            Word::Free(seat) => self.on_free(cx, seat),
        }
    }

    /// A shell is free for whoever has waited longest; if that one needs a channel, the shell gives its own up.
    fn on_free(&mut self, cx: CX![], seat: Rc<Seat>) {
        if seat.is_old(cx.now()) || self.lanes.is_crowded() {
            return seat.close();
        }
        match self.waiting.pop_first() {
            None => {
                if let Some(when) = self.lanes.add(seat, cx.now()) {
                    at!(when, [cx], on_sweep());
                }
            }
            Some((id, Waiting { what: Waits::Brief(command), urgency })) => {
                if let Err(command) = seat.give(command) {
                    self.waiting.insert(id, Waiting { what: Waits::Brief(command), urgency });
                }
            }
            Some((id, waiting)) => {
                self.waiting.insert(id, waiting);
                seat.close();
            }
        }
    }

    /// A turn did not bring it a channel: those of shells that wait may be what it lacks.
    pub(super) fn on_wait(&mut self, _: CX![], id: u64) {
        if self.waiting.contains_key(&id) {
            self.lanes.give_way();
        }
    }

    fn on_sweep(&mut self, cx: CX![]) {
        if let Some(when) = self.lanes.sweep(cx.now()) {
            at!(when, [cx], on_sweep());
        }
    }

    fn on_cancel(&mut self, _: CX![], id: u64, recall: Rc<Recall>) {
        recall.wish();
        if let Some(Waiting { what, .. }) = self.waiting.remove(&id) {
            what.talk().over(Err(TransportError::Cancelled));
        }
    }
}
