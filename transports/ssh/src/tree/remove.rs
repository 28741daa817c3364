//! Removes a tree on a host, with one command.

use super::scribe::{Expect, Heard, Scribe};
use super::script::place;
use crate::talk::Talk;
use procession::transport::{Answer, RemotePath, TransportError};
use stakker::Fwd;
use std::cell::RefCell;

/// The conversation that removes what is at `path` with all that is in it, and answers whether there was something.
pub(crate) fn remove_tree(path: &RemotePath, answer: Answer<bool>) -> Box<dyn Talk> {
    let waiting = RefCell::new((None, Some(answer)));
    let news = Fwd::new(move |heard| match heard {
        Heard::Word(word) => waiting.borrow_mut().0 = Some(word == "removed"),
        Heard::Over(how) => {
            let mut waiting = waiting.borrow_mut();
            let said = waiting.0;
            let answer = waiting.1.take();
            drop(waiting);
            let wrong =
                || TransportError::Protocol("the host did not say whether it removed something".to_owned());
            answer
                .into_iter()
                .for_each(|answer| answer.ret(how.clone().and_then(|_| said.ok_or_else(wrong))));
        }
        Heard::Hello(_)
        | Heard::List(_)
        | Heard::Words(..)
        | Heard::Bytes(_)
        | Heard::Sum(_)
        | Heard::Room => {}
    });
    let (scribe, talk) = Scribe::new(path.as_str(), news);
    scribe.command(format!("gone {}", place(path)), &[], &[Expect::Word]);
    scribe.command("quit".to_owned(), &[], &[]);
    scribe.end();
    talk
}
