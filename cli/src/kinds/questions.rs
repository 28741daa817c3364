//! What hosts ask before they let us in, on its way to whoever can answer: the thread of the actors hands each question to a
//! thread that may wait for people, and that sends the answer back.

use super::clerk::Visitor;
use crate::exit::Trouble;
use procession::{RemoteHandle, Runtime};
use procession_ssh::auth::{Prompt, PromptKind, Question, Secret, Secrets};
use stakker::{Fwd, Stakker};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The questions that wait for an answer. It lies in the anymap of the stakker, where a call from another thread finds it.
#[derive(Clone, Default)]
struct Open(Rc<RefCell<BTreeMap<u64, Question>>>);

/// A question on its way.
struct Asked {
    number: u64,
    prompt: Prompt,
}

/// The secrets of a runtime, which are asked for at the counter if somebody stands there, else on the
/// terminal if there is one.
pub(super) fn secrets(runtime: &mut Runtime, visitor: Visitor) -> Result<Secrets, Trouble> {
    let (ask, asked) = channel();
    let remote = runtime.remote();
    let thread = std::thread::Builder::new().name("procession-questions".into());
    let thread = thread.spawn(move || ask_all(&asked, &visitor, &remote));
    thread.map_err(|why| Trouble::System { what: "a thread for questions", why })?;
    let open = Open::default();
    runtime.stakker().anymap_set(open.clone());
    Ok(Secrets::new(Fwd::new(move |question| open.take_in(question, &ask))))
}

impl Open {
    fn take_in(&self, question: Question, ask: &Sender<Asked>) {
        let mut open = self.0.borrow_mut();
        let number = open.last_key_value().map_or(0, |(last, _)| last + 1);
        let asked = Asked { number, prompt: question.prompt.clone() };
        // If the thread is gone, the question is dropped, which declines it.
        if ask.send(asked).is_ok() {
            open.insert(number, question);
        }
    }
}

/// The life of the thread: one question after the other, as people answer them.
fn ask_all(asked: &Receiver<Asked>, visitor: &Visitor, remote: &RemoteHandle) {
    while let Ok(Asked { number, prompt }) = asked.recv() {
        let answer = visitor.ask(&worded(&prompt), prompt.echo).map(Secret::new);
        let answered = remote.call(move |stakker: &mut Stakker| {
            let open: Option<Open> = stakker.anymap_try_get();
            let question = open.and_then(|open| open.0.borrow_mut().remove(&number));
            match (question, answer) {
                (Some(question), Some(answer)) => question.answer(answer),
                (Some(question), None) => question.decline(),
                (None, _) => {}
            }
        });
        if answered.is_err() {
            // The runtime is closed, and its questions with it.
            return;
        }
    }
}

/// The question, with who asks it: several hosts may.
fn worded(prompt: &Prompt) -> String {
    let who = format!("{}@{}", prompt.user, prompt.host);
    match &prompt.kind {
        PromptKind::Passphrase { file } => format!("Passphrase of {} (for {who}):", file.display()),
        PromptKind::Password => format!("Password of {who}:"),
        PromptKind::OneTime { instruction } if instruction.trim().is_empty() => {
            format!("{who}: {}", prompt.text)
        }
        PromptKind::OneTime { instruction } => format!("{who}: {instruction} {}", prompt.text),
    }
}
