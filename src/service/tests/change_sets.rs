use std::sync::Arc;

use super::*;
use crate::domain::Entry;
use crate::domain::change_set::ChangeSetState;
use crate::domain::diff::{ChangeCounts, Conflict};
use crate::domain::revision::Origin;
use crate::service::{Batched, Desired, Keyed};

fn put(kind: Kind, name: &str, value: Value) -> (Operation, Precondition) {
    (Operation::Put { kind, name: n(name), value }, Precondition::Base)
}

fn patch(kind: Kind, name: &str, patch: Value) -> (Operation, Precondition) {
    (Operation::Patch { kind, name: n(name), patch }, Precondition::Base)
}

fn delete(kind: Kind, name: &str) -> (Operation, Precondition) {
    (Operation::Delete { kind, name: n(name) }, Precondition::Base)
}

fn entries(add: &[&str], remove: &[&str]) -> (Operation, Precondition) {
    let entry = |text: &&str| Entry { network: text.parse().unwrap(), comment: Default::default(), expires_at: None };
    let operation = Operation::BatchEntries {
        list: n("monitoring"),
        add: add.iter().map(entry).collect(),
        remove: remove.iter().map(|text| text.parse().unwrap()).collect(),
    };
    (operation, Precondition::Base)
}

impl House {
    async fn staged(&self, operations: Vec<(Operation, Precondition)>) -> Uuid {
        let created = self.service.create_change_set(&caller(), "together", None).await.unwrap();
        self.service.stage_all(&caller(), created.id, operations).await.unwrap();
        created.id
    }

    async fn commit(&self, id: Uuid) -> Result<i64> {
        self.service.commit_change_set(&caller(), id, None, None).await.map(|committed| committed.revision)
    }
}

fn conflicts<T: std::fmt::Debug>(result: Result<T>) -> Vec<Conflict> {
    match result {
        Err(Error::MergeConflict(conflicts)) => conflicts,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test]
async fn what_is_staged_is_seen_by_its_owner_until_it_is_one_revision(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let head = house.service.head();
    let (_, mut events) = house.service.subscribe(None);
    let created = house.service.create_change_set(&caller(), "levels up", None).await.unwrap();
    let id = created.id;
    let event = events.try_recv().unwrap();
    assert_eq!((event.topic.as_str(), event.owner), ("change_sets", Some(caller().principal.identity())), "told to its owner alone");
    let stage = async |house: &House, operation: Operation, precondition| house.service.stage(&caller(), id, operation, precondition).await;
    let patched = Operation::Patch { kind: Kind::Policy, name: n("base"), patch: json!({"paranoia": {"blocking": 2, "detection": 3}}) };
    // Preconditions as everywhere; then they are about what the change set shows.
    assert!(matches!(stage(&house, patched.clone(), Precondition::None).await, Err(Error::PreconditionRequired)));
    assert!(matches!(stage(&house, patched.clone(), Precondition::Revision(2)).await, Err(Error::Stale { .. })));
    let first = stage(&house, patched.clone(), Precondition::Revision(1)).await.unwrap();
    assert!(first.changed && first.revision < 0, "a staged version is none of a revision: {}", first.revision);
    let again = stage(&house, patched, Precondition::Revision(first.revision)).await.unwrap();
    assert!(!again.changed, "the same again stages nothing");
    let put_new = Operation::Put { kind: Kind::Vhost, name: n("blog"), value: vhost("blog", "base") };
    assert!(stage(&house, put_new, Precondition::Absent).await.unwrap().created);

    assert!(Arc::ptr_eq(&head, &house.service.head()), "nobody else sees it");
    let seen = house.service.snapshot_of_change_set(&caller(), id, None).await.unwrap();
    assert_eq!((seen.vhosts.len(), json!(seen.policies["base"].spec.paranoia)), (2, json!({"blocking": 2, "detection": 3})));
    for asked in [
        house.service.change_set(&stranger(), id).await.map(drop),
        house.service.snapshot_of_change_set(&stranger(), id, None).await.map(drop),
        house.service.plan_change_set(&stranger(), id).await.map(drop),
        house.service.commit_change_set(&stranger(), id, None, None).await.map(drop),
        house.service.discard_change_set(&stranger(), id).await,
    ] {
        assert!(matches!(asked, Err(Error::NotFound { .. })), "{asked:?}");
    }
    assert!(house.service.change_sets(&stranger(), &[], None, 10).await.unwrap().is_empty());

    // A restart forgets nothing of it.
    let house = house.restart().await;
    let kept = house.service.change_set(&caller(), id).await.unwrap();
    assert_eq!((kept.state, kept.counts), (ChangeSetState::Open, ChangeCounts { created: 1, updated: 1, deleted: 0 }));
    assert_eq!(told_specs(&house.service.snapshot_of_change_set(&caller(), id, None).await.unwrap()), told_specs(&seen));

    let committed = house.service.commit_change_set(&caller(), id, None, None).await.unwrap();
    assert_eq!((committed.revision, committed.changed, committed.change_set.state), (3, true, ChangeSetState::Committed));
    let info = house.service.revision(&caller(), 3).await.unwrap();
    assert_eq!((info.message.as_str(), &info.origin, info.changes.len()), ("levels up", &Origin::ChangeSet { id, approved_by: None }, 2));
    let head = house.service.head();
    assert_eq!((head.revision, head.policies["base"].revision, head.vhosts["blog"].revision), (3, 3, 3));
    assert!(matches!(house.commit(id).await, Err(Error::Conflict(_))), "once only");
    let house = house.restart().await;
    assert_eq!(told(&house.service.head()), told(&head), "what a restart loads is what was committed");
    house.service.close().await;
}

fn told_specs(snapshot: &Snapshot) -> String {
    let policies: Vec<_> = snapshot.policies.values().map(|policy| &policy.spec).collect();
    let vhosts: Vec<_> = snapshot.vhosts.values().map(|vhost| &vhost.spec).collect();
    format!("{policies:?} {vhosts:?}")
}

#[sqlx::test]
async fn their_order_does_not_matter_and_the_whole_must_be_sound(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.put(Kind::Vhost, "blog", vhost("blog", "base")).await;
    // A vhost before its policy, two hostnames that change places, and a policy that goes with its last user's change.
    let id = house
        .staged(vec![
            put(Kind::Vhost, "new", vhost("new", "fresh")),
            patch(Kind::Vhost, "shop", json!({"hostnames": ["blog.example.com"], "policy": "fresh"})),
            patch(Kind::Vhost, "blog", json!({"hostnames": ["shop.example.com"], "policy": "fresh"})),
            delete(Kind::Policy, "base"),
            put(Kind::Policy, "fresh", json!({})),
        ])
        .await;
    house.commit(id).await.unwrap();
    let head = house.service.head();
    assert_eq!((head.policies.len(), head.vhosts.len(), head.revision), (1, 3, 4));
    for (host, vhost) in [("blog.example.com", "shop"), ("shop.example.com", "blog"), ("new.example.com", "new")] {
        assert_eq!(head.vhost_of(&host.parse().unwrap()), Some(&n(vhost)));
    }
    let numbers: std::collections::BTreeSet<u32> = head.vhosts.values().map(|vhost| vhost.number).collect();
    assert_eq!(numbers.len(), 3);

    // What is not sound can be staged, and is refused whole, each fault at its object.
    let id = house
        .staged(vec![
            delete(Kind::Policy, "fresh"),
            patch(Kind::Vhost, "shop", json!({"policy": "nowhere"})),
            patch(Kind::Vhost, "new", json!({"hostnames": ["shop.example.com"]})),
            put(Kind::Policy, "other", json!({})),
        ])
        .await;
    let mut found = faults(house.commit(id).await);
    found.sort();
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        found,
        [
            pair("/policies/fresh", "in_use"),
            pair("/vhosts/new/hostnames/0", "taken"),
            pair("/vhosts/new/policy", "not_found"),
            pair("/vhosts/shop/policy", "not_found"),
        ]
    );
    assert_eq!(house.service.head().revision, 4);
    assert_eq!(house.service.change_set(&caller(), id).await.unwrap().state, ChangeSetState::Open, "to be mended");
    house.service.close().await;
}

#[sqlx::test]
async fn what_overlaps_is_a_conflict_with_both_sides_and_what_does_not_merges(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let rule = |id: u32, word: &str| json!({"id": id, "seclang": format!("SecRule ARGS:a \"@streq {word}\" \"phase:2,deny,msg:'x'\"")});
    house.patch(Kind::Policy, "base", json!({"custom_rules": [rule(190_001, "a"), rule(190_002, "b")]})).await.unwrap();
    house.put(Kind::IpList, "monitoring", json!({})).await;
    house.write(entries(&["192.0.2.0/24", "198.51.100.0/24"], &[]).0, Precondition::None).await.unwrap();

    let element = |id: u32, word: &str| {
        let (keyed, owner, key) = (Keyed::CustomRules, n("base"), id.to_string());
        Operation::PutElement { keyed, owner, key, value: rule(id, word) }
    };
    let mine = house
        .staged(vec![
            (element(190_001, "mine"), Precondition::Base),
            (element(190_003, "added by me"), Precondition::Base),
            entries(&["203.0.113.0/24"], &["192.0.2.0/24"]),
            patch(Kind::Vhost, "shop", json!({"title": "mine"})),
        ])
        .await;
    // Others meanwhile: another rule, another entry, another object.
    house.write(element(190_002, "theirs"), Precondition::Any).await.unwrap();
    house.write(entries(&["10.0.0.0/8"], &[]).0, Precondition::None).await.unwrap();
    house.put(Kind::Policy, "else", json!({})).await;
    house.commit(mine).await.unwrap();
    let head = house.service.head();
    let rules: Vec<&str> = head.policies["base"].spec.custom_rules.iter().map(|rule| rule.seclang.as_str()).collect();
    assert_eq!(
        rules.iter().map(|rule| rule.split('"').nth(1).unwrap()).collect::<Vec<_>>(),
        ["@streq mine", "@streq theirs", "@streq added by me"]
    );
    let networks: Vec<String> = head.ip_lists["monitoring"].entries.keys().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "198.51.100.0/24", "203.0.113.0/24"]);

    // Now the same ones.
    let mine = house
        .staged(vec![
            (element(190_001, "mine again"), Precondition::Base),
            patch(Kind::Policy, "base", json!({"mode": "detect", "title": "t"})),
            entries(&[], &["10.0.0.0/8"]),
            delete(Kind::Vhost, "shop"),
            patch(Kind::Policy, "else", json!({"mode": "detect"})),
        ])
        .await;
    house.write(element(190_001, "theirs again"), Precondition::Any).await.unwrap();
    house.patch(Kind::Policy, "base", json!({"mode": "off"})).await.unwrap();
    house.patch(Kind::Vhost, "shop", json!({"enabled": false})).await.unwrap();
    house.delete(Kind::Policy, "else").await.unwrap();
    let ten = Entry { network: "10.0.0.0/8".parse().unwrap(), comment: "theirs".to_owned().try_into().unwrap(), expires_at: None };
    let changed = Operation::BatchEntries { list: n("monitoring"), add: vec![ten], remove: vec![] };
    house.write(changed, Precondition::None).await.unwrap();
    let before = house.service.head().revision;
    for found in [conflicts(house.commit(mine).await), conflicts(house.service.rebase_change_set(&caller(), mine).await)] {
        let told: Vec<_> = found.iter().map(|c| (c.kind.collection(), c.name.as_str(), c.element.as_str(), c.fields.join(" "))).collect();
        assert_eq!(
            told,
            [
                ("ip-lists", "monitoring", "/entries/10.0.0.0~18", "/comment".to_owned()),
                ("policies", "base", "", "/mode".to_owned()),
                ("policies", "base", "/custom_rules/190001", "/seclang".to_owned()),
                ("policies", "else", "", "/mode".to_owned()),
                ("vhosts", "shop", "", "/enabled".to_owned()),
            ]
        );
        let rule = &found[2];
        let word = |side: &Option<Value>| side.as_ref().unwrap()["seclang"].as_str().unwrap().split('"').nth(1).unwrap().to_owned();
        assert_eq!([word(&rule.base), word(&rule.yours), word(&rule.theirs)], ["@streq mine", "@streq mine again", "@streq theirs again"]);
        assert_eq!(rule.theirs_revision, head.revision + 1);
        assert_eq!((found[4].yours.is_none(), found[3].theirs.is_none(), found[3].theirs_revision), (true, true, 0));
    }
    assert_eq!(house.service.head().revision, before, "nothing of it was committed");
    let plan = house.service.plan_change_set(&caller(), mine).await.unwrap();
    assert_eq!(plan.conflicts.len(), 5, "the plan says so, too");

    // Both came to the same: no conflict, and nothing to do.
    let same = house.staged(vec![patch(Kind::Vhost, "shop", json!({"enabled": true}))]).await;
    house.patch(Kind::Vhost, "shop", json!({"enabled": true})).await.unwrap();
    let committed = house.service.commit_change_set(&caller(), same, None, None).await.unwrap();
    assert!(!committed.changed);
    assert_eq!((committed.change_set.state, committed.revision), (ChangeSetState::Committed, before + 1));
    house.service.close().await;
}

#[sqlx::test]
async fn a_batch_is_one_revision_or_nothing_and_names_each_fault(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let bad = vec![
        put(Kind::Policy, "good", json!({})),
        put(Kind::Policy, "bad", json!({"mode": "loud"})),
        patch(Kind::Vhost, "nobody", json!({})),
        (Operation::Delete { kind: Kind::Vhost, name: n("shop") }, Precondition::Revision(77)),
        (Operation::Put { kind: Kind::Policy, name: n("base"), value: json!({}) }, Precondition::Absent),
    ];
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        faults(house.service.batch(&caller(), "", None, bad, true).await),
        [
            pair("/operations/1/value/mode", "invalid_value"),
            pair("/operations/2/path", "not_found"),
            pair("/operations/3/if_match", "precondition_failed"),
            pair("/operations/4/if_none_match", "already_exists"),
        ]
    );
    // What only the whole shows has its index too.
    let clash = vec![put(Kind::Vhost, "a", vhost("same", "base")), put(Kind::Vhost, "b", vhost("same", "none"))];
    assert_eq!(
        faults(house.service.batch(&caller(), "", None, clash, true).await),
        [pair("/operations/1/value/policy", "not_found"), pair("/operations/1/value/hostnames/0", "taken")]
    );
    *house.stub.mood.lock().unwrap() = Mood::Refuse("/vhosts/a/upstream".to_owned());
    let refused = vec![put(Kind::Policy, "p", json!({})), put(Kind::Vhost, "a", vhost("a", "base"))];
    assert_eq!(faults(house.service.batch(&caller(), "", None, refused, true).await)[0].0, "/operations/1/value/upstream");
    *house.stub.mood.lock().unwrap() = Mood::Accept;
    assert_eq!(house.service.head().revision, 2);
    let left = house.service.change_sets(&caller(), &[ChangeSetState::Open], None, 10).await.unwrap();
    assert!(left.is_empty(), "nothing is left behind: {left:?}");

    let many: Vec<_> = (0..500).map(|i| put(Kind::Vhost, &format!("v{i}"), vhost(&format!("v{i}"), "base"))).collect();
    let asked = house.stub.structures.load(Ordering::Relaxed);
    let Batched::Committed(done) = house.service.batch(&caller(), "many", None, many, true).await.unwrap() else { panic!() };
    assert_eq!((done.revision, house.service.head().vhosts.len()), (3, 501));
    assert_eq!(house.stub.structures.load(Ordering::Relaxed), asked + 1, "HAProxy is asked once for all of them");
    let (page, _) = house.service.revisions(&caller(), None, &Default::default(), 1).await.unwrap();
    assert_eq!((page[0].changes.len(), page[0].counts.created), (100, 500), "lists are short");
    assert_eq!(house.service.revision(&caller(), 3).await.unwrap().changes.len(), 500);
    let house = house.restart().await;
    assert_eq!(house.service.head().vhosts.len(), 501);
    house.service.close().await;
}

fn desired(kind: Kind, name: &str, fields: Value) -> Desired {
    Desired { kind, name: n(name), fields, entries: None }
}

#[sqlx::test]
async fn a_tree_is_what_is_to_be_and_absent_fields_stay(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.patch(Kind::Policy, "base", json!({"mode": "detect", "title": "kept"})).await.unwrap();
    house.put(Kind::IpList, "monitoring", json!({})).await;
    house.write(entries(&["192.0.2.0/24"], &[]).0, Precondition::None).await.unwrap();
    let new = async |prune: bool, objects: Vec<Desired>| {
        let id = house.service.create_change_set(&caller(), "", None).await.unwrap().id;
        house.service.stage_desired(&caller(), id, objects, prune).await.map(|staged| (id, staged.counts))
    };
    // As it is: nothing is staged.
    let (_, counts) = new(
        true,
        vec![
            desired(Kind::Policy, "base", json!({})),
            desired(Kind::Vhost, "shop", vhost("shop", "base")),
            desired(Kind::IpList, "monitoring", json!({})),
        ],
    )
    .await
    .unwrap();
    assert_eq!(counts.total(), 0);
    let (id, counts) = new(
        false,
        vec![desired(Kind::Policy, "base", json!({"mode": "block", "title": null})), desired(Kind::Vhost, "blog", vhost("blog", "base"))],
    )
    .await
    .unwrap();
    assert_eq!(counts, ChangeCounts { created: 1, updated: 1, deleted: 0 });
    house.commit(id).await.unwrap();
    let head = house.service.head();
    assert_eq!((head.policies["base"].spec.title.as_str(), head.vhosts.len(), head.ip_lists["monitoring"].entries.len()), ("", 2, 1));

    // The second tree takes the place of the first.
    let id = house.service.create_change_set(&caller(), "", None).await.unwrap().id;
    house.service.stage_desired(&caller(), id, vec![desired(Kind::Policy, "x", json!({}))], false).await.unwrap();
    let list = Desired { entries: Some(vec![]), ..desired(Kind::IpList, "monitoring", json!({"title": "t"})) };
    let staged = house.service.stage_desired(&caller(), id, vec![list], false).await.unwrap();
    assert_eq!(staged.counts, ChangeCounts { created: 0, updated: 1, deleted: 0 });
    house.commit(id).await.unwrap();
    assert!(house.service.head().ip_lists["monitoring"].entries.is_empty());

    // Pruning is for what is not named, and never for all there is.
    let (id, counts) = new(true, vec![desired(Kind::Policy, "base", json!({})), desired(Kind::Vhost, "shop", json!({}))]).await.unwrap();
    assert_eq!(counts, ChangeCounts { created: 0, updated: 0, deleted: 2 });
    house.commit(id).await.unwrap();
    assert_eq!(house.service.head().vhosts.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["shop"]);
    for objects in [vec![], vec![desired(Kind::Policy, "other", json!({}))]] {
        assert_eq!(faults(new(true, objects).await)[0].1, "prune_all");
    }
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    assert_eq!(
        faults(
            new(
                false,
                vec![
                    desired(Kind::Policy, "a", json!({})),
                    desired(Kind::Vhost, "b", json!({"hostnames": ["b"], "policy": "B"})),
                    desired(Kind::Policy, "a", json!({}))
                ]
            )
            .await
        ),
        [pair("/objects/1/policy", "invalid_value"), pair("/objects/1/upstream", "missing_field"), pair("/objects/2/name", "duplicate")]
    );
    house.service.close().await;
}

#[sqlx::test]
async fn ended_ones_stay_ended_and_a_rebase_moves_the_base(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let id = house.staged(vec![patch(Kind::Policy, "base", json!({"mode": "detect"}))]).await;
    house.put(Kind::Policy, "other", json!({})).await;
    let rebased = house.service.rebase_change_set(&caller(), id).await.unwrap();
    assert_eq!((rebased.base, rebased.counts.updated), (3, 1));
    assert!(house.service.snapshot_of_change_set(&caller(), id, None).await.unwrap().policies.contains_key("other"));
    // What somebody else has done meanwhile is staged no more.
    house.patch(Kind::Policy, "base", json!({"mode": "detect"})).await.unwrap();
    assert_eq!(house.service.rebase_change_set(&caller(), id).await.unwrap().counts.total(), 0);
    house.service.discard_change_set(&caller(), id).await.unwrap();
    house.service.discard_change_set(&caller(), id).await.unwrap();
    let operation = patch(Kind::Policy, "base", json!({}));
    for asked in [
        house.commit(id).await.map(drop),
        house.service.rebase_change_set(&caller(), id).await.map(drop),
        house.service.stage(&caller(), id, operation.0, operation.1).await.map(drop),
        house.service.rename_change_set(&caller(), id, "x").await.map(drop),
    ] {
        assert!(matches!(asked, Err(Error::Conflict(_))), "{asked:?}");
    }
    assert_eq!(faults(house.service.create_change_set(&caller(), "", Some(99)).await)[0], ("/base".to_owned(), "not_found".to_owned()));
    assert_eq!(faults(house.service.create_change_set(&caller(), "bell \u{7}", None).await)[0].0, "/message");
    // An old base is a base all the same: what came since is a conflict where it is the same.
    let old = house.service.create_change_set(&caller(), "", Some(2)).await.unwrap().id;
    assert!(!house.service.snapshot_of_change_set(&caller(), old, None).await.unwrap().policies.contains_key("other"));
    house.service.stage_all(&caller(), old, vec![patch(Kind::Policy, "base", json!({"mode": "off"}))]).await.unwrap();
    assert_eq!(conflicts(house.commit(old).await)[0].fields, ["/mode"]);
    house.service.close().await;
}

#[sqlx::test]
async fn what_is_live_or_referred_to_is_kept(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    use crate::domain::deployment::DeploymentState;
    let house = House::new(options).await;
    house.furnish().await;
    for n in 0..10 {
        house.patch(Kind::Policy, "base", json!({"title": format!("t{n}")})).await.unwrap();
    }
    let (before, now) = (told(&house.service.head()), house.service.now() + time::Duration::hours(1));
    let first_kept = async |house: &House| {
        let mut first = 0;
        while matches!(house.service.snapshot_at(&caller(), first).await, Err(Error::Gone(_))) {
            first += 1;
        }
        first
    };
    house.service.prune_history(now).await.unwrap();
    assert_eq!(first_kept(&house).await, 0, "nothing is live yet: what will be is not known");
    let deployment = house.service.open_deployment(9).await.unwrap();
    super::live::end(&house, deployment, DeploymentState::Live).await;
    let old = house.service.create_change_set(&caller(), "", Some(5)).await.unwrap().id;
    house.service.prune_history(now).await.unwrap();
    assert_eq!(first_kept(&house).await, 5, "a change set begins there");
    let titled = |snapshot: &Snapshot| snapshot.policies["base"].spec.title.to_string();
    assert_eq!(titled(&house.service.snapshot_at(&caller(), 7).await.unwrap()), "t4");
    house.service.discard_change_set(&caller(), old).await.unwrap();
    house.service.prune_history(OffsetDateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(first_kept(&house).await, 5, "nothing is as old as that");
    house.service.prune_history(now).await.unwrap();
    assert_eq!(first_kept(&house).await, 9, "what is live stays");
    assert!(matches!(house.service.change_set(&caller(), old).await, Err(Error::NotFound { .. })));
    let house = house.restart().await;
    assert_eq!((first_kept(&house).await, titled(&house.service.snapshot_at(&caller(), 9).await.unwrap())), (9, "t6".to_owned()));
    assert_eq!(told(&house.service.head()), before);
    let (page, total) = house.service.revisions(&caller(), None, &Default::default(), 50).await.unwrap();
    assert_eq!((page.len(), total, page[11].number), (12, 12, 1), "who did what, when and why is kept");
    house.service.close().await;
}

#[sqlx::test]
async fn entries_that_others_changed_are_not_lost_with_their_list(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.put(Kind::IpList, "monitoring", json!({"title": "t"})).await;
    house.write(entries(&["192.0.2.0/24"], &[]).0, Precondition::None).await.unwrap();
    let told = |found: &[Conflict]| found.iter().map(|c| (c.element.clone(), c.fields.join(" "), c.yours.is_some())).collect::<Vec<_>>();
    // I delete what somebody else has added to.
    let mine = house.staged(vec![delete(Kind::IpList, "monitoring")]).await;
    house.write(entries(&["10.0.0.0/8"], &[]).0, Precondition::None).await.unwrap();
    assert_eq!(told(&conflicts(house.commit(mine).await)), [(String::new(), "/entries".to_owned(), false)]);
    // I add to what somebody else has deleted.
    let mine = house.staged(vec![entries(&["203.0.113.0/24"], &[])]).await;
    house.delete(Kind::IpList, "monitoring").await.unwrap();
    assert_eq!(told(&conflicts(house.commit(mine).await)), [(String::new(), "/entries".to_owned(), true)]);
    // One that is there anew, and the same, can take them: its entries are merged one by one.
    house.put(Kind::IpList, "monitoring", json!({"title": "t"})).await;
    house.commit(mine).await.unwrap();
    let networks: Vec<String> = house.service.head().ip_lists["monitoring"].entries.keys().map(ToString::to_string).collect();
    assert_eq!(networks, ["203.0.113.0/24"]);
    // Both delete it: nothing to say.
    let mine = house.staged(vec![delete(Kind::IpList, "monitoring")]).await;
    house.delete(Kind::IpList, "monitoring").await.unwrap();
    assert!(!house.service.commit_change_set(&caller(), mine, None, None).await.unwrap().changed);
    house.service.close().await;
}

#[sqlx::test]
async fn what_was_staged_before_is_not_worked_out_again(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.put(Kind::IpList, "monitoring", json!({})).await;
    let id = house.staged(vec![entries(&["10.0.0.0/8"], &[]), put(Kind::Policy, "new", json!({}))]).await;
    let before = house.service.snapshot_of_change_set(&caller(), id, None).await.unwrap();
    let stage = async |one: (Operation, Precondition)| house.service.stage(&caller(), id, one.0, one.1).await.unwrap();
    stage(patch(Kind::Vhost, "shop", json!({"title": "t"}))).await;
    stage(put(Kind::Policy, "newer", json!({}))).await;
    let after = house.service.snapshot_of_change_set(&caller(), id, None).await.unwrap();
    // Of a list of 200,000 that would take longer than all else.
    assert!(Arc::ptr_eq(&before.ip_lists["monitoring"], &after.ip_lists["monitoring"]));
    assert_eq!((after.policies.len(), after.vhosts["shop"].spec.title.as_str()), (3, "t"));
    assert_ne!(after.policies["new"].number, after.policies["newer"].number);
    // What is as the base again is the base's.
    stage(patch(Kind::Vhost, "shop", json!({"title": ""}))).await;
    let after = house.service.snapshot_of_change_set(&caller(), id, None).await.unwrap();
    assert!(Arc::ptr_eq(&after.vhosts["shop"], &house.service.head().vhosts["shop"]));
    house.service.close().await;
}

#[sqlx::test]
async fn what_is_committed_is_said_to_be_though_it_cannot_be_read(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    use sqlx::Connection;
    let house = House::new(options.clone()).await;
    house.furnish().await;
    let id = house.staged(vec![patch(Kind::Policy, "base", json!({"mode": "off"}))]).await;
    // As where the database goes away behind the commit: the row is not found any more.
    let mut other = sqlx::PgConnection::connect_with(&options).await.unwrap();
    for statement in [
        "create function away() returns trigger language plpgsql as 'begin new.owner := ''away''; return new; end'",
        "create trigger away before update on change_sets for each row when (new.state = 'committed') execute function away()",
    ] {
        sqlx::query(statement).execute(&mut other).await.unwrap();
    }
    let committed = house.service.commit_change_set(&caller(), id, None, None).await.unwrap();
    assert_eq!((committed.revision, committed.change_set.revision, committed.change_set.state), (3, Some(3), ChangeSetState::Committed));
    assert_eq!((committed.change_set.version, house.service.head().revision), (3, 3));
    house.service.close().await;
}

#[sqlx::test]
async fn pruning_holds_up_no_write_and_no_reader_sees_half_of_it(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    use std::time::Duration;

    use crate::domain::deployment::DeploymentState;
    use sqlx::Connection;
    let house = House::new(options.clone()).await;
    house.furnish().await;
    for n in 0..5 {
        house.patch(Kind::Policy, "base", json!({"title": format!("t{n}")})).await.unwrap();
    }
    let deployment = house.service.open_deployment(7).await.unwrap();
    super::live::end(&house, deployment, DeploymentState::Live).await;
    // Deleting takes long.
    let mut other = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("select * from object_versions for update").execute(&mut *held).await.unwrap();
    let (service, now) = (house.service.clone(), house.service.now() + time::Duration::hours(1));
    let pruning = tokio::spawn(async move { service.prune_history(now).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(matches!(house.service.snapshot_at(&caller(), 4).await, Err(Error::Gone(_))), "what is about to go is gone already");
    let written =
        tokio::time::timeout(Duration::from_secs(5), house.write(put(Kind::Policy, "new", json!({})).0, Precondition::None)).await;
    written.expect("a write does not wait for it").unwrap();
    held.rollback().await.unwrap();
    pruning.await.unwrap().unwrap();
    house.service.close().await;
}
