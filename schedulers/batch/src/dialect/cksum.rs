//! What cksum(1) says of a file, made here: a frame compares it with what lies on the host.

/// The generator polynomial (POSIX, XCU, cksum), without its highest term.
const POLYNOMIAL: u32 = 0x04c1_1db7;

/// The step of each value of a byte, made when this is compiled.
const STEPS: [u32; 256] = {
    let mut steps = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ if crc >> 31 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        steps[byte] = crc;
        byte += 1;
    }
    steps
};

/// The checksum and the length, as the program prints them: `4294967295 0`.
pub(super) fn cksum(text: &str) -> String {
    let lengths = std::iter::successors(Some(text.len()), |left| Some(left >> 8));
    let lengths = lengths.take_while(|left| *left > 0).map(|left| left as u8);
    let crc = text.bytes().chain(lengths).fold(0, |crc: u32, byte| {
        let [top, ..] = crc.to_be_bytes();
        (crc << 8) ^ STEPS[usize::from(top ^ byte)]
    });
    format!("{} {}", !crc, text.len())
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
