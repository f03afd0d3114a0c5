//! The rights that a change needs, by what differs: an object's own fields, and each of the elements in it.

use std::collections::BTreeMap;

use super::apply::Change;
use super::object::Object;
use crate::domain::{Action, IpList, Policy, Subject, Vhost};

type Right = (Action, Subject);

/// All of them. Where something new is created with elements in it, they are created too; what is deleted takes its elements with it.
pub fn of(change: &Change) -> Vec<Right> {
    let mut rights = Vec::new();
    match (&change.before, &change.after) {
        (Some(_), None) => rights.push((Action::Delete, Subject::from(change.kind))),
        (before, Some(Object::Vhost(after))) => {
            vhost(Object::vhost(before.as_ref()), &after.spec, &mut rights);
        }
        (before, Some(Object::Policy(after))) => {
            let before = before.as_ref().and_then(|before| if let Object::Policy(before) = before { Some(&before.spec) } else { None });
            policy(before, &after.spec, &mut rights);
        }
        (before, Some(Object::IpList(after))) => {
            let before = before.as_ref().and_then(|before| if let Object::IpList(before) = before { Some(before) } else { None });
            list(before.map(|before| &before.list.spec), &after.list.spec, &mut rights);
            let gone = |network| !after.entries.contains_key(network);
            let known = |network| before.is_some_and(|before| before.entries.contains_key(network));
            if change.closed.iter().any(gone) {
                rights.push((Action::Delete, Subject::Entry));
            }
            for (action, there) in [(Action::Create, false), (Action::Update, true)] {
                if change.opened.iter().any(|entry| known(&entry.network) == there) {
                    rights.push((action, Subject::Entry));
                }
            }
        }
        (None, None) => {}
    }
    rights
}

fn object(differs: bool, created: bool, subject: Subject, rights: &mut Vec<Right>) {
    if created {
        rights.push((Action::Create, subject));
    } else if differs {
        rights.push((Action::Update, subject));
    }
}

fn vhost(before: Option<&Vhost>, after: &Vhost, rights: &mut Vec<Right>) {
    let bare = |vhost: &Vhost| {
        let mut bare = Vhost { paths: Vec::new(), ..vhost.clone() };
        bare.upstream.servers.clear();
        bare
    };
    object(before.is_some_and(|before| bare(before) != bare(after)), before.is_none(), Subject::Vhost, rights);
    let (servers, paths) = before.map_or((&[][..], &[][..]), |before| (&before.upstream.servers[..], &before.paths[..]));
    elements(servers, &after.upstream.servers, |server| server.name.clone(), Subject::Server, rights);
    elements(paths, &after.paths, |path| Some(path.prefix.clone()), Subject::Path, rights);
}

fn policy(before: Option<&Policy>, after: &Policy, rights: &mut Vec<Right>) {
    let bare = |policy: &Policy| Policy { exclusions: Vec::new(), custom_rules: Vec::new(), ..policy.clone() };
    object(before.is_some_and(|before| bare(before) != bare(after)), before.is_none(), Subject::Policy, rights);
    let (exclusions, rules) = before.map_or((&[][..], &[][..]), |before| (&before.exclusions[..], &before.custom_rules[..]));
    elements(exclusions, &after.exclusions, |exclusion| exclusion.id.clone(), Subject::Exclusion, rights);
    elements(rules, &after.custom_rules, |rule| rule.id, Subject::CustomRule, rights);
}

fn list(before: Option<&IpList>, after: &IpList, rights: &mut Vec<Right>) {
    object(before.is_some_and(|before| before != after), before.is_none(), Subject::IpList, rights);
}

/// Another order alone is an update.
fn elements<T: PartialEq, K: Ord>(before: &[T], after: &[T], key: impl Fn(&T) -> K, subject: Subject, rights: &mut Vec<Right>) {
    if before == after {
        return;
    }
    let old: BTreeMap<K, &T> = before.iter().map(|item| (key(item), item)).collect();
    let new: BTreeMap<K, &T> = after.iter().map(|item| (key(item), item)).collect();
    let created = new.keys().any(|key| !old.contains_key(key));
    let deleted = old.keys().any(|key| !new.contains_key(key));
    let updated = new.iter().any(|(key, item)| old.get(key).is_some_and(|before| before != item));
    for (action, wanted) in [
        (Action::Create, created),
        (Action::Delete, deleted),
        (Action::Update, updated || !(created || deleted) || reordered(before, after, &key)),
    ] {
        if wanted {
            rights.push((action, subject));
        }
    }
}

/// Whether what both have is in another order.
fn reordered<T, K: Ord>(before: &[T], after: &[T], key: impl Fn(&T) -> K) -> bool {
    let order = |side: &[T], other: &[T]| {
        let others: std::collections::BTreeSet<K> = other.iter().map(&key).collect();
        side.iter().map(&key).filter(|key| others.contains(key)).collect::<Vec<K>>()
    };
    order(before, after) != order(after, before)
}
