use std::time::Duration;

use sqlx::postgres::PgPoolOptions;

use super::live::end;
use super::*;
use crate::domain::audit::{AuditEvent, AuditFault, AuditPlace, AuditVerdict};
use crate::domain::deployment::DeploymentState;
use crate::service::{AuditFilter, Stranger};

async fn verified(house: &House) -> AuditVerdict {
    house.service.verify_audit(&caller(), None, 1_000).await.unwrap()
}

fn broken(verdict: &AuditVerdict) -> Option<(i64, AuditFault)> {
    assert_eq!(verdict.ok, verdict.broken.is_none());
    verdict.broken.as_ref().map(|broken| (broken.id, broken.fault))
}

/// Nine rows: three writes, a token, a deployment, and a change set of two objects.
async fn furnished(options: &PgConnectOptions) -> House {
    let house = House::new(options.clone()).await;
    house.furnish().await;
    house.patch(Kind::Policy, "base", json!({"mode": "off"})).await.unwrap();
    for name in ["one", "two", "three", "four", "five"] {
        let event = AuditEvent {
            action: "create",
            kind: "token",
            name: name.to_owned(),
            object_id: Some(Uuid::from_u128(1)),
            before: Some(json!({"uses": 0})),
            after: Some(json!({"token": "gpx_very_secret", "network": "192.0.2.0/24"})),
            ..AuditEvent::default()
        };
        house.service.audit(&caller(), event).await.unwrap();
    }
    let deployment = house.service.open_deployment(3).await.unwrap();
    end(&house, deployment, DeploymentState::Live).await;
    // Appended without waiting: this one waits, and is behind it.
    house.service.audit(&caller(), AuditEvent { action: "last", kind: "test", ..AuditEvent::default() }).await.unwrap();
    house
}

/// As somebody does who owns the tables.
async fn tamper(options: &PgConnectOptions, statements: &str) {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let off =
        "alter table audit disable trigger all; alter table audit_head disable trigger all; alter table audit drop constraint audit_pkey;";
    for statement in off.split_inclusive(';').chain(statements.split_inclusive(';')) {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    pool.close().await;
}

#[sqlx::test]
async fn what_happens_is_a_chain_and_secrets_are_not_in_it(_: PgPoolOptions, options: PgConnectOptions) {
    let house = furnished(&options).await;
    let verdict = verified(&house).await;
    assert_eq!((verdict.ok, verdict.complete, verdict.checked, verdict.last.id), (true, true, 10, 10));
    let rows = house.service.audit_log(&caller(), &AuditFilter::default(), None, true, 50).await.unwrap();
    let told: Vec<String> = rows.iter().map(|row| format!("{} {} {} {}", row.id, row.author, row.action, row.kind)).collect();
    assert_eq!(told[0], "10 token:tester last test");
    assert_eq!(told[1], "9 system deployment.live deployment");
    assert_eq!(rows[2].after.as_ref().unwrap().get(), r#"{"network":"192.0.2.0/24","token":"(secret)"}"#);
    assert_eq!(rows[1].revision, Some(3));

    // In pieces, and from a place that is known.
    let half = house.service.verify_audit(&caller(), None, 4).await.unwrap();
    assert_eq!((half.ok, half.complete, half.checked, half.last.id), (true, false, 4, 4));
    let rest = house.service.verify_audit(&caller(), Some(half.last.clone()), 100).await.unwrap();
    assert_eq!((rest.ok, rest.complete, rest.checked, &rest.last), (true, true, 6, &verdict.last));
    let other = house.service.verify_audit(&caller(), Some(AuditPlace { hash: "0".repeat(64), ..half.last }), 100).await.unwrap();
    assert_eq!(broken(&other), Some((4, AuditFault::Place)));
    let beyond = house.service.verify_audit(&caller(), Some(AuditPlace { id: 11, hash: "0".repeat(64) }), 100).await.unwrap();
    assert_eq!(broken(&beyond), Some((11, AuditFault::Place)));

    // It goes on after a restart.
    let house = house.restart().await;
    house.patch(Kind::Policy, "base", json!({"mode": "block"})).await.unwrap();
    assert_eq!(verified(&house).await.checked, 11);
    house.service.close().await;
}

#[sqlx::test]
async fn each_filter_finds_what_it_names(_: PgPoolOptions, options: PgConnectOptions) {
    let house = furnished(&options).await;
    let ids = async |filter: AuditFilter| -> Vec<i64> {
        house.service.audit_log(&caller(), &filter, None, true, 50).await.unwrap().iter().map(|row| row.id).collect()
    };
    let some = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(AuditFilter { author: some(&["system", "nobody"]), ..AuditFilter::default() }).await, [9]);
    assert_eq!(ids(AuditFilter { action: some(&["last", "update"]), ..AuditFilter::default() }).await, [10, 3]);
    assert_eq!(ids(AuditFilter { kind: some(&["vhost"]), ..AuditFilter::default() }).await, [2]);
    assert_eq!(ids(AuditFilter { objects: vec![("policy".into(), "base".into())], ..AuditFilter::default() }).await, [3, 1]);
    assert_eq!(ids(AuditFilter { objects: vec![("vhost".into(), "base".into())], ..AuditFilter::default() }).await, [0i64; 0]);
    assert_eq!(ids(AuditFilter { revision: Some(3), ..AuditFilter::default() }).await, [9, 3]);
    assert_eq!(ids(AuditFilter { q: Some("THRE".into()), ..AuditFilter::default() }).await, [6]);
    assert_eq!(ids(AuditFilter { q: Some("%".into()), ..AuditFilter::default() }).await, [0i64; 0]);
    let third = house.service.audit_row(&caller(), 3).await.unwrap();
    let from = AuditFilter { at_gte: Some(third.at), ..AuditFilter::default() };
    assert_eq!(ids(from).await.last(), Some(&3));
    assert_eq!(ids(AuditFilter { at_lt: Some(third.at), ..AuditFilter::default() }).await, [2, 1]);
    assert!(matches!(house.service.audit_row(&caller(), 11).await, Err(Error::NotFound { .. })));
    house.service.close().await;
}

#[sqlx::test]
async fn a_changed_column_is_found_in_its_row(_: PgPoolOptions, options: PgConnectOptions) {
    let house = furnished(&options).await;
    let columns = [
        ("at", "at + interval '1 microsecond'"),
        ("author", "author || 'x'"),
        ("principal_id", "null"),
        ("action", "'delete'"),
        ("kind", "'user'"),
        ("name", "''"),
        ("object_id", "gen_random_uuid()"),
        ("revision", "1"),
        ("request_id", "'other'"),
        ("address", "'192.0.2.2'"),
        ("before", "null"),
        ("after", r#"'{"network":"192.0.2.0/25","token":"(secret)"}'::json"#),
        ("hash", "repeat('a', 64)"),
    ];
    // One after another, each on what the one before was taken back from.
    tamper(&options, "create table kept as select * from audit;").await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    for (column, value) in columns {
        let change = format!("update audit set {column} = {value} where id = 6");
        assert_eq!(sqlx::query(sqlx::AssertSqlSafe(change)).execute(&pool).await.unwrap().rows_affected(), 1);
        assert_eq!(broken(&verified(&house).await), Some((6, AuditFault::Changed)), "{column}");
        let back = format!("update audit a set {column} = k.{column} from kept k where a.id = 6 and k.id = 6");
        sqlx::query(sqlx::AssertSqlSafe(back)).execute(&pool).await.unwrap();
        assert!(verified(&house).await.ok, "{column}");
    }
    let known: i64 =
        sqlx::query_scalar("select count(*) from information_schema.columns where table_name = 'audit'").fetch_one(&pool).await.unwrap();
    assert_eq!(known, 1 + columns.len() as i64, "a column is not tried; the id is, below");
    pool.close().await;
    house.service.close().await;
}

/// Each with where it is found.
#[sqlx::test]
async fn rows_that_went_or_came_are_found(_: PgPoolOptions, options: PgConnectOptions) {
    let house = furnished(&options).await;
    tamper(&options, "create table kept as select * from audit; create table kept_head as select * from audit_head;").await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    for (what, statements, id, fault) in [
        ("deleted", "delete from audit where id = 4", 4, AuditFault::Missing),
        ("the first deleted", "delete from audit where id = 1", 1, AuditFault::Missing),
        ("truncated", "delete from audit where id > 7", 8, AuditFault::Truncated),
        ("all of it", "delete from audit", 1, AuditFault::Truncated),
        ("inserted", "insert into audit select * from kept where id = 4", 5, AuditFault::Missing),
        (
            "inserted behind",
            "insert into audit select 11, at, author, principal_id, action, kind, name, object_id, revision, request_id, address, before, after, hash from kept where id = 10",
            11,
            AuditFault::Changed,
        ),
        ("swapped", "update audit set id = case id when 4 then 5 else 4 end where id in (4, 5)", 4, AuditFault::Changed),
        ("truncated, and the head with it", "delete from audit where id > 7; update audit_head set id = 7", 7, AuditFault::Head),
        ("the head", "update audit_head set hash = repeat('a', 64)", 10, AuditFault::Head),
        ("no head", "delete from audit_head", 0, AuditFault::Head),
    ] {
        for statement in statements.split("; ") {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&pool).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert_eq!(broken(&verified(&house).await), Some((id, fault)), "{what}");
        for back in [
            "delete from audit",
            "insert into audit select * from kept",
            "delete from audit_head",
            "insert into audit_head select * from kept_head",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(back.to_owned())).execute(&pool).await.unwrap();
        }
        assert!(verified(&house).await.ok, "{what}");
    }
    pool.close().await;
    house.service.close().await;
}

#[sqlx::test]
async fn the_log_takes_no_other_statement(_: PgPoolOptions, options: PgConnectOptions) {
    let house = furnished(&options).await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    for statement in [
        "update audit set author = 'nobody' where id = 1",
        "delete from audit where id = 10",
        "truncate audit",
        "update audit_head set hash = repeat('a', 64)",
        "update audit_head set id = 1",
        "delete from audit_head",
        "truncate audit_head",
    ] {
        for role in ["origin", "replica"] {
            sqlx::query(sqlx::AssertSqlSafe(format!("set session_replication_role = {role}"))).execute(&pool).await.unwrap();
            let refused = sqlx::query(statement).execute(&pool).await.unwrap_err();
            assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("GP001"), "{statement}, {role}");
        }
    }
    // Nor does the pruning of history take any of it.
    house.service.prune_history(OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap()).await.unwrap();
    assert_eq!(verified(&house).await.checked, 10);
    assert_eq!(house.service.inner.store.audit_guard().await.unwrap(), (true, true), "on; and the tests own the tables");
    sqlx::query("alter table audit disable trigger audit_no_truncate").execute(&pool).await.unwrap();
    assert!(!house.service.inner.store.audit_guard().await.unwrap().0);
    pool.close().await;
    house.service.close().await;
}

#[sqlx::test]
async fn a_flood_of_refusals_is_a_few_rows(_: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    let event = || AuditEvent { action: "denied", kind: "request", name: "GET /x".to_owned(), ..AuditEvent::default() };
    let stranger = Stranger { request_id: "r", address: Some([198, 51, 100, 7].into()) };
    for _ in 0..10_000 {
        house.service.audit_often(None, &stranger, event());
    }
    house.service.audit_often(Some(&caller()), &stranger, event());
    // The clock of the tests goes on by a millisecond a look: the window may end in between. What is counted is written when it stops.
    let house = house.restart().await;
    let rows = house.service.audit_log(&caller(), &AuditFilter::default(), None, true, 50).await.unwrap();
    let more = |row: &crate::store::AuditRecord| {
        let after: Value = row.after.as_ref().map(|after| serde_json::from_str(after.get()).unwrap()).unwrap_or_default();
        after["more"].as_u64().unwrap_or(1)
    };
    assert_eq!(rows.iter().filter(|row| row.author == "anonymous").map(more).sum::<u64>(), 10_000);
    assert!(rows.len() < 10, "{}", rows.len());
    assert!(rows.iter().any(|row| row.author == "token:tester"));
    assert!(verified(&house).await.ok);
    house.service.close().await;
}

/// A session that is killed wherever it is leaves a whole chain, and what was acknowledged is in it once.
#[sqlx::test]
async fn what_was_acknowledged_is_there_once_whatever_is_killed(_: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    house.furnish().await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let killing = tokio::spawn({
        let pool = pool.clone();
        async move {
            for round in 0..12_u64 {
                tokio::time::sleep(Duration::from_millis(60 + round * 13)).await;
                sqlx::query(
                    "select pg_terminate_backend(pid) from pg_locks join pg_database d on d.oid = database
                     where locktype = 'advisory' and d.datname = current_database()",
                )
                .execute(&pool)
                .await
                .unwrap();
            }
        }
    });
    let mut acknowledged = Vec::new();
    let mut number = 0;
    // On a slow machine few get through before the last is killed.
    while !killing.is_finished() || (acknowledged.len() <= 20 && number < 4_000) {
        let first = number;
        let events = (0..8).map(|n| {
            let name = format!("t-{}", first + n);
            let service = house.service.clone();
            async move {
                let event = AuditEvent { action: "create", kind: "token", name: name.clone(), ..AuditEvent::default() };
                service.audit(&caller(), event).await.map(|()| name)
            }
        });
        number += 8;
        let (told, _) =
            tokio::join!(futures::future::join_all(events), house.patch(Kind::Policy, "base", json!({"title": format!("{number}")})));
        acknowledged.extend(told.into_iter().flatten());
    }
    killing.await.unwrap();
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    let verdict = verified_all(&house).await;
    assert!(verdict.ok && verdict.complete, "{verdict:?}");
    let names: Vec<String> =
        sqlx::query_scalar("select name from audit where kind = 'token' order by name").fetch_all(&pool).await.unwrap();
    let mut once = names.clone();
    once.dedup();
    assert_eq!(names, once);
    for name in &acknowledged {
        assert!(names.binary_search(name).is_ok(), "{name}");
    }
    pool.close().await;
    house.service.close().await;
}

async fn verified_all(house: &House) -> AuditVerdict {
    house.service.verify_audit(&caller(), None, 1_000_000).await.unwrap()
}

/// docs/audit.md says what the serving role gets: it can do its work with that, and not touch what was written.
#[sqlx::test]
async fn the_serving_role_needs_no_more_than_the_documents_grant(_: PgPoolOptions, options: PgConnectOptions) {
    let owner = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let role = format!("gp_serving_{}", Uuid::new_v4().simple());
    let document = include_str!("../../../docs/audit.md");
    let grants = document.split("```sql\n").nth(1).unwrap().split("```").next().unwrap().replace("guard_proxy", &role);
    assert!(grants.contains("revoke update, delete, truncate on audit "), "{grants}");
    let run = async |statement: String| sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&owner).await.unwrap();
    run(format!("create role {role} login")).await;
    for grant in grants.split_inclusive(';').filter(|grant| !grant.trim().is_empty()) {
        run(grant.to_owned()).await;
    }
    let serving = options.clone().username(&role);
    let house = furnished(&serving).await;
    house.delete(Kind::Vhost, "shop").await.unwrap();
    house.service.prune_history(OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap()).await.unwrap();
    assert!(verified(&house).await.ok);
    assert_eq!(house.service.inner.store.audit_guard().await.unwrap(), (true, false));
    assert!(!house.service.inner.store.is_superuser().await.unwrap());
    let pool = PgPoolOptions::new().max_connections(1).connect_with(serving).await.unwrap();
    for statement in [
        "update audit set author = 'nobody'",
        "delete from audit",
        "truncate audit",
        "delete from audit_head",
        "truncate audit_head",
        "alter table audit disable trigger all",
        "drop trigger audit_append_only on audit",
        "set session_replication_role = replica",
        "create or replace function audit_is_append_only() returns trigger language plpgsql as 'begin return new; end'",
    ] {
        let refused = sqlx::query(statement).execute(&pool).await.unwrap_err();
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"), "{statement}");
    }
    pool.close().await;
    house.service.close().await;
    run(format!("drop owned by {role}")).await;
    run(format!("drop role {role}")).await;
    owner.close().await;
}
