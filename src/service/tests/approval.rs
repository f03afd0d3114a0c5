//! Four eyes: every way to a protected vhost waits for somebody else, and a yes is to one thing.

use super::scopes::{patch, put, with};
use super::*;
use crate::domain::change_set::{ChangeSet, ChangeSetState};
use crate::domain::revision::{ObjectRef, Origin};
use crate::domain::{Entry, Grant, NewToken, Role};
use crate::service::{Batched, Desired, Seen};

fn person(number: u128, grant: Value) -> Caller {
    let grant: Grant = serde_json::from_value(grant).unwrap();
    let (id, session) = (Uuid::from_u128(number), Uuid::from_u128(number + 1000));
    let principal = Principal::User { id, email: format!("p{number}@example.com"), session, grant: Arc::new(grant) };
    Caller { principal, ..caller() }
}

fn editor(number: u128) -> Caller {
    person(number, json!({"roles": [{"role": "editor"}]}))
}

/// `bank` is protected, uses the policy `strict` and the list `vault`, and its wildcard gets `x.bank.example.com`; `shop` is not.
async fn street(options: PgConnectOptions) -> House {
    let pool = sqlx::PgPool::connect_with(options.clone()).await.unwrap();
    for number in 1..=4u128 {
        sqlx::query(
            "insert into users (id, email, title, roles, disabled, epoch, totp_step, created_at, updated_at)
                      values ($1, $2, '', $3, false, 0, 0, '2026-01-01', now())",
        )
        .bind(Uuid::from_u128(number))
        .bind(format!("p{number}@example.com"))
        .bind(json!([{"role": "editor"}]))
        .execute(&pool)
        .await
        .unwrap();
    }
    pool.close().await;
    let house = House::new(options).await;
    for policy in ["strict", "base"] {
        house.put(Kind::Policy, policy, json!({})).await;
    }
    for list in ["vault", "loose"] {
        house.put(Kind::IpList, list, json!({})).await;
    }
    house.put(Kind::Vhost, "shop", vhost("shop", "base")).await;
    let mut bank = vhost("bank", "base");
    bank["hostnames"] = json!(["bank.example.com", "*.bank.example.com"]);
    bank["paths"] = json!([{"prefix": "/pay/", "policy": "strict"}]);
    bank["access"] = json!({"deny": ["vault"]});
    house.put(Kind::Vhost, "bank", bank).await;
    // Protecting it is a change of a protected vhost already: the system is asked, as an installation's first setting is.
    let system = Caller { principal: Principal::System, ..caller() };
    let protect = patch(Kind::Vhost, "bank", json!({"protected": true}));
    house.service.write(&system, protect, Precondition::Any, "").await.unwrap();
    house
}

fn waits<T: std::fmt::Debug>(result: Result<T>) -> ChangeSet {
    match result {
        Err(Error::AwaitingApproval(change_set)) => *change_set,
        other => panic!("{other:?}"),
    }
}

fn entry(network: &str) -> Entry {
    serde_json::from_value(json!({"network": network})).unwrap()
}

/// What somebody knows who has looked at a change set and its plan.
async fn look(house: &House, who: &Caller, id: Uuid) -> Seen {
    let version = house.service.change_set(who, id).await.unwrap().version;
    Seen { version, plan_digest: house.service.plan_change_set(who, id).await.unwrap().digest }
}

#[sqlx::test]
async fn every_way_to_a_protected_vhost_waits(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let before = house.service.head().revision;
    let ann = editor(1);
    let mut shop = vhost("shop", "base");
    shop["hostnames"] = json!(["shop.example.com", "x.bank.example.com"]);
    let mut new = vhost("new", "base");
    new["protected"] = json!(true);
    let ways = [
        ("itself", patch(Kind::Vhost, "bank", json!({"title": "ours"}))),
        ("no longer protected", patch(Kind::Vhost, "bank", json!({"protected": false}))),
        ("deleted", Operation::Delete { kind: Kind::Vhost, name: n("bank") }),
        ("a new one", put(Kind::Vhost, "new", new)),
        ("its policy", patch(Kind::Policy, "base", json!({"mode": "off"}))),
        ("the policy of a path", patch(Kind::Policy, "strict", json!({"thresholds": {"inbound": 50}}))),
        ("its list", patch(Kind::IpList, "vault", json!({"title": "x"}))),
        ("entries", Operation::BatchEntries { list: n("vault"), add: vec![entry("192.0.2.0/24")], remove: vec![] }),
        ("all entries", Operation::ReplaceEntries { list: n("vault"), entries: vec![entry("198.51.100.0/24")] }),
        ("what its wildcard gets", put(Kind::Vhost, "shop", shop)),
    ];
    for (way, operation) in &ways {
        // What a direct write may not, no other way may.
        let precondition = if *way == "a new one" { Precondition::None } else { Precondition::Any };
        let change_set = waits(house.service.write(&ann, operation.clone(), precondition, "please").await);
        assert_eq!((change_set.state, change_set.message.as_str()), (ChangeSetState::AwaitingApproval, "please"), "{way}");
        assert!(!change_set.approval.unwrap().vhosts.is_empty(), "{way}");
        house.service.discard_change_set(&ann, change_set.id).await.unwrap();
        let batch = vec![(operation.clone(), Precondition::Base)];
        let change_set = waits(house.service.batch(&ann, "please", None, batch, true).await);
        assert_eq!(change_set.state, ChangeSetState::AwaitingApproval, "{way}, as a batch");
        house.service.discard_change_set(&ann, change_set.id).await.unwrap();
    }
    assert_eq!(house.service.head().revision, before, "none is committed");
    // Everything else goes on.
    for operation in [
        patch(Kind::Vhost, "shop", json!({"title": "ours"})),
        Operation::BatchEntries { list: n("loose"), add: vec![entry("192.0.2.0/24")], remove: vec![] },
        put(Kind::Policy, "another", json!({})),
    ] {
        let precondition = if matches!(operation, Operation::Put { .. }) { Precondition::None } else { Precondition::Any };
        assert!(house.service.write(&ann, operation, precondition, "").await.unwrap().changed);
    }
}

#[sqlx::test]
async fn a_tree_and_a_rollback_wait_and_an_operator_may_call_a_rollback_off(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let ann = editor(1);
    let tree = house.service.create_change_set(&ann, "a tree", None).await.unwrap();
    let desired = vec![Desired { kind: Kind::Policy, name: n("strict"), fields: json!({"mode": "detect"}), entries: None }];
    house.service.stage_desired(&ann, tree.id, desired, false).await.unwrap();
    let plan = house.service.plan_change_set(&ann, tree.id).await.unwrap();
    assert!(plan.approval.required && plan.approval.vhosts.names == [n("bank")]);
    assert_eq!(waits(house.service.commit_change_set(&ann, tree.id, Some(&plan.digest), None).await).id, tree.id);

    let op = person(2, json!({"roles": [{"role": "operator"}]}));
    let bank = [ObjectRef::parse("vhosts/bank").unwrap()];
    let head = house.service.head().revision;
    assert!(house.service.plan_rollback(&op, head - 1, &bank).await.unwrap().approval.required);
    let waiting = waits(house.service.rollback(&op, head - 1, &bank, None, None).await);
    assert_eq!((waiting.rollback_to, waiting.state), (Some(head - 1), ChangeSetState::AwaitingApproval));
    assert_eq!(waits(house.service.rollback(&op, head - 1, &bank, None, None).await).id, waiting.id, "asked for twice, it is one");
    assert_eq!(waits(house.service.commit_change_set(&op, waiting.id, None, None).await).id, waiting.id, "and waits on");

    let bob = editor(3);
    let yes = look(&house, &bob, waiting.id).await;
    let approved = house.service.approve(&bob, waiting.id, &yes, "fine", false).await.unwrap();
    assert!(matches!(approved, Batched::Staged(set) if set.state == ChangeSetState::Approved));
    let done = house.service.commit_change_set(&op, waiting.id, None, None).await.unwrap();
    let info = house.service.revision(&ann, done.revision).await.unwrap();
    assert_eq!(info.origin, Origin::Rollback { revision: head - 1, approved_by: Some("user:p3@example.com".to_owned()) });
    assert!(!house.service.head().vhosts[&n("bank")].spec.protected);

    // Whoever may go back may call it off, and edit nothing in it.
    let system = Caller { principal: Principal::System, ..caller() };
    house.service.write(&system, patch(Kind::Vhost, "bank", json!({"protected": true})), Precondition::Any, "").await.unwrap();
    let waiting = waits(house.service.rollback(&op, head - 1, &bank, None, None).await);
    let staged = house.service.stage(&op, waiting.id, patch(Kind::Vhost, "shop", json!({"title": "x"})), Precondition::Base).await;
    assert!(matches!(staged, Err(Error::Forbidden)), "{staged:?}");
    house.service.discard_change_set(&op, waiting.id).await.unwrap();
}

#[sqlx::test]
async fn nobody_says_yes_to_their_own_and_no_token_does(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let ann = person(1, json!({"roles": [{"role": "admin"}]}));
    let change = || patch(Kind::Vhost, "bank", json!({"title": "ours"}));
    let own = waits(house.service.write(&ann, change(), Precondition::Any, "").await);
    let yes = look(&house, &ann, own.id).await;
    assert!(matches!(house.service.approve(&ann, own.id, &yes, "", true).await, Err(Error::OwnChange)));
    assert!(matches!(house.service.reject(&ann, own.id, "").await, Err(Error::OwnChange)));

    // A token of hers, and a token that this one makes, are she.
    let make = |name: &str| serde_json::from_value::<NewToken>(json!({"name": name, "roles": [{"role": "admin"}]})).unwrap();
    let (_, text) = house.service.create_token(&ann, make("first")).await.unwrap();
    let first = Caller { principal: house.service.authenticate(&text, None).await.unwrap(), ..caller() };
    let (info, text) = house.service.create_token(&first, make("second")).await.unwrap();
    let second = Caller { principal: house.service.authenticate(&text, None).await.unwrap(), ..caller() };
    let by_token = waits(house.service.write(&second, patch(Kind::Vhost, "bank", json!({"title": "hers"})), Precondition::Any, "").await);
    // Also once the token is gone.
    house.service.revoke_token(&ann, info.id).await.unwrap();
    let yes = look(&house, &ann, by_token.id).await;
    assert!(matches!(house.service.approve(&ann, by_token.id, &yes, "", true).await, Err(Error::OwnChange)));

    let (_, third) = house.service.create_token(&first, make("third")).await.unwrap();
    for nobody in [stranger(), first, with(json!({"permits": [{"actions": ["read", "update"], "kinds": ["approval", "change_set"]}]}))] {
        let told = house.service.approve(&nobody, by_token.id, &yes, "", true).await;
        assert!(matches!(told, Err(Error::Forbidden)), "{told:?}");
        assert!(matches!(house.service.change_set(&nobody, by_token.id).await, Err(Error::NotFound { .. }) | Err(Error::Forbidden)));
    }
    for (role, told) in [(Role::Viewer, "forbidden"), (Role::Operator, "forbidden")] {
        let who = person(9, json!({"roles": [{"role": role}]}));
        assert!(matches!(house.service.approve(&who, by_token.id, &yes, "", true).await, Err(Error::Forbidden)), "{told}");
        assert!(matches!(house.service.change_sets_to_review(&who, None, 10).await, Err(Error::Forbidden)));
    }
    // Nor does anybody to what somebody left behind who may write nothing any more.
    let bob = editor(3);
    assert!(matches!(house.service.approve(&bob, by_token.id, &yes, "", true).await, Err(Error::Conflict(_))));
    house.service.reject(&bob, by_token.id, "").await.unwrap();
    let mut gone = second.clone();
    let again = house.service.write(&gone, patch(Kind::Vhost, "bank", json!({"title": "again"})), Precondition::Any, "").await;
    assert!(matches!(again, Err(Error::Unauthenticated)), "whose it was is not known any more: {again:?}");
    gone.principal = house.service.authenticate(&third, None).await.unwrap();
    let by_token = waits(house.service.write(&gone, patch(Kind::Vhost, "bank", json!({"title": "hers"})), Precondition::Any, "").await);
    let yes = look(&house, &bob, by_token.id).await;
    let done = house.service.approve(&bob, by_token.id, &yes, "", true).await.unwrap();
    let Batched::Committed(done) = done else { panic!() };
    let info = house.service.revision(&ann, done.revision).await.unwrap();
    assert_eq!(info.author, "token:third", "who wrote it, and not who said yes");
    assert_eq!(info.origin, Origin::ChangeSet { id: by_token.id, approved_by: Some("user:p3@example.com".to_owned()) });
}

#[sqlx::test]
async fn who_could_not_have_made_it_neither_sees_it_nor_says_yes(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let ann = editor(1);
    let both = vec![
        (patch(Kind::Vhost, "bank", json!({"title": "x"})), Precondition::Base),
        (patch(Kind::Vhost, "shop", json!({"title": "x"})), Precondition::Base),
    ];
    let both = waits(house.service.batch(&ann, "", None, both, true).await);
    let one = waits(house.service.write(&ann, patch(Kind::Vhost, "bank", json!({"title": "y"})), Precondition::Any, "").await);
    let scoped = person(4, json!({"roles": [{"role": "editor", "scope": {"vhosts": ["bank"]}}]}));
    assert!(matches!(house.service.change_set(&scoped, both.id).await, Err(Error::NotFound { .. })));
    assert!(matches!(
        house.service.approve(&scoped, both.id, &Seen { version: both.version, plan_digest: "x".to_owned() }, "", true).await,
        Err(Error::NotFound { .. })
    ));
    let listed = |sets: Vec<ChangeSet>| sets.into_iter().map(|set| set.id).collect::<Vec<_>>();
    assert_eq!(listed(house.service.change_sets_to_review(&scoped, None, 10).await.unwrap()), [one.id]);
    assert_eq!(listed(house.service.change_sets_to_review(&editor(3), None, 10).await.unwrap()), [one.id, both.id]);
    assert!(listed(house.service.change_sets_to_review(&ann, None, 10).await.unwrap()).is_empty(), "one's own are one's own");
    // What is read of it may be read, and written by its owner alone.
    house.service.diff_of_change_set(&scoped, one.id).await.unwrap();
    for told in [
        house.service.rename_change_set(&scoped, one.id, "x").await.map(drop),
        house.service.discard_change_set(&scoped, one.id).await,
        house.service.rebase_change_set(&scoped, one.id).await.map(drop),
        house.service.commit_change_set(&scoped, one.id, None, None).await.map(drop),
        house.service.stage(&scoped, one.id, patch(Kind::Vhost, "bank", json!({"title": "z"})), Precondition::Base).await.map(drop),
    ] {
        assert!(matches!(told, Err(Error::Forbidden)), "{told:?}");
    }
    let yes = look(&house, &scoped, one.id).await;
    assert!(matches!(house.service.approve(&scoped, one.id, &yes, "", true).await, Ok(Batched::Committed(_))));
    // Open ones of others stay unseen.
    let open = house.service.create_change_set(&ann, "", None).await.unwrap();
    assert!(matches!(house.service.change_set(&editor(3), open.id).await, Err(Error::NotFound { .. })));
}

#[sqlx::test]
async fn what_waits_names_no_vhost_that_its_writer_does_not_see(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let system = Caller { principal: Principal::System, ..caller() };
    let under = json!({"hostnames": ["shop.example.com", "x.bank.example.com"]});
    house.service.write(&system, patch(Kind::Vhost, "shop", under), Precondition::Any, "").await.unwrap();
    let scoped = person(4, json!({"roles": [{"role": "editor", "scope": {"vhosts": ["shop"]}}]}));
    let less = || patch(Kind::Vhost, "shop", json!({"hostnames": ["shop.example.com"]}));
    let waiting = waits(house.service.write(&scoped, less(), Precondition::Any, "").await);
    assert!(waiting.approval.unwrap().vhosts.is_empty(), "whose wildcard it is, is not theirs to know");
    assert!(house.service.change_set(&scoped, waiting.id).await.unwrap().approval.unwrap().vhosts.is_empty());
    let plan = house.service.plan_change_set(&scoped, waiting.id).await.unwrap();
    assert!(plan.approval.required && plan.approval.vhosts.total == 0);
    house.service.discard_change_set(&scoped, waiting.id).await.unwrap();
    let batch = house.service.batch(&scoped, "", None, vec![(less(), Precondition::Base)], true).await;
    assert!(waits(batch).approval.unwrap().vhosts.is_empty());
    // Who decides sees it.
    let seen = house.service.change_sets_to_review(&editor(3), None, 10).await.unwrap();
    assert_eq!(seen[0].approval.as_ref().unwrap().vhosts, [n("bank")]);
}

#[sqlx::test]
async fn a_yes_ends_with_any_edit_and_with_what_would_happen(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let (ann, bob) = (editor(1), editor(3));
    let change = patch(Kind::Policy, "strict", json!({"mode": "detect"}));
    let set = waits(house.service.write(&ann, change, Precondition::Any, "").await);
    let approve = async |id| {
        let yes = look(&house, &bob, id).await;
        house.service.approve(&bob, id, &yes, "", false).await.unwrap();
        assert_eq!(house.service.change_set(&ann, id).await.unwrap().state, ChangeSetState::Approved);
    };
    let seen = look(&house, &bob, set.id).await;
    let other = house.service.approve(&bob, set.id, &Seen { plan_digest: "0".repeat(64), ..seen.clone() }, "", true).await;
    assert!(matches!(other, Err(Error::PlanChanged)), "not what was seen");
    // The same content under another message does the same, and is not what was seen either.
    house.service.rename_change_set(&ann, set.id, "quiet").await.unwrap();
    waits(house.service.commit_change_set(&ann, set.id, None, None).await);
    assert_eq!(look(&house, &bob, set.id).await.plan_digest, seen.plan_digest);
    assert!(matches!(house.service.approve(&bob, set.id, &seen, "", true).await, Err(Error::Conflict(_))));

    approve(set.id).await;
    assert!(matches!(house.service.commit_change_set(&ann, set.id, None, Some("another")).await, Err(Error::Conflict(_))));
    assert!(matches!(house.service.commit_change_set(&ann, set.id, Some("x"), None).await, Err(Error::PlanChanged)));
    // An edit, a new name, a rebase: each ends it.
    let lapsed = async |set: ChangeSet| {
        assert_eq!((set.state, set.approval.is_none()), (ChangeSetState::Open, true));
        assert_eq!(waits(house.service.commit_change_set(&ann, set.id, None, None).await).state, ChangeSetState::AwaitingApproval);
    };
    // What changes nothing is none.
    let same = || (patch(Kind::Policy, "strict", json!({"mode": "detect"})), Precondition::Base);
    let before = house.service.change_set(&ann, set.id).await.unwrap();
    for operations in [vec![], vec![same()], vec![same(), same()]] {
        let after = house.service.stage_all(&ann, set.id, operations).await.unwrap();
        assert_eq!((after.state, after.version), (ChangeSetState::Approved, before.version));
    }
    assert!(!house.service.stage(&ann, set.id, same().0, Precondition::Base).await.unwrap().changed);
    assert_eq!(json!(house.service.change_set(&ann, set.id).await.unwrap()), json!(before));
    let more = patch(Kind::Policy, "strict", json!({"thresholds": {"inbound": 7}}));
    house.service.stage(&ann, set.id, more, Precondition::Base).await.unwrap();
    lapsed(house.service.change_set(&ann, set.id).await.unwrap()).await;
    approve(set.id).await;
    lapsed(house.service.rename_change_set(&ann, set.id, "harmless").await.unwrap()).await;
    approve(set.id).await;
    house.put(Kind::Policy, "elsewhere", json!({})).await;
    lapsed(house.service.rebase_change_set(&ann, set.id).await.unwrap()).await;

    // What others commit elsewhere changes nothing of it; what they commit about it does.
    approve(set.id).await;
    house.put(Kind::Policy, "elsewhere", json!({"mode": "off"})).await;
    let mut shop = vhost("shop", "strict");
    shop["title"] = json!("uses it now");
    house.put(Kind::Vhost, "shop", shop).await;
    let again = waits(house.service.commit_change_set(&ann, set.id, None, None).await);
    assert_eq!((again.state, again.id), (ChangeSetState::AwaitingApproval, set.id), "another vhost would be affected, too");
    assert!(again.approval.unwrap().decision.is_none());
    approve(set.id).await;
    let done = house.service.commit_change_set(&ann, set.id, None, None).await.unwrap();
    assert_eq!((done.change_set.state, done.change_set.revision), (ChangeSetState::Committed, Some(done.revision)));
    // What it only begins to use is in it, too: also where nobody else needs to be asked to change that.
    for (object, before) in [(Kind::Policy, json!({})), (Kind::IpList, json!({}))] {
        house.put(object, "fresh", before).await;
    }
    let uses = json!({"paths": [{"prefix": "/pay/", "policy": "fresh"}], "access": {"trust": ["fresh"]}});
    let set = waits(house.service.write(&ann, patch(Kind::Vhost, "bank", uses), Precondition::Any, "").await);
    approve(set.id).await;
    let exclusion = json!({"exclusions": [{"id": "e", "rule": {"id": 942100}, "target": "ARGS:x"}]});
    house.patch(Kind::Policy, "fresh", exclusion).await.unwrap();
    assert_eq!(waits(house.service.commit_change_set(&ann, set.id, None, None).await).state, ChangeSetState::AwaitingApproval);
    approve(set.id).await;
    let opened = Operation::BatchEntries { list: n("fresh"), add: vec![entry("198.51.100.7")], remove: vec![] };
    house.write(opened, Precondition::Any).await.unwrap();
    assert_eq!(waits(house.service.commit_change_set(&ann, set.id, None, None).await).state, ChangeSetState::AwaitingApproval);
    // The yes of somebody who may say none any more is none: who is kept out, has lost the role, or has it elsewhere.
    let root = person(2, json!({"roles": [{"role": "admin"}]}));
    let editor = json!({"roles": [{"role": "editor"}]});
    let elsewhere = json!({"roles": [{"role": "editor", "scope": {"vhosts": ["shop"]}}]});
    for (ends, again) in
        [(json!({"disabled": true}), json!({"disabled": false})), (json!({"roles": []}), editor.clone()), (elsewhere, editor)]
    {
        approve(set.id).await;
        let change =
            async |patch| house.service.patch_user(&root, Uuid::from_u128(3), serde_json::from_value(patch).unwrap()).await.unwrap();
        change(ends).await;
        assert_eq!(waits(house.service.commit_change_set(&ann, set.id, None, None).await).state, ChangeSetState::AwaitingApproval);
        change(again).await;
    }
    house.service.discard_change_set(&ann, set.id).await.unwrap();
    // A no sends it back.
    let set = waits(house.service.write(&ann, patch(Kind::Vhost, "bank", json!({"title": "x"})), Precondition::Any, "").await);
    let back = house.service.reject(&bob, set.id, "not on a Friday").await.unwrap();
    assert_eq!(back.state, ChangeSetState::Open);
    assert_eq!(house.service.change_set(&ann, set.id).await.unwrap().approval.unwrap().decision.unwrap().reason, "not on a Friday");
    assert!(matches!(house.service.change_set(&bob, set.id).await, Err(Error::NotFound { .. })), "and is hers again");
    // All of it is in the log.
    let log = house.service.audit_log(&caller(), &crate::service::AuditFilter::default(), None, true, 500).await.unwrap();
    for action in ["change_set.submitted", "change_set.approved", "change_set.lapsed", "change_set.rejected", "change_set.committed"] {
        assert!(log.iter().any(|row| row.action == action), "{action}");
    }
}

#[sqlx::test]
async fn a_pipeline_that_runs_again_commits_what_was_approved(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = street(options).await;
    let (bob, pipe) = (editor(3), editor(1));
    let run = async || {
        let set = house.service.create_change_set(&pipe, "nightly", None).await.unwrap();
        let desired = vec![Desired { kind: Kind::Policy, name: n("strict"), fields: json!({"mode": "detect"}), entries: None }];
        house.service.stage_desired(&pipe, set.id, desired, false).await.unwrap();
        (set.id, house.service.commit_change_set(&pipe, set.id, None, None).await)
    };
    let (first, told) = run().await;
    assert_eq!(waits(told).id, first);
    let (second, told) = run().await;
    assert_eq!(waits(told).id, first, "it waits already");
    assert_eq!(house.service.change_set(&pipe, second).await.unwrap().state, ChangeSetState::Discarded);
    let yes = look(&house, &bob, first).await;
    house.service.approve(&bob, first, &yes, "", false).await.unwrap();
    let (third, told) = run().await;
    let done = told.unwrap();
    assert_eq!((done.change_set.id, done.changed), (first, true));
    assert_eq!(house.service.change_set(&pipe, third).await.unwrap().state, ChangeSetState::Discarded);
    let (_, told) = run().await;
    assert!(!told.unwrap().changed, "nothing is left to do");
}
