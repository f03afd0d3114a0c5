use super::*;

fn exclusion(id: u32) -> Value {
    json!({"exclusions": [{"id": "a", "rule": {"id": id}}]})
}

fn asked(house: &House) -> (usize, usize) {
    (house.stub.rulesets.load(Ordering::Relaxed), house.stub.structures.load(Ordering::Relaxed))
}

#[sqlx::test]
async fn engines_are_asked_of_what_reaches_them_and_of_nothing_else(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    assert_eq!(asked(&house), (1, 1));
    // What agrees with a rule set that was accepted is not asked again.
    house.put(Kind::Policy, "twin", json!({"title": "Twin"})).await;
    house.patch(Kind::Policy, "base", json!({"mode": "detect", "paranoia": {"detection": 2}, "thresholds": {"inbound": 9}})).await.unwrap();
    house.patch(Kind::Vhost, "shop", json!({"policy": "twin", "enabled": false, "hostnames": ["a.example"]})).await.unwrap();
    assert_eq!(asked(&house), (1, 1));
    house.patch(Kind::Policy, "base", exclusion(942_100)).await.unwrap();
    house.patch(Kind::Vhost, "shop", json!({"upstream": {"balance": "leastconn"}})).await.unwrap();
    assert_eq!(asked(&house), (2, 2));
    house.service.close().await;
}

#[sqlx::test]
async fn what_an_engine_refuses_is_never_committed(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let head = house.service.head();
    *house.stub.mood.lock().unwrap() = Mood::Refuse("/policies/base/exclusions/0".to_owned());
    let refused = |pointer: &str| vec![(pointer.to_owned(), "engine_refused".to_owned())];
    assert_eq!(faults(house.patch(Kind::Policy, "base", exclusion(942_100)).await), refused("/exclusions/0"));
    let element = Operation::PutElement {
        keyed: super::super::Keyed::Exclusions,
        owner: n("base"),
        key: "a".to_owned(),
        value: json!({"rule": {"id": 942_110}}),
    };
    assert_eq!(faults(house.write(element, Precondition::None).await), refused(""));
    *house.stub.mood.lock().unwrap() = Mood::Refuse("/vhosts/shop/upstream".to_owned());
    assert_eq!(faults(house.patch(Kind::Vhost, "shop", json!({"upstream": {"balance": "random"}})).await), refused("/upstream"));
    assert!(Arc::ptr_eq(&head, &house.service.head()));
    house.service.close().await;
}

#[sqlx::test]
async fn an_engine_that_is_away_lets_writes_through_with_a_finding_one_that_hangs_does_not(
    _: sqlx::postgres::PgPoolOptions,
    options: PgConnectOptions,
) {
    let house = House::new(options).await;
    house.furnish().await;
    *house.stub.mood.lock().unwrap() = Mood::Away;
    let written = house.patch(Kind::Policy, "base", exclusion(942_100)).await.unwrap();
    assert_eq!(written.findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["not_validated"]);
    assert!(written.findings[0].message.contains("look at the deployment"), "it says what to do: {}", written.findings[0].message);
    // What nobody judged is not remembered as accepted.
    *house.stub.mood.lock().unwrap() = Mood::Refuse(String::new());
    assert!(
        house.write(Operation::Put { kind: Kind::Policy, name: n("same"), value: exclusion(942_100) }, Precondition::None).await.is_err()
    );
    *house.stub.mood.lock().unwrap() = Mood::Hang;
    let head = house.service.head();
    let late = [(String::new(), "too_expensive".to_owned())];
    assert_eq!(faults(house.patch(Kind::Policy, "base", exclusion(942_110)).await), late);
    assert_eq!(faults(house.patch(Kind::Vhost, "shop", json!({"upstream": {"balance": "random"}})).await), late);
    assert!(Arc::ptr_eq(&head, &house.service.head()));
    house.service.close().await;
}

/// Two writes of different elements, judged at the same time: the second is not what was judged, and is judged anew.
#[sqlx::test]
async fn what_is_committed_is_what_was_judged(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let writes = (0..8).map(|n| {
        let patch = Operation::PutElement {
            keyed: super::super::Keyed::Exclusions,
            owner: super::n("base"),
            key: format!("e{n}"),
            value: json!({"rule": {"id": 942_100 + n * 10}}),
        };
        house.write(patch, Precondition::None)
    });
    let results = futures::future::join_all(writes).await;
    let done = results.iter().filter(|r| r.is_ok()).count();
    assert!(results.iter().all(|r| r.is_ok() || matches!(r, Err(Error::Conflict(_)))), "{results:?}");
    assert_eq!(house.service.head().policies["base"].spec.exclusions.len(), done);
    assert!(done >= 4 && asked(&house).0 >= done);
    house.service.close().await;
}
