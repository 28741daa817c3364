//! A line for each metric: ours, the peers, and whether the promise is kept.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One metric, measured.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its name; never changes its meaning.
    pub metric: &'static str,
    /// Of `ours` and of all peers.
    pub unit: &'static str,
    /// None if it could not be measured here: no valgrind for instructions.
    pub ours: Option<f64>,
    pub peers: BTreeMap<&'static str, f64>,
    /// `ours` divided by each peer.
    pub ratio: BTreeMap<&'static str, f64>,
    /// The promise, in words; empty if there is none.
    pub gate: String,
    /// Whether it is kept; none if there is no promise, or no measurement.
    pub ok: Option<bool>,
}

/// A promise about `ours`.
pub enum Limit {
    /// At most so much.
    Most(f64),
    /// At most so many times a peer.
    MostOf(f64, &'static str),
    /// At least so many times a peer.
    LeastOf(f64, &'static str),
    /// At most a peer and so much more.
    MostOver(f64, &'static str),
    /// A peer takes at least so many times as long.
    Faster(f64, &'static str),
    /// Either of two.
    Either(Box<Limit>, Box<Limit>),
}

impl Row {
    /// Holds what was measured against all `limits`.
    pub fn new(
        metric: &'static str,
        unit: &'static str,
        ours: Option<f64>,
        peers: impl IntoIterator<Item = (&'static str, f64)>,
        limits: &[Limit],
    ) -> Row {
        let peers: BTreeMap<_, _> = peers.into_iter().map(|(name, x)| (name, rounded(x))).collect();
        let ours = ours.map(rounded);
        let ratio = match ours {
            Some(ours) => peers.iter().map(|(name, x)| (*name, rounded(ours / x))).collect(),
            None => BTreeMap::new(),
        };
        let kept: Option<Vec<bool>> = limits.iter().map(|l| l.kept(ours?, &peers)).collect();
        let gate = limits.iter().map(Limit::to_string).collect::<Vec<_>>().join(" and ");
        let ok = kept.filter(|k| !k.is_empty()).map(|k| k.iter().all(|k| *k));
        Row { metric, unit, ours, peers, ratio, gate, ok }
    }
}

impl Limit {
    /// None if the peer was not measured.
    fn kept(&self, ours: f64, peers: &BTreeMap<&'static str, f64>) -> Option<bool> {
        let peer = |name: &str| peers.get(name).copied();
        Some(match self {
            Limit::Most(most) => ours <= *most,
            Limit::MostOf(times, name) => ours <= times * peer(name)?,
            Limit::LeastOf(times, name) => ours >= times * peer(name)?,
            Limit::MostOver(more, name) => ours <= peer(name)? + more,
            Limit::Faster(times, name) => peer(name)? >= times * ours,
            Limit::Either(a, b) => a.kept(ours, peers)? || b.kept(ours, peers)?,
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Most(most) => write!(f, "≤ {most}"),
            Limit::MostOf(times, name) => write!(f, "≤ {times} × {name}"),
            Limit::LeastOf(times, name) => write!(f, "≥ {times} × {name}"),
            Limit::MostOver(more, name) => write!(f, "≤ {name} + {more}"),
            Limit::Faster(times, name) => write!(f, "≥ {times} × faster than {name}"),
            Limit::Either(a, b) => write!(f, "{a} or {b}"),
        }
    }
}

/// The table for people; `Display` of a row is one line of it.
pub const HEAD: &str =
    "metric                        ours unit           kept  gate | peers (ours divided by each)";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = self.ours.map_or("-".into(), |x| x.to_string());
        let kept = match self.ok {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        write!(f, "{:<22} {ours:>11} {:<14} {kept:<5} {} |", self.metric, self.unit, self.gate)?;
        for (name, x) in &self.peers {
            write!(f, " {name} {x}")?;
            if let Some(ratio) = self.ratio.get(name) {
                write!(f, " ({ratio})")?;
            }
        }
        Ok(())
    }
}

/// Four digits are more than any of these measurements is worth.
fn rounded(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return 0.0;
    }
    let digits = 10f64.powf(3.0 - x.abs().log10().floor());
    if digits <= 1.0 { x.round() } else { (x * digits).round() / digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_must_be_kept() {
        let row = |ours, limits: &[Limit]| Row::new("m", "ns", ours, [("a", 10.0), ("b", 100.0)], limits);
        let both = [Limit::Most(20.0), Limit::MostOf(1.5, "a")];
        assert_eq!(row(Some(15.0), &both).ok, Some(true));
        assert_eq!(row(Some(16.0), &both).ok, Some(false));
        assert_eq!(row(Some(16.0), &both).gate, "≤ 20 and ≤ 1.5 × a");
        let either = [Limit::Either(Box::new(Limit::Most(1.0)), Box::new(Limit::Faster(5.0, "b")))];
        assert_eq!(row(Some(20.0), &either).ok, Some(true));
        assert_eq!(row(Some(20.0), &[Limit::LeastOf(3.0, "a"), Limit::MostOver(1.0, "b")]).ok, Some(false));
    }

    #[test]
    fn what_was_not_measured_is_neither_kept_nor_broken() {
        let unmeasured = Row::new("m", "ns", None, [("a", 1.0)], &[Limit::Most(1.0)]);
        assert_eq!((unmeasured.ok, unmeasured.ratio.len()), (None, 0));
        assert_eq!(Row::new("m", "ns", Some(1.0), [], &[Limit::MostOf(1.0, "a")]).ok, None);
        assert_eq!(Row::new("m", "ns", Some(1.0), [], &[]).ok, None);
    }

    #[test]
    fn numbers_have_four_digits() {
        assert_eq!([12345.6, 123.456, 0.0123456].map(rounded), [12346.0, 123.5, 0.01235]);
    }
}
