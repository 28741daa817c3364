//! The journal in one SQLite file.
/// To be written.
pub struct Sqlite;
