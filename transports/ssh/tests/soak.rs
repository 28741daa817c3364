//! Everything at once, where a session that is driven wrongly stalls for ever: a small send buffer, a server that changes its
//! keys all the time, and many streams both ways.
#![cfg_attr(not(feature = "multi-runtime"), expect(clippy::disallowed_methods, reason = "a test measures"))]
// What is measured needs a process of its own, which each test has with the default features.
#![cfg(not(feature = "multi-runtime"))]

mod place;

use place::{Place, Sshd, path};
use procession::pool::Rules;
use procession::transport::{Chunk, Ended, Exec, Get, Op, Put, Stream, Want};
use procession_ssh::{Config, Patience};
use stakker::Fwd;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// In bytes.
const UP: usize = 512 << 10;
const DOWN: usize = 1 << 20;
/// The first file of the tree, in bytes; the others are ends of it.
const TREE: usize = 256 << 10;
const TREE_FILES: usize = 8;

/// Whether a tree goes each way beside the commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trees {
    Both,
    None,
}

fn bytes(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn round(place: &mut Place, work: &Path, seed: u32, trees: Trees) {
    // What is to be sent as a tree, and where one comes to; a new one of each for every round.
    let here = tempfile::tempdir().unwrap();
    let (there, back) = (here.path().join("there"), here.path().join("back"));
    std::fs::create_dir(&there).unwrap();
    let mut ups = Vec::new();
    for at in 0..5 {
        let stdin = bytes(seed + at, UP);
        let sum = blake3::hash(&stdin).to_string();
        let file = format!("up{at}");
        let exec = Exec { stdin, ..Exec::new(["sh", "-c", &format!("cat > {file} && cat {file}")]) };
        let exec = Exec { keep: UP, ..exec };
        ups.push((sum, place.begin(|ret| Op::Exec(exec, ret))));
    }
    let mut downs = Vec::new();
    for at in 0..3 {
        let heard = Rc::new(RefCell::new(Vec::with_capacity(DOWN)));
        let sink = heard.clone();
        let stream = Some(Fwd::new(move |chunk: Chunk| {
            assert_eq!(chunk.stream, Stream::Stdout);
            sink.borrow_mut().extend_from_slice(&chunk.bytes);
        }));
        let exec = Exec { stream, keep: 0, ..Exec::new(["cat", &format!("down{at}")]) };
        downs.push((at, heard, place.begin(|ret| Op::Exec(exec, ret))));
    }
    let tree = bytes(seed + 100, TREE);
    for at in 0..TREE_FILES {
        std::fs::write(there.join(at.to_string()), &tree[at * TREE / TREE_FILES..]).unwrap();
    }
    let has_trees = trees == Trees::Both;
    let put =
        has_trees.then(|| place.begin(|ret| Op::Put(Put::new(&there, path(&format!("tree{seed}"))), ret)));
    let all = vec![Want::required("down*".parse().unwrap())];
    let get = has_trees.then(|| place.begin(|ret| Op::Get(Get::new(path("."), all, &back), ret)));
    for (sum, slot) in ups {
        let exit = place.wait(&slot).unwrap();
        assert_eq!(exit.how, Ended::Code(0));
        assert_eq!(blake3::hash(&exit.stdout).to_string(), sum);
    }
    for (at, heard, slot) in downs {
        let exit = place.wait(&slot).unwrap();
        assert_eq!((exit.how, exit.total[0]), (Ended::Code(0), DOWN as u64));
        assert_eq!(blake3::hash(&heard.borrow()), blake3::hash(&bytes(1000 + at, DOWN)));
    }
    let (Some(put), Some(get)) = (put, get) else { return };
    place.wait(&put).unwrap();
    for at in 0..TREE_FILES {
        let arrived = std::fs::read(work.join(format!("tree{seed}/{at}"))).unwrap();
        assert_eq!(blake3::hash(&arrived), blake3::hash(&tree[at * TREE / TREE_FILES..]));
    }
    place.wait(&get).unwrap();
    for at in 0..3 {
        let came = std::fs::read(back.join(format!("down{at}"))).unwrap();
        assert_eq!(blake3::hash(&came), blake3::hash(&bytes(1000 + at, DOWN)));
    }
}

/// The longest turn, in processor time, of all rounds but one in ten: a machine may be lent to somebody else for a while, whose
/// time is then counted as ours.
fn soak(extra: &str, buffer: Option<usize>, rounds: u32, trees: Trees) -> Duration {
    let sshd = Sshd::start(extra);
    let work = sshd.work();
    for at in 0..3 {
        std::fs::write(work.join(format!("down{at}")), bytes(1000 + at, DOWN)).unwrap();
    }
    let config = Config { send_buffer: buffer, patience: Patience::default(), ..sshd.config() };
    let rules = Rules { max_sessions: 1, ..config.rules.clone() };
    let mut place = Place::new(Config { rules, ..config });
    let mut longest = Vec::new();
    for at in 0..rounds {
        place.longest = Duration::ZERO;
        round(&mut place, &work, at * 10, trees);
        println!("round {at}: a turn took {:?} at most", place.longest);
        longest.push(place.longest);
    }
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "it was one session all the time");
    longest.sort();
    longest[(longest.len() - 1) * 9 / 10]
}

#[test]
fn ten_of_ten_rounds_pass_with_a_small_buffer_and_new_keys_every_64_kib() {
    let longest = soak("RekeyLimit 64K", Some(4 << 10), 10, Trees::Both);
    println!("the longest turn took {longest:?} of processor time");
    assert!(longest <= Duration::from_millis(5), "{longest:?}");
}

#[test]
fn no_turn_is_long_at_full_speed() {
    let longest = soak("", None, 20, Trees::None);
    println!("the longest turn took {longest:?} of processor time");
    assert!(longest <= Duration::from_millis(5), "{longest:?}");
}

#[test]
fn a_server_that_wants_signs_of_life_gets_them() {
    let sshd = Sshd::start("ClientAliveInterval 1\nClientAliveCountMax 2");
    let mut place = Place::new(sshd.config());
    place.run(Exec::new(["true"])).unwrap();
    let until = Instant::now() + Duration::from_secs(6);
    place.run_until(|| Instant::now() > until);
    place.run(Exec::new(["true"])).unwrap();
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "{}", sshd.log());
}

#[test]
fn commands_in_a_row() {
    let sshd = Sshd::start("");
    let mut place = Place::new(sshd.config());
    place.run(Exec::new(["true"])).unwrap();
    for (count, at_once) in [(100, 1), (400, 8)] {
        let before = Instant::now();
        let mut waiting = std::collections::VecDeque::new();
        for _ in 0..count {
            waiting.push_back(place.begin(|ret| Op::Exec(Exec::new(["true"]), ret)));
            if waiting.len() == at_once {
                let slot = waiting.pop_front().unwrap();
                assert_eq!(place.wait(&slot).unwrap().how, Ended::Code(0));
            }
        }
        for slot in waiting {
            place.wait(&slot).unwrap();
        }
        println!("{at_once} at once: {:.0}/s", f64::from(count) / before.elapsed().as_secs_f64());
    }
}
