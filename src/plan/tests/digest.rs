//! One digest a plan: whatever it says, and nothing else, makes another.

use super::*;

fn digest(before: &Snapshot, after: &Snapshot, said: &[&str]) -> String {
    let (old, new) = (bundle(before), bundle(after));
    let said: Vec<String> = said.iter().map(|said| (*said).to_owned()).collect();
    super::super::digest(&Outcome { before, after, bundles: Some((Some(&old), &new)), said: &said, now: NOW })
}

/// The same states, with a vhost and a policy more that both have.
fn beside(snapshot: &Snapshot) -> Snapshot {
    let mut out = snapshot.clone();
    sample::put_policy(&mut out, 9, json!({"name": "other", "allowed_methods": ["GET"]}));
    sample::put_vhost(&mut out, 9, vhost(json!({"name": "other", "hostnames": ["other.test"], "policy": "other"})));
    out.revision = 99;
    out
}

/// The same, written by a later revision.
fn later(snapshot: &Snapshot) -> Snapshot {
    let mut out = snapshot.clone();
    for policy in out.policies.values_mut() {
        let mut later = policy.as_ref().clone();
        (later.revision, later.created_at, later.updated_at) = (50, NOW + Duration::DAY, NOW + Duration::DAY);
        *policy = Arc::new(later);
    }
    out
}

#[test]
fn what_others_do_elsewhere_leaves_it() {
    let (before, after) = (state(json!({}), json!({}), json!({})), state(json!({"mode": "detect"}), json!({}), json!({})));
    let known = digest(&before, &after, &[]);
    assert_eq!((known.len(), &digest(&before, &after, &[])), (64, &known));
    assert_eq!(digest(&beside(&before), &beside(&after), &[]), known, "unrelated objects");
    assert_eq!(digest(&before, &later(&after), &[]), digest(&before, &later(&later(&after)), &[]), "times");
    assert_eq!(digest(&later(&before), &later(&after), &[]), known, "revisions");
}

#[test]
fn what_it_says_makes_it() {
    let before = state(json!({}), json!({}), json!({}));
    let detect = state(json!({"mode": "detect"}), json!({}), json!({}));
    let known = digest(&before, &detect, &[]);
    let mut listed = detect.clone();
    put_list(&mut listed, 1, "x", vec![]);
    let mut entries = detect.clone();
    put_list(&mut entries, 1, "x", vec![entry("192.0.2.0/24")]);
    let all = [
        known,
        digest(&before, &before, &[]),
        digest(&before, &detect, &["not_validated"]),
        digest(&before, &detect, &["not_", "validated"]),
        digest(&detect, &before, &[]),
        digest(&before, &state(json!({"mode": "off"}), json!({}), json!({})), &[]),
        digest(&before, &state(json!({"mode": "detect", "title": "x"}), json!({}), json!({})), &[]),
        digest(&before, &listed, &[]),
        digest(&before, &entries, &[]),
        // the same change, of which one vhost more is affected
        {
            let two = |snapshot: &Snapshot| {
                let mut out = snapshot.clone();
                sample::put_vhost(&mut out, 2, vhost(json!({"name": "b", "hostnames": ["b.test"]})));
                out
            };
            digest(&two(&before), &two(&detect), &[])
        },
        super::super::digest(&Outcome { before: &before, after: &detect, bundles: None, said: &[], now: NOW }),
    ];
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len(), "{all:?}");
}

#[test]
fn it_is_made_over_what_a_plan_leaves_out() {
    // the last of 700 objects, of which a diff shows 500
    let sites = |title: &str| {
        let mut out = sample::snapshot(700, 1);
        let mut last = out.vhosts.last_key_value().unwrap().1.as_ref().clone();
        last.spec.title = title.parse().unwrap();
        out.put_vhost(Arc::new(last));
        out
    };
    let none = Snapshot::default();
    let (one, other) = (sites("a"), sites("b"));
    assert_eq!(super::super::diff(&none, &one, None), super::super::diff(&none, &other, None));
    assert_ne!(digest(&none, &one, &[]), digest(&none, &other, &[]));
}
