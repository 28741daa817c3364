//! The engine: a runtime on a thread of its own, which neither prints nor waits for people.
//!
//! The thread lives as long as the program, and begins a runtime when the journal is free. If another runtime holds it,
//! the thread says so and tries again when it is told to: so whoever follows takes over when the holder dies.

use crate::exit::Trouble;
use crate::hosts::Hosts;
use crate::kinds;
use crate::store::Store;
use procession::journal::{JournalError, Sqlite};
use procession::{Parked, Recovered, RemoteHandle, Runtime, RuntimeError};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};

/// What the engine says.
pub(crate) enum News {
    /// It holds the journal, and what was unfinished goes on.
    Began(Recovered),
    /// Another runtime holds the journal. Tell it to [try again](Engine::try_again).
    Held(JournalError),
    /// It has ended, and the journal is free.
    Ended(Result<(), Trouble>),
}

/// The engine, as the human side holds it.
pub(crate) struct Engine {
    thread: Option<JoinHandle<()>>,
    again: Sender<()>,
    news: Receiver<Message>,
    remote: Option<RemoteHandle>,
}

enum Message {
    Began(RemoteHandle, Recovered),
    Held(JournalError),
    Ended(Result<(), Trouble>),
}

impl Engine {
    /// Starts the thread, which begins at once.
    pub(crate) fn start(store: &Store, hosts: &Hosts) -> Result<Engine, Trouble> {
        let (again, told) = channel();
        let (sender, news) = channel();
        let (store, hosts) = (store.clone(), hosts.clone());
        let body = move || work(&store, &hosts, &told, &sender);
        let thread = Builder::new().name("procession-engine".into()).spawn(body);
        let thread = thread.map_err(|why| Trouble::System { what: "a thread for the runtime", why })?;
        Ok(Engine { thread: Some(thread), again, news, remote: None })
    }

    /// What has happened; none if nothing has.
    pub(crate) fn news(&mut self) -> Option<News> {
        match self.news.try_recv() {
            Ok(message) => Some(self.on_message(message)),
            Err(TryRecvError::Empty) => None,
            // It says that it has ended before it does, unless it panicked.
            Err(TryRecvError::Disconnected) => Some(News::Ended(Err(Trouble::Engine))),
        }
    }

    /// Lets it look whether the journal is free now. Only of use after [`News::Held`].
    pub(crate) fn try_again(&self) {
        // If the thread is gone, `news` says so.
        let _ = self.again.send(());
    }

    /// Stops the runtime, and waits until the journal is free. Nothing is lost: what lives goes on with the next one.
    pub(crate) fn stop(mut self) -> Result<(), Trouble> {
        let (nobody, _) = channel();
        self.again = nobody;
        loop {
            if let Some(remote) = &self.remote {
                // A runtime that is closed already needs no telling.
                let _ = remote.stop();
            }
            let Ok(message) = self.news.recv() else { break };
            if let News::Ended(result) = self.on_message(message) {
                result?;
                break;
            }
        }
        let joined = self.thread.take().map_or(Ok(()), JoinHandle::join);
        joined.map_err(|_| Trouble::Engine)
    }

    fn on_message(&mut self, message: Message) -> News {
        match message {
            Message::Began(remote, recovered) => {
                self.remote = Some(remote);
                News::Began(recovered)
            }
            Message::Held(why) => News::Held(why),
            Message::Ended(result) => News::Ended(result),
        }
    }
}

fn work(store: &Store, hosts: &Hosts, told: &Receiver<()>, say: &Sender<Message>) {
    loop {
        match serve(store, hosts, say) {
            Err(Trouble::Runtime(RuntimeError::Journal(held @ JournalError::Held { .. }))) => {
                // Nobody listens, or nobody wants another try: both are the end.
                if say.send(Message::Held(held)).is_err() || told.recv().is_err() {
                    let _ = say.send(Message::Ended(Ok(())));
                    return;
                }
            }
            result => {
                let _ = say.send(Message::Ended(result));
                return;
            }
        }
    }
}

fn serve(store: &Store, hosts: &Hosts, say: &Sender<Message>) -> Result<(), Trouble> {
    let mut runtime = Runtime::builder().journal(Sqlite::open(store.journal())?).build()?;
    let services = kinds::register(&mut runtime, hosts, store)?;
    let recovered = runtime.recover()?;
    let began = Message::Began(runtime.remote(), recovered);
    if say.send(began).is_ok() {
        runtime.run_while(|_| true)?;
    }
    // The services first: what they still hold is given up within the last turns of the runtime.
    drop(services);
    drop(runtime);
    Ok(())
}

/// The processes that stay in the journal, as ids.
pub(crate) fn parked_ids(parked: &[Parked]) -> Vec<i64> {
    let id = |parked: &Parked| match parked {
        Parked::UnknownKind { id, .. } | Parked::Unreadable { id, .. } => id.number() as i64,
        Parked::Broken(row) => row.id,
    };
    parked.iter().map(id).collect()
}
