//! A database from before the log was a chain, with rows of every shape in it, is migrated.

use std::borrow::Cow;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{FromRow, PgPool};

use super::*;
use crate::service::AuditFilter;
use crate::store::MIGRATOR;

/// The migrations up to one, as a program of then had them.
fn up_to(version: i64) -> Migrator {
    let migrations: Vec<_> = MIGRATOR.iter().filter(|migration| migration.version <= version).cloned().collect();
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

/// A row but for its id, as text, in the order of ids.
#[derive(Debug, Clone, PartialEq, FromRow)]
struct Kept {
    at: OffsetDateTime,
    author: String,
    principal_id: Option<Uuid>,
    action: String,
    kind: String,
    name: String,
    object_id: Option<Uuid>,
    revision: Option<i64>,
    request_id: String,
    address: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

async fn kept(pool: &PgPool, address: &str) -> Vec<Kept> {
    let query = format!(
        "select at, author, principal_id, action, kind, name, object_id, revision, request_id, {address} as address,
                before::text as before, after::text as after from audit order by id"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.unwrap()
}

/// Texts that are read otherwise where somebody is careless.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "shop",
    "user:ada@example.com",
    "ÄÖÜ ß 漢字 🦀",
    "e\u{301}\u{202e}",
    "a\nb\r\n\tc",
    "'; drop table audit; --",
    "\\x00 \\' \"",
    "null",
    "-1",
    "\u{1}\u{7f}\u{ffff}",
];
/// As text `json` keeps it: spaces, order, names twice, numbers that fit nowhere.
const JSON: [&str; 12] = [
    "null",
    "{}",
    "[]",
    r#"{"a": 1, "b": [true, false, null]}"#,
    r#"{ "b" : 1 ,   "a":2, "a" : 3 }"#,
    "\"text\"",
    "123456789012345678901234567890.000e-400",
    r#"{"u": "\u00e4\ud83e\udd80", "raw": "ä🦀", "escaped": "\"\\\/\b\f\n\r\t"}"#,
    "  {\n \"title\": \"\"\n}\t",
    r#"{"name": "shop", "hostnames": ["shop.example.com"], "policy": "base"}"#,
    r#"{"count": 2, "networks": ["192.0.2.0/24", "2001:db8::/32"]}"#,
    "0",
];
const ADDRESSES: [Option<&str>; 8] = [
    None,
    Some("127.0.0.1"),
    Some("192.0.2.200"),
    Some("255.255.255.255"),
    Some("::1"),
    Some("2001:DB8:0:0::1"),
    Some("::ffff:192.0.2.1"),
    Some("fe80::1:2:3:4"),
];
/// Microseconds since 1970.
const TIMES: [i64; 7] = [0, 1, -1, 1_795_348_800_123_456, 999_999, -62_000_000_000_000_000, 253_402_300_000_000_000];

async fn populate(pool: &PgPool) {
    let any = |number: usize, step: usize, of: usize| (number / step + number) % of;
    for number in 0..400_usize {
        // Ids that were given and never came to be, as a transaction that was rolled back leaves them.
        if number % 7 == 3 {
            sqlx::query("select nextval(pg_get_serial_sequence('audit', 'id'))").execute(pool).await.unwrap();
        }
        let json = |step| (number % step != 0).then(|| JSON[any(number, step, JSON.len())]);
        sqlx::query(
            "insert into audit (at, author, principal_id, action, kind, name, object_id, revision, request_id, address, before, after)
             values (timestamptz 'epoch' + $1 * interval '1 microsecond', $2, $3, $4, $5, $6, $7, $8, $9, $10::inet, $11::json, $12::json)",
        )
        .bind(TIMES[any(number, 5, TIMES.len())])
        .bind(TEXTS[any(number, 3, TEXTS.len())])
        .bind((number % 2 == 0).then(|| Uuid::from_u128(number as u128)))
        .bind(["create", "update", "delete"][number % 3])
        .bind(["vhost", "policy", "ip_list"][any(number, 11, 3)])
        .bind(format!("{}{number}", TEXTS[any(number, 13, TEXTS.len())]))
        .bind((number % 5 != 0).then(|| Uuid::from_u128(u128::MAX - number as u128)))
        .bind([None, Some(0), Some(-1), Some(i64::MAX), Some(number as i64)][any(number, 17, 5)])
        .bind(TEXTS[any(number, 19, TEXTS.len())])
        .bind(ADDRESSES[any(number, 4, ADDRESSES.len())])
        .bind(json(6))
        .bind(json(4))
        .execute(pool)
        .await
        .unwrap();
    }
    // Big ones, and then many.
    sqlx::query(
        r#"insert into audit (at, author, action, kind, name, request_id, before, after)
           select now(), 'big', 'update', 'policy', 'big', 'r', null,
                  ('{"rules": "' || repeat('x', 1000000 * n) || '"}')::json from generate_series(1, 3) n"#,
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        r#"insert into audit (at, author, action, kind, name, object_id, revision, request_id, address, before, after)
           select timestamptz '2026-01-01' + n * interval '17 seconds 3 microseconds', 'token:ci-' || n % 9, 'update', 'policy', 'p-' || n % 50,
                  gen_random_uuid(), n, 'req-' || n, ('10.' || n % 250 || '.0.' || n % 200)::inet,
                  json_build_object('title', n), json_build_object('title', n + 1) from generate_series(1, 5000) n"#,
    )
    .execute(pool)
    .await
    .unwrap();
    // Somebody has taken some away, when nothing kept them from it.
    sqlx::query("delete from audit where id % 101 = 1").execute(pool).await.unwrap();
}

async fn refused(pool: &PgPool, statement: &str) -> String {
    let error = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap_err();
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

#[sqlx::test(migrations = false)]
async fn what_was_in_the_log_before_it_was_a_chain_is_in_the_chain(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    up_to(4).run(&pool).await.unwrap();
    populate(&pool).await;
    let before = kept(&pool, "host(address)").await;
    let (first, last): (i64, i64) = sqlx::query_as("select min(id), max(id) from audit").fetch_one(&pool).await.unwrap();
    assert!(before.len() > 5000 && first > 1 && last > before.len() as i64, "{} rows, {first} to {last}", before.len());
    assert!(sqlx::query("select hash from audit").execute(&pool).await.is_err(), "as version 4 has it");

    up_to(5).run(&pool).await.unwrap();
    let after = kept(&pool, "address").await;
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before, after, "row {}", number + 1);
    }
    assert_eq!(before.len(), after.len());
    let (ids, lowest, highest): (i64, i64, i64) =
        sqlx::query_as("select count(distinct id), min(id), max(id) from audit").fetch_one(&pool).await.unwrap();
    assert_eq!((ids, lowest, highest), (after.len() as i64, 1, after.len() as i64), "numbered without gaps, in the old order");

    for statement in [
        "update audit set author = 'nobody' where id = 1",
        "update audit set id = 100000 where id = 5",
        "delete from audit where id = 10",
        "truncate audit",
        "update audit_head set id = 1",
        "delete from audit_head",
        "truncate audit_head",
    ] {
        assert_eq!(refused(&pool, statement).await, "GP001", "{statement}");
    }
    assert_eq!(refused(&pool, "insert into audit select * from audit where id = 1").await, "23505", "no row twice");
    assert_eq!(
        refused(&pool, "insert into audit (at, author, action, kind, name, request_id) values (now(), '', 'x', '', '', '')").await,
        "23502"
    );

    // By the program of now: the chain is good, and goes on.
    MIGRATOR.run(&pool).await.unwrap();
    let house = House::new(options).await;
    let count = after.len() as i64;
    let verdict = house.service.verify_audit(&caller(), None, 1_000_000).await.unwrap();
    assert_eq!((verdict.ok, verdict.complete, verdict.checked, verdict.last.id), (true, true, count, count), "{verdict:?}");
    house.furnish().await;
    let verdict = house.service.verify_audit(&caller(), Some(verdict.last), 100).await.unwrap();
    assert_eq!((verdict.ok, verdict.complete, verdict.checked), (true, true, 2));

    // Old rows are found as new ones are: each by all that a filter knows of it.
    let found = async |filter: AuditFilter| -> Vec<i64> {
        let rows = house.service.audit_log(&caller(), &filter, None, true, 501).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    };
    for (number, row) in after.iter().enumerate().step_by(97) {
        let id = number as i64 + 1;
        let filter = AuditFilter {
            author: vec![row.author.clone()],
            action: vec![row.action.clone()],
            kind: vec![row.kind.clone()],
            objects: vec![(row.kind.clone(), row.name.clone())],
            revision: row.revision,
            at_gte: Some(row.at),
            at_lt: Some(row.at + time::Duration::microseconds(1)),
            q: row.address.clone(),
            id: None,
        };
        assert!(found(filter).await.contains(&id), "row {id}: {row:?}");
        let one = house.service.audit_row(&caller(), id).await.unwrap();
        assert_eq!(
            (&one.name, one.at, one.after.map(|json| json.get().trim().to_owned())),
            (&row.name, row.at, row.after.as_ref().map(|json| json.trim().to_owned()))
        );
    }
    let of = |q: &str| AuditFilter { q: Some(q.to_owned()), ..AuditFilter::default() };
    assert_eq!(found(of("REQ-4999")).await.len(), 1);
    assert!(found(of("漢字")).await.len() > 10 && found(of("drop table")).await.len() > 10);
    assert_eq!(found(AuditFilter { author: vec!["big".to_owned()], ..AuditFilter::default() }).await.len(), 3);
    // All of it, page by page, newest first.
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let page = house.service.audit_log(&caller(), &AuditFilter::default(), from, true, 500).await.unwrap();
        let Some(last) = page.last().map(|row| row.id) else { break };
        all.extend(page.iter().map(|row| row.id));
        from = Some(last);
    }
    assert_eq!(all, (1..=count + 2).rev().collect::<Vec<_>>());
    house.service.close().await;
}

#[sqlx::test(migrations = false)]
async fn an_empty_log_becomes_an_empty_chain(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    up_to(4).run(&pool).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let house = House::new(options).await;
    house.furnish().await;
    let verdict = house.service.verify_audit(&caller(), None, 10).await.unwrap();
    assert_eq!((verdict.ok, verdict.checked), (true, 2));
    house.service.close().await;
}
