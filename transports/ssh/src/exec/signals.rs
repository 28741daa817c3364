//! Signals by name, as ssh tells them.

/// SIGINT.
pub(super) const INT: i32 = 2;
/// SIGPIPE.
pub(super) const PIPE: i32 = 13;

/// The number of a signal on Linux from its name without `SIG`: those of RFC 4254, section 6.10, and those that OpenSSH tells
/// besides with its own suffix (`session.c`, `sig2name`).
pub(super) fn number(name: &str) -> Option<i32> {
    Some(match name.strip_suffix("@openssh.com").unwrap_or(name) {
        "HUP" => 1,
        "INT" => INT,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => PIPE,
        "ALRM" => 14,
        "TERM" => 15,
        _ => return None,
    })
}
