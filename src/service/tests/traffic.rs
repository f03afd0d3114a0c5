use std::collections::HashMap;

use super::scopes::{town, with};
use super::*;
use crate::dataplane::{Counted, TrafficSample};
use crate::domain::TrafficCounts;

#[sqlx::test]
async fn who_has_a_scope_gets_the_sum_of_their_own(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    let head = service.head();
    let counts = |blocked| TrafficCounts { inspected: 100, blocked, ..TrafficCounts::default() };
    let number = |name: &str| head.vhosts[name].number;
    // A vhost that has gone is nobody's.
    let vhosts = HashMap::from([(number("shop"), counts(3)), (number("bank"), counts(20)), (77, counts(50))]);
    let agent = Counted { process: "guard-spoa 1".to_owned(), age: std::time::Duration::ZERO, vhosts };
    service.add_traffic(TrafficSample { processes: vec![agent], whole: true });

    let viewer = with(json!({"roles": [{"role": "viewer", "scope": {"vhosts": ["shop"]}}]}));
    let told = |points: Vec<crate::domain::TrafficPoint>| {
        points.iter().map(|point| (point.counts.inspected, point.counts.blocked)).collect::<Vec<_>>()
    };
    assert_eq!(told(service.traffic(&caller()).unwrap()), [(200, 23)]);
    assert_eq!(told(service.traffic(&viewer).unwrap()), [(100, 3)]);
    assert_eq!(told(service.vhost_traffic(&viewer, "shop").unwrap()), [(100, 3)]);
    assert!(matches!(service.vhost_traffic(&viewer, "bank"), Err(Error::NotFound { .. })));
    assert!(matches!(service.servers(&viewer, "bank").await, Err(Error::NotFound { .. })));
    house.service.close().await;
}
