//! Reading whole states: the head at the start and after the lead was lost, any revision on demand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, failed, inconsistent};
use crate::domain::error::{Error, Result};
use crate::domain::snapshot::ListState;
use crate::domain::{Entry, Kind, Name, Network, Revision, Snapshot, Title, Versioned};

/// The newest state, with what is needed to write the next.
pub struct Loaded {
    pub snapshot: Snapshot,
    /// Digest of the newest revision.
    pub digest: String,
    /// The highest object number ever used, by kind.
    pub numbers: BTreeMap<Kind, u32>,
}

struct ObjectRow {
    id: Uuid,
    kind: String,
    name: String,
    number: i64,
    created_at: OffsetDateTime,
    revision: i64,
    written_at: OffsetDateTime,
    spec: String,
    elements: String,
}

struct EntryOfList {
    list_id: Uuid,
    network: ipnet::IpNet,
    comment: String,
    expires_at: Option<OffsetDateTime>,
}

impl Store {
    /// The newest state, in one consistent read.
    pub async fn load_head(&self) -> Result<Loaded> {
        let mut tx = self.pool.begin_with("begin isolation level repeatable read read only").await.map_err(failed("loading the head"))?;
        load_head(&mut tx).await
    }

    /// The digest of a revision, if there is one.
    pub async fn digest_of(&self, number: Revision) -> Result<Option<String>> {
        sqlx::query_scalar!("select digest from revisions where number = $1", number)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("reading a revision"))
    }

    /// The state at a revision that exists. Ranges are immutable once closed, so that no transaction is needed for the past.
    pub async fn snapshot_at(&self, number: Revision) -> Result<Snapshot> {
        let mut tx = self.pool.begin_with("begin isolation level repeatable read read only").await.map_err(failed("loading a revision"))?;
        let objects = sqlx::query_as!(
            ObjectRow,
            r#"select o.id, o.kind, o.name, o.number, o.created_at, v.from_revision as revision, v.written_at,
                      v.spec::text as "spec!", v.elements::text as "elements!"
               from objects o
               join lateral (select * from object_versions v where v.object_id = o.id and v.from_revision <= $1
                             order by v.from_revision desc limit 1) v on true
               where o.created_revision <= $1 and (o.deleted_revision is null or o.deleted_revision > $1)"#,
            number
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("loading a revision"))?;
        let entries = sqlx::query_as!(
            EntryOfList,
            "select list_id, network, comment, expires_at from list_entries
             where from_revision <= $1 and (to_revision is null or to_revision > $1)",
            number
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("loading a revision"))?;
        tokio::task::spawn_blocking(move || assemble(number, objects, entries)).await.map_err(Error::internal)?
    }
}

impl Store {
    /// Of the state at a revision: these objects, as far as they were there. Nothing else is in it.
    pub async fn objects_at(&self, number: Revision, keys: &BTreeSet<(Kind, Name)>) -> Result<Snapshot> {
        let kinds: Vec<String> = keys.iter().map(|(kind, _)| kind.as_str().to_owned()).collect();
        let names: Vec<String> = keys.iter().map(|(_, name)| name.to_string()).collect();
        let objects = sqlx::query_as!(
            ObjectRow,
            r#"select o.id, o.kind, o.name, o.number, o.created_at, v.from_revision as revision, v.written_at,
                      v.spec::text as "spec!", v.elements::text as "elements!"
               from unnest($2::text[], $3::text[]) as k (kind, name)
               join objects o on o.kind = k.kind and o.name = k.name
               join lateral (select * from object_versions v where v.object_id = o.id and v.from_revision <= $1
                             order by v.from_revision desc limit 1) v on true
               where o.created_revision <= $1 and (o.deleted_revision is null or o.deleted_revision > $1)"#,
            number,
            &kinds,
            &names
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("loading objects of a revision"))?;
        let lists: Vec<Uuid> = objects.iter().filter(|row| row.kind == Kind::IpList.as_str()).map(|row| row.id).collect();
        let entries = sqlx::query_as!(
            EntryOfList,
            "select list_id, network, comment, expires_at from list_entries
             where list_id = any ($2) and from_revision <= $1 and (to_revision is null or to_revision > $1)",
            number,
            &lists
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("loading objects of a revision"))?;
        tokio::task::spawn_blocking(move || assemble(number, objects, entries)).await.map_err(Error::internal)?
    }
}

async fn load_head(tx: &mut PgConnection) -> Result<Loaded> {
    let head = sqlx::query!("select number, digest from revision_head").fetch_one(&mut *tx).await.map_err(failed("loading the head"))?;
    let objects = sqlx::query_as!(
        ObjectRow,
        r#"select o.id, o.kind, o.name, o.number, o.created_at, v.from_revision as revision, v.written_at,
                  v.spec::text as "spec!", v.elements::text as "elements!"
           from objects o join object_versions v on v.object_id = o.id
           where v.to_revision is null and o.deleted_revision is null"#
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed("loading the head"))?;
    let entries = sqlx::query_as!(EntryOfList, "select list_id, network, comment, expires_at from list_entries where to_revision is null")
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("loading the head"))?;
    let numbers = sqlx::query!(r#"select kind, max(number) as "number!" from objects group by kind"#)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("loading the head"))?;
    let numbers = numbers.into_iter().map(|row| Ok((kind(&row.kind)?, small("objects", row.number)?))).collect::<Result<_>>()?;
    let snapshot = tokio::task::spawn_blocking(move || assemble(head.number, objects, entries)).await.map_err(Error::internal)??;
    Ok(Loaded { snapshot, digest: head.digest, numbers })
}

fn assemble(revision: Revision, objects: Vec<ObjectRow>, entries: Vec<EntryOfList>) -> Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    snapshot.revision = revision;
    let mut by_list: HashMap<Uuid, BTreeMap<Network, Entry>> = HashMap::new();
    for row in entries {
        let network = Network::new(row.network);
        let comment = Title::parse(&row.comment).map_err(|why| inconsistent("list_entries", network, why))?;
        by_list.entry(row.list_id).or_default().insert(network, Entry { network, comment, expires_at: row.expires_at });
    }
    for row in objects {
        match kind(&row.kind)? {
            Kind::Vhost => {
                let vhost: Versioned<crate::domain::Vhost> = versioned(&row)?;
                snapshot.put_vhost(Arc::new(vhost));
            }
            Kind::Policy => {
                let policy: Versioned<crate::domain::Policy> = versioned(&row)?;
                snapshot.policies.insert(policy.spec.name.clone(), Arc::new(policy));
            }
            Kind::IpList => {
                let list: Versioned<crate::domain::IpList> = versioned(&row)?;
                let entries = Arc::new(by_list.remove(&list.id).unwrap_or_default());
                snapshot.ip_lists.insert(list.spec.name.clone(), Arc::new(ListState { list, entries }));
            }
        }
    }
    Ok(snapshot)
}

fn versioned<T: DeserializeOwned>(row: &ObjectRow) -> Result<Versioned<T>> {
    let unreadable = |error: serde_json::Error| inconsistent("object_versions", format_args!("{} {}", row.kind, row.name), error);
    Ok(Versioned {
        id: row.id,
        number: small("objects", row.number)?,
        spec: serde_json::from_str(&row.spec).map_err(unreadable)?,
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.written_at,
        elements: serde_json::from_str(&row.elements).map(Arc::new).map_err(unreadable)?,
    })
}

pub(super) fn kind(text: &str) -> Result<Kind> {
    [Kind::Vhost, Kind::Policy, Kind::IpList]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| inconsistent("objects", text, "no such kind"))
}

fn small(table: &'static str, number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| inconsistent(table, number, "the number is out of range"))
}
