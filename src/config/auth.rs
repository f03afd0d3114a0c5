//! `[auth]`

use std::path::PathBuf;

use super::{Secret, checked, section};
use crate::auth::Keyring;

section! {
    /// How people sign in.
    Auth in "auth" {
        /// File with the keys by which secrets in the database are encrypted (seeds of authenticators, keys that sign access tokens): 32
        /// bytes in base64 or hex a line, the newest first; older ones still open what they sealed. Where neither this nor `key` is set,
        /// `auth.key` in `node.state_dir` is made on the first start. Keep it, and keep it away from backups of the database.
        key_file: Option<PathBuf> = None, "an absolute path";
        /// The same keys as a text, with commas between them: for the environment, `GUARD_PROXY_AUTH__KEY`.
        key: Secret = Secret::default(), "keys of 32 bytes in base64 or hex; not together with `key_file`";
        /// Hours after which a session ends that was not renewed.
        session_idle_hours: u32 = 12, "1 to 720";
        /// Days after which a session ends however much it is used.
        session_days: u32 = 7, "1 to 90";
    }
}

checked!(Auth, |section, problems| {
    if section.key_file.as_ref().is_some_and(|path| !path.is_absolute()) {
        problems.note(Self::KEY, "key_file", "the path is relative");
    }
    if !section.key.is_empty() {
        if section.key_file.is_some() {
            problems.note(Self::KEY, "key", "`key_file` is set, too");
        }
        if let Err(what) = section.ring() {
            problems.note(Self::KEY, "key", what);
        }
    }
    if !(1..=720).contains(&section.session_idle_hours) {
        problems.note(Self::KEY, "session_idle_hours", format!("{} is out of range", section.session_idle_hours));
    }
    if !(1..=90).contains(&section.session_days) {
        problems.note(Self::KEY, "session_days", format!("{} is out of range", section.session_days));
    }
});

impl Auth {
    /// The keys of `key`.
    pub fn ring(&self) -> Result<Keyring, String> {
        Keyring::parse(&self.key.reveal().replace(',', "\n"))
    }
}
