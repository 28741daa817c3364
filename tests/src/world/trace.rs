//! What happened in a world, in order: the proof that the same seed tells the same story.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::rc::Rc;
use std::time::Duration;

/// The story of a world: always its hash, and its lines if they are kept. A clone is the same story.
#[derive(Clone)]
pub struct Trace(Rc<RefCell<Story>>);

struct Story {
    hash: Fnv,
    lines: Option<Vec<String>>,
}

/// FNV-1a, 64 bits (RFC 9923): short, and the same everywhere.
struct Fnv(u64);

impl Trace {
    /// A story of which only the hash is kept.
    pub fn hashed() -> Trace {
        Trace(Rc::new(RefCell::new(Story { hash: Fnv(0xcbf2_9ce4_8422_2325), lines: None })))
    }

    /// A story that can be read.
    pub fn kept() -> Trace {
        let trace = Trace::hashed();
        trace.0.borrow_mut().lines = Some(Vec::new());
        trace
    }

    /// Adds a line: when, who, what.
    pub fn line(&self, at: Duration, who: &str, what: fmt::Arguments<'_>) {
        let mut story = self.0.borrow_mut();
        let micros = at.as_micros();
        writeln!(story.hash, "{micros} {who} {what}").expect("hashing does not fail");
        if let Some(lines) = &mut story.lines {
            lines.push(format!("{:>14.6} {who:<10} {what}", at.as_secs_f64()));
        }
    }

    /// The hash of all lines so far.
    pub fn hash(&self) -> u64 {
        self.0.borrow().hash.0
    }

    /// The lines so far; none if they are not kept.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone().unwrap_or_default()
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_tells_two_stories_apart_whether_they_are_kept_or_not() {
        let (kept, hashed, other) = (Trace::kept(), Trace::hashed(), Trace::hashed());
        for trace in [&kept, &hashed] {
            trace.line(Duration::from_millis(1500), "host-0", format_args!("mkdir {}", "/a"));
        }
        other.line(Duration::from_millis(1501), "host-0", format_args!("mkdir /a"));
        assert_eq!(kept.hash(), hashed.hash());
        assert_ne!(kept.hash(), other.hash());
        assert_eq!(kept.lines(), ["      1.500000 host-0     mkdir /a"]);
        assert_eq!(hashed.lines().len(), 0);
    }
}
