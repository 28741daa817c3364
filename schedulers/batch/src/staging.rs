//! What is put on the host before a job is submitted, in order.

use crate::dialect::Dialect;
use crate::{Place, Plan};
use procession::transport::{Answer, CancelToken, Op, Put, RemotePath, TransportError};
use serde::Serialize;
use stakker::Ret;
use std::collections::VecDeque;
use std::path::PathBuf;

/// One thing to put on the host. Doing it again does no harm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Errand {
    /// Make a folder, with its parents.
    Folder(RemotePath),
    /// Send a file or a tree of this machine. The transport compares what arrived with what was sent.
    Send {
        /// From here.
        from: PathBuf,
        /// To there.
        to: RemotePath,
    },
    /// Write a script.
    Script {
        /// Where.
        to: RemotePath,
        /// What.
        text: String,
        /// Its permission bits.
        mode: u32,
    },
}

/// What makes the sandbox of an attempt: the folder, the inputs, the scripts.
///
/// # Errors
/// A path that no host can have.
pub fn errands(
    plan: &Plan,
    place: &Place,
    dialect: &dyn Dialect,
) -> Result<VecDeque<Errand>, TransportError> {
    let no_path = |e: procession::transport::PathError| TransportError::Refused(e.to_string());
    let sandbox: RemotePath = place.sandbox().parse().map_err(no_path)?;
    let folder = dialect.folder(place).parse().map_err(no_path)?;
    let mut errands = VecDeque::from([Errand::Folder(folder)]);
    for input in &plan.spec.inputs {
        let to = input.target().unwrap_or_else(|| ".".to_string());
        let to = sandbox.join(&to.parse().map_err(no_path)?);
        if let Some(parent) = to.parent().filter(|parent| *parent != sandbox && to != sandbox) {
            errands.push_back(Errand::Folder(parent));
        }
        errands.push_back(Errand::Send { from: plan.base.join(&input.from), to });
    }
    for file in dialect.files(&plan.spec, place) {
        let mode = if file.executable { 0o755 } else { 0o644 };
        let to = sandbox.child(&file.name).map_err(no_path)?;
        errands.push_back(Errand::Script { to, text: file.text, mode });
    }
    Ok(errands)
}

impl Errand {
    /// The operation, answered with nothing but whether it worked.
    pub(crate) fn op(self, cancel: CancelToken, ret: Answer<()>) -> Op {
        match self {
            Errand::Folder(path) => Op::Mkdir { path, parents: true, ret },
            Errand::Send { from, to } => {
                let ret = Ret::new(move |sent: Option<Result<_, _>>| match sent {
                    Some(sent) => ret.ret(sent.map(|_manifest| ())),
                    None => drop(ret),
                });
                Op::Put(Put { cancel: Some(cancel), ..Put::new(from, to) }, ret)
            }
            Errand::Script { to, text, mode } => Op::Write { path: to, bytes: text.into_bytes(), mode, ret },
        }
    }
}
