//! A host that is down for a day, and a thousand jobs that wait for it. Time is virtual; the host answers by hand.
#![expect(clippy::disallowed_methods, reason = "the virtual clock must begin somewhere")]

use procession::journal::{Desired, MemoryStore, Stage};
use procession::transport::{Answer, Ended, Exit, Op, Transport, TransportError};
use procession::{Handle, Phase, Runtime, Spawn};
use procession_batch::dialect::Direct;
use procession_batch::{Hosts, JobSpec, Plan, SchedulerProcess};
use stakker::Fwd;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

type Job = Handle<SchedulerProcess>;

/// What the host was asked, and who waits for it.
#[derive(Default)]
struct Host {
    up: bool,
    asked: usize,
    waiting: Vec<Answer<()>>,
}

struct World {
    runtime: Runtime,
    now: Instant,
    host: Rc<RefCell<Host>>,
    store: MemoryStore,
}

impl World {
    fn new(why: fn() -> TransportError) -> World {
        let now = Instant::now();
        let store = MemoryStore::new();
        let builder = Runtime::builder().virtual_time(now).seed(1).journal(store.open());
        let mut runtime = builder.build().expect("a runtime");
        let host: Rc<RefCell<Host>> = Rc::default();
        let answers = host.clone();
        let ops = Fwd::new(move |op| {
            let mut host = answers.borrow_mut();
            host.asked += 1;
            match op {
                Op::WhenUp(ret) if host.up => ret.ret(Ok(())),
                Op::WhenUp(ret) => host.waiting.push(ret),
                // The only command of these stories removes a sandbox.
                Op::Exec(_, ret) if host.up => ret.ret(Ok(gone())),
                Op::Exec(_, ret) => ret.ret(Err(why())),
                Op::Mkdir { ret, .. } => ret.ret(Err(why())),
                _other => panic!("nothing else is begun"),
            }
        });
        let nowhere = Transport::new("here", Fwd::new(|_| panic!("nothing comes so far")));
        let mut hosts = Hosts::new(nowhere);
        hosts.add(&mut runtime, Transport::new("host", ops), Direct::new(0));
        SchedulerProcess::register(&mut runtime, hosts);
        World { runtime, now, host, store }
    }

    fn spawn(&mut self) -> Job {
        let spec = JobSpec { name: "a".into(), command: Some(vec!["true".into()]), ..JobSpec::default() };
        let plan = Plan {
            spec,
            host: "host".into(),
            root: "jobs".into(),
            base: "/home/me".into(),
            results: "/home/me/out".into(),
        };
        let job = self.runtime.spawn::<SchedulerProcess>(plan.job(), Spawn::default()).expect("registered");
        job.launch();
        job
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.runtime.turn(self.now).expect("a turn").more {}
    }

    /// Lets time pass in steps, as its timers want it.
    fn pass_in_steps(&mut self, steps: u32, time: Duration) {
        (0..steps).for_each(|_| self.pass(time));
    }

    fn come_up(&mut self) {
        let waiting = {
            let mut host = self.host.borrow_mut();
            host.up = true;
            std::mem::take(&mut host.waiting)
        };
        waiting.into_iter().for_each(|ret| ret.ret(Ok(())));
    }
}

fn gone() -> Exit {
    let stdout = b"PROCESSION-BEGIN 1\ngone\nPROCESSION-END 1\n".to_vec();
    Exit { how: Ended::Code(0), stdout, stderr: vec![], total: [0, 0] }
}

fn down() -> TransportError {
    TransportError::Unreachable { host: "host".into(), why: "no route".into() }
}

fn locked_out() -> TransportError {
    TransportError::AuthFailed { host: "host".into(), why: "the key has expired".into() }
}

fn changed() -> TransportError {
    TransportError::HostKeyChanged { host: "host".into(), why: "another key".into() }
}

#[test]
fn a_thousand_jobs_ask_a_host_that_is_down_once_and_then_wait_for_it() {
    for why in [down, locked_out, changed] {
        let mut world = World::new(why);
        let jobs: Vec<Job> = (0..1000).map(|_| world.spawn()).collect();
        world.pass_in_steps(10, Duration::from_millis(1));
        // Each has asked for a folder and for the host, and that is all for a day.
        assert_eq!((world.host.borrow().asked, world.host.borrow().waiting.len()), (2000, 1000));
        world.pass_in_steps(24, Duration::from_secs(3600));
        assert_eq!(world.host.borrow().asked, 2000);
        world.come_up();
        world.host.borrow_mut().up = false;
        world.pass_in_steps(20, Duration::from_millis(100));
        assert_eq!(
            world.host.borrow().asked,
            4000,
            "all came back within two seconds, and found it down again"
        );
        drop(jobs);
    }
}

#[test]
fn a_pause_takes_effect_while_the_host_is_down() {
    let mut world = World::new(down);
    let job = world.spawn();
    world.pass_in_steps(10, Duration::from_millis(1));
    job.pause();
    world.pass_in_steps(10, Duration::from_millis(1));
    assert!(matches!(world.runtime.phase(&job), Ok(Phase::Paused(_))));
}

#[test]
fn a_kill_is_written_down_at_once_and_carried_out_when_the_host_is_up() {
    let mut world = World::new(down);
    let job = world.spawn();
    world.pass_in_steps(10, Duration::from_millis(1));
    job.kill();
    world.pass_in_steps(10, Duration::from_millis(1));
    assert!(matches!(world.runtime.phase(&job), Ok(Phase::Killing(_))));
    let rows = world.store.rows();
    assert_eq!(rows.iter().map(|row| row.desired).collect::<Vec<_>>(), [Desired::Kill]);
    world.pass_in_steps(24, Duration::from_secs(3600));
    assert!(matches!(world.runtime.phase(&job), Ok(Phase::Killing(_))));
    world.come_up();
    world.pass_in_steps(20, Duration::from_secs(1));
    assert_eq!(world.store.rows()[0].stage, Stage::Killed);
}
