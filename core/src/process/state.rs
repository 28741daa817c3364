//! The states of a kind of process: plain data, with a table of the transitions between them.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// The name in a table for "the process may end here".
pub(crate) const END: &str = "end";

/// How far a process has come. An enum of plain data; [`states!`](crate::states) implements this trait for it.
///
/// A state is written to the journal as JSON, so it cannot hold a lease, a session or any other thing that is alive:
/// those are not `Serialize`.
pub trait State: Clone + Debug + Serialize + DeserializeOwned + 'static {
    /// Counts the forms that this type has had. Raise it when old JSON no longer fits, and teach
    /// [`upgrade`](Self::upgrade) the old form.
    const VERSION: u32 = 1;

    /// The transitions that exist. Empty means that they are not checked.
    const TABLE: &'static [Edge] = &[];

    /// The name of this state in the table.
    fn name(&self) -> &'static str {
        "state"
    }

    /// Reads a state that was written in an older form.
    fn upgrade(version: u32, old: serde_json::Value) -> Result<Self, Unreadable> {
        let _ = old;
        Err(Unreadable(format!(
            "it has version {version}, and version {} has no way to read it",
            Self::VERSION
        )))
    }
}

/// The transitions out of one state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edge {
    /// The name of the state that is left.
    pub from: &'static str,
    /// The names of the states that may follow; `end` if the process may finish or fail here.
    pub to: &'static [&'static str],
}

/// A state that cannot be read: what does not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Whether the table names this transition; always, where there is no table.
pub(crate) fn is_named(table: &[Edge], from: &str, to: &str) -> bool {
    table.is_empty() || table.iter().any(|e| e.from == from && e.to.contains(&to))
}

/// Reads a state of any version that `S` knows.
pub(crate) fn read<S: State>(version: u32, json: &str) -> Result<S, Unreadable> {
    if version == S::VERSION {
        return serde_json::from_str(json).map_err(|e| Unreadable(e.to_string()));
    }
    if version > S::VERSION {
        let known = S::VERSION;
        return Err(Unreadable(format!("it has version {version}, and this program knows up to {known}")));
    }
    S::upgrade(version, serde_json::from_str(json).map_err(|e| Unreadable(e.to_string()))?)
}

/// Implements [`State`](crate::State) for an enum, with its table of transitions.
///
/// Each line names a variant and the variants that may follow it; `end` says that the process may end there.
/// A version other than 1 stands behind the name, with the function that reads older forms.
///
/// ```
/// use procession::{State, Unreadable, states};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// enum Sum { Fetching, Adding { b: i64 } }
///
/// states! {
///     Sum version 2 (from_one) {
///         Fetching => [Adding, end],
///         Adding => [end],
///     }
/// }
///
/// fn from_one(_version: u32, _old: serde_json::Value) -> Result<Sum, Unreadable> {
///     Ok(Sum::Fetching)
/// }
///
/// assert_eq!(Sum::Adding { b: 1 }.name(), "Adding");
/// assert_eq!(Sum::TABLE.len(), 2);
/// assert_eq!(Sum::VERSION, 2);
/// ```
#[macro_export]
macro_rules! states {
    ($state:ident $(version $version:literal ($upgrade:path))? { $($from:ident => [$($to:ident),* $(,)?]),+ $(,)? }) => {
        impl $crate::State for $state {
            $(const VERSION: u32 = $version;)?
            const TABLE: &'static [$crate::Edge] =
                &[$($crate::Edge { from: stringify!($from), to: &[$(stringify!($to)),*] }),+];
            fn name(&self) -> &'static str {
                match self { $($state::$from { .. } => stringify!($from)),+ }
            }
            $(fn upgrade(version: u32, old: $crate::json::Value) -> ::core::result::Result<Self, $crate::Unreadable> {
                $upgrade(version, old)
            })?
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Edge] = &[Edge { from: "A", to: &["B", END] }, Edge { from: "B", to: &[END] }];

    #[test]
    fn a_table_names_what_it_names_and_nothing_else() {
        assert!(is_named(TABLE, "A", "B"));
        assert!(is_named(TABLE, "A", END));
        assert!(!is_named(TABLE, "B", "A"));
        assert!(!is_named(TABLE, "C", END));
    }

    #[test]
    fn an_empty_table_forbids_nothing() {
        assert!(is_named(&[], "B", "A"));
    }
}
