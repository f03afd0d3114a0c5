//! Tokens: `gpx_`, 32 random bytes in base 62, and a checksum by which scanners of repositories know one without asking. Only their
//! SHA-256 is kept: they are random enough that a slow hash would add nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

use super::entries::micros;
use super::{Caller, Service};
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::vhost::LabelKey;
use crate::domain::{Action, Grant, Network, NewToken, Principal, TokenInfo};
use crate::store::{Store, TokenRow};

/// The name of the first token.
const ADMIN: &str = "admin";
/// Tokens at most.
const MOST: usize = 1000;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token that is known.
#[derive(Clone, Debug)]
struct Token {
    info: TokenInfo,
    hash: [u8; 32],
    /// The person behind it.
    person: Option<Uuid>,
    grant: Arc<Grant>,
}

impl Token {
    /// None: a row that cannot be read gives nobody anything.
    fn of(row: TokenRow) -> Option<Self> {
        let grant: Grant = serde_json::from_str(&row.rights).ok()?;
        let networks: Option<Vec<Network>> = row.networks.iter().map(|text| text.parse().ok()).collect();
        let TokenRow { id, name, created_at, expires_at, created_by, person_id, last_used_at, .. } = row;
        let (roles, permits) = (grant.roles.clone(), grant.permits.clone());
        let info = TokenInfo { id, name, roles, permits, networks: networks?, created_at, created_by, expires_at, last_used_at };
        Some(Self { info, hash: row.hash.as_slice().try_into().ok()?, person: person_id, grant: Arc::new(grant) })
    }

    fn good(&self, address: Option<IpAddr>, now: OffsetDateTime) -> bool {
        let from = |address: IpAddr| self.info.networks.iter().any(|network| network.net().contains(&address.to_canonical()));
        self.info.expires_at.is_none_or(|at| at > now) && (self.info.networks.is_empty() || address.is_some_and(from))
    }
}

/// The tokens known, by hash.
#[derive(Default)]
pub struct Tokens(HashMap<[u8; 32], Token>);

/// When tokens were last used, until it is written.
#[derive(Default)]
pub struct Used(Mutex<BTreeMap<Uuid, OffsetDateTime>>);

impl Used {
    fn note(&self, id: Uuid, now: OffsetDateTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now);
    }

    fn get(&self, id: Uuid) -> Option<OffsetDateTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    pub async fn save(&self, store: &Store) {
        let used: Vec<_> = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect();
        if used.is_empty() {
            return;
        }
        if let Err(error) = store.tokens_used(&used).await {
            tracing::warn!(%error, "when tokens were last used was not stored");
        }
    }
}

impl Tokens {
    pub async fn load(store: &Store) -> Result<Self> {
        let known = store.tokens().await?;
        let total = known.len();
        let known: HashMap<_, _> = known.into_iter().filter_map(Token::of).map(|token| (token.hash, token)).collect();
        if known.len() != total {
            tracing::error!(unreadable = total - known.len(), "tokens that this version cannot read are good for nothing");
        }
        Ok(Self(known))
    }

    fn find(&self, bearer: &str) -> Option<&Token> {
        let hash = hash(bearer);
        let token = self.0.get(&hash)?;
        let same: bool = token.hash.ct_eq(&hash).into();
        same.then_some(token)
    }

    fn by_id(&self, id: Uuid) -> Option<&Token> {
        self.0.values().find(|token| token.info.id == id)
    }

    /// The keys of labels by which a token's scope is said.
    pub fn labels(&self) -> BTreeSet<LabelKey> {
        self.0.values().flat_map(|token| token.grant.labels()).cloned().collect()
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Makes a token's text.
fn generate() -> Result<String> {
    let mut secret = [0u8; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::internal(format!("no randomness: {error}")))?;
    let mut text = format!("gpx_{}", base62(&secret, 43));
    let checksum = base62(&hash(&text)[..4], 6);
    text.push_str(&checksum);
    Ok(text)
}

/// `bytes` as a number in base 62, in `width` digits.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    String::from_utf8(digits).unwrap_or_default()
}

impl Service {
    /// Who a bearer token is, of a pipeline or of somebody who has signed in; `Error::Unauthenticated` for none, unknown, expired, or used from where it may not be.
    pub async fn authenticate(&self, bearer: &str, address: Option<IpAddr>) -> Result<Principal> {
        let tokens = self.inner.tokens.load();
        let now = self.now();
        let Some(token) = tokens.find(bearer) else {
            return self.inner.people.authenticate(bearer, now).ok_or(Error::Unauthenticated);
        };
        if !token.good(address, now) {
            return Err(Error::Unauthenticated);
        }
        self.inner.used.note(token.info.id, now);
        Ok(Principal::Token { id: token.info.id, name: token.info.name.clone(), grant: Arc::clone(&token.grant) })
    }

    /// Whether a principal of a while ago is still what they were: for what goes on for long.
    pub fn still(&self, caller: &Caller) -> bool {
        match &caller.principal {
            Principal::Token { id, grant, .. } => {
                let tokens = self.inner.tokens.load();
                tokens.by_id(*id).is_some_and(|token| token.grant == *grant && token.good(caller.address, self.now()))
            }
            Principal::User { id, session, grant, .. } => self.inner.people.still(*id, *session, grant, self.now()),
            Principal::System => true,
        }
    }

    /// The person who acts, or made the token that does; None where that is nobody's.
    pub(super) fn person_behind(&self, caller: &Caller) -> Option<Uuid> {
        match &caller.principal {
            Principal::User { id, .. } => Some(*id),
            Principal::Token { id, .. } => self.inner.tokens.load().by_id(*id).and_then(|token| token.person),
            Principal::System => None,
        }
    }

    pub(super) fn token_is_there(&self, id: Uuid) -> bool {
        self.inner.tokens.load().by_id(id).is_some()
    }

    /// All tokens, by name; never their texts.
    pub fn tokens(&self, caller: &Caller) -> Result<Vec<TokenInfo>> {
        self.authorize(&caller.principal, Action::Read, "token", None)?;
        let tokens = self.inner.tokens.load();
        let shown = |token: &Token| {
            let mut info = token.info.clone();
            info.last_used_at = info.last_used_at.max(self.inner.used.get(info.id));
            info
        };
        let mut all: Vec<TokenInfo> = tokens.0.values().map(shown).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    pub fn token(&self, caller: &Caller, id: Uuid) -> Result<TokenInfo> {
        self.tokens(caller)?.into_iter().find(|token| token.id == id).ok_or_else(|| absent(id))
    }

    /// A new token, and its text: the only time that it is seen.
    pub async fn create_token(&self, caller: &Caller, token: NewToken) -> Result<(TokenInfo, String)> {
        self.authorize(&caller.principal, Action::Create, "token", None)?;
        let now = micros(self.now());
        check(&token, now)?;
        let grant = token.grant();
        if caller.principal.grant().is_some_and(|own| !own.includes(&grant)) {
            return Err(Error::Forbidden);
        }
        let tokens = self.inner.tokens.load();
        // What is good for a while, or from somewhere, makes nothing that is good for longer, or from elsewhere.
        if let Some(own) = caller.principal.id().and_then(|id| tokens.by_id(id)) {
            let ends = own.info.expires_at.is_none_or(|end| token.expires_at.is_some_and(|at| at <= end));
            let within = |network: &Network| own.info.networks.iter().any(|own| own.net().contains(&network.net()));
            let from = own.info.networks.is_empty() || (!token.networks.is_empty() && token.networks.iter().all(within));
            if !ends || !from {
                return Err(Error::Forbidden);
            }
        }
        if tokens.0.len() >= MOST {
            return Err(Error::Conflict(format!("there are {MOST} tokens already: revoke some first")));
        }
        let text = generate()?;
        let row = TokenRow {
            id: Uuid::new_v4(),
            name: token.name.to_string(),
            hash: hash(&text).to_vec(),
            created_at: now,
            expires_at: token.expires_at.map(micros),
            rights: serde_json::to_string(&grant).map_err(Error::internal)?,
            networks: token.networks.iter().map(ToString::to_string).collect(),
            created_by: super::rows::author(caller),
            person_id: self.person_behind(caller),
            last_used_at: None,
        };
        if !self.inner.store.create_token(&row).await? {
            return Err(Error::Conflict(format!("there is a token `{}` already: revoke it first, or take another name", row.name)));
        }
        self.reload_tokens().await?;
        tracing::info!(token = %row.name, by = %row.created_by, "service.token_created");
        let made = Token::of(row).ok_or_else(|| Error::internal("a new token cannot be read"))?;
        self.audit_soon(caller, AuditEvent { after: serde_json::to_value(&made.info).ok(), ..event("create", &made.info) }).await;
        Ok((made.info, text))
    }

    /// Ends a token at once.
    pub async fn revoke_token(&self, caller: &Caller, id: Uuid) -> Result<()> {
        self.authorize(&caller.principal, Action::Delete, "token", None)?;
        let tokens = self.inner.tokens.load();
        let token = tokens.by_id(id).ok_or_else(|| absent(id))?;
        // Who may do less could end what may do more.
        if caller.principal.grant().is_some_and(|own| !own.includes(&token.grant)) {
            return Err(Error::Forbidden);
        }
        if !self.inner.store.delete_token(id).await? {
            return Err(absent(id));
        }
        self.reload_tokens().await?;
        tracing::info!(token = %token.info.name, by = %super::rows::author(caller), "service.token_revoked");
        self.audit_soon(caller, AuditEvent { before: serde_json::to_value(&token.info).ok(), ..event("delete", &token.info) }).await;
        Ok(())
    }

    async fn reload_tokens(&self) -> Result<()> {
        self.inner.tokens.store(Arc::new(Tokens::load(&self.inner.store).await?));
        Ok(())
    }

    /// Sees to it that there is an administrator's token. With `given` (20 to 200 visible ASCII characters), that one is registered, in
    /// the place of the one before; without, one is made if there is no token at all, and its text is given back: the only time it is
    /// seen.
    pub async fn ensure_admin_token(&self, given: Option<&str>) -> Result<Option<String>> {
        let now = micros(self.now());
        let known = Tokens::load(&self.inner.store).await?;
        let (text, made) = match given {
            Some(text) => {
                if !(20..=200).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(Error::invalid("", "invalid_value", "a token is 20 to 200 visible ASCII characters"));
                }
                if known.find(text).is_some_and(|token| token.info.name == ADMIN && token.good(None, now)) {
                    return Ok(None);
                }
                (text.to_owned(), None)
            }
            None if !known.0.is_empty() => return Ok(None),
            None => {
                let text = generate()?;
                (text.clone(), Some(text))
            }
        };
        let rights = serde_json::to_string(&Grant::admin()).map_err(Error::internal)?;
        let token = TokenRow {
            id: Uuid::new_v4(),
            name: ADMIN.to_owned(),
            hash: hash(&text).to_vec(),
            created_at: now,
            expires_at: None,
            rights,
            networks: Vec::new(),
            created_by: Principal::System.label(),
            person_id: None,
            last_used_at: None,
        };
        self.inner.store.put_token(&token).await?;
        self.reload_tokens().await?;
        Ok(made)
    }
}

fn absent(id: Uuid) -> Error {
    Error::NotFound { kind: "token", name: id.to_string() }
}

/// Refuses what would be no token, or one for nothing.
fn check(token: &NewToken, now: OffsetDateTime) -> Result<()> {
    let mut errors = Vec::new();
    if token.roles.is_empty() && token.permits.is_empty() {
        errors.push(FieldError::new("/permits", "required", "a token has roles or permits: say what it may do"));
    }
    for (index, permit) in token.permits.iter().enumerate() {
        for (field, empty) in [("actions", permit.actions.is_empty()), ("kinds", permit.kinds.is_empty())] {
            if empty {
                errors.push(FieldError::new(format!("/permits/{index}/{field}"), "required", "name one at least"));
            }
        }
    }
    for (field, count) in [("roles", token.roles.len()), ("permits", token.permits.len()), ("networks", token.networks.len())] {
        if count > 64 {
            errors.push(FieldError::new(format!("/{field}"), "out_of_range", "at most 64"));
        }
    }
    if token.expires_at.is_some_and(|at| at <= now) {
        errors.push(FieldError::new("/expires_at", "out_of_range", "this is in the past"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}

/// Keeps the known tokens as the database has them: told by a notification, and asked for every 30 s in case one was missed. When they were
/// used is written as often.
pub async fn follow(store: Store, tokens: Arc<arc_swap::ArcSwap<Tokens>>, used: Arc<Used>) {
    let period = std::time::Duration::from_secs(30);
    let mut listener = None;
    let mut written = std::time::Instant::now();
    loop {
        if listener.is_none() {
            listener = store.listen_tokens().await.ok();
        }
        match &mut listener {
            // An error is a lost connection: what was missed meanwhile is read below, and the next round listens anew.
            Some(listening) => {
                // An error is a lost connection: what was missed meanwhile is read below, and the next round listens anew.
                if let Ok(Err(_)) = tokio::time::timeout(period, listening.recv()).await {
                    listener = None;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
            None => tokio::time::sleep(std::time::Duration::from_secs(2)).await,
        }
        if written.elapsed() >= period {
            used.save(&store).await;
            written = std::time::Instant::now();
        }
        if let Ok(loaded) = Tokens::load(&store).await {
            tokens.store(Arc::new(loaded));
        }
    }
}

fn event(action: &'static str, token: &TokenInfo) -> AuditEvent {
    AuditEvent { action, kind: "token", name: token.name.clone(), object_id: Some(token.id), ..AuditEvent::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wide_enough_and_differ() {
        let (a, b) = (generate().unwrap(), generate().unwrap());
        assert_eq!((a.len(), b.len()), (4 + 43 + 6, 4 + 43 + 6));
        assert_ne!(a, b);
        assert_eq!(base62(&[255; 32], 43).len(), 43);
        assert_eq!(base62(&[0, 61], 2), "0z");
        assert_eq!(base62(&[1, 0], 3), "048");
    }
}
