//! What is set of the provider.

use crate::auth::Text;

/// The path that the provider sends browsers back to, below our own address.
pub const CALLBACK: &str = "/api/v1/auth/sso/callback";

/// See the settings, `[oidc]`.
#[derive(Clone, Debug)]
pub struct OidcOptions {
    /// Exactly as the provider says it.
    pub issuer: String,
    pub client_id: String,
    /// None: a public client, which PKCE alone protects.
    pub client_secret: Option<Text>,
    /// Certificates of authorities, beside those of the system; PEM.
    pub ca: Option<Vec<u8>>,
    /// By which people know the provider.
    pub name: String,
    /// Our own address as browsers have it, without a `/` at its end.
    pub public_url: String,
    pub scopes: Vec<String>,
    /// A claim, or a JSON pointer into the claims where it begins with `/`.
    pub groups_claim: String,
    pub email_claim: String,
}

impl OidcOptions {
    pub fn callback(&self) -> String {
        format!("{}{CALLBACK}", self.public_url)
    }
}
