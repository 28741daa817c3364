//! The quantities of a job file: times, sizes, ranges. Each reads what people write, and prints what it reads.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// What a job needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Nodes.
    pub nodes: u32,
    /// Tasks in all: the ranks of an MPI program.
    pub tasks: u32,
    /// Cores for each task.
    pub cpus_per_task: u32,
    /// Memory on each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The longest it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walltime: Option<Span>,
    /// GPUs on each node.
    pub gpus: u32,
    /// Their kind, as the scheduler names it: `a100`. Any will do if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
}

impl Default for Resources {
    fn default() -> Resources {
        Resources { nodes: 1, tasks: 1, cpus_per_task: 1, memory: None, walltime: None, gpus: 0, gpu: None }
    }
}

/// A length of time, in whole seconds: `"90s"`, `"1h30m"`, `"2d"`, `"00:30:00"`, `"2-00:00:00"`.
///
/// ```
/// use procession_batch::Span;
/// assert_eq!("1h30m".parse::<Span>()?.seconds(), 5_400);
/// assert_eq!("2-00:30:00".parse::<Span>()?.to_string(), "2d30m");
/// assert!("30:00".parse::<Span>().is_err(), "hours or minutes?");
/// # Ok::<(), procession_batch::QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

/// A number of bytes: `"4GiB"`, `"500M"`, `"1.5G"`, `"2TB"`. As in Slurm, `K`, `M`, `G` and `T` are powers of 1024; `KB` and
/// its like are powers of 1000.
///
/// ```
/// use procession_batch::Memory;
/// assert_eq!("500M".parse::<Memory>()?.bytes(), 500 << 20);
/// assert_eq!("4GiB".parse::<Memory>()?.to_string(), "4GiB");
/// # Ok::<(), procession_batch::QuantityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memory(u64);

/// The indices of an array: `"16"` is 0 to 15, `"1-9"` is 1 to 9, `"0-20:5"` goes in steps of five.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArrayRange {
    /// The first index.
    pub first: u32,
    /// No index is larger.
    pub last: u32,
    /// From one to the next.
    pub step: NonZeroU32,
}

/// Why a quantity cannot be read, and how to write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QuantityError {
    /// Not a length of time.
    #[error("not a length of time; write it like \"90s\", \"1h30m\", \"00:30:00\" or \"2-00:00:00\"")]
    Span,
    /// Not a number of bytes.
    #[error("not a size; write it with its unit, like \"4GiB\" or \"500M\"")]
    Memory,
    /// Not a range of indices.
    #[error("not a range of indices; write it like \"16\" (0 to 15), \"1-9\" or \"0-20:5\"")]
    Range,
}

impl Span {
    /// So many seconds.
    pub const fn of_seconds(seconds: u64) -> Span {
        Span(seconds)
    }

    /// In seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl Memory {
    /// So many bytes.
    pub const fn of_bytes(bytes: u64) -> Memory {
        Memory(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Span {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Span, QuantityError> {
        let seconds = if text.contains(':') { clock(text) } else { units(text) };
        seconds.map(Span).ok_or(QuantityError::Span)
    }
}

/// `[DAYS-]HH:MM:SS`
fn clock(text: &str) -> Option<u64> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let mut parts = rest.split(':').map(digits);
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = parts.next().is_none() && m < 60 && s < 60;
    let days = digits(days)?.checked_mul(86_400)?;
    if fits { h.checked_mul(3600)?.checked_add(m * 60 + s)?.checked_add(days) } else { None }
}

/// `2d3h4m5s`, each unit at most once and in this order.
fn units(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, seconds) in SPAN_UNITS {
        if let Some((count, after)) = rest.split_once(unit) {
            total = digits(count)?.checked_mul(seconds).and_then(|part| total.checked_add(part))?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

const SPAN_UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, seconds) in SPAN_UNITS {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

const MEMORY_UNITS: [(&str, u64); 15] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("T", 1 << 40),
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
    ("k", 1 << 10),
    ("B", 1),
];

impl FromStr for Memory {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Memory, QuantityError> {
        let parse = || {
            let (number, unit) = MEMORY_UNITS
                .iter()
                .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), *bytes)))?;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            // Six digits behind the point are more than anybody means; and no float ever rounds a size.
            let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok().filter(|n| *n <= 6)?)?;
            let part = u128::from(digits(fraction)?) * u128::from(unit) / u128::from(scale);
            digits(whole)?.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
        };
        parse().map(Memory).ok_or(QuantityError::Memory)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = MEMORY_UNITS[..4].iter().find(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes));
        match exact {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl ArrayRange {
    /// Its indices, in order.
    pub fn indices(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).step_by(self.step.get() as usize)
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> usize {
        ((self.last - self.first) / self.step.get()) as usize + 1
    }
}

impl FromStr for ArrayRange {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<ArrayRange, QuantityError> {
        let number = |text: &str| digits(text).and_then(|n| u32::try_from(n).ok());
        let parse = || {
            let Some((first, rest)) = text.split_once('-') else {
                return Some(ArrayRange {
                    first: 0,
                    last: number(text)?.checked_sub(1)?,
                    step: NonZeroU32::MIN,
                });
            };
            let (last, step) = rest.split_once(':').unwrap_or((rest, "1"));
            let range = ArrayRange {
                first: number(first)?,
                last: number(last)?,
                step: NonZeroU32::new(number(step)?)?,
            };
            (range.first <= range.last).then_some(range)
        };
        parse().ok_or(QuantityError::Range)
    }
}

impl fmt::Display for ArrayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}:{}", self.first, self.last, self.step)
    }
}

/// Strings in the file, types in the program.
macro_rules! as_text {
    ($($quantity:ty),*) => {$(
        impl TryFrom<String> for $quantity {
            type Error = QuantityError;
            fn try_from(text: String) -> Result<$quantity, QuantityError> {
                text.parse()
            }
        }
        impl From<$quantity> for String {
            fn from(quantity: $quantity) -> String {
                quantity.to_string()
            }
        }
    )*};
}
as_text!(Span, Memory, ArrayRange);

#[cfg(test)]
mod tests {
    use super::{ArrayRange, Memory, Span};

    #[test]
    fn times_read_as_people_and_schedulers_write_them() {
        let cases = [
            ("90s", 90),
            ("1h30m", 5400),
            ("2d", 172_800),
            ("00:30:00", 1800),
            ("2-00:00:01", 172_801),
            ("0s", 0),
        ];
        for (text, seconds) in cases {
            assert_eq!(text.parse(), Ok(Span(seconds)), "{text}");
            assert_eq!(Span(seconds).to_string().parse(), Ok(Span(seconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "30:00",
            "1h1h",
            "5m1h",
            "-1s",
            "1:60:00",
            "1-2",
            "+1s",
            "99999999999999999999s",
            "1 h",
            "::",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text:?} is not a time");
        }
    }

    #[test]
    fn sizes_need_a_unit_and_never_round_up() {
        let cases = [("4GiB", 4 << 30), ("500M", 500 << 20), ("1.5G", 3 << 29), ("2 KB", 2000), ("7B", 7)];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Memory(bytes)), "{text}");
            assert_eq!(Memory(bytes).to_string().parse(), Ok(Memory(bytes)), "{text}");
        }
        for text in
            ["", "4", "GiB", "-4G", "4X", "1.2.3G", "1.1234567G", "99999999999999999999G", "1e3M", "."]
        {
            assert!(text.parse::<Memory>().is_err(), "{text:?} is not a size");
        }
    }

    #[test]
    fn ranges_of_an_array_have_a_first_a_last_and_a_step() {
        assert_eq!("16".parse::<ArrayRange>().map(|r| (r.first, r.last, r.step.get())), Ok((0, 15, 1)));
        assert_eq!("0-20:5".parse::<ArrayRange>().map(|r| r.to_string()), Ok("0-20:5".to_string()));
        for text in ["", "0", "3-1", "1-9:0", "a-b", "1-"] {
            assert!(text.parse::<ArrayRange>().is_err(), "{text:?} is not a range");
        }
    }
}
