//! Logging in: the host's key first, then one credential at a time.
//!
//! What to present, and in which order, is decided in `plan`, a pure module. It is carried out on a short-lived thread
//! that owns the session for that time, because agents block, encrypted keys take 146 ms to open, and a person takes
//! longer. Nothing of the user's code runs there: what must be asked comes to the actor as a [`Prompt`], is answered by
//! [`Secrets`], and the actor's time limit ends all that the thread waits for by shutting its descriptors down.

mod agent;
mod attempt;
mod authentication;
mod identity;
mod plan;
mod prompt;
mod relay;
mod secrets;
mod thread;
mod wire;

pub(crate) use authentication::{Authentication, Login};
pub use prompt::{Prompt, PromptKind, Question, Secret};
pub use secrets::Secrets;

#[cfg(test)]
mod tests;
