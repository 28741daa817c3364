//! Whether a certificate proves that a host is who it says. The rules: `PROTOCOL.certkeys` of OpenSSH.

use super::HostName;
use super::name::matches;
use crate::certificate::Certificate;
use procession::WallTime;

/// The first reason against it. `trusted`: whether the one who signed it may speak for this host.
pub(super) fn verify(
    certificate: &Certificate,
    host: &HostName,
    trusted: bool,
    now: WallTime,
) -> Result<(), &'static str> {
    if !trusted {
        return Err("no @cert-authority line for this host names the one who signed it");
    }
    if !certificate.is_host {
        return Err("it is not one of a host");
    }
    if certificate.is_restricted {
        return Err("it demands an option that is not known here");
    }
    let names = &certificate.principals;
    let is_named = |name: &String| matches(&name.to_ascii_lowercase(), host.name());
    if !names.is_empty() && !names.iter().any(is_named) {
        return Err("it is for other names");
    }
    let seconds = u64::try_from(now.0 / 1000).unwrap_or(0);
    if seconds < certificate.valid_after {
        return Err("it is not valid yet");
    }
    if seconds >= certificate.valid_before {
        return Err("it has expired");
    }
    if !certificate.is_signed() {
        return Err("its signature is wrong");
    }
    Ok(())
}
