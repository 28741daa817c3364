//! The script behind a service: told what to do over its stdin, and gone when that is closed.
#![expect(clippy::disallowed_methods, reason = "a test waits for its services")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running service. Its drop ends every process of it, and removes its folder.
pub struct Keeper {
    script: &'static str,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    facts: BTreeMap<String, String>,
}

impl Keeper {
    /// Starts this script of `tests/services`, and waits until it is ready.
    ///
    /// Panics with the script's own reason if that can't be.
    pub fn start<S: AsRef<std::ffi::OsStr>>(
        script: &'static str,
        args: impl IntoIterator<Item = S>,
    ) -> Keeper {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("services").join(script);
        let mut command = Command::new(path);
        // A group of its own: whoever kills the group of a test must not kill the one who tidies up after it.
        command.args(args).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{script}: {e}"));
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut keeper = Keeper { script, child, orders, answers, facts: BTreeMap::new() };
        loop {
            let line = keeper.line();
            match line.split_once('=') {
                Some((name, value)) => keeper.facts.insert(name.to_owned(), value.to_owned()),
                None if line == "ready" => return keeper,
                None => panic!("{script}: {line}"),
            };
        }
    }

    /// What the script told about the service, by name. Panics if it did not.
    pub fn fact(&self, name: &str) -> &str {
        self.facts.get(name).unwrap_or_else(|| panic!("{} tells no {name}", self.script))
    }

    /// A fact that is a path.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.fact(name))
    }

    /// Gives an order, and waits until it is carried out. Panics if that failed.
    pub fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().expect("it is open until the drop");
        writeln!(orders, "{order}").unwrap_or_else(|e| panic!("{} {order}: {e}", self.script));
        let answer = self.line();
        assert_eq!(answer, "done", "{} {order}", self.script);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the script speaks UTF-8");
        assert!(!line.is_empty(), "{} has ended", self.script);
        line.trim_end().to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
