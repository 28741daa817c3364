//! What the server is asked when a small file is written.

use super::*;
use crate::sftp::Knows;
use crate::sftp::wire::Attrs;
use stakker::Ret;

/// What is asked when there was this at the path before.
fn asked(before: Reply) -> Vec<Request> {
    let path = "folder/file".parse().expect("a path");
    let mut write = Write::new(&path, b"text".to_vec(), 0o644, Ret::new(|_| {}));
    let knows = Knows { sync: true, room: true, limits: true };
    let mut asks = Asks { knows, requests: Vec::new() };
    write.begin(&mut asks);
    write.on_reply(LOOK, before, &mut asks);
    write.on_reply(OPEN, Reply::Handle(b"h".to_vec()), &mut asks);
    asks.requests.into_iter().map(|(_, request)| request).collect()
}

#[test]
fn only_what_replaces_a_file_is_waited_for_until_it_is_on_the_disk() {
    let sync = Request::Sync(b"h".to_vec());
    let file = Attrs { mode: Some(0o100_644), ..Attrs::default() };
    assert!(asked(Reply::Attrs(file)).contains(&sync));
    assert!(!asked(Reply::Status(Status::NoSuchFile)).contains(&sync));
}
