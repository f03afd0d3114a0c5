use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};

use super::*;

/// Ends the session that holds the lock, as a crash of the server or the network would.
async fn kill_lead(pool: &PgPool) -> bool {
    let killed: Vec<bool> = sqlx::query_scalar(
        "select pg_terminate_backend(pid) from pg_locks join pg_database d on d.oid = database
         where locktype = 'advisory' and d.datname = current_database()",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    !killed.is_empty()
}

async fn side(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap()
}

/// Writes until it works.
async fn insist(house: &House, patch: Value) -> Written {
    for _ in 0..100 {
        match house.patch(Kind::Policy, "base", patch.clone()).await {
            Ok(written) => return written,
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("never available again");
}

#[sqlx::test]
async fn a_lost_lead_is_regained(_: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    house.furnish().await;
    let pool = side(&options).await;
    assert!(kill_lead(&pool).await);
    let written = insist(&house, json!({"mode": "off"})).await;
    assert_eq!(written.revision, 3);
    house.service.database_ready().await.unwrap();

    // Lost while idle: noticed by itself.
    assert!(kill_lead(&pool).await);
    let mut noticed = false;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        noticed = noticed || !house.service.inner.shared.leads() || kill_count(&pool).await == 1;
    }
    assert!(noticed && house.service.inner.shared.leads());
    pool.close().await;
    house.service.close().await;
}

async fn kill_count(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_locks join pg_database d on d.oid = database where locktype = 'advisory' and d.datname = current_database()",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Another process takes over and writes: nothing is written until the lead is back, and then what the other wrote is seen.
#[sqlx::test]
async fn while_another_leads_nothing_is_written(_: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    house.furnish().await;
    let pool = side(&options).await;
    kill_lead(&pool).await;
    // Before the heartbeat or a write can take it again.
    let other = start(&options, Arc::default()).await.unwrap();
    let patched = house.patch(Kind::Policy, "base", json!({"mode": "off"})).await;
    assert!(matches!(patched, Err(Error::Unavailable(_))), "{patched:?}");
    assert!(house.service.database_ready().await.is_err());
    assert_eq!(house.service.head().revision, 2);
    other
        .write(&caller(), Operation::Patch { kind: Kind::Policy, name: n("base"), patch: json!({"title": "other"}) }, Precondition::Any, "")
        .await
        .unwrap();
    other.close().await;
    let written = insist(&house, json!({"mode": "off"})).await;
    assert_eq!((written.revision, written.snapshot.policies["base"].spec.title.as_str()), (4, "other"));
    pool.close().await;
    house.service.close().await;
}

/// A take-back is committed, and whoever did it is told nothing of it: its author is all the same.
#[sqlx::test]
async fn what_was_taken_back_meanwhile_is_known(_: PgPoolOptions, options: PgConnectOptions) {
    use crate::domain::deployment::DeploymentState;
    let house = House::new(options.clone()).await;
    house.furnish().await;
    let live = house.service.open_deployment(2).await.unwrap();
    super::live::end(&house, live, DeploymentState::Live).await;
    house.patch(Kind::Policy, "base", json!({"mode": "detect"})).await.unwrap();
    let refused = house.service.open_deployment(3).await.unwrap();
    let refused = super::live::end(&house, refused, DeploymentState::Refused).await;
    let pool = side(&options).await;
    kill_lead(&pool).await;
    let other = start(&options, Arc::default()).await.unwrap();
    assert_eq!(other.take_back(2, &refused, [3].into()).await.unwrap(), Some(4));
    other.close().await;
    insist(&house, json!({"title": "t"})).await;
    let live = house.service.open_deployment(5).await.unwrap();
    super::live::end(&house, live, DeploymentState::Live).await;
    assert_eq!(super::live::waited(&house, 3).await, "refused by 3", "it was never in force");
    pool.close().await;
    house.service.close().await;
}

/// Sessions are killed again and again while fifty write: what was acknowledged is there, once, and memory is what the database has.
#[sqlx::test]
async fn acknowledged_writes_survive_killed_sessions(_: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    house.furnish().await;
    let pool = side(&options).await;
    let killer = tokio::spawn(async move {
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            kill_lead(&pool).await;
        }
        pool.close().await;
    });
    let writer = |w: usize| {
        let house = &house;
        async move {
            let (mut acknowledged, mut failed) = (Vec::new(), 0);
            for i in 0..20 {
                let name = format!("p{w}-{i}");
                match house.write(Operation::Put { kind: Kind::Policy, name: n(&name), value: json!({}) }, Precondition::None).await {
                    Ok(written) => acknowledged.push((name, written.revision)),
                    Err(Error::Unavailable(_)) => {
                        failed += 1;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            (acknowledged, failed)
        }
    };
    let done = futures::future::join_all((0..20).map(writer)).await;
    killer.await.unwrap();
    let failed: usize = done.iter().map(|(_, failed)| failed).sum();
    insist(&house, json!({"title": "after"})).await;
    let before = told(&house.service.head());
    let house = house.restart().await;
    let head = house.service.head();
    assert_eq!(told(&head), before);
    for (name, revision) in done.iter().flat_map(|(acknowledged, _)| acknowledged) {
        assert_eq!(head.policies[name.as_str()].revision, *revision, "{name}");
    }
    let acknowledged: usize = done.iter().map(|(acknowledged, _)| acknowledged.len()).sum();
    println!("{acknowledged} acknowledged, {failed} unavailable, {} there", head.policies.len());
    assert!(acknowledged > 50);
    // Every revision is there, and none twice.
    assert_eq!(house.service.revision(&caller(), head.revision).await.unwrap().number, head.revision);
    house.service.close().await;
}

/// One write that the database will not have (a fault of ours, then) does not take along those that came with it.
#[sqlx::test]
async fn one_poisonous_write_fails_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options.clone()).await;
    let pool = side(&options).await;
    for sql in [
        "create function poison() returns trigger language plpgsql as $$ begin
            if new.name like 'poison%' then raise exception 'poison'; end if; return new; end $$",
        "create trigger poison before insert on objects for each row execute function poison()",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let writes = (0..40).map(|i| {
        let name = if i == 17 { "poison".to_owned() } else { format!("p{i}") };
        house.service.write(
            Box::leak(Box::new(caller())),
            Operation::Put { kind: Kind::Policy, name: n(&name), value: json!({}) },
            Precondition::None,
            "",
        )
    });
    let results = futures::future::join_all(writes).await;
    for (i, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), i == 17, "{i}: {result:?}");
    }
    assert_eq!(house.service.head().revision, 39);
    let house = {
        pool.close().await;
        house.restart().await
    };
    assert_eq!(house.service.head().policies.len(), 39);
    house.service.close().await;
}

/// A way to the database that cuts the connection when the server says that it has committed: the worst moment. A Unix socket in `folder`,
/// in front of the server's own, or of its TCP port.
async fn cutting_proxy(folder: &std::path::Path, options: PgConnectOptions, cut: Arc<std::sync::atomic::AtomicBool>) -> PgConnectOptions {
    use tokio::net::{TcpStream, UnixListener, UnixStream};
    let name = format!(".s.PGSQL.{}", options.get_port());
    let listener = UnixListener::bind(folder.join(&name)).unwrap();
    let (socket, tcp) = (options.get_socket().map(|folder| folder.join(&name)), format!("{}:{}", options.get_host(), options.get_port()));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let cut = Arc::clone(&cut);
            match &socket {
                Some(socket) => tokio::spawn(relay(client, UnixStream::connect(socket).await.unwrap(), cut)),
                None => tokio::spawn(relay(client, TcpStream::connect(&tcp).await.unwrap(), cut)),
            };
        }
    });
    options.socket(folder).ssl_mode(sqlx::postgres::PgSslMode::Disable)
}

async fn relay<S>(client: tokio::net::UnixStream, server: S, cut: Arc<std::sync::atomic::AtomicBool>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
{
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), tokio::io::split(server));
    let up = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
        if buffer[..count].windows(7).any(|window| window == b"COMMIT\0") && cut.swap(false, Ordering::SeqCst) {
            break;
        }
        if to_client.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    up.abort();
}

#[sqlx::test]
async fn a_commit_whose_answer_was_lost_is_found_and_acknowledged(_: PgPoolOptions, options: PgConnectOptions) {
    let cut = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let folder = tempfile::tempdir().unwrap();
    let house = House::new(cutting_proxy(folder.path(), options.clone(), Arc::clone(&cut)).await).await;
    house.furnish().await;
    let (_, mut events) = house.service.subscribe(None);
    cut.store(true, Ordering::SeqCst);
    let writes = (0..10).map(|i| house.patch(Kind::Policy, "base", json!({"title": format!("t{i}")})));
    let results = futures::future::join_all(writes).await;
    assert!(!cut.load(Ordering::SeqCst), "the connection was cut");
    for (i, result) in results.iter().enumerate() {
        let written = result.as_ref().unwrap();
        assert_eq!((written.revision, written.snapshot.policies["base"].spec.title.as_str()), (3 + i as i64, format!("t{i}").as_str()));
    }
    let told_of: Vec<i64> = std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.data["number"].as_i64().unwrap()).collect();
    assert_eq!(told_of, (3..13).collect::<Vec<_>>());
    house.service.close().await;
    let house = House::new(options).await;
    assert_eq!((house.service.head().revision, house.service.head().policies["base"].spec.title.as_str()), (12, "t9"));
    house.service.close().await;
}
