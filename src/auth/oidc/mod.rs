//! Single sign-on by OpenID Connect: the authorization code flow with PKCE, with one provider. The libraries' checks are used, and their
//! choices are not: which algorithms, which audiences and which time count is said here.
//!
//! [`Provider::begin`] makes the way to the provider and what the browser keeps meanwhile; [`Provider::finish`] takes both answers together and
//! says who it is. Neither knows people.

mod attempt;
mod claims;
mod discovery;
mod http;
mod options;
mod return_to;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, IdToken, IdTokenFields,
    IdTokenVerifier, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};
use time::OffsetDateTime;

use self::attempt::{Attempt, Attempts};
use self::claims::{Claims, Extra};
use self::discovery::{Discovery, Found};
use self::http::Http;
use super::secret::{Text, same};
pub use claims::Identified;
pub use http::on_loopback;
pub use options::OidcOptions;
pub use return_to::ReturnTo;

/// How long a person may take at the provider.
pub const ATTEMPT: time::Duration = time::Duration::minutes(10);
/// What providers sign with, and what everybody can verify and nobody else can make: no `none`, and no HMAC, whose secret would be ours.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// A token that says it was made later than now by more, or is older, is not of this sign-in. Clocks differ.
const SKEW_S: i64 = 300;
const MOST_AGE_S: i64 = 900;
/// A code that is longer is nobody's.
const MOST_CODE: usize = 4096;

type Client<A, T> = openidconnect::Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    TokenAnswer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    A,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    T,
    openidconnect::EndpointNotSet,
>;
type Fields = IdTokenFields<Extra, EmptyExtraTokenFields, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type TokenAnswer = StandardTokenResponse<Fields, CoreTokenType>;
type Token = IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Ready = Client<openidconnect::EndpointSet, openidconnect::EndpointSet>;

/// Why nobody could be identified. What is said here is for the log; people are told the class alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcFault {
    /// It does not answer, or not as a provider.
    #[error("the provider is away: {0}")]
    Away(String),
    /// The browser's answer is not to what it was sent for: another's, an old one, or one that was used.
    #[error("no attempt to sign in that this answers: {0}")]
    Attempt(&'static str),
    /// The provider sent the person back.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// The provider said something that does not hold.
    #[error("what the provider said does not hold: {0}")]
    Untrue(String),
    #[error("internal: {0}")]
    Ours(String),
}

/// The way to the provider, and what the browser brings back with the answer.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: Text,
    pub cookie: Text,
}

/// What the provider had the browser bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    pub code: Option<Text>,
    pub state: Option<Text>,
    pub iss: Option<String>,
    pub error: Option<String>,
}

/// What belongs together: an answer is to this attempt, which is used up.
#[derive(Debug)]
pub struct Matched(Attempt);

impl Matched {
    pub fn return_to(&self) -> &ReturnTo {
        &self.0.return_to
    }
}

/// The provider, as this process knows it.
#[derive(Debug)]
pub struct Provider {
    options: OidcOptions,
    http: Http,
    discovery: Discovery,
    attempts: Attempts,
}

impl Provider {
    /// Asks nobody anything yet: a provider that is away keeps nothing from starting.
    pub fn new(options: OidcOptions) -> Result<Self, OidcFault> {
        let http = Http::new(&options).map_err(|error| OidcFault::Ours(error.to_string()))?;
        let attempts = Attempts::new().map_err(|error| OidcFault::Ours(error.to_string()))?;
        Ok(Self { discovery: Discovery::default(), options, http, attempts })
    }

    pub fn options(&self) -> &OidcOptions {
        &self.options
    }

    pub async fn begin(&self, return_to: ReturnTo, now: OffsetDateTime) -> Result<Begun, OidcFault> {
        let found = self.discovery.found(&self.options, &self.http, now).await?;
        let attempt = Attempt::new(return_to, now).map_err(|error| OidcFault::Ours(error.to_string()))?;
        let cookie = self.attempts.sealed(&attempt).map_err(|error| OidcFault::Ours(error.to_string()))?;
        let (state, nonce) = (CsrfToken::new(attempt.state.clone()), Nonce::new(attempt.nonce.clone()));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(attempt.verifier));
        let client = self.client(&found)?;
        let mut request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce);
        // `openid` is there by itself.
        for scope in self.options.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, ..) = request.set_pkce_challenge(challenge).url();
        Ok(Begun { url: Text::new(url), cookie })
    }

    /// Whether what was brought answers what this browser was sent for: at most once.
    pub fn matched(&self, brought: &Brought, cookie: Option<&str>, now: OffsetDateTime) -> Result<Matched, OidcFault> {
        let cookie = cookie.ok_or(OidcFault::Attempt("the browser has no cookie of one"))?;
        let attempt = self.attempts.open(cookie).ok_or(OidcFault::Attempt("the cookie is none of ours, or from before a restart"))?;
        let state = brought.state.as_ref().ok_or(OidcFault::Attempt("without state"))?;
        if !same(&state.hash(), &Text::new(attempt.state.clone()).hash()) {
            return Err(OidcFault::Attempt("the state is another's"));
        }
        if attempt.until <= now.unix_timestamp() {
            return Err(OidcFault::Attempt("it took too long"));
        }
        self.attempts.use_up(&state.hash(), attempt.until, now.unix_timestamp())?;
        Ok(Matched(attempt))
    }

    /// Who it is, by the code of the answer.
    pub async fn finish(&self, Matched(attempt): Matched, brought: &Brought, now: OffsetDateTime) -> Result<Identified, OidcFault> {
        let found = self.discovery.found(&self.options, &self.http, now).await?;
        // Of whom the answer is comes before what it says (RFC 9207): also an error may be another provider's.
        match &brought.iss {
            Some(iss) if *iss != self.options.issuer => return Err(OidcFault::Untrue("the answer is another issuer's".to_owned())),
            None if found.says_issuer => return Err(OidcFault::Untrue("the answer does not say whose it is".to_owned())),
            _ => {}
        }
        if let Some(error) = &brought.error {
            return Err(OidcFault::Refused(error.chars().filter(|c| c.is_ascii_graphic()).take(60).collect()));
        }
        let code = brought.code.as_ref().filter(|code| !code.reveal().is_empty() && code.reveal().len() <= MOST_CODE);
        let code = AuthorizationCode::new(code.ok_or_else(|| OidcFault::Untrue("the answer has no code".to_owned()))?.reveal().to_owned());
        let client = self.client(&found)?;
        let request = client.exchange_code(code).set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier));
        let answer = request.request_async(&self.http).await.map_err(exchange_fault)?;
        let token = answer.id_token().ok_or_else(|| OidcFault::Untrue("no id token".to_owned()))?;
        let nonce = Nonce::new(attempt.nonce);
        let claims = match self.verified(&found, token, &nonce, now) {
            // Its keys may have changed since they were read.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => {
                let found = self.discovery.anew(&self.options, &self.http, &found, now).await?;
                self.verified(&found, token, &nonce, now)
            }
            other => other,
        };
        claims::identified(&self.options, claims.map_err(|error| OidcFault::Untrue(chain(&error)))?)
    }

    fn client(&self, found: &Found) -> Result<Ready, OidcFault> {
        let back = RedirectUrl::new(self.options.callback()).map_err(|error| OidcFault::Ours(error.to_string()))?;
        let client = Client::new(ClientId::new(self.options.client_id.clone()), found.issuer.clone(), found.keys.clone());
        let client = client.set_auth_uri(found.authorize.clone()).set_token_uri(found.token.clone()).set_redirect_uri(back);
        Ok(match &self.options.client_secret {
            Some(secret) => {
                let client = client.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
                client.set_auth_type(if found.basic { AuthType::BasicAuth } else { AuthType::RequestBody })
            }
            None => client,
        })
    }

    /// The claims of a token that is the provider's, for us, of now, and of this attempt.
    fn verified<'a>(
        &self,
        found: &Found,
        token: &'a Token,
        nonce: &Nonce,
        now: OffsetDateTime,
    ) -> Result<&'a Claims, ClaimsVerificationError> {
        let seconds = now.unix_timestamp();
        // Without the secret of ours, no HMAC could be right, even if it were allowed.
        let client = ClientId::new(self.options.client_id.clone());
        let verifier = IdTokenVerifier::new_public_client(client, found.issuer.clone(), found.keys.clone())
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || std::time::SystemTime::from(now).into())
            .set_issue_time_verifier_fn(move |made| {
                let age = seconds.saturating_sub(made.timestamp());
                if (-SKEW_S..=MOST_AGE_S).contains(&age) { Ok(()) } else { Err(format!("it was made {age} s ago")) }
            });
        let claims = token.claims(&verifier, nonce)?;
        match claims.authorized_party() {
            Some(party) if party.as_str() != self.options.client_id => {
                Err(ClaimsVerificationError::InvalidAudience("it was made for another party".to_owned()))
            }
            _ => Ok(claims),
        }
    }
}

/// An error with what is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

fn exchange_fault<E: std::error::Error>(error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>) -> OidcFault {
    match error {
        RequestTokenError::Request(error) => OidcFault::Away(error.to_string()),
        RequestTokenError::ServerResponse(said) => OidcFault::Untrue(format!("the code was not taken: {}", said.error().as_ref())),
        // What could not be parsed may have tokens in it: it is not shown.
        RequestTokenError::Parse(error, _) => OidcFault::Untrue(format!("the answer to the code: at {}", error.path())),
        RequestTokenError::Other(_) => OidcFault::Untrue("the answer to the code".to_owned()),
    }
}
