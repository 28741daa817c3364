//! The budget of a host in a folder of this machine.
//!
//! `HOST.opens` holds the times of the sessions that were opened in the last hour, a line each, in milliseconds since 1970.
//! `HOST.session-N` is locked (`flock(2)`) as long as the Nth session lives; the kernel takes the lock back when its owner
//! dies. Nothing ever waits for a lock: if another runtime is just writing, the answer is to come back soon.
//!
//! A claim reads and writes one file of at most [`MOST_BYTES`] and locks at most as many files as there may be sessions. That
//! is some tens of microseconds on a local disk; the folder should not be on a network file system.

use super::{Budget, Later, Seat};
use crate::WallTime;
use crate::pool::Rules;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The window of the cap, in milliseconds: one more than an hour has, because times are cut off to milliseconds.
const HOUR_MS: i64 = 3_600_001;
/// Another runtime is just writing: it takes less than this.
const WRITING: Duration = Duration::from_millis(50);
/// Others have all the sessions there may be: how soon to look again.
const TAKEN: Duration = Duration::from_secs(5);
/// The disk is full, the folder is gone: how soon to try again.
const BROKEN: Duration = Duration::from_secs(60);
/// So much of the file is read: more than four thousand opens an hour.
pub(super) const MOST_BYTES: u64 = 64 << 10;

/// The budget of one host, kept in a folder that all runtimes of a user on this machine share. It dies with its owner.
///
/// ```
/// use procession::WallTime;
/// use procession::pool::{Budget, FileBudget, Rules};
/// # let folder = tempfile::tempdir()?;
/// let rules = Rules { max_sessions: 1, ..Rules::default() };
/// let mut ours = FileBudget::new(folder.path(), "cluster.example.org", &rules);
/// let mut theirs = FileBudget::new(folder.path(), "cluster.example.org", &rules);
///
/// let seat = ours.claim(WallTime(0)).expect("nobody else has one");
/// assert!(theirs.claim(WallTime(0)).is_err());
/// drop(seat);
/// assert!(theirs.claim(WallTime(0)).is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct FileBudget {
    folder: PathBuf,
    host: String,
    max_sessions: u32,
    hourly: usize,
}

impl FileBudget {
    /// The budget of this host. The folder is made when it is needed, for its owner alone. All runtimes that share it should
    /// have the same rules; each keeps its own.
    pub fn new(folder: impl Into<PathBuf>, host: &str, rules: &Rules) -> FileBudget {
        let rules = rules.clone().sound();
        FileBudget {
            folder: folder.into(),
            host: file_name(host),
            max_sessions: rules.max_sessions,
            hourly: usize::try_from(rules.hourly).unwrap_or(usize::MAX),
        }
    }

    fn take(&self, now: WallTime) -> Result<Result<Seat, Later>, io::Error> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut opens = open(&self.folder.join(format!("{}.opens", self.host)))?;
        if !is_locked(&opens)? {
            let why = "another runtime is just connecting".to_owned();
            return Ok(Err(Later { wait: WRITING, why }));
        }
        let mut times = read_times(&mut opens, now)?;
        if times.len() >= self.hourly {
            let next = times[times.len() - self.hourly] + HOUR_MS - now.0;
            let wait = Duration::from_millis(u64::try_from(next).unwrap_or(0)).max(WRITING);
            let why = format!("all runtimes together connected {} times in an hour, the limit", self.hourly);
            return Ok(Err(Later { wait, why }));
        }
        let Some(seat) = self.take_seat()? else {
            let why = format!("other runtimes have all {} sessions", self.max_sessions);
            return Ok(Err(Later { wait: TAKEN, why }));
        };
        times.push(now.0);
        write_times(&mut opens, &times)?;
        Ok(Ok(Seat::new(seat)))
    }

    /// A file that nobody else has locked.
    fn take_seat(&self) -> Result<Option<File>, io::Error> {
        for number in 0..self.max_sessions {
            let file = open(&self.folder.join(format!("{}.session-{number}", self.host)))?;
            if is_locked(&file)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }
}

impl Budget for FileBudget {
    fn claim(&mut self, now: WallTime) -> Result<Seat, Later> {
        // A host that is connected to without count might ban its user, so a budget that cannot be kept allows nothing.
        self.take(now).unwrap_or_else(|why| {
            let why = format!("the budget in {} cannot be kept: {why}", self.folder.display());
            Err(Later { wait: BROKEN, why })
        })
    }
}

/// A name for files: what is no letter, digit, point or dash is written as its number, so that two hosts never share one.
fn file_name(host: &str) -> String {
    let mut name = String::new();
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            other => name.push_str(&format!("_{other:02x}")),
        }
    }
    name
}

fn open(path: &Path) -> io::Result<File> {
    // The standard library opens everything with O_CLOEXEC, so no child inherits the lock.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Locks a file, if nobody else has; it falls back when the file is dropped.
fn is_locked(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(why) => Err(why.into()),
    }
}

/// The times of the last hour, oldest first. A time that is to come was written before the clock was set back: it counts as
/// now, so that it stands in the way for an hour and not for ever. A line that is no number is nothing.
fn read_times(file: &mut File, now: WallTime) -> io::Result<Vec<i64>> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let times = text.lines().filter_map(|line| line.parse::<i64>().ok()).map(|at| at.min(now.0));
    let mut times: Vec<i64> = times.filter(|at| now.0 - at < HOUR_MS).collect();
    times.sort_unstable();
    Ok(times)
}

fn write_times(file: &mut File, times: &[i64]) -> io::Result<()> {
    let text: String = times.iter().map(|at| format!("{at}\n")).collect();
    file.rewind()?;
    // In this order, so that whoever dies in between leaves too many times rather than none.
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(folder: &Path, max_sessions: u32, hourly: u32) -> FileBudget {
        FileBudget::new(folder, "host", &Rules { max_sessions, hourly, ..Rules::default() })
    }

    #[test]
    fn the_cap_of_an_hour_holds_for_all_together() {
        let folder = tempfile::tempdir().unwrap();
        let mut all: Vec<FileBudget> = (0..3).map(|_| budget(folder.path(), 9, 4)).collect();
        for n in 0..4 {
            assert!(all[n % 3].claim(WallTime(1000 * n as i64)).is_ok(), "{n}");
        }
        let later = all[1].claim(WallTime(10_000)).err().expect("four are four");
        assert_eq!(later.wait, Duration::from_millis(HOUR_MS as u64 - 10_000));
        assert!(all[2].claim(WallTime(HOUR_MS - 1)).is_err());
        assert!(all[2].claim(WallTime(HOUR_MS)).is_ok());
        assert!(all[0].claim(WallTime(HOUR_MS)).is_err());
    }

    #[test]
    fn a_seat_falls_back_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ours, mut theirs) = (budget(folder.path(), 2, 60), budget(folder.path(), 2, 60));
        let first = ours.claim(WallTime(0)).ok();
        let second = theirs.claim(WallTime(0)).ok();
        assert!(first.is_some() && second.is_some());
        let later = ours.claim(WallTime(0)).err().expect("both are taken");
        assert_eq!((later.wait, later.why.contains("2 sessions")), (TAKEN, true));
        drop(second);
        assert!(ours.claim(WallTime(0)).is_ok());
    }

    #[test]
    fn somebody_who_writes_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut ours = budget(folder.path(), 2, 60);
        let writing = open(&folder.path().join("host.opens")).unwrap();
        assert!(is_locked(&writing).unwrap());
        assert_eq!(ours.claim(WallTime(0)).err().map(|later| later.wait), Some(WRITING));
        drop(writing);
        assert!(ours.claim(WallTime(0)).is_ok());
    }

    #[test]
    fn a_clock_that_was_set_back_stands_in_the_way_for_an_hour_at_most() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("host.opens"), "99999999999999\nrubbish\n\n-5\n").unwrap();
        let mut ours = budget(folder.path(), 2, 2);
        assert!(ours.claim(WallTime(HOUR_MS)).is_ok());
        assert!(ours.claim(WallTime(HOUR_MS + 1)).is_err());
        assert!(ours.claim(WallTime(2 * HOUR_MS)).is_ok());
    }

    #[test]
    fn what_cannot_be_kept_allows_nothing_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let later = budget(&file, 2, 2).claim(WallTime(0)).err().expect("a file is no folder");
        assert!(later.why.contains("cannot be kept") && later.wait == BROKEN, "{later}");
    }

    #[test]
    fn no_two_hosts_share_a_file() {
        let names = ["a.b", "a_b", "a/b", "..", ".a", "ä", "a:22"].map(file_name);
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert!(names.iter().all(|name| !name.contains('/') && !name.starts_with('.')), "{names:?}");
    }
}
