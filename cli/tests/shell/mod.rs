//! A user with a shell: runs the real program on a store of its own, and reads what it says.
#![expect(clippy::disallowed_methods, reason = "a user waits for programs")]
#![allow(dead_code, reason = "each test file needs a part of it")]

use procession::ProcessId;
use procession::journal::Reader;
use rustix::event::Timespec;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder with a store, and room for job files.
pub struct Shell {
    pub folder: tempfile::TempDir,
}

/// What a program said, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Its stdout, which is one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Shell {
    pub fn new() -> Shell {
        Shell { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Writes a file, and gives its path as a word of a command line.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("within the folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// A job file with a script.
    pub fn job(&self, name: &str, script: &str) -> String {
        let script = toml::Value::from(script);
        self.file(&format!("{name}.toml"), &format!("name = \"{name}\"\nscript = {script}\n"))
    }

    /// The program with these arguments, ready to start.
    pub fn command<A: AsRef<str>>(&self, args: &[A]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_procession"));
        command.args(args.iter().map(AsRef::as_ref)).current_dir(self.folder.path());
        command.env("PROCESSION_STORE", self.store()).env("XDG_CONFIG_HOME", self.path("config"));
        command.env_remove("PROCESSION_HOSTS").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run<A: AsRef<str>>(&self, args: &[A]) -> Said {
        let output = self.command(args).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs it to its end, which must be a good one.
    pub fn well<A: AsRef<str>>(&self, args: &[A]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{said:?}");
        said
    }

    /// Starts it, and lets it run with its outputs in a file.
    pub fn start<A: AsRef<str>>(&self, args: &[A]) -> Child {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).expect("a log");
        let said = log.try_clone().expect("a descriptor");
        self.command(args).stdout(said).stderr(log).spawn().expect("the program starts")
    }

    /// A look into the journal.
    pub fn reader(&self) -> Reader {
        Reader::open(self.store().join("journal")).expect("a journal")
    }

    /// The phase of this process, as `show` says it.
    pub fn phase(&self, id: u64) -> String {
        let said = self.well(&["--json", "show", &id.to_string()]);
        said.json()["process"]["phase"].as_str().expect("a phase").to_owned()
    }

    /// Waits until `done` says so.
    pub fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        // Generous: ten minutes of naps, where seconds are expected.
        for _ in 0..60_000 {
            if done() {
                return;
            }
            nap();
        }
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        panic!("never happened: {what}; the log says:\n{log}");
    }
}

/// Lets others run for 10 ms.
pub fn nap() {
    let short = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    rustix::event::poll(&mut [], Some(&short)).expect("a poll of nothing");
}

/// The number of a process.
pub fn id(n: u64) -> ProcessId {
    ProcessId::new(n).expect("not zero")
}

/// The processes of this machine that have `text` in their arguments or their environment, by their ids.
pub fn processes_with(text: &str) -> Vec<String> {
    let holds = |path: PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    let all = std::fs::read_dir("/proc").expect("a proc file system").flatten();
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    let ours = std::process::id().to_string();
    let pids = names.filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && *name != ours);
    pids.filter(|pid| {
        ["cmdline", "environ"].iter().any(|file| holds(Path::new("/proc").join(pid).join(file)))
    })
    .collect()
}

/// Chance that can be replayed: xorshift (Marsaglia, 2003).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    /// Lets others run for a moment, or for the shortest of moments.
    pub fn dawdle(&mut self) {
        if self.below(4) == 0 { nap() } else { (0..self.below(64)).for_each(|_| std::thread::yield_now()) }
    }
}
