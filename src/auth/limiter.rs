//! What slows guessing down: so many attempts at once, then one by one (GCRA), by account and by address, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::domain::error::{Error, Result};

/// Keys that are known at most, of each kind; those beyond share one.
const MOST_KEYS: usize = 50_000;
const ACCOUNT: Rate = Rate { burst: 10, every_ms: 60_000 };
const ADDRESS: Rate = Rate { burst: 20, every_ms: 3_000 };

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: i64,
    every_ms: i64,
}

/// Counts attempts to sign in.
#[derive(Debug, Default)]
pub struct Limiter {
    accounts: Mutex<Table<[u8; 16]>>,
    addresses: Mutex<Table<IpAddr>>,
}

/// When each would have used up what it is allowed.
#[derive(Debug)]
struct Table<K> {
    known: HashMap<K, i64>,
    others: i64,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { known: HashMap::new(), others: i64::MIN }
    }
}

impl<K: Eq + Hash> Table<K> {
    /// Takes one; else says for how many milliseconds there is none.
    fn take(&mut self, key: K, rate: Rate, now: i64) -> Result<(), i64> {
        if self.known.len() >= MOST_KEYS && !self.known.contains_key(&key) {
            self.known.retain(|_, at| *at > now);
        }
        let full = self.known.len() >= MOST_KEYS && !self.known.contains_key(&key);
        let at = if full { &mut self.others } else { self.known.entry(key).or_insert(now) };
        let next = (*at).max(now) + rate.every_ms;
        let over = next - now - rate.burst * rate.every_ms;
        if over > 0 {
            return Err(over);
        }
        *at = next;
        Ok(())
    }
}

impl Limiter {
    /// One more attempt by an address for an account, whether there is one or not.
    pub fn attempt(&self, account: &str, address: Option<IpAddr>, now: OffsetDateTime) -> Result<()> {
        self.address(address, now)?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.take(account_key(account), ACCOUNT, milliseconds(now)).map_err(|wait| too_many("for this account", wait))
    }

    /// One more attempt by an address.
    pub fn address(&self, address: Option<IpAddr>, now: OffsetDateTime) -> Result<()> {
        let Some(address) = address else { return Ok(()) };
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.take(network(address), ADDRESS, milliseconds(now)).map_err(|wait| too_many("from this address", wait))
    }

    /// It was the right one: the account's attempts are forgotten.
    pub fn succeeded(&self, account: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).known.remove(&account_key(account));
    }
}

fn too_many(what: &str, wait_ms: i64) -> Error {
    Error::TooMany { what: format!("too many attempts {what}"), retry_after_s: u32::try_from(wait_ms / 1000 + 1).unwrap_or(3600) }
}

fn milliseconds(now: OffsetDateTime) -> i64 {
    i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX / 2)
}

/// Of what may be of any length, always the same.
fn account_key(account: &str) -> [u8; 16] {
    let digest = Sha256::digest(account.to_lowercase().as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

/// Whoever has an IPv6 address has its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn an_account_has_ten_attempts_then_one_a_minute() {
        let limiter = Limiter::default();
        let address = |n: u8| Some(IpAddr::from([192, 0, 2, n]));
        for n in 0..10 {
            limiter.attempt("Ada@example.com", address(n), at(0)).unwrap();
        }
        let Err(Error::TooMany { retry_after_s, .. }) = limiter.attempt("ada@example.com", address(99), at(0)) else { panic!() };
        assert!((60..=61).contains(&retry_after_s));
        limiter.attempt("bob@example.com", address(99), at(0)).unwrap();
        assert!(limiter.attempt("ada@example.com", address(98), at(59)).is_err());
        limiter.attempt("ada@example.com", address(98), at(60)).unwrap();
        assert!(limiter.attempt("ada@example.com", address(98), at(60)).is_err());
        limiter.succeeded("ADA@example.com");
        limiter.attempt("ada@example.com", address(98), at(60)).unwrap();
    }

    #[test]
    fn an_address_has_twenty_and_a_64_is_one() {
        let limiter = Limiter::default();
        for n in 0..20u16 {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 0, n, 0, 0, 1]);
            limiter.attempt(&format!("{n}@example.com"), Some(address), at(0)).unwrap();
        }
        assert!(limiter.attempt("x@example.com", Some("2001:db8::2".parse().unwrap()), at(0)).is_err());
        limiter.attempt("x@example.com", Some("2001:db8:0:1::2".parse().unwrap()), at(0)).unwrap();
        limiter.address(Some("2001:db8::2".parse().unwrap()), at(3)).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_those_beyond_share() {
        let mut table = Table::default();
        for key in 0..MOST_KEYS + 100 {
            let _ = table.take(key, ACCOUNT, 0);
        }
        assert_eq!(table.known.len(), MOST_KEYS);
        assert!(table.take(usize::MAX, ACCOUNT, 0).is_err(), "the hundred before used up what they share");
        assert!(table.take(0, ACCOUNT, 0).is_ok(), "who is known is not");
        table.take(usize::MAX, ACCOUNT, 3_600_000).unwrap();
        assert_eq!(table.known.len(), 1, "who has not tried for long is forgotten");
    }
}
