//! What a scheduler meant when it declined a submission. Each has sentences of its own; what kinds there are, and which of
//! them is looked for first, is the same for all.

use crate::dialect::Refusal;

/// What the scheduler meant when it declined a submission.
pub(in crate::dialect) enum Declined {
    /// It will not have the job.
    Refused(Refusal),
    /// It could not be reached, or the connection broke: the job may be there.
    Unsure,
}

/// Parts of sentences by what they mean. The first list counts that has one of what was said.
pub(in crate::dialect) struct Sayings {
    /// It could not be reached.
    pub(in crate::dialect) unsure: &'static [&'static str],
    /// There is no such queue, or it is closed.
    pub(in crate::dialect) queue: &'static [&'static str],
    /// Nobody is charged.
    pub(in crate::dialect) account: &'static [&'static str],
    /// There are too many jobs already.
    pub(in crate::dialect) too_many: &'static [&'static str],
    /// It asks for what cannot be.
    pub(in crate::dialect) request: &'static [&'static str],
}

impl Sayings {
    /// What `said` means. It is searched as `heard`, which may be the same in small letters.
    pub(in crate::dialect) fn declined(&self, heard: &str, said: &str) -> Declined {
        let has = |any: &[&str]| any.iter().any(|part| heard.contains(part));
        if has(self.unsure) {
            return Declined::Unsure;
        }
        let kinds: [(_, fn(String) -> Refusal); 4] = [
            (self.queue, Refusal::Queue),
            (self.account, Refusal::Account),
            (self.too_many, Refusal::TooMany),
            (self.request, Refusal::Request),
        ];
        let kind = kinds
            .into_iter()
            .find(|(any, _)| has(any))
            .map_or(Refusal::Scheduler as fn(_) -> _, |(_, kind)| kind);
        Declined::Refused(kind(words(said)))
    }
}

/// What the scheduler said, on one line and short enough for a message.
fn words(said: &str) -> String {
    /// A message longer than this hides what matters.
    const CHARS: usize = 400;
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(CHARS).collect()
}

#[cfg(test)]
impl Declined {
    /// For tests: the kind as a word.
    pub(in crate::dialect) fn word(&self) -> &'static str {
        match self {
            Declined::Unsure => "unsure",
            Declined::Refused(Refusal::Queue(_)) => "queue",
            Declined::Refused(Refusal::Account(_)) => "account",
            Declined::Refused(Refusal::Request(_)) => "request",
            Declined::Refused(Refusal::TooMany(_)) => "too-many",
            Declined::Refused(_) => "scheduler",
        }
    }
}
