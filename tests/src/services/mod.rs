//! Real services for the tests: an OpenSSH server, Slurm clusters, Grid Engine.
//!
//! Each is a script in `tests/services` (its `--help` says what it does) with a handle here. It lives in a folder of its own
//! and on free ports of the loopback, so there may be several at once, and it ends with its handle, or with the test: also
//! if that is killed. Nothing here is simulated; for that there is [`world`](crate::world).
//!
//! Starting a service blocks until it is up. A service that can't come up is a panic with the reason; a missing program is
//! one line that says what to install.

mod gridengine;
mod keeper;
mod slurm;
mod sshd;

pub use gridengine::GridEngine;
pub use keeper::Keeper;
pub use slurm::{Cluster, Slurm};
pub use sshd::{Server, Sshd};

use procession::transport::{Op, Transport};
use stakker::Fwd;

/// The same transport, with these variables in the environment of every command that does not set them itself: what the
/// clients of a private scheduler need where no sshd sets it for them.
pub fn with_env(transport: &Transport, env: Vec<(String, String)>) -> Transport {
    let (name, inner) = (transport.name().to_owned(), transport.clone());
    let ops = Fwd::new(move |op| {
        inner.op(match op {
            Op::Exec(mut exec, ret) => {
                for (name, value) in &env {
                    exec.env.entry(name.clone()).or_insert_with(|| value.clone());
                }
                Op::Exec(exec, ret)
            }
            op => op,
        });
    });
    Transport::new(&name, ops)
}
