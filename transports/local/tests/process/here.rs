//! A runtime on this machine, and how to look at it from outside.

use procession::journal::MemoryStore;
use procession::transport::RemotePath;
use procession::{Handle, Outcome, Runtime, Spawn};
use procession_local::{Command, Commands, Config, Local, LocalProcess, LocalState, Machine, Ran};
use rustix::process::Pid;
use stakker::ActorOwn;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many turns without an end are a hang: each lasts at least five milliseconds.
pub const MOST_TURNS: usize = 6_000;

/// A runtime on this machine. Dropping it is the death of the program, as far as a test can play it.
pub struct Here {
    // Before the runtime: an actor that outlives its runtime is never dropped.
    _owners: (ActorOwn<Local>, ActorOwn<Commands>),
    pub runtime: Runtime,
}

impl Here {
    pub fn new(work: &Path, store: Option<&MemoryStore>) -> Here {
        Here::limited(work, store, 8)
    }

    pub fn limited(work: &Path, store: Option<&MemoryStore>, limit: usize) -> Here {
        let builder = Runtime::builder();
        let builder = if let Some(store) = store { builder.journal(store.open()) } else { builder };
        let mut runtime = builder.build().unwrap();
        let (transport, local) = Local::start(runtime.stakker(), Config::new(work)).unwrap();
        let limit = NonZeroUsize::new(limit).unwrap();
        let (machine, commands) = Machine::start(runtime.stakker(), &transport, work, limit).unwrap();
        runtime.register(move |life| LocalProcess::new(life, machine.clone()));
        assert_eq!(runtime.recover().unwrap().parked.len(), 0);
        Here { _owners: (local, commands), runtime }
    }

    pub fn spawn(&mut self, command: Command) -> Handle<LocalProcess> {
        let handle = self.runtime.spawn(LocalState::new(command), Spawn::default()).unwrap();
        handle.launch();
        handle
    }

    pub fn run(&mut self, command: Command) -> Outcome<Ran> {
        let handle = self.spawn(command);
        self.runtime.run_until(&handle).unwrap()
    }

    pub fn ran(&mut self, command: Command) -> Ran {
        match self.run(command) {
            Outcome::Finished(ran) => ran,
            other => panic!("{other:?}"),
        }
    }

    /// Runs until the command has made this file.
    pub fn until(&mut self, file: &Path) {
        self.until_so(&format!("there is {}", file.display()), |_| file.exists());
    }

    /// Runs until this is so. How the machine shares its processors out makes it later, and nothing else.
    pub fn until_so(&mut self, what: &str, mut is_so: impl FnMut(&mut Runtime) -> bool) {
        for _ in 0..MOST_TURNS {
            self.runtime.turn(Instant::now()).unwrap();
            if is_so(&mut self.runtime) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("never so: {what}");
    }

    /// The process group of the command, when it runs.
    pub fn group(&mut self, handle: &Handle<LocalProcess>) -> Pid {
        let mut group = None;
        self.until_so("the command runs", |runtime| {
            group = group_of(runtime.phase(handle).unwrap().state().unwrap());
            group.is_some()
        });
        group.unwrap()
    }
}

pub fn sh(script: &str) -> Command {
    Command { folder: Some(RemotePath::literal("job")), ..Command::new(["sh", "-c", script]) }
}

pub fn work() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (dir, path)
}

pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Whether one of the group still runs. Zombies do not count: some containers have an init that reaps nobody.
pub fn lives(group: Pid) -> bool {
    let group = group.as_raw_nonzero().get();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.map(|entry| read(entry.path().join("stat"))).any(|stat| {
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or(vec![], |(_, rest)| rest.split_whitespace().collect());
        fields.first().is_some_and(|state| *state != "Z")
            && fields.get(2) == Some(&group.to_string().as_str())
    })
}

/// None if it does not run yet.
fn group_of(state: &LocalState) -> Option<Pid> {
    match state {
        LocalState::Running { os, .. } | LocalState::Stopping { os, .. } => Pid::from_raw(os.pid),
        LocalState::Queued { .. } => None,
    }
}
