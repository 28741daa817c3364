//! The part of a runtime that writes the board: it asks the pools how they are, and hands what is new to a thread that writes
//! the file, because writing may block.

use crate::board::{Board, Now};
use crate::exit::Trouble;
use procession::pool::Report;
use stakker::{ActorOwn, CX, Core, Ret, actor, after, call, ret_nop, ret_some_to};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// How often the pools are asked.
const EVERY: Duration = Duration::from_secs(1);

/// How a pool is asked for its report.
pub(super) type Ask = Box<dyn Fn(Ret<Report>)>;

/// Keeps the board up to date.
pub(super) struct Bulletin {
    board: Board,
    pools: Vec<(String, Ask)>,
    changed: bool,
    writer: Sender<Board>,
}

impl Bulletin {
    /// Writes the board at once, and from then on whenever a pool has changed.
    pub(super) fn start(
        core: &mut Core,
        path: PathBuf,
        board: Board,
        pools: Vec<(String, Ask)>,
    ) -> Result<ActorOwn<Bulletin>, Trouble> {
        let (writer, boards) = channel::<Board>();
        let write = move || {
            while let Ok(mut board) = boards.recv() {
                // What came meanwhile is newer.
                while let Ok(newer) = boards.try_recv() {
                    board = newer;
                }
                if let Err(why) = board.write(&path) {
                    log::warn!("{}: {why}; `procession host show` knows nothing new", path.display());
                }
            }
        };
        let thread = std::thread::Builder::new().name("procession-board".into()).spawn(write);
        thread.map_err(|why| Trouble::System { what: "a thread for the board", why })?;
        Ok(actor!(core, <Bulletin>::init(board, pools, writer), ret_nop!()))
    }

    fn init(cx: CX![], board: Board, pools: Vec<(String, Ask)>, writer: Sender<Board>) -> Option<Bulletin> {
        call!([cx], ask());
        Some(Bulletin { board, pools, changed: true, writer })
    }

    fn ask(&mut self, cx: CX![]) {
        if std::mem::take(&mut self.changed) {
            // If the writer is gone, it has said so.
            let _ = self.writer.send(self.board.clone());
        }
        for (at, (_, ask)) in self.pools.iter().enumerate() {
            ask(ret_some_to!([cx], on_report(at) as (Report)));
        }
        if !self.pools.is_empty() {
            after!(EVERY, [cx], ask());
        }
    }

    fn on_report(&mut self, _: CX![], at: usize, report: Report) {
        let Some(now) = self.board.hosts.get_mut(&self.pools[at].0) else { return };
        if now.pool.as_ref() != Some(&report) {
            *now = Now { limit: std::mem::take(&mut now.limit), pool: Some(report) };
            self.changed = true;
        }
    }
}
