//! From the columns of a stored row to its types. Pure: it knows no database, and nothing in a column can make it panic.

use super::{BrokenRow, Desired, EffectEnd, EffectRow, ProcessRow, Stage};
use crate::{ProcessId, WallTime};

/// What one column of one row holds, before anybody has looked at it: any type can be in any column of an edited file.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Column<'a> {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number that is not whole.
    Real(f64),
    /// What the file says is text; it may be cut off within a character.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl ProcessRow {
    /// The columns that make a row, in the order in which [`from_columns`](Self::from_columns) wants them.
    pub const COLUMNS: [&'static str; 12] = [
        "id", "kind", "version", "stage", "state", "desired", "seq", "parent", "key", "born", "changed",
        "outcome",
    ];

    /// The row that these columns mean. States and outcomes must be text, and are not read any further.
    ///
    /// ```
    /// use procession::journal::{Column, ProcessRow, Stage};
    /// let text = |s: &'static str| Column::Text(s.as_bytes());
    /// let mut columns = [
    ///     Column::Integer(7), text("sum"), Column::Integer(1), text("running"), text("{\"Adding\":2}"), text("run"),
    ///     Column::Integer(3), Column::Null, text("first"), Column::Integer(0), Column::Integer(0), Column::Null,
    /// ];
    /// assert_eq!(ProcessRow::from_columns(&columns)?.stage, Stage::Running);
    /// columns[3] = text("walking");
    /// let broken = ProcessRow::from_columns(&columns).unwrap_err();
    /// assert_eq!(broken.why, "stage is \"walking\", which is no stage");
    /// # Ok::<(), procession::journal::BrokenRow>(())
    /// ```
    pub fn from_columns(columns: &[Column<'_>; 12]) -> Result<ProcessRow, BrokenRow> {
        let [id, kind, version, stage, state, desired, seq, parent, key, born, changed, outcome] = *columns;
        let row = || {
            Ok(ProcessRow {
                id: id.process("id")?,
                kind: kind.text("kind")?.to_owned().into(),
                version: version.number("version")?,
                stage: stage.word("stage", Stage::from_word)?,
                state: state.text("state")?.to_owned(),
                desired: desired.word("desired", Desired::from_word)?,
                seq: seq.number("seq")?,
                parent: parent.unless_null(|c| c.process("parent"))?,
                key: key.unless_null(|c| c.text("key"))?.map(str::to_owned),
                born: WallTime(born.integer("born")?),
                changed: WallTime(changed.integer("changed")?),
                outcome: outcome.unless_null(|c| c.text("outcome"))?.map(str::to_owned),
            })
        };
        row().map_err(|why| BrokenRow { id: id.integer("id").unwrap_or(0), why })
    }
}

/// An effect as the journal has it: whose it is, since when, and how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerRow {
    /// Whose.
    pub process: ProcessId,
    /// What.
    pub effect: EffectRow,
    /// When it was written down, just before it was made.
    pub made: WallTime,
    /// How it ended, and when; none while it is out there.
    pub end: Option<(EffectEnd, WallTime)>,
}

impl LedgerRow {
    /// The columns that make a row, in the order in which [`from_columns`](Self::from_columns) wants them.
    pub const COLUMNS: [&'static str; 8] =
        ["process", "kind", "host", "name", "attempt", "made", "ended", "end"];

    /// The row that these columns mean; the error carries the number of the process.
    ///
    /// ```
    /// use procession::journal::{Column, LedgerRow};
    /// let text = |s: &'static str| Column::Text(s.as_bytes());
    /// let (one, null) = (Column::Integer(1), Column::Null);
    /// let row = LedgerRow::from_columns(&[one, text("job"), text("login"), text("4711"), one, one, null, null])?;
    /// assert_eq!(row.end, None);
    /// # Ok::<(), procession::journal::BrokenRow>(())
    /// ```
    pub fn from_columns(columns: &[Column<'_>; 8]) -> Result<LedgerRow, BrokenRow> {
        let [process, kind, host, name, attempt, made, ended, end] = *columns;
        let row = || {
            let effect = EffectRow {
                kind: kind.text("kind")?.to_owned().into(),
                host: host.text("host")?.to_owned(),
                name: name.text("name")?.to_owned(),
                attempt: attempt.number("attempt")?,
            };
            let process = process.process("process")?;
            let end = end.unless_null(|c| c.word("end", EffectEnd::from_word))?;
            let end = end.map(|end| Ok::<_, String>((end, WallTime(ended.integer("ended")?)))).transpose()?;
            Ok(LedgerRow { process, effect, made: WallTime(made.integer("made")?), end })
        };
        row().map_err(|why: String| BrokenRow {
            id: process.integer("").unwrap_or(0),
            why: format!("an effect: {why}"),
        })
    }
}

/// The longest piece of a bad column that an error repeats, in characters: enough to find it, and no flood.
const SHOWN_CHARS: usize = 40;

impl<'a> Column<'a> {
    fn text(self, name: &str) -> Result<&'a str, String> {
        match self {
            Column::Text(bytes) => str::from_utf8(bytes).map_err(|_| format!("{name} is no valid UTF-8")),
            Column::Null | Column::Integer(_) | Column::Real(_) | Column::Blob(_) => {
                Err(self.not("text", name))
            }
        }
    }

    fn integer(self, name: &str) -> Result<i64, String> {
        match self {
            Column::Integer(number) => Ok(number),
            Column::Null | Column::Real(_) | Column::Text(_) | Column::Blob(_) => {
                Err(self.not("a whole number", name))
            }
        }
    }

    fn number<N: TryFrom<i64>>(self, name: &str) -> Result<N, String> {
        let number = self.integer(name)?;
        N::try_from(number).map_err(|_| format!("{name} is {number}, which is out of range"))
    }

    fn process(self, name: &str) -> Result<ProcessId, String> {
        let number: u64 = self.number(name)?;
        ProcessId::new(number).ok_or_else(|| format!("{name} is 0, which is no process"))
    }

    fn word<T>(self, name: &str, meaning: fn(&str) -> Option<T>) -> Result<T, String> {
        let word = self.text(name)?;
        let shown = || word.chars().take(SHOWN_CHARS).collect::<String>();
        meaning(word).ok_or_else(|| format!("{name} is {:?}, which is no {name}", shown()))
    }

    fn unless_null<T>(self, read: impl FnOnce(Self) -> Result<T, String>) -> Result<Option<T>, String> {
        match self {
            Column::Null => Ok(None),
            Column::Integer(_) | Column::Real(_) | Column::Text(_) | Column::Blob(_) => read(self).map(Some),
        }
    }

    fn not(self, wanted: &str, name: &str) -> String {
        let found = match self {
            Column::Null => "null",
            Column::Integer(_) => "a whole number",
            Column::Real(_) => "a fraction",
            Column::Text(_) => "text",
            Column::Blob(_) => "bytes",
        };
        format!("{name} is {found}, and must be {wanted}")
    }
}
