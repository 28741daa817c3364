//! Nine bugs are planted, one at a time, and the simulated world finds each of them: so it would find others.
#![cfg(feature = "planted-bugs")]

use procession::planted as core;
use procession_batch::planted as batch;
use procession_tests::world::{Setup, World};

/// A bug that is not found in so many seeds is not found.
const MOST_SEEDS: u64 = 1000;

/// Digs out what was planted, also when a test fails.
struct Planted;

impl Planted {
    fn core(bug: core::Planted) -> Planted {
        core::plant(Some(bug));
        Planted
    }

    fn batch(bug: batch::Planted) -> Planted {
        batch::plant(Some(bug));
        Planted
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        core::plant(None);
        batch::plant(None);
    }
}

/// The world finds what is planted, in words that contain one of these.
fn is_found(planted: Planted, words: &[&str]) {
    let found = (0..MOST_SEEDS).find_map(|seed| Some((seed, World::new(Setup::stormy(seed)).run().wrong?)));
    let Some((seed, wrong)) = found else { panic!("it is not found in {MOST_SEEDS} seeds") };
    println!("seed {seed}: {wrong}");
    assert!(words.iter().any(|word| wrong.contains(word)), "seed {seed} found something else: {wrong}");
    drop(planted);
    assert_eq!(World::new(Setup::stormy(seed)).run().wrong, None, "without the bug nothing is wrong");
}

#[test]
fn a_missing_fence_is_found() {
    is_found(Planted::batch(batch::Planted::NoFence), &["has started twice"]);
}

#[test]
fn a_swallowed_reply_is_found() {
    is_found(Planted::batch(batch::Planted::ReplySwallowed), &["never end", "nothing happens any more"]);
}

#[test]
fn an_ignored_epoch_is_found() {
    is_found(Planted::core(core::Planted::EpochIgnored), &[""]);
}

#[test]
fn a_ledger_row_after_the_effect_is_found() {
    is_found(Planted::batch(batch::Planted::LedgerLate), &["without a row in the ledger"]);
}

#[test]
fn a_kill_that_is_forgotten_at_a_restart_is_found() {
    is_found(Planted::core(core::Planted::KillForgotten), &["was to be killed, and finished", "not-asked"]);
}

#[test]
fn absence_that_means_finished_is_found() {
    is_found(Planted::batch(batch::Planted::AbsenceMeansFinished), &["without evidence"]);
}

#[test]
fn a_channel_that_does_not_come_back_is_found() {
    is_found(Planted::core(core::Planted::LeaseLost), &["never end", "nothing happens any more"]);
}

#[test]
fn a_budget_that_is_ignored_is_found() {
    // It is the budget, too, that counts a try which was given up and still hangs.
    let words = ["sessions were opened within an hour", "there are 3 sessions"];
    is_found(Planted::core(core::Planted::BudgetIgnored), &words);
}

#[test]
fn channels_beyond_what_was_agreed_are_found() {
    is_found(Planted::core(core::Planted::ChannelsUncounted), &["channels, and"]);
}
