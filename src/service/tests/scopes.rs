//! The attacker has an editor's token that is limited to one vhost, `shop`.

use super::*;
use crate::auth::OidcOptions;
use crate::domain::Grant;
use crate::domain::revision::ObjectRef;
use crate::service::{Batched, Desired, PeopleOptions, SsoOptions};

pub fn with(grant: Value) -> Caller {
    let grant: Grant = serde_json::from_value(grant).unwrap();
    let principal = Principal::Token { id: Uuid::from_u128(66), name: "mallory".to_owned(), grant: Arc::new(grant) };
    Caller { principal, ..caller() }
}

/// An editor of the vhost `shop`.
pub fn mallory() -> Caller {
    with(json!({"roles": [{"role": "editor", "scope": {"vhosts": ["shop"]}}]}))
}

/// `shop` has a policy and a list for itself and shares others with `bank`, which has some of its own; and there are those that nobody uses.
pub async fn town(options: PgConnectOptions) -> House {
    let house = House::new(options).await;
    for policy in ["mine", "shared", "secret", "free"] {
        house.put(Kind::Policy, policy, json!({"exclusions": [{"id": "first", "rule": {"id": 942100}}]})).await;
    }
    for list in ["office", "partners", "vault", "loose"] {
        house.put(Kind::IpList, list, json!({})).await;
    }
    let mut shop = vhost("shop", "mine");
    shop["access"] = json!({"trust": ["partners"], "deny": ["office"]});
    house.put(Kind::Vhost, "shop", shop).await;
    let mut bank = vhost("bank", "secret");
    bank["hostnames"] = json!(["bank.example.com", "*.bank.example.com"]);
    bank["access"] = json!({"trust": ["partners"], "allow_only": ["vault"]});
    bank["paths"] = json!([{"prefix": "/x/", "policy": "shared"}]);
    house.put(Kind::Vhost, "bank", bank).await;
    house
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Told {
    Done,
    Forbidden,
    NotFound,
    /// 422 or 409 that names nobody.
    Refused,
}

pub fn told_of<T: std::fmt::Debug>(result: Result<T>) -> Told {
    match result {
        Ok(_) => Told::Done,
        Err(Error::Forbidden) => Told::Forbidden,
        Err(Error::NotFound { .. }) => Told::NotFound,
        Err(error) => {
            assert!(!format!("{error:?}").contains("bank`"), "{error:?}");
            Told::Refused
        }
    }
}

pub fn put(kind: Kind, name: &str, value: Value) -> Operation {
    Operation::Put { kind, name: n(name), value }
}

pub fn patch(kind: Kind, name: &str, patch: Value) -> Operation {
    Operation::Patch { kind, name: n(name), patch }
}

/// Each trick, and what it comes to as a direct write.
fn tricks() -> Vec<(&'static str, Operation, Told)> {
    use Told::{Done, Forbidden, NotFound, Refused};
    let entry = |network: &str| vec![serde_json::from_value(json!({"network": network})).unwrap()];
    let with = |key: &str, value: Value| {
        let mut shop = vhost("shop", "mine");
        shop[key] = value;
        shop
    };
    vec![
        ("own vhost", patch(Kind::Vhost, "shop", json!({"title": "mine"})), Done),
        ("own policy", patch(Kind::Policy, "mine", json!({"mode": "off"})), Done),
        ("what nobody uses", patch(Kind::Policy, "free", json!({"mode": "off"})), Done),
        (
            "own server",
            Operation::PutElement {
                keyed: super::super::Keyed::Servers,
                owner: n("shop"),
                key: "b".into(),
                value: json!({"address": "192.0.2.11", "port": 80}),
            },
            Done,
        ),
        ("other vhost", patch(Kind::Vhost, "bank", json!({"title": "mine"})), NotFound),
        ("put over other vhost", put(Kind::Vhost, "bank", vhost("bank", "mine")), Forbidden),
        ("delete other vhost", Operation::Delete { kind: Kind::Vhost, name: n("bank") }, NotFound),
        ("new vhost out of scope", put(Kind::Vhost, "shop2", vhost("shop2", "mine")), Forbidden),
        ("hidden policy", patch(Kind::Policy, "secret", json!({"mode": "off"})), NotFound),
        ("put over hidden policy", put(Kind::Policy, "secret", json!({})), Forbidden),
        ("shared policy used through a path", patch(Kind::Policy, "shared", json!({"mode": "off"})), NotFound),
        ("delete hidden policy", Operation::Delete { kind: Kind::Policy, name: n("secret") }, NotFound),
        (
            "exclusion of hidden policy",
            Operation::DeleteElement { keyed: super::super::Keyed::Exclusions, owner: n("secret"), key: "first".into() },
            NotFound,
        ),
        (
            "path of other vhost",
            Operation::DeleteElement { keyed: super::super::Keyed::Paths, owner: n("bank"), key: "/x/".into() },
            NotFound,
        ),
        ("shared trust list, entries", Operation::BatchEntries { list: n("partners"), add: entry("0.0.0.0/0"), remove: vec![] }, Forbidden),
        ("shared trust list, all entries", Operation::ReplaceEntries { list: n("partners"), entries: entry("0.0.0.0/0") }, Forbidden),
        ("shared trust list", patch(Kind::IpList, "partners", json!({"title": "mine"})), Forbidden),
        ("hidden list, entries", Operation::BatchEntries { list: n("vault"), add: entry("0.0.0.0/0"), remove: vec![] }, NotFound),
        ("own list, entries", Operation::BatchEntries { list: n("office"), add: entry("198.51.100.0/24"), remove: vec![] }, Done),
        ("use hidden policy", put(Kind::Vhost, "shop", vhost("shop", "secret")), Refused),
        ("use hidden list", put(Kind::Vhost, "shop", with("access", json!({"trust": ["vault"]}))), Refused),
        ("use hidden policy in a path", put(Kind::Vhost, "shop", with("paths", json!([{"prefix": "/y/", "policy": "secret"}]))), Refused),
        ("hostname of other vhost", put(Kind::Vhost, "shop", with("hostnames", json!(["bank.example.com"]))), Refused),
        ("hostname under other's wildcard", put(Kind::Vhost, "shop", with("hostnames", json!(["www.bank.example.com"]))), Refused),
        ("wildcard over other's hostname", put(Kind::Vhost, "shop", with("hostnames", json!(["*.example.com"]))), Done),
    ]
}

#[sqlx::test]
async fn every_trick_by_every_way(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    for (what, operation, expected) in tricks() {
        let before = service.head();
        let asked = house.stub.rulesets.load(Ordering::Relaxed) + house.stub.structures.load(Ordering::Relaxed);
        let new = matches!(operation, Operation::PutElement { .. });
        let precondition = if new { Precondition::None } else { Precondition::Any };
        let direct = service.write(&mallory(), operation.clone(), precondition, "").await;
        let direct = match (direct, expected) {
            (Err(Error::NotFound { .. } | Error::Stale { .. }), Told::Forbidden) if matches!(operation, Operation::Put { .. }) => {
                told_of(service.write(&mallory(), operation.clone(), Precondition::None, "").await)
            }
            (direct, _) => told_of(direct),
        };
        assert_eq!(direct, expected, "{what}, directly");
        if expected != Told::Done {
            let now = house.stub.rulesets.load(Ordering::Relaxed) + house.stub.structures.load(Ordering::Relaxed);
            assert_eq!(now, asked, "{what}: no engine is asked");
            assert_eq!(service.head().revision, before.revision);
        }
        for commit in [false, true] {
            let batch = service.batch(&mallory(), "", None, vec![(operation.clone(), Precondition::Base)], commit).await;
            let batched = told_of(batch);
            assert_eq!(
                batched == Told::Done,
                expected == Told::Done || (!commit && batched == Told::Done && staged_only(what)),
                "{what}: {batched:?}"
            );
        }
    }
    assert_eq!(service.head().vhosts["bank"].revision, 10, "nobody touched it");
    house.service.close().await;
}

/// What is wrong only once all is together: the commit says so.
fn staged_only(what: &str) -> bool {
    what == "hostname of other vhost"
}

#[sqlx::test]
async fn a_tree_prunes_nothing_and_names_nobody(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    let desired = |kind, name: &str, fields| Desired { kind, name: n(name), fields, entries: None };
    let set = service.create_change_set(&mallory(), "", None).await.unwrap().id;
    let mine = || vec![desired(Kind::Vhost, "shop", json!({"title": "a"}))];
    assert_eq!(told_of(service.stage_desired(&mallory(), set, mine(), true).await), Told::Forbidden);
    for (kind, name) in [(Kind::Vhost, "bank"), (Kind::Policy, "secret"), (Kind::IpList, "vault")] {
        let tree = vec![desired(kind, name, json!({"title": "a"}))];
        assert_eq!(told_of(service.stage_desired(&mallory(), set, tree, false).await), Told::NotFound, "{name}");
    }
    service.stage_desired(&mallory(), set, mine(), false).await.unwrap();
    // Through a change set of an attacker nothing more is seen.
    let seen = service.snapshot_of_change_set(&mallory(), set, None).await.unwrap();
    assert_eq!(seen.vhosts.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["shop"]);
    assert!(!seen.policies.contains_key("secret") && seen.policies.contains_key("free"));
    // The scope shrinks: what was staged is committed no more.
    let less = with(json!({"roles": [{"role": "editor", "scope": {"vhosts": ["other"]}}]}));
    assert_eq!(told_of(service.commit_change_set(&less, set, None, None).await), Told::NotFound);
    assert_eq!(told_of(service.rebase_change_set(&less, set).await), Told::NotFound);
    assert_eq!(told_of(service.commit_change_set(&stranger(), set, None, None).await), Told::NotFound, "another's");
    let viewer = with(json!({"roles": [{"role": "viewer"}]}));
    assert_eq!(told_of(service.commit_change_set(&viewer, set, None, None).await), Told::Forbidden);
    assert_eq!(told_of(service.commit_change_set(&mallory(), set, None, None).await), Told::Done);
    house.service.close().await;
}

#[sqlx::test]
async fn what_is_shared_meanwhile_is_checked_where_it_is_committed(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    // Staged while nobody else used it.
    let set = service.create_change_set(&mallory(), "", None).await.unwrap().id;
    service.stage(&mallory(), set, patch(Kind::Policy, "mine", json!({"mode": "off"})), Precondition::Base).await.unwrap();
    house.patch(Kind::Vhost, "bank", json!({"policy": "mine"})).await.unwrap();
    assert_eq!(told_of(service.commit_change_set(&mallory(), set, None, None).await), Told::Forbidden);
    assert_eq!(told_of(service.plan_change_set(&mallory(), set).await), Told::Forbidden);

    // The writer asks by itself: a warrant that was good when the caller looked is not enough.
    let head = service.head();
    let op = super::super::apply::Op::new(patch(Kind::Policy, "free", json!({"mode": "off"}))).unwrap();
    let work = Arc::new(super::super::writer::Work::One { op, precondition: Precondition::Any });
    let warrant = service.warrant(&mallory(), Default::default());
    assert!(warrant.begin(&work, &head).is_ok());
    house.patch(Kind::Vhost, "bank", json!({"policy": "free"})).await.unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let request = super::super::writer::Request {
        work,
        caller: mallory(),
        warrant,
        about: Arc::default(),
        judged: Arc::new(super::super::judge::Judged::everything()),
        only_on: None,
        reply,
    };
    assert!(service.inner.requests.send(request).await.is_ok());
    match answer.await.unwrap() {
        super::super::writer::Reply::Unmade(super::super::writer::Unmade::Error(error)) => {
            assert!(matches!(error, Error::NotFound { .. } | Error::Forbidden), "{error:?}");
        }
        _ => panic!("written"),
    }
    house.service.close().await;
}

#[sqlx::test]
async fn labels_that_say_a_scope_are_an_administrators(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    house.patch(Kind::Vhost, "shop", json!({"labels": {"team": "web", "color": "red"}})).await.unwrap();
    house.patch(Kind::Vhost, "bank", json!({"labels": {"team": "money"}})).await.unwrap();
    let web = with(json!({"roles": [{"role": "editor", "scope": {"labels": {"team": "web"}}}]}));
    let write = async |caller: &Caller, patch_: Value| {
        told_of(service.write(caller, patch(Kind::Vhost, "shop", json!({"labels": patch_})), Precondition::Any, "").await)
    };
    assert_eq!(write(&web, json!({"color": "blue"})).await, Told::Done);
    assert_eq!(write(&web, json!({"team": "money"})).await, Told::Forbidden);
    assert_eq!(write(&web, json!({"team": null})).await, Told::Forbidden);
    let everywhere = with(json!({"roles": [{"role": "editor"}, {"role": "viewer", "scope": {"labels": {"team": "web"}}}]}));
    assert_eq!(write(&everywhere, json!({"team": "money"})).await, Told::Forbidden, "of a global editor, too");
    // Renaming: away, and there again as somebody else.
    let operations = vec![
        (Operation::Delete { kind: Kind::Vhost, name: n("shop") }, Precondition::Base),
        (
            put(Kind::Vhost, "shoq", {
                let mut v = vhost("shop", "mine");
                v["labels"] = json!({"team": "web"});
                v
            }),
            Precondition::Base,
        ),
    ];
    assert_eq!(told_of(service.batch(&web, "", None, operations, true).await), Told::Forbidden);
    // A scope that some token has is one, too.
    let token = serde_json::from_value(json!({"name": "t", "roles": [{"role": "viewer", "scope": {"labels": {"zone": "a"}}}]})).unwrap();
    service.create_token(&caller(), token).await.unwrap();
    assert_eq!(write(&web, json!({"zone": "a"})).await, Told::Forbidden);
    assert_eq!(write(&caller(), json!({"zone": "a", "team": "money"})).await, Told::Done);
    assert_eq!(write(&web, json!({"color": "green"})).await, Told::NotFound, "out of scope by now");
    house.service.close().await;
}

#[sqlx::test]
async fn labels_that_say_a_groups_scope_are_so_before_anybody_of_it_comes(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    house.patch(Kind::Vhost, "bank", json!({"labels": {"team": "web"}})).await.unwrap();
    house.service.close().await;
    let roles = json!([{"group": "web", "role": "editor", "scope": {"labels": {"team": "web"}}}, {"group": "all", "role": "viewer"}]);
    let provider = OidcOptions {
        issuer: "http://127.0.0.1:1".to_owned(),
        client_id: "guard-proxy".to_owned(),
        client_secret: None,
        ca: None,
        name: "Test".to_owned(),
        public_url: "https://guard.example.com".to_owned(),
        scopes: vec!["openid".to_owned()],
        groups_claim: "groups".to_owned(),
        email_claim: "email".to_owned(),
    };
    let sso = SsoOptions {
        provider,
        roles: serde_json::from_value(roles).unwrap(),
        create_people: true,
        link_verified_email: false,
        longest: time::Duration::hours(12),
    };
    let people = PeopleOptions { sso: Some(sso), ..PeopleOptions::default() };
    let store = Store::with_options(house.options, &StoreSettings::default()).await.unwrap();
    let node = sample::node("/run/guard-proxy");
    let service = Service::start_with(store, Arc::new(Stub::default()), node, ticking(), people).await.unwrap();
    let write = async |caller: &Caller, vhost: &str, labels: Value| {
        told_of(service.write(caller, patch(Kind::Vhost, vhost, json!({"labels": labels})), Precondition::Any, "").await)
    };
    let editor = with(json!({"roles": [{"role": "editor"}]}));
    assert_eq!(write(&editor, "shop", json!({"team": "web"})).await, Told::Forbidden, "lets it in");
    assert_eq!(write(&editor, "bank", json!({"team": null})).await, Told::Forbidden, "shuts it out");
    assert_eq!(write(&editor, "shop", json!({"color": "blue"})).await, Told::Done);
    assert_eq!(write(&caller(), "shop", json!({"team": "web"})).await, Told::Done);
    service.close().await;
}

#[sqlx::test]
async fn rolling_back_is_of_named_objects_in_scope(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    house.patch(Kind::Policy, "mine", json!({"mode": "off"})).await.unwrap();
    house.patch(Kind::Policy, "secret", json!({"mode": "off"})).await.unwrap();
    house.patch(Kind::IpList, "partners", json!({"title": "x"})).await.unwrap();
    let operator = with(json!({"roles": [{"role": "operator", "scope": {"vhosts": ["shop"]}}]}));
    let back = async |caller: &Caller, objects: &[&str]| {
        let objects: Vec<ObjectRef> = objects.iter().map(|text| ObjectRef::parse(text).unwrap()).collect();
        let planned = told_of(service.plan_rollback(caller, 10, &objects).await);
        let done = told_of(service.rollback(caller, 10, &objects, None, None).await);
        assert_eq!(planned, done, "{objects:?}");
        done
    };
    for who in [operator.clone(), mallory()] {
        assert_eq!(back(&who, &[]).await, Told::Forbidden, "of everything");
        assert_eq!(back(&who, &["policies/secret"]).await, Told::NotFound);
        assert_eq!(back(&who, &["policies/mine", "vhosts/bank"]).await, Told::NotFound);
        assert_eq!(back(&who, &["ip-lists/partners"]).await, Told::Forbidden, "shared");
    }
    assert_eq!(back(&with(json!({"roles": [{"role": "viewer"}]})), &["policies/mine"]).await, Told::Forbidden);
    assert_eq!(back(&operator, &["policies/mine"]).await, Told::Done);
    assert_eq!(
        told_of(service.write(&operator, patch(Kind::Policy, "mine", json!({"mode": "off"})), Precondition::Any, "").await),
        Told::Forbidden
    );
    assert_eq!(back(&with(json!({"roles": [{"role": "operator"}]})), &[]).await, Told::Done);
    house.service.close().await;
}

#[sqlx::test]
async fn a_token_for_one_vhosts_exclusions_can_do_that_and_nothing_else(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    let permit = json!({"actions": ["read", "create", "update", "delete"], "kinds": ["exclusion"], "scope": {"vhosts": ["shop"]}});
    let tuner = with(json!({"permits": [permit]}));
    let exclusion = |owner: &str| Operation::PutElement {
        keyed: super::super::Keyed::Exclusions,
        owner: n(owner),
        key: "second".into(),
        value: json!({"rule": {"id": 942110}}),
    };
    let write = async |operation| told_of(service.write(&tuner, operation, Precondition::None, "").await);
    assert_eq!(write(exclusion("mine")).await, Told::Done);
    assert_eq!(write(exclusion("secret")).await, Told::NotFound);
    let any = async |operation| told_of(service.write(&tuner, operation, Precondition::Any, "").await);
    // By the way of the whole object, too, it is exclusions and nothing else.
    assert_eq!(any(patch(Kind::Policy, "mine", json!({"exclusions": []}))).await, Told::Done);
    for (what, operation) in [
        ("mode", patch(Kind::Policy, "mine", json!({"mode": "off"}))),
        ("both", patch(Kind::Policy, "mine", json!({"mode": "off", "exclusions": [{"id": "x", "rule": {"id": 942100}}]}))),
        ("rules", patch(Kind::Policy, "mine", json!({"custom_rules": [{"id": 190001, "seclang": "SecRule ARGS \"@rx a\" \"deny\""}]}))),
        ("vhost", patch(Kind::Vhost, "shop", json!({"title": "x"}))),
        ("entries", Operation::BatchEntries { list: n("office"), add: vec![], remove: vec!["192.0.2.1".parse().unwrap()] }),
        ("new policy", put(Kind::Policy, "other", json!({}))),
    ] {
        let told = if what == "new policy" { write(operation).await } else { any(operation).await };
        assert_eq!(told, Told::Forbidden, "{what}");
    }
    assert!(service.create_change_set(&tuner, "", None).await.is_err());
    assert!(service.head_for(&tuner).policies.is_empty(), "reads no policy");
    let seen = service.seen(&tuner, &service.head(), Some(crate::domain::Subject::Exclusion));
    assert!(seen.policies.contains_key("mine") && !seen.policies.contains_key("secret") && seen.vhosts.is_empty());
    house.service.close().await;
}

#[sqlx::test]
async fn a_batch_is_as_its_parts(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    // A new policy with a new vhost by the name of the scope would do; one that is another's would not.
    house.delete(Kind::Vhost, "shop").await.unwrap();
    let new = |policy: &str, name: &str| {
        vec![
            (put(Kind::Policy, policy, json!({})), Precondition::Absent),
            (put(Kind::Vhost, name, vhost("shop", policy)), Precondition::Absent),
        ]
    };
    assert_eq!(told_of(service.batch(&mallory(), "", None, new("fresh", "shoq"), true).await), Told::Forbidden);
    assert!(matches!(service.batch(&mallory(), "", None, new("fresh", "shop"), true).await, Ok(Batched::Committed(_))));
    assert_ne!(told_of(service.batch(&mallory(), "", None, new("secret", "shop"), true).await), Told::Done);
    house.service.close().await;
}
