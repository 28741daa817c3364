//! One courier for each host: it carries the commands of many jobs there, as many as are waiting in one.
//!
//! As with a group commit nobody waits for company. The first call of a script goes at once; those that come while it is away
//! go together when there is room again. Each call keeps its own answer, so no job hears of another one's, and a command that
//! fails as a whole is for each of its jobs a lost reply.

use crate::dialect::{bundle, call_of, parts, sh};
use crate::poller::{ANSWER_WITHIN, KEEP, died};
use procession::transport::{Answer, Exec, Exit, Op, Transport, TransportError};
use stakker::{CX, FixedTimerKey, Ret, after, lazy, ret_to};
use std::collections::VecDeque;
use std::time::Duration;

/// So many calls are in one command that runs them one after the other. A call to a scheduler takes some 10 ms, and all answers come together.
pub const MOST: usize = 64;
/// So many bytes of arguments are in one command: half of what old systems allow.
pub const MOST_BYTES: usize = 64 << 10;
/// So many commands of one script are under way at a time: while the answer of one is on its way, the next is at work.
pub const AT_ONCE: usize = 2;
/// After this long a command begins no more of its calls. One that waits for a frozen scheduler has still time to say so.
pub const BEGIN_WITHIN: Duration = Duration::from_secs(20);

/// Results wait at most so long for submissions.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The actor. See the [module](self).
pub struct Courier {
    transport: Transport,
    lanes: Vec<Lane>,
    /// Who waits until no job is on its way into the queue.
    patient: Vec<Ret<()>>,
    patience: Option<FixedTimerKey>,
}

/// A command for the host.
pub struct Order {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// How it travels.
    pub manner: Manner,
    /// Who wants to know how it ended.
    pub ret: Answer<Exit>,
}

/// How a command travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// With whom it may go.
    pub company: Company,
    /// What goes before what.
    pub rank: Rank,
}

impl Manner {
    /// With others like it, and when it is its turn.
    pub const COMMON: Manner = Manner { company: Company::Bundled, rank: Rank::Common };
    /// A submission.
    pub const ENTRY: Manner = Manner { company: Company::Bundled, rank: Rank::Entry };
}

/// What goes before what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rank {
    /// It goes when it is its turn.
    Common,
    /// It brings a job into the queue, where it gets older and may start. Results lie safely, and wait for that.
    Entry,
    /// It waits for no other work on the host: whoever cancels a thousand jobs does not wait for what they are doing.
    Control,
}

/// How calls of one script go together in one command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Company {
    /// The script runs for each of them: see [`bundle`].
    Bundled,
    /// The script takes the arguments of all of them, one after the other, and answers each as a part of a bundle.
    Joined,
}

/// The calls of one script.
struct Lane {
    script: String,
    manner: Manner,
    waiting: VecDeque<Parcel>,
    away: usize,
}

/// One call, and who waits for its answer.
struct Parcel {
    args: Vec<String>,
    ret: Answer<Exit>,
}

impl Courier {
    /// A courier for one host.
    pub fn init(_: CX![], transport: Transport) -> Option<Courier> {
        Some(Courier { transport, lanes: Vec::new(), patient: Vec::new(), patience: None })
    }

    /// Runs a command on the host. If it is one of our scripts, calls of the same script may go with it.
    pub fn carry(&mut self, cx: CX![], order: Order) {
        let Order { argv, manner, ret } = order;
        let Some((script, args)) = call_of(&argv) else { return self.send(argv, manner, ret) };
        let parcel = Parcel { args: args.to_vec(), ret };
        let like = |lane: &Lane| lane.manner == manner && lane.script == script;
        let number = self.lanes.iter().position(like).unwrap_or_else(|| {
            let script = script.to_string();
            self.lanes.push(Lane { script, manner, waiting: VecDeque::new(), away: 0 });
            self.lanes.len() - 1
        });
        self.lanes[number].waiting.push_back(parcel);
        if self.lanes[number].waiting.len() == 1 {
            // What else is asked in this turn goes with it.
            lazy!([cx], depart(number));
        }
    }

    /// Answers when no job is on its way into the queue of the host, and after [`PATIENCE`] at the latest: fetching the results
    /// of one job takes the host longer than submitting ten.
    pub fn when_calm(&mut self, cx: CX![], ret: Ret<()>) {
        if self.is_calm() {
            return ret.ret(());
        }
        self.patient.push(ret);
        if self.patience.is_none() {
            self.patience = Some(after!(PATIENCE, [cx], on_patience_over()));
        }
    }

    fn is_calm(&self) -> bool {
        let is_idle = |lane: &Lane| lane.away == 0 && lane.waiting.is_empty();
        self.lanes.iter().all(|lane| lane.manner.rank != Rank::Entry || is_idle(lane))
    }

    fn on_patience_over(&mut self, _: CX![]) {
        self.patience = None;
        self.patient.drain(..).for_each(|ret| ret.ret(()));
    }

    fn depart(&mut self, cx: CX![], number: usize) {
        while let Some(lane) = self.lanes.get_mut(number)
            && lane.away < AT_ONCE
            && !lane.waiting.is_empty()
        {
            let sizes = lane.waiting.iter().map(|parcel| parcel.args.iter().map(String::len).sum());
            let load = lane.manner.company.load(sizes);
            let parcels: Vec<Parcel> = lane.waiting.drain(..load).collect();
            lane.away += 1;
            let manner = lane.manner;
            let argv = lane
                .manner
                .company
                .command(&lane.script, parcels.iter().map(|parcel| parcel.args.as_slice()));
            let ret = ret_to!([cx], on_answer(number, parcels) as (Result<Exit, TransportError>));
            self.send(argv, manner, ret);
        }
    }

    fn on_answer(
        &mut self,
        cx: CX![],
        number: usize,
        parcels: Vec<Parcel>,
        exit: Option<Result<Exit, TransportError>>,
    ) {
        self.lanes[number].away -= 1;
        let exit = exit.unwrap_or_else(|| Err(died(self.transport.name())));
        let mut left = Vec::new();
        for (answer, parcel) in answers(exit, parcels.len()).into_iter().zip(parcels) {
            match answer {
                Some(answer) => parcel.ret.ret(answer),
                None => left.push(parcel),
            }
        }
        for parcel in left.into_iter().rev() {
            self.lanes[number].waiting.push_front(parcel);
        }
        self.depart(cx, number);
        if self.is_calm() {
            if let Some(timer) = self.patience.take() {
                cx.timer_del(timer);
            }
            self.on_patience_over(cx);
        }
    }

    fn send(&mut self, argv: Vec<String>, manner: Manner, ret: Answer<Exit>) {
        let urgent = manner.rank == Rank::Control;
        let exec = Exec { timeout: Some(ANSWER_WITHIN), keep: KEEP, urgent, brief: true, ..Exec::new(argv) };
        self.transport.op(Op::Exec(exec, ret));
    }
}

impl Company {
    /// How many of the calls that wait go into the next command: at least one. A bundle leaves the others their share, since
    /// its calls run one after the other.
    fn load(self, sizes: impl ExactSizeIterator<Item = usize>) -> usize {
        let most = match self {
            Company::Bundled => sizes.len().div_ceil(AT_ONCE).min(MOST),
            Company::Joined => sizes.len(),
        };
        let mut room = MOST_BYTES;
        let fits = |size: &usize| {
            let fits = *size <= room;
            room = room.saturating_sub(*size);
            fits
        };
        sizes.take(most).take_while(fits).count().max(1)
    }

    /// The command for these arguments of a script; for one call, the call as it came.
    fn command<'a>(
        self,
        script: &str,
        mut calls: impl ExactSizeIterator<Item = &'a [String]>,
    ) -> Vec<String> {
        match self {
            Company::Bundled if calls.len() > 1 => bundle(script, BEGIN_WITHIN.as_secs(), calls),
            Company::Bundled | Company::Joined => sh(script, calls.by_ref().flatten().cloned()),
        }
    }
}

/// What each of the calls of a command is told; none for those that were not begun.
fn answers(exit: Result<Exit, TransportError>, calls: usize) -> Vec<Option<Result<Exit, TransportError>>> {
    match exit {
        Ok(exit) if calls == 1 => vec![Some(Ok(exit))],
        Ok(exit) => parts(&exit, calls).into_iter().map(|part| part.map(Ok)).collect(),
        Err(why) => vec![Some(Err(why)); calls],
    }
}

#[cfg(test)]
mod tests {
    use super::{Company, MOST, MOST_BYTES, answers};
    use procession::transport::{Ended, Exit, TransportError};

    fn load<const N: usize>(company: Company, sizes: [usize; N]) -> usize {
        company.load(sizes.into_iter())
    }

    #[test]
    fn what_waits_goes_together_and_bundles_share_it() {
        assert_eq!(load(Company::Bundled, [10]), 1);
        assert_eq!(load(Company::Bundled, [10; 5]), 3);
        assert_eq!(load(Company::Bundled, [10; 1000]), MOST);
        assert_eq!(load(Company::Joined, [10; 1000]), 1000);
    }

    #[test]
    fn a_command_is_no_longer_than_a_host_can_take() {
        assert_eq!(load(Company::Joined, [MOST_BYTES / 2; 5]), 2);
        assert_eq!(load(Company::Bundled, [1, MOST_BYTES, 1, 1]), 1);
        // What is too large for any command is the transport's to refuse.
        assert_eq!(load(Company::Joined, [2 * MOST_BYTES, 1]), 1);
    }

    #[test]
    fn a_script_that_takes_many_is_called_once_for_all() {
        let [a, b] = [["1", "2"], ["3", "4"]].map(|args| args.map(String::from));
        let calls = || [&a[..], &b[..]].into_iter();
        assert_eq!(Company::Joined.command("exit", calls())[4..], ["1", "2", "3", "4"]);
        assert_eq!(
            Company::Bundled.command("exit", calls())[4..],
            ["exit", "20", "2", "1", "2", "2", "3", "4"]
        );
        assert_eq!(Company::Bundled.command("exit", calls().take(1))[2..], ["exit", "procession", "1", "2"]);
    }

    #[test]
    fn a_command_that_fails_is_a_lost_reply_for_each_of_its_calls() {
        let why = TransportError::TimedOut(String::new());
        assert_eq!(answers(Err(why.clone()), 3), vec![Some(Err(why)); 3]);
    }

    #[test]
    fn a_call_that_goes_alone_is_answered_as_it_came() {
        let exit = Exit {
            how: Ended::Code(3),
            stdout: b"PROCESSION-LEFT 1 1\n".to_vec(),
            stderr: vec![],
            total: [20, 0],
        };
        assert_eq!(answers(Ok(exit.clone()), 1), [Some(Ok(exit))]);
    }
}
