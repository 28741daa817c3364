//! The actor of one login: it answers the thread's questions and ends it in time.

use super::prompt::{Prompt, PromptKind};
use super::secrets::{Reply, Secrets};
use super::thread::{self, Task};
use super::wire::{News, WaitsFor, Wire};
use crate::config::Target;
use crate::hostkey::KnownHosts;
use procession::transport::TransportError;
use rustix::fd::OwnedFd;
use ssh2::Session;
use stakker::{
    ActorOwn, CX, Core, FixedTimerKey, Ret, actor_new, after, call, fwd_to, ret_nop, ret_to, stop,
};
use std::sync::Arc;
use std::time::Duration;

/// How long the host, or an agent, may take for one step where the user's `ConnectTimeout` does not say it. A host whose
/// name server hangs takes ten seconds.
const STEP: Duration = Duration::from_secs(30);

/// How long a person may take: sshd closes the connection after 120 seconds (LoginGraceTime). A later answer is kept, and
/// is used by the next try.
const PERSON: Duration = Duration::from_secs(110);

/// A session after its handshake, and all that is needed to log in with it.
pub(crate) struct Login {
    /// Not shared with anybody: whoever else uses it would wait as long as the thread does.
    pub(crate) session: Session,
    /// The same socket as that of the session (`dup`), to shut it down.
    pub(crate) socket: OwnedFd,
    pub(crate) target: Arc<Target>,
    /// The files of the target, read before the handshake, as the algorithms for the host's key come from them.
    pub(crate) known: Arc<KnownHosts>,
    pub(crate) secrets: Secrets,
}

/// A login under way. Dropping its owner ends it, and shuts the connection down.
pub(crate) struct Authentication {
    target: Arc<Target>,
    secrets: Secrets,
    wire: Arc<Wire>,
    /// What is being asked.
    asking: Option<Prompt>,
    limit: FixedTimerKey,
    done: Option<Ret<Result<Session, TransportError>>>,
}

impl Authentication {
    /// Checks the key of the host and logs in. `done` gets the session back, not blocking and authenticated, or the reason:
    /// `HostKeyUnknown`, `HostKeyChanged`, `AuthFailed` (only a person can help), or `Unreachable`.
    pub(crate) fn start(
        core: &mut Core,
        login: Login,
        done: Ret<Result<Session, TransportError>>,
    ) -> ActorOwn<Authentication> {
        let actor = actor_new!(core, Authentication, ret_nop!());
        call!([actor], Authentication::init(login, done));
        actor
    }

    fn init(cx: CX![], login: Login, done: Ret<Result<Session, TransportError>>) -> Option<Authentication> {
        let news = fwd_to!([cx], on_news() as ());
        let waker = cx.waker(move |_, _| news.fwd(()));
        let wire = Arc::new(Wire::new(waker, login.socket));
        let target = login.target;
        let task = Task {
            session: login.session,
            target: target.clone(),
            known: login.known,
            history: login.secrets.history(&target),
        };
        if let Err(e) = thread::start(task, wire.clone()) {
            done.ret(Err(TransportError::Refused(format!("the thread that logs in cannot be started: {e}"))));
            stop!(cx);
            return None;
        }
        let limit = after!(step(&target), [cx], on_limit());
        Some(Authentication { target, secrets: login.secrets, wire, asking: None, limit, done: Some(done) })
    }

    fn on_news(&mut self, cx: CX![]) {
        for news in self.wire.collect() {
            match news {
                News::Ask(prompt) => {
                    self.asking = Some(prompt.clone());
                    cx.timer_del(self.limit);
                    self.limit = after!(PERSON, [cx], on_limit());
                    let secrets = self.secrets.clone();
                    secrets.ask(prompt, ret_to!([cx], on_reply() as (Reply)));
                }
                News::Refused { prompt, secret, certain } => {
                    self.secrets.on_refused(&prompt, secret, certain)
                }
                News::Identity { id, worked } => self.secrets.on_identity(&self.target, id, worked),
                News::Done(how) => return self.end(cx, how.map(|session| *session)),
            }
        }
    }

    fn on_reply(&mut self, cx: CX![], reply: Option<Reply>) {
        self.asking = None;
        cx.timer_del(self.limit);
        self.limit = after!(step(&self.target), [cx], on_limit());
        self.wire.reply(reply.unwrap_or(Reply::Nobody));
    }

    fn on_limit(&mut self, cx: CX![]) {
        let host = self.target.alias.clone();
        if let Some(prompt) = &self.asking {
            self.secrets.on_unanswered(prompt);
        }
        let asking = self.asking.as_ref().map(|prompt| &prompt.kind);
        let why = match (asking, self.wire.waits_for(), &self.target.agent) {
            (Some(PromptKind::Passphrase { file }), _, _) => {
                let file = file.display();
                TransportError::AuthFailed {
                    host,
                    why: format!("nobody gave the passphrase of {file} in time"),
                }
            }
            (Some(PromptKind::Password | PromptKind::OneTime { .. }), _, _) => {
                TransportError::AuthFailed { host, why: "nobody answered its questions in time".to_owned() }
            }
            (None, WaitsFor::Agent, Some(agent)) => {
                let agent = agent.display();
                let why = format!("the agent at {agent} does not sign: restart it, or set IdentityAgent");
                TransportError::AuthFailed { host, why }
            }
            (None, WaitsFor::Host | WaitsFor::Agent, _) => {
                let why = format!("no answer for {:?} while logging in", step(&self.target));
                TransportError::Unreachable { host, why }
            }
        };
        self.end(cx, Err(why));
    }

    fn end(&mut self, cx: CX![], how: Result<Session, TransportError>) {
        cx.timer_del(self.limit);
        if how.is_err() {
            self.wire.cut();
        }
        if let Some(done) = self.done.take() {
            done.ret(how);
        }
        stop!(cx);
    }
}

impl Drop for Authentication {
    fn drop(&mut self) {
        if self.done.is_some() {
            self.wire.cut();
        }
    }
}

fn step(target: &Target) -> Duration {
    target.connect_timeout.unwrap_or(STEP)
}
