//! What the provider says of itself: its endpoints and keys. Read when it is first needed, kept for an hour, and read anew where a token is signed
//! with a key that was not there.

use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, AuthUrl, DiscoveryError, IssuerUrl, ProviderMetadata, TokenUrl};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::http::{Http, HttpError};
use super::{OidcFault, OidcOptions};

/// Discovery document and keys, both.
const PATIENCE: Duration = Duration::from_secs(10);
const KEPT: time::Duration = time::Duration::hours(1);
/// After it was away, who comes within this time is told so at once.
const PAUSE: time::Duration = time::Duration::seconds(5);

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct More {
    /// RFC 9207.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

#[derive(Debug)]
pub struct Found {
    pub issuer: IssuerUrl,
    pub authorize: AuthUrl,
    pub token: TokenUrl,
    pub keys: CoreJsonWebKeySet,
    /// Whether our secret goes into a header; else into the body.
    pub basic: bool,
    /// Whether answers say whose they are.
    pub says_issuer: bool,
    at: OffsetDateTime,
}

#[derive(Debug, Default)]
pub struct Discovery(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    found: Option<Arc<Found>>,
    /// When it was away, and why.
    away: Option<(OffsetDateTime, OidcFault)>,
}

impl Discovery {
    /// Who comes while it is asked waits for the same answer.
    pub async fn found(&self, options: &OidcOptions, http: &Http, now: OffsetDateTime) -> Result<Arc<Found>, OidcFault> {
        let mut known = self.0.lock().await;
        if let Some(found) = known.found.as_ref().filter(|found| now - found.at < KEPT) {
            return Ok(Arc::clone(found));
        }
        known.ask(options, http, now).await
    }

    /// Reads it again, unless somebody has since `old` was read.
    pub async fn anew(&self, options: &OidcOptions, http: &Http, old: &Arc<Found>, now: OffsetDateTime) -> Result<Arc<Found>, OidcFault> {
        let mut known = self.0.lock().await;
        match &known.found {
            Some(found) if !Arc::ptr_eq(found, old) => Ok(Arc::clone(found)),
            _ => known.ask(options, http, now).await,
        }
    }
}

impl Known {
    async fn ask(&mut self, options: &OidcOptions, http: &Http, now: OffsetDateTime) -> Result<Arc<Found>, OidcFault> {
        if let Some((_, fault)) = self.away.as_ref().filter(|(at, _)| now - *at < PAUSE) {
            return Err(fault.clone());
        }
        let asked = tokio::time::timeout(PATIENCE, ask(options, http, now)).await;
        match asked.unwrap_or_else(|_| Err(OidcFault::Away(format!("no answer within {} s", PATIENCE.as_secs())))) {
            Ok(found) => {
                let found = Arc::new(found);
                (self.found, self.away) = (Some(Arc::clone(&found)), None);
                Ok(found)
            }
            Err(fault) => {
                self.away = Some((now, fault.clone()));
                Err(fault)
            }
        }
    }
}

async fn ask(options: &OidcOptions, http: &Http, now: OffsetDateTime) -> Result<Found, OidcFault> {
    let issuer = IssuerUrl::new(options.issuer.clone()).map_err(|error| OidcFault::Ours(error.to_string()))?;
    let metadata = Metadata::discover_async(issuer, http).await.map_err(fault)?;
    let authorize = metadata.authorization_endpoint().clone();
    let token = metadata.token_endpoint().ok_or_else(|| OidcFault::Away("it has no token endpoint".to_owned()))?.clone();
    // The browser is sent to the one, and our secret to the other.
    for url in [authorize.as_str(), token.as_str()] {
        if !http.allows(url) {
            return Err(OidcFault::Away(HttpError::Plain(url.to_owned()).to_string()));
        }
    }
    let methods = metadata.token_endpoint_auth_methods_supported();
    let basic = methods.is_none_or(|all| all.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let says_issuer = metadata.additional_metadata().authorization_response_iss_parameter_supported;
    Ok(Found { issuer: metadata.issuer().clone(), authorize, token, keys: metadata.jwks().clone(), basic, says_issuer, at: now })
}

/// Without what it answered.
fn fault(error: DiscoveryError<HttpError>) -> OidcFault {
    OidcFault::Away(match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Parse(error) => format!("its answer cannot be read at `{}`", error.path()),
        DiscoveryError::Response(status, _, said) => format!("{status}: {said}"),
        other => other.to_string(),
    })
}
