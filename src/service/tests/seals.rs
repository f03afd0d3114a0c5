//! Keys that seal are changed: everything opens afterwards without the old one, whatever happens in between.

use data_encoding::BASE32_NOPAD;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::*;
use crate::auth::{KeyId, Keyring, Text, totp};
use crate::service::{KeyState, PeopleOptions, Resealed, SealingKey, SignIn, UserPatch, Visitor, reseal_here, sealing_keys};
use crate::store::SealedIn;

const PASSWORD: &str = "a quiet green harbour";

/// Two keys, as lines.
fn keys() -> (String, String) {
    (Keyring::generate().unwrap(), Keyring::generate().unwrap())
}

fn ring(lines: &[&String]) -> Keyring {
    Keyring::parse(&lines.iter().map(|line| line.as_str()).collect::<String>()).unwrap()
}

fn id(line: &String) -> KeyId {
    ring(&[line]).ids().next().unwrap()
}

async fn store(options: &PgConnectOptions) -> Store {
    Store::with_options(options.clone(), &StoreSettings::default()).await.unwrap()
}

/// By a clock that stands still, so that codes are those of now.
async fn up(options: &PgConnectOptions, lines: &[&String], at: i64) -> Service {
    let people = PeopleOptions { ring: Some(ring(lines)), ..PeopleOptions::default() };
    let clock = Arc::new(move || OffsetDateTime::from_unix_timestamp(at).unwrap());
    Service::start_with(store(options).await, Arc::new(Stub::default()), sample::node("/run/guard-proxy"), clock, people).await.unwrap()
}

fn person(number: u128) -> Uuid {
    Uuid::from_u128((1 << 100) + number)
}

/// So many people with authenticators that are sealed under a key, every third with one that is not confirmed.
async fn people(pool: &PgPool, line: &String, count: u128) {
    let ring = ring(&[line]);
    for number in 0..count {
        let (id, about) = (person(number), format!("totp/{}", person(number)));
        let seal = |text: &str| ring.seal(&about, format!("{text}-{number}").as_bytes()).unwrap();
        sqlx::query("insert into users values ($1, $2, '', null, '[]', false, 0, $3, $4, 0, now(), now())")
            .bind(id)
            .bind(format!("p{number}@example.com"))
            .bind(seal("seed"))
            .bind((number % 3 == 0).then(|| seal("pending")))
            .execute(pool)
            .await
            .unwrap();
    }
}

/// Everybody's seeds open with these keys, and are what they were.
async fn all_open(pool: &PgPool, lines: &[&String], count: u128) -> bool {
    let ring = ring(lines);
    let rows: Vec<(Uuid, Vec<u8>, Option<Vec<u8>>)> =
        sqlx::query_as("select id, totp, totp_pending from users where email like 'p%' order by id").fetch_all(pool).await.unwrap();
    assert_eq!(rows.len() as u128, count, "nobody is lost");
    rows.iter().zip(0_u128..).all(|((id, seed, pending), number)| {
        let opens = |sealed: &[u8], text: &str| {
            ring.open(&format!("totp/{id}"), sealed).is_ok_and(|plain| plain == format!("{text}-{number}").as_bytes())
        };
        opens(seed, "seed") && pending.as_ref().is_none_or(|pending| opens(pending, "pending"))
    })
}

fn told(keys: &[SealingKey]) -> Vec<(KeyState, i64, i64)> {
    keys.iter().map(|key| (key.state, key.authenticators, key.signing_keys)).collect()
}

async fn pool(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(2).connect_with(options.clone()).await.unwrap()
}

const NOW: i64 = 1_795_348_800;

#[sqlx::test]
async fn an_old_key_can_go_when_all_is_sealed_anew(_: PgPoolOptions, options: PgConnectOptions) {
    let (old, new) = keys();
    let pool = pool(&options).await;
    people(&pool, &old, 230).await;
    up(&options, &[&old], NOW).await.close().await;

    let service = up(&options, &[&new, &old], NOW).await;
    let before = service.sealing_keys(&caller()).await.unwrap();
    assert_eq!(told(&before), [(KeyState::Primary, 0, 0), (KeyState::Old, 230 + 77, 1)]);
    assert_eq!(before.iter().map(|key| key.id.clone()).collect::<Vec<_>>(), [id(&new).to_string(), id(&old).to_string()]);
    // Somebody was stopped in the middle of it: what was done stays done.
    let (inner, seals) = (&service.inner.store, ring(&[&new, &old]));
    let some = inner.sealed_elsewhere(SealedIn::Totp, id(&new), "", 100).await.unwrap();
    let changes: Vec<_> =
        some.into_iter().map(|row| (row.clone(), seals.reseal(&format!("totp/{}", row.id), &row.sealed).unwrap())).collect();
    assert_eq!(inner.reseal(SealedIn::Totp, &changes).await.unwrap().len(), 100);
    assert!(inner.reseal(SealedIn::Totp, &changes).await.unwrap().is_empty(), "only where it is still the old text");

    let done = service.reseal(&caller()).await.unwrap();
    assert_eq!((done.resealed, told(&done.items)), (208, vec![(KeyState::Primary, 307, 1), (KeyState::Old, 0, 0)]));
    let rows = service.audit_log(&caller(), &Default::default(), None, false, 50).await.unwrap();
    assert_eq!(service.reseal(&caller()).await.unwrap(), Resealed { resealed: 0, ..done });
    // What is not waited for is there once something is that came behind it.
    let event = crate::domain::audit::AuditEvent { action: "last", kind: "test", ..Default::default() };
    service.audit(&caller(), event).await.unwrap();
    let again = service.audit_log(&caller(), &Default::default(), None, false, 50).await.unwrap();
    let actions: Vec<&str> = again.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(actions, ["last", "resealed", "reseal"], "once each; then {} rows", rows.len());
    assert_eq!((again[2].author.as_str(), again[2].name.clone()), ("token:tester", id(&new).to_string()));
    assert!(again[1].after.as_ref().unwrap().get().contains("\"resealed\":208"));
    assert!(!serde_json::to_string(&again).unwrap().contains(new.trim()));
    service.close().await;

    let service = up(&options, &[&new], NOW).await;
    assert_eq!(told(&service.sealing_keys(&caller()).await.unwrap()), [(KeyState::Primary, 307, 1)], "no other key that signs was made");
    assert!(all_open(&pool, &[&new], 230).await);
    let viewer = super::scopes::with(json!({"roles": [{"role": "editor"}]}));
    assert!(matches!(service.reseal(&viewer).await, Err(Error::Forbidden)));
    assert!(matches!(service.sealing_keys(&viewer).await, Err(Error::Forbidden)));
    let scoped = super::scopes::with(json!({"roles": [{"role": "admin", "scope": {"vhosts": ["shop"]}}]}));
    assert!(matches!(service.reseal(&scoped).await, Err(Error::Forbidden)));
    service.close().await;
}

#[sqlx::test]
async fn who_changes_meanwhile_is_not_written_over(_: PgPoolOptions, options: PgConnectOptions) {
    let (old, new) = keys();
    let pool = pool(&options).await;
    people(&pool, &old, 150).await;
    let service = up(&options, &[&new, &old], NOW).await;
    // Another text between the look and the write: it stays.
    let inner = &service.inner.store;
    let rows = inner.sealed_elsewhere(SealedIn::Totp, id(&new), "", 2).await.unwrap();
    let changes: Vec<_> = rows.iter().map(|row| (row.clone(), b"new".to_vec())).collect();
    let theirs = ring(&[&new]).seal(&format!("totp/{}", person(0)), b"seed-0").unwrap();
    sqlx::query("update users set totp = $2 where id = $1").bind(person(0)).bind(&theirs).execute(&pool).await.unwrap();
    let mut other = changes.clone();
    other.retain(|(row, _)| row.id == person(0).to_string());
    assert!(inner.reseal(SealedIn::Totp, &other).await.unwrap().is_empty());
    let kept: Vec<u8> = sqlx::query_scalar("select totp from users where id = $1").bind(person(0)).fetch_one(&pool).await.unwrap();
    assert_eq!(kept, theirs);
    service.close().await;

    // People are changed all the while, who are in memory with what was sealed before; and it is asked for many times over.
    let service = up(&options, &[&new, &old], NOW).await;
    let (admin, person_of) = (caller(), person);
    let patches = (0..150).map(|number| {
        let (service, admin) = (service.clone(), admin.clone());
        async move {
            let patch = UserPatch { title: Some(format!("{number}").parse().unwrap()), ..UserPatch::default() };
            service.patch_user(&admin, person_of(number), patch).await.unwrap();
        }
    });
    let reseals = (0..4).map(|_| {
        let (service, admin) = (service.clone(), admin.clone());
        async move { service.reseal(&admin).await.unwrap().resealed }
    });
    let (_, counts) = tokio::join!(futures::future::join_all(patches), futures::future::join_all(reseals));
    // Each was done once: all but the one above, 50 that are not confirmed, and the key that signs is new.
    assert_eq!(counts.iter().sum::<i64>(), 149 + 50, "{counts:?}");
    // And who is changed afterwards does not bring the old text back.
    for number in 0..150 {
        let patch = UserPatch { title: Some("again".parse().unwrap()), ..UserPatch::default() };
        service.patch_user(&admin, person(number), patch).await.unwrap();
    }
    service.close().await;
    assert!(all_open(&pool, &[&new], 150).await);
}

#[sqlx::test]
async fn a_key_that_is_taken_away_too_early_is_told_and_loses_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let (old, new) = keys();
    let pool = pool(&options).await;
    let visitor = Visitor { request_id: "r".to_owned(), address: None, user_agent: String::new() };
    let text = |text: &str| serde_json::from_value::<Text>(json!(text)).unwrap();
    let sign_in = |totp: Option<String>| SignIn { email: "ada@example.com".to_owned(), password: text(PASSWORD), totp };
    let service = up(&options, &[&old], NOW).await;
    let link = service.first_link().await.unwrap().unwrap();
    service.set_up(&visitor, &text(link.token.reveal()), "ada@example.com", &text(PASSWORD)).await.unwrap();
    let ada = service.sign_in(&visitor, &sign_in(None)).await.unwrap();
    let principal = service.inner.people.authenticate(ada.access.reveal(), service.now()).unwrap();
    let who = Caller { principal, ..caller() };
    let begun = service.begin_totp(&who, &text(PASSWORD)).await.unwrap();
    let seed = BASE32_NOPAD.decode(begun.secret.reveal().as_bytes()).unwrap();
    let code = |at: i64| totp::code_at(&seed, OffsetDateTime::from_unix_timestamp(at).unwrap());
    let confirmed = service.confirm_totp(&who, &code(NOW)).await.unwrap();
    service.close().await;
    let sealed = async || sqlx::query_scalar::<_, Vec<u8>>("select totp from users").fetch_one(&pool).await.unwrap();
    let before = sealed().await;

    // Without it the server comes up, says which is missing, and takes recovery codes.
    let service = up(&options, &[&new], NOW + 60).await;
    let found = service.sealing_keys(&caller()).await.unwrap();
    assert_eq!(told(&found), [(KeyState::Primary, 0, 1), (KeyState::Missing, 1, 1)]);
    assert_eq!(found[1].id, id(&old).to_string());
    match service.sign_in(&visitor, &sign_in(Some(code(NOW + 60)))).await {
        Err(Error::Unavailable(words)) => assert!(words.contains("a key of its settings is missing"), "{words}"),
        other => panic!("{other:?}"),
    }
    assert!(service.sign_in(&visitor, &sign_in(Some(confirmed.recovery_codes[0].reveal().to_owned()))).await.is_ok());
    let done = service.reseal(&caller()).await.unwrap();
    assert_eq!((done.resealed, &done.items[1].state), (0, &KeyState::Missing));
    assert_eq!(sealed().await, before, "kept as it is");
    service.close().await;

    // It is back: nothing was lost; and sealed anew it can go.
    let service = up(&options, &[&new, &old], NOW + 120).await;
    assert!(service.sign_in(&visitor, &sign_in(Some(code(NOW + 120)))).await.is_ok());
    service.reseal(&caller()).await.unwrap();
    service.close().await;
    let service = up(&options, &[&new], NOW + 180).await;
    assert!(service.sign_in(&visitor, &sign_in(Some(code(NOW + 180)))).await.is_ok());
    assert!(matches!(service.sign_in(&visitor, &sign_in(Some("000000".to_owned()))).await, Err(Error::SignInFailed)));
    service.close().await;
}

#[sqlx::test]
async fn without_a_server_it_is_done_with_the_lead(_: PgPoolOptions, options: PgConnectOptions) {
    let (old, new) = keys();
    let pool = pool(&options).await;
    people(&pool, &old, 20).await;
    let both = ring(&[&new, &old]);
    let service = up(&options, &[&old], NOW).await;
    let here = store(&options).await;
    let now = OffsetDateTime::from_unix_timestamp(NOW).unwrap();
    assert!(matches!(reseal_here(&here, &both, now).await, Err(Error::Conflict(_))), "a server would write the old text back");
    assert!(all_open(&pool, &[&old], 20).await);
    service.close().await;
    let done = reseal_here(&here, &both, now).await.unwrap();
    assert_eq!((done.resealed, told(&done.items)), (20 + 7 + 1, vec![(KeyState::Primary, 27, 1), (KeyState::Old, 0, 0)]));
    assert_eq!(reseal_here(&here, &both, now).await.unwrap().resealed, 0);
    assert_eq!(sealing_keys(&here, &ring(&[&old])).await.unwrap()[1].state, KeyState::Missing);
    here.close().await;
    assert!(all_open(&pool, &[&new], 20).await);
    let service = up(&options, &[&new], NOW).await;
    let rows = service.audit_log(&caller(), &Default::default(), None, false, 50).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.author.as_str(), row.action.as_str())).collect::<Vec<_>>(),
        [("system", "resealed"), ("system", "reseal")]
    );
    assert!(service.verify_audit(&caller(), None, 10).await.unwrap().ok);
    service.close().await;
}
