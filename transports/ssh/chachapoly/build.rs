//! Decides whether libssh2's functions are replaced, and what OpenSSL can do for us.

use std::path::Path;

/// `LIBSSH2_VERSION_NUM` of the versions whose `chacha.h` and `poly1305.h` were read: a `struct chacha_ctx` is the sixteen
/// words of the cipher's state, and a tag is made in one call. Beside any other version nothing is replaced.
const READ: [&str; 1] = ["0x010b01"];

/// The first OpenSSL that has MACs of any kind (`EVP_MAC_init(3)`).
const MACS: u64 = 0x3000_0000;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(in_place, openssl_has_macs)");
    if libssh2_version().is_some_and(|version| READ.contains(&version.as_str())) {
        println!("cargo::rustc-cfg=in_place");
    }
    if openssl_version().is_some_and(|version| version >= MACS) {
        println!("cargo::rustc-cfg=openssl_has_macs");
    }
}

/// Of a libssh2 that `libssh2-sys` has built from source. A system's own libssh2 has no root, and is left alone.
fn libssh2_version() -> Option<String> {
    let root = std::env::var("DEP_SSH2_ROOT").ok()?;
    let header = std::fs::read_to_string(Path::new(&root).join("include/libssh2.h")).ok()?;
    let number = header.lines().find_map(|line| line.strip_prefix("#define LIBSSH2_VERSION_NUM"))?;
    Some(number.trim().to_owned())
}

/// As `openssl-sys` has found it. LibreSSL has a version of another name.
fn openssl_version() -> Option<u64> {
    u64::from_str_radix(&std::env::var("DEP_OPENSSL_VERSION_NUMBER").ok()?, 16).ok()
}
