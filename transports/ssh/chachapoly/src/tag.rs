//! Poly1305: the tag of a message, under a key that is used once.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;

/// The tag of `text`.
pub fn tag(key: &[u8; 32], text: &[u8]) -> [u8; 16] {
    #[cfg(openssl_has_macs)]
    if let Some(tag) = openssl::tag(key, text) {
        return tag;
    }
    by_rust(key, text)
}

fn by_rust(key: &[u8; 32], text: &[u8]) -> [u8; 16] {
    Poly1305::new(key.into()).compute_unpadded(text).into()
}

/// What the crate `openssl` has no safe interface for.
#[cfg(openssl_has_macs)]
mod openssl {
    #![expect(unsafe_code, reason = "OpenSSL's MACs have no safe interface")]

    use openssl_sys as ffi;
    use std::ptr::{NonNull, null, null_mut};

    thread_local! {
        /// Made once for each thread, because making it costs more than a small packet. `None` where OpenSSL has no Poly1305.
        static CONTEXT: Option<Context> = Context::new();
    }

    /// A context that is of this thread alone, and of nobody else.
    struct Context(NonNull<ffi::EVP_MAC_CTX>);

    pub fn tag(key: &[u8; 32], text: &[u8]) -> Option<[u8; 16]> {
        // A thread that ends has no context any more, and may still say goodbye to a host.
        CONTEXT.try_with(|context| context.as_ref()?.tag(key, text)).ok().flatten()
    }

    impl Context {
        fn new() -> Option<Context> {
            // SAFETY: a name that ends with a zero, the default library context and no properties, as EVP_MAC_fetch(3) has it.
            let mac = unsafe { ffi::EVP_MAC_fetch(null_mut(), c"POLY1305".as_ptr(), null()) };
            // SAFETY: `mac` is null or ours; a context keeps a reference of its own, and both calls take null.
            let context = unsafe {
                let context = if mac.is_null() { null_mut() } else { ffi::EVP_MAC_CTX_new(mac) };
                ffi::EVP_MAC_free(mac);
                context
            };
            NonNull::new(context).map(Context)
        }

        fn tag(&self, key: &[u8; 32], text: &[u8]) -> Option<[u8; 16]> {
            let (context, mut tag, mut length) = (self.0.as_ptr(), [0; 16], 0);
            // SAFETY: the context is ours and nobody else uses it meanwhile, since it never leaves this thread and none of
            // these calls comes back to us. The lengths are those of the slices.
            let done = unsafe {
                ffi::EVP_MAC_init(context, key.as_ptr(), key.len(), null()) == 1
                    && ffi::EVP_MAC_update(context, text.as_ptr(), text.len()) == 1
                    && ffi::EVP_MAC_final(context, tag.as_mut_ptr(), &mut length, tag.len()) == 1
            };
            (done && length == tag.len()).then_some(tag)
        }
    }

    impl Drop for Context {
        fn drop(&mut self) {
            // SAFETY: it is ours, and this is its end.
            unsafe { ffi::EVP_MAC_CTX_free(self.0.as_ptr()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, section 2.5.2.
    const KEY: [u8; 32] = [
        0x85, 0xd6, 0xbe, 0x78, 0x57, 0x55, 0x6d, 0x33, 0x7f, 0x44, 0x52, 0xfe, 0x42, 0xd5, 0x06, 0xa8, 0x01,
        0x03, 0x80, 0x8a, 0xfb, 0x0d, 0xb2, 0xfd, 0x4a, 0xbf, 0xf6, 0xaf, 0x41, 0x49, 0xf5, 0x1b,
    ];

    #[test]
    fn it_is_the_tag_of_the_rfc() {
        let tag = tag(&KEY, b"Cryptographic Forum Research Group");
        let told =
            [0xa8, 0x06, 0x1d, 0xc1, 0x30, 0x51, 0x36, 0xc6, 0xc2, 0x2b, 0x8b, 0xaf, 0x0c, 0x01, 0x27, 0xa9];
        assert_eq!(tag, told);
    }

    #[cfg(openssl_has_macs)]
    #[test]
    fn rust_and_openssl_agree_at_every_length() {
        for length in (0..400).chain([40_000]) {
            let text: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            assert_eq!(openssl::tag(&KEY, &text), Some(by_rust(&KEY, &text)), "{length} bytes");
        }
    }
}
