//! Keys that seal, changed: what older ones sealed is sealed anew under the newest, so that they can go.
//!
//! A text is replaced only where it is still the one that was opened, a hundred at a time, each hundred one statement: whoever is stopped in the
//! middle begins again and finds the rest. A server does it itself, since it holds people in memory and would write the old text back;
//! without one, it is done with the lead, so that none comes up meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Known, People, Service, sign_in};
use crate::auth::{KeyId, Keyring, keys};
use crate::domain::Action;
use crate::domain::audit::AuditEvent;
use crate::domain::error::{Error, Result};
use crate::service::audit;
use crate::service::{Caller, Stranger, start};
use crate::store::{SealedIn, SealedRow, Store};

/// Texts of one statement.
const BATCH: i64 = 100;

/// What a key is to this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// The first of the settings: it seals.
    Primary,
    /// It opens what it sealed.
    Old,
    /// Something is sealed under it, and the settings have it not.
    Missing,
}

/// A key that seals secrets in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealingKey {
    /// 16 hexadecimal digits, made of the key; nothing else can be told of it.
    pub id: String,
    pub state: KeyState,
    /// Seeds of authenticators that are sealed under it, also those that are not confirmed.
    #[schema(minimum = 0)]
    pub authenticators: i64,
    /// Keys that sign access tokens, their private part sealed under it.
    #[schema(minimum = 0)]
    pub signing_keys: i64,
}

impl SealingKey {
    /// How much is sealed under it.
    pub fn count(&self) -> i64 {
        self.authenticators + self.signing_keys
    }
}

/// What sealing anew did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resealed {
    /// How many secrets are sealed under the newest key that were not.
    #[schema(minimum = 0)]
    pub resealed: i64,
    /// As it is now. An old key with nothing under it can be taken out of the settings.
    pub items: Vec<SealingKey>,
}

/// All keys of the settings, the newest first, and those that are missing.
pub async fn sealing_keys(store: &Store, ring: &Keyring) -> Result<Vec<SealingKey>> {
    let state = |index| if index == 0 { KeyState::Primary } else { KeyState::Old };
    let key = |id: String, state| SealingKey { id, state, authenticators: 0, signing_keys: 0 };
    let mut found: Vec<SealingKey> = Vec::new();
    for (index, id) in ring.ids().enumerate() {
        if !found.iter().any(|known| known.id == id.to_string()) {
            found.push(key(id.to_string(), state(index)));
        }
    }
    for count in store.sealed_counts().await? {
        let id = count.key.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
        let at = found.iter().position(|known| known.id == id).unwrap_or_else(|| {
            found.push(key(id, KeyState::Missing));
            found.len() - 1
        });
        match count.place {
            SealedIn::Totp | SealedIn::TotpPending => found[at].authenticators += count.count,
            SealedIn::SigningKey => found[at].signing_keys += count.count,
        }
    }
    Ok(found)
}

/// Whether something is under a key that is there and not the newest.
fn to_do(keys: &[SealingKey]) -> bool {
    keys.iter().any(|key| key.state == KeyState::Old && key.count() > 0)
}

/// Says at the start which keys are missing: what they sealed is lost without them, and kept until they come back.
pub(super) async fn tell_missing(store: &Store, ring: &Keyring) -> Result<()> {
    for key in sealing_keys(store, ring).await?.iter().filter(|key| key.state == KeyState::Missing) {
        tracing::error!(
            key = key.id,
            authenticators = key.authenticators,
            signing_keys = key.signing_keys,
            "a key is missing in `auth.key_file` (or `auth.key`) that sealed secrets in the database: put its line back below the first one; \
             until then who has such an authenticator signs in by a recovery code alone"
        );
    }
    Ok(())
}

/// The next ones behind `after`; None at the end. With those that were done, for who holds copies.
async fn step(store: &Store, ring: &Keyring, place: SealedIn, after: &str) -> Result<Option<(String, Vec<(SealedRow, Vec<u8>)>)>> {
    let newest = ring.ids().next().ok_or_else(|| Error::internal("no key to seal with"))?;
    let rows = store.sealed_elsewhere(place, newest, after, BATCH).await?;
    let Some(last) = rows.last().map(|row| row.id.clone()) else { return Ok(None) };
    let mut changes = Vec::with_capacity(rows.len());
    // What does not open stays as it is: its key may come back.
    for row in rows.into_iter().filter(|row| ring.knows(&row.sealed)) {
        match ring.reseal(&about(place, &row.id), &row.sealed) {
            Ok(new) => changes.push((row, new)),
            Err(error) => tracing::error!(%error, "a secret stays under its old key"),
        }
    }
    let done = store.reseal(place, &changes).await?;
    changes.retain(|(row, _)| done.contains(&row.id));
    Ok(Some((last, changes)))
}

fn about(place: SealedIn, id: &str) -> String {
    match place {
        SealedIn::Totp | SealedIn::TotpPending => id.parse().map(sign_in::about).unwrap_or_default(),
        SealedIn::SigningKey => keys::about(id),
    }
}

fn begun(newest: Option<KeyId>, keys: &[SealingKey]) -> AuditEvent {
    let under: BTreeMap<&str, i64> = keys.iter().map(|key| (key.id.as_str(), key.count())).collect();
    let name = newest.map(|id| id.to_string()).unwrap_or_default();
    AuditEvent { action: "reseal", kind: "sealing_key", name, before: Some(json!({ "sealed": under })), ..AuditEvent::default() }
}

fn ended(newest: Option<KeyId>, done: &Resealed) -> AuditEvent {
    let under: BTreeMap<&str, i64> = done.items.iter().map(|key| (key.id.as_str(), key.count())).collect();
    let name = newest.map(|id| id.to_string()).unwrap_or_default();
    let after = Some(json!({ "resealed": done.resealed, "sealed": under }));
    AuditEvent { action: "resealed", kind: "sealing_key", name, after, ..AuditEvent::default() }
}

impl People {
    /// The next ones, in the database and in memory: nobody changes a person in between.
    async fn reseal(&self, store: &Store, place: SealedIn, after: &str) -> Result<Option<(String, i64)>> {
        let _changing = self.changing.lock().await;
        let Some((last, changes)) = step(store, &self.ring, place, after).await? else { return Ok(None) };
        self.change(|known| changes.iter().for_each(|(row, new)| put(known, place, row, new)));
        Ok(Some((last, i64::try_from(changes.len()).unwrap_or(i64::MAX))))
    }
}

fn put(known: &mut Known, place: SealedIn, row: &SealedRow, new: &[u8]) {
    let person = row.id.parse().ok().and_then(|id| known.users.get_mut(&id));
    let held = person.and_then(|person| match place {
        SealedIn::Totp => person.row.totp.as_mut(),
        SealedIn::TotpPending => person.row.totp_pending.as_mut(),
        SealedIn::SigningKey => None,
    });
    if let Some(held) = held.filter(|held| **held == row.sealed) {
        *held = new.to_vec();
    }
}

impl Service {
    /// The keys that seal secrets in the database, and how much is under each.
    pub async fn sealing_keys(&self, caller: &Caller) -> Result<Vec<SealingKey>> {
        self.authorize(&caller.principal, Action::Read, "setting", None)?;
        sealing_keys(&self.inner.store, &self.inner.people.ring).await
    }

    /// Seals what older keys sealed under the newest one. Goes on to its end whoever waits for it.
    pub async fn reseal(&self, caller: &Caller) -> Result<Resealed> {
        self.authorize(&caller.principal, Action::Update, "setting", None)?;
        let (service, caller) = (self.clone(), caller.clone());
        tokio::spawn(async move { service.reseal_all(&caller).await }).await.map_err(Error::internal)?
    }

    async fn reseal_all(&self, caller: &Caller) -> Result<Resealed> {
        let (people, store) = (Arc::clone(&self.inner.people), &self.inner.store);
        let items = sealing_keys(store, &people.ring).await?;
        if !to_do(&items) {
            return Ok(Resealed { resealed: 0, items });
        }
        self.audit(caller, begun(people.ring.ids().next(), &items)).await?;
        let mut resealed = 0;
        for place in SealedIn::ALL {
            let mut after = String::new();
            while let Some((last, done)) = people.reseal(store, place, &after).await? {
                (after, resealed) = (last, resealed + done);
            }
        }
        let done = Resealed { resealed, items: sealing_keys(store, &people.ring).await? };
        tracing::info!(resealed, "service.resealed");
        self.audit_soon(caller, ended(people.ring.ids().next(), &done)).await;
        Ok(done)
    }
}

/// The same where no server runs; `Error::Conflict` where one does.
pub async fn reseal_here(store: &Store, ring: &Keyring, now: OffsetDateTime) -> Result<Resealed> {
    let items = sealing_keys(store, ring).await?;
    if !to_do(&items) {
        return Ok(Resealed { resealed: 0, items });
    }
    let mut lead = start::take_lead(store).await?;
    let row = |event| audit::row("system".to_owned(), None, &Stranger { request_id: "keys reseal --local", address: None }, event, now);
    if !lead.append(&[row(begun(ring.ids().next(), &items))]).await? {
        return Err(Error::Unavailable("somebody else writes to the audit log: try again".to_owned()));
    }
    let mut resealed = 0;
    for place in SealedIn::ALL {
        let mut after = String::new();
        while let Some((last, changes)) = step(store, ring, place, &after).await? {
            (after, resealed) = (last, resealed + i64::try_from(changes.len()).unwrap_or(i64::MAX));
        }
    }
    let done = Resealed { resealed, items: sealing_keys(store, ring).await? };
    lead.append(&[row(ended(ring.ids().next(), &done))]).await?;
    Ok(done)
}
