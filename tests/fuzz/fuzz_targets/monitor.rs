//! See `procession_tests::fuzz::monitor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| procession_tests::fuzz::monitor(bytes));
