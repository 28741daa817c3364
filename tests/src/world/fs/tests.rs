use super::{Fs, FsError, Kind};
use procession::WallTime;

const NOW: WallTime = WallTime(7);

fn with(paths: &[&str]) -> Fs {
    let mut fs = Fs::new();
    for path in paths {
        let (dir, name) = path.rsplit_once('/').unwrap();
        fs.mkdir_all(dir, WallTime(1)).unwrap();
        if !name.is_empty() {
            fs.write(path, name.as_bytes(), 0o644, WallTime(1)).unwrap();
        }
    }
    fs
}

fn names(fs: &Fs, path: &str) -> Vec<String> {
    fs.walk(path).unwrap().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn only_one_of_two_mkdirs_succeeds() {
    let mut fs = with(&["/a/"]);
    assert_eq!(fs.mkdir("/a/fence", 0o755, NOW), Ok(()));
    assert_eq!(fs.mkdir("/a/fence", 0o755, NOW), Err(FsError::Exists));
    assert_eq!(fs.mkdir("/b/fence", 0o755, NOW), Err(FsError::NotFound));
    assert_eq!(fs.stat("/a").unwrap().modified, NOW);
}

#[test]
fn rename_replaces_a_file_but_not_a_full_folder() {
    let mut fs = with(&["/a/tmp", "/a/id", "/full/x", "/other/"]);
    fs.rename("/a/tmp", "/a/id", NOW).unwrap();
    assert_eq!(fs.read("/a/id"), Ok(&b"tmp"[..]));
    assert_eq!(fs.rename("/other", "/full", NOW), Err(FsError::NotEmpty));
    assert_eq!(fs.rename("/a/id", "/full", NOW), Err(FsError::IsADirectory));
    assert_eq!(fs.rename("/full", "/full/x2", NOW), Err(FsError::Invalid));
    assert_eq!(names(&fs, "/"), ["a", "a/id", "full", "full/x", "other"]);
}

#[test]
fn links_are_followed_on_the_way_and_seen_at_the_end() {
    let mut fs = with(&["/real/file"]);
    fs.symlink("real", "/link", NOW).unwrap();
    fs.symlink("../link/file", "/real/again", NOW).unwrap();
    fs.symlink("loop", "/loop", NOW).unwrap();
    assert_eq!(fs.read("/link/again"), Ok(&b"file"[..]));
    assert_eq!(fs.stat("/link").unwrap().kind, Kind::Link);
    assert_eq!(fs.read_link("/real/again"), Ok("../link/file"));
    assert_eq!(fs.read("/loop"), Err(FsError::Loop));
    assert_eq!(fs.read("/link/../real/./file"), Ok(&b"file"[..]));
    fs.remove("/link", NOW).unwrap();
    assert_eq!(names(&fs, "/"), ["loop", "real", "real/again", "real/file"]);
}

#[test]
fn a_full_disk_refuses_and_gives_back_what_is_removed() {
    let mut fs = with(&["/d/a"]);
    let before = fs.used();
    fs.set_quota(before + 100);
    assert_eq!(fs.write("/d/big", &[0; 101], 0o644, NOW), Err(FsError::NoSpace));
    fs.write("/d/small", &[0; 36], 0o644, NOW).unwrap();
    assert_eq!(fs.append("/d/small", b"x", NOW), Err(FsError::NoSpace));
    assert_eq!(fs.mkdir("/d/dir", 0o755, NOW), Err(FsError::NoSpace));
    fs.remove("/d/small", NOW).unwrap();
    assert_eq!(fs.used(), before);
    fs.remove_tree("/d", NOW).unwrap();
    assert_eq!(fs.used(), 0);
}

#[test]
fn a_read_only_disk_can_be_read_only() {
    let mut fs = with(&["/d/a"]);
    fs.set_read_only(true);
    assert_eq!(fs.read("/d/a"), Ok(&b"a"[..]));
    for refused in [
        fs.write("/d/a", b"", 0o644, NOW),
        fs.write("/d/b", b"", 0o644, NOW),
        fs.mkdir("/d/c", 0o755, NOW),
        fs.remove("/d/a", NOW),
        fs.rename("/d/a", "/d/b", NOW),
        fs.symlink("a", "/d/l", NOW),
        fs.chmod("/d/a", 0o600),
    ] {
        assert_eq!(refused, Err(FsError::ReadOnly));
    }
    assert_eq!(names(&fs, "/"), ["d", "d/a"]);
}

#[test]
fn modes_are_kept_for_the_owner_too() {
    let mut fs = with(&["/d/a"]);
    fs.chmod("/d/a", 0o200).unwrap();
    assert_eq!(fs.read("/d/a"), Err(FsError::Permission));
    fs.chmod("/d/a", 0o400).unwrap();
    assert_eq!(fs.write("/d/a", b"", 0o644, NOW), Err(FsError::Permission));
    fs.chmod("/d", 0o500).unwrap();
    assert_eq!(fs.remove("/d/a", NOW), Err(FsError::Permission));
    assert_eq!(fs.mkdir("/d/b", 0o755, NOW), Err(FsError::Permission));
    fs.chmod("/d", 0).unwrap();
    assert_eq!(fs.stat("/d/a"), Err(FsError::Permission));
}

#[test]
fn a_folder_is_found_again_where_it_was_moved_to() {
    let mut fs = with(&["/a/b/file"]);
    let folder = fs.folder("/a/b").unwrap();
    fs.rename("/a", "/c", NOW).unwrap();
    assert_eq!(fs.path_of(folder), Some("/c/b".to_owned()));
    fs.remove_tree("/c", NOW).unwrap();
    assert_eq!(fs.path_of(folder), None);
}
