//! See `procession_tests::fuzz::job_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| procession_tests::fuzz::job_file(bytes));
