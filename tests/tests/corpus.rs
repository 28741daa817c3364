//! The corpus of the fuzzers as ordinary tests, and a short, repeatable walk around it.

use procession_tests::fuzz::{TARGETS, Target};
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// How many changed inputs each target is given, from one seed. The long search is cargo-fuzz's.
const CHANGED: usize = 5_000;
const SEED: u64 = 0x5eed;

#[test]
fn what_once_broke_a_parser_breaks_it_no_more() {
    for &(name, target) in TARGETS {
        for (file, input) in corpus(name) {
            run(target, &input, &file.display().to_string());
        }
    }
}

#[test]
fn no_small_change_of_the_corpus_breaks_a_parser() {
    for &(name, target) in TARGETS {
        let corpus = corpus(name);
        let mut rng = fastrand::Rng::with_seed(SEED);
        for nth in 0..CHANGED {
            let (_, input) = &corpus[rng.usize(..corpus.len())];
            let (_, other) = &corpus[rng.usize(..corpus.len())];
            run(target, &changed(input, other, &mut rng), &format!("{name}, change {nth} of seed {SEED:#x}"));
        }
    }
}

#[test]
fn every_target_has_a_fuzzer_and_a_corpus() {
    for &(name, _) in TARGETS {
        assert!(
            corpus(name).len() >= 3,
            "{name}: a corpus has something good, something bad and something cut off"
        );
        let fuzzer = root().join(format!("fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(&fuzzer).unwrap_or_else(|e| panic!("{}: {e}", fuzzer.display()));
        assert!(text.contains(&format!("fuzz::{name}(")));
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("corpus").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    files.sort();
    files.into_iter().map(|f| (f.clone(), fs::read(&f).expect("a file of the corpus can be read"))).collect()
}

fn run(target: Target, input: &[u8], whence: &str) {
    if catch_unwind(|| target(input)).is_err() {
        panic!("{whence} broke the parser with\n{}", String::from_utf8_lossy(input));
    }
}

/// Cut off, spliced, with a byte that is different, gone, or there twice.
fn changed(input: &[u8], other: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => bytes.insert(at, *rng.choice(br#"-0179{}[]"'=.,#\ "#).expect("there are some")),
            3 => drop(bytes.splice(at.., other[rng.usize(..=other.len())..].iter().copied())),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            _ => bytes.extend_from_slice(other),
        }
    }
    bytes
}
