use super::*;
use crate::service::Keyed;

fn put(kind: Kind, name: &str, value: Value) -> Operation {
    Operation::Put { kind, name: n(name), value }
}

#[sqlx::test]
async fn every_precondition_on_what_is_absent_and_on_what_is_there(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let stale = |result: Result<Written>| matches!(result, Err(Error::Stale { .. }));
    // absent
    assert!(stale(house.write(put(Kind::Policy, "p", json!({})), Precondition::Any).await));
    assert!(stale(house.write(put(Kind::Policy, "p", json!({})), Precondition::Revision(1)).await));
    for op in
        [Operation::Patch { kind: Kind::Policy, name: n("p"), patch: json!({}) }, Operation::Delete { kind: Kind::Policy, name: n("p") }]
    {
        assert!(matches!(house.write(op, Precondition::Any).await, Err(Error::NotFound { .. })));
    }
    let written = house.write(put(Kind::Policy, "p", json!({})), Precondition::Absent).await.unwrap();
    assert!(written.created && written.changed && written.revision == 1);
    // there
    let to = |mode: &str| put(Kind::Policy, "p", json!({"mode": mode}));
    assert!(matches!(house.write(to("off"), Precondition::None).await, Err(Error::PreconditionRequired)));
    assert!(matches!(house.write(to("off"), Precondition::Absent).await, Err(Error::AlreadyExists { .. })));
    let Err(Error::Stale { current: Some(current), etag: Some(1) }) = house.write(to("off"), Precondition::Revision(7)).await else {
        panic!("accepted")
    };
    assert_eq!(current["mode"], "block");
    let written = house.write(to("off"), Precondition::Revision(1)).await.unwrap();
    assert!(!written.created && written.changed && written.revision == 2);
    assert_eq!(house.write(to("detect"), Precondition::Any).await.unwrap().revision, 3);
    assert!(stale(house.write(Operation::Delete { kind: Kind::Policy, name: n("p") }, Precondition::Revision(2)).await));
    assert!(matches!(
        house.write(Operation::Delete { kind: Kind::Policy, name: n("p") }, Precondition::None).await,
        Err(Error::PreconditionRequired)
    ));
    house.write(Operation::Delete { kind: Kind::Policy, name: n("p") }, Precondition::Revision(3)).await.unwrap();
    assert!(house.service.head().policies.is_empty());
    house.service.close().await;
}

#[sqlx::test]
async fn a_write_that_changes_nothing_makes_no_revision(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.put(Kind::Policy, "other", json!({})).await;
    let written = house.put(Kind::Vhost, "shop", vhost("shop", "base")).await;
    assert_eq!((written.revision, written.changed), (2, false));
    let written = house.patch(Kind::Vhost, "shop", json!({"enabled": true, "title": null})).await.unwrap();
    assert_eq!((written.revision, written.changed, house.service.head().revision), (2, false, 3));
    house.service.close().await;
}

#[sqlx::test]
async fn references_hostnames_and_use_are_kept(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let mut value = vhost("shop", "base");
    value["access"] = json!({"deny": ["bad"], "trust": ["good"]});
    let op = |name: &str, value: Value| put(Kind::Vhost, name, value);
    let told = faults(house.write(op("shop", value), Precondition::None).await);
    let not_found = |pointer: &str| (pointer.to_owned(), "not_found".to_owned());
    assert_eq!(told, [not_found("/policy"), not_found("/access/deny/0"), not_found("/access/trust/0")]);

    house.furnish().await;
    house.put(Kind::IpList, "bad", json!({})).await;
    let mut other = vhost("blog", "base");
    other["hostnames"] = json!(["blog.example.com", "SHOP.example.com"]);
    let told = faults(house.write(op("blog", other), Precondition::None).await);
    assert_eq!(told, [("/hostnames/1".to_owned(), "taken".to_owned())]);
    // Its own are no conflict, and what it gives up is free.
    house
        .patch(Kind::Vhost, "shop", json!({"hostnames": ["www.example.com", "shop.example.com"], "access": {"deny": ["bad"]}}))
        .await
        .unwrap();
    house.patch(Kind::Vhost, "shop", json!({"hostnames": ["www.example.com"]})).await.unwrap();
    let mut other = vhost("blog", "base");
    other["hostnames"] = json!(["shop.example.com"]);
    house.put(Kind::Vhost, "blog", other).await;

    match house.delete(Kind::Policy, "base").await {
        Err(Error::InUse { by, .. }) => assert_eq!(by, [n("blog"), n("shop")]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(house.delete(Kind::IpList, "bad").await, Err(Error::InUse { .. })));
    house.delete(Kind::Vhost, "shop").await.unwrap();
    house.delete(Kind::IpList, "bad").await.unwrap();
    house.service.close().await;
}

#[sqlx::test]
async fn a_name_taken_again_is_another_object(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let old = house.service.head().vhosts["shop"].clone();
    house.delete(Kind::Vhost, "shop").await.unwrap();
    let house = house.restart().await;
    house.put(Kind::Vhost, "shop", vhost("shop", "base")).await;
    let new = house.service.head().vhosts["shop"].clone();
    assert_ne!(old.id, new.id);
    assert_eq!((old.number, new.number), (1, 2));
    house.service.close().await;
}

#[sqlx::test]
async fn elements_have_etags_of_their_own(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.put(Kind::Policy, "p", json!({"exclusions": [{"id": "a", "rule": {"id": 942100}}]})).await;
    let element = |key: &str, value: Value| Operation::PutElement { keyed: Keyed::Exclusions, owner: n("p"), key: key.to_owned(), value };
    let written = house.write(element("b", json!({"rule": {"id": 942110}})), Precondition::None).await.unwrap();
    assert!(written.created && written.revision == 2);
    let etags = || {
        let policy = house.service.head().policies["p"].clone();
        (policy.revision, policy.elements.iter().map(|(key, revision)| format!("{key}@{revision}")).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(etags(), (2, "exclusions/a@1 exclusions/b@2".to_owned()));

    // The owner's other fields leave them alone, and so does another element.
    house.patch(Kind::Policy, "p", json!({"mode": "off"})).await.unwrap();
    assert_eq!(etags(), (3, "exclusions/a@1 exclusions/b@2".to_owned()));
    assert!(matches!(
        house.write(element("a", json!({"rule": {"id": 942120}})), Precondition::Revision(3)).await,
        Err(Error::Stale { etag: Some(1), .. })
    ));
    assert!(matches!(
        house.write(element("a", json!({"rule": {"id": 942120}})), Precondition::None).await,
        Err(Error::PreconditionRequired)
    ));
    assert!(matches!(house.write(element("a", json!({"rule": {"id": 942120}})), Precondition::Absent).await, Err(Error::Conflict(_))));
    let written = house.write(element("a", json!({"rule": {"id": 942120}})), Precondition::Revision(1)).await.unwrap();
    assert!(!written.created && written.revision == 4);
    assert_eq!(etags(), (4, "exclusions/a@4 exclusions/b@2".to_owned()));
    let unchanged = house.write(element("b", json!({"id": "b", "rule": {"id": 942110}})), Precondition::Any).await.unwrap();
    assert_eq!((unchanged.changed, unchanged.revision), (false, 2));

    let patch = |key: &str, patch: Value| Operation::PatchElement { keyed: Keyed::Exclusions, owner: n("p"), key: key.to_owned(), patch };
    house.write(patch("b", json!({"enabled": false})), Precondition::Revision(2)).await.unwrap();
    assert_eq!(etags(), (5, "exclusions/a@4 exclusions/b@5".to_owned()));
    assert!(matches!(house.write(patch("c", json!({})), Precondition::Any).await, Err(Error::NotFound { kind: "exclusion", .. })));
    assert_eq!(
        faults(house.write(patch("b", json!({"rule": {"id": 1}})), Precondition::Any).await),
        [("/rule".into(), "invalid_value".into())]
    );
    assert_eq!(faults(house.write(patch("b", json!({"id": "c"})), Precondition::Any).await), [("/id".into(), "name_differs".into())]);

    let delete = |key: &str| Operation::DeleteElement { keyed: Keyed::Exclusions, owner: n("p"), key: key.to_owned() };
    assert!(matches!(house.write(delete("b"), Precondition::Revision(2)).await, Err(Error::Stale { etag: Some(5), .. })));
    house.write(delete("b"), Precondition::Revision(5)).await.unwrap();
    assert_eq!(etags(), (6, "exclusions/a@4".to_owned()));
    let before = told(&house.service.head());
    let house = house.restart().await;
    assert_eq!(told(&house.service.head()), before);
    house.service.close().await;
}

#[sqlx::test]
async fn rules_and_servers_are_elements_too(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let rule = |key: &str, value: Value| Operation::PutElement { keyed: Keyed::CustomRules, owner: n("base"), key: key.to_owned(), value };
    let text = r#"SecRule ARGS:debug "@streq 1" "phase:2,deny,status:403,msg:'debug switch'""#;
    house.write(rule("190001", json!({"seclang": text})), Precondition::None).await.unwrap();
    assert_eq!(house.service.head().policies["base"].elements["custom_rules/190001"], 3);
    // One way to write a number, and only the range.
    assert_eq!(
        faults(house.write(rule("0190001", json!({"seclang": text})), Precondition::None).await),
        [("/id".into(), "invalid_value".into())]
    );
    assert_eq!(faults(house.write(rule("1", json!({"seclang": text})), Precondition::None).await), [("/id".into(), "out_of_range".into())]);

    let server = |key: &str, value: Value| Operation::PutElement { keyed: Keyed::Servers, owner: n("shop"), key: key.to_owned(), value };
    house.write(server("b", json!({"address": "192.0.2.11", "port": 81})), Precondition::None).await.unwrap();
    let shop = house.service.head().vhosts["shop"].clone();
    assert_eq!((shop.elements["servers/s1"], shop.elements["servers/b"]), (2, 4));
    assert_eq!(
        faults(house.write(server("c", json!({"address": "127.0.0.1", "port": 81})), Precondition::None).await),
        [("/address".into(), "forbidden_address".into())]
    );
    for key in ["s1", "b"] {
        let delete = Operation::DeleteElement { keyed: Keyed::Servers, owner: n("shop"), key: key.to_owned() };
        let result = house.write(delete, Precondition::Any).await;
        if key == "b" {
            assert_eq!(faults(result), [("/upstream/servers".into(), "out_of_range".into())]);
        }
    }
    house.service.close().await;
}

#[sqlx::test]
async fn each_write_is_audited_in_its_transaction(pool_options: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    house.furnish().await;
    house.patch(Kind::Policy, "base", json!({"mode": "off"})).await.unwrap();
    house.delete(Kind::Vhost, "shop").await.unwrap();
    let pool = pool_options.connect_with(options).await.unwrap();
    let rows: Vec<(String, String, String, String, i64, String)> =
        sqlx::query_as("select author, action, kind, name, revision, address from audit order by id").fetch_all(&pool).await.unwrap();
    let told: Vec<String> = rows.iter().map(|r| format!("{} {} {} {} {} {}", r.0, r.1, r.2, r.3, r.4, r.5)).collect();
    assert_eq!(
        told,
        [
            "token:tester create policy base 1 192.0.2.1",
            "token:tester create vhost shop 2 192.0.2.1",
            "token:tester update policy base 3 192.0.2.1",
            "token:tester delete vhost shop 4 192.0.2.1",
        ]
    );
    let (before, after): (String, String) =
        sqlx::query_as("select before->>'mode', after->>'mode' from audit where revision = 3").fetch_one(&pool).await.unwrap();
    assert_eq!((before.as_str(), after.as_str()), ("block", "off"));
    let info = house.service.revision(&caller(), 3).await.unwrap();
    assert_eq!((info.author.as_str(), info.message.as_str(), info.changes.len()), ("token:tester", "a test", 1));
    pool.close().await;
    house.service.close().await;
}

#[sqlx::test]
async fn hostile_texts_hurt_nobody(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    for message in ["a\0b", &"x".repeat(2001), "bell\u{7}"] {
        let result = house.service.write(&caller(), put(Kind::Policy, "p", json!({})), Precondition::None, message).await;
        assert_eq!(faults(result), [(String::new(), "invalid_message".to_owned())]);
    }
    let mut odd = caller();
    odd.request_id = "\0".repeat(5000);
    house.service.write(&odd, put(Kind::Policy, "p", json!({"description": "a\nb"})), Precondition::None, "").await.unwrap();
    assert!(faults(house.patch(Kind::Policy, "p", json!({"title": "a\0"})).await)[0].1 == "invalid_value");
    house.service.close().await;
}
