//! Between the actor and its thread: news one way, replies the other, and the cord that ends it all.

use super::prompt::{Prompt, Secret};
use super::secrets::Reply;
use procession::transport::TransportError;
use rustix::fd::OwnedFd;
use rustix::net::{Shutdown, shutdown};
use ssh2::Session;
use stakker::Waker;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What the thread has to say.
pub(super) enum News {
    /// It waits for an answer.
    Ask(Prompt),
    /// An answer was wrong; whether it is certain that it was this one.
    Refused { prompt: Prompt, secret: Secret, certain: bool },
    /// What the host said to an identity.
    Identity { id: String, worked: bool },
    /// It is over; the session is given back if it is good.
    Done(Result<Box<Session>, TransportError>),
}

/// What the thread waits for at the moment, if it is not the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WaitsFor {
    Host,
    Agent,
}

/// Shared by the actor, the thread and the relay to the agent.
pub(super) struct Wire {
    state: Mutex<State>,
    bell: Condvar,
    waker: Waker,
}

struct State {
    news: Vec<News>,
    reply: Option<Reply>,
    cut: bool,
    waits_for: WaitsFor,
    /// What the thread may block on.
    sockets: Vec<OwnedFd>,
}

impl Wire {
    pub(super) fn new(waker: Waker, socket: OwnedFd) -> Wire {
        let state = State {
            news: Vec::new(),
            reply: None,
            cut: false,
            waits_for: WaitsFor::Host,
            sockets: vec![socket],
        };
        Wire { state: Mutex::new(state), bell: Condvar::new(), waker }
    }

    // Nothing that can panic happens under the lock, so a poisoned one guards data that is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the actor.
    pub(super) fn tell(&self, news: News) {
        self.state().news.push(news);
        self.waker.wake();
    }

    /// Asks the actor, and waits. Nothing if the cord was cut.
    pub(super) fn ask(&self, prompt: Prompt) -> Option<Reply> {
        self.tell(News::Ask(prompt));
        let mut state = self.state();
        loop {
            if state.cut {
                return None;
            }
            if let Some(reply) = state.reply.take() {
                return Some(reply);
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Another descriptor on which the thread may block. Refused if the cord was cut already.
    pub(super) fn guard(&self, socket: OwnedFd) -> std::io::Result<()> {
        let mut state = self.state();
        if state.cut {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        state.sockets.push(socket);
        Ok(())
    }

    pub(super) fn set_waits_for(&self, whom: WaitsFor) {
        self.state().waits_for = whom;
    }

    pub(super) fn waits_for(&self) -> WaitsFor {
        self.state().waits_for
    }

    /// All news since the last time.
    pub(super) fn collect(&self) -> Vec<News> {
        std::mem::take(&mut self.state().news)
    }

    /// Answers the thread.
    pub(super) fn reply(&self, reply: Reply) {
        self.state().reply = Some(reply);
        self.bell.notify_all();
    }

    /// Ends all that the thread waits for: sockets are shut down, a prompt has no answer. Nothing more is sent.
    pub(super) fn cut(&self) {
        let mut state = self.state();
        state.cut = true;
        for socket in state.sockets.drain(..) {
            // ENOTCONN: the other side was faster.
            let _ = shutdown(&socket, Shutdown::Both);
        }
        drop(state);
        self.bell.notify_all();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state().cut
    }
}
