//! One try at one credential, and what its outcome means.

use super::plan::{Holder, Identity, Presented};
use super::prompt::{Prompt, PromptKind, Secret};
use super::relay::Relay;
use super::secrets::Reply;
use super::wire::{News, WaitsFor, Wire};
use super::{agent, identity};
use crate::config::Target;
use ssh2::{ErrorCode, KeyboardInteractivePrompt, Session};
use std::path::Path;
use std::sync::Arc;

/// How often a passphrase is asked for, as often as `ssh` does it. The host does not hear of wrong ones.
const MOST_PASSPHRASES: usize = 3;

/// How many wrong answers a host hears at most. With the keys before them they stay below its MaxAuthTries, 6 by default.
const MOST_ANSWERS: usize = 2;

/// What came of a try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// In.
    Accepted,
    /// The host took it, and wants something else as well.
    Partial,
    /// The host does not want it.
    Refused(String),
    /// It was not presented, for this reason.
    Unusable(String),
    /// The connection is of no more use.
    Broken(String),
}

/// Whatever a try needs.
pub(super) struct Attempt<'a> {
    pub(super) session: &'a Session,
    pub(super) target: &'a Target,
    pub(super) wire: &'a Arc<Wire>,
}

// LIBSSH2_ERROR_AUTHENTICATION_FAILED, _PUBLICKEY_UNVERIFIED, _FILE, _ALGO_UNSUPPORTED, _METHOD_NOT_SUPPORTED,
// _AGENT_PROTOCOL, _PASSWORD_EXPIRED (libssh2.h).
const FAILED: i32 = -18;
const UNVERIFIED: i32 = -19;
const FILE: i32 = -16;
const ALGORITHM: i32 = -51;
const METHOD: i32 = -33;
const AGENT: i32 = -42;
const EXPIRED: i32 = -15;

impl Attempt<'_> {
    /// Presents a key.
    pub(super) fn key(&self, identity: &Identity) -> Outcome {
        match &identity.holder {
            Holder::File { path, locked: false } => self.opened(identity, path, ""),
            Holder::File { path, locked: true } => self.locked(identity, path),
            Holder::Agent { blob } => {
                self.wire.set_waits_for(WaitsFor::Agent);
                let outcome = self.held(identity, blob.clone());
                self.wire.set_waits_for(WaitsFor::Host);
                outcome
            }
        }
    }

    /// The host is asked first whether it wants the key: nobody has to type a passphrase for one that it does not.
    fn locked(&self, identity: &Identity, path: &Path) -> Outcome {
        if let Presented::Public { .. } = identity.presented {
            match self.opened(identity, path, "") {
                Outcome::Unusable(_) => {}
                outcome @ (Outcome::Accepted
                | Outcome::Partial
                | Outcome::Refused(_)
                | Outcome::Broken(_)) => {
                    return outcome;
                }
            }
        }
        let file = path.display();
        for _ in 0..MOST_PASSPHRASES {
            let prompt = self.prompt(
                PromptKind::Passphrase { file: path.to_owned() },
                format!("Passphrase of the key {file}"),
                false,
            );
            let passphrase = match self.wire.ask(prompt.clone()) {
                Some(Reply::Answer(passphrase)) => passphrase,
                Some(Reply::Nobody) | None => {
                    return Outcome::Unusable(format!(
                        "the key {file} is encrypted, and nobody gave its passphrase"
                    ));
                }
                Some(Reply::Repeated) => break,
            };
            match self.opened(identity, path, passphrase.expose()) {
                Outcome::Unusable(_) => {
                    self.wire.tell(News::Refused { prompt, secret: passphrase, certain: true });
                }
                outcome @ (Outcome::Accepted
                | Outcome::Partial
                | Outcome::Refused(_)
                | Outcome::Broken(_)) => {
                    return outcome;
                }
            }
        }
        Outcome::Unusable(format!("the passphrase does not open the key {file}"))
    }

    fn opened(&self, identity: &Identity, path: &Path, passphrase: &str) -> Outcome {
        let private = match identity::text(path) {
            Ok(private) => private,
            Err(e) => return Outcome::Unusable(format!("{}: {e}", path.display())),
        };
        let public = match &identity.presented {
            Presented::Public { line, blob: _ } => Some(line.as_str()),
            Presented::Inside => None,
        };
        // Never without a passphrase: OpenSSL's callback in libssh2 takes the length of what is not there, and crashes.
        let said = self.session.userauth_pubkey_memory(&self.target.user, public, &private, Some(passphrase));
        outcome_of_key(said, &identity.name)
    }

    fn held(&self, identity: &Identity, blob: Vec<u8>) -> Outcome {
        let Presented::Public { blob: shown, line: _ } = &identity.presented else {
            return Outcome::Unusable("an agent has no keys without a public half".to_owned());
        };
        let Some(path) = &self.target.agent else {
            return Outcome::Unusable("there is no agent any more".to_owned());
        };
        let unusable =
            |e: &dyn std::fmt::Display| Outcome::Unusable(format!("the agent at {}: {e}", path.display()));
        let stream = match agent::reach(path) {
            Ok(stream) => stream,
            Err(e) => return unusable(&e),
        };
        let key = agent::AgentKey { blob: shown.clone(), comment: identity.name.clone() };
        // Dropped last: it ends when libssh2's side has gone.
        let relay = match Relay::start(self.wire, stream, key, blob) {
            Ok(relay) => relay,
            Err(e) => return unusable(&e),
        };
        let held = || {
            let mut agent = self.session.agent()?;
            agent.set_identity_path(&relay.path())?;
            agent.connect()?;
            agent.list_identities()?;
            let found = agent.identities()?.into_iter().find(|found| found.blob() == shown);
            let found =
                found.ok_or_else(|| ssh2::Error::new(ErrorCode::Session(AGENT), "it lost the key"))?;
            agent.userauth(&self.target.user, &found)
        };
        outcome_of_key(held(), &identity.name)
    }

    /// Presents a password, and another one if it was wrong.
    pub(super) fn password(&self) -> Outcome {
        let text = format!("Password of {} on {}", self.target.user, self.target.alias);
        let prompt = self.prompt(PromptKind::Password, text, false);
        let mut outcome = Outcome::Unusable("nobody gave a password".to_owned());
        for _ in 0..MOST_ANSWERS {
            let password = match self.wire.ask(prompt.clone()) {
                Some(Reply::Answer(password)) => password,
                Some(Reply::Nobody) | None => return outcome,
                Some(Reply::Repeated) => {
                    return Outcome::Unusable("the same password was refused before".to_owned());
                }
            };
            outcome = outcome_of_answer(
                self.session.userauth_password(&self.target.user, password.expose()),
                "the password",
            );
            match &outcome {
                Outcome::Refused(_) => {
                    self.wire.tell(News::Refused { prompt: prompt.clone(), secret: password, certain: true });
                }
                Outcome::Accepted | Outcome::Partial | Outcome::Unusable(_) | Outcome::Broken(_) => {
                    return outcome;
                }
            }
        }
        outcome
    }

    /// Answers the questions of the host, and once more if an answer was wrong.
    pub(super) fn keyboard_interactive(&self) -> Outcome {
        let mut outcome = Outcome::Unusable("the host asked nothing".to_owned());
        for _ in 0..MOST_ANSWERS {
            let mut asking = Asking { attempt: self, given: Vec::new(), one_time: false, lacking: None };
            let said = self.session.userauth_keyboard_interactive(&self.target.user, &mut asking);
            if let Some(why) = asking.lacking {
                // The connection was shut before anything was sent: a wrong answer would be counted.
                return Outcome::Broken(why);
            }
            let certain = !asking.one_time;
            let given = asking.given;
            outcome = outcome_of_answer(said, "the answers");
            match &outcome {
                Outcome::Refused(_) if given.is_empty() && certain => return outcome,
                Outcome::Refused(_) => {
                    for (prompt, secret) in given {
                        self.wire.tell(News::Refused { prompt, secret, certain });
                    }
                }
                Outcome::Accepted | Outcome::Partial | Outcome::Unusable(_) | Outcome::Broken(_) => {
                    return outcome;
                }
            }
        }
        outcome
    }

    fn prompt(&self, kind: PromptKind, text: String, echo: bool) -> Prompt {
        Prompt { host: self.target.alias.clone(), user: self.target.user.clone(), kind, text, echo }
    }
}

/// A conversation of RFC 4256: libssh2 calls it with each set of questions.
struct Asking<'a> {
    attempt: &'a Attempt<'a>,
    /// What was answered and may be kept.
    given: Vec<(Prompt, Secret)>,
    /// Whether some answer counts only once: then nobody knows which one was wrong.
    one_time: bool,
    /// Why there is no answer.
    lacking: Option<String>,
}

impl KeyboardInteractivePrompt for Asking<'_> {
    fn prompt<'a>(&mut self, _: &str, instruction: &str, prompts: &[ssh2::Prompt<'a>]) -> Vec<String> {
        let mut answers = Vec::new();
        for asked in prompts {
            let kind = PromptKind::of_host(&asked.text, instruction);
            let prompt = self.attempt.prompt(kind, asked.text.clone().into_owned(), asked.echo);
            let lacking = match self.attempt.wire.ask(prompt.clone()) {
                Some(Reply::Answer(answer)) => {
                    answers.push(answer.expose().to_owned());
                    match prompt.kind {
                        PromptKind::OneTime { .. } => self.one_time = true,
                        PromptKind::Password | PromptKind::Passphrase { .. } => {
                            self.given.push((prompt, answer))
                        }
                    }
                    continue;
                }
                Some(Reply::Nobody) | None => "nobody answered",
                Some(Reply::Repeated) => "the same answer was refused before to",
            };
            self.lacking = Some(format!("{lacking} {:?}", asked.text.trim()));
            self.attempt.wire.cut();
            return Vec::new();
        }
        answers
    }
}

fn outcome_of_key(said: Result<(), ssh2::Error>, name: &str) -> Outcome {
    let Err(e) = said else { return Outcome::Accepted };
    let ErrorCode::Session(code) = e.code() else { return Outcome::Broken(e.to_string()) };
    match code {
        FAILED => Outcome::Refused(format!("{name} is not accepted")),
        // It was wanted, and the signature was right, or the host would not have asked for it: it wants more.
        UNVERIFIED if e.message().starts_with("Invalid signature") => Outcome::Partial,
        UNVERIFIED if e.message().starts_with("Waiting") => {
            Outcome::Broken("the host closed the connection".to_owned())
        }
        UNVERIFIED | FILE | ALGORITHM | METHOD | AGENT => {
            Outcome::Unusable(format!("{name}: {}", e.message()))
        }
        _ => Outcome::Broken(e.message().to_owned()),
    }
}

fn outcome_of_answer(said: Result<(), ssh2::Error>, what: &str) -> Outcome {
    let Err(e) = said else { return Outcome::Accepted };
    match e.code() {
        ErrorCode::Session(FAILED) if e.message().starts_with("Waiting") => {
            Outcome::Broken("the host closed the connection".to_owned())
        }
        ErrorCode::Session(FAILED) => Outcome::Refused(format!("{what} is not accepted")),
        ErrorCode::Session(EXPIRED) => {
            Outcome::Unusable("the password has expired: log in once with `ssh` and change it".to_owned())
        }
        ErrorCode::Session(_) | ErrorCode::SFTP(_) => Outcome::Broken(e.message().to_owned()),
    }
}
