//! What goes wrong on hosts: cuts, full disks, missing programs, hostile answers.

use super::Rig;
use super::contract_run::{World, contract::Harness};
use procession::transport::{
    Answer, Cancel, Get, Manifest, Op, Progress, Put, RemotePath, TransportError, Want,
};
use stakker::Ret;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;

fn ask<T: 'static>(world: &mut World, op: impl FnOnce(Answer<T>) -> Op) -> Result<T, TransportError> {
    let slot = Rc::new(RefCell::new(None));
    let answer = slot.clone();
    world.transport.op(op(Ret::new(move |result| *answer.borrow_mut() = Some(result))));
    world.run_until(&mut || slot.borrow().is_some());
    slot.borrow_mut().take().flatten().expect("it is answered")
}

fn put(world: &mut World, from: &Path, to: &str) -> Result<Manifest, TransportError> {
    let to = to.parse().unwrap();
    ask(world, |ret| Op::Put(Put::new(from, to), ret))
}

fn get(world: &mut World, from: &str, to: &Path) -> Result<Manifest, TransportError> {
    let from: RemotePath = from.parse().unwrap();
    ask(world, |ret| Op::Get(Get::new(from, vec![Want::required("**".parse().unwrap())], to), ret))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn is_cut<T: std::fmt::Debug>(result: Result<T, TransportError>) {
    assert!(matches!(result, Err(TransportError::Unreachable { .. })), "{result:?}");
}

/// A file that is not the same anywhere, and costs nothing where it is empty.
fn sparse(path: &Path, size: u64) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    for at in (0..size).step_by(5 << 20) {
        file.write_all_at(&at.to_be_bytes(), at).unwrap();
    }
}

#[test]
fn a_large_file_goes_on_where_it_was_cut() {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    sparse(&dir.join("large"), 40 << 20);
    world.rig().borrow_mut().cut_after = Some(20 << 20);
    is_cut(put(&mut world, &dir.join("large"), "there/large"));
    let there = world.home().join("there");
    let left = names(&there);
    assert!(left.len() == 1 && left[0].ends_with(".part"), "{left:?}");
    // The second attempt says no more than the rest, and a little.
    world.rig().borrow_mut().cut_after = Some(25 << 20);
    world.reconnect();
    let sent = put(&mut world, &dir.join("large"), "there/large").expect("the rest is sent");
    assert_eq!(names(&there), ["large"]);
    assert_eq!(sent.bytes(), 40 << 20);
    // And the third one nothing.
    world.rig().borrow_mut().cut_after = Some(1 << 20);
    world.reconnect();
    assert_eq!(put(&mut world, &dir.join("large"), "there/large").expect("it is there"), sent);
}

#[test]
fn what_lies_there_of_another_file_is_not_gone_on_with() {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    sparse(&dir.join("large"), 24 << 20);
    world.rig().borrow_mut().cut_after = Some(12 << 20);
    is_cut(put(&mut world, &dir.join("large"), "large"));
    fs::write(dir.join("large"), vec![7; 24 << 20]).unwrap();
    world.rig().borrow_mut().cut_after = None;
    world.reconnect();
    put(&mut world, &dir.join("large"), "large").expect("it is sent from the beginning");
    assert_eq!(fs::read(world.home().join("large")).unwrap(), vec![7; 24 << 20]);
    assert_eq!(names(&world.home()), ["large"]);
}

#[test]
fn large_files_come_back_and_go_on_where_they_were_cut() {
    let mut world = World::new(|_| {});
    let back = world.local_dir();
    fs::create_dir_all(world.home().join("out/deep")).unwrap();
    sparse(&world.home().join("out/deep/large"), (40 << 20) + 777);
    sparse(&world.home().join("out/even"), 16 << 20);
    fs::write(world.home().join("out/small"), "small").unwrap();
    let fetched = get(&mut world, "out", &back).expect("they come");
    assert_eq!((fetched.len(), fetched.bytes()), (3, (56 << 20) + 777 + 5));
    let same = |name: &str, world: &World| {
        fs::read(back.join(name)).unwrap() == fs::read(world.home().join("out").join(name)).unwrap()
    };
    assert!(same("deep/large", &world) && same("even", &world) && same("small", &world));
    // They are here: nothing is fetched, whatever the host would send.
    assert_eq!(get(&mut world, "out", &back).expect("they are here"), fetched);

    let back = world.local_dir();
    world.rig().borrow_mut().cut_hearing = Some(10 << 20);
    is_cut(get(&mut world, "out", &back));
    let left = names(&back);
    assert!(left.len() == 1 && left[0].ends_with(".part"), "{left:?}");
    assert!(fs::metadata(back.join(&left[0])).unwrap().len() > 4 << 20);
    // The rest is less than all.
    world.rig().borrow_mut().cut_hearing = Some(55 << 20);
    assert_eq!(get(&mut world, "out", &back).expect("the rest comes"), fetched);
    assert_eq!(names(&back), ["deep", "even", "small"]);
}

#[test]
fn what_is_here_of_another_file_is_not_gone_on_with() {
    let mut world = World::new(|_| {});
    let back = world.local_dir();
    fs::create_dir_all(world.home().join("out")).unwrap();
    sparse(&world.home().join("out/large"), 24 << 20);
    world.rig().borrow_mut().cut_hearing = Some(10 << 20);
    is_cut(get(&mut world, "out", &back));
    fs::write(world.home().join("out/large"), vec![7; 24 << 20]).unwrap();
    world.rig().borrow_mut().cut_hearing = None;
    get(&mut world, "out", &back).expect("it comes from the beginning");
    assert!(fs::read(back.join("large")).unwrap() == vec![7; 24 << 20]);
}

#[test]
fn a_cancelled_get_of_a_large_file_leaves_nothing() {
    let mut world = World::new(|_| {});
    let back = world.local_dir();
    fs::create_dir_all(world.home().join("out")).unwrap();
    sparse(&world.home().join("out/large"), 256 << 20);
    let (guard, token) = Cancel::pair();
    let guard = RefCell::new(Some(guard));
    // In the middle of it.
    let progress = Some(stakker::Fwd::new(move |progress: Progress| {
        if progress.bytes > 8 << 20 {
            guard.borrow_mut().take();
        }
    }));
    let want = vec![Want::required("**".parse().unwrap())];
    let fetch = Get { cancel: Some(token), progress, ..Get::new(RemotePath::literal("out"), want, &back) };
    assert_eq!(ask(&mut world, |ret| Op::Get(fetch, ret)), Err(TransportError::Cancelled));
    assert_eq!(names(&back), [""; 0]);
}

#[test]
fn a_cancelled_put_of_a_large_file_leaves_nothing() {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    sparse(&dir.join("large"), 256 << 20);
    let (guard, token) = Cancel::pair();
    let guard = RefCell::new(Some(guard));
    let progress = Some(stakker::Fwd::new(move |progress: Progress| {
        if progress.bytes > 8 << 20 {
            guard.borrow_mut().take();
        }
    }));
    let put =
        Put { cancel: Some(token), progress, ..Put::new(dir.join("large"), RemotePath::literal("large")) };
    assert_eq!(ask(&mut world, |ret| Op::Put(put, ret)), Err(TransportError::Cancelled));
    assert_eq!(names(&world.home()), [""; 0]);
}

#[test]
fn a_tree_that_is_cut_leaves_nothing() {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    for at in 0..200 {
        fs::write(dir.join(format!("f{at}")), vec![at as u8; 20_000]).unwrap();
    }
    for (at, cut) in [5_000, 100_000, 1_000_000, 4_000_000].into_iter().enumerate() {
        world.rig().borrow_mut().cut_after = Some(cut);
        is_cut(put(&mut world, &dir, &format!("tree{at}")));
        assert_eq!(names(&world.home()), [""; 0], "cut after {cut}");
    }
    world.rig().borrow_mut().cut_after = None;
    assert_eq!(put(&mut world, &dir, "tree").expect("it arrives").len(), 200);
}

#[test]
fn ten_thousand_files_go_there_and_back() {
    let mut world = World::new(|_| {});
    let (dir, back) = (world.local_dir(), world.local_dir());
    for at in 0..10_000 {
        let folder = dir.join(format!("folder {:02}", at % 50));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("a file with a rather long name {at}")), format!("{at}")).unwrap();
    }
    let sent = put(&mut world, &dir, "many").expect("they arrive");
    assert_eq!(sent.len(), 10_050);
    let again = put(&mut world, &dir, "many").expect("they are there");
    assert_eq!(again, sent);
    assert_eq!(get(&mut world, "many", &back).expect("they come back").len(), 10_000);
    assert_eq!(get(&mut world, "many", &back).expect("they are here").len(), 10_000);
}

#[test]
fn any_name_arrives_and_comes_back() {
    let mut world = World::new(|_| {});
    let (dir, back) = (world.local_dir(), world.local_dir());
    let long = "x".repeat(200);
    let odd = [
        "-rf",
        "a b",
        "new\nline",
        "it's",
        "\"q\"",
        "back\\slash",
        "naïve 日本 🦀",
        "*",
        "$HOME",
        "`id`",
        "!",
        "end",
        "fail x",
        "\ttab",
        " lead",
        "trail ",
        "%s",
        "sum",
        "list",
        "tail\n",
        "\\0101",
        &long,
    ];
    for name in odd {
        fs::write(dir.join(name), name).unwrap();
        let folder = dir.join(format!("dir {name}")).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), name).unwrap();
        std::os::unix::fs::symlink(name, folder.join("link")).unwrap();
    }
    // Twice: into nothing, and into what is there.
    let sent = put(&mut world, &dir, "to this").expect("it arrives");
    assert_eq!(sent.len(), odd.len() * 5);
    fs::write(dir.join("new\nline"), "other").unwrap();
    fs::write(dir.join("-rf"), "other").unwrap();
    put(&mut world, &dir, "to this").expect("it arrives again");
    let fetched = get(&mut world, "to this", &back).expect("it comes back");
    assert_eq!(fetched.len(), odd.len() * 3);
    assert_eq!(fs::read_to_string(back.join("new\nline")).unwrap(), "other");
    for name in odd {
        assert_eq!(fs::read_to_string(back.join(format!("dir {name}")).join(name).join(name)).unwrap(), name);
        put(&mut world, &dir.join(name), &format!("single/{name}")).expect("it arrives alone");
    }
    assert_eq!(get(&mut world, "to this", &back).expect("it is here").diff(&fetched), []);
}

#[test]
fn modes_arrive_even_of_folders_that_are_closed() {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    fs::create_dir_all(dir.join("a/b")).unwrap();
    fs::write(dir.join("a/b/f"), "x").unwrap();
    let chmod =
        |path: &str, mode| fs::set_permissions(dir.join(path), fs::Permissions::from_mode(mode)).unwrap();
    chmod("a/b", 0o555);
    chmod("a", 0o500);
    chmod("a/b/f", 0o640);
    let mode = |world: &World, path: &str| {
        fs::metadata(world.home().join(path)).unwrap().permissions().mode() & 0o7777
    };
    put(&mut world, &dir, "there").expect("it arrives");
    assert_eq!(
        [mode(&world, "there/a"), mode(&world, "there/a/b"), mode(&world, "there/a/b/f")],
        [0o500, 0o555, 0o640]
    );
    // The same file with another mode is not sent, but has that mode.
    chmod("a/b/f", 0o600);
    chmod("a", 0o755);
    put(&mut world, &dir, "there").expect("it is there");
    assert_eq!([mode(&world, "there/a"), mode(&world, "there/a/b/f")], [0o755, 0o600]);
}

/// A folder with nothing in it but these programs.
fn programs(world: &mut World, names: &[&str]) -> String {
    let dir = world.local_dir();
    for name in names {
        let found =
            ["/usr/bin", "/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), dir.join(name)).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

const ALL: [&str; 14] =
    ["sh", "find", "xargs", "dd", "head", "tr", "cat", "mkdir", "mv", "rm", "chmod", "ls", "tar", "readlink"];

#[test]
fn any_tool_for_hashes_will_do_and_a_missing_program_is_named() {
    for tools in [&["b3sum"][..], &["openssl"], &["sha256sum"], &["shasum", "perl"]] {
        let mut world = World::new(|_| {});
        let path = programs(&mut world, &[&ALL[..], tools].concat());
        world.rig().borrow_mut().path = Some(path);
        let (dir, back) = (world.local_dir(), world.local_dir());
        fs::write(dir.join("new\nline"), "x").unwrap();
        fs::write(dir.join("plain"), "x").unwrap();
        let large: Vec<u8> = (0..(20 << 20) + 5).map(|n: usize| (n >> 10) as u8).collect();
        fs::write(dir.join("large"), &large).unwrap();
        for _ in 0..2 {
            put(&mut world, &dir, "tree").expect("it arrives");
            assert_eq!(get(&mut world, "tree", &back).expect("it comes back").len(), 3);
            assert!(fs::read(back.join("large")).unwrap() == large, "{tools:?}");
        }
    }
    for missing in ["tar", "xargs", "sha256sum"] {
        let mut world = World::new(|_| {});
        let some: Vec<&str> =
            ALL.iter().chain(&["sha256sum"]).copied().filter(|name| *name != missing).collect();
        let path = programs(&mut world, &some);
        world.rig().borrow_mut().path = Some(path);
        let dir = world.local_dir();
        fs::write(dir.join("f"), "x").unwrap();
        let lacking = put(&mut world, &dir, "tree");
        assert!(
            matches!(&lacking, Err(TransportError::NotFound(what)) if what.contains(missing)),
            "{lacking:?}"
        );
    }
}

#[test]
fn a_host_that_wrote_something_else_is_found_out_and_keeps_nothing() {
    // The folder is hashed there in two halves; either of them may be the wrong one, and so may what we said of them.
    for damaged in ["a", "z", "../list0", "../list1", "../sum"] {
        let mut world = World::new(|_| {});
        let path = programs(&mut world, &[&ALL[..], &["sha256sum"]].concat());
        let tar = Path::new(&path).join("tar");
        let real = fs::read_link(&tar).unwrap();
        fs::remove_file(&tar).unwrap();
        let damage = format!(": >./t/{damaged}");
        fs::write(&tar, format!("#!/bin/sh\n{} \"$@\" && {damage}\n", real.display())).unwrap();
        fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
        world.rig().borrow_mut().path = Some(path);
        let dir = world.local_dir();
        fs::write(dir.join("a"), "x").unwrap();
        fs::write(dir.join("z"), "x").unwrap();
        let told = put(&mut world, &dir, "tree");
        assert!(matches!(told, Err(TransportError::Corrupt(_))), "{damaged}: {told:?}");
        assert_eq!(names(&world.home()), [""; 0], "{damaged}");
    }
}

#[test]
fn what_is_in_the_way_is_named() {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    fs::create_dir(dir.join("a")).unwrap();
    fs::write(dir.join("a/f"), "x").unwrap();
    fs::write(world.home().join("file"), "x").unwrap();
    fs::create_dir_all(world.home().join("tree/a/f")).unwrap();
    let exists = |result: Result<Manifest, TransportError>| {
        assert!(matches!(result, Err(TransportError::Exists(_))), "{result:?}");
    };
    exists(put(&mut world, &dir, "file"));
    exists(put(&mut world, &dir, "tree"));
    exists(put(&mut world, &dir.join("a/f"), "tree"));
    sparse(&dir.join("large"), 9 << 20);
    exists(put(&mut world, &dir.join("large"), "tree"));
    assert_eq!(names(&world.home().join("tree")), ["a"]);
}

#[test]
fn a_full_disk_says_so_and_nothing_is_left() {
    let mut world = World::new(|_| {});
    let small = world.home().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=12m", "none"])
        .arg(&small)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let dir = world.local_dir();
    for at in 0..8 {
        fs::write(dir.join(format!("f{at}")), vec![1; 3 << 20]).unwrap();
    }
    let tree = put(&mut world, &dir, "small/tree");
    let left = [names(&small)];
    sparse(&dir.join("large"), 16 << 20);
    let large = put(&mut world, &dir.join("large"), "small/large");
    let left = [&left[0][..], &names(&small)].concat();
    // A part that was being hashed there is held, without its name, until that is over.
    let fill = || fs::write(small.join("filler"), vec![0; 11 << 20]);
    let is_filled = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        fill().is_ok()
    });
    assert!(is_filled, "the room is free again");
    let bytes = vec![1; 2 << 20];
    let written =
        ask(&mut world, |ret| Op::Write { path: RemotePath::literal("small/w"), bytes, mode: 0o644, ret });
    let after = names(&small);
    std::process::Command::new("umount").arg("-l").arg(&small).status().unwrap();
    assert!(matches!(tree, Err(TransportError::NoSpace(_))), "{tree:?}");
    assert!(matches!(large, Err(TransportError::NoSpace(_))), "{large:?}");
    assert!(matches!(written, Err(TransportError::NoSpace(_))), "{written:?}");
    assert_eq!(left, [""; 0]);
    assert_eq!(after, ["filler"]);
}

/// Runs `fetch` against a host that says this, in place of the program.
fn hostile(says: &str) -> (Result<Manifest, TransportError>, Vec<String>) {
    let mut world = World::new(|_| {});
    let dir = world.local_dir();
    world.rig().borrow_mut().instead = Some(says.to_owned());
    let to = dir.join("to");
    let fetched = get(&mut world, "x", &to);
    // Nothing beside the folder, and nothing in it.
    assert!(names(&dir).iter().all(|name| name == "to"), "{:?}", names(&dir));
    (fetched, if to.exists() { names(&to) } else { Vec::new() })
}

#[test]
fn a_hostile_host_writes_nothing() {
    let hello = r"printf '\0procession 1 sha256\0dir\0'; ";
    let sum = "printf '%064d\\0' 0; ";
    let evil = [
        // A name that leads out, in the list and in the stream.
        format!(r"{hello} printf 'f 644 1 ../evil\0\0end\0'"),
        format!(r"{hello} printf 'f 644 1 /tmp/evil\0\0end\0'"),
        format!(
            r"{hello} printf 'f 644 1 good\0\0end\0'; {sum} echo evil >evil; tar -cPf - ../$(basename $PWD)/evil; cat >/dev/null"
        ),
        // What was not asked for.
        format!(
            r"{hello} printf 'f 644 1 good\0\0end\0'; {sum} echo e >evil; tar -cf - evil; cat >/dev/null"
        ),
        // A link, and a file through it.
        format!(
            r"{hello} printf 'l 777 1 a\0..\0f 644 1 a/evil\0\0end\0'; {sum} ln -s .. a; tar -cf - a; cat >/dev/null"
        ),
        // A device where a file was listed; less than was listed; noise for ever; nothing.
        format!(r"{hello} printf 'f 644 1 good\0\0end\0'; {sum} mkfifo good; tar -cf - good; cat >/dev/null"),
        format!(r"{hello} printf 'f 644 1 good\0\0end\0'; {sum} echo e >good; tar -cf - good | head -c 700"),
        "head -c 200000 /dev/zero".to_owned(),
        "head -c 200000 /dev/urandom".to_owned(),
        "true".to_owned(),
        format!(r"{hello} head -c 100000 /dev/zero | tr '\0' x"),
        // The right file with the wrong sum.
        format!(
            r"{hello} printf 'f 644 2 good\0\0end\0'; {sum} echo e >good; tar -cf - good; cat >/dev/null"
        ),
    ];
    for says in evil {
        let (fetched, left) = hostile(&says);
        assert!(fetched.is_err(), "{says}: {fetched:?}");
        assert_eq!(left, [""; 0], "{says}");
    }
}

#[test]
fn a_hostile_sftp_server_is_a_protocol_error() {
    for says in [
        "head -c 100 /dev/zero",
        "echo Welcome to this machine",
        "head -c 300000 /dev/urandom; cat >/dev/null",
        r"printf '\0\0\0\005\002\0\0\0\003\0\0\0\005\145\0\0\0\001'; cat >/dev/null",
        "exit 127",
    ] {
        let mut world = World::new(|rig: &mut Rig| rig.instead = Some(says.to_owned()));
        let said = ask(&mut world, |ret| Op::Stat(RemotePath::literal("x"), ret));
        assert!(
            matches!(said, Err(TransportError::Protocol(_) | TransportError::Unreachable { .. })),
            "{says}: {said:?}"
        );
    }
}
