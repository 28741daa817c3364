//! From one thread to another and back, without us: a vector behind a mutex and the waker of an epoll.
//! And a turn of a stakker in which nothing happens.

use crate::race::Lap;
use stakker::Stakker;
use stakker_mio::MioPoll;
use stakker_mio::mio::{Events, Poll, Token, Waker};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What ends a server.
const STOP: u64 = u64::MAX;

/// `n` questions from another thread, each after the answer to the one before. This thread waits in an epoll.
pub fn bare(n: u64) -> Lap {
    let mut poll = Poll::new().expect("an epoll");
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("an eventfd"));
    let queue = Arc::new(Mutex::new(Vec::new()));
    let (theirs, their_waker) = (queue.clone(), waker.clone());
    let (answer, answers) = channel();
    let asker = std::thread::spawn(move || {
        // The lock is gone before the other thread is woken: else it would wake up only to wait.
        let send = |what: u64| {
            theirs.lock().expect("nobody panics while they hold it").push(what);
            their_waker.wake().expect("an eventfd takes a wake");
        };
        let lap = Lap::of(n, || {
            for at in 0..n {
                send(at);
                assert_eq!(answers.recv(), Ok(at), "an echo");
            }
        });
        send(STOP);
        lap
    });
    // `waker` stays here: with the last one the event that it made would go too.
    let mut events = Events::with_capacity(8);
    let mut taken = Vec::new();
    loop {
        poll.poll(&mut events, None).expect("an epoll");
        std::mem::swap(&mut taken, &mut *queue.lock().expect("nobody panics while they hold it"));
        if !taken.drain(..).all(|what| what != STOP && answer.send(what).is_ok()) {
            return asker.join().expect("the asker does not panic");
        }
    }
}

/// `n` times: ask the epoll without waiting, and run a stakker that has nothing to do.
pub fn idle_turns(n: u64) -> Lap {
    let mut now = Instant::now();
    let mut stakker = Stakker::new(now);
    let poll = Poll::new().expect("an epoll");
    let poll = MioPoll::new(&mut stakker, poll, Events::with_capacity(256), 10).expect("a waker");
    Lap::of(n, || {
        for _ in 0..n {
            now += Duration::from_micros(1);
            poll.poll(Duration::ZERO).expect("an epoll");
            stakker.run(now, false);
        }
    })
}
