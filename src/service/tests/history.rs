use std::collections::BTreeMap;

use super::*;
use crate::domain::{Entry, Network};
use crate::service::Keyed;

/// A small generator: the same sequence each time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Any write at all, on few names, so that they meet.
pub fn any_write(dice: &mut Dice) -> (Operation, Precondition) {
    let few = |dice: &mut Dice, prefix: &str| n(&format!("{prefix}{}", dice.roll(4)));
    let modes = ["off", "detect", "block"];
    let op = match dice.roll(12) {
        0..=2 => {
            let name = few(dice, "v");
            let mut value = vhost(&format!("h{}", dice.roll(6)), &format!("p{}", dice.roll(4)));
            value["title"] = json!(format!("t{}", dice.roll(3)));
            if dice.roll(2) == 0 {
                value["access"] = json!({"deny": [few(dice, "l").as_str()]});
            }
            Operation::Put { kind: Kind::Vhost, name, value }
        }
        3..=4 => {
            let exclusions: Vec<Value> =
                (0..dice.roll(3)).map(|e| json!({"id": format!("e{e}"), "rule": {"id": 942_100 + dice.roll(3)}})).collect();
            Operation::Put { kind: Kind::Policy, name: few(dice, "p"), value: json!({"exclusions": exclusions}) }
        }
        5 => Operation::Patch { kind: Kind::Policy, name: few(dice, "p"), patch: json!({"mode": modes[dice.roll(3) as usize]}) },
        6 => Operation::Put { kind: Kind::IpList, name: few(dice, "l"), value: json!({"title": format!("t{}", dice.roll(3))}) },
        7 => {
            let (kind, prefix) = [(Kind::Vhost, "v"), (Kind::Policy, "p"), (Kind::IpList, "l")][dice.roll(3) as usize];
            Operation::Delete { kind, name: few(dice, prefix) }
        }
        8 => {
            let value = json!({"rule": {"id": 942_100 + dice.roll(3)}});
            Operation::PutElement { keyed: Keyed::Exclusions, owner: few(dice, "p"), key: format!("e{}", dice.roll(4)), value }
        }
        9 => Operation::DeleteElement { keyed: Keyed::Exclusions, owner: few(dice, "p"), key: format!("e{}", dice.roll(4)) },
        10 => Operation::ReplaceEntries { list: few(dice, "l"), entries: (0..dice.roll(5)).map(|_| any_entry(dice)).collect() },
        _ => {
            let add = (0..dice.roll(3)).map(|_| any_entry(dice)).collect();
            let remove = (0..dice.roll(3)).map(|_| any_entry(dice).network).collect();
            Operation::BatchEntries { list: few(dice, "l"), add, remove }
        }
    };
    let precondition = match dice.roll(4) {
        0 => Precondition::None,
        1 => Precondition::Absent,
        _ => Precondition::Any,
    };
    (op, precondition)
}

fn any_entry(dice: &mut Dice) -> Entry {
    let network: Network = format!("10.{}.0.0/16", dice.roll(6)).parse().unwrap();
    serde_json::from_value(json!({"network": network, "comment": format!("c{}", dice.roll(2))})).unwrap()
}

/// Whatever is written: a restart loads what was in memory, and each revision is as it was when it was the newest.
#[sqlx::test]
async fn history_and_restarts_say_what_memory_said(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let mut dice = Dice(42);
    let mut house = House::new(options).await;
    let mut history = BTreeMap::from([(0, told(&Snapshot::default()))]);
    let mut refused = 0;
    for turn in 0..400 {
        let (op, precondition) = any_write(&mut dice);
        let newest = house.service.head().revision;
        match house.write(op, precondition).await {
            Ok(written) if written.changed => {
                assert_eq!(written.revision, newest + 1);
                history.insert(written.revision, told(&house.service.head()));
            }
            Ok(_) => assert_eq!(house.service.head().revision, newest),
            Err(Error::Internal(words)) => panic!("{words}"),
            Err(_) => {
                refused += 1;
                assert_eq!(house.service.head().revision, newest);
            }
        }
        if turn % 100 == 99 {
            house = house.restart().await;
            assert_eq!(told(&house.service.head()), history[&house.service.head().revision]);
        }
    }
    assert!(history.len() > 100 && refused > 50, "{} revisions, {refused} refused", history.len());
    // The one digest after the other, each of its own.
    let mut infos = Vec::new();
    let mut before = None;
    loop {
        let (page, total) = house.service.revisions(&caller(), before, &Default::default(), 50).await.unwrap();
        assert_eq!(total as i64, house.service.head().revision);
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        infos.extend(page);
    }
    assert_eq!(infos.iter().rev().map(|info| info.number).collect::<Vec<_>>(), (1..history.len() as i64).collect::<Vec<_>>());
    assert_eq!(infos.iter().map(|info| &info.digest).collect::<std::collections::BTreeSet<_>>().len(), infos.len());
    for (revision, told_then) in &history {
        let snapshot = house.service.snapshot_at(&caller(), *revision).await.unwrap();
        assert!(told(&snapshot) == *told_then, "revision {revision}:\n{}\nwas\n{told_then}", told(&snapshot));
    }
    for absent in [-1, history.len() as i64] {
        assert!(matches!(house.service.snapshot_at(&caller(), absent).await, Err(Error::NotFound { .. })));
    }
    assert!(matches!(house.service.revision(&caller(), 0).await, Err(Error::NotFound { .. })));
    house.service.close().await;
}

/// The same with everybody writing at once, so that writes of one object meet in one transaction.
#[sqlx::test]
async fn batches_say_what_memory_said(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let mut dice = Dice(7);
    let mut house = House::new(options).await;
    for _ in 0..4 {
        let writes: Vec<_> = (0..100).map(|_| any_write(&mut dice)).collect();
        let done = futures::future::join_all(writes.into_iter().map(|(op, precondition)| house.write(op, precondition))).await;
        assert!(!done.iter().any(|result| matches!(result, Err(Error::Internal(_)))));
        let mut made: Vec<i64> = done.iter().flatten().filter(|written| written.changed).map(|written| written.revision).collect();
        made.sort_unstable();
        let newest = house.service.head().revision;
        assert_eq!(made, (newest - made.len() as i64 + 1..=newest).collect::<Vec<_>>());
        // Each answer's snapshot, where nothing but it was written, is what the database says of that revision.
        for written in done.iter().flatten().filter(|written| written.snapshot.revision == written.revision && written.revision == newest) {
            let past = house.service.snapshot_at(&caller(), written.revision).await.unwrap();
            assert_eq!(told(&past), told(&house.service.head()));
        }
        let before = told(&house.service.head());
        house = house.restart().await;
        assert_eq!(told(&house.service.head()), before);
    }
    house.service.close().await;
}

#[sqlx::test]
async fn two_hundred_writers_leave_no_gap(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let (_, mut events) = house.service.subscribe(None);
    let writes = (0..200).map(|i| {
        // Every tenth is refused, and takes nobody along.
        let policy = if i % 10 == 0 { "nobody" } else { "base" };
        let op = Operation::Put { kind: Kind::Vhost, name: n(&format!("v{i}")), value: vhost(&format!("v{i}"), policy) };
        house.write(op, Precondition::Absent)
    });
    let results = futures::future::join_all(writes).await;
    let mut revisions: Vec<i64> = results.iter().flatten().map(|written| written.revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (3..=182).collect::<Vec<_>>());
    for (i, result) in results.iter().enumerate() {
        match result {
            Ok(written) => {
                assert_eq!(written.snapshot.vhosts[format!("v{i}").as_str()].revision, written.revision);
            }
            Err(Error::Invalid(faults)) => assert!(i % 10 == 0 && faults[0].pointer == "/policy"),
            other => panic!("{other:?}"),
        }
    }
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event.data["number"].as_i64().unwrap());
    }
    assert_eq!(told, (3..=182).collect::<Vec<_>>());
    let numbers: std::collections::BTreeSet<u32> = house.service.head().vhosts.values().map(|v| v.number).collect();
    assert_eq!(numbers, (1..=181).collect());
    house.service.close().await;
}

/// Forced writes of one object in one batch: each answer has its own version, and each version is kept.
#[sqlx::test]
async fn each_answer_has_its_own_version(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let writes = (0..50).map(|i| house.patch(Kind::Vhost, "shop", json!({"title": format!("t{i}")})));
    let results = futures::future::join_all(writes).await;
    for (i, result) in results.iter().enumerate() {
        let written = result.as_ref().unwrap();
        let shop = &written.snapshot.vhosts["shop"];
        assert_eq!((shop.revision, shop.spec.title.as_str()), (written.revision, format!("t{i}").as_str()));
        let past = house.service.snapshot_at(&caller(), written.revision).await.unwrap();
        assert_eq!(past.vhosts["shop"].spec.title.as_str(), format!("t{i}"));
    }
    house.service.close().await;
}

#[sqlx::test]
async fn the_files_of_a_past_revision_are_rendered_anew(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.patch(Kind::Vhost, "shop", json!({"hostnames": ["new.example.com"]})).await.unwrap();
    let hosts = async |revision| house.service.files_at(&caller(), revision).await.unwrap()["hosts.map"].clone();
    assert!(hosts(2).await.contains("shop.example.com") && !hosts(2).await.contains("new.example.com"));
    assert!(hosts(3).await.contains("new.example.com"));
    assert!(!hosts(0).await.contains("example.com"));
    house.service.close().await;
}
