//! The authenticator of a person: begun, confirmed by its first code, taken off.

use serde::Serialize;
use utoipa::ToSchema;

use super::sign_in::about;
use super::{Service, SignedIn, event, person};
use crate::auth::{Text, totp};
use crate::domain::error::{Error, Result};
use crate::service::Caller;

/// A seed for an authenticator: counts from when its first code was confirmed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TotpBegun {
    /// In base 32, to be typed.
    pub secret: Text,
    /// `otpauth://`, to be shown as a picture.
    pub uri: Text,
}

/// The authenticator counts from now.
#[derive(Clone, Debug)]
pub struct TotpConfirmed {
    /// Each stands in for a code once; shown this once.
    pub recovery_codes: Vec<Text>,
    pub signed_in: SignedIn,
}

impl Service {
    /// Makes a seed; the authenticator of before counts until the new one is confirmed.
    pub async fn begin_totp(&self, caller: &Caller, password: &Text) -> Result<TotpBegun> {
        let (people, now) = (&self.inner.people, self.now());
        let (id, _) = person(&caller.principal)?;
        let row = self.confirmed(id, password, caller, now).await?;
        people.limiter.succeeded(&row.user.email);
        let seed = totp::seed()?;
        let _changing = people.changing.lock().await;
        let mut row = people.user(id)?;
        row.totp_pending = Some(people.ring.seal(&about(id), &seed)?);
        self.inner.store.put_user(&row, None).await?;
        let uri = totp::uri(&seed, &row.user.email);
        people.change(|known| known.put_user(row));
        Ok(TotpBegun { secret: totp::shown(&seed), uri })
    }

    /// Confirms the seed by a code. All other sessions end.
    pub async fn confirm_totp(&self, caller: &Caller, code: &str) -> Result<TotpConfirmed> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        let (id, session) = person(&caller.principal)?;
        let user = people.user(id)?.user;
        people.limiter.attempt(&user.email, caller.address, now).inspect_err(|error| self.note_unconfirmed(caller, &user, error))?;
        let _changing = people.changing.lock().await;
        let mut row = people.user(id)?;
        let pending = row.totp_pending.take().ok_or_else(|| Error::Conflict("begin first: there is no seed to confirm".to_owned()))?;
        let seed = people.ring.open(&about(id), &pending)?;
        let step = totp::step_of(&seed, code.trim(), now, 0)
            .ok_or_else(|| Error::invalid("/code", "wrong", "not the code of now: are the clocks of both right?"))
            .inspect_err(|error| self.note_unconfirmed(caller, &user, error))?;
        (row.totp, row.totp_step) = (Some(pending), step);
        let recovery_codes = totp::recovery_codes()?;
        let hashes: Vec<[u8; 32]> = recovery_codes.iter().map(Text::hash).collect();
        let row = people.renewed(store, row, Some(&hashes), Some(session), now).await?;
        people.limiter.succeeded(&user.email);
        self.note(caller, event("totp_confirmed", &row.user)).await;
        let signed_in = SignedIn { access: people.access(&row, session, now)?, user: row.user, session, cookie: None };
        Ok(TotpConfirmed { recovery_codes, signed_in })
    }

    /// Takes the authenticator off, by password and code. All other sessions end.
    pub async fn disable_totp(&self, caller: &Caller, password: &Text, code: &str) -> Result<SignedIn> {
        let (people, store, now) = (&self.inner.people, &self.inner.store, self.now());
        let (id, session) = person(&caller.principal)?;
        let row = self.confirmed(id, password, caller, now).await?;
        // The attempt is forgotten when both were right: else who has the password could try codes without end.
        match people.second_factor(store, &row, Some(code), now).await {
            Err(Error::SignInFailed) => {
                let wrong = Error::invalid("/code", "wrong", "not a code of the authenticator, nor a recovery code");
                self.note_unconfirmed(caller, &row.user, &wrong);
                return Err(wrong);
            }
            other => other?,
        }
        people.limiter.succeeded(&row.user.email);
        let _changing = people.changing.lock().await;
        let mut row = people.user(id)?;
        (row.totp, row.totp_pending) = (None, None);
        let row = people.renewed(store, row, Some(&[]), Some(session), now).await?;
        self.note(caller, event("totp_disabled", &row.user)).await;
        Ok(SignedIn { access: people.access(&row, session, now)?, user: row.user, session, cookie: None })
    }
}
