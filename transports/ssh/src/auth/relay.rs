//! Between libssh2 and the agent: an agent of our own, which holds one key and lets the real one sign.
//!
//! libssh2 speaks to an agent by path and waits for it without end. Through the relay it sees only the key that was
//! chosen, and what it waits for can be shut down from outside. The socket lies in a folder that only we may enter, and is
//! gone as soon as libssh2 has connected.

use super::agent::{self, AgentKey};
use super::wire::Wire;
use rustix::fd::OwnedFd;
use std::fs::{DirBuilder, remove_dir_all};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A relay at work. Dropping it ends it; then nothing of it is left.
pub(super) struct Relay {
    folder: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Shows `key`, and lets the agent sign with the key that has this blob.
    pub(super) fn start(wire: &Arc<Wire>, agent: UnixStream, key: AgentKey, blob: Vec<u8>) -> Result<Relay> {
        let folder = folder()?;
        let mut relay = Relay { folder, thread: None };
        let listener = UnixListener::bind(relay.path())?;
        wire.guard(OwnedFd::from(agent.try_clone()?))?;
        let wire = wire.clone();
        let work = move || {
            if let Ok((client, _)) = listener.accept() {
                drop(listener);
                // The other side goes away when it is done, or when the cord is cut: that is how it ends.
                let _ = serve(&wire, client, agent, &key, &blob);
            }
        };
        relay.thread = Some(std::thread::Builder::new().name("procession-agent".to_owned()).spawn(work)?);
        Ok(relay)
    }

    /// Where it listens.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join("agent")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // If nobody has come, this is the visit that it waits for; else nobody listens any more.
        let _ = UnixStream::connect(self.path());
        let _ = remove_dir_all(&self.folder);
        if let Some(thread) = self.thread.take() {
            // It ends when its client has gone, and that one has. A panic in it is nobody's but its own.
            let _ = thread.join();
        }
    }
}

fn serve(
    wire: &Wire,
    mut client: UnixStream,
    mut agent: UnixStream,
    key: &AgentKey,
    blob: &[u8],
) -> Result<()> {
    wire.guard(OwnedFd::from(client.try_clone()?))?;
    loop {
        let request = agent::receive(&mut client)?;
        let answer = match request.first() {
            Some(&agent::REQUEST_IDENTITIES) => agent::listing(key),
            Some(&agent::SIGN_REQUEST) => match agent::signed_with(&request, blob) {
                Some(request) => {
                    agent::send(&mut agent, &request)?;
                    agent::receive(&mut agent)?
                }
                None => agent::FAILURE.to_vec(),
            },
            Some(_) | None => agent::FAILURE.to_vec(),
        };
        agent::send(&mut client, &answer)?;
    }
}

/// A new folder that only we may enter, where sockets of a session belong, or else temporary files.
fn folder() -> Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
    let below = runtime.unwrap_or_else(std::env::temp_dir);
    let mut number = 0;
    loop {
        number += 1;
        let name = format!("procession-{}-{number}", std::process::id());
        match make(&below.join(name)) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            made => return made,
        }
    }
}

fn make(folder: &Path) -> Result<PathBuf> {
    DirBuilder::new().mode(0o700).create(folder)?;
    Ok(folder.to_owned())
}
