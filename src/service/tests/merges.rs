//! Merging by itself, against what it must mean: whatever both sides do to a policy, each unit (the object itself, each rule) that one side alone
//! changed is that side's, and where both did it is a conflict.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::apply::Next;
use super::super::merge::{Staged, Unfit, merge};
use super::super::object::Object;
use super::super::whole;
use super::*;

fn snapshot(mode: u8, rules: &BTreeMap<u32, u8>, order_back: bool, revision: i64) -> Snapshot {
    let mut keys: Vec<_> = rules.iter().collect();
    if order_back {
        keys.reverse();
    }
    let rule = |(id, word): (&u32, &u8)| json!({"id": 190_000 + id, "seclang": format!("SecRule ARGS:a \"@streq w{word}\" \"phase:2,deny,msg:'x'\"")});
    let value = json!({"name": "p", "title": format!("t{mode}"), "custom_rules": keys.into_iter().map(rule).collect::<Vec<_>>()});
    let mut out = Snapshot::default();
    out.revision = revision;
    sample::put_policy(&mut out, 1, value);
    let mut policy = (*out.policies["p"]).clone();
    policy.revision = revision;
    out.policies.insert(n("p"), Arc::new(policy));
    out
}

fn rules(snapshot: &Snapshot) -> BTreeMap<u32, String> {
    snapshot.policies["p"]
        .spec
        .custom_rules
        .iter()
        .map(|rule| (rule.id.map(|id| id.to_string().parse::<u32>().unwrap()).unwrap() - 190_000, rule.seclang.to_string()))
        .collect()
}

fn some_rules() -> impl Strategy<Value = BTreeMap<u32, u8>> {
    proptest::collection::btree_map(1..5u32, 0..3u8, 0..4)
}

proptest! {
    #[test]
    fn each_unit_is_whose_alone_it_was(
        base in (0..3u8, some_rules()), mine in (0..3u8, some_rules()), theirs in (0..3u8, some_rules()), back in any::<bool>(),
    ) {
        let at = |side: &(u8, BTreeMap<u32, u8>), back, revision| snapshot(side.0, &side.1, back, revision);
        let (b, m, t) = (at(&base, false, 1), at(&mine, back, 1), at(&theirs, false, 2));
        let find = |snapshot: &Snapshot| Object::find(snapshot, Kind::Policy, &n("p")).unwrap();
        let staged = Staged::between(Kind::Policy, &n("p"), Some(&find(&b)), Some(&find(&m)));
        let fresh = |_| (Uuid::nil(), 9);
        let merged = merge(&t, &[staged], Next { revision: 3, now: OffsetDateTime::UNIX_EPOCH, fresh: &fresh });
        let both = |b: Option<&u8>, m: Option<&u8>, t: Option<&u8>| b != m && b != t && m != t;
        let mut contested: Vec<String> = Vec::new();
        for id in 1..5u32 {
            if both(base.1.get(&id), mine.1.get(&id), theirs.1.get(&id)) {
                contested.push(format!("/custom_rules/{}", 190_000 + id));
            }
        }
        if both(Some(&base.0), Some(&mine.0), Some(&theirs.0)) {
            contested.push(String::new());
        }
        contested.sort();
        match merged {
            Err(Unfit::Conflicts(found)) => {
                // Their order is nobody's promise.
                let found: std::collections::BTreeSet<String> = found.into_iter().map(|one| one.element).collect();
                prop_assert_eq!(found, contested.into_iter().collect());
            }
            Err(Unfit::Faults(_)) => prop_assert!(false, "nothing is wrong with either"),
            Ok(changes) => {
                prop_assert!(contested.is_empty());
                let mut after = t.clone();
                whole::put(&mut after, &changes);
                let pick = |b: Option<&u8>, m: Option<&u8>, t: Option<&u8>| if b == t { m.copied() } else { t.copied() };
                let want: BTreeMap<u32, u8> = (1..5u32).filter_map(|id| Some((id, pick(base.1.get(&id), mine.1.get(&id), theirs.1.get(&id))?))).collect();
                let title = pick(Some(&base.0), Some(&mine.0), Some(&theirs.0)).unwrap();
                prop_assert_eq!(rules(&after), rules(&snapshot(title, &want, false, 0)));
                let title = format!("t{}", title);
                prop_assert_eq!(after.policies["p"].spec.title.as_str(), title.as_str());
            }
        }
    }
}

/// The ids of the rules in their order, after `mine` was merged onto `theirs`.
fn order_of(base: &[u32], mine: &[u32], theirs: &[u32]) -> Vec<u32> {
    let at = |ids: &[u32], revision: i64| {
        let rule = |id: &u32| json!({"id": 190_000 + id, "seclang": format!("SecRule ARGS:a \"@streq w{id}\" \"phase:2,deny,msg:'x'\"")});
        let mut out = Snapshot::default();
        sample::put_policy(&mut out, 1, json!({"name": "p", "custom_rules": ids.iter().map(rule).collect::<Vec<_>>()}));
        let mut policy = (*out.policies["p"]).clone();
        policy.revision = revision;
        out.policies.insert(n("p"), Arc::new(policy));
        out
    };
    let (b, m, mut t) = (at(base, 1), at(mine, 1), at(theirs, 2));
    let find = |snapshot: &Snapshot| Object::find(snapshot, Kind::Policy, &n("p")).unwrap();
    let staged = Staged::between(Kind::Policy, &n("p"), Some(&find(&b)), Some(&find(&m)));
    let fresh = |_| (Uuid::nil(), 9);
    let Ok(changes) = merge(&t, &[staged], Next { revision: 3, now: OffsetDateTime::UNIX_EPOCH, fresh: &fresh }) else {
        panic!("a conflict")
    };
    whole::put(&mut t, &changes);
    t.policies["p"].spec.custom_rules.iter().map(|rule| rule.id.unwrap().to_string().parse::<u32>().unwrap() - 190_000).collect()
}

#[test]
fn what_was_put_somewhere_stays_there() {
    // Rules run in their order: what somebody has put in front must not end behind because somebody else added one.
    assert_eq!(order_of(&[1, 2], &[1, 2, 4], &[3, 1, 2]), [3, 1, 2, 4]);
    assert_eq!(order_of(&[1, 2], &[4, 1, 2], &[1, 2, 3]), [4, 1, 2, 3]);
    assert_eq!(order_of(&[1, 2], &[1, 3, 2], &[4, 1, 2]), [4, 1, 3, 2]);
    assert_eq!(order_of(&[1, 2], &[1, 2, 3], &[1, 2, 4]), [1, 2, 4, 3], "what was there first is first");
    assert_eq!(order_of(&[1, 2], &[2, 1], &[1, 3, 2]), [2, 1, 3], "behind the one that it was put behind");
    assert_eq!(order_of(&[1, 2, 3], &[1, 3], &[1, 2, 4, 3]), [1, 4, 3], "where that is gone: behind the one before");
}
