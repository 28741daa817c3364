//! Real services for the tests: an OpenSSH server, Slurm clusters, Grid Engine.
//!
//! Each is a script in `tests/services` (its `--help` says what it does) with a handle here. It lives in a folder of its own
//! and on free ports of the loopback, so there may be several at once, and it ends with its handle, or with the test: also
//! if that is killed. Nothing here is simulated; for that there is [`world`](crate::world).
//!
//! Starting a service blocks until it is up. A service that can't come up is a panic with the reason; a missing program is
//! one line that says what to install.

mod keeper;
mod slurm;
mod sshd;

pub use keeper::Keeper;
pub use slurm::{Cluster, Slurm};
pub use sshd::{Server, Sshd};
