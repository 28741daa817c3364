//! From one thread to another and back, without us: a vector behind a mutex, and the waker of an epoll.

use stakker_mio::mio::{Events, Poll, Token, Waker};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A thread that waits in an epoll and sends back what it is sent.
pub struct Echo {
    queue: Arc<Mutex<Vec<u64>>>,
    waker: Arc<Waker>,
    answers: Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    pub fn start() -> io::Result<Echo> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(0))?);
        let queue = Arc::new(Mutex::new(Vec::new()));
        let (answer, answers) = channel();
        let theirs = queue.clone();
        let thread = std::thread::spawn(move || serve(poll, &theirs, &answer));
        Ok(Echo { queue, waker, answers, thread: Some(thread) })
    }

    /// `n` questions, each after the answer to the one before.
    pub fn round_trips(&self, n: u64) -> io::Result<()> {
        for at in 1..=n {
            self.send(at)?;
            let answer = self.answers.recv().map_err(io::Error::other)?;
            assert_eq!(answer, at, "an echo");
        }
        Ok(())
    }

    fn send(&self, what: u64) -> io::Result<()> {
        // The lock is gone before the other thread is woken: else it would wake up only to wait.
        self.queue.lock().expect("nobody panics while they hold it").push(what);
        self.waker.wake()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let sent = self.send(STOP);
        if let (Ok(()), Some(thread)) = (sent, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// The thread ends when it is sent this.
const STOP: u64 = 0;

fn serve(mut poll: Poll, queue: &Mutex<Vec<u64>>, answer: &Sender<u64>) {
    let mut events = Events::with_capacity(8);
    let mut taken = Vec::new();
    loop {
        if poll.poll(&mut events, None).is_err() {
            continue;
        }
        std::mem::swap(&mut taken, &mut *queue.lock().expect("nobody panics while they hold it"));
        for what in taken.drain(..) {
            if what == STOP || answer.send(what).is_err() {
                return;
            }
        }
    }
}
