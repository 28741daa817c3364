//! Files and trees, there and back.

use super::{Harness, ask, begin, mkdir, path, read, suite, write};
use procession::transport::{
    Cancel, Content, Digest, Get, Manifest, Op, Progress, Put, RemotePath, TransportError, Want,
};
use stakker::Fwd;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::rc::Rc;

suite![
    a_file_arrives_whole,
    a_tree_arrives_with_its_manifest,
    a_tree_goes_there_and_back_the_same,
    what_is_there_already_stays_as_it_is,
    a_thousand_files_arrive,
    what_is_not_there_cannot_be_sent,
    globs_choose_what_is_fetched,
    a_required_pattern_without_a_file_is_named,
    the_cap_of_a_pattern_is_kept,
    a_link_that_leads_out_is_refused,
    a_fetched_tree_stays_in_its_folder,
    a_cancelled_transfer_leaves_nothing_half_written,
    progress_comes_to_its_end,
];

/// Why what the suite itself does does not fail.
const OURS: &str = "this machine lets the suite work in its own folders";

fn put(harness: &mut dyn Harness, from: &Path, to: &str) -> Result<Manifest, TransportError> {
    ask(harness, |ret| Op::Put(Put::new(from, path(to)), ret))
}

fn get(harness: &mut dyn Harness, from: &str, want: &[Want], to: &Path) -> Result<Manifest, TransportError> {
    ask(harness, |ret| Op::Get(Get::new(path(from), want.to_vec(), to), ret))
}

fn required(pattern: &str) -> Want {
    Want::required(pattern.parse().expect("a pattern of the suite is valid"))
}

fn optional(pattern: &str) -> Want {
    Want::optional(pattern.parse().expect("a pattern of the suite is valid"))
}

fn paths(manifest: &Manifest) -> Vec<&str> {
    manifest.entries().map(|entry| entry.path.as_str()).collect()
}

fn content(bytes: &[u8]) -> Content {
    Content::File { size: bytes.len() as u64, digest: Digest::of(bytes) }
}

/// Names of all files of a directory of this machine, hidden ones too.
fn left_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("it is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it is read").file_name().into_string().expect("it is text"))
        .collect();
    names.sort();
    names
}

fn sandbox(dir: &Path) {
    fs::create_dir_all(dir.join("in/deep")).expect(OURS);
    fs::write(dir.join("in/a b"), "spaces").expect(OURS);
    fs::write(dir.join("in/new\nline"), "lines").expect(OURS);
    fs::write(dir.join("in/deep/naïve 🦀"), vec![9; 300_000]).expect(OURS);
    fs::write(dir.join("empty"), "").expect(OURS);
    fs::write(dir.join("run.sh"), "#!/bin/sh\n").expect(OURS);
    fs::set_permissions(dir.join("run.sh"), fs::Permissions::from_mode(0o755)).expect(OURS);
    fs::set_permissions(dir.join("empty"), fs::Permissions::from_mode(0o444)).expect(OURS);
    symlink("in/a b", dir.join("link")).expect(OURS);
}

fn a_file_arrives_whole(harness: &mut dyn Harness) {
    let dir = harness.local_dir();
    fs::write(dir.join("file"), "text").expect(OURS);
    let manifest = put(harness, &dir.join("file"), "made/on the way/file").expect("it arrives");
    assert_eq!(paths(&manifest), ["."]);
    assert_eq!(manifest.at(&RemotePath::here()).expect(OURS).content, content(b"text"));
    assert_eq!(read(harness, "made/on the way/file").expect("it is there"), b"text");
}

fn a_tree_arrives_with_its_manifest(harness: &mut dyn Harness) {
    let dir = harness.local_dir();
    sandbox(&dir);
    let manifest = put(harness, &dir, "tree").expect("it arrives");
    let all = ["empty", "in", "in/a b", "in/deep", "in/deep/naïve 🦀", "in/new\nline", "link", "run.sh"];
    assert_eq!(paths(&manifest), all);
    let at = |text: &str| manifest.at(&path(text)).expect(OURS);
    assert_eq!(at("in/new\nline").content, content(b"lines"));
    assert_eq!(at("empty").content, content(b""));
    assert_eq!(at("in").content, Content::Dir);
    assert_eq!(at("link").content, Content::Link { target: "in/a b".into() });
    assert_eq!((at("run.sh").mode, at("empty").mode), (0o755, 0o444));
    assert_eq!(read(harness, "tree/link").expect("the link leads there"), b"spaces");
}

fn a_tree_goes_there_and_back_the_same(harness: &mut dyn Harness) {
    let (dir, back) = (harness.local_dir(), harness.local_dir());
    sandbox(&dir);
    let sent = put(harness, &dir, "tree").expect("it arrives");
    let fetched = get(harness, "tree", &[required("**")], &back.join("new")).expect("it comes back");
    let mut expected = Manifest::default();
    for entry in sent.entries().filter(|entry| entry.content != Content::Dir) {
        expected.insert(entry.clone()).expect(OURS);
    }
    assert_eq!(expected.diff(&fetched), []);
    assert_eq!(fs::read(back.join("new/in/deep/naïve 🦀")).expect(OURS), vec![9; 300_000]);
    assert_eq!(fs::read_link(back.join("new/link")).expect(OURS), Path::new("in/a b"));
}

fn what_is_there_already_stays_as_it_is(harness: &mut dyn Harness) {
    let dir = harness.local_dir();
    sandbox(&dir);
    let first = put(harness, &dir, "tree").expect("it arrives");
    write(harness, "tree/extra", b"stays");
    let before = ask(harness, |ret| Op::Stat(path("tree/run.sh"), ret)).expect("it is there");
    assert_eq!(put(harness, &dir, "tree").expect("it is there").diff(&first), []);
    assert_eq!(ask(harness, |ret| Op::Stat(path("tree/run.sh"), ret)).expect("it is there"), before);
    // The same size is not enough.
    fs::write(dir.join("in/a b"), "SPACES").expect(OURS);
    put(harness, &dir, "tree").expect("it arrives");
    assert_eq!(read(harness, "tree/in/a b").expect("it is there"), b"SPACES");
    assert_eq!(read(harness, "tree/extra").expect("it is there"), b"stays");
}

fn a_thousand_files_arrive(harness: &mut dyn Harness) {
    let (dir, back) = (harness.local_dir(), harness.local_dir());
    for at in 0..1000 {
        fs::write(dir.join(format!("file {at:04}")), format!("{at}")).expect(OURS);
    }
    assert_eq!(put(harness, &dir, "many").expect("they arrive").len(), 1000);
    assert_eq!(ask(harness, |ret| Op::List(path("many"), ret)).expect("they are listed").len(), 1000);
    let fetched = get(harness, "many", &[required("file 09*")], &back).expect("they come back");
    assert_eq!((fetched.len(), left_in(&back).len()), (100, 100));
}

fn what_is_not_there_cannot_be_sent(harness: &mut dyn Harness) {
    let dir = harness.local_dir();
    let missing = put(harness, &dir.join("none"), "none");
    assert!(matches!(missing, Err(TransportError::NotFound(_))), "{missing:?}");
    let missing = get(harness, "none", &[optional("**")], &dir);
    assert!(matches!(missing, Err(TransportError::NotFound(_))), "{missing:?}");
}

fn results(harness: &mut dyn Harness) {
    mkdir(harness, "job/out/deep");
    for (name, bytes) in [
        ("log", &b"log"[..]),
        ("out/a.txt", b"a"),
        ("out/b.txt", b"bb"),
        ("out/deep/c.txt", b"ccc"),
        ("out/.d", b""),
    ] {
        write(harness, &format!("job/{name}"), bytes);
    }
}

fn globs_choose_what_is_fetched(harness: &mut dyn Harness) {
    results(harness);
    for (wants, expected) in [
        (vec![required("out/*.txt")], &["out/a.txt", "out/b.txt"][..]),
        (vec![required("out/**/*.txt"), optional("nothing")], &["out/a.txt", "out/b.txt", "out/deep/c.txt"]),
        (vec![required("log"), optional("{log,out/.d}")], &["log", "out/.d"]),
        (vec![optional("*.txt")], &[]),
        (vec![], &[]),
    ] {
        let dir = harness.local_dir();
        let fetched = get(harness, "job", &wants, &dir).expect("it is fetched");
        assert_eq!(paths(&fetched), expected);
        for name in expected {
            assert!(dir.join(name).is_file(), "{name}");
        }
    }
}

fn a_required_pattern_without_a_file_is_named(harness: &mut dyn Harness) {
    results(harness);
    let dir = harness.local_dir();
    let missing = get(harness, "job", &[required("log"), required("out/*.dat")], &dir);
    assert_eq!(missing, Err(TransportError::NotFound("out/*.dat".into())));
    assert_eq!(left_in(&dir), [""; 0]);
}

fn the_cap_of_a_pattern_is_kept(harness: &mut dyn Harness) {
    results(harness);
    let dir = harness.local_dir();
    let capped = |limit| [Want { limit, ..required("out/*.txt") }];
    assert_eq!(
        get(harness, "job", &capped(2), &dir),
        Err(TransportError::TooLarge { path: "out/*.txt".into(), limit: 2 })
    );
    assert_eq!(left_in(&dir), [""; 0]);
    assert_eq!(get(harness, "job", &capped(3), &dir).expect("it fits").bytes(), 3);
}

fn a_link_that_leads_out_is_refused(harness: &mut dyn Harness) {
    results(harness);
    for (at, target) in ["../log", "/etc/passwd", "out/../../log"].into_iter().enumerate() {
        let link = path(&format!("job/link{at}"));
        ask(harness, |ret| Op::Symlink { target: target.into(), link, ret }).expect("a link is made");
        let dir = harness.local_dir();
        let refused = get(harness, "job", &[required(&format!("link{at}"))], &dir);
        assert!(matches!(refused, Err(TransportError::Refused(_))), "{refused:?}");
        assert_eq!(left_in(&dir), [""; 0]);

        let dir = harness.local_dir();
        symlink(target, dir.join("link")).expect(OURS);
        let refused = put(harness, &dir, "there");
        assert!(matches!(refused, Err(TransportError::Refused(_))), "{refused:?}");
    }
    let dir = harness.local_dir();
    assert_eq!(get(harness, "job", &[required("log")], &dir).expect("others are fetched").len(), 1);
}

fn a_fetched_tree_stays_in_its_folder(harness: &mut dyn Harness) {
    results(harness);
    let (dir, outside) = (harness.local_dir(), harness.local_dir());
    symlink(&outside, dir.join("out")).expect(OURS);
    let led_astray = get(harness, "job", &[required("out/*.txt")], &dir);
    assert!(matches!(led_astray, Err(TransportError::Exists(_))), "{led_astray:?}");
    assert_eq!(left_in(&outside), [""; 0]);
}

fn a_cancelled_transfer_leaves_nothing_half_written(harness: &mut dyn Harness) {
    let (dir, back) = (harness.local_dir(), harness.local_dir());
    fs::write(dir.join("large"), vec![5; 32 << 20]).expect(OURS);
    let (guard, token) = Cancel::pair();
    let begun =
        begin(harness, |ret| Op::Put(Put { cancel: Some(token), ..Put::new(&dir, path("tree")) }, ret));
    drop(guard);
    assert_eq!(begun.wait(harness), Err(TransportError::Cancelled));
    let left = ask(harness, |ret| Op::List(path("."), ret)).expect("it is listed");
    for dir in left {
        assert_eq!(ask(harness, |ret| Op::List(path(&dir.name), ret)), Ok(vec![]));
    }

    put(harness, &dir, "tree").expect("it arrives the second time");
    let (guard, token) = Cancel::pair();
    let fetch = Get { cancel: Some(token), ..Get::new(path("tree"), vec![required("**")], &back) };
    let begun = begin(harness, |ret| Op::Get(fetch, ret));
    drop(guard);
    assert_eq!(begun.wait(harness), Err(TransportError::Cancelled));
    assert_eq!(left_in(&back), [""; 0]);
}

fn progress_comes_to_its_end(harness: &mut dyn Harness) {
    let dir = harness.local_dir();
    sandbox(&dir);
    let seen: Rc<RefCell<Vec<Progress>>> = Rc::default();
    let sink = seen.clone();
    let progress = Some(Fwd::new(move |progress| sink.borrow_mut().push(progress)));
    let sent = ask(harness, |ret| Op::Put(Put { progress, ..Put::new(&dir, path("tree")) }, ret));
    let bytes = sent.expect("it arrives").bytes();
    assert!(seen.borrow().is_sorted_by_key(|progress| progress.bytes));
    let last = *seen.borrow().last().expect("there is at least one report");
    assert_eq!(last, Progress { bytes, total: bytes, files: 6 });
}
