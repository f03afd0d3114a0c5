use std::collections::HashMap;

use serde_json::json;
use sqlx::PgPool;

use super::harness::app;
use crate::dataplane::{Counted, TrafficSample};
use crate::domain::TrafficCounts;

#[sqlx::test(migrations = "./migrations")]
async fn a_minute_is_a_point(pool: PgPool) {
    let app = app(&pool).await;
    app.furnish().await;
    assert_eq!(app.get("/api/v1/traffic").await.is(200).json(), json!({"step_s": 60, "points": []}));
    let counts = TrafficCounts { forwarded: 7, server_errors: 2, inspected: 9, blocked: 3, detected: 1, failed: 4 };
    let agent = Counted { process: "a".to_owned(), age: std::time::Duration::ZERO, vhosts: HashMap::from([(1, counts)]) };
    app.service.add_traffic(TrafficSample { processes: vec![agent], whole: true });
    let sum = app.get("/api/v1/traffic").await.is(200).json();
    let mut point = sum["points"][0].clone();
    let at = point.as_object_mut().unwrap().remove("at").unwrap();
    assert!(at.as_str().unwrap().ends_with(":00Z"), "{at}");
    assert_eq!(point, json!(counts));
    assert_eq!(app.get("/api/v1/vhosts/shop/traffic").await.is(200).json(), sum);
    app.get("/api/v1/vhosts/nobody/traffic").await.problem(404, "not_found");
}
