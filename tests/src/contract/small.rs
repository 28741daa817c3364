//! Small files, directories, links.

use super::{Harness, ask, mkdir, path, read, suite, write};
use procession::transport::{FileKind, Op, Stat, TransportError};

suite![
    a_host_that_can_be_asked_says_so,
    what_is_written_is_read,
    a_write_replaces_whole_and_leaves_nothing_beside,
    a_file_that_is_too_large_is_not_read,
    what_is_not_there_is_not_found,
    a_directory_is_made_once,
    a_rename_replaces,
    removing_says_whether_there_was_something,
    a_full_directory_is_removed_only_as_a_tree,
    a_link_is_told_from_its_target,
    permissions_are_set,
    a_listing_is_sorted_and_knows_kinds,
    any_name_can_be_written_listed_and_removed,
];

fn stat(harness: &mut dyn Harness, at: &str) -> Result<Stat, TransportError> {
    ask(harness, |ret| Op::Stat(path(at), ret))
}

fn names(harness: &mut dyn Harness, at: &str) -> Vec<String> {
    let listed = ask(harness, |ret| Op::List(path(at), ret)).expect("a directory can be listed");
    listed.into_iter().map(|stat| stat.name).collect()
}

fn remove(harness: &mut dyn Harness, at: &str, tree: bool) -> Result<bool, TransportError> {
    ask(harness, |ret| Op::Remove { path: path(at), tree, ret })
}

fn is_not_found<T: std::fmt::Debug>(result: Result<T, TransportError>) {
    assert!(matches!(result, Err(TransportError::NotFound(_))), "{result:?}");
}

fn exists<T: std::fmt::Debug>(result: Result<T, TransportError>) {
    assert!(matches!(result, Err(TransportError::Exists(_))), "{result:?}");
}

fn a_host_that_can_be_asked_says_so(harness: &mut dyn Harness) {
    ask(harness, Op::WhenUp).expect("it is up");
}

fn what_is_written_is_read(harness: &mut dyn Harness) {
    for bytes in [&b""[..], b"x", &[0, 255, b'\n', 0], &[7; 100_000]] {
        write(harness, "file", bytes);
        assert_eq!(read(harness, "file").expect("it is there"), bytes);
        assert_eq!(stat(harness, "file").expect("it is there").size, bytes.len() as u64);
    }
}

fn a_write_replaces_whole_and_leaves_nothing_beside(harness: &mut dyn Harness) {
    write(harness, "file", b"a long first text");
    write(harness, "file", b"short");
    assert_eq!(read(harness, "file").expect("it is there"), b"short");
    assert_eq!(names(harness, "."), ["file"]);
    let into_nothing = |ret| Op::Write { path: path("no/file"), bytes: vec![], mode: 0o644, ret };
    is_not_found(ask(harness, into_nothing));
    assert_eq!(names(harness, "."), ["file"]);
}

fn a_file_that_is_too_large_is_not_read(harness: &mut dyn Harness) {
    write(harness, "file", b"12345");
    assert_eq!(
        ask(harness, |ret| Op::Read { path: path("file"), limit: 5, ret }).expect("it fits"),
        b"12345"
    );
    let cut = ask(harness, |ret| Op::Read { path: path("file"), limit: 4, ret });
    assert!(matches!(cut, Err(TransportError::TooLarge { limit: 4, .. })), "{cut:?}");
}

fn what_is_not_there_is_not_found(harness: &mut dyn Harness) {
    write(harness, "file", b"");
    is_not_found(read(harness, "none"));
    is_not_found(stat(harness, "none"));
    is_not_found(stat(harness, "file/below"));
    is_not_found(ask(harness, |ret| Op::List(path("none"), ret)));
    is_not_found(ask(harness, |ret| Op::Rename { from: path("none"), to: path("other"), ret }));
    is_not_found(ask(harness, |ret| Op::Chmod { path: path("none"), mode: 0o600, ret }));
    is_not_found(ask(harness, |ret| Op::Mkdir { path: path("none/deep"), parents: false, ret }));
}

fn a_directory_is_made_once(harness: &mut dyn Harness) {
    let make = |parents| move |ret| Op::Mkdir { path: path("fence"), parents, ret };
    assert_eq!(ask(harness, make(false)), Ok(()));
    exists(ask(harness, make(false)));
    assert_eq!(ask(harness, make(true)), Ok(()));
    mkdir(harness, "a/b/c");
    assert_eq!(stat(harness, "a/b/c").expect("it is there").kind, FileKind::Dir);
    write(harness, "file", b"");
    exists(ask(harness, |ret| Op::Mkdir { path: path("file"), parents: false, ret }));
}

fn a_rename_replaces(harness: &mut dyn Harness) {
    write(harness, "new", b"new");
    write(harness, "old", b"old");
    assert_eq!(ask(harness, |ret| Op::Rename { from: path("new"), to: path("old"), ret }), Ok(()));
    assert_eq!(read(harness, "old").expect("it is there"), b"new");
    assert_eq!(names(harness, "."), ["old"]);
    mkdir(harness, "dir/sub");
    assert_eq!(ask(harness, |ret| Op::Rename { from: path("dir"), to: path("moved"), ret }), Ok(()));
    assert_eq!(names(harness, "moved"), ["sub"]);
}

fn removing_says_whether_there_was_something(harness: &mut dyn Harness) {
    write(harness, "file", b"");
    assert_eq!(remove(harness, "file", false), Ok(true));
    assert_eq!(remove(harness, "file", false), Ok(false));
    assert_eq!(remove(harness, "no/such/tree", true), Ok(false));
}

fn a_full_directory_is_removed_only_as_a_tree(harness: &mut dyn Harness) {
    mkdir(harness, "tree/deep/deeper");
    write(harness, "tree/deep/file", b"x");
    write(harness, "kept", b"kept");
    ask(harness, |ret| Op::Symlink { target: "../kept".into(), link: path("tree/link"), ret })
        .expect("a link is made");
    exists(remove(harness, "tree", false));
    assert_eq!(remove(harness, "tree/deep/deeper", false), Ok(true));
    assert_eq!(remove(harness, "tree", true), Ok(true));
    is_not_found(stat(harness, "tree"));
    assert_eq!(read(harness, "kept").expect("links are not followed"), b"kept");
}

fn a_link_is_told_from_its_target(harness: &mut dyn Harness) {
    write(harness, "file", b"text");
    let link = |ret| Op::Symlink { target: "file".into(), link: path("link"), ret };
    assert_eq!(ask(harness, link), Ok(()));
    exists(ask(harness, |ret| Op::Symlink { target: "other".into(), link: path("link"), ret }));
    assert_eq!(stat(harness, "link").expect("it is there").kind, FileKind::Link);
    assert_eq!(read(harness, "link").expect("reading follows it"), b"text");
    assert_eq!(remove(harness, "link", false), Ok(true));
    assert_eq!(read(harness, "file").expect("it is still there"), b"text");
}

fn permissions_are_set(harness: &mut dyn Harness) {
    let make = |ret| Op::Write { path: path("script"), bytes: b"x".to_vec(), mode: 0o750, ret };
    assert_eq!(ask(harness, make), Ok(()));
    assert_eq!(stat(harness, "script").expect("it is there").mode, 0o750);
    assert_eq!(ask(harness, |ret| Op::Chmod { path: path("script"), mode: 0o640, ret }), Ok(()));
    assert_eq!(stat(harness, "script").expect("it is there").mode, 0o640);
    // The mode of a write is for a file that is new.
    write(harness, "script", b"y");
    assert_eq!(stat(harness, "script").expect("it is there").mode, 0o640);
}

fn a_listing_is_sorted_and_knows_kinds(harness: &mut dyn Harness) {
    write(harness, "b", b"12");
    mkdir(harness, "a");
    write(harness, "B", b"");
    ask(harness, |ret| Op::Symlink { target: "nowhere".into(), link: path("c"), ret })
        .expect("a link is made");
    let listed = ask(harness, |ret| Op::List(path("."), ret)).expect("a directory can be listed");
    let seen: Vec<_> = listed.iter().map(|stat| (stat.name.as_str(), stat.kind)).collect();
    assert_eq!(
        seen,
        [("B", FileKind::File), ("a", FileKind::Dir), ("b", FileKind::File), ("c", FileKind::Link)]
    );
    assert_eq!(listed[2].size, 2);
    mkdir(harness, "empty");
    assert_eq!(names(harness, "empty"), [""; 0]);
}

fn any_name_can_be_written_listed_and_removed(harness: &mut dyn Harness) {
    let odd = [
        "a b",
        " lead",
        "it's",
        "\"q\"",
        "new\nline",
        "naïve 日本 🦀",
        "*",
        "-rf",
        "$HOME",
        "a\\b",
        ".hidden",
        "…",
    ];
    for name in odd {
        write(harness, name, name.as_bytes());
    }
    let mut sorted = odd.to_vec();
    sorted.sort();
    assert_eq!(names(harness, "."), sorted);
    for name in odd {
        assert_eq!(read(harness, name).expect("it is there"), name.as_bytes());
        assert_eq!(remove(harness, name, false), Ok(true));
    }
    assert_eq!(names(harness, "."), [""; 0]);
}
