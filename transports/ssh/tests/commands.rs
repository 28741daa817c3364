//! Commands on a real server.

mod place;

use place::{Place, Sshd};
use procession::transport::{Ended, Exec};

#[test]
fn a_command_runs() {
    let sshd = Sshd::start("");
    let mut place = Place::new(sshd.config());
    let exit = place.run(Exec::new(["echo", "hello"])).unwrap();
    assert_eq!((exit.how, &exit.stdout[..]), (Ended::Code(0), &b"hello\n"[..]));
}
