//! What the compiler refuses.
#![allow(missing_docs, reason = "the names say it")]

#[test]
fn a_lease_in_a_state_a_step_used_twice_or_ignored_and_a_handle_on_another_thread_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
