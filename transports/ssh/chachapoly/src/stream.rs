//! ChaCha20, on its sixteen words of state.

use chacha20::ChaCha20Legacy;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use std::cell::RefCell;

/// Four words of constants, eight of the key, two that count blocks, two of the nonce (Bernstein, "ChaCha, a variant of
/// Salsa20", 2008). That of RFC 8439 counts with one word and has three of a nonce; within 256 GiB they do the same.
pub type State = [u32; 16];

/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Bytes that one count stands for.
const BLOCK: usize = 64;

thread_local! {
    /// What OpenSSL works in: made once for each thread, because making it costs more than a small packet. `None` where
    /// OpenSSL has no ChaCha20.
    static CONTEXT: RefCell<Option<CipherCtx>> = RefCell::new(context());
}

/// The state with this key.
pub fn keyed(key: &[u8; 32]) -> State {
    let mut state = [0; 16];
    state[..4].copy_from_slice(&CONSTANTS);
    state[4..12].copy_from_slice(&words::<8>(key));
    state
}

/// Begins at this block, with this nonce.
pub fn begin(state: &mut State, nonce: &[u8; 8], block: &[u8; 8]) {
    state[12..14].copy_from_slice(&words::<2>(block));
    state[14..].copy_from_slice(&words::<2>(nonce));
}

/// Encrypts or decrypts `text`, and counts the blocks that it took, also the last if it was begun.
pub fn apply(state: &mut State, text: &mut [u8]) {
    // A thread that ends has no context any more, and may still say goodbye to a host.
    let done = CONTEXT.try_with(|context| {
        let mut context = context.try_borrow_mut().ok()?;
        by_openssl(context.as_mut()?, state, text).ok()
    });
    if done.ok().flatten().is_none() {
        by_rust(state, text);
    }
    let next = count(state) + text.len().div_ceil(BLOCK) as u64;
    state[12..14].copy_from_slice(&words::<2>(&next.to_le_bytes()));
}

fn context() -> Option<CipherCtx> {
    let mut context = CipherCtx::new().ok()?;
    context.encrypt_init(Some(Cipher::chacha20()), Some(&[0; 32]), Some(&[0; 16])).ok()?;
    Some(context)
}

/// Either all of `text` is done or none of it: OpenSSL can only fail before it begins.
fn by_openssl(context: &mut CipherCtx, state: &State, text: &mut [u8]) -> Result<(), ErrorStack> {
    let bytes = bytes(state);
    context.encrypt_init(None, Some(&bytes[16..48]), Some(&bytes[48..]))?;
    context.cipher_update_inplace(text, text.len())?;
    Ok(())
}

fn by_rust(state: &State, text: &mut [u8]) {
    let bytes = bytes(state);
    let mut cipher = ChaCha20Legacy::new_from_slices(&bytes[16..48], &bytes[56..])
        .expect("a key has 32 bytes and a nonce has 8");
    cipher.seek(count(state) * BLOCK as u64);
    cipher.apply_keystream(text);
}

fn count(state: &State) -> u64 {
    u64::from(state[13]) << 32 | u64::from(state[12])
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    std::array::from_fn(|n| u32::from_le_bytes(std::array::from_fn(|b| bytes[4 * n + b])))
}

fn bytes(state: &State) -> [u8; 64] {
    std::array::from_fn(|n| state[n / 4].to_le_bytes()[n % 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(block: u64) -> State {
        let mut state = keyed(&std::array::from_fn(|n| n as u8));
        begin(&mut state, &[0, 0, 0, 0x4a, 0, 0, 0, 0], &block.to_le_bytes());
        state
    }

    /// RFC 8439, section 2.4.2. Its nonce begins with a word of zero, which is the upper half of our counter.
    #[test]
    fn it_is_the_cipher_of_the_rfc() {
        let mut text =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
            future, sunscreen would be it."
                .to_vec();
        apply(&mut state(1), &mut text);
        let first =
            [0x6e, 0x2e, 0x35, 0x9a, 0x25, 0x68, 0xf9, 0x80, 0x41, 0xba, 0x07, 0x28, 0xdd, 0x0d, 0x69, 0x81];
        assert_eq!(text[..16], first);
        assert_eq!(text[112..], [0x87, 0x4d]);
    }

    #[test]
    fn openssl_has_it() {
        assert!(context().is_some(), "all that follows would compare Rust with itself");
    }

    #[test]
    fn rust_and_openssl_agree_at_every_length_and_beyond_32_bits_of_blocks() {
        for (length, block) in (0..400).map(|n| (n, n as u64)).chain([(40_000, 1), (1000, (1 << 32) - 3)]) {
            let (mut one, mut other) = (vec![0x5a; length], vec![0x5a; length]);
            let before = state(block);
            let mut context = context().expect("as above");
            by_openssl(&mut context, &before, &mut one).expect("it works");
            by_rust(&before, &mut other);
            assert!(one == other, "{length} bytes from block {block}");
        }
    }

    #[test]
    fn it_goes_on_where_it_was() {
        let mut whole = vec![1; 640];
        apply(&mut state(7), &mut whole);
        let (mut halves, mut state) = (vec![1; 640], state(7));
        halves.chunks_mut(128).for_each(|part| apply(&mut state, part));
        assert_eq!(halves, whole);
        assert_eq!(count(&state), 17);
    }
}
