use std::time::Duration;

use super::*;
use crate::domain::deployment::{Deployment, DeploymentState, Step};
use crate::domain::proof::{Proof, ProofState};
use crate::service::Waited;

pub async fn end(house: &House, mut deployment: Deployment, state: DeploymentState) -> Deployment {
    deployment.state = state;
    deployment.attempts = 1;
    house.service.save_deployment(&deployment).await.unwrap();
    house.service.deployment(&caller(), deployment.id).await.unwrap()
}

pub async fn waited(house: &House, revision: i64) -> String {
    match house.service.wait_live(revision, Duration::from_secs(1)).await {
        Waited::Live { live_revision } => format!("live {live_revision}"),
        Waited::Refused { deployment } => format!("refused by {}", deployment.revision),
        Waited::NotYet { deployment } => format!("not yet, deployment: {}", deployment.is_some()),
    }
}

#[sqlx::test]
async fn waiting_follows_my_revision(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    assert_eq!(waited(&house, 1).await, "not yet, deployment: false");
    let one = house.service.open_deployment(1).await.unwrap();
    assert_eq!(waited(&house, 1).await, "not yet, deployment: true");
    assert_eq!(waited(&house, 2).await, "not yet, deployment: false");

    // The newer one takes the place of the pending one, and contains it.
    let two = house.service.open_deployment(2).await.unwrap();
    assert_eq!(house.service.deployment(&caller(), one.id).await.unwrap().state, DeploymentState::Superseded);
    let waiting = {
        let service = house.service.clone();
        tokio::spawn(async move { service.wait_live(1, Duration::from_secs(20)).await })
    };
    end(&house, two, DeploymentState::Live).await;
    assert!(matches!(waiting.await.unwrap(), Waited::Live { live_revision: 2 }));

    // A refusal decides nothing yet: what is to blame is taken back (see `take_back`), or a newer write mends it.
    house.patch(Kind::Policy, "base", json!({"mode": "off"})).await.unwrap();
    let three = house.service.open_deployment(3).await.unwrap();
    let three = end(&house, three, DeploymentState::Refused).await;
    assert!(three.ended_at.is_some());
    assert_eq!(waited(&house, 3).await, "not yet, deployment: true");
    assert_eq!(waited(&house, 2).await, "live 2");
    assert_eq!(house.service.watch_live().borrow().refused.len(), 1);

    // What is known survives a restart.
    let house = house.restart().await;
    assert_eq!(waited(&house, 2).await, "live 2");
    assert_eq!(house.service.watch_live().borrow().refused.len(), 1);
    // Tried again, and live: nothing stays refused.
    let again = house.service.open_deployment(3).await.unwrap();
    assert!(again.id > three.id);
    let (open, live) = house.service.last_deployments().await.unwrap();
    assert_eq!((open.unwrap().id, live.unwrap().revision), (again.id, 2));
    end(&house, again, DeploymentState::Live).await;
    assert_eq!(waited(&house, 3).await, "live 3");
    assert!(house.service.watch_live().borrow().refused.is_empty());
    house.service.close().await;
}

#[sqlx::test]
async fn deployments_are_kept_listed_and_told(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let (_, mut events) = house.service.subscribe(None);
    let mut ids = Vec::new();
    for revision in [1, 2, 2] {
        let deployment = house.service.open_deployment(revision).await.unwrap();
        let step = |ok| Step {
            name: "validate".into(),
            started_at: deployment.created_at,
            took_us: 7,
            ok,
            detail: format!("NUL \0 {}", "x".repeat(20_000)),
        };
        house.service.save_step(deployment.id, 0, &step(false)).await.unwrap();
        house.service.save_step(deployment.id, 0, &step(true)).await.unwrap();
        let kept = end(&house, deployment, DeploymentState::Live).await;
        assert_eq!((kept.steps.len(), kept.steps[0].ok, kept.steps[0].detail.len() < 9000), (1, true, true));
        ids.insert(0, kept.id);
    }
    let page = house.service.deployments(&caller(), None, &[], 2).await.unwrap();
    assert_eq!(page.iter().map(|d| d.id).collect::<Vec<_>>(), ids[..2]);
    let page = house.service.deployments(&caller(), Some(ids[1]), &[DeploymentState::Live], 2).await.unwrap();
    assert_eq!(page.iter().map(|d| d.id).collect::<Vec<_>>(), ids[2..]);
    assert!(house.service.deployments(&caller(), None, &[DeploymentState::Refused], 2).await.unwrap().is_empty());
    assert!(matches!(house.service.deployment(&caller(), Uuid::nil()).await, Err(Error::NotFound { .. })));
    let topics: Vec<String> = std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.topic).collect();
    assert_eq!(topics, ["deployments"; 6]);
    house.service.close().await;
}

#[sqlx::test]
async fn proofs_are_of_the_vhost_that_there_is(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    house.furnish().await;
    let proof = |vhost: &str, state, at| Proof {
        vhost: n(vhost),
        state,
        revision: 2,
        at,
        host: "shop.example.com".into(),
        row: "r".into(),
        seen: vec!["a \0 b".into()],
    };
    let now = house.service.now();
    house.service.save_proofs(vec![proof("shop", ProofState::Unproven, now), proof("nobody", ProofState::Proven, now)]).await.unwrap();
    assert_eq!(house.service.watch_live().borrow().unproven, [n("shop")]);
    let house = house.restart().await;
    assert_eq!(house.service.watch_live().borrow().unproven, [n("shop")]);
    assert_eq!(house.service.proof(&caller(), &n("shop")).unwrap().unwrap().state, ProofState::Unproven);
    assert!(matches!(house.service.proof(&caller(), &n("nobody")), Err(Error::NotFound { .. })));
    // One of the same name is another.
    house.delete(Kind::Vhost, "shop").await.unwrap();
    for _ in 0..1000 {
        house.service.now();
    }
    house.put(Kind::Vhost, "shop", vhost("shop", "base")).await;
    assert!(house.service.proof(&caller(), &n("shop")).unwrap().is_none());
    house.service.save_proofs(vec![proof("shop", ProofState::Proven, house.service.now())]).await.unwrap();
    assert!(house.service.watch_live().borrow().unproven.is_empty());
    house.service.close().await;
}
