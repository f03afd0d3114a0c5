//! Lists, against a judge that knows nothing of prefixes.

use proptest::prelude::*;

use super::*;
use crate::domain::Network;

/// The verdict by the precedence of the product, from the lists themselves.
fn judge(deny: &[Network], allow_only: &[Network], trust: &[Network], client: IpAddr) -> &'static str {
    let on = |networks: &[Network]| networks.iter().any(|network| network.contains(client));
    match () {
        () if on(deny) || (!allow_only.is_empty() && !on(allow_only)) => "deny",
        () if on(trust) => "trust",
        () => "allow",
    }
}

fn snapshot(deny: &[&str], allow_only: &[&str], trust: &[&str]) -> Snapshot {
    let mut snapshot = one();
    let mut access = serde_json::Map::new();
    for (number, field, networks) in [(1, "deny", deny), (2, "allow_only", allow_only), (3, "trust", trust)] {
        let list = field.replace('_', "-");
        put_list(&mut snapshot, number, &list, networks);
        if !networks.is_empty() {
            access.insert(field.to_owned(), json!([list]));
        }
    }
    let vhost = json!({"name": "a", "hostnames": ["a.test"], "policy": "p", "upstream": upstream(), "access": access});
    put_vhost(&mut snapshot, 1, vhost);
    snapshot
}

fn found(desired: &Desired, client: &str) -> String {
    let profile = desired.probes[&name("a")].row.split('|').nth(3).unwrap().to_owned();
    super::super::access::lookup(&desired.maps[&MapName::Access], &profile, client.parse().unwrap()).unwrap().0.to_owned()
}

#[test]
fn precedence_and_borders() {
    let desired = compiled(&snapshot(
        &["10.1.0.0/16", "192.0.2.128/25", "2001:db8:bad::/48"],
        &[],
        &["10.1.2.0/24", "198.51.100.0/22", "32.1.0.0/16", "2001:db8:600c::/47"],
    ));
    for (client, verdict) in [
        ("10.1.9.9", "deny"),
        ("10.1.2.3", "deny"),
        ("10.2.0.1", "allow"),
        ("192.0.2.127", "allow"),
        ("192.0.2.128", "deny"),
        ("::ffff:10.1.9.9", "deny"),
        ("2001:db8:bad::1", "deny"),
        ("2001:db8:bae::1", "allow"),
        ("198.51.103.255", "trust"),
        ("198.51.104.1", "allow"),
        // the same digits in the other family
        ("32.1.9.9", "trust"),
        ("2001:9::1", "allow"),
        ("2001:db8:600d:ffff::1", "trust"),
        ("2001:db8:600e::1", "allow"),
    ] {
        assert_eq!(found(&desired, client), verdict, "{client}");
    }
}

#[test]
fn an_allow_list_with_nobody_on_it_lets_nobody_in() {
    let mut snapshot = snapshot(&[], &["10.0.0.0/8"], &["10.9.0.0/16"]);
    let desired = compiled(&snapshot);
    assert_eq!(["10.1.0.1", "10.9.0.1", "192.0.2.1"].map(|client| found(&desired, client)), ["allow", "trust", "deny"]);
    let expired = list(2, "allow-only", [Entry { expires_at: Some(NOW), ..entry("10.0.0.0/8") }]);
    for list in [expired, list(2, "allow-only", [])] {
        snapshot.ip_lists.insert(list.list.spec.name.clone(), list);
        let desired = compiled(&snapshot);
        assert_eq!(["10.1.0.1", "10.9.0.1", "2001:db8::1"].map(|client| found(&desired, client)), ["deny"; 3]);
    }
}

#[test]
fn vhosts_with_the_same_lists_share_a_profile() {
    let mut snapshot = snapshot(&["10.0.0.0/8"], &[], &["10.9.0.0/16"]);
    put_list(&mut snapshot, 12, "more", &["192.0.2.0/24"]);
    for (number, deny) in [(2, json!(["deny"])), (3, json!(["more", "deny", "more"])), (4, json!(["deny", "more"]))] {
        let access = json!({"deny": deny, "trust": ["trust"]});
        let vhost = json!({"name": format!("v{number}"), "hostnames": [format!("v{number}.test")], "policy": "p", "upstream": upstream(), "access": access});
        put_vhost(&mut snapshot, number, vhost);
    }
    let desired = compiled(&snapshot);
    let profiles: Vec<&str> = desired.probes.values().map(|probe| probe.row.split('|').nth(3).unwrap()).collect();
    assert_eq!(profiles, ["d1_t3", "d1_t3", "d1.12_t3", "d1.12_t3"]);
    assert_eq!(desired.maps[&MapName::Access].iter().filter(|(key, _)| key.ends_with('|')).count(), 2);
}

#[test]
fn whole_families() {
    let desired = compiled(&snapshot(&["0.0.0.0/0"], &[], &["::/0"]));
    assert_eq!(["8.8.8.8", "2a00::1", "::ffff:8.8.8.8"].map(|client| found(&desired, client)), ["deny", "trust", "deny"]);
}

#[test]
fn probes_expect_what_the_map_says() {
    let desired = compiled(&snapshot(&["203.0.113.0/24", "2001:db8:bad::/48"], &["203.0.113.0/25", "10.0.0.0/8"], &["10.9.0.0/16"]));
    let clients: Vec<String> = desired.probes[&name("a")].clients.iter().map(|(client, verdict)| format!("{client} {verdict}")).collect();
    assert_eq!(clients, ["203.0.113.1 deny", "2001:db8:bad:: deny", "10.0.0.1 allow", "10.9.0.1 trust", "198.51.100.77 deny"],);
}

fn network() -> impl Strategy<Value = String> {
    // few bits, so that networks overlap
    let v4 = (0u32..8, 20u8..=32).prop_map(|(n, length)| format!("10.0.{}.{}/{length}", n % 4, n * 32));
    let v6 = (0u32..8, 0u8..=128).prop_map(|(n, length)| format!("2001:db8:{n}::{n}/{length}"));
    prop_oneof![v4, v6, Just("0.0.0.0/0".to_owned()), Just("::/0".to_owned())]
}

proptest! {
    #[test]
    fn the_map_agrees_with_the_lists(
        deny in proptest::collection::vec(network(), 0..4), allow_only in proptest::collection::vec(network(), 0..4),
        trust in proptest::collection::vec(network(), 0..4), clients in proptest::collection::vec((0u32..8, any::<u8>()), 1..20),
    ) {
        let texts = |networks: &Vec<String>| networks.iter().map(|n| n.as_str().to_owned()).collect::<Vec<_>>();
        let (d, a, t) = (texts(&deny), texts(&allow_only), texts(&trust));
        let refs = |networks: &'_ Vec<String>| -> Vec<Network> { networks.iter().map(|n| n.parse().unwrap()).collect() };
        let desired = compiled(&snapshot(
            &d.iter().map(String::as_str).collect::<Vec<_>>(),
            &a.iter().map(String::as_str).collect::<Vec<_>>(),
            &t.iter().map(String::as_str).collect::<Vec<_>>(),
        ));
        let profile = desired.probes[&name("a")].row.split('|').nth(3).unwrap().to_owned();
        prop_assume!(profile != "-");
        for (n, low) in clients {
            for client in [format!("10.0.{}.{low}", n % 4), format!("2001:db8:{n}::{low:x}"), format!("11.0.0.{low}")] {
                let client: IpAddr = client.parse().unwrap();
                let (verdict, _) = super::super::access::lookup(&desired.maps[&MapName::Access], &profile, client).unwrap();
                prop_assert_eq!(verdict, judge(&refs(&deny), &refs(&allow_only), &refs(&trust), client), "{}", client);
            }
        }
    }
}
