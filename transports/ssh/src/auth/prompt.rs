//! A question to whoever has the secrets, and its answer.

use stakker::Ret;
use std::fmt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A secret in memory: it is overwritten when it is dropped, and never shown. libssh2 makes copies of its own for as long as
/// a call lasts, which nobody overwrites.
///
/// ```
/// let secret = procession_ssh::auth::Secret::new("open sesame");
/// assert_eq!(format!("{secret:?}"), "Secret");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// This text. The text that was given is the secret itself, if it is a `String`; no copy of it stays.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What is asked. Plain data: it may be sent to another thread, or shown on a screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prompt {
    /// What the user calls the host.
    pub host: String,
    /// The user there.
    pub user: String,
    /// What the answer is for.
    pub kind: PromptKind,
    /// The question, as it is to be shown; it may come from the host, with whatever characters it likes.
    pub text: String,
    /// Whether what is typed may be seen.
    pub echo: bool,
}

/// What an answer is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PromptKind {
    /// It opens this file of an encrypted key. It is never sent to the host.
    Passphrase {
        /// The file of the private key.
        file: PathBuf,
    },
    /// The password of the user on the host.
    Password,
    /// It counts once: a code of a token, a choice, anything else that the host asks.
    OneTime {
        /// What the host says before it asks; often nothing.
        instruction: String,
    },
}

impl PromptKind {
    /// What a question of the host asks for, by its words: only one that asks for a password and for nothing that changes
    /// is a password, and is answered again with the same.
    ///
    /// ```
    /// use procession_ssh::auth::PromptKind;
    /// assert_eq!(PromptKind::of_host("(ann@login) Password: ", ""), PromptKind::Password);
    /// assert!(matches!(PromptKind::of_host("One-time password (OATH): ", ""), PromptKind::OneTime { .. }));
    /// assert!(matches!(PromptKind::of_host("Verification code: ", ""), PromptKind::OneTime { .. }));
    /// ```
    pub fn of_host(text: &str, instruction: &str) -> PromptKind {
        const CHANGES: [&str; 10] =
            ["one-time", "one time", "otp", "code", "token", "2fa", "factor", "yubi", "new password", "oath"];
        let text = text.to_lowercase();
        if text.contains("password") && !CHANGES.iter().any(|word| text.contains(word)) {
            PromptKind::Password
        } else {
            PromptKind::OneTime { instruction: instruction.to_owned() }
        }
    }
}

/// A prompt with the right to answer it. Dropping it is the same as [`decline`](Question::decline).
pub struct Question {
    /// What is asked.
    pub prompt: Prompt,
    pub(super) ret: Ret<Secret>,
}

impl Question {
    /// Answers it, in the thread of the actors.
    pub fn answer(self, secret: Secret) {
        self.ret.ret(secret);
    }

    /// Says that there is no answer. Who waits for it fails with a reason, and the host waits for somebody's help.
    pub fn decline(self) {}
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("prompt", &self.prompt).finish_non_exhaustive()
    }
}
