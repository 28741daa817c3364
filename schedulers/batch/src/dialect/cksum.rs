//! What cksum(1) says of a file, made here: a frame compares it with what lies on the host.

use crc::{CRC_32_CKSUM, Crc, Table};

const CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_CKSUM);

/// The checksum and the length, as the program prints them: `4294967295 0`. The length is part of what is summed up, its lowest
/// byte first, without the zeros above (POSIX, XCU, cksum).
pub(super) fn cksum(text: &str) -> String {
    let length = text.len().to_le_bytes();
    let zeros = length.iter().rev().take_while(|byte| **byte == 0).count();
    let mut digest = CRC.digest();
    digest.update(text.as_bytes());
    digest.update(&length[..length.len() - zeros]);
    format!("{} {}", digest.finalize(), text.len())
}

#[cfg(test)]
mod tests {
    use super::cksum;

    #[test]
    fn it_says_what_the_program_says() {
        // GNU coreutils 9.1.
        assert_eq!(cksum(""), "4294967295 0");
        assert_eq!(cksum("a"), "1220704766 1");
        assert_eq!(cksum("123456789"), "930766865 9");
        assert_eq!(cksum(&"procession\n".repeat(100)), "2099074280 1100");
    }
}
