//! A change set as its owner sees it: the base with what is staged, as if it were committed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use time::OffsetDateTime;
use uuid::Uuid;

use super::apply::Next;
use super::merge::{Staged, merge};
use super::object::{Object, Spec};
use super::write::provisional;
use super::{Caller, Service};
use crate::domain::change_set::ChangeSet;
use crate::domain::error::{Error, Result};
use crate::domain::{Kind, Name, Revision, Snapshot, Subject};
use crate::store::StagedRow;

/// See the module.
pub struct View {
    pub change_set: ChangeSet,
    pub base: Arc<Snapshot>,
    pub staged: Vec<Staged>,
    /// The version of the change set in which an object was staged: negated, it is the revision, and so the ETag, of what is staged.
    pub versions: BTreeMap<(Kind, Name), i64>,
    pub snapshot: Arc<Snapshot>,
}

impl View {
    /// `before` is the same change set as it was, if that is at hand.
    pub fn new(
        change_set: ChangeSet,
        base: Arc<Snapshot>,
        staged: Vec<Staged>,
        versions: BTreeMap<(Kind, Name), i64>,
        before: Option<&Self>,
    ) -> Self {
        let snapshot = if staged.is_empty() { Arc::clone(&base) } else { Arc::new(seen(&change_set, &base, &staged, &versions, before)) };
        Self { change_set, base, staged, versions, snapshot }
    }

    /// An object as it is to be, as what is staged of it.
    pub fn staged_as(&self, kind: Kind, name: &Name, after: Option<&Object>) -> Staged {
        Staged::between(kind, name, Object::find(&self.base, kind, name).as_ref(), after)
    }
}

fn seen(
    change_set: &ChangeSet,
    base: &Arc<Snapshot>,
    staged: &[Staged],
    versions: &BTreeMap<(Kind, Name), i64>,
    before: Option<&View>,
) -> Snapshot {
    let before = before.filter(|before| Arc::ptr_eq(&before.base, base));
    let fresh = provisional(before.map_or(base, |before| &before.snapshot));
    let now: OffsetDateTime = change_set.updated_at;
    let mut objects = Vec::with_capacity(staged.len());
    for one in staged {
        let key = (one.kind, one.name.clone());
        let version = versions.get(&key).copied().unwrap_or(change_set.version);
        // What was staged before is seen already: of a large list it is much to do.
        if let Some(before) = before.filter(|before| before.versions.get(&key) == Some(&version)) {
            objects.push((one, Object::find(&before.snapshot, one.kind, &one.name)));
            continue;
        }
        // On its own base nothing has moved.
        if let Ok(changes) = merge(base, std::slice::from_ref(one), Next { revision: -version, now, fresh: &fresh }) {
            objects.extend(changes.into_iter().map(|change| (one, change.after)));
        }
    }
    let mut snapshot = Snapshot::clone(base);
    // All that goes or changes first: a hostname may move from one vhost to another.
    for (one, _) in &objects {
        Object::remove(&mut snapshot, one.kind, &one.name);
    }
    objects.into_iter().filter_map(|(_, object)| object).for_each(|object| object.put(&mut snapshot));
    snapshot
}

/// What is staged, as the store keeps it.
pub fn row(staged: &Staged, version: i64) -> StagedRow {
    StagedRow {
        kind: staged.kind,
        name: staged.name.clone(),
        change: staged.change(),
        version,
        spec: staged.spec.as_ref().map(|spec| spec.value().to_string()),
        added: serde_json::to_string(&staged.added).expect("entries are plain data"),
        removed: serde_json::to_string(&staged.removed).expect("networks are plain data"),
    }
}

fn staged(row: StagedRow, base: &Snapshot) -> Result<Staged> {
    let unreadable =
        |error: serde_json::Error| Error::Internal(format!("what is staged of {} {} cannot be read: {error}", row.kind, row.name));
    let spec = match (&row.spec, row.kind) {
        (None, _) => None,
        (Some(text), Kind::Vhost) => Some(Spec::Vhost(serde_json::from_str(text).map_err(unreadable)?)),
        (Some(text), Kind::Policy) => Some(Spec::Policy(serde_json::from_str(text).map_err(unreadable)?)),
        (Some(text), Kind::IpList) => Some(Spec::IpList(serde_json::from_str(text).map_err(unreadable)?)),
    };
    Ok(Staged {
        base: Object::find(base, row.kind, &row.name),
        spec,
        added: serde_json::from_str(&row.added).map_err(unreadable)?,
        removed: serde_json::from_str(&row.removed).map_err(unreadable)?,
        kind: row.kind,
        name: row.name,
    })
}

/// Views and bases that were asked for last, and whose turn it is to change a change set.
#[derive(Default)]
pub struct Views {
    kept: Mutex<VecDeque<Arc<View>>>,
    bases: Mutex<VecDeque<Arc<Snapshot>>>,
    turns: Mutex<HashMap<Uuid, Weak<tokio::sync::Mutex<()>>>>,
}

/// Each may be a whole configuration; most share nearly all of it with the head.
const KEPT: usize = 4;

impl Views {
    /// Waits until nobody else changes this change set.
    pub async fn turn(&self, id: Uuid) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            turns.get(&id).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(id, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }

    pub fn keep(&self, view: &Arc<View>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.change_set.id != view.change_set.id);
        kept.push_front(Arc::clone(view));
        kept.truncate(KEPT);
    }

    pub fn forget(&self, id: Uuid) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|view| view.change_set.id != id);
    }

    fn find(&self, change_set: &ChangeSet) -> Option<Arc<View>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |view: &&Arc<View>| view.change_set.id == change_set.id && view.change_set.version == change_set.version;
        kept.iter().find(same).cloned()
    }

    fn base(&self, revision: Revision) -> Option<Arc<Snapshot>> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|base| base.revision == revision).cloned()
    }

    fn keep_base(&self, base: &Arc<Snapshot>) {
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.retain(|other| other.revision != base.revision);
        bases.push_front(Arc::clone(base));
        bases.truncate(KEPT);
    }
}

impl Service {
    /// The state of a revision. Those that change sets begin from are kept at hand.
    pub(super) async fn base(&self, revision: Revision) -> Result<Arc<Snapshot>> {
        if let Some(base) = self.inner.views.base(revision) {
            return Ok(base);
        }
        let base = self.state_at(revision).await?;
        self.inner.views.keep_base(&base);
        Ok(base)
    }

    /// What its owner sees through a change set, or who is asked to say yes to it.
    pub(super) async fn view_of(&self, caller: &Caller, id: Uuid) -> Result<Arc<View>> {
        let change_set = self.found_change_set(caller, id).await?;
        self.load_view(change_set).await
    }

    pub(super) async fn load_view(&self, change_set: ChangeSet) -> Result<Arc<View>> {
        if let Some(view) = self.inner.views.find(&change_set) {
            return Ok(view);
        }
        let base = self.base(change_set.base).await?;
        let rows = self.inner.store.staged(change_set.id).await?;
        let view = tokio::task::spawn_blocking(move || {
            let versions = rows.iter().map(|row| ((row.kind, row.name.clone()), row.version)).collect();
            let staged = rows.into_iter().map(|row| staged(row, &base)).collect::<Result<Vec<_>>>()?;
            Ok::<_, Error>(Arc::new(View::new(change_set, base, staged, versions, None)))
        })
        .await
        .map_err(Error::internal)??;
        self.inner.views.keep(&view);
        Ok(view)
    }

    /// The snapshot that the owner of a change set sees through it: what they see of the base, with what is staged.
    pub async fn snapshot_of_change_set(&self, caller: &Caller, id: Uuid, part: Option<Subject>) -> Result<Arc<Snapshot>> {
        Ok(self.seen_through(caller, &*self.view_of(caller, id).await?, part))
    }

    pub(super) fn seen_through(&self, caller: &Caller, view: &View, part: Option<Subject>) -> Arc<Snapshot> {
        let base = self.seen(caller, &view.base, part);
        if Arc::ptr_eq(&base, &view.base) {
            return Arc::clone(&view.snapshot);
        }
        let mut seen = Snapshot::clone(&base);
        for one in &view.staged {
            Object::remove(&mut seen, one.kind, &one.name);
        }
        for object in view.staged.iter().filter_map(|one| Object::find(&view.snapshot, one.kind, &one.name)) {
            object.put(&mut seen);
        }
        Arc::new(seen)
    }
}
