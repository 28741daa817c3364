//! What people have answered, and what hosts said to it, for as long as the runtime lives.

use super::prompt::{Prompt, PromptKind, Question, Secret};
use crate::config::Target;
use stakker::{Fwd, Ret};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

/// How many questions may be open at once. More hosts than this have something wrong in common.
const MOST_OPEN: usize = 1000;

/// The secrets of a runtime, shared by all its hosts: one answer serves all sessions, and an answer that was refused is
/// never given again. Cheap to clone; nothing is written anywhere.
///
/// A passphrase belongs to its file, a password to a host; a one-time answer is not kept.
///
/// ```
/// use procession_ssh::auth::{Question, Secret, Secrets};
/// use stakker::Fwd;
/// // A program that knows the answer.
/// let secrets = Secrets::new(Fwd::new(|question: Question| question.answer(Secret::new("open sesame"))));
/// // Nobody is there to answer.
/// let silent = Secrets::silent();
/// silent.forget("cluster");
/// # drop(secrets);
/// ```
#[derive(Clone)]
pub struct Secrets(Rc<RefCell<Vault>>);

#[derive(Default)]
struct Vault {
    ask: Option<Fwd<Question>>,
    kept: BTreeMap<Key, Secret>,
    refused: BTreeMap<Key, Vec<Secret>>,
    open: BTreeMap<Key, Vec<Ret<Reply>>>,
    one_time: usize,
    /// For whom an answer came too late, if it comes at all.
    late: BTreeMap<Key, BTreeSet<String>>,
    watchers: BTreeMap<String, Vec<Fwd<()>>>,
    hosts: BTreeMap<Account, History>,
}

/// A user on a host, by the names that we have for them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    host: String,
    user: String,
}

/// To what an answer that is kept belongs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Passphrase(PathBuf),
    Password(Account),
}

/// What came of a question.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answer(Secret),
    /// There is nobody to ask, or they declined.
    Nobody,
    /// The answer is one that has been refused before, so it was not used.
    Repeated,
}

/// What a host said to our keys.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct History {
    /// The identity that opened the door last time.
    pub(super) worked: Option<String>,
    /// Those that did not, and are not presented again.
    pub(super) refused: BTreeSet<String>,
}

impl Secrets {
    /// Asks whoever receives these questions, which come in the thread of the actors.
    pub fn new(ask: Fwd<Question>) -> Secrets {
        let secrets = Secrets::silent();
        secrets.0.borrow_mut().ask = Some(ask);
        secrets
    }

    /// Asks nobody: what needs an answer fails with a reason.
    pub fn silent() -> Secrets {
        Secrets(Rc::default())
    }

    /// Forgets what a host refused, and its password: after somebody put things right, everything is worth another try.
    pub fn forget(&self, alias: &str) {
        let mut vault = self.0.borrow_mut();
        let is_other = |key: &Key| match key {
            Key::Passphrase(_) => true,
            Key::Password(account) => account.host != alias,
        };
        vault.hosts.retain(|account, _| account.host != alias);
        vault.kept.retain(|key, _| is_other(key));
        vault.refused.retain(|key, _| is_other(key));
        drop(vault);
        self.call(&BTreeSet::from([alias.to_owned()]));
    }

    /// Calls `better` whenever a login to this host may succeed that has failed: an answer came late, or what was refused is
    /// forgotten.
    pub(crate) fn watch(&self, alias: &str, better: Fwd<()>) {
        self.0.borrow_mut().watchers.entry(alias.to_owned()).or_default().push(better);
    }

    /// A login to this host has failed because nobody answered this prompt in time.
    pub(super) fn on_unanswered(&self, prompt: &Prompt) {
        if let Some(key) = Key::of(prompt) {
            self.0.borrow_mut().late.entry(key).or_default().insert(prompt.host.clone());
        }
    }

    fn call(&self, hosts: &BTreeSet<String>) {
        let vault = self.0.borrow();
        let watchers: Vec<Fwd<()>> =
            hosts.iter().filter_map(|host| vault.watchers.get(host)).flatten().cloned().collect();
        drop(vault);
        for watcher in watchers {
            watcher.fwd(());
        }
    }

    /// Answers from what is kept, or asks. Whoever asks for what is being asked already hears the same answer.
    pub(super) fn ask(&self, prompt: Prompt, ret: Ret<Reply>) {
        let mut vault = self.0.borrow_mut();
        let key = Key::of(&prompt);
        let kept = key.as_ref().and_then(|key| vault.kept.get(key).cloned());
        if let Some(kept) = kept {
            drop(vault);
            return ret.ret(Reply::Answer(kept));
        }
        let full = vault.open.len() + vault.one_time >= MOST_OPEN;
        let Some(ask) = vault.ask.clone().filter(|_| !full) else {
            drop(vault);
            return ret.ret(Reply::Nobody);
        };
        let secrets = self.clone();
        let ret = match key {
            Some(key) => {
                let waiting = vault.open.entry(key.clone()).or_default();
                waiting.push(ret);
                if waiting.len() > 1 {
                    return;
                }
                Ret::new(move |answer| secrets.on_answer(key, answer))
            }
            None => {
                vault.one_time += 1;
                Ret::new(move |answer: Option<Secret>| {
                    secrets.0.borrow_mut().one_time -= 1;
                    ret.ret(answer.map_or(Reply::Nobody, Reply::Answer));
                })
            }
        };
        drop(vault);
        ask.fwd(Question { prompt, ret });
    }

    fn on_answer(&self, key: Key, answer: Option<Secret>) {
        let mut vault = self.0.borrow_mut();
        let waiting = vault.open.remove(&key).unwrap_or_default();
        let reply = match answer {
            None => Reply::Nobody,
            Some(answer) if vault.refused.get(&key).is_some_and(|refused| refused.contains(&answer)) => {
                Reply::Repeated
            }
            Some(answer) => {
                vault.kept.insert(key.clone(), answer.clone());
                Reply::Answer(answer)
            }
        };
        let late = vault.late.remove(&key).unwrap_or_default();
        drop(vault);
        for ret in waiting {
            ret.ret(reply.clone());
        }
        if let Reply::Answer(_) = reply {
            self.call(&late);
        }
    }

    /// The answer to this prompt was wrong: it is forgotten, and never given again if it is `certain` that it was this one.
    pub(super) fn on_refused(&self, prompt: &Prompt, secret: Secret, certain: bool) {
        let Some(key) = Key::of(prompt) else { return };
        let mut vault = self.0.borrow_mut();
        // Somebody may have given a better one in the meantime.
        if vault.kept.get(&key) == Some(&secret) {
            vault.kept.remove(&key);
        }
        if certain {
            let refused = vault.refused.entry(key).or_default();
            if !refused.contains(&secret) {
                refused.push(secret);
            }
        }
    }

    pub(super) fn history(&self, target: &Target) -> History {
        self.0.borrow().hosts.get(&Account::of(&target.alias, &target.user)).cloned().unwrap_or_default()
    }

    pub(super) fn on_identity(&self, target: &Target, identity: String, worked: bool) {
        let mut vault = self.0.borrow_mut();
        let history = vault.hosts.entry(Account::of(&target.alias, &target.user)).or_default();
        if worked {
            history.refused.remove(&identity);
            history.worked = Some(identity);
        } else {
            if history.worked.as_ref() == Some(&identity) {
                history.worked = None;
            }
            history.refused.insert(identity);
        }
    }
}

impl Account {
    fn of(host: &str, user: &str) -> Account {
        Account { host: host.to_owned(), user: user.to_owned() }
    }
}

impl Key {
    fn of(prompt: &Prompt) -> Option<Key> {
        match &prompt.kind {
            PromptKind::Passphrase { file } => Some(Key::Passphrase(file.clone())),
            PromptKind::Password => Some(Key::Password(Account::of(&prompt.host, &prompt.user))),
            PromptKind::OneTime { instruction: _ } => None,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Here;
    use std::cell::Cell;

    fn prompt(kind: PromptKind) -> Prompt {
        Prompt { host: "h".into(), user: "u".into(), kind, text: "?".into(), echo: false }
    }

    /// A program that gives these answers, one after the other, and the number of times it was asked.
    fn program(answers: &'static [&'static str]) -> (Secrets, Rc<Cell<usize>>) {
        let asked = Rc::new(Cell::new(0));
        let count = asked.clone();
        let secrets = Secrets::new(Fwd::new(move |question: Question| {
            count.set(count.get() + 1);
            match answers.get(count.get() - 1) {
                Some(answer) => question.answer(Secret::new(*answer)),
                None => question.decline(),
            }
        }));
        (secrets, asked)
    }

    fn ask(secrets: &Secrets, kind: PromptKind) -> String {
        let said = Rc::new(RefCell::new(None));
        let slot = said.clone();
        secrets.ask(prompt(kind), Ret::new(move |reply| *slot.borrow_mut() = reply));
        match said.take() {
            Some(Reply::Answer(secret)) => secret.expose().to_owned(),
            Some(Reply::Nobody) => "nobody".into(),
            Some(Reply::Repeated) => "repeated".into(),
            None => "waiting".into(),
        }
    }

    #[test]
    fn one_answer_serves_all() {
        let (secrets, asked) = program(&["a", "b"]);
        assert_eq!(ask(&secrets, PromptKind::Password), "a");
        assert_eq!(ask(&secrets, PromptKind::Password), "a");
        assert_eq!(ask(&secrets, PromptKind::Passphrase { file: "k".into() }), "b");
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_one_time_answer_is_not_used_twice() {
        let (secrets, asked) = program(&["1", "2"]);
        let kind = || PromptKind::OneTime { instruction: String::new() };
        assert_eq!(
            [ask(&secrets, kind()), ask(&secrets, kind()), ask(&secrets, kind())],
            ["1", "2", "nobody"]
        );
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn a_refused_answer_is_forgotten_and_not_given_again() {
        let (secrets, _) = program(&["bad", "bad", "good"]);
        assert_eq!(ask(&secrets, PromptKind::Password), "bad");
        secrets.on_refused(&prompt(PromptKind::Password), Secret::new("bad"), true);
        assert_eq!(ask(&secrets, PromptKind::Password), "repeated");
        assert_eq!(ask(&secrets, PromptKind::Password), "good");
        secrets.on_refused(&prompt(PromptKind::Password), Secret::new("bad"), true);
        assert_eq!(
            ask(&secrets, PromptKind::Password),
            "good",
            "a late refusal of an old answer spoils no new one"
        );
    }

    #[test]
    fn who_asks_while_it_is_being_asked_hears_the_same_answer() {
        let open = Rc::new(RefCell::new(Vec::new()));
        let slot = open.clone();
        let secrets = Secrets::new(Fwd::new(move |question| slot.borrow_mut().push(question)));
        let heard = Rc::new(Cell::new(0));
        for _ in 0..3 {
            let heard = heard.clone();
            let ret = Ret::new(move |reply| {
                heard.set(heard.get() + usize::from(matches!(reply, Some(Reply::Answer(_)))))
            });
            secrets.ask(prompt(PromptKind::Password), ret);
        }
        assert_eq!((open.borrow().len(), heard.get()), (1, 0));
        let question: Question = open.borrow_mut().pop().unwrap();
        question.answer(Secret::new("x"));
        assert_eq!(heard.get(), 3);
    }

    #[test]
    fn an_answer_that_comes_late_is_kept_and_told() {
        let open = Rc::new(RefCell::new(Vec::new()));
        let slot = open.clone();
        let secrets = Secrets::new(Fwd::new(move |question| slot.borrow_mut().push(question)));
        let told = Rc::new(Cell::new(0));
        let count = told.clone();
        secrets.watch("h", Fwd::new(move |()| count.set(count.get() + 1)));
        assert_eq!(ask(&secrets, PromptKind::Password), "waiting");
        secrets.on_unanswered(&prompt(PromptKind::Password));
        let question: Question = open.borrow_mut().pop().unwrap();
        question.answer(Secret::new("x"));
        assert_eq!((ask(&secrets, PromptKind::Password), told.get()), ("x".to_owned(), 1));
        secrets.forget("h");
        assert_eq!(told.get(), 2);
    }

    #[test]
    fn a_silent_runtime_asks_nobody_and_forgetting_gives_another_try() {
        let secrets = Secrets::silent();
        assert_eq!(ask(&secrets, PromptKind::Password), "nobody");
        let here = Here { home: "/h".into(), user: "u".into(), uid: 1, agent: None };
        let target = Target::new("h", "u", &here);
        secrets.on_identity(&target, "key".into(), false);
        assert!(secrets.history(&target).refused.contains("key"));
        secrets.on_identity(&target, "key".into(), true);
        assert_eq!(secrets.history(&target), History { worked: Some("key".into()), ..History::default() });
        secrets.on_identity(&target, "other".into(), false);
        secrets.forget("h");
        assert_eq!(secrets.history(&target), History::default());
    }
}
