//! Which process of the system is meant, and what it uses: read from `/proc` (proc_pid_stat(5), proc_pid_status(5)).
//!
//! `/proc` is no disk: reading it does not wait for one, so it may be read on the actor's thread.

use rustix::process::{Pid, RawPid, test_kill_process_group};
use serde::{Deserialize, Serialize};

/// A process of the system, for ever: numbers are given out again, but not with the same start and the same boot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct OsProcess {
    /// Its number, which is also that of its group.
    pub pid: i32,
    /// When it started, in clock ticks since the machine did.
    pub start: u64,
    /// The boot of the machine: the first 64 bits of its id (random(4), boot_id).
    pub boot: u64,
}

/// What a process and its descendants use at this moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Usage {
    /// Bytes that are resident, of all together.
    pub(super) rss: u64,
    /// The most that one of them ever had resident.
    pub(super) peak: u64,
    /// How many there are, without the first.
    pub(super) below: u32,
}

/// More descendants than this are not counted: nobody's limit is higher, and each costs two reads.
const MOST: usize = 10_000;

impl OsProcess {
    /// The process that has this number now.
    pub(super) fn of(pid: Pid, boot: u64) -> Option<OsProcess> {
        let pid = pid.as_raw_nonzero().get();
        Some(OsProcess { pid, start: start(&read(pid, "stat")?)?, boot })
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    /// Whether it is still there: running, or ended and not reaped.
    pub(super) fn is_there(&self, boot: u64) -> bool {
        self.boot == boot && read(self.pid, "stat").and_then(|stat| start(&stat)) == Some(self.start)
    }

    /// Whether it is gone and others of its group are not.
    ///
    /// A number that is the number of a group is not given to a new process. So a group without a process of that number
    /// is the one that was left behind, unless both the number and its next leader have come and gone meanwhile.
    pub(super) fn has_orphans(&self, boot: u64) -> bool {
        self.boot == boot
            && read(self.pid, "stat").is_none()
            && self.pid().is_some_and(|pid| test_kill_process_group(pid).is_ok())
    }

    /// Whether there is still a group of its number: it is not reaped yet (a process that is not our child is reaped whenever
    /// its parent likes), or others are left.
    pub(super) fn has_group(&self, boot: u64) -> bool {
        self.is_there(boot) || self.has_orphans(boot)
    }

    /// Whether one of its group still runs. It looks at every process of the machine: a last resort, for machines (many
    /// containers) whose init reaps nobody, so that the dead keep their group for ever.
    pub(super) fn has_living_orphans(&self) -> bool {
        let Ok(all) = std::fs::read_dir("/proc") else { return false };
        let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RawPid>().ok());
        pids.filter_map(|pid| read(pid, "stat")).any(|stat| lives_in(&stat, self.pid))
    }

    /// What it uses with all its descendants.
    pub(super) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let mut to_visit = vec![self.pid];
        let mut at = 0;
        while let Some(&pid) = to_visit.get(at) {
            at += 1;
            if let Some(status) = read(pid, "status") {
                usage.rss += kibibytes(&status, "VmRSS:") << 10;
                usage.peak = usage.peak.max(kibibytes(&status, "VmHWM:") << 10);
            }
            let children = read(pid, &format!("task/{pid}/children")).unwrap_or_default();
            let room = MOST.saturating_sub(to_visit.len());
            to_visit
                .extend(children.split_whitespace().filter_map(|pid| pid.parse::<RawPid>().ok()).take(room));
        }
        usage.below = u32::try_from(to_visit.len() - 1).unwrap_or(u32::MAX);
        usage
    }
}

/// The boot that this is.
pub(super) fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}

fn read(pid: i32, file: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Field 22 of the line. The second field is a name in parentheses, and may itself hold any of them.
fn start(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Whether this is a process of the group that is no zombie. The fields behind the name: state, parent, group.
fn lives_in(stat: &str, group: RawPid) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    let state = fields.next();
    state != Some("Z") && fields.nth(1).and_then(|group| group.parse().ok()) == Some(group)
}

fn kibibytes(status: &str, field: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name() {
        let rest = "S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 1 1";
        assert_eq!(start(&format!("10 (sh) {rest}")), Some(777));
        assert_eq!(start(&format!("10 (a) b) c ( 1) {rest}")), Some(777));
        assert!(lives_in(&format!("10 (a) b) {rest}"), 10) && !lives_in(&format!("10 (sh) {rest}"), 1));
        assert!(!lives_in("10 (sh) Z 1 10 10", 10) && !lives_in("", 10));
        assert_eq!(start(""), None);
        assert_eq!(start("10 (sh) S 1"), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the child has no runtime that would wait for it")]
    fn a_leader_that_nobody_has_reaped_does_not_hide_its_group() {
        use std::os::unix::process::CommandExt;
        let mut leader = std::process::Command::new("sh");
        leader.args(["-c", "sleep 600 & exec true"]).stdout(std::process::Stdio::null()).process_group(0);
        let mut leader = leader.spawn().unwrap();
        let pid = Pid::from_child(&leader);
        let (os, boot) = (OsProcess::of(pid, boot()).unwrap(), boot());
        while read(os.pid, "stat").is_some_and(|stat| !stat.contains(") Z ")) {
            std::thread::yield_now();
        }
        let (has_group, has_living) = (os.has_group(boot), os.has_living_orphans());
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).unwrap();
        assert!(has_group && has_living, "its child lived, and it was a zombie");
        while os.has_living_orphans() {
            std::thread::yield_now();
        }
        leader.wait().unwrap();
    }

    #[test]
    fn this_process_is_there_and_its_number_alone_is_not_enough() {
        let boot = boot();
        let me = OsProcess::of(rustix::process::getpid(), boot).unwrap();
        assert!(me.is_there(boot));
        assert!(!OsProcess { start: me.start + 1, ..me }.is_there(boot));
        assert!(!me.is_there(boot + 1));
        assert!(me.usage().rss > 100_000 && me.usage().peak > 100_000);
    }
}
