//! The whole of a login, from the key of the host to the session that is open; it may block wherever it likes.

use super::attempt::{Attempt, Outcome};
use super::plan::{self, Step};
use super::secrets::History;
use super::wire::{News, WaitsFor, Wire};
use super::{agent, identity};
use crate::config::{Method, Target, UnknownKeys};
use crate::hostkey::{KnownHosts, Verdict, learn};
use procession::WallTime;
use procession::transport::TransportError;
use rustix::time::{ClockId, clock_gettime};
use ssh2::Session;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How long an agent may take to list its keys; it takes a tenth of a millisecond. For a signature it may ask its owner,
/// so there the actor's limit counts.
const LISTING: Duration = Duration::from_secs(3);

/// What the thread is given.
pub(super) struct Task {
    pub(super) session: Session,
    pub(super) target: Arc<Target>,
    pub(super) known: Arc<KnownHosts>,
    pub(super) history: History,
}

/// Starts the thread. It ends by itself, or soon after the cord of the wire is cut.
pub(super) fn start(task: Task, wire: Arc<Wire>) -> std::io::Result<()> {
    let work = move || {
        let done = catch_unwind(AssertUnwindSafe(|| task.log_in(&wire)));
        let broken = |_| Err(TransportError::Protocol("logging in ended with a panic".to_owned()));
        wire.tell(News::Done(done.unwrap_or_else(broken)));
    };
    std::thread::Builder::new().name("procession-auth".to_owned()).spawn(work).map(drop)
}

/// What a host offers, in our terms and in its own.
struct Offered {
    methods: Vec<Method>,
    names: String,
}

impl Task {
    fn log_in(self, wire: &Arc<Wire>) -> Result<Box<Session>, TransportError> {
        self.session.set_blocking(true);
        self.check_host()?;
        self.authenticate(wire)?;
        if wire.is_cut() {
            return Err(TransportError::Cancelled);
        }
        self.session.set_blocking(false);
        Ok(Box::new(self.session))
    }

    fn check_host(&self) -> Result<(), TransportError> {
        let target = &self.target;
        let name = target.known_name();
        let Some((key, _)) = self.session.host_key() else {
            return Err(TransportError::Protocol(format!("{} showed no key", target.alias)));
        };
        // Whether a certificate is valid is a question about the calendar, and this thread is in no simulation.
        let seconds = clock_gettime(ClockId::Realtime).tv_sec;
        let verdict = self.known.check(&name, key, WallTime(seconds.saturating_mul(1000)));
        match (&verdict, target.unknown_keys, target.known_hosts.first()) {
            (Verdict::Unknown { shown, .. }, UnknownKeys::Accept, Some(file)) => {
                let plain = crate::hostkey::plain(key).unwrap_or_else(|| key.to_vec());
                log::warn!("the key of {} was not known and is accepted: {shown}", target.alias);
                learn(file, &name, &plain).map(drop).map_err(|e| TransportError::HostKeyUnknown {
                    host: target.alias.clone(),
                    why: format!("it would be accepted, but cannot be written to {}: {e}", file.display()),
                })
            }
            _ => verdict.refusal(&target.alias, &name).map_or(Ok(()), Err),
        }
    }

    fn authenticate(&self, wire: &Arc<Wire>) -> Result<(), TransportError> {
        let target = &*self.target;
        let Some(mut offered) = self.offered()? else { return Ok(()) };
        let (files, mut notes) = identity::read(target);
        let held = self.held(wire, &mut notes);
        let (identities, left_out) = plan::identities(target, &files, &held, &self.history);
        notes.extend(left_out);
        let attempt = Attempt { session: &self.session, target, wire };
        let mut steps = plan::steps(target, &offered.methods, identities).into_iter();
        while let Some(step) = steps.next() {
            let outcome = match &step {
                Step::Key(identity) => attempt.key(identity),
                Step::KeyboardInteractive => attempt.keyboard_interactive(),
                Step::Password => attempt.password(),
            };
            if let Step::Key(identity) = &step {
                self.remember(wire, &identity.id, &outcome);
            }
            match outcome {
                Outcome::Accepted => return Ok(()),
                Outcome::Partial => match self.offered()? {
                    None => return Ok(()),
                    Some(more) => {
                        offered = more;
                        notes.push(format!("{} is accepted, but not enough", named(&step)));
                        // It has a key now; what else it wants is something that is known or had.
                        steps = plan::steps(target, &offered.methods, Vec::new()).into_iter();
                    }
                },
                Outcome::Refused(why) => {
                    notes.push(why);
                    // What was wrong as an answer is the same password to the other method.
                    if step == Step::KeyboardInteractive {
                        break;
                    }
                }
                Outcome::Unusable(why) => notes.push(why),
                Outcome::Broken(why) if wire.is_cut() => {
                    notes.push(why);
                    break;
                }
                Outcome::Broken(why) => {
                    let why = format!("the connection broke while logging in: {why}");
                    return Err(TransportError::Unreachable { host: target.alias.clone(), why });
                }
            }
        }
        Err(self.failed(&offered, notes))
    }

    /// The methods that the host offers now; nothing if it asks for no more.
    fn offered(&self) -> Result<Option<Offered>, TransportError> {
        match self.session.auth_methods(&self.target.user) {
            Ok(names) => Ok(Some(Offered {
                methods: names.split(',').filter_map(Method::named).collect(),
                names: names.replace(',', ", "),
            })),
            Err(_) if self.session.authenticated() => Ok(None),
            Err(e) => Err(TransportError::Unreachable {
                host: self.target.alias.clone(),
                why: format!("the connection broke while logging in: {}", e.message()),
            }),
        }
    }

    /// The keys of the agent, if there is one and it answers.
    fn held(&self, wire: &Wire, notes: &mut Vec<String>) -> Vec<agent::AgentKey> {
        let Some(path) = &self.target.agent else { return Vec::new() };
        wire.set_waits_for(WaitsFor::Agent);
        let held = agent::reach(path).and_then(|mut stream| {
            stream.set_read_timeout(Some(LISTING))?;
            agent::identities(&mut stream)
        });
        wire.set_waits_for(WaitsFor::Host);
        held.unwrap_or_else(|e| {
            notes.push(match e.kind() {
                std::io::ErrorKind::WouldBlock => {
                    format!(
                        "the agent at {} does not answer: restart it, or set IdentityAgent",
                        path.display()
                    )
                }
                _ => format!("the agent at {}: {e}", path.display()),
            });
            Vec::new()
        })
    }

    fn remember(&self, wire: &Wire, id: &str, outcome: &Outcome) {
        let worked = match outcome {
            Outcome::Accepted | Outcome::Partial => true,
            Outcome::Refused(_) => false,
            Outcome::Unusable(_) | Outcome::Broken(_) => return,
        };
        wire.tell(News::Identity { id: id.to_owned(), worked });
    }

    fn failed(&self, offered: &Offered, notes: Vec<String>) -> TransportError {
        let target = &self.target;
        let tried = if notes.is_empty() { "there is no key to present".to_owned() } else { notes.join("; ") };
        let why = format!(
            "as {} at {}:{}: {tried}. It offers {}. See that `ssh {}` works, then try again",
            target.user, target.host, target.port, offered.names, target.alias
        );
        TransportError::AuthFailed { host: target.alias.clone(), why }
    }
}

fn named(step: &Step) -> &str {
    match step {
        Step::Key(identity) => &identity.name,
        Step::KeyboardInteractive => "what was answered",
        Step::Password => "the password",
    }
}
