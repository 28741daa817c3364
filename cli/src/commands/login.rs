//! `login`: answers what a host asks before it lets us in, for the runtime at work.

use super::Desk;
use crate::counter::{Answer, Conversation, Word};
use crate::exit::{Exit, Trouble};
use crate::hosts::TransportKind;
use crate::reach::Reach;
use crate::{json, screen, terminal};
use procession::transport::{Exec, Op};

/// Logs in to a host.
pub(crate) fn login(desk: &Desk, name: &str) -> Result<Exit, Trouble> {
    let hosts = desk.hosts()?;
    let told = match (hosts.host(name)?.transport, Conversation::with_runtime(&desk.store)?) {
        (TransportKind::Local, _) => Told { runtime: false, why: None },
        (TransportKind::Ssh, Some(conversation)) => answer(conversation, name),
        (TransportKind::Ssh, None) => {
            // Nobody to log in for: so find out whether it works.
            let mut reach = Reach::to(&desk.store, &hosts, name)?;
            let went = reach.ask(|ret| Op::Exec(Exec::new(["true"]), ret))?;
            Told { runtime: false, why: went.err().map(|why| why.to_string()) }
        }
    };
    let exit = if told.why.is_none() { Exit::Well } else { Exit::Failed };
    if desk.global.json {
        let (host, well) = (name.to_owned(), told.why.is_none());
        json::print(&json::Login { host, well, runtime: told.runtime, why: told.why });
        return Ok(exit);
    }
    let said = match (told.why, told.runtime) {
        (Some(why), _) => {
            screen::err(&format!("procession: {why}\n`procession host check {name}` says what to do"));
            return Ok(exit);
        }
        (None, true) => format!("{name} lets the runtime in; what waited for it goes on"),
        (None, false) => {
            format!("{name} lets us in; no runtime is at work: the next one asks again if it must")
        }
    };
    screen::out(&said);
    Ok(exit)
}

struct Told {
    /// Whether it was for a runtime at work.
    runtime: bool,
    /// Why we are not in.
    why: Option<String>,
}

fn answer(mut conversation: Conversation, name: &str) -> Told {
    let gone = "the runtime at work has gone".to_owned();
    let out = |why| Told { runtime: true, why: Some(why) };
    if conversation.say(&name).is_err() {
        return out(gone);
    }
    loop {
        match conversation.hear() {
            Some(Word::Ask { question, is_shown }) => {
                let answer = terminal::ask(&question, is_shown);
                if answer.is_none() && !terminal::is_there() {
                    screen::err(&format!("procession: {question} and there is no terminal to ask on"));
                }
                if conversation.say(&Answer(answer)).is_err() {
                    return out(gone);
                }
            }
            Some(Word::In) => return Told { runtime: true, why: None },
            Some(Word::Out { why }) => return out(why),
            Some(Word::NoHost) => {
                return out(format!(
                    "the runtime at work knows no {name}; it was started with another file of hosts"
                ));
            }
            None => return out(gone),
        }
    }
}
