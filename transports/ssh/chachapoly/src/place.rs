//! Whether the functions are there.

/// Whether libssh2 works with the functions of this crate: it does if `libssh2-sys` built it from source, in a version that
/// this crate knows.
///
/// Only one of two functions of a name can be linked, and a program that refers to this crate has ours; so it is known when the
/// crate is built.
///
/// ```
/// if !procession_chachapoly::is_in_place() {
///     println!("large files will take longer");
/// }
/// ```
pub const fn is_in_place() -> bool {
    cfg!(in_place)
}
