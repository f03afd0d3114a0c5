use std::collections::BTreeSet;

use super::live::{end, waited};
use super::*;
use crate::domain::change_set::ChangeSetState;
use crate::domain::deployment::{Deployment, DeploymentState};
use crate::domain::revision::Origin;
use crate::service::Blame;

impl House {
    /// `base`, `shop` and `blog`, live at 3.
    async fn live(options: PgConnectOptions) -> Self {
        let house = Self::new(options).await;
        house.furnish().await;
        house.put(Kind::Vhost, "blog", vhost("blog", "base")).await;
        let deployment = house.service.open_deployment(3).await.unwrap();
        end(&house, deployment, DeploymentState::Live).await;
        house
    }

    /// The head is refused, with errors that point there.
    async fn refused(&self, pointers: &[&str]) -> Deployment {
        let mut deployment = self.service.open_deployment(self.service.head().revision).await.unwrap();
        deployment.said = "the engine's words".to_owned();
        deployment.errors = pointers.iter().map(|pointer| FieldError::new(*pointer, "engine_refused", "no")).collect();
        end(self, deployment, DeploymentState::Refused).await
    }

    async fn blamed(&self, deployment: &Deployment) -> Vec<i64> {
        match self.service.blame(3, deployment).await.unwrap() {
            Blame::Revisions(revisions) => revisions.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    async fn taken_back(&self, deployment: &Deployment) -> Option<i64> {
        let guilty = self.blamed(deployment).await.into_iter().collect();
        self.service.take_back(3, deployment, guilty).await.unwrap()
    }

    async fn goes_live(&self) {
        let deployment = self.service.open_deployment(self.service.head().revision).await.unwrap();
        end(self, deployment, DeploymentState::Live).await;
    }
}

fn rule(word: &str) -> Value {
    json!({"custom_rules": [{"id": 190_001, "seclang": format!("SecRule ARGS:a \"@streq {word}\" \"phase:2,deny,msg:'x'\"")}]})
}

#[sqlx::test]
async fn a_bad_write_between_two_good_ones_of_others(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    house.patch(Kind::Vhost, "shop", json!({"title": "good, before"})).await.unwrap();
    let bad = Operation::Patch { kind: Kind::Policy, name: n("base"), patch: rule("bad") };
    house.service.write(&stranger(), bad, Precondition::Any, "a rule of mine").await.unwrap();
    house.patch(Kind::Vhost, "blog", json!({"title": "good, behind"})).await.unwrap();
    let refused = house.refused(&["/policies/base/custom_rules/0"]).await;
    assert_eq!(waited(&house, 4).await, "not yet, deployment: true", "it is not decided yet");
    assert_eq!(house.blamed(&refused).await, [5]);
    assert_eq!(house.taken_back(&refused).await, Some(7));

    let head = house.service.head();
    assert!(head.policies["base"].spec.custom_rules.is_empty());
    assert_eq!((head.vhosts["shop"].spec.title.as_str(), head.vhosts["blog"].spec.title.as_str()), ("good, before", "good, behind"));
    let info = house.service.revision(&caller(), 7).await.unwrap();
    assert_eq!((info.author.as_str(), info.changes.len()), ("system", 1));
    assert_eq!(info.origin, Origin::TakeBack { revisions: vec![5], deployment: refused.id });
    // Only its author is told that it was refused; the others go live.
    assert_eq!(waited(&house, 5).await, "refused by 6");
    assert_eq!(waited(&house, 4).await, "not yet, deployment: true");
    house.goes_live().await;
    assert_eq!((waited(&house, 4).await, waited(&house, 6).await), ("live 7".to_owned(), "live 7".to_owned()));
    assert_eq!(waited(&house, 5).await, "refused by 6", "the deployment that has it in it does not make it live");

    // What is left belongs to its author, says why, and can be mended.
    assert!(house.service.change_sets(&caller(), &[ChangeSetState::Refused], None, 10).await.unwrap().is_empty());
    let house = house.restart().await;
    assert_eq!(waited(&house, 5).await, "refused by 6", "a restart knows it");
    let left = house.service.change_sets(&stranger(), &[ChangeSetState::Refused], None, 10).await.unwrap();
    let [left] = left.as_slice() else { panic!("{left:?}") };
    assert_eq!((left.message.as_str(), left.revision, left.counts.updated), ("a rule of mine", Some(5), 1));
    let refusal = left.refusal.as_ref().unwrap();
    assert_eq!((refusal.deployment, refusal.said.as_str(), refusal.errors.len()), (refused.id, "the engine's words", 1));
    let mended = Operation::Patch { kind: Kind::Policy, name: n("base"), patch: rule("mended") };
    assert!(matches!(house.service.stage(&stranger(), left.id, mended.clone(), Precondition::Any).await, Err(Error::Conflict(_))));
    assert_eq!(house.service.rebase_change_set(&stranger(), left.id).await.unwrap().state, ChangeSetState::Open);
    house.service.stage(&stranger(), left.id, mended, Precondition::Any).await.unwrap();
    let committed = house.service.commit_change_set(&stranger(), left.id, None, None).await.unwrap();
    assert_eq!(committed.revision, 8);
    assert!(house.service.head().policies["base"].spec.custom_rules[0].seclang.contains("mended"));
    house.service.close().await;
}

#[sqlx::test]
async fn what_builds_on_a_refused_write_goes_with_it(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    house.patch(Kind::Policy, "base", json!({"title": "good, before"})).await.unwrap();
    house.put(Kind::Policy, "bad", rule("bad")).await;
    house.put(Kind::Vhost, "user", vhost("user", "bad")).await;
    house.patch(Kind::Policy, "bad", json!({"mode": "detect"})).await.unwrap();
    house.patch(Kind::Policy, "base", json!({"mode": "detect"})).await.unwrap();
    let refused = house.refused(&["/policies/bad/custom_rules/0"]).await;
    assert_eq!(house.blamed(&refused).await, [5, 7], "both that wrote it");
    let revision = house.taken_back(&refused).await.unwrap();
    let head = house.service.head();
    assert!(!head.policies.contains_key("bad") && !head.vhosts.contains_key("user"), "the vhost that uses it cannot stay");
    assert_eq!((head.policies["base"].spec.title.as_str(), head.policies["base"].spec.mode), ("good, before", crate::domain::Mode::Detect));
    let info = house.service.revision(&caller(), revision).await.unwrap();
    assert_eq!(info.origin, Origin::TakeBack { revisions: vec![5, 6, 7], deployment: refused.id });
    assert_eq!(house.service.change_sets(&caller(), &[ChangeSetState::Refused], None, 10).await.unwrap().len(), 3);
    house.service.close().await;
}

#[sqlx::test]
async fn a_hostname_that_moved_on_goes_back_with_whoever_took_it(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    // 4 gives the name away and is bad; 5 takes it.
    house.patch(Kind::Vhost, "shop", json!({"hostnames": ["new.example.com"], "upstream": {"balance": "random"}})).await.unwrap();
    house.patch(Kind::Vhost, "blog", json!({"hostnames": ["shop.example.com"]})).await.unwrap();
    let refused = house.refused(&["/vhosts/shop/upstream"]).await;
    let revision = house.taken_back(&refused).await.unwrap();
    let head = house.service.head();
    assert_eq!(head.vhost_of(&"shop.example.com".parse().unwrap()), Some(&n("shop")));
    assert_eq!(head.vhost_of(&"blog.example.com".parse().unwrap()), Some(&n("blog")));
    let info = house.service.revision(&caller(), revision).await.unwrap();
    assert_eq!(info.origin, Origin::TakeBack { revisions: vec![4, 5], deployment: refused.id });
    house.service.close().await;
}

#[sqlx::test]
async fn a_vhost_that_fails_its_probe_blames_what_it_needs(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    house.put(Kind::Policy, "innocent", json!({})).await;
    house.patch(Kind::Policy, "base", json!({"thresholds": {"inbound": 50}})).await.unwrap();
    let refused = house.refused(&["/vhosts/shop"]).await;
    assert_eq!(house.blamed(&refused).await, [5]);
    // Errors that name nobody, or what nobody wrote since.
    let nameless = Deployment { errors: Vec::new(), ..refused.clone() };
    assert_eq!(house.service.blame(3, &nameless).await.unwrap(), Blame::Unknown);
    let around = Deployment { errors: vec![FieldError::new("/node/binds", "taken", "no")], ..refused.clone() };
    assert_eq!(house.service.blame(3, &around).await.unwrap(), Blame::Nobody);
    let other = Deployment { errors: vec![FieldError::new("/vhosts/nobody", "x", "no")], ..refused.clone() };
    assert_eq!(house.service.blame(3, &other).await.unwrap(), Blame::Unknown);
    assert_eq!(house.service.blame(5, &refused).await.unwrap(), Blame::Nobody, "nothing was written since");

    // Unknown to the end: everything goes, nothing is lost.
    assert_eq!(house.service.take_back(3, &refused, BTreeSet::new()).await.unwrap(), Some(6));
    let head = house.service.head();
    assert!(!head.policies.contains_key("innocent"));
    assert_eq!(house.service.change_sets(&caller(), &[ChangeSetState::Refused], None, 10).await.unwrap().len(), 2);
    // Refused again: it is as it was live, and what was taken back is not brought back by that.
    let again = house.refused(&["/policies/base"]).await;
    assert_eq!(house.service.blame(3, &again).await.unwrap(), Blame::Revisions([5].into()));
    assert_eq!(house.service.take_back(3, &again, [5].into()).await.unwrap(), None);
    assert_eq!(house.service.head().revision, 6);
    house.service.close().await;
}

#[sqlx::test]
async fn who_writes_to_the_same_meanwhile_is_not_overwritten(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    house.patch(Kind::Policy, "base", rule("bad")).await.unwrap();
    let refused = house.refused(&["/policies/base/custom_rules/0"]).await;
    house.patch(Kind::Policy, "base", rule("mended")).await.unwrap();
    assert_eq!(house.service.take_back(3, &refused, [4].into()).await.unwrap(), None);
    assert!(house.service.head().policies["base"].spec.custom_rules[0].seclang.contains("mended"));
    assert!(house.service.change_sets(&caller(), &[], None, 10).await.unwrap().is_empty());
    house.service.close().await;
}

#[sqlx::test]
async fn a_deleted_object_comes_back_and_entries_too(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    house.put(Kind::IpList, "monitoring", json!({})).await;
    let add = |text: &str| Operation::BatchEntries {
        list: n("monitoring"),
        add: vec![crate::domain::Entry { network: text.parse().unwrap(), comment: Default::default(), expires_at: None }],
        remove: vec![],
    };
    house.write(add("192.0.2.0/24"), Precondition::None).await.unwrap();
    house.goes_live().await;
    let live = house.service.head().revision;
    house.write(add("10.0.0.0/8"), Precondition::None).await.unwrap();
    house.delete(Kind::IpList, "monitoring").await.unwrap();
    let refused = house.refused(&["/ip-lists/monitoring"]).await;
    house.service.take_back(live, &refused, [live + 2].into()).await.unwrap().unwrap();
    let networks = |house: &House| house.service.head().ip_lists["monitoring"].entries.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(networks(&house), ["10.0.0.0/8", "192.0.2.0/24"], "as it was before the deletion");
    let house = house.restart().await;
    assert_eq!(networks(&house).len(), 2);
    house.service.close().await;
}

#[sqlx::test]
async fn what_was_taken_back_is_not_taken_back_again(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    let bad = Operation::Patch { kind: Kind::Policy, name: n("base"), patch: rule("bad") };
    house.service.write(&stranger(), bad, Precondition::Any, "a rule of mine").await.unwrap();
    let refused = house.refused(&["/policies/base/custom_rules/0"]).await;
    assert_eq!(house.taken_back(&refused).await, Some(5));
    // Before that is live the next bad one comes.
    house.patch(Kind::Policy, "base", rule("worse")).await.unwrap();
    let refused = house.refused(&["/policies/base/custom_rules/0"]).await;
    let revision = house.taken_back(&refused).await.unwrap();
    let info = house.service.revision(&caller(), revision).await.unwrap();
    assert_eq!(info.origin, Origin::TakeBack { revisions: vec![6], deployment: refused.id });
    assert!(house.service.head().policies["base"].spec.custom_rules.is_empty());
    for who in [caller(), stranger()] {
        assert_eq!(house.service.change_sets(&who, &[ChangeSetState::Refused], None, 10).await.unwrap().len(), 1, "one each");
    }
    house.service.close().await;
}

#[sqlx::test]
async fn two_that_go_back_to_different_times_do_not_meet_in_a_hostname(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::live(options).await;
    let patch = |kind, name: &str, patch: Value| (Operation::Patch { kind, name: n(name), patch }, Precondition::Base);
    let together = async |operations| house.service.batch(&caller(), "", None, operations, true).await.map(drop).unwrap();
    // 4 gives the name away with a bad rule, 5 takes it, 6 gives it up again and builds on the rule.
    together(vec![patch(Kind::Vhost, "shop", json!({"hostnames": ["new.example.com"]})), patch(Kind::Policy, "base", rule("bad"))]).await;
    house.patch(Kind::Vhost, "blog", json!({"hostnames": ["blog.example.com", "shop.example.com"]})).await.unwrap();
    together(vec![
        patch(Kind::Vhost, "blog", json!({"hostnames": ["blog.example.com"]})),
        patch(Kind::Policy, "base", json!({"title": "t"})),
    ])
    .await;
    let refused = house.refused(&[]).await;
    assert_eq!(house.service.take_back(3, &refused, [4].into()).await.unwrap(), Some(7));
    let info = house.service.revision(&caller(), 7).await.unwrap();
    assert_eq!(info.origin, Origin::TakeBack { revisions: vec![4, 5, 6], deployment: refused.id });
    assert_eq!(house.service.head().vhost_of(&"shop.example.com".parse().unwrap()), Some(&n("shop")));
    house.service.close().await;
}

/// Whatever was written, and whatever of it is refused: what comes of it is sound, goes on, ends with what was live, and hurts nobody else.
#[sqlx::test]
async fn whatever_is_taken_back_the_rest_is_sound(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    use super::history::{Dice, any_write};
    let mut dice = Dice(11);
    let house = House::new(options).await;
    let content = |snapshot: &Snapshot| {
        let all = super::super::desired::all(snapshot);
        all.map(|(kind, name)| {
            let object = super::super::object::Object::find(snapshot, kind, name).unwrap();
            let entries = snapshot.ip_lists.get(name).filter(|_| kind == Kind::IpList).map(|list| list.entries.clone());
            ((kind, name.clone()), format!("{} {entries:?}", object.json()))
        })
        .collect::<std::collections::BTreeMap<_, _>>()
    };
    let (mut took, mut all, mut batches, mut left) = (0, 0, 0, Vec::new());
    for round in 0..20 {
        // Of one there are not so many open or refused ones.
        let who = Caller {
            principal: Principal::Token {
                id: Uuid::from_u128(100 + round),
                name: "t".to_owned(),
                grant: Arc::new(crate::domain::Grant::admin()),
            },
            ..caller()
        };
        let live = house.service.head().revision;
        let was = content(&house.service.head());
        while house.service.head().revision < live + 8 {
            if dice.roll(2) == 0 {
                let operations = (0..1 + dice.roll(3)).map(|_| (any_write(&mut dice).0, Precondition::Base)).collect();
                let base = live + dice.roll(1 + (house.service.head().revision - live) as u64) as i64;
                batches += usize::from(house.service.batch(&who, "", Some(base), operations, true).await.is_ok());
            } else {
                let (op, precondition) = any_write(&mut dice);
                drop(house.service.write(&who, op, precondition, "").await);
            }
        }
        loop {
            let head = house.service.head();
            let refused = house.refused(&[]).await;
            let guilty = if dice.roll(4) == 0 { BTreeSet::new() } else { [live + 1 + dice.roll(8) as i64].into() };
            let made = house.service.take_back(live, &refused, guilty).await.unwrap();
            let Some(made) = made else {
                assert!(content(&head) == was, "round {round}: it gave up with something left to take back");
                break;
            };
            took += 1;
            let now = house.service.head();
            let info = house.service.revision(&caller(), made).await.unwrap();
            let of = info.origin.taken_back().unwrap().to_vec();
            let mut touched = BTreeSet::new();
            for number in of {
                all += 1;
                touched.extend(house.service.revision(&caller(), number).await.unwrap().changes.into_iter().map(|c| (c.kind, c.name)));
            }
            let (before, after) = (content(&head), content(&now));
            for key in before.keys().chain(after.keys()).filter(|key| before.get(key) != after.get(key)) {
                assert!(touched.contains(key), "round {round}: {key:?} was nobody's fault");
            }
            for vhost in now.vhosts.values() {
                let needs = super::super::whole::needs(&vhost.spec);
                assert!(needs.iter().all(|key| after.contains_key(key)), "round {round}: {} lacks something", vhost.spec.name);
                assert!(vhost.spec.hostnames.iter().all(|host| now.vhost_of(host) == Some(&vhost.spec.name)), "round {round}");
            }
        }
        left.extend(house.service.change_sets(&who, &[ChangeSetState::Refused], None, 500).await.unwrap());
    }
    assert_eq!(left.len(), all, "one of each");
    assert_eq!(left.iter().map(|one| one.revision).collect::<BTreeSet<_>>().len(), all);
    assert!(took > 30 && batches > 20, "{took} of {batches}");
    house.service.close().await;
}
