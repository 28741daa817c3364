//! The hash of the bytes of a file: BLAKE3, 256 bits, written as 64 hexadecimal digits as `b3sum` prints it.

use std::fmt;
use std::io::Read;
use std::str::FromStr;

/// The BLAKE3 hash of some bytes.
///
/// ```
/// use procession::transport::Digest;
/// let (digest, bytes) = Digest::read(&mut &b"abc"[..])?;
/// assert_eq!((digest, bytes), (Digest::of(b"abc"), 3));
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A digest that is made piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Digester(blake3::Hasher);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a digest is written as 64 hexadecimal digits")]
pub struct DigestError;

impl Digest {
    /// How much is read at a time, in bytes: large enough for BLAKE3 to work on many blocks at once.
    pub const CHUNK: usize = 1 << 17;

    /// Of bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// Of all that `from` has, with the number of bytes. It blocks while `from` does.
    pub fn read(from: &mut impl Read) -> std::io::Result<(Digest, u64)> {
        let mut digester = Digester::default();
        let mut chunk = vec![0; Digest::CHUNK];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => return Ok((digester.digest(), digester.bytes())),
                Ok(count) => digester.update(&chunk[..count]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Digester {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces so far.
    pub fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }

    /// The number of bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.count()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| DigestError)?;
        Ok(Digest(*hash.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_blake3() {
        // The test vector of the empty input: github.com/BLAKE3-team/BLAKE3, test_vectors.json.
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Digest::of(b"")));
        assert!("af13".parse::<Digest>().is_err() && "é".repeat(32).parse::<Digest>().is_err());
    }
}
