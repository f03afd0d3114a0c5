use super::*;
use crate::domain::{Entry, Network};

fn net(text: &str) -> Network {
    text.parse().unwrap()
}

fn entry(network: &str, comment: &str) -> Entry {
    serde_json::from_value(json!({"network": network, "comment": comment, "expires_at": "2027-01-01T00:00:00.123456789+02:00"})).unwrap()
}

fn batch(add: &[(&str, &str)], remove: &[&str]) -> Operation {
    let add = add.iter().map(|(network, comment)| entry(network, comment)).collect();
    Operation::BatchEntries { list: n("bad"), add, remove: remove.iter().map(|text| net(text)).collect() }
}

#[sqlx::test]
async fn a_batch_is_idempotent_and_moves_the_list_along(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    assert!(matches!(house.write(batch(&[], &[]), Precondition::None).await, Err(Error::NotFound { .. })));
    house.put(Kind::IpList, "bad", json!({})).await;
    let add = || batch(&[("192.0.2.0/24", "a"), ("2001:db8::/32", "b"), ("198.51.100.7", "c")], &["203.0.113.0/24"]);
    let written = house.write(add(), Precondition::None).await.unwrap();
    assert!(written.changed && written.revision == 2);
    assert_eq!(written.snapshot.ip_lists["bad"].list.revision, 2);
    let again = house.write(add(), Precondition::None).await.unwrap();
    assert!(!again.changed && again.revision == 2);
    // Adding what is there replaces; removing comes first.
    let written = house.write(batch(&[("192.0.2.7/24", "new")], &["192.0.2.0/24", "198.51.100.7"]), Precondition::None).await.unwrap();
    assert_eq!(written.revision, 3);
    let told: Vec<String> = written.snapshot.ip_lists["bad"].entries.values().map(|e| format!("{} {}", e.network, e.comment)).collect();
    assert_eq!(told, ["192.0.2.0/24 new", "2001:db8::/32 b"]);
    assert!(matches!(house.write(batch(&[("192.0.2.0/24", "x")], &[]), Precondition::Revision(2)).await, Err(Error::Stale { .. })));

    // The list's own fields leave the entries alone.
    house.patch(Kind::IpList, "bad", json!({"title": "Bad ones"})).await.unwrap();
    assert_eq!(house.service.head().ip_lists["bad"].entries.len(), 2);

    let replace = |entries: Vec<Entry>| Operation::ReplaceEntries { list: n("bad"), entries };
    assert!(matches!(house.write(replace(Vec::new()), Precondition::None).await, Err(Error::PreconditionRequired)));
    let twice = house.write(replace(vec![entry("192.0.2.1", ""), entry("192.0.2.1/32", "")]), Precondition::Any).await;
    assert_eq!(faults(twice), [("/entries/1/network".to_owned(), "duplicate".to_owned())]);
    house.write(replace(vec![entry("192.0.2.0/24", "new"), entry("10.0.0.0/8", "")]), Precondition::Revision(4)).await.unwrap();
    let at_5 = told_of(&house).await;

    // A list deleted takes its entries along; a new one of its name has none.
    house.delete(Kind::IpList, "bad").await.unwrap();
    house.put(Kind::IpList, "bad", json!({})).await;
    let house = house.restart().await;
    assert!(house.service.head().ip_lists["bad"].entries.is_empty());
    let past = house.service.snapshot_at(&caller(), 5).await.unwrap();
    assert_eq!(super::told(&past), at_5);
    house.service.close().await;
}

async fn told_of(house: &House) -> String {
    super::told(&house.service.head())
}

#[sqlx::test]
async fn a_large_list_is_taken_and_one_too_large_is_not(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.put(Kind::IpList, "bad", json!({})).await;
    let entries = |count: u32| -> Vec<Entry> {
        (0..count)
            .map(|i| Entry {
                network: Network::new(ipnet::IpNet::from(std::net::IpAddr::from(i.to_be_bytes()))),
                comment: Default::default(),
                expires_at: None,
            })
            .collect()
    };
    let replace = |entries| Operation::ReplaceEntries { list: n("bad"), entries };
    house.write(replace(entries(200_000)), Precondition::Any).await.unwrap();
    assert_eq!(faults(house.write(replace(entries(200_001)), Precondition::Any).await), [("/entries".into(), "out_of_range".into())]);
    assert_eq!(faults(house.write(batch(&[("255.1.1.1", "")], &[]), Precondition::None).await), [("/add".into(), "out_of_range".into())]);
    let one_for_one = house.write(batch(&[("255.1.1.1", "")], &["0.0.0.0"]), Precondition::None).await.unwrap();
    assert_eq!(one_for_one.snapshot.ip_lists["bad"].entries.len(), 200_000);
    let house = house.restart().await;
    assert_eq!(house.service.head().ip_lists["bad"].entries.len(), 200_000);
    house.service.close().await;
}
