//! The audit log's chain: what a row's hash is over, and what a look along the chain finds.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Revision;
use super::digest::hex;

/// The hash before the first row's.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened, without who and when: those are the caller's and the clock's.
#[derive(Clone, Debug, Default)]
pub struct AuditEvent {
    /// `create`, `update`, `delete`, or such as `sign_in`, `denied`, `deployment.live`: `^[a-z][a-z_.]{0,59}$`.
    pub action: &'static str,
    /// Of the object: `policy`, `token`, `deployment`, `session`.
    pub kind: &'static str,
    pub name: String,
    pub object_id: Option<Uuid>,
    pub revision: Option<Revision>,
    /// Members that are secrets are masked.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What a hash is over: a row as the database has it, JSON as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub at: OffsetDateTime,
    pub author: String,
    pub principal_id: Option<Uuid>,
    pub action: String,
    pub kind: String,
    pub name: String,
    pub object_id: Option<Uuid>,
    pub revision: Option<Revision>,
    pub request_id: String,
    pub address: Option<String>,
    /// JSON.
    pub before: Option<String>,
    /// JSON.
    pub after: Option<String>,
}

/// A place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPlace {
    /// The row's id; 0 before the first.
    #[schema(minimum = 0)]
    pub id: i64,
    /// The row's hash, SHA-256 in hex.
    #[schema(min_length = 64, max_length = 64)]
    pub hash: String,
}

impl AuditPlace {
    pub fn start() -> Self {
        Self { id: 0, hash: NOTHING.to_owned() }
    }

    /// The place of a row that comes next.
    #[must_use]
    pub fn then(&self, row: &AuditRow) -> Self {
        let id = self.id + 1;
        Self { id, hash: row.hash(&self.hash, id) }
    }
}

impl AuditRow {
    /// Each part has its length before it (-1: not there), so that no two rows read the same; migration 0005 does the same.
    fn hash(&self, before: &str, id: i64) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: Option<&str>| match part {
            None => hash.update((-1i64).to_be_bytes()),
            Some(part) => {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part.as_bytes());
            }
        };
        let text = |value: Option<Uuid>| value.map(|value| value.to_string());
        add(Some(before));
        add(Some(&id.to_string()));
        add(Some(&self.at.unix_timestamp_nanos().div_euclid(1000).to_string()));
        add(Some(&self.author));
        add(text(self.principal_id).as_deref());
        add(Some(&self.action));
        add(Some(&self.kind));
        add(Some(&self.name));
        add(text(self.object_id).as_deref());
        add(self.revision.map(|revision| revision.to_string()).as_deref());
        add(Some(&self.request_id));
        add(self.address.as_deref());
        add(self.before.as_deref());
        add(self.after.as_deref());
        hex(&hash.finalize())
    }
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditFault {
    /// A row is not there whose successor is.
    Missing,
    /// The row is not what was written, or what was before it is not.
    Changed,
    /// Rows at the end are not there.
    Truncated,
    /// The newest row is not the one that the head names.
    Head,
    /// The row to begin behind is none of this log: the place given is wrong, or the log was written anew.
    Place,
}

/// The first row that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditBreak {
    pub id: i64,
    pub fault: AuditFault,
    /// For people.
    pub detail: String,
}

/// What a look along the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// No row that was looked at is wrong.
    pub ok: bool,
    /// Rows looked at.
    pub checked: i64,
    /// Whether the end was reached; if not, go on from `last`.
    pub complete: bool,
    /// The last row that is good: keep it elsewhere, and begin from it the next time.
    pub last: AuditPlace,
    /// The first row that is wrong; what comes behind was not looked at.
    #[schema(required)]
    pub broken: Option<AuditBreak>,
}

/// A look along the chain, row by row.
#[derive(Debug)]
pub struct Walk {
    place: AuditPlace,
    checked: i64,
    broken: Option<AuditBreak>,
}

impl Walk {
    /// Begins behind a row that is known.
    pub fn after(place: AuditPlace) -> Self {
        Self { place, checked: 0, broken: None }
    }

    /// The next row, by its id; false where it is wrong, and the walk over.
    pub fn step(&mut self, id: i64, hash: &str, row: &AuditRow) -> bool {
        let next = self.place.then(row);
        if id != next.id {
            self.fail(next.id, AuditFault::Missing, format!("row {} is not there, {id} is", next.id));
            return false;
        }
        if hash != next.hash {
            let detail =
                format!("row {id} is not what was written, or does not follow row {}: its hash is {hash}, not {}", id - 1, next.hash);
            self.fail(id, AuditFault::Changed, detail);
            return false;
        }
        self.checked += 1;
        self.place = next;
        true
    }

    pub fn checked(&self) -> i64 {
        self.checked
    }

    pub fn id(&self) -> i64 {
        self.place.id
    }

    pub fn fail(&mut self, id: i64, fault: AuditFault, detail: String) {
        self.broken = Some(AuditBreak { id, fault, detail });
    }

    /// With the head where all rows were looked at.
    pub fn end(mut self, head: Option<&AuditPlace>) -> AuditVerdict {
        if let (None, Some(head)) = (&self.broken, head) {
            let last = self.place.id;
            if head.id > last {
                self.fail(last + 1, AuditFault::Truncated, format!("rows {} to {} are not there", last + 1, head.id));
            } else if *head != self.place {
                self.fail(last, AuditFault::Head, format!("the head names row {} with the hash {}", head.id, head.hash));
            }
        }
        let ok = self.broken.is_none();
        AuditVerdict { ok, checked: self.checked, complete: head.is_some() && ok, last: self.place, broken: self.broken }
    }
}

/// Members of this name are secrets, wherever they are.
const SECRET: [&str; 14] = [
    "password",
    "password_hash",
    "secret",
    "client_secret",
    "token",
    "refresh_token",
    "access_token",
    "bearer",
    "private_key",
    "totp_seed",
    "recovery_codes",
    "authorization",
    "cookie",
    "setup_link",
];

/// Takes the value of what is a secret by its name.
pub fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if SECRET.contains(&name.to_ascii_lowercase().as_str()) {
                    if !value.is_null() {
                        *value = Value::from("(secret)");
                    }
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// As rows have it: an address that IPv6 carries for IPv4 is that of IPv4.
pub fn address(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(name: &str, author: &str, revision: Option<i64>, after: Option<String>) -> AuditRow {
        AuditRow {
            at: OffsetDateTime::UNIX_EPOCH,
            author: author.to_owned(),
            principal_id: None,
            action: "update".to_owned(),
            kind: "policy".to_owned(),
            name: name.to_owned(),
            object_id: None,
            revision,
            request_id: "r".to_owned(),
            address: None,
            before: None,
            after,
        }
    }

    fn walk(rows: &[(AuditPlace, AuditRow)], head: &AuditPlace) -> AuditVerdict {
        let mut walk = Walk::after(AuditPlace::start());
        let good = rows.iter().all(|(place, row)| walk.step(place.id, &place.hash, row));
        walk.end(good.then_some(head))
    }

    fn chain(rows: Vec<AuditRow>) -> Vec<(AuditPlace, AuditRow)> {
        let mut place = AuditPlace::start();
        rows.into_iter()
            .map(|row| {
                place = place.then(&row);
                (place.clone(), row)
            })
            .collect()
    }

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        let mut value = serde_json::json!({"email": "a@example.com", "password": "x", "list": [{"Token": "y", "totp_seed": null}]});
        mask(&mut value);
        let masked =
            serde_json::json!({"email": "a@example.com", "password": "(secret)", "list": [{"Token": "(secret)", "totp_seed": null}]});
        assert_eq!(value, masked);
    }

    fn rows() -> impl Strategy<Value = Vec<AuditRow>> {
        let one = (".{0,8}", ".{0,8}", proptest::option::of(0i64..9), proptest::option::of(".{0,8}"));
        proptest::collection::vec(one.prop_map(|(name, author, revision, after)| row(&name, &author, revision, after)), 1..12)
    }

    proptest! {
        #[test]
        fn what_was_done_to_a_chain_is_found_where_it_was_done(rows in rows(), at in any::<prop::sample::Index>(), what in 0..6) {
            let good = chain(rows);
            let head = good.last().map(|last| last.0.clone()).unwrap();
            prop_assert!(walk(&good, &head).ok);
            let at = at.index(good.len());
            let id = i64::try_from(at).unwrap() + 1;
            let mut bad = good.clone();
            let found = match what {
                0 => { bad[at].1.author.push('x'); id }
                1 => { bad[at].1.revision = Some(77); id }
                2 => { bad.remove(at); id }
                3 => { let copy = bad[at].clone(); bad.insert(at, copy); id + 1 }
                // Its content, and a hash that fits: the next does not follow, or the head names another.
                4 => {
                    bad[at].1.name.push('x');
                    let before = if at == 0 { AuditPlace::start() } else { good[at - 1].0.clone() };
                    bad[at].0 = before.then(&bad[at].1);
                    if at + 1 == good.len() { id } else { id + 1 }
                }
                // Its content goes elsewhere in the same row.
                _ => {
                    let row = &mut bad[at].1;
                    row.author = format!("{}{}-", row.name, row.author);
                    row.name = String::new();
                    id
                }
            };
            let verdict = walk(&bad, &head);
            prop_assert!(!verdict.ok);
            prop_assert_eq!(verdict.broken.map(|broken| broken.id), Some(found));
        }
    }
}
