//! A refused revision is taken back: the system writes a revision in which its objects, and those of later ones that build on it, are as they were
//! before; its content stays with its author as a refused change set. So nobody builds on refused content, and nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::authorize::Warrant;
use super::entries::micros;
use super::judge::Judged;
use super::merge::Staged;
use super::object::{Object, pointed_into};
use super::view::row;
use super::writer::{About, Reply, Request, Unmade, Work};
use super::{Caller, Keyed, Service, plan, whole};
use crate::domain::change_set::{ChangeSet, ChangeSetState, Refusal};
use crate::domain::deployment::Deployment;
use crate::domain::diff::ChangeCounts;
use crate::domain::error::{Error, FieldError, Result};
use crate::domain::revision::{Origin, RevisionInfo};
use crate::domain::{Hostname, Kind, Name, Principal, Revision, Snapshot};
use crate::store::{self, NewChangeSet};

/// Whose fault a refusal is, as far as its errors say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blame {
    /// These revisions, all of them newer than what was live.
    Revisions(BTreeSet<Revision>),
    /// No error points anywhere: it is to be found out.
    Unknown,
    /// Nothing that was written since: a setting, or what is around.
    Nobody,
}

type Key = (Kind, Name);

/// The object that a pointer from the root points into.
fn object_of(pointer: &str) -> Option<Key> {
    pointed_into(pointer).map(|(key, _)| key)
}

/// The revision that last changed the element of a keyed array that a pointer from the root points into.
fn element_changed(state: &Snapshot, pointer: &str) -> Option<Revision> {
    let ((kind, name), rest) = pointed_into(pointer)?;
    let object = Object::find(state, kind, &name)?;
    Keyed::of(kind).iter().find_map(|keyed| {
        let index: usize = rest.strip_prefix(keyed.pointer())?.strip_prefix('/')?.split('/').next()?.parse().ok()?;
        object.facts().elements.get(&keyed.path(&keyed.key_at(&object, index)?)).copied()
    })
}

/// What was written by somebody, not by the system taking something back.
fn written(info: &RevisionInfo) -> bool {
    info.origin.taken_back().is_none()
}

/// Without what a take-back among them has undone: what is left of it is with its author already.
fn not_undone(mut infos: Vec<RevisionInfo>) -> Vec<RevisionInfo> {
    let undone: BTreeSet<Revision> = infos.iter().filter_map(|info| info.origin.taken_back()).flatten().copied().collect();
    infos.retain(|info| !undone.contains(&info.number));
    infos
}

fn touches<'i>(infos: &'i [RevisionInfo], keys: &'i BTreeSet<Key>) -> impl Iterator<Item = Revision> + 'i {
    let touched = |info: &&RevisionInfo| info.changes.iter().any(|change| keys.contains(&(change.kind, change.name.clone())));
    infos.iter().filter(|info| written(info)).filter(touched).map(|info| info.number)
}

impl Service {
    /// Whose fault it is that a deployment was refused, of what was written after `live`.
    pub async fn blame(&self, live: Revision, refused: &Deployment) -> Result<Blame> {
        let infos = self.inner.store.revisions_between(live, refused.revision).await?;
        if !infos.iter().any(written) {
            return Ok(Blame::Nobody);
        }
        if refused.errors.is_empty() {
            return Ok(Blame::Unknown);
        }
        let named: BTreeSet<Key> = refused.errors.iter().filter_map(|error| object_of(&error.pointer)).collect();
        if named.is_empty() {
            return Ok(Blame::Nobody);
        }
        // An element knows who changed it last: whoever else changed its object is not to blame.
        let state = self.state_at(refused.revision).await?;
        let (mut found, mut whole) = (BTreeSet::new(), BTreeSet::new());
        for error in &refused.errors {
            match (element_changed(&state, &error.pointer).filter(|revision| *revision > live), object_of(&error.pointer)) {
                (Some(revision), _) => _ = found.insert(revision),
                (None, Some(key)) => _ = whole.insert(key),
                (None, None) => {}
            }
        }
        let by_whom: BTreeSet<Revision> = infos.iter().filter(|info| written(info)).map(|info| info.number).collect();
        found.retain(|revision| by_whom.contains(revision));
        found.extend(touches(&infos, if found.is_empty() { &named } else { &whole }));
        if !found.is_empty() {
            return Ok(Blame::Revisions(found));
        }
        // What a vhost needs may have changed, and not the vhost.
        let vhosts = named.iter().filter(|(kind, _)| *kind == Kind::Vhost).filter_map(|(_, name)| state.vhosts.get(name));
        let needed: BTreeSet<Key> = vhosts.flat_map(|vhost| whole::needs(&vhost.spec)).collect();
        let found: BTreeSet<Revision> = touches(&infos, &needed).collect();
        Ok(if found.is_empty() { Blame::Unknown } else { Blame::Revisions(found) })
    }

    /// Takes `guilty` back, and what builds on them; empty: everything written after `live`. None where somebody has written to the same
    /// meanwhile, or nothing is left to take back: then the newest revision is to be tried as it is.
    pub async fn take_back(&self, live: Revision, refused: &Deployment, guilty: BTreeSet<Revision>) -> Result<Option<Revision>> {
        let head = self.state_at(refused.revision).await?;
        let infos = not_undone(self.inner.store.revisions_between(live, refused.revision).await?);
        let everything = || infos.iter().filter(|info| written(info)).map(|info| info.number).collect::<BTreeSet<_>>();
        let guilty: BTreeSet<Revision> = everything().intersection(&guilty).copied().collect();
        let guilty = if guilty.is_empty() { everything() } else { guilty };
        let mut restored = self.restore(&head, &infos, guilty).await?;
        if !restored.sound || restored.staged.is_empty() {
            restored = self.restore(&head, &infos, everything()).await?;
        }
        if restored.staged.is_empty() || restored.guilty.is_empty() {
            return Ok(None);
        }
        let change_sets = self.left(&restored.guilty, &infos, refused).await?;
        let numbers: Vec<String> = restored.guilty.iter().map(ToString::to_string).collect();
        let many = if numbers.len() == 1 { "" } else { "s" };
        let about = About {
            message: format!("takes back revision{many} {}: refused", store::text(&numbers.join(", "), 1000)),
            origin: Origin::TakeBack { revisions: restored.guilty.iter().copied().collect(), deployment: refused.id },
            refused: change_sets.clone(),
            ..About::default()
        };
        let made = self.commit_unjudged(restored.staged, about).await?;
        if let Some(revision) = made {
            tracing::warn!(revision, taken_back = numbers.join(","), deployment = %refused.id, "service.take_back");
            self.note_taken_back(&restored.guilty, refused);
            change_sets.iter().for_each(|left| self.told(&left.change_set));
        }
        Ok(made)
    }

    /// Objects that guilty revisions changed, as they were before the first of those; and what builds on them, until nothing does any more.
    async fn restore(&self, head: &Snapshot, infos: &[RevisionInfo], mut guilty: BTreeSet<Revision>) -> Result<Restored> {
        loop {
            let spoiled = spoiled(infos, &mut guilty);
            let mut staged = Vec::new();
            for (first, keys) in spoiled {
                let then = self.inner.store.objects_at(first - 1, &keys).await?;
                let of = |key: &Key| between(key, head, &then);
                staged.extend(keys.iter().map(of).filter(|staged| !staged.is_nothing()));
            }
            let clashing = clashing(head, &staged);
            let more: Vec<Revision> = touches(infos, &clashing).filter(|number| !guilty.contains(number)).collect();
            if more.is_empty() {
                return Ok(Restored { guilty, staged, sound: clashing.is_empty() });
            }
            guilty.extend(more);
        }
    }

    /// What was live before needs no judgement, and must not wait for one.
    async fn commit_unjudged(&self, staged: Vec<Staged>, about: About) -> Result<Option<Revision>> {
        let caller = Caller { principal: Principal::System, request_id: "take-back".to_owned(), address: None };
        let (reply, answer) = oneshot::channel();
        let request = Request {
            work: Arc::new(Work::Staged(staged)),
            caller,
            warrant: Warrant::everything(),
            about: Arc::new(about),
            judged: Arc::new(Judged::everything()),
            only_on: None,
            reply,
        };
        let gone = |()| Error::Unavailable("shutting down".to_owned());
        self.inner.requests.send(request).await.map_err(|_| gone(()))?;
        match answer.await.map_err(|_| gone(()))? {
            Reply::Done(done) => Ok(done.changed.then_some(done.revision)),
            Reply::Unmade(Unmade::Error(error)) => Err(error),
            Reply::Unmade(unmade @ (Unmade::Conflicts(_) | Unmade::Faults(_) | Unmade::Unapproved(_))) => {
                let why = plan::unmade(unmade);
                tracing::info!(%why, "service.take_back: somebody has written to the same meanwhile");
                Ok(None)
            }
            Reply::Rejudge => Ok(None),
        }
    }

    /// What is left of revisions: a refused change set each, of their authors.
    async fn left(&self, guilty: &BTreeSet<Revision>, infos: &[RevisionInfo], refused: &Deployment) -> Result<Vec<NewChangeSet>> {
        let mut out = Vec::new();
        for info in infos.iter().filter(|info| guilty.contains(&info.number)) {
            let number = info.number;
            let keys: BTreeSet<Key> = info.changes.iter().map(|change| (change.kind, change.name.clone())).collect();
            let (before, after) =
                (self.inner.store.objects_at(number - 1, &keys).await?, self.inner.store.objects_at(number, &keys).await?);
            let of = |key: &Key| between(key, &before, &after);
            let staged: Vec<Staged> = keys.iter().map(of).filter(|staged| !staged.is_nothing()).collect();
            let about = |error: &&FieldError| object_of(&error.pointer).is_some_and(|key| keys.contains(&key));
            let mut errors: Vec<FieldError> = refused.errors.iter().filter(about).cloned().collect();
            if errors.is_empty() {
                errors.clone_from(&refused.errors);
            }
            let now = micros(self.now());
            let mut counts = ChangeCounts::default();
            staged.iter().for_each(|one| counts.add(one.change()));
            let owner = self.inner.store.owner_of_revision(number).await?;
            out.push(NewChangeSet {
                change_set: ChangeSet {
                    id: self.inner.shared.id(now),
                    owner: owner.unwrap_or_else(|| Principal::System.identity()),
                    contributors: Vec::new(),
                    state: ChangeSetState::Refused,
                    author: info.author.clone(),
                    message: info.message.clone(),
                    base: number - 1,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                    counts,
                    revision: Some(number),
                    refusal: Some(Refusal { deployment: refused.id, said: refused.said.clone(), errors }),
                    approval: None,
                    rollback_to: None,
                },
                staged: staged.iter().map(|one| row(one, 1)).collect(),
            });
        }
        Ok(out)
    }
}

/// What taking revisions back comes to.
struct Restored {
    /// Those asked for, and those that build on them.
    guilty: BTreeSet<Revision>,
    staged: Vec<Staged>,
    /// Whether the state afterwards is sound as a whole.
    sound: bool,
}

/// The objects that guilty revisions changed, by the first that did; whoever changed one of them afterwards built on it, and is guilty too.
fn spoiled(infos: &[RevisionInfo], guilty: &mut BTreeSet<Revision>) -> BTreeMap<Revision, BTreeSet<Key>> {
    let mut firsts: BTreeMap<Key, Revision> = BTreeMap::new();
    for info in infos.iter().filter(|info| written(info)) {
        let keys: Vec<Key> = info.changes.iter().map(|change| (change.kind, change.name.clone())).collect();
        if keys.iter().any(|key| firsts.contains_key(key)) {
            guilty.insert(info.number);
        }
        if guilty.contains(&info.number) {
            keys.into_iter().for_each(|key| _ = firsts.entry(key).or_insert(info.number));
        }
    }
    let mut by_first: BTreeMap<Revision, BTreeSet<Key>> = BTreeMap::new();
    for (key, first) in firsts {
        by_first.entry(first).or_default().insert(key);
    }
    by_first
}

fn between((kind, name): &Key, from: &Snapshot, to: &Snapshot) -> Staged {
    Staged::between(*kind, name, Object::find(from, *kind, name).as_ref(), Object::find(to, *kind, name).as_ref())
}

/// Objects that do not fit with what is restored: users of what goes, owners of a hostname, what a restored vhost names and is not there.
fn clashing(head: &Snapshot, staged: &[Staged]) -> BTreeSet<Key> {
    let restored: BTreeMap<(Kind, &Name), bool> = staged.iter().map(|one| ((one.kind, &one.name), one.spec.is_some())).collect();
    let mut found = BTreeSet::new();
    // Each goes back to a time of its own: there both may have had the hostname.
    let mut claimed: BTreeMap<&Hostname, &Name> = BTreeMap::new();
    for one in staged {
        match &one.spec {
            None => {
                let users = match one.kind {
                    Kind::Vhost => Vec::new(),
                    Kind::Policy => head.users_of_policy(&one.name),
                    Kind::IpList => head.users_of_list(&one.name),
                };
                found.extend(
                    users.into_iter().map(|name| (Kind::Vhost, name)).filter(|(kind, name)| !restored.contains_key(&(*kind, name))),
                );
            }
            Some(super::object::Spec::Vhost(vhost)) => {
                for hostname in &vhost.hostnames {
                    if let Some(other) = claimed.insert(hostname, &one.name) {
                        found.extend([other, &one.name].map(|name| (Kind::Vhost, name.clone())));
                    }
                }
                let owners = vhost.hostnames.iter().filter_map(|hostname| head.vhost_of(hostname));
                let others = owners.filter(|owner| **owner != one.name && !restored.contains_key(&(Kind::Vhost, *owner)));
                found.extend(others.map(|owner| (Kind::Vhost, owner.clone())));
                let there =
                    |(kind, name): &Key| restored.get(&(*kind, name)).copied().unwrap_or_else(|| Object::find(head, *kind, name).is_some());
                found.extend(whole::needs(vhost).into_iter().filter(|key| !there(key)));
            }
            Some(_) => {}
        }
    }
    found
}
