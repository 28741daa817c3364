//! The clerk at the counter, a thread of the runtime: serves those who come with `procession login`, one after the other, and
//! lets the questions of hosts be asked of them while they are there.

use super::door::Door;
use crate::counter::{Answer, Conversation, Word};
use crate::exit::Trouble;
use crate::terminal;
use procession::transport::{Exec, Op, Transport, TransportError};
use procession::{RemoteHandle, Runtime};
use stakker::{Actor, Ret, Stakker, call};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A host that lets us in does so within this, people's typing included (`LoginGraceTime` of sshd_config(5) is 120 s).
const PATIENCE: Duration = Duration::from_secs(300);

/// Whoever stands at the counter.
#[derive(Clone, Default)]
pub(super) struct Visitor(Arc<Mutex<Option<Conversation>>>);

impl Visitor {
    /// Asks whoever stands at the counter, else the terminal of this program.
    pub(super) fn ask(&self, question: &str, is_shown: bool) -> Option<String> {
        let mut visitor = self.lock();
        let Some(conversation) = visitor.as_mut() else {
            drop(visitor);
            return terminal::ask(question, is_shown);
        };
        let word = Word::Ask { question: question.to_owned(), is_shown };
        let Answer(answer) = conversation.say(&word).ok().and_then(|()| conversation.hear())?;
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Option<Conversation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The doors by the names of their hosts. In the anymap of the stakker, where a call from another thread finds them.
#[derive(Clone, Default)]
pub(super) struct Doors(pub(super) Rc<RefCell<BTreeMap<String, (Transport, Actor<Door>)>>>);

/// Opens the counter. Only for whoever holds the journal: a socket that is there belongs to somebody who is dead.
pub(super) fn open(runtime: &mut Runtime, path: &Path, visitor: Visitor) -> Result<(), Trouble> {
    let trouble = |why| Trouble::File { path: path.to_owned(), why };
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(trouble(why)),
    }
    let counter = match UnixListener::bind(path) {
        Ok(counter) => counter,
        Err(why) => {
            // The address of a socket holds 108 bytes (unix(7)). All but `login` works without it.
            log::warn!("{}: {why}; `procession login` cannot reach this runtime", path.display());
            return Ok(());
        }
    };
    // The folder is its owner's alone already.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(trouble)?;
    let remote = runtime.remote();
    let serve = move || {
        for stream in counter.incoming().map_while(Result::ok) {
            serve(Conversation::on(stream), &visitor, &remote);
        }
    };
    let thread = std::thread::Builder::new().name("procession-counter".into()).spawn(serve);
    thread.map_err(|why| Trouble::System { what: "a thread for the counter", why })?;
    Ok(())
}

fn serve(mut conversation: Conversation, visitor: &Visitor, remote: &RemoteHandle) {
    let Some(name) = conversation.hear::<String>() else { return };
    let (tell, verdict) = channel();
    *visitor.lock() = Some(conversation);
    let asked = remote.call(move |stakker: &mut Stakker| log_in(stakker, &name, tell));
    let verdict = asked.ok().and_then(|()| verdict.recv_timeout(PATIENCE).ok());
    let word = verdict.unwrap_or(Word::Out { why: "there was no answer".to_owned() });
    if let Some(mut conversation) = visitor.lock().take() {
        // If they have gone, they do not want to know.
        let _ = conversation.say(&word);
    }
}

/// Lets the host be tried anew, and asks it for something that does nothing.
fn log_in(stakker: &mut Stakker, name: &str, tell: Sender<Word>) {
    let doors: Option<Doors> = stakker.anymap_try_get();
    let door = doors.and_then(|doors| doors.0.borrow().get(name).cloned());
    let Some((transport, door)) = door else {
        // If nobody listens, nobody came.
        let _ = tell.send(Word::NoHost);
        return;
    };
    call!([door], retry());
    let exec = Exec { timeout: Some(PATIENCE), ..Exec::new(["true"]) };
    let ret = Ret::new(move |answer: Option<Result<_, TransportError>>| {
        let word = match answer {
            Some(Ok(_)) => Word::In,
            Some(Err(why)) => Word::Out { why: why.to_string() },
            None => Word::Out { why: "the runtime ended".to_owned() },
        };
        let _ = tell.send(word);
    });
    // After the door was told, in the order of the queue.
    stakker.defer(move |_| transport.op(Op::Exec(exec, ret)));
}
