//! What somebody with a scope is shown.

use super::scopes::{Told, mallory, patch, told_of, town, with};
use super::*;

#[sqlx::test]
async fn what_is_read_is_in_scope(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    let viewer = with(json!({"roles": [{"role": "viewer", "scope": {"vhosts": ["shop"]}}]}));
    let names = |snapshot: &Snapshot| {
        let policies: Vec<_> = snapshot.policies.keys().map(ToString::to_string).collect();
        let lists: Vec<_> = snapshot.ip_lists.keys().map(ToString::to_string).collect();
        (snapshot.vhosts.keys().map(ToString::to_string).collect::<Vec<_>>().join(" "), policies.join(" "), lists.join(" "))
    };
    assert_eq!(names(&service.head_for(&viewer)), ("shop".into(), "free mine".into(), "loose office partners".into()));
    // Nobody used anything at first: of the past they see what they see now.
    let then = service.snapshot_seen(&viewer, 8, None).await.unwrap();
    assert_eq!(names(&then), ("".into(), "free mine".into(), "loose office partners".into()));
    let diff = service.diff(&viewer, 0, 10, None).await.unwrap();
    assert!(!serde_json::to_string(&diff).unwrap().contains("secret"));
    let (revisions, _) = service.revisions(&viewer, None, &Default::default(), 100).await.unwrap();
    let text = serde_json::to_string(&revisions).unwrap();
    assert!(!text.contains("bank") && !text.contains("secret") && text.contains("shop"), "{text}");
    assert_eq!((revisions[0].author.as_str(), revisions[0].message.as_str(), revisions[0].changes.len()), ("", "", 0));
    let of = crate::store::RevisionFilter { objects: vec![(Kind::Vhost, n("bank"))], ..Default::default() };
    assert!(service.revisions(&viewer, None, &of, 100).await.unwrap().0.is_empty());
    assert_eq!(told_of(service.files_at(&viewer, 10).await), Told::Forbidden);
    assert_eq!(told_of(service.plan_revision(&viewer, 10).await), Told::Forbidden);
    assert!(service.files_at(&with(json!({"roles": [{"role": "viewer"}]})), 10).await.is_ok());
    assert!(matches!(service.proof(&viewer, &n("bank")), Err(Error::NotFound { .. })));

    // Plans show no lines around what changes.
    let set = service.create_change_set(&mallory(), "", None).await.unwrap().id;
    service
        .stage(
            &mallory(),
            set,
            patch(Kind::Vhost, "shop", json!({"upstream": {"servers": [{"name": "z", "address": "192.0.2.99", "port": 1}]}})),
            Precondition::Base,
        )
        .await
        .unwrap();
    let plan = service.plan_change_set(&mallory(), set).await.unwrap();
    assert!(plan.files.is_empty() && plan.errors.is_empty());
    assert!(!serde_json::to_string(&plan).unwrap().contains("bank"));
    let committed = service.commit_change_set(&mallory(), set, Some(&plan.digest), None).await.unwrap();
    assert!(committed.changed);

    let event = |topic: &str, data| super::super::StreamEvent { id: 1, topic: topic.to_owned(), data, owner: None };
    let (revisions, _) = service.revisions(&caller(), None, &Default::default(), 100).await.unwrap();
    let of_bank = revisions.iter().find(|info| info.changes[0].name.as_str() == "bank").unwrap();
    let told = service.event_for(&viewer, event("revisions", serde_json::to_value(of_bank).unwrap())).unwrap();
    assert!(!told.data.to_string().contains("bank"), "{}", told.data);
    assert!(service.event_for(&viewer, event("news", json!({}))).is_none());
    let global = service.event_for(&caller(), event("revisions", serde_json::to_value(of_bank).unwrap())).unwrap();
    assert!(global.data.to_string().contains("bank"));
    house.service.close().await;
}
