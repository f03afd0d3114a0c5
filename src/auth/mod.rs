//! How people prove who they are: passwords, codes, access tokens, a provider of single sign-on, and what slows guessing down. Knows no
//! database, and HTTP only as the way to that provider.

pub mod access;
pub mod keys;
pub mod limiter;
pub mod oidc;
pub mod password;
pub mod seal;
pub mod secret;
pub mod totp;

pub use access::{Claims, Jwks};
pub use keys::{KeySet, SigningKey};
pub use limiter::Limiter;
pub use oidc::{Begun, Brought, Identified, OidcFault, OidcOptions, Provider, ReturnTo};
pub use password::Passwords;
pub use seal::{KeyId, Keyring, Sealed};
pub use secret::Text;
