//! The way to a host behind ssh: an actor that takes operations, as the ssh transport does, borrows a channel from the real
//! pool for each, and hands it to the machine.

use super::link::Link;
use super::sshd::{NoChannel, SessionNumber, SimDial, Sshd};
use crate::world::faults::PerMille;
use procession::RuntimeHandle;
use procession::pool::{Budget, Lease, Pool, Rules, Sessions, Setup, Urgency};
use procession::transport::{Answer, Cancel, CancelToken, Get, Op, Put, Transport, TransportError};
use stakker::{ActorOwn, CX, Core, Ret, actor, fwd_to, ret_nop, ret_to};
use std::cell::RefCell;
use std::rc::Rc;

/// The actor.
pub struct Gate {
    name: Rc<str>,
    sessions: Sessions<SessionNumber>,
    sshd: Rc<RefCell<Sshd>>,
    link: Rc<RefCell<Link>>,
}

/// What keeps a gate and its pool alive.
pub struct GateOwner {
    _gate: ActorOwn<Gate>,
    _pool: ActorOwn<Pool<SimDial>>,
}

/// One that is being opened for a runtime.
pub(super) struct Opening {
    pub(super) name: Rc<str>,
    pub(super) sshd: Rc<RefCell<Sshd>>,
    pub(super) link: Rc<RefCell<Link>>,
}

impl Gate {
    /// A gate for the runtime with this core.
    pub(super) fn start(
        core: &mut Core,
        opening: Opening,
        rules: Rules,
        runtime: RuntimeHandle,
        budget: Box<dyn Budget>,
    ) -> (Transport, GateOwner) {
        let Opening { name, sshd, link } = opening;
        let setup =
            Setup { rules, budget: Some(budget), ..Setup::new(&name, SimDial(sshd.clone()), runtime) };
        let (sessions, pool) = Pool::start(core, setup);
        let again = sessions.clone();
        sshd.borrow_mut().tell(Rc::new(move || again.retry()));
        let gate = actor!(core, Gate::init(name.clone(), sessions, sshd, link), ret_nop!());
        let transport = Transport::new(&name, fwd_to!([gate], on_op() as (Op)));
        (transport, GateOwner { _gate: gate, _pool: pool })
    }

    fn init(
        _: CX![],
        name: Rc<str>,
        sessions: Sessions<SessionNumber>,
        sshd: Rc<RefCell<Sshd>>,
        link: Rc<RefCell<Link>>,
    ) -> Option<Gate> {
        Some(Gate { name, sessions, sshd, link })
    }

    fn on_op(&mut self, cx: CX![], op: Op) {
        if let Op::WhenUp(ret) = op {
            let up = move |up: Option<()>| {
                if up.is_some() {
                    ret.ret(Ok(()))
                }
            };
            return self.sessions.when_up(Ret::new(up));
        }
        let urgency = urgency(&op);
        let ret = ret_to!([cx], on_lease(op) as (Result<Lease<SessionNumber>, TransportError>));
        self.sessions.lease(urgency, ret);
    }

    fn on_lease(&mut self, cx: CX![], op: Op, lease: Option<Result<Lease<SessionNumber>, TransportError>>) {
        let lease = match lease {
            Some(Ok(lease)) => lease,
            Some(Err(why)) => return fail(op, why),
            None => return drop(op),
        };
        let number = *lease.session();
        let broken = Rc::<RefCell<Option<Box<dyn FnOnce()>>>>::default();
        let on_break = broken.clone();
        let on_break = Box::new(move || {
            let told = on_break.borrow_mut().take();
            if let Some(told) = told {
                told();
            }
        });
        let opened = self.sshd.borrow_mut().open_channel(number, on_break);
        match opened {
            Ok(channel) => {
                let channel = Channel { sshd: self.sshd.clone(), number, channel, _lease: lease };
                let hangs_up = self.link.borrow_mut().machine.dice.chance(PerMille(500));
                let carried = Carried { name: self.name.clone(), channel, broken, hangs_up };
                Link::begin(&self.link, carried.carry(op));
            }
            Err(NoChannel::Full) => {
                let ret = ret_to!([cx], on_lease(op) as (Result<Lease<SessionNumber>, TransportError>));
                lease.refused(ret);
            }
            Err(NoChannel::Gone) => fail(op, unreachable(&self.name)),
        }
    }
}

/// An open channel. It is closed before its lease goes back.
struct Channel {
    sshd: Rc<RefCell<Sshd>>,
    number: SessionNumber,
    channel: u64,
    _lease: Lease<SessionNumber>,
}

impl Drop for Channel {
    fn drop(&mut self) {
        let rest = self.sshd.borrow_mut().close_channel(self.number, self.channel);
        drop(rest);
    }
}

/// What puts a channel between an operation and who waits for it.
struct Carried {
    name: Rc<str>,
    channel: Channel,
    /// What happens when the session breaks.
    broken: Rc<RefCell<Option<Box<dyn FnOnce()>>>>,
    /// Whether a command ends with its session.
    hangs_up: bool,
}

/// What an operation that can be cancelled has to keep until it is answered.
type Kept = Rc<RefCell<Option<(Cancel, Option<CancelToken>)>>>;

impl Carried {
    fn carry(self, op: Op) -> Op {
        let none = Kept::default;
        match op {
            Op::Exec(exec, ret) if self.hangs_up => {
                let (kept, cancel) = passed_on(exec.cancel);
                let exec = procession::transport::Exec { cancel: Some(cancel), ..exec };
                Op::Exec(exec, self.answer(ret, kept))
            }
            Op::Exec(exec, ret) => Op::Exec(exec, self.answer(ret, none())),
            Op::Put(put, ret) => {
                let (kept, cancel) = passed_on(put.cancel);
                Op::Put(Put { cancel: Some(cancel), ..put }, self.answer(ret, kept))
            }
            Op::Get(get, ret) => {
                let (kept, cancel) = passed_on(get.cancel);
                Op::Get(Get { cancel: Some(cancel), ..get }, self.answer(ret, kept))
            }
            Op::List(path, ret) => Op::List(path, self.answer(ret, none())),
            Op::Stat(path, ret) => Op::Stat(path, self.answer(ret, none())),
            Op::Mkdir { path, parents, ret } => Op::Mkdir { path, parents, ret: self.answer(ret, none()) },
            Op::Rename { from, to, ret } => Op::Rename { from, to, ret: self.answer(ret, none()) },
            Op::Remove { path, tree, ret } => Op::Remove { path, tree, ret: self.answer(ret, none()) },
            Op::Symlink { target, link, ret } => Op::Symlink { target, link, ret: self.answer(ret, none()) },
            Op::Chmod { path, mode, ret } => Op::Chmod { path, mode, ret: self.answer(ret, none()) },
            Op::Read { path, limit, ret } => Op::Read { path, limit, ret: self.answer(ret, none()) },
            Op::Write { path, bytes, mode, ret } => {
                Op::Write { path, bytes, mode, ret: self.answer(ret, none()) }
            }
            Op::Connect { host, port, ret } => Op::Connect { host, port, ret: self.answer(ret, none()) },
            Op::WhenUp(_) => unreachable!("it needs no channel"),
        }
    }

    /// Whoever is first: the machine with its answer, or the end of the session.
    fn answer<T: 'static>(self, ret: Answer<T>, kept: Kept) -> Answer<T> {
        let Carried { name, channel, broken, hangs_up: _ } = self;
        let slot = Rc::new(RefCell::new(Some((ret, channel))));
        let (breaks, hold) = (slot.clone(), kept.clone());
        *broken.borrow_mut() = Some(Box::new(move || {
            let waiting = breaks.borrow_mut().take();
            if let Some((ret, channel)) = waiting {
                drop(channel);
                ret.ret(Err(unreachable(&name)));
            }
            // What needs both sides ends on the machine too.
            let hangs_up = hold.borrow_mut().take();
            drop(hangs_up);
        }));
        Ret::new(move |answer: Option<Result<T, TransportError>>| {
            let waiting = slot.borrow_mut().take();
            if let Some((ret, channel)) = waiting {
                drop(channel);
                match answer {
                    Some(answer) => ret.ret(answer),
                    None => drop(ret),
                }
            }
            let over = kept.borrow_mut().take();
            drop(over);
        })
    }
}

/// A token for the machine, which hears of the end of the session, and of the guard of the one who asked.
fn passed_on(token: Option<CancelToken>) -> (Kept, CancelToken) {
    let (guard, ours) = Cancel::pair();
    let kept = Kept::default();
    *kept.borrow_mut() = Some((guard, None));
    if let Some(token) = token {
        let told = kept.clone();
        token.on_cancel(Ret::new(move |cancelled: Option<()>| {
            if cancelled.is_some() {
                let guard = told.borrow_mut().take();
                drop(guard);
            }
        }));
        if let Some((_, place)) = kept.borrow_mut().as_mut() {
            *place = Some(token);
        }
    }
    (kept, ours)
}

fn urgency(op: &Op) -> Urgency {
    match op {
        Op::Put(..) | Op::Get(..) => Urgency::Bulk,
        Op::Exec(exec, _) if exec.urgent => Urgency::Control,
        Op::Exec(..) | Op::Connect { .. } => Urgency::Work,
        Op::List(..)
        | Op::Stat(..)
        | Op::Mkdir { .. }
        | Op::Rename { .. }
        | Op::Remove { .. }
        | Op::Symlink { .. }
        | Op::Chmod { .. }
        | Op::Read { .. }
        | Op::Write { .. }
        | Op::WhenUp(_) => Urgency::Control,
    }
}

fn fail(op: Op, why: TransportError) {
    match op {
        Op::Exec(_, ret) => ret.ret(Err(why)),
        Op::Put(_, ret) | Op::Get(_, ret) => ret.ret(Err(why)),
        Op::List(_, ret) => ret.ret(Err(why)),
        Op::Stat(_, ret) => ret.ret(Err(why)),
        Op::Remove { ret, .. } => ret.ret(Err(why)),
        Op::Read { ret, .. } => ret.ret(Err(why)),
        Op::Connect { ret, .. } => ret.ret(Err(why)),
        Op::Mkdir { ret, .. }
        | Op::Rename { ret, .. }
        | Op::Symlink { ret, .. }
        | Op::Chmod { ret, .. }
        | Op::Write { ret, .. }
        | Op::WhenUp(ret) => ret.ret(Err(why)),
    }
}

fn unreachable(host: &str) -> TransportError {
    TransportError::Unreachable { host: host.to_owned(), why: "the session broke".to_owned() }
}
