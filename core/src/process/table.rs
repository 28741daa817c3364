//! The lifecycle as a table: what the framework does with a process, decided by no clock, no actor and no journal.
//!
//! ```text
//!            Run                 To
//!  Created ───────▶ Running ◀──────────╮
//!     │    Pause  ╱    │  ╲────────────╯
//!     │    Paused ◀────┤
//!     │      │ Run ────▶
//!     │ Kill │ Kill    │ Kill         Finish ▶ Finished
//!     ╰──────┴────▶ Killing           Fail   ▶ Failed      (from Running and from Killing)
//!                     │ Killed        ▶ Killed             (from Killing only)
//! ```
//!
//! Desires are levels: they are compared with the stage whenever nothing is in flight. Steps are edges: they come from
//! the process itself, and only from one that was driven.

use crate::journal::{Desired, Stage};

/// The stage that the owner's desire leads to from here; none if the process is where it should be.
pub(crate) fn next(stage: Stage, desired: Desired) -> Option<Stage> {
    match (stage, desired) {
        (Stage::Created | Stage::Paused, Desired::Run) => Some(Stage::Running),
        (Stage::Running, Desired::Pause) => Some(Stage::Paused),
        (Stage::Created | Stage::Running | Stage::Paused, Desired::Kill) => Some(Stage::Killing),

        (Stage::Created | Stage::Paused, Desired::Pause) | (Stage::Running, Desired::Run) => None,
        // A kill is never taken back, and what has ended has ended.
        (
            Stage::Killing | Stage::Finished | Stage::Killed | Stage::Failed,
            Desired::Run | Desired::Pause | Desired::Kill,
        ) => None,
    }
}

/// What its owner wants after a new wish came in.
pub(crate) fn merge(old: Desired, new: Desired) -> Desired {
    match (old, new) {
        (Desired::Kill, Desired::Run | Desired::Pause | Desired::Kill) => Desired::Kill,
        (Desired::Run | Desired::Pause, Desired::Run | Desired::Pause | Desired::Kill) => new,
    }
}

/// What a process said with its step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    To,
    Finish,
    Fail,
    Killed,
}

/// What a step means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Go on to the next state, in this stage.
    Enter(Stage),
    /// End, in this stage.
    End(Stage),
    /// It said that it was killed, and nobody had asked for that.
    NotAsked,
    /// It is not being driven, so the step belongs to a state that was left.
    Late,
}

/// What the word of a process in this stage means.
pub(crate) fn judge(stage: Stage, said: Said) -> Verdict {
    match (stage, said) {
        (Stage::Running | Stage::Killing, Said::To) => Verdict::Enter(stage),
        // The truth wins over the wish: a job that was done when the kill came did finish.
        (Stage::Running | Stage::Killing, Said::Finish) => Verdict::End(Stage::Finished),
        (Stage::Running | Stage::Killing, Said::Fail) => Verdict::End(Stage::Failed),
        (Stage::Killing, Said::Killed) => Verdict::End(Stage::Killed),
        (Stage::Running, Said::Killed) => Verdict::NotAsked,
        (
            Stage::Created | Stage::Paused | Stage::Finished | Stage::Killed | Stage::Failed,
            Said::To | Said::Finish | Said::Fail | Said::Killed,
        ) => Verdict::Late,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desire_that_is_met_moves_nothing() {
        for stage in Stage::ALL {
            for desired in Desired::ALL {
                if let Some(then) = next(stage, desired) {
                    assert_eq!(next(then, desired), None, "{stage:?} {desired:?} must come to rest");
                    assert!(!stage.is_end(), "nothing follows {stage:?}");
                }
            }
        }
    }

    #[test]
    fn a_kill_is_never_taken_back() {
        for wish in Desired::ALL {
            assert_eq!(merge(Desired::Kill, wish), Desired::Kill);
            assert_eq!(next(Stage::Killing, wish), None);
        }
    }

    #[test]
    fn killed_is_an_end_only_of_what_was_to_be_killed() {
        for stage in Stage::ALL {
            let said = judge(stage, Said::Killed);
            assert_eq!(said == Verdict::End(Stage::Killed), stage == Stage::Killing, "{stage:?}");
        }
    }

    #[test]
    fn only_a_driven_process_is_heard() {
        for stage in Stage::ALL {
            for said in [Said::To, Said::Finish, Said::Fail, Said::Killed] {
                let heard = judge(stage, said) != Verdict::Late;
                assert_eq!(heard, matches!(stage, Stage::Running | Stage::Killing), "{stage:?} {said:?}");
            }
        }
    }
}
