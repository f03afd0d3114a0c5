//! A whole tree as it is to be: what policies as code send. Staged as the difference to the base.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::apply::{Next, Outcome, write};
use super::authorize::Purpose;
use super::merge::Staged;
use super::object::Object;
use super::view::View;
use super::write::provisional;
use super::{Caller, Service, entries, parse};
use crate::domain::change_set::ChangeSet;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::snapshot::ListState;
use crate::domain::{Action, Entry, Grant, Kind, Name, Snapshot, Subject};

/// Faults told at once.
const MOST_FAULTS: usize = 100;

/// One object of the tree.
#[derive(Clone, Debug)]
pub struct Desired {
    pub kind: Kind,
    pub name: Name,
    /// A merge patch of what is there: what is absent stays, null is the default.
    pub fields: Value,
    /// Of an IP list: all entries; None leaves them as they are.
    pub entries: Option<Vec<Entry>>,
}

impl Service {
    /// Stages, instead of all that was staged, what brings the base to `objects`. With `prune` what is not named goes. Faults point into the
    /// request: `/objects/17/upstream/servers/0/port`.
    pub async fn stage_desired(&self, caller: &Caller, id: Uuid, objects: Vec<Desired>, prune: bool) -> Result<ChangeSet> {
        self.authorize(&caller.principal, Action::Update, "change_set", None)?;
        // What is not named goes: that is about everything there is.
        let everywhere = |grant: &Arc<Grant>| {
            [Kind::Vhost, Kind::Policy, Kind::IpList].map(Subject::from).iter().all(|kind| grant.everywhere(Action::Delete, *kind))
        };
        if prune && !caller.principal.grant().is_none_or(everywhere) {
            return Err(Error::Forbidden);
        }
        let _turn = self.inner.views.turn(id).await;
        let view = self.writable_view(caller, id).await?;
        self.warrant(caller, Purpose::Edit).touch(&view.base, objects.iter().map(|one| (one.kind, &one.name)))?;
        let now = entries::micros(self.now());
        let (view, staged) = tokio::task::spawn_blocking(move || {
            let staged = staged(&view, objects, prune, now)?;
            Ok::<_, Error>((view, staged))
        })
        .await
        .map_err(Error::internal)??;
        Ok(self.change_set_for(caller, self.stage_objects(caller, &view, staged, true).await?.change_set.clone()))
    }
}

fn staged(view: &View, objects: Vec<Desired>, prune: bool, now: OffsetDateTime) -> Result<Vec<Staged>> {
    let base = &view.base;
    let fresh = provisional(base);
    let next = Next { revision: -(view.change_set.version + 1), now, fresh: &fresh };
    let (mut out, mut faults, mut named) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (index, object) in objects.into_iter().enumerate() {
        if faults.len() >= MOST_FAULTS {
            break;
        }
        let (kind, name) = (object.kind, object.name.clone());
        if !named.insert((kind, name.clone())) {
            faults.push(FieldError::new(format!("/objects/{index}/name"), "duplicate", format!("{kind} `{name}` is there twice")));
            continue;
        }
        let before = Object::find(base, kind, &name);
        match wanted(before.clone(), object, next) {
            Ok(after) => out.push(Staged::between(kind, &name, before.as_ref(), Some(&after))),
            Err(Error::Invalid(found)) => {
                faults.extend(found.into_iter().map(|fault| FieldError { pointer: format!("/objects/{index}{}", fault.pointer), ..fault }));
            }
            Err(error) => return Err(error),
        }
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    out.retain(|one| !one.is_nothing());
    if prune {
        let gone: Vec<(Kind, Name)> = all(base).filter(|(kind, name)| !named.contains(&(*kind, (*name).clone()))).map(owned).collect();
        if !gone.is_empty() && gone.len() == all(base).count() {
            let words = "with `prune` this would delete every object that there is: if that is meant, delete them one by one or roll back";
            return Err(Error::invalid("/objects", "prune_all", words));
        }
        out.extend(gone.into_iter().map(|(kind, name)| Staged::between(kind, &name, Object::find(base, kind, &name).as_ref(), None)));
    }
    Ok(out)
}

fn owned((kind, name): (Kind, &Name)) -> (Kind, Name) {
    (kind, name.clone())
}

/// The names of all objects.
pub fn all(snapshot: &Snapshot) -> impl Iterator<Item = (Kind, &Name)> {
    let policies = snapshot.policies.keys().map(|name| (Kind::Policy, name));
    let lists = snapshot.ip_lists.keys().map(|name| (Kind::IpList, name));
    policies.chain(lists).chain(snapshot.vhosts.keys().map(|name| (Kind::Vhost, name)))
}

/// The object as it is to be; pointers go into what was sent.
fn wanted(before: Option<Object>, object: Desired, next: Next<'_>) -> Result<Object> {
    let Desired { kind, name, mut fields, entries } = object;
    if let Value::Object(members) = &mut fields {
        for read_only in ["meta", "entry_count", "digest"] {
            members.remove(read_only);
        }
    }
    let mut value = before.as_ref().map_or_else(|| Value::Object(Default::default()), Object::value);
    parse::merge(&mut value, fields);
    let spec = parse::resource(kind, &name, value)?;
    let after = match write(kind, &name, before.clone(), spec, before.is_none(), next) {
        Outcome::Unchanged(_) => before,
        Outcome::Changed(change) => change.after,
    };
    let after = after.ok_or_else(|| Error::internal("a written object is not there"))?;
    match (after, entries) {
        (Object::IpList(list), Some(wanted)) => {
            let entries = Arc::new(entries::by_network("/entries", wanted)?);
            Ok(Object::IpList(Arc::new(ListState { list: list.list.clone(), entries })))
        }
        (_, Some(_)) => Err(Error::invalid("/entries", "unknown_field", "only IP lists have entries")),
        (after, None) => Ok(after),
    }
}
