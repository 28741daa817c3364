//! The plain commands that every simulated host has: `true false echo cat sleep env printf`, `sh -c 'exit N'` and the
//! few words of shell that the contract suite of the transports uses.

use super::machine::{HOME, Here, Next, Program, Spawn, Value};
use procession::transport::{Ended, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

/// A command line as it arrives at the host.
pub struct CommandLine<'a> {
    /// The program and its arguments.
    pub argv: &'a [String],
    /// Added to the environment.
    pub env: &'a BTreeMap<String, String>,
    /// What it reads.
    pub stdin: &'a [u8],
}

/// A command that is known from the beginning: it writes, waits, and ends.
pub struct Plain {
    acts: Vec<Act>,
    code: i32,
}

enum Act {
    Out(Vec<u8>),
    Err(Vec<u8>),
    Sleep(Duration),
    Cat(String),
    /// Makes a file with an empty line.
    Make(&'static str),
    /// Starts a child in the same process group.
    Child(Vec<Act>),
    /// Kills itself.
    Die,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Plain {
    /// What a command line does; none if there is no such program.
    pub fn of(line: &CommandLine<'_>) -> Option<Plain> {
        let words: Vec<&str> = line.argv.iter().map(String::as_str).collect();
        let (name, rest) = words.split_first()?;
        let name = name.rsplit('/').next().unwrap_or(name);
        let (acts, code) = match (name, rest) {
            ("true", _) => (vec![], 0),
            ("false", _) => (vec![], 1),
            ("echo", words) => (vec![Act::Out(format!("{}\n", words.join(" ")).into_bytes())], 0),
            ("printf", [format, words @ ..]) => (vec![Act::Out(printf(format, words))], 0),
            ("cat", []) => (vec![Act::Out(line.stdin.to_vec())], 0),
            ("cat", files) => (files.iter().map(|file| Act::Cat((*file).to_owned())).collect(), 0),
            ("sleep", [time]) => (vec![Act::Sleep(Duration::try_from_secs_f64(time.parse().ok()?).ok()?)], 0),
            ("env", _) => (vec![Act::Out(env(line.env))], 0),
            ("pwd", _) => (vec![Act::Cat(String::new())], 0),
            ("sh", ["-c", "kill -KILL $$"]) => (vec![Act::Die], 0),
            ("sh", ["-c", "echo err > /dev/stderr"]) => (vec![Act::Err(b"err\n".to_vec())], 0),
            ("sh", ["-c", "sleep 60 & echo done"]) => {
                (vec![Act::Child(vec![Act::Sleep(MINUTE)]), Act::Out(b"done\n".to_vec())], 0)
            }
            ("sh", ["-c", "(sleep 1; echo > late) & sleep 60"]) => {
                let child = vec![Act::Sleep(Duration::from_secs(1)), Act::Make("late")];
                (vec![Act::Child(child), Act::Sleep(MINUTE)], 0)
            }
            ("sh", ["-c", script, args @ ..]) => return Plain::shell(script, args, line),
            (_unknown, _) => return None,
        };
        Some(Plain { acts, code })
    }

    /// A row of plain commands, with `exit N` and `>&2`.
    fn shell(script: &str, args: &[&str], line: &CommandLine<'_>) -> Option<Plain> {
        let mut all = Plain { acts: Vec::new(), code: 0 };
        for part in script.split([';', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            let (part, to_stderr) = match part.strip_suffix(">&2") {
                Some(part) => (part.trim(), true),
                None => (part, false),
            };
            let words: Vec<String> =
                part.split_whitespace().map(|word| expand(word, args, line.env)).collect();
            if let [word, code] = words.as_slice()
                && word == "exit"
            {
                all.code = code.parse().ok()?;
                return Some(all);
            }
            let one = Plain::of(&CommandLine { argv: &words, ..*line });
            // 127: the shell has found no such command (POSIX, Shell Command Language, 2.8.2).
            let one = one.unwrap_or(Plain {
                acts: vec![Act::Err(format!("sh: {part}: not found\n").into_bytes())],
                code: 127,
            });
            all.code = one.code;
            all.acts.extend(one.acts.into_iter().map(|act| match act {
                Act::Out(bytes) if to_stderr => Act::Err(bytes),
                other => other,
            }));
        }
        Some(all)
    }
}

impl Program for Plain {
    fn step(&mut self, here: &mut Here<'_>) -> Next {
        if self.acts.is_empty() {
            return Next::Exits(self.code);
        }
        match self.acts.remove(0) {
            Act::Out(bytes) => here.print(bytes),
            Act::Err(bytes) => here.write(Stream::Stderr, &bytes),
            Act::Sleep(time) => return Next::After(time),
            Act::Make(file) => {
                if here.write_file(file, "\n").is_err() {
                    self.code = 2;
                }
            }
            Act::Child(acts) => {
                let me = here.machine.process(here.pid).expect("it makes a step");
                let (args, cwd, group) = (me.args.clone(), me.cwd, Some(me.group));
                let program = Box::new(Plain { acts, code: 0 });
                here.machine.spawn(Spawn { args, cwd, group, request: None, parent: None, program });
            }
            Act::Die => return Next::Answers(Ok(Value::Ended(Ended::Signal(9)))),
            Act::Cat(file) if file.is_empty() => {
                let here_is = here.path(".").unwrap_or_default();
                here.print(format!("{}\n", here_is.trim_end_matches('/')));
            }
            Act::Cat(file) => {
                match here
                    .path(&file)
                    .and_then(|path| here.machine.fs.borrow().read(&path).map(<[u8]>::to_vec))
                {
                    Ok(bytes) => here.print(bytes),
                    Err(why) => {
                        here.write(Stream::Stderr, format!("cat: {file}: {why}\n").as_bytes());
                        self.code = 1;
                    }
                }
            }
        }
        Next::Soon
    }
}

fn env(added: &BTreeMap<String, String>) -> Vec<u8> {
    let mut all = BTreeMap::from([("HOME", HOME), ("PATH", "/usr/bin:/bin"), ("USER", "user")]);
    all.extend(added.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    all.into_iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>().into_bytes()
}

/// `%s`, `%%`, `\n`, `\t`, `\\` and `\0`; the format once, as long as there are words for it.
fn printf(format: &str, words: &[&str]) -> Vec<u8> {
    let mut words = words.iter();
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, if matches!(c, '%' | '\\') { chars.next() } else { None }) {
            ('%', Some('s')) => out.push_str(words.next().unwrap_or(&"")),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('0')) => out.push('\0'),
            ('%' | '\\', Some(other)) => out.push(other),
            (plain, _) => out.push(plain),
        }
    }
    out.into_bytes()
}

fn expand(word: &str, args: &[&str], env: &BTreeMap<String, String>) -> String {
    let word = word.trim_matches(['"', '\'']);
    match word.strip_prefix('$') {
        Some("1") => args.get(1).copied().unwrap_or_default().to_owned(),
        Some(name) => env.get(name).cloned().unwrap_or_default(),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(argv: &[&str]) -> Option<Plain> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        Plain::of(&CommandLine { argv: &argv, env: &BTreeMap::new(), stdin: b"" })
    }

    #[test]
    fn a_program_that_is_not_there_is_none() {
        assert!(known(&["no-such-program"]).is_none());
        assert!(known(&[]).is_none());
        assert_eq!(known(&["sh", "-c", "no-such-program"]).unwrap().code, 127);
        assert_eq!(known(&["sh", "-c", "echo a; exit 3; echo b"]).unwrap().code, 3);
    }

    #[test]
    fn printf_knows_what_we_use_of_it() {
        assert_eq!(printf("%s\\n100%%", &["a"]), b"a\n100%");
    }
}
