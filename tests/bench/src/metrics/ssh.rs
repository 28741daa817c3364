//! Hosts behind ssh: beside the tools of OpenSSH, with the same server, in the same run.

use super::Plan;
use crate::ours::remote::Remote;
use crate::peers::openssh::Master;
use crate::peers::slow_line::slow_line;
use crate::race::{Lane, Lap, Pace, race};
use crate::report::{Limit, Row};
use procession_tests::services::Sshd;
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Commands in a lap of eight at once; one by one a quarter of it is enough.
const COMMANDS: u64 = 400;
/// A large file, in bytes.
const LARGE: usize = 256 << 20;
/// Small files: so many folders with so many files of so many bytes.
const SMALL: (usize, usize, usize) = (50, 40, 4096);
/// A round of transfers is long, and each moves a quarter of a GiB or thousands of files.
const MOST_ROUNDS: usize = 5;

/// A server, the tools of OpenSSH connected to it, and ourselves.
struct Beside {
    ours: RefCell<Remote>,
    theirs: Master,
    folder: TempDir,
    laps: Cell<u32>,
    _sshd: Sshd,
}

impl Beside {
    fn new() -> Beside {
        Beside::on_a_line(None)
    }

    /// With so much of a delay in each direction.
    fn on_a_line(delay: Option<Duration>) -> Beside {
        let sshd = Sshd::start();
        let folder = TempDir::new().expect("a folder for temporary files");
        let port = delay.map_or(sshd.port(), |delay| slow_line(sshd.port(), delay));
        let config = match delay {
            None => sshd.ssh_config(),
            // Its key is known under the port of the server itself.
            Some(_) => {
                let alias = format!("HostKeyAlias [127.0.0.1]:{}", sshd.port());
                sshd.ssh_config_as("slow", &[&format!("Port {port}"), &alias])
            }
        };
        let alias = if delay.is_some() { "slow" } else { "box" };
        let ours = RefCell::new(Remote::over_ssh(&config, alias, folder.path()));
        let theirs = Master::connect(&sshd, &config, alias);
        Beside { ours, theirs, folder, laps: Cell::new(0), _sshd: sshd }
    }

    /// A path where nothing is, on the disk that both sides share.
    fn fresh(&self) -> PathBuf {
        self.laps.set(self.laps.get() + 1);
        self.folder.path().join(format!("lap-{}", self.laps.get()))
    }

    /// A lap that moves a large file, which is removed again outside of the time.
    fn moves_large<'a>(&'a self, name: &'static str, work: impl Fn(&Path) + 'a) -> Lane<'a> {
        Lane::new(name, move || {
            let to = self.fresh();
            let lap = Lap::of(LARGE as u64, || work(&to));
            let gone = if to.is_dir() { std::fs::remove_dir_all(&to) } else { std::fs::remove_file(&to) };
            gone.expect("what was moved is there");
            lap
        })
    }

    /// A lap that moves small files, which stay until all is measured: for some minutes ext4 passes over the inodes of files
    /// that were removed, one by one, whenever it makes another (`recently_deleted` in `fs/ext4/ialloc.c`), so whoever runs
    /// next would make files ten times as slowly as on any other day.
    fn moves_small<'a>(&'a self, name: &'static str, work: impl Fn(&Path) + 'a) -> Lane<'a> {
        let (folders, files, _) = SMALL;
        Lane::new(name, move || {
            let to = self.fresh();
            Lap::of((folders * files) as u64, || work(&to))
        })
    }
}

/// Brief commands a second, eight at once on one session; beside them a program that is no word of the shell, and commands with a
/// login each.
pub fn exec_8(plan: &Plan) -> Row {
    let beside = Beside::new();
    let ours = |name, program, brief, n| {
        let beside = &beside;
        Lane::new(name, move || Lap::of(n, || beside.ours.borrow_mut().run(program, brief, n, 8)))
    };
    let mut lanes = [
        ours("ours", "true", true, COMMANDS * 8),
        ours("ours_program", "/bin/true", true, COMMANDS),
        ours("ours_login_each", "true", false, COMMANDS),
        Lane::new("control_master", || Lap::of(COMMANDS / 4, || beside.theirs.run_true(COMMANDS / 4))),
        Lane::new("xargs_p8", || Lap::of(COMMANDS / 4, || beside.theirs.run_true_by_xargs(COMMANDS / 4))),
    ];
    let paces = race(plan.rounds.min(MOST_ROUNDS), &mut lanes);
    let limits = [Limit::LeastOf(4.5, "control_master"), Limit::LeastOf(3.0, "xargs_p8")];
    a_second("exec_8", "1/s", 1.0, &paces, &limits)
}

/// A file of 256 MiB, there.
pub fn upload_256m(plan: &Plan) -> Row {
    let beside = Beside::new();
    let file = large(beside.folder.path());
    let mut lanes = [
        beside.moves_large("ours", |to| {
            beside.ours.borrow_mut().put(&file, to);
        }),
        beside.moves_large("scp", |to| beside.theirs.send_by_scp(&file, to)),
    ];
    let paces = race(plan.rounds.min(MOST_ROUNDS), &mut lanes);
    a_second("upload_256M", "MiB/s", MIB, &paces, &[Limit::LeastOf(0.9, "scp")])
}

/// A file of 256 MiB, and back.
pub fn download_256m(plan: &Plan) -> Row {
    let beside = Beside::new();
    let there = beside.folder.path().join("there");
    std::fs::create_dir(&there).expect("a folder");
    let file = large(&there);
    let mut lanes = [
        beside.moves_large("ours", |to| {
            beside.ours.borrow_mut().get(&there, to);
        }),
        beside.moves_large("scp", |to| beside.theirs.fetch_by_scp(&file, to)),
    ];
    let paces = race(plan.rounds.min(MOST_ROUNDS), &mut lanes);
    a_second("download_256M", "MiB/s", MIB, &paces, &[Limit::LeastOf(0.9, "scp")])
}

/// 2,000 files of 4 KiB in 50 folders, there.
pub fn small_files_2000(plan: &Plan) -> Row {
    let limits = [Limit::LeastOf(0.7, "tar"), Limit::LeastOf(1.2, "rsync")];
    small_files("small_files_2000", plan, Beside::new(), &limits)
}

/// The same on a line with a round trip of 10 ms.
pub fn small_files_2000_10ms(plan: &Plan) -> Row {
    let beside = Beside::on_a_line(Some(Duration::from_millis(5)));
    small_files("small_files_2000_10ms", plan, beside, &[Limit::LeastOf(0.6, "tar")])
}

fn small_files(name: &'static str, plan: &Plan, beside: Beside, limits: &[Limit]) -> Row {
    let tree = small(beside.folder.path());
    let mut lanes = [
        beside.moves_small("ours", |to| {
            beside.ours.borrow_mut().put(&tree, to);
        }),
        beside.moves_small("tar", |to| beside.theirs.send_by_tar(&tree, to)),
        beside.moves_small("rsync", |to| beside.theirs.send_by_rsync(&tree, to)),
    ];
    let paces = race(plan.rounds.min(MOST_ROUNDS), &mut lanes);
    drop(lanes);
    plan.later.borrow_mut().push(beside.folder);
    a_second(name, "files/s", 1.0, &paces, limits)
}

const MIB: f64 = (1 << 20) as f64;

/// A row of rates: units a second, in portions of `portion`.
fn a_second(
    metric: &'static str,
    unit: &'static str,
    portion: f64,
    paces: &[(&'static str, Pace)],
    limits: &[Limit],
) -> Row {
    let mut rates = paces.iter().map(|(name, pace)| (*name, 1e9 / pace.least / portion));
    let ours = rates.next().map(|(_, rate)| rate);
    Row::new(metric, unit, ours, rates, limits)
}

fn large(folder: &Path) -> PathBuf {
    let path = folder.join("large");
    std::fs::write(&path, noise(LARGE)).expect("there is room for a quarter of a GiB");
    path
}

fn small(folder: &Path) -> PathBuf {
    let (folders, files, bytes) = SMALL;
    let tree = folder.join("small");
    let noise = noise(bytes);
    for dir in 0..folders {
        let dir = tree.join(format!("dir-{dir}"));
        std::fs::create_dir_all(&dir).expect("a folder");
        for file in 0..files {
            std::fs::write(dir.join(format!("file-{file}")), &noise).expect("a file");
        }
    }
    tree
}

/// Bytes that cannot be compressed: xorshift64 (Marsaglia, 2003).
fn noise(count: usize) -> Vec<u8> {
    let mut x = 88_172_645_463_325_252_u64;
    let mut words = std::iter::repeat_with(move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()
    });
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend_from_slice(&words.next().expect("it goes on for ever"));
    }
    bytes.truncate(count);
    bytes
}
