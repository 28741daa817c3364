//! See `procession_tests::fuzz::journal_row`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| procession_tests::fuzz::journal_row(bytes));
