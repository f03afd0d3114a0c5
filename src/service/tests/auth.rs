use super::*;
use crate::store::TokenRow;

#[sqlx::test]
async fn tokens_are_known_by_their_hashes_and_expire(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    let service = &house.service;
    let text = service.ensure_admin_token(None).await.unwrap().unwrap();
    assert!(service.ensure_admin_token(None).await.unwrap().is_none());
    assert!(matches!(service.authenticate(&text, None).await, Ok(Principal::Token { name, .. }) if name == "admin"));
    for bad in ["", "gpx_", &text[..text.len() - 1], &format!("{text} ")] {
        assert!(matches!(service.authenticate(bad, None).await, Err(Error::Unauthenticated)), "{bad:?}");
    }

    // One that is given takes the place of the first, also after a restart.
    let given = "a-token-that-an-administrator-chose";
    assert!(service.ensure_admin_token(Some("short")).await.is_err());
    assert!(service.ensure_admin_token(Some(given)).await.unwrap().is_none());
    assert!(service.authenticate(&text, None).await.is_err());
    let house = house.restart().await;
    assert!(house.service.authenticate(given, None).await.is_ok());

    // Another process makes one that expires in a moment, and this one hears of it.
    let store = Store::with_options(options, &StoreSettings::default()).await.unwrap();
    let soon = house.service.now() + time::Duration::milliseconds(2000);
    let hash = <sha2::Sha256 as sha2::Digest>::digest(b"brief");
    let token = TokenRow {
        id: Uuid::nil(),
        name: "brief".into(),
        hash: <[u8; 32]>::from(hash).to_vec(),
        created_at: house.service.now(),
        expires_at: Some(soon),
        rights: r#"{"roles": [{"role": "viewer"}]}"#.into(),
        networks: Vec::new(),
        person_id: None,
        created_by: "a test".into(),
        last_used_at: None,
    };
    store.put_token(&token).await.unwrap();
    let mut heard = false;
    for _ in 0..50 {
        heard = heard || house.service.authenticate("brief", None).await.is_ok();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(heard);
    // The clock ticks a millisecond each time it is asked.
    for _ in 0..2000 {
        house.service.now();
    }
    assert!(house.service.authenticate("brief", None).await.is_err());
    store.close().await;
    house.service.close().await;
}

#[sqlx::test]
async fn exactly_one_serves_a_database(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    match start(&options, Arc::default()).await.map(drop) {
        Err(Error::Conflict(words)) => assert!(words.contains("another `guard-proxy serve`"), "{words}"),
        other => panic!("{other:?}"),
    }
    house.service.close().await;
    start(&options, Arc::default()).await.unwrap().close().await;
}

#[sqlx::test(migrations = false)]
async fn migrations_must_be_as_expected(pool_options: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let store = Store::with_options(options.clone(), &StoreSettings::default()).await.unwrap();
    let words = |result: Result<()>| result.unwrap_err().to_string();
    assert!(words(store.check_migrations().await).contains("1 is missing"));
    store.migrate().await.unwrap();
    store.check_migrations().await.unwrap();
    let pool = pool_options.connect_with(options).await.unwrap();
    sqlx::query("update _sqlx_migrations set checksum = 'x'").execute(&pool).await.unwrap();
    assert!(words(store.check_migrations().await).contains("1 was changed"));
    sqlx::query("insert into _sqlx_migrations values (9999, '', now(), true, 'x', 0)").execute(&pool).await.unwrap();
    assert!(words(store.check_migrations().await).contains("9999 is unknown"));
    pool.close().await;
    store.close().await;
}
