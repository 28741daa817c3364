//! Hosts behind a real sshd: the contract of the transports, and what can go wrong on the way and at the other end.

use crate::clients::{attempt, run};
use crate::loops::Loop;
use procession::transport::{
    Content, Ended, Exec, Exit, Get, Manifest, ManifestEntry, Op, Put, RemotePath, Transport, TransportError,
    Want,
};
use procession_tests::contract::{self, Harness, ask};
use procession_tests::services::{Server, Sshd};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

fn path(text: &str) -> RemotePath {
    text.parse().expect("a path")
}

fn say(host: &mut Loop, argv: &[&str]) -> Result<Exit, TransportError> {
    ask(host, |ret| Op::Exec(Exec::new(argv.iter().copied()), ret))
}

fn everything() -> Vec<Want> {
    vec![Want::required("**".parse().expect("a pattern"))]
}

/// Sends a tree, fetches it again, and compares the manifests.
fn goes_there_and_back(host: &mut Loop, tree: &Path) {
    let sent = ask(host, |ret| Op::Put(Put::new(tree, path("tree")), ret)).expect("it arrives");
    let back = host.local_dir().join("back");
    let came =
        ask(host, |ret| Op::Get(Get::new(path("tree"), everything(), &back), ret)).expect("it comes back");
    // What comes back is told by its files; a folder comes with them.
    let files = |manifest: &Manifest| -> Vec<ManifestEntry> {
        manifest.entries().filter(|entry| entry.content != Content::Dir).cloned().collect()
    };
    assert!(files(&sent) == files(&came), "{} files went, {} came", files(&sent).len(), files(&came).len());
}

#[test]
fn a_host_behind_sshd_keeps_the_contract() {
    let sshd = Sshd::start();
    contract::all(|| Box::new(Loop::behind(&sshd)));
    assert!(sshd.connections() <= 2 * contract::facts().len(), "each fact has a transport of its own");
}

#[test]
fn a_killed_session_is_told_and_the_next_operation_has_a_new_one() {
    let mut sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let slot: Rc<RefCell<Option<_>>> = Rc::default();
    let answer = slot.clone();
    let ret = stakker::Ret::new(move |result| *answer.borrow_mut() = Some(result));
    host.transport().op(Op::Exec(Exec::new(["sh", "-c", "echo > begun; sleep 600"]), ret));
    let begun = host.work().join("begun");
    host.run_until(&mut || begun.exists());
    sshd.hang_up();
    host.run_until(&mut || slot.borrow().is_some());
    let told = slot.take().flatten().expect("it is answered");
    assert!(matches!(told, Err(TransportError::Unreachable { .. })), "{told:?}");
    host.run_until_up();
    assert_eq!(say(&mut host, &["echo", "again"]).expect("it runs").stdout, b"again\n");
}

#[test]
fn a_frozen_server_is_noticed_and_a_thawed_one_is_found_again() {
    let mut sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    say(&mut host, &["true"]).expect("it runs");
    sshd.freeze();
    let told = say(&mut host, &["true"]);
    assert!(
        matches!(told, Err(TransportError::Unreachable { .. } | TransportError::TimedOut(_))),
        "{told:?}"
    );
    sshd.thaw();
    host.run_until_up();
    assert_eq!(say(&mut host, &["true"]).expect("it runs").how, Ended::Code(0));
}

#[test]
fn noise_of_a_shell_and_a_banner_are_no_part_of_an_answer() {
    let home = tempfile::tempdir().expect("a folder");
    // A login shell prints before it runs a command: with line breaks of another world, and words of ours.
    let noise = "printf 'Welcome!\\r\\nPROCESSION-BEGIN 1\\n\\033[1mnews\\033[0m'; echo oops >&2\n";
    for file in [".bashrc", ".profile", ".zshenv"] {
        std::fs::write(home.path().join(file), noise).expect("written");
    }
    let banner = home.path().join("banner");
    std::fs::write(&banner, "No trespassing.\r\n".repeat(200)).expect("written");
    let server = Server {
        env: vec![("HOME".into(), home.path().display().to_string()), ("LANG".into(), "de_DE.UTF-8".into())],
        set: vec![format!("Banner {}", banner.display())],
    };
    let sshd = Sshd::with(server);
    let config = sshd.ssh_config();
    let said = run(&["ssh", "-q", "-F", config.to_str().expect("UTF-8"), "box", "echo clean"], &[]);
    let is_noisy = said != "clean";
    println!("the login shell of this user is noisy: {is_noisy}");
    let mut host = Loop::behind(&sshd);
    let exit = say(&mut host, &["sh", "-c", "echo out; echo err >&2; exit 5"]).expect("it runs");
    assert_eq!((&exit.stdout[..], &exit.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(exit.how, Ended::Code(5));
    let tree = host.local_dir();
    std::fs::write(tree.join("crlf"), "one\r\ntwo\r\n").expect("written");
    goes_there_and_back(&mut host, &tree);
}

#[test]
fn odd_names_and_ten_thousand_files_go_there_and_back() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let tree = host.local_dir();
    for name in
        ["a b", "it's", "\"q\"", "new\nline", "naïve 日本 🦀", "*", "-n", "$HOME", "back\\slash", "tab\t"]
    {
        std::fs::write(tree.join(name), name).expect("written");
    }
    for folder in 0..100 {
        let folder = tree.join(format!("folder {folder}"));
        std::fs::create_dir(&folder).expect("made");
        (0..100).for_each(|n| std::fs::write(folder.join(n.to_string()), format!("{n}\n")).expect("written"));
    }
    goes_there_and_back(&mut host, &tree);
}

#[test]
fn two_gibibytes_in_one_file_arrive() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let tree = host.local_dir();
    let file = std::fs::File::create(tree.join("large")).expect("made");
    // A hole costs no disk here, but 2 GiB on the way; so the far end is a hole as well only if it likes.
    file.set_len(2 << 30).expect("set");
    let put = Put { progress: Some(host.progress()), ..Put::new(&tree, path("tree")) };
    let sent = ask(&mut host, |ret| Op::Put(put, ret)).expect("it arrives");
    assert_eq!(sent.bytes(), 2 << 30);
    let stat = ask(&mut host, |ret| Op::Stat(path("tree/large"), ret)).expect("it is there");
    assert_eq!(stat.size, 2 << 30);
}

/// A file system of its own, until the end of a test.
struct Mounted(String);

impl Mounted {
    /// `None` where nobody may mount, which is said.
    fn new(at: &Path, how: &[&str]) -> Option<Mounted> {
        std::fs::create_dir_all(at).expect("made");
        let text = at.to_str().expect("UTF-8");
        let made = attempt(&[&["mount"], how, &[text]].concat(), &[]);
        if !made.status.success() {
            println!("left out: mount {how:?}: {}", String::from_utf8_lossy(&made.stderr));
            return None;
        }
        Some(Mounted(text.to_owned()))
    }

    fn tmpfs(at: &Path, size: &str) -> Option<Mounted> {
        Mounted::new(at, &["-t", "tmpfs", "-o", size, "none"])
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        attempt(&["umount", "-l", &self.0], &[]);
    }
}

#[test]
fn a_full_disk_has_its_own_error_and_leaves_nothing_half_written() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let Some(_mounted) = Mounted::tmpfs(&host.work().join("small"), "size=256k") else { return };
    let tree = host.local_dir();
    std::fs::write(tree.join("large"), vec![7; 1 << 20]).expect("written");
    let told = ask(&mut host, |ret| Op::Put(Put::new(&tree, path("small/tree")), ret));
    assert!(matches!(told, Err(TransportError::NoSpace(_))), "{told:?}");
    let bytes = vec![7; 1 << 20];
    let told = ask(&mut host, |ret| Op::Write { path: path("small/file"), bytes, mode: 0o644, ret });
    assert!(matches!(told, Err(TransportError::NoSpace(_))), "{told:?}");
    let told = ask(&mut host, |ret| Op::Stat(path("small/file"), ret));
    assert!(matches!(told, Err(TransportError::NotFound(_))), "{told:?}");
    // What fits arrives all the same.
    std::fs::write(tree.join("large"), vec![7; 1 << 10]).expect("written");
    ask(&mut host, |ret| Op::Remove { path: path("small/tree"), tree: true, ret }).expect("removed");
    ask(&mut host, |ret| Op::Put(Put::new(&tree, path("small/tree")), ret)).expect("it arrives");
}

/// btrfs, because its quota binds root too (btrfs-quota(5)).
fn with_quota(at: &Path, image: &Path) -> Option<Mounted> {
    let file = std::fs::File::create(image).expect("made");
    file.set_len(128 << 20).expect("set");
    let (image, text) = (image.to_str().expect("UTF-8"), at.to_str().expect("UTF-8"));
    run(&["mkfs.btrfs", "-q", image], &[]);
    let mounted = Mounted::new(at, &["-o", "loop", image])?;
    run(&["btrfs", "quota", "enable", text], &[]);
    run(&["btrfs", "qgroup", "limit", "1m", text], &[]);
    Some(mounted)
}

#[test]
fn a_used_up_quota_is_told_as_what_it_is() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let image = tempfile::tempdir().expect("a folder");
    let Some(_mounted) = with_quota(&host.work().join("small"), &image.path().join("image")) else { return };
    let tree = host.local_dir();
    std::fs::write(tree.join("large"), vec![7; 4 << 20]).expect("written");
    let told = ask(&mut host, |ret| Op::Put(Put::new(&tree, path("small/tree")), ret));
    assert!(matches!(told, Err(TransportError::NoSpace(_))), "{told:?}");
    let bytes = vec![7; 4 << 20];
    let told = ask(&mut host, |ret| Op::Write { path: path("small/file"), bytes, mode: 0o644, ret });
    assert!(matches!(told, Err(TransportError::NoSpace(_))), "{told:?}");
    assert_eq!(say(&mut host, &["true"]).expect("the session lives on").how, Ended::Code(0));
}

#[test]
fn a_file_system_that_is_mounted_read_only_is_told_as_what_it_is() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let Some(mounted) = Mounted::tmpfs(&host.work().join("fixed"), "size=1m") else { return };
    std::fs::write(host.work().join("fixed/there"), "text").expect("written");
    run(&["mount", "-o", "remount,ro", &mounted.0], &[]);
    let tree = host.local_dir();
    std::fs::write(tree.join("file"), "text").expect("written");
    let told = ask(&mut host, |ret| Op::Put(Put::new(&tree, path("fixed/tree")), ret));
    assert!(matches!(told, Err(TransportError::Permission(_))), "{told:?}");
    let op = |ret| Op::Write { path: path("fixed/file"), bytes: vec![1], mode: 0o644, ret };
    assert!(matches!(ask(&mut host, op), Err(TransportError::Permission(_))));
    let told = ask(&mut host, |ret| Op::Remove { path: path("fixed/there"), tree: false, ret });
    assert!(matches!(told, Err(TransportError::Permission(_))), "{told:?}");
    // What is there can be read.
    let read = ask(&mut host, |ret| Op::Read { path: path("fixed/there"), limit: 10, ret });
    assert_eq!(read.expect("read"), b"text");
}

#[test]
fn what_may_not_be_written_has_its_own_error() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let tree = host.local_dir();
    std::fs::write(tree.join("file"), "text").expect("written");
    // Not even root may write here.
    let forbidden = "/proc/sys/tree";
    let told = ask(&mut host, |ret| Op::Put(Put::new(&tree, path(forbidden)), ret));
    let is_told = |told: &Result<_, TransportError>| match told {
        Err(TransportError::Permission(_) | TransportError::NotFound(_) | TransportError::Io { .. }) => true,
        Ok(()) | Err(_) => false,
    };
    assert!(is_told(&told.map(drop)), "a tree");
    let op = |ret| Op::Write { path: path(forbidden), bytes: vec![1], mode: 0o644, ret };
    assert!(is_told(&ask(&mut host, op)), "a file");
    assert_eq!(say(&mut host, &["true"]).expect("the session lives on").how, Ended::Code(0));
}

impl Loop {
    /// Until the host is met again.
    fn run_until_up(&mut self) {
        ask(self, Op::WhenUp).expect("it comes up");
    }
}

#[test]
fn many_commands_share_one_connection() {
    let sshd = Sshd::start();
    let mut host = Loop::behind(&sshd);
    let transport: Transport = host.transport();
    let left = Rc::new(RefCell::new(50));
    for _ in 0..50 {
        let left = left.clone();
        let ret = stakker::Ret::new(move |told: Option<Result<Exit, TransportError>>| {
            assert_eq!(told.expect("alive").expect("it runs").how, Ended::Code(0));
            *left.borrow_mut() -= 1;
        });
        transport.op(Op::Exec(Exec::new(["true"]), ret));
    }
    host.run_until(&mut || *left.borrow() == 0);
    assert!(sshd.connections() <= 2, "{}", sshd.log());
}
