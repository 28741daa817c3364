//! What is encrypted on one side is read on the other, whichever cipher the server insists on.

mod place;

use place::{Place, Sshd};
use procession::transport::{Ended, Exec};

/// There and back through a server that takes this cipher only: one packet at least of each length up to three blocks, and
/// many full ones.
fn there_and_back(cipher: &str) {
    let sshd = Sshd::start(&format!("Ciphers {cipher}"));
    let mut place = Place::new(sshd.config());
    for length in (1..200).step_by(7).chain([1 << 20]) {
        let bytes: Vec<u8> = (0..length).map(|n| (n * 31 / 7) as u8).collect();
        let exit = place.run(Exec { stdin: bytes.clone(), ..Exec::new(["cat"]) }).unwrap();
        assert_eq!(exit.how, Ended::Code(0));
        assert!(exit.stdout == bytes, "{length} bytes are not what they were");
    }
}

#[test]
fn chacha20_is_that_of_openssl_and_a_server_understands_it() {
    assert!(
        procession_chachapoly::is_in_place(),
        "libssh2-sys is newer than what procession-chachapoly knows"
    );
    there_and_back("chacha20-poly1305@openssh.com");
}

#[test]
fn aes_is_left_alone() {
    there_and_back("aes256-gcm@openssh.com");
}
