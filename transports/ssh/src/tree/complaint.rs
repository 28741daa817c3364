//! What the commands of a host mean when they complain.

use procession::transport::TransportError;

/// What the complaint of a command means: the texts of strerror(3), which are the same on every host with `LC_ALL=C`.
pub(super) fn reason(subject: &str, complaint: &str) -> Option<TransportError> {
    let line = |text: &str| complaint.lines().find(|line| line.contains(text));
    let path = || subject.to_owned();
    if line("No space left on device").is_some() || line("uota exceeded").is_some() {
        Some(TransportError::NoSpace(path()))
    } else if line("Permission denied").is_some()
        || line("Read-only file system").is_some()
        || line("Operation not permitted").is_some()
    {
        Some(TransportError::Permission(path()))
    } else if line("No such file or directory").is_some() || line("Not a directory").is_some() {
        Some(TransportError::NotFound(path()))
    } else if line("File exists").is_some()
        || line("cannot overwrite").is_some()
        || line("Is a directory").is_some()
        || line("Directory not empty").is_some()
    {
        Some(TransportError::Exists(path()))
    } else {
        let line = complaint.lines().rfind(|line| !line.trim().is_empty())?;
        Some(TransportError::Io { path: path(), why: line.chars().take(300).collect() })
    }
}
