//! The helper thread that writes: it takes all orders that have come together and makes them durable with one commit.
//!
//! It runs no code of users but the waker, and calls that with no lock held. The other side never waits for the disk:
//! the two locks here are held only to move something in or out of a queue.

use super::Waker;
use super::apply::Apply;
use super::connection::Trouble;
use super::lock::Watch;
use crate::journal::{Entry, JournalError, Note, Order};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The most entries in one transaction. More do not make the commit cheaper for each, but let the first wait longer.
/// The queue before it has no limit of its own: each process waits for its last write before it makes another one.
const ENTRIES_A_TRANSACTION: usize = 8192;

/// The side of the runtime. Dropping it waits until all that was sent is written.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    orders: Mutex<Orders>,
    has_orders: Condvar,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Orders {
    queue: Vec<Order>,
    /// No more will come, or nobody takes them any more.
    closed: bool,
}

#[derive(Default)]
struct Answers {
    notes: VecDeque<Note>,
    /// The entries of orders that are durable. The thread that made them drops them as well: what one thread allocates
    /// and another one frees makes both of them wait for the allocator.
    spent: VecDeque<Vec<Entry>>,
    waker: Option<Waker>,
    /// The ticket after the last one that is durable.
    next_ticket: u64,
}

impl Writer {
    pub(super) fn start(
        file: Connection,
        path: &Path,
        waker: Option<Waker>,
        watch: Watch,
    ) -> Result<Writer, JournalError> {
        let answers = Answers { waker, ..Answers::default() };
        let (orders, has_orders) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { orders, has_orders, answers: Mutex::new(answers) });
        let (side, owned_path) = (shared.clone(), path.to_owned());
        // One of the few threads: SQLite blocks, and a commit takes milliseconds.
        let thread = std::thread::Builder::new().name("procession-journal".to_owned());
        let thread = thread.spawn(move || work(file, owned_path, watch, &side));
        Ok(Writer { shared, thread: Some(thread.map_err(|e| Trouble::new(path).io(e))?) })
    }

    pub(super) fn send(&self, order: Order) {
        let mut orders = lock(&self.shared.orders);
        if orders.closed {
            return;
        }
        orders.queue.push(order);
        // The thread that is woken takes this lock first, and would go to sleep again if it were still held.
        drop(orders);
        self.shared.has_orders.notify_one();
    }

    pub(super) fn take(&self) -> Option<Note> {
        let mut answers = lock(&self.shared.answers);
        // One order at a time. There are as many calls as orders, and a turn must not be held up by a large batch.
        let (note, spent) = (answers.notes.pop_front(), answers.spent.pop_front());
        drop(answers);
        drop(spent);
        note
    }

    pub(super) fn wake_with(&self, waker: Waker) {
        let mut answers = lock(&self.shared.answers);
        let waiting = !answers.notes.is_empty();
        answers.waker = Some(waker.clone());
        drop(answers);
        if waiting {
            waker();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock(&self.shared.orders).closed = true;
        self.shared.has_orders.notify_one();
        if let Some(thread) = self.thread.take() {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

/// The life of the thread.
fn work(file: Connection, path: PathBuf, watch: Watch, shared: &Shared) {
    let trouble = Trouble::new(&path);
    let written = catch_unwind(AssertUnwindSafe(|| {
        let apply = Apply::new(&file, trouble)?.under(&watch);
        Work { apply, shared, batch: Vec::new(), failed: false }.until_closed();
        Ok(())
    }));
    if let Err(why) = written.unwrap_or(Err(JournalError::Ended)) {
        let mut orders = lock(&shared.orders);
        orders.closed = true;
        orders.queue.clear();
        drop(orders);
        shared.fail(None, why);
    }
    // What cannot be moved out of the log now is moved by whoever opens the file next.
    let _ = file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// The thread while it works.
struct Work<'a> {
    apply: Apply<'a>,
    shared: &'a Shared,
    /// The writes of the next transaction, with their tickets.
    batch: Vec<(u64, Vec<Entry>)>,
    /// No more writes are taken.
    failed: bool,
}

impl Work<'_> {
    fn until_closed(mut self) {
        while let Some(orders) = self.shared.wait_for_orders() {
            let mut entries_in_batch = 0;
            for order in orders {
                match order {
                    Order::Write { ticket, entries } => {
                        entries_in_batch += entries.len();
                        self.batch.push((ticket, entries));
                        if entries_in_batch >= ENTRIES_A_TRANSACTION {
                            entries_in_batch = 0;
                            self.commit();
                        }
                    }
                    Order::ReadLetters => {
                        entries_in_batch = 0;
                        self.commit();
                        self.read_letters();
                    }
                }
            }
            self.commit();
        }
    }

    fn commit(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let Some(&(last, _)) = batch.last() else { return };
        if self.failed {
            return;
        }
        let all = batch.iter().map(|(_, entries)| entries.as_slice());
        match self.apply.commit(all) {
            Ok(()) => self.shared.durable(last, batch.into_iter().map(|(_, entries)| entries)),
            Err(_) => self.commit_one_by_one(batch),
        }
    }

    /// One of them does not work, and must not take those before it along.
    fn commit_one_by_one(&mut self, batch: Vec<(u64, Vec<Entry>)>) {
        for (ticket, entries) in batch {
            match self.apply.commit([entries.as_slice()].into_iter()) {
                Ok(()) => self.shared.durable(ticket, [entries]),
                Err(why) => {
                    self.failed = true;
                    return self.shared.fail(Some(ticket), why);
                }
            }
        }
    }

    fn read_letters(&mut self) {
        match self.apply.letters() {
            Ok(letters) => self.shared.give(|answers| answers.notes.push_back(Note::Letters(letters))),
            // A failure was said already.
            Err(_) if self.failed => {}
            Err(why) => {
                self.failed = true;
                self.shared.fail(None, why);
            }
        }
    }
}

impl Shared {
    /// All that have come; none if there are no more, and never will be.
    fn wait_for_orders(&self) -> Option<Vec<Order>> {
        let mut orders = lock(&self.orders);
        while orders.queue.is_empty() && !orders.closed {
            orders = self.has_orders.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
        let queue = std::mem::take(&mut orders.queue);
        (!queue.is_empty()).then_some(queue)
    }

    fn durable(&self, last: u64, spent: impl IntoIterator<Item = Vec<Entry>>) {
        self.give(|answers| {
            answers.next_ticket = last + 1;
            answers.spent.extend(spent);
            match answers.notes.back_mut() {
                Some(Note::Durable { ticket }) => *ticket = last,
                Some(Note::Failed { .. } | Note::Letters(_) | Note::Bell) | None => {
                    answers.notes.push_back(Note::Durable { ticket: last });
                }
            }
        });
    }

    /// Nothing from this ticket on is durable; without one, nothing that was not said to be.
    fn fail(&self, ticket: Option<u64>, why: JournalError) {
        self.give(|answers| {
            let ticket = ticket.unwrap_or(answers.next_ticket);
            answers.notes.push_back(Note::Failed { ticket, why });
        });
    }

    /// Adds to the notes, and wakes whoever takes them if they were all taken.
    fn give(&self, add: impl FnOnce(&mut Answers)) {
        let mut answers = lock(&self.answers);
        let waker = if answers.notes.is_empty() { answers.waker.clone() } else { None };
        add(&mut answers);
        drop(answers);
        if let Some(waker) = waker {
            waker();
        }
    }
}

/// What is behind the locks is whole between any two lines, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
