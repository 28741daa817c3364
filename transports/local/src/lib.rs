//! Commands and files on this machine, for Procession.
//!
//! [`Local`] carries out the operations of [`procession::transport`]. The thread it is driven by never blocks: children are
//! awaited through pidfds and listened to through pipes, and everything that touches a file system or a name server
//! happens on one helper thread. The crate installs no signal handler, reaps no child that is not its own, and is not
//! disturbed by SIGPIPE: it writes to no pipe.
//!
//! A command of a transport is killed with it. One that is to survive this program is a [`LocalProcess`].
#![forbid(unsafe_code)]

mod dial;
mod exec;
mod files;
mod leader;
mod process;
mod transport;
mod watched;
mod worker;

pub use process::{Command, Commands, End, Limit, Limits, LocalProcess, LocalState, Machine, OsProcess, Ran};
pub use transport::{Config, Local, StartError};
