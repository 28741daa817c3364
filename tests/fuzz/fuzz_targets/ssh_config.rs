//! See `procession_tests::fuzz::ssh_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| procession_tests::fuzz::ssh_config(bytes));
