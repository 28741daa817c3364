//! Bugs that are planted on purpose, so that the simulated world can show that it would find them.
//!
//! They exist only in builds with the feature `planted-bugs`, which refuses to be built without debug assertions, and even
//! there each sleeps until it is [`plant`]ed on a thread. Everywhere else [`is`] is `false` when the program is compiled.

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!(
    "`planted-bugs` is for the simulated world alone: it cannot be built without debug assertions"
);

/// A bug of the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// An answer to a state that was left is taken for an answer to the present one.
    EpochIgnored,
    /// A wish to kill does not survive a restart.
    KillForgotten,
    /// A channel of a session does not come back when its lease does.
    LeaseLost,
    /// Sessions are opened without asking the budget that all runtimes share.
    BudgetIgnored,
    /// The channel that is for control alone is lent to anybody, and one more.
    ChannelsUncounted,
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Planted>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug on this thread, or digs it out again.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Planted>) {
    PLANTED.set(bug);
}

#[cfg(feature = "planted-bugs")]
pub(crate) fn is(bug: Planted) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this bug is planted.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is(_: Planted) -> bool {
    false
}
