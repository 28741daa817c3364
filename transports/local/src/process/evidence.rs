//! The shell that stands between, and the evidence that it leaves.
//!
//! A command that is to survive this program needs a witness: a small script that waits for the gate, puts up the fence,
//! runs the command, and writes how it ended. It gets everything as arguments, so nothing is quoted or interpolated.

use procession::transport::Ended;
use std::time::Duration;

/// The witness. Its arguments: the folder, the folder of the evidence, the files for stdin, stdout and stderr, then the
/// command.
///
/// It reads one line before it does anything: if this program dies before the process is in the journal, there is an end
/// of file instead, and nothing has happened. The trap lets the command have its SIGTERM and the witness still see how it
/// ended; a handler, unlike an ignored signal, is not inherited. What is wrong with a file (95) or the folder (96) is found
/// before the fence, so that it is not taken for an exit code of the command.
pub(super) const WITNESS: &str = r#"
read -r _ || exit 98
mkdir -p -- "$1" && cd -- "$1" || exit 96
[ -r "$3" ] && true >>"$4" && true >>"$5" || exit 95
mkdir -- "$2" || exit 97
trap : HUP INT TERM
(shift 5; exec "$@") <"$3" >"$4" 2>"$5"
code=$?
{ echo "code $code"; times; } >"$2/exit.tmp" && mv -- "$2/exit.tmp" "$2/exit"
exit "$code"
"#;

/// The gate alone, with the same arguments, for a process that is in no journal: it becomes the command.
pub(super) const GATE: &str = r#"
read -r _ || exit 98
if [ -n "$1" ]; then mkdir -p -- "$1" && cd -- "$1" || exit 96; fi
[ -r "$3" ] && true >>"$4" && true >>"$5" || exit 95
exec <"$3" >"$4" 2>"$5"
shift 5
exec "$@"
"#;

/// The exit code of a witness whose gate was never opened.
pub(super) const GATE_CLOSED: i32 = 98;

/// The file in the folder of the evidence that says how the command ended.
pub(super) const EXIT: &str = "exit";

/// The longest exit file, in bytes: three short lines.
pub(super) const LONGEST: u64 = 1024;

/// What the exit file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Evidence {
    pub(super) ended: Ended,
    /// Of the command and the children that it waited for.
    pub(super) cpu: Option<Duration>,
}

/// Reads an exit file. None if the witness cannot have written this.
pub(super) fn read(bytes: &[u8]) -> Option<Evidence> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let code: i32 = lines.next()?.strip_prefix("code ")?.parse().ok()?;
    // POSIX: the exit status of a command that a signal ended is greater than 128, and everywhere it is 128 + signal.
    let ended = if code > 128 { Ended::Signal(code - 128) } else { Ended::Code(code) };
    // POSIX times: the shell's own times on the first line, those of its children on the second.
    let cpu = lines.nth(1).and_then(|line| line.split_whitespace().map(seconds).sum());
    Some(Evidence { ended, cpu })
}

/// `1m2.345s`
fn seconds(text: &str) -> Option<Duration> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    let minutes: u32 = minutes.parse().ok()?;
    // Some locales write a comma.
    let seconds: f64 = seconds.replace(',', ".").parse().ok()?;
    let seconds = Duration::try_from_secs_f64(seconds).ok()?;
    Duration::from_secs(u64::from(minutes) * 60).checked_add(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_all_shells_are_read() {
        let dash = b"code 0\n0m0.000000s 0m0.000000s\n1m2.500000s 0m0.250000s\n";
        let cpu = Some(Duration::from_millis(62_750));
        assert_eq!(read(dash), Some(Evidence { ended: Ended::Code(0), cpu }));
        let bash = b"code 137\n0m0.001s 0m0.002s\n0m0,010s 0m0,020s\n";
        let cpu = Some(Duration::from_millis(30));
        assert_eq!(read(bash), Some(Evidence { ended: Ended::Signal(9), cpu }));
        assert_eq!(read(b"code 3\n"), Some(Evidence { ended: Ended::Code(3), cpu: None }));
    }

    #[test]
    fn what_no_witness_wrote_is_no_evidence() {
        for text in [&b""[..], b"code", b"code x", b"exit 0", b"\xff", b"code 99999999999"] {
            assert_eq!(read(text), None);
        }
        assert_eq!(read(b"code 0\na\nxm1s 0m-1s\n").and_then(|e| e.cpu), None);
    }
}
