//! What of the audit log somebody with a scope is shown: judged row by row by what they see of states, which is another way to say it.

use std::collections::BTreeSet;

use super::scope_properties::Dice;
use super::scopes::{patch, put, town, with};
use super::*;
use crate::domain::audit::AuditEvent;
use crate::domain::{Grant, Revision};
use crate::service::{AuditFilter, AuditRecord, Stranger};

fn admin_of(scope: Value) -> Caller {
    with(json!({"roles": [{"role": "admin", "scope": scope}]}))
}

async fn rows(house: &House, who: &Caller, filter: AuditFilter) -> Vec<AuditRecord> {
    house.service.audit_log(who, &filter, None, false, 501).await.unwrap()
}

async fn told_rows(house: &House, who: &Caller) -> Vec<String> {
    let of = |row: &AuditRecord| format!("{} {} {}", row.action, row.kind, row.name);
    rows(house, who, AuditFilter::default()).await.iter().rev().map(of).collect()
}

fn objects(kind: &str, name: &str) -> AuditFilter {
    AuditFilter { objects: vec![(kind.to_owned(), name.to_owned())], ..AuditFilter::default() }
}

#[sqlx::test]
async fn rows_are_of_what_is_in_scope_and_ones_own(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    let shop = admin_of(json!({"vhosts": ["shop"]}));
    let shown = ["create policy mine", "create policy free", "create ip_list office", "create ip_list partners", "create ip_list loose"];
    let all: Vec<&str> = shown.into_iter().chain(["create vhost shop"]).collect();
    assert_eq!(told_rows(&house, &shop).await, all, "nobody used the others at first, and `bank` does now");

    // What others did, of people and tokens; and what they did themselves.
    let event = |kind, name: &str| AuditEvent { action: "create", kind, name: name.to_owned(), ..AuditEvent::default() };
    let stranger = Stranger { request_id: "r", address: None };
    service.audit(&caller(), event("token", "theirs")).await.unwrap();
    service.audit_by("ada@example.com", &stranger, event("user", "ada@example.com")).await;
    service.audit_often(None, &stranger, event("request", "GET /x"));
    service.audit_often(Some(&shop), &stranger, event("request", "GET /mine"));
    let same_name = Caller {
        principal: Principal::Token { id: Uuid::from_u128(67), name: "mallory".to_owned(), grant: Arc::new(Grant::admin()) },
        ..caller()
    };
    service.audit(&same_name, event("token", "of-another-mallory")).await.unwrap();
    service.audit(&shop, event("token", "my-own")).await.unwrap();
    let own = ["create request GET /mine", "create token my-own"];
    assert_eq!(told_rows(&house, &shop).await, all.iter().copied().chain(own).collect::<Vec<_>>());

    // One's own write of what is another's by now is shown no more; nor what was another's once.
    house.patch(Kind::Policy, "free", json!({"title": "before"})).await.unwrap();
    service.write(&shop, patch(Kind::Policy, "free", json!({"title": "mine"})), Precondition::Any, "").await.unwrap();
    assert_eq!(rows(&house, &shop, objects("policy", "free")).await.len(), 3);
    house.patch(Kind::Vhost, "bank", json!({"policy": "free"})).await.unwrap();
    assert!(rows(&house, &shop, objects("policy", "free")).await.is_empty());
    house.patch(Kind::Policy, "free", json!({"title": "the bank's"})).await.unwrap();
    house.patch(Kind::Vhost, "bank", json!({"policy": "secret"})).await.unwrap();
    let free = rows(&house, &shop, objects("policy", "free")).await;
    assert_eq!(free.len(), 3);
    assert!(free.iter().all(|row| !row.after.as_ref().unwrap().get().contains("bank")), "{free:?}");

    // A vhost that moves: what it was elsewhere is not told, nor that it moved.
    let web = admin_of(json!({"labels": {"team": "web"}}));
    house.patch(Kind::Vhost, "bank", json!({"labels": {"team": "web"}})).await.unwrap();
    assert!(rows(&house, &web, objects("vhost", "bank")).await.is_empty(), "it was not theirs before");
    house.patch(Kind::Vhost, "bank", json!({"title": "theirs"})).await.unwrap();
    assert_eq!(rows(&house, &web, objects("vhost", "bank")).await.len(), 1);
    house.patch(Kind::Vhost, "bank", json!({"labels": null})).await.unwrap();
    assert!(rows(&house, &web, objects("vhost", "bank")).await.is_empty());

    // Deleted with what used it, at once.
    let operations = [(Kind::Vhost, "bank"), (Kind::Policy, "secret")];
    let operations = operations.map(|(kind, name)| (Operation::Delete { kind, name: n(name) }, Precondition::Base));
    service.batch(&caller(), "", None, operations.to_vec(), true).await.unwrap();
    assert!(rows(&house, &shop, objects("vhost", "bank")).await.is_empty());
    let secret = rows(&house, &shop, objects("policy", "secret")).await;
    assert_eq!(secret.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["create"], "when it was nobody's");
    // And again, as another's.
    house.put(Kind::Policy, "secret", json!({})).await;
    house.put(Kind::Vhost, "bank", vhost("bank", "secret")).await;
    assert!(rows(&house, &shop, objects("policy", "secret")).await.is_empty());

    // What was is kept no more: nobody knows whose it was then.
    house.service.prune_history(OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap()).await.unwrap();
    let first_kept = house.service.inner.store.first_kept().await.unwrap();
    assert!(
        rows(&house, &shop, AuditFilter::default())
            .await
            .iter()
            .all(|row| row.kind == "vhost" || row.revision.is_none_or(|revision| revision >= first_kept))
    );
    house.service.close().await;
}

#[sqlx::test]
async fn the_chain_is_for_who_may_read_all_of_it(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = town(options).await;
    let service = &house.service;
    let permit = |scope: Value| with(json!({"permits": [{"actions": ["read"], "kinds": ["audit"], "scope": scope}]}));
    let shop = json!({"vhosts": ["shop"]});
    for who in [admin_of(shop.clone()), permit(shop.clone())] {
        assert!(matches!(service.verify_audit(&who, None, 10).await, Err(Error::Forbidden)));
        assert!(rows(&house, &who, AuditFilter::default()).await.iter().all(|row| row.hash.is_none() && row.name != "bank"));
        assert!(matches!(service.audit_row(&who, 10).await, Err(Error::NotFound { .. })), "of `bank`");
        assert_eq!(service.audit_row(&who, 9).await.unwrap().name, "shop");
    }
    for who in [caller(), permit(json!({}))] {
        assert!(service.verify_audit(&who, None, 10).await.unwrap().ok);
        assert_eq!(rows(&house, &who, AuditFilter::default()).await.len(), 10);
        assert_eq!(service.audit_row(&who, 10).await.unwrap().hash.unwrap().len(), 64);
    }
    // A viewer of everything who administers one vhost reads that one's log alone.
    let both = with(json!({"roles": [{"role": "viewer"}, {"role": "admin", "scope": shop}]}));
    assert!(rows(&house, &both, AuditFilter::default()).await.iter().all(|row| row.name != "bank" && row.name != "secret"));
    let editor = with(json!({"roles": [{"role": "editor", "scope": {"vhosts": ["shop"]}}]}));
    assert!(matches!(service.audit_log(&editor, &AuditFilter::default(), None, true, 5).await, Err(Error::Forbidden)));
    house.service.close().await;
}

const VHOSTS: [&str; 4] = ["a", "b", "c", "d"];
const POLICIES: [&str; 3] = ["p", "q", "r"];
const LISTS: [&str; 2] = ["x", "y"];

fn an_operation(dice: &mut Dice) -> Operation {
    let title = json!(format!("{}", dice.below(1000)));
    let (kind, name) = match dice.below(10) {
        0..6 => (Kind::Vhost, dice.one(&VHOSTS)),
        6..9 => (Kind::Policy, dice.one(&POLICIES)),
        _ => (Kind::IpList, dice.one(&LISTS)),
    };
    if dice.often(20) {
        return Operation::Delete { kind, name: n(name) };
    }
    match kind {
        Kind::Vhost => {
            let mut vhost = vhost(name, dice.one(&POLICIES));
            vhost["title"] = title;
            if dice.often(60) {
                vhost["labels"] = json!({"team": dice.one(&["web", "ops"])});
            }
            if dice.often(40) {
                vhost["access"] = json!({"trust": [dice.one(&LISTS)]});
            }
            if dice.often(30) {
                vhost["paths"] = json!([{"prefix": "/x/", "policy": dice.one(&POLICIES)}]);
            }
            put(kind, name, vhost)
        }
        Kind::IpList if dice.often(50) => {
            let network = format!("192.0.2.{}", dice.below(200));
            let add = vec![serde_json::from_value(json!({"network": network})).unwrap()];
            Operation::BatchEntries { list: n(name), add, remove: vec![] }
        }
        _ => put(kind, name, json!({"title": title})),
    }
}

/// A history in which everything changes hands.
async fn a_past(house: &House, dice: &mut Dice, who: &[Caller]) {
    for name in POLICIES {
        house.put(Kind::Policy, name, json!({})).await;
    }
    for name in LISTS {
        house.put(Kind::IpList, name, json!({})).await;
    }
    for round in 0..300 {
        let by = &who[dice.below(who.len() as u64) as usize];
        if dice.often(25) {
            let many = (0..=dice.below(4)).map(|_| (an_operation(dice), Precondition::Base)).collect();
            let _ = house.service.batch(by, &format!("{round}"), None, many, true).await;
        } else {
            let operation = an_operation(dice);
            for precondition in [Precondition::Any, Precondition::None] {
                if house.service.write(by, operation.clone(), precondition, "").await.is_ok() {
                    break;
                }
            }
        }
        if dice.often(10) {
            let event = AuditEvent { action: "create", kind: "token", name: format!("t-{round}"), ..AuditEvent::default() };
            house.service.audit(by, event).await.unwrap();
        }
    }
}

/// Whether the caller sees it in the state of a revision: by the way of those who read states.
async fn sees_at(house: &House, who: &Caller, row: &AuditRecord, revision: Revision) -> bool {
    let snapshot = house.service.state_at(revision).await.unwrap();
    let seen = house.service.seen(who, &snapshot, None);
    let kind = [Kind::Vhost, Kind::Policy, Kind::IpList].into_iter().find(|kind| kind.as_str() == row.kind).unwrap();
    crate::service::object::Object::find(&seen, kind, &n(&row.name)).is_some()
}

async fn theirs(house: &House, who: &Caller, row: &AuditRecord) -> bool {
    if !["vhost", "policy", "ip_list"].contains(&row.kind.as_str()) {
        return row.principal_id == who.principal.id();
    }
    let revision = row.revision.unwrap();
    let before = row.action == "create" || sees_at(house, who, row, revision - 1).await;
    before && (row.action == "delete" || sees_at(house, who, row, revision).await)
}

/// What a filter lets through, said once more.
type Lets = Box<dyn Fn(&AuditRecord) -> bool>;

fn ids(rows: &[AuditRecord]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

#[sqlx::test]
async fn nobody_is_shown_a_row_of_anothers_whatever_they_ask(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    let house = House::new(options).await;
    let scopes = [
        json!({"vhosts": ["a"]}),
        json!({"vhosts": ["b", "c"]}),
        json!({"labels": {"team": "web"}}),
        json!({"hostnames": ["d.example.com"]}),
        json!({"vhosts": ["nothing"]}),
    ];
    let named = |(number, scope): (u128, &Value)| {
        let principal = match admin_of(scope.clone()).principal {
            Principal::Token { grant, .. } => Principal::Token { id: Uuid::from_u128(70 + number), name: format!("t-{number}"), grant },
            other => other,
        };
        Caller { principal, ..caller() }
    };
    let limited: Vec<Caller> = (0..).zip(&scopes).map(named).collect();
    let everybody: Vec<Caller> = limited.iter().cloned().chain([caller(), caller(), caller()]).collect();
    let mut dice = Dice(20_261_122);
    a_past(&house, &mut dice, &everybody).await;

    let all = rows(&house, &caller(), AuditFilter::default()).await;
    assert!(all.len() > 100 && all.len() < 501, "{}", all.len());
    for who in &limited {
        let mut expected = Vec::new();
        for row in &all {
            if theirs(&house, who, row).await {
                expected.push(row.id);
            }
        }
        let whole = rows(&house, who, AuditFilter::default()).await;
        assert_eq!(ids(&whole), expected, "{who:?}");
        assert!(!expected.is_empty() && expected.len() + 30 < all.len(), "{} of {}: the test would be empty", expected.len(), all.len());

        // In pages of any size: each is full but for the last, and none tells of what was passed over.
        for limit in [1, 2, 7, 50] {
            let (mut paged, mut before) = (Vec::new(), None);
            loop {
                let page = house.service.audit_log(who, &AuditFilter::default(), before, true, limit).await.unwrap();
                paged.extend(ids(&page));
                if page.len() < limit {
                    break;
                }
                before = page.last().map(|row| row.id);
            }
            assert_eq!(paged, expected, "by {limit}");
        }
        // From any place, also that of a row that they do not see.
        for from in [all[3].id, all[all.len() / 2].id] {
            let rest = house.service.audit_log(who, &AuditFilter::default(), Some(from), true, 501).await.unwrap();
            assert_eq!(ids(&rest), expected.iter().copied().filter(|id| *id < from).collect::<Vec<_>>());
        }
        for row in &all {
            match house.service.audit_row(who, row.id).await {
                Ok(one) => assert!(expected.contains(&row.id) && one.hash.is_none()),
                Err(Error::NotFound { .. }) => assert!(!expected.contains(&row.id), "{}", row.id),
                Err(error) => panic!("{error:?}"),
            }
        }

        // A filter gives what it lets through of what they see, and nothing else: whatever is in the other rows.
        let mut filters: Vec<(AuditFilter, Lets)> = Vec::new();
        for row in all.iter().step_by(5) {
            let one = row.clone();
            filters.push((
                AuditFilter { author: vec![row.author.clone()], ..AuditFilter::default() },
                Box::new(move |row| row.author == one.author),
            ));
            let one = row.clone();
            filters.push((objects(&row.kind, &row.name), Box::new(move |row| (&row.kind, &row.name) == (&one.kind, &one.name))));
            let one = row.clone();
            filters.push((AuditFilter { revision: row.revision, ..AuditFilter::default() }, {
                Box::new(move |row| one.revision.is_none() || row.revision == one.revision)
            }));
            let one = row.clone();
            filters.push((AuditFilter { at_gte: Some(row.at), ..AuditFilter::default() }, Box::new(move |row| row.at >= one.at)));
            let one = row.clone();
            filters.push((
                AuditFilter { q: Some(row.name.clone()), ..AuditFilter::default() },
                Box::new(move |row| {
                    [&row.author, &row.name, &row.request_id].iter().any(|text| text.contains(&one.name))
                        || row.address.as_ref().is_some_and(|address| address.contains(&one.name))
                }),
            ));
        }
        for (filter, lets) in filters {
            let found = ids(&rows(&house, who, filter.clone()).await);
            let some: Vec<i64> = whole.iter().filter(|row| lets(row)).map(|row| row.id).collect();
            assert_eq!(found, some, "{filter:?}");
        }

        // Nor is a name of what they do not see anywhere in what they read.
        let seen: BTreeSet<&str> = whole.iter().map(|row| row.name.as_str()).collect();
        for name in VHOSTS.iter().filter(|name| !seen.contains(*name)) {
            let text = serde_json::to_string(&whole).unwrap();
            assert!(!text.contains(&format!("\"{name}.example.com\"")), "{name}: {text}");
        }
    }
    house.service.close().await;
}
