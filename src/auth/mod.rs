//! How people prove who they are: passwords, codes, access tokens, and what slows guessing down. Knows no database and no HTTP.

pub mod access;
pub mod keys;
pub mod limiter;
pub mod password;
pub mod seal;
pub mod secret;
pub mod totp;

pub use access::{Claims, Jwks};
pub use keys::{KeySet, SigningKey};
pub use limiter::Limiter;
pub use password::Passwords;
pub use seal::{KeyId, Keyring, Sealed};
pub use secret::Text;
