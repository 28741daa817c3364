//! The functions of libssh2's `chacha.c` and `poly1305.c`, under their names.
//!
//! Each is what its namesake in libssh2 1.11 is (`chacha.h`, `poly1305.h`); a `struct chacha_ctx` is a [`State`]. Who calls them is
//! `cipher-chachapoly.c`, which hands over pointers that are valid for the lengths that it says: that is all the safety there is.
#![expect(unsafe_code, reason = "C calls them, and hands over pointers")]

use crate::stream::{self, State};
use crate::tag;
use std::slice;

/// Puts a key into a state. libssh2 knows keys of 256 bits only.
#[unsafe(no_mangle)]
unsafe extern "C" fn chacha_keysetup(state: *mut State, key: *const [u8; 32], _bits: u32) {
    // SAFETY: the caller has a state, which need not be initialised, and a key of 32 bytes.
    unsafe { state.write(stream::keyed(&*key)) }
}

/// Begins with this nonce, at this block or at the first one.
#[unsafe(no_mangle)]
unsafe extern "C" fn chacha_ivsetup(state: *mut State, nonce: *const [u8; 8], block: *const [u8; 8]) {
    // SAFETY: the caller has a state with a key and a nonce of 8 bytes, and a block is null or has 8 bytes.
    let (state, nonce, block) = unsafe { (&mut *state, &*nonce, block.as_ref()) };
    stream::begin(state, nonce, block.unwrap_or(&[0; 8]));
}

/// Encrypts or decrypts `length` bytes. They may come from where they go to.
#[unsafe(no_mangle)]
unsafe extern "C" fn chacha_encrypt_bytes(state: *mut State, from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the caller has a state, and `length` bytes at either end, which may be the same ones.
    let (state, text) = unsafe {
        if from != to.cast_const() {
            from.copy_to(to, length);
        }
        (&mut *state, slice::from_raw_parts_mut(to, length))
    };
    stream::apply(state, text);
}

/// The tag of `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn poly1305_auth(to: *mut [u8; 16], text: *const u8, length: usize, key: *const [u8; 32]) {
    // SAFETY: the caller has a key, `length` bytes, and room for a tag, which may lie behind the bytes but not in them.
    unsafe { to.write(tag::tag(&*key, slice::from_raw_parts(text, length))) }
}
