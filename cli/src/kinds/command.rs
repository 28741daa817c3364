//! Commands of this machine, as other programs leave them in a journal.

use crate::view::Sketch;
use procession::journal::ProcessRow;
use procession::transport::Ended;
use procession_local::{Command, End, LocalState, Ran};

/// What there is to say about the row; none if it cannot be read.
pub(crate) fn sketch(row: &ProcessRow) -> Option<Sketch> {
    let (command, detail) = match serde_json::from_str(&row.state).ok()? {
        LocalState::Queued { command } => (command, "waits for its turn".to_owned()),
        LocalState::Running { command, os, .. } => (command, format!("runs as process {}", os.pid)),
        LocalState::Stopping { command, limit, .. } => (command, format!("is stopped: it came to {limit:?}")),
    };
    let Command { argv, .. } = command;
    let ran = row.outcome.as_deref().and_then(|json| serde_json::from_str::<Ran>(json).ok());
    Some(Sketch {
        name: argv.first().cloned(),
        host: Some(crate::Hosts::LOCAL.to_owned()),
        detail: ran.as_ref().map_or(detail, |ran| ending(&ran.end)),
        well: ran.is_some_and(|ran| ran.end == End::Ended(Ended::Code(0))),
        ..Sketch::default()
    })
}

fn ending(end: &End) -> String {
    match end {
        End::Ended(Ended::Code(code)) => format!("exited with {code}"),
        End::Ended(Ended::Signal(signal)) => format!("ended by signal {signal}"),
        End::Limit(limit) => format!("stopped: it came to its limit ({limit:?})").to_lowercase(),
        End::Vanished => "vanished without evidence of its end".to_owned(),
    }
}
