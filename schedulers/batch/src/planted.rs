//! Bugs that are planted on purpose, so that the simulated world can show that it would find them. See the module of the
//! same name in the core for when they exist.

use std::borrow::Cow;

/// A bug of batch jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// Nothing keeps a second submission, or a second frame, of the same attempt from going on.
    NoFence,
    /// An operation that is never answered leaves its process waiting for ever.
    ReplySwallowed,
    /// What is made on a host is written down when it is gone.
    LedgerLate,
    /// A job that the scheduler does not know is taken for one that ended well.
    AbsenceMeansFinished,
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

/// A script of the direct dialect, with its fences.
pub(crate) fn fenced(script: &'static str) -> Cow<'static, str> {
    if !is(Planted::NoFence) {
        return Cow::Borrowed(script);
    }
    let open =
        |text: String, fence: &str| text.replace(&format!("mkdir {fence}"), &format!("mkdir -p {fence}"));
    let text = open(script.to_string(), r#""$1/.attempt-$2" 2>"#);
    let text = text.replace("[ -d \"$here/started\" ] && exit 97\n", "");
    Cow::Owned(open(text, r#""$here/started" 2>/dev/null || exit 97"#))
}
