//! OpenSSL's ChaCha20 and Poly1305 in the place of those of libssh2.
//!
//! libssh2 has the cipher `chacha20-poly1305@openssh.com` in plain C. With a large file that takes longer than all else that a
//! session does, and holds the thread that drives it. This crate defines the four functions that libssh2's `chacha.c` and
//! `poly1305.c` consist of (`symbols`); so the linker has no need of those two files and leaves them out. How the two are put
//! together (the keys, the lengths, the comparison of tags) is libssh2's business, as before.
//!
//! It knows no session and no packet, and offers nothing but [`is_in_place`]. Where OpenSSL has no such cipher, as in its
//! FIPS mode, the same is computed in Rust.
//!
//! With the C ABI it is the only crate that has `unsafe` code: names that C calls, and OpenSSL's MACs, which no safe
//! interface offers.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod place;
mod stream;
#[cfg(in_place)]
mod symbols;
mod tag;

pub use place::is_in_place;
