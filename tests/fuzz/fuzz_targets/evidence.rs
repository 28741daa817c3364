//! See `procession_tests::fuzz::evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| procession_tests::fuzz::evidence(bytes));
