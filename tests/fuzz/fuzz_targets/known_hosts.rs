//! See `procession_tests::fuzz::known_hosts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| procession_tests::fuzz::known_hosts(bytes));
