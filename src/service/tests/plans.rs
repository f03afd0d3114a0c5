use super::*;
use crate::domain::deployment::Lane;
use crate::domain::plan::{EngineAnswer, RiskClass};
use crate::domain::revision::{ObjectRef, Origin};

async fn staged(house: &House, name: &str, patch: Value) -> Uuid {
    let id = house.service.create_change_set(&caller(), "a plan", None).await.unwrap().id;
    let operation = Operation::Patch { kind: Kind::Policy, name: n(name), patch };
    house.service.stage(&caller(), id, operation, Precondition::Any).await.unwrap();
    id
}

fn lanes(plan: &crate::domain::plan::Plan) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = plan.lanes.iter().map(|lane| lane.lane).collect();
    lanes.dedup();
    lanes
}

#[sqlx::test]
async fn a_plan_says_what_a_commit_would_do_and_holds_it_to_that(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.put(Kind::Policy, "other", json!({})).await;
    let id = staged(&house, "base", json!({"mode": "off"})).await;
    let plan = house.service.plan_change_set(&caller(), id).await.unwrap();
    assert_eq!(plan.diff.changes[0].fields[0].words, "mode: block → off");
    assert_eq!(plan.vhosts.names, [n("shop")]);
    assert_eq!(lanes(&plan), [Lane::Runtime]);
    assert_eq!((plan.risk.class, plan.head, plan.errors.len()), (RiskClass::High, 3, 0));
    assert!(plan.engines.iter().all(|engine| engine.answer == EngineAnswer::NotAsked), "{:?}", plan.engines);
    assert!(plan.files.iter().any(|file| file.path == "rows.map"), "{:?}", plan.files);
    assert_eq!(house.service.plan(&caller(), plan.id).await.unwrap(), plan);
    assert!(matches!(house.service.plan(&stranger(), plan.id).await, Err(Error::NotFound { .. })));
    assert_eq!(house.service.head().revision, 3, "a plan changes nothing");

    // Somebody else's change elsewhere leaves the plan; one to what it is about does not.
    house.patch(Kind::Policy, "other", json!({"title": "x"})).await.unwrap();
    let again = house.service.plan_change_set(&caller(), id).await.unwrap();
    assert_eq!(again.digest, plan.digest);
    house.put(Kind::Vhost, "blog", vhost("blog", "base")).await;
    let digest = plan.digest.as_str();
    let refused = house.service.commit_change_set(&caller(), id, Some(digest), None).await;
    assert!(matches!(refused, Err(Error::PlanChanged)), "one more vhost is affected: {refused:?}");
    let anew = house.service.plan_change_set(&caller(), id).await.unwrap();
    let committed = house.service.commit_change_set(&caller(), id, Some(&anew.digest), Some("said yes")).await.unwrap();
    assert_eq!(house.service.revision(&caller(), committed.revision).await.unwrap().message, "said yes");

    // What a revision did, later.
    let did = house.service.plan_revision(&caller(), committed.revision).await.unwrap();
    assert_eq!((did.diff.changes[0].fields[0].words.as_str(), did.vhosts.total), ("mode: block → off", 2));
    house.service.close().await;
}

#[sqlx::test]
async fn a_plan_tells_what_engines_and_the_whole_would_refuse(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let rule = json!({"custom_rules": [{"id": 190_001, "seclang": "SecRule ARGS:a \"@streq b\" \"phase:2,deny,msg:'x'\""}]});
    let id = staged(&house, "base", rule).await;
    let planned = async |mood: Mood| {
        *house.stub.mood.lock().unwrap() = mood;
        house.service.plan_change_set(&caller(), id).await.unwrap()
    };
    let coraza = |plan: &crate::domain::plan::Plan| (plan.engines[0].engine.clone(), plan.engines[0].answer, plan.engines[0].said.clone());
    let plan = planned(Mood::Refuse("/policies/base/custom_rules/0".to_owned())).await;
    assert_eq!(coraza(&plan), ("coraza".to_owned(), EngineAnswer::Refused, "no".to_owned()));
    assert_eq!(plan.errors[0].pointer, "/policies/base/custom_rules/0");
    let plan = planned(Mood::Away).await;
    assert_eq!(coraza(&plan).1, EngineAnswer::Away);
    assert_eq!((plan.findings[0].code.as_str(), plan.findings[0].pointer.as_str()), ("not_validated", "/policies/base"));
    let plan = planned(Mood::Accept).await;
    assert_eq!((coraza(&plan).1, plan.errors.len(), plan.cost.rulesets_to_load), (EngineAnswer::Accepted, 0, 1));
    assert_eq!(lanes(&plan), [Lane::Runtime, Lane::Ruleset]);

    let id = house.service.create_change_set(&caller(), "", None).await.unwrap().id;
    house.service.stage(&caller(), id, Operation::Delete { kind: Kind::Policy, name: n("base") }, Precondition::Any).await.unwrap();
    let plan = house.service.plan_change_set(&caller(), id).await.unwrap();
    assert_eq!((plan.errors[0].pointer.as_str(), plan.errors[0].code.as_str()), ("/policies/base", "in_use"));
    house.service.close().await;
}

#[sqlx::test]
async fn back_to_a_revision_is_a_new_one_that_is_equal(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.put(Kind::IpList, "monitoring", json!({})).await;
    let entry = |text: &str| crate::domain::Entry { network: text.parse().unwrap(), comment: Default::default(), expires_at: None };
    let batch = |add: Vec<&str>, remove: Vec<&str>| Operation::BatchEntries {
        list: n("monitoring"),
        add: add.into_iter().map(entry).collect(),
        remove: remove.into_iter().map(|text| text.parse().unwrap()).collect(),
    };
    house.write(batch(vec!["192.0.2.0/24", "10.0.0.0/8"], vec![]), Precondition::None).await.unwrap();
    let good = house.service.head();
    house.patch(Kind::Policy, "base", json!({"mode": "off"})).await.unwrap();
    house.write(batch(vec!["203.0.113.0/24"], vec!["10.0.0.0/8"]), Precondition::None).await.unwrap();
    house.put(Kind::Vhost, "blog", vhost("blog", "base")).await;
    house.patch(Kind::Vhost, "shop", json!({"policy": "base", "title": "changed"})).await.unwrap();

    // One object only.
    let shop = [ObjectRef::parse("vhosts/shop").unwrap()];
    let back = house.service.rollback(&caller(), good.revision, &shop, None, None).await.unwrap();
    assert_eq!((back.info.message.as_str(), back.info.changes.len()), ("back to revision 4", 1));
    assert_eq!(house.service.head().vhosts["shop"].spec, good.vhosts["shop"].spec);
    assert!(house.service.head().vhosts.contains_key("blog"));

    // Whole: what came since goes, too.
    let plan = house.service.plan_rollback(&caller(), good.revision, &[]).await.unwrap();
    assert_eq!((plan.diff.counts.deleted, plan.diff.counts.updated), (1, 2));
    let back = house.service.rollback(&caller(), good.revision, &[], Some("away with it"), Some(&plan.digest)).await.unwrap();
    assert_eq!(back.info.origin, Origin::Rollback { revision: good.revision, approved_by: None });
    let head = house.service.head();
    let specs = |s: &Snapshot| {
        let entries: Vec<_> = s.ip_lists.values().map(|list| (list.list.spec.clone(), list.entries.clone())).collect();
        let (policies, vhosts): (Vec<_>, Vec<_>) =
            (s.policies.values().map(|p| p.spec.clone()).collect(), s.vhosts.values().map(|v| v.spec.clone()).collect());
        format!("{entries:?} {policies:?} {vhosts:?}")
    };
    assert_eq!(specs(&head), specs(&good));
    assert_eq!(head.vhosts["shop"].id, good.vhosts["shop"].id, "the same object, not another of its name");
    let diff = house.service.diff(&caller(), good.revision, head.revision, None).await.unwrap();
    assert_eq!(diff.counts.total(), 0, "{diff:?}");
    let again = house.service.rollback(&caller(), good.revision, &[], None, None).await.unwrap();
    assert_eq!((again.changed, again.info.number), (false, head.revision), "nothing to do, no revision");

    // To the empty state, and from it.
    let back = house.service.rollback(&caller(), 0, &[], None, None).await.unwrap();
    assert_eq!((house.service.head().vhosts.len(), back.info.counts.deleted), (0, 3));
    house.service.rollback(&caller(), head.revision, &[], None, None).await.unwrap();
    assert_eq!(specs(&house.service.head()), specs(&good));
    let house = house.restart().await;
    assert_eq!(specs(&house.service.head()), specs(&good));

    let missing = house.service.rollback(&caller(), good.revision, &[ObjectRef::parse("vhosts/never").unwrap()], None, None).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
    assert!(matches!(house.service.rollback(&caller(), 999, &[], None, None).await, Err(Error::NotFound { .. })));
    // One object alone may not fit any more.
    house.delete(Kind::Vhost, "shop").await.unwrap();
    house.delete(Kind::Policy, "base").await.unwrap();
    let alone = house.service.rollback(&caller(), good.revision, &shop, None, None).await;
    assert_eq!(faults(alone), [("/vhosts/shop/policy".to_owned(), "not_found".to_owned())]);
    house.service.close().await;
}

#[sqlx::test]
async fn revisions_are_found_by_author_object_and_time(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    use crate::service::RevisionFilter;
    let house = House::new(options).await;
    house.furnish().await;
    house.patch(Kind::Policy, "base", json!({"title": "a"})).await.unwrap();
    house.delete(Kind::Vhost, "shop").await.unwrap();
    house.put(Kind::Vhost, "shop", vhost("shop", "base")).await;
    let operation = Operation::Patch { kind: Kind::Policy, name: n("base"), patch: json!({"title": "b"}) };
    house.service.write(&stranger(), operation, Precondition::Any, "").await.unwrap();
    let found = async |filter: RevisionFilter| {
        let (page, total) = house.service.revisions(&caller(), None, &filter, 50).await.unwrap();
        assert_eq!(page.len(), total);
        page.into_iter().map(|info| info.number).collect::<Vec<_>>()
    };
    let object = |kind, name: &str| RevisionFilter { objects: vec![(kind, n(name))], ..Default::default() };
    assert_eq!(found(object(Kind::Vhost, "shop")).await, [5, 4, 2], "its whole life, also that of its predecessor");
    assert_eq!(found(object(Kind::Policy, "base")).await, [6, 3, 1]);
    assert_eq!(found(RevisionFilter { kind: vec![Kind::Policy], ..Default::default() }).await, [6, 3, 1]);
    assert_eq!(found(RevisionFilter { author: vec!["token:stranger".into()], ..Default::default() }).await, [6]);
    let at = house.service.revision(&caller(), 4).await.unwrap().created_at;
    assert_eq!(found(RevisionFilter { created_at_gte: Some(at), ..Default::default() }).await, [6, 5, 4]);
    assert_eq!(found(RevisionFilter { created_at_lt: Some(at), ..Default::default() }).await, [3, 2, 1]);
    house.service.close().await;
}

#[sqlx::test]
async fn an_object_that_is_named_twice_goes_back_once(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    house.patch(Kind::Policy, "base", json!({"mode": "off"})).await.unwrap();
    let twice: Vec<ObjectRef> = vec!["policies/base".parse().unwrap(), "policies/base".parse().unwrap()];
    let done = house.service.rollback(&caller(), 1, &twice, None, None).await.unwrap();
    assert_eq!((done.info.number, done.info.changes.len()), (4, 1));
    house.service.close().await;
}
