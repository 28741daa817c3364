//! What people see: lines, colours, tables, times. Everything that is printed goes through here.
//!
//! stdout is for what was asked for, stderr for what is said about it. A reader who has gone away (`| head`) is no error.

use crate::exit::Trouble;
use indicatif::MultiProgress;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use procession::WallTime;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The bars at the bottom of the terminal, while there are some. Whoever prints goes above them.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Whether something that was asked for could not be printed.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether something that was asked for could not be printed, though somebody may have wanted to read it.
pub(crate) fn has_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Keeps these bars below everything that is printed from now on.
pub(crate) fn keep_below(bars: &MultiProgress) {
    // There is one terminal, and one command draws on it.
    let _ = BARS.set(bars.clone());
}

/// Prints a line, or several, to stdout. Whether anybody still reads.
pub(crate) fn out(text: &str) -> bool {
    let write = || writeln!(std::io::stdout().lock(), "{text}");
    is_read(above_bars(write))
}

/// Prints bytes to stdout as they are. Whether anybody still reads.
pub(crate) fn out_bytes(bytes: &[u8]) -> bool {
    let write = || {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    };
    is_read(above_bars(write))
}

/// Prints a line, or several, to stderr.
pub(crate) fn err(text: &str) {
    let write = || writeln!(std::io::stderr().lock(), "{text}");
    // If stderr is gone, there is nobody to tell.
    let _ = above_bars(write);
}

/// Prints why a command failed.
pub(crate) fn complain(trouble: &Trouble, json: bool) {
    if json {
        crate::json::print(&crate::json::Error::of(trouble));
    }
    let paint = Paint::of(&std::io::stderr());
    err(&format!("{} {trouble}", paint.bad("procession:")));
}

/// Does something on the terminal while the bars are not there.
pub(crate) fn with_bars_aside<T>(work: impl FnOnce() -> T) -> T {
    match BARS.get() {
        Some(bars) => bars.suspend(work),
        None => work(),
    }
}

fn above_bars(write: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<()> {
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

fn is_read(written: std::io::Result<()>) -> bool {
    match written {
        Ok(()) => true,
        Err(why) if why.kind() == ErrorKind::BrokenPipe => false,
        Err(why) => {
            // Once is enough.
            if !LOST.swap(true, Ordering::Relaxed) {
                err(&format!("procession: stdout cannot be written: {why}"));
            }
            false
        }
    }
}

/// Colours, where they are welcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// For a stream: only on a terminal that knows colours, and not if the user has set `NO_COLOR`
    /// (<https://no-color.org>).
    pub(crate) fn of(stream: &impl IsTerminal) -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Paint { on: stream.is_terminal() && !refused && !dumb }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }
    pub(crate) fn still(self, text: &str) -> String {
        self.paint("33", text)
    }
    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// The word of a phase, in its colour.
    pub(crate) fn phase(self, word: &str, ok: Option<bool>) -> String {
        match (word, ok) {
            (_, Some(true)) => self.good(word),
            (_, Some(false)) => self.bad(word),
            ("paused" | "killing", None) => self.still(word),
            (_, None) => word.to_owned(),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Rows under headings, each column as wide as its widest cell. Colours do not count.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    let all = || std::iter::once(&heads).chain(rows);
    let widths: Vec<usize> =
        (0..heads.len()).map(|at| all().map(|row| width(&row[at])).max().unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).map(|(cell, wide)| format!("{cell}{}", " ".repeat(wide - width(cell))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

/// How many characters are seen: escape sequences of ours are not.
fn width(cell: &str) -> usize {
    let mut escaped = false;
    let seen = cell.chars().filter(|c| {
        let visible = !escaped && *c != '\x1b';
        escaped = (escaped || *c == '\x1b') && *c != 'm';
        visible
    });
    seen.count()
}

/// A text from elsewhere, on one line and without what could steer a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(|c: char| c.is_control(), "?")
}

/// A moment for programs: RFC 3339, in UTC.
pub(crate) fn stamp(at: WallTime) -> String {
    Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}

/// A moment for people, in the time zone of this machine.
pub(crate) fn moment(at: WallTime) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago a moment was, in one unit or two.
pub(crate) fn age(at: WallTime) -> String {
    let now = Timestamp::now().as_millisecond();
    span(now.saturating_sub(at.0).max(0) / 1000)
}

/// A length of time in seconds, in one unit or two.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// Sends what the library logs to stderr. `verbose` is how often `-v` was given.
pub(crate) fn listen_to_log(verbose: u8) {
    static LOG: Log = Log;
    let level = match verbose {
        0 => log::LevelFilter::Error,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Trace,
    };
    if log::set_logger(&LOG).is_ok() {
        log::set_max_level(level);
    }
}

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        err(&format!("{} {} {}", Timestamp::now(), record.level().as_str().to_lowercase(), record.args()));
    }
    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room_in_a_table() {
        let paint = Paint { on: true };
        let rows = vec![vec![paint.bad("failed"), "x".into()], vec!["ok".into(), "y".into()]];
        let lines: Vec<usize> = table(&["PHASE", "N"], &rows).lines().map(width).collect();
        assert_eq!(lines, [9, 9, 9]);
    }

    #[test]
    fn times_have_one_unit_or_two() {
        assert_eq!([5, 65, 3_700, 90_000].map(span), ["5s", "1m05s", "1h01m", "1d01h"]);
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\n\tb\x1b[2J"), "a b?[2J");
    }
}
