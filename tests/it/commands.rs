//! What administrators and those who are called at night do from a shell, with the real program, and what the API shows afterwards.

use serde_json::{Value, json};

use crate::as_code::{head, policy, run, run_with, vhost, write};
use crate::stack::{Stack, eventually};
use crate::wire::{SQLI, get};

const ADA: &str = "ada@example.com";

async fn person(stack: &Stack, email: &str) -> Value {
    stack.get(&format!("/api/v1/users?q={email}")).await.expect(200).body["items"][0].clone()
}

/// The access token, where it is let in.
async fn sign_in(stack: &Stack, email: &str, password: &str) -> Option<String> {
    let body = json!({ "email": email, "password": password });
    let answer = stack.call("POST", "/api/v1/auth/sign-in", &[], Some(&body)).await;
    assert!(matches!(answer.status, 200 | 401), "{:#}", answer.body);
    answer.body["access_token"].as_str().map(str::to_owned)
}

/// What the API answers to a token.
async fn status_for(stack: &Stack, token: &str, path: &str) -> u16 {
    let url = format!("http://{}{path}", stack.api);
    reqwest::Client::new().get(url).bearer_auth(token).send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_change_and_go_from_a_shell() {
    let stack = Stack::start().await;
    let work = tempfile::tempdir().expect("a folder");
    let user = async |arguments: &[&str], code: i32| run(&stack, work.path(), &[&["user"], arguments].concat()).await.expect(code);
    let choose = async |token: &str, email: &str, password: &str, code: i32| {
        write(work.path(), "password", &format!("{password}\n"));
        let arguments = ["user", "choose-password", email, "--password-file", "password"];
        run_with(token.trim(), &stack, work.path(), &arguments).await.expect(code)
    };
    let of = ["--vhost", "shop", "--label", "team=web", "--hostname", "*.shop.test"];
    let scope = json!({ "vhosts": ["shop"], "labels": { "team": "web" }, "hostnames": ["*.shop.test"] });
    let link =
        user(&[&["add", "Ada@example.com", "--title", "Ada", "--role", "viewer", "--role", "editor"], &of[..]].concat(), 0).await.out;
    let ada = person(&stack, ADA).await;
    assert_eq!(ada["roles"], json!([{ "role": "viewer", "scope": scope }, { "role": "editor", "scope": scope }]));
    assert_eq!((&ada["title"], &ada["ready"]), (&json!("Ada"), &json!(false)));
    assert!(user(&["list"], 0).await.out.contains("ada@example.com  invited  viewer on shop, team=web, *.shop.test; editor on"));
    user(&["add", ADA, "--role", "viewer"], 1).await;

    choose(&link, ADA, "correct horse battery", 0).await;
    choose(&link, ADA, "another horse battery", 1).await;
    assert_eq!(person(&stack, ADA).await["ready"], true);
    sign_in(&stack, ADA, "correct horse battery").await.expect("she is let in");
    sign_in(&stack, ADA, "correct horse battery").await.expect("again");
    let sessions = format!("/api/v1/users/{}/sessions", ada["id"].as_str().expect("an id"));
    let there = async || stack.get(&sessions).await.expect(200).body["items"].clone();
    let listed: Value = serde_json::from_str(&user(&["sessions", ADA, "--json"], 0).await.out).expect("JSON");
    assert_eq!((listed.as_array().map(Vec::len), &listed), (Some(2), &there().await));
    let one = listed[0]["id"].as_str().expect("an id");
    assert!(user(&["sessions", ADA], 0).await.out.contains(one));
    user(&["sign-out", ADA, "--session", one], 0).await;
    assert_eq!(there().await, json!([listed[1]]));
    user(&["sign-out", ADA], 0).await;
    assert_eq!(there().await, json!([]));

    // What is not named stays.
    let said = user(&["change", ADA, "--title", "Ada L."], 0).await.out;
    assert!(said.starts_with("ada@example.com  Ada L.  viewer on shop"), "{said}");
    assert_eq!(person(&stack, ADA).await["roles"], ada["roles"]);
    user(&["change", ADA, "--role", "operator", "--hostname", "shop.test"], 0).await;
    let changed = person(&stack, ADA).await;
    assert_eq!(changed["roles"], json!([{ "role": "operator", "scope": { "hostnames": ["shop.test"] } }]));
    assert_eq!(changed["title"], "Ada L.");
    for wrong in [&["change", ADA][..], &["change", ADA, "--vhost", "shop"], &["change", "bob@example.com", "--title", "Bob"]] {
        user(wrong, 1).await;
    }
    assert_eq!(person(&stack, ADA).await, changed);

    user(&["disable", ADA], 0).await;
    assert_eq!(person(&stack, ADA).await["disabled"], true);
    assert!(sign_in(&stack, ADA, "correct horse battery").await.is_none());
    user(&["enable", ADA], 0).await;
    assert_eq!(person(&stack, ADA).await["disabled"], false);
    let link = user(&["reset-password", ADA], 0).await.out;
    sign_in(&stack, ADA, "correct horse battery").await.expect("it is good until the link is used");
    choose(&link, ADA, "another horse battery", 0).await;
    assert!(sign_in(&stack, ADA, "correct horse battery").await.is_none());
    sign_in(&stack, ADA, "another horse battery").await.expect("the new one");
    user(&["delete", ADA], 0).await;
    assert_eq!(person(&stack, ADA).await, Value::Null);
    assert!(user(&["delete", ADA], 1).await.err.contains("there is nobody with the e-mail address"));

    // In the database itself, where nobody can be asked.
    let config = stack.path("guard-proxy.toml");
    let link = user(&["setup-link", "--config", config.to_str().expect("a path")], 0).await.out;
    choose(&link, "root@example.com", "correct horse battery", 0).await;
    assert_eq!(person(&stack, "root@example.com").await["roles"], json!([{ "role": "admin", "scope": {} }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_modes_and_tokens_begin_and_end_from_a_shell() {
    let stack = Stack::start().await;
    stack.site("a", json!({})).await;
    let work = tempfile::tempdir().expect("a folder");
    let shell = async |arguments: &[&str], code: i32| run(&stack, work.path(), arguments).await.expect(code);
    let becomes =
        async |status| eventually("the wire follows", async || stack.status("a", get(&format!("/?{SQLI}"))).await == status).await;
    let path = "/api/v1/vhosts/a/mode-override";
    let set = ["mode-override", "set", "a", "detect", "--reason", "they cannot pay", "--minutes"];
    shell(&[&set[..], &["0"]].concat(), 1).await;
    let said = shell(&[&set[..], &["30"]].concat(), 0).await.out;
    assert!(said.starts_with("a is in emergency mode detect until ") && said.ends_with(": they cannot pay\n"), "{said}");
    let there = stack.get(path).await.expect(200).body;
    assert_eq!((&there["mode"], &there["reason"]), (&json!("detect"), &json!("they cannot pay")));
    becomes(200).await;
    assert_eq!(shell(&["mode-override", "list"], 0).await.out, said);
    let listed: Value = serde_json::from_str(&shell(&["mode-override", "list", "--json"], 0).await.out).expect("JSON");
    assert_eq!(listed, json!([there]));
    shell(&["mode-override", "end", "a"], 0).await;
    stack.get(path).await.expect(404);
    becomes(403).await;
    assert_eq!(shell(&["mode-override", "list"], 0).await.out, "");
    shell(&["mode-override", "set", "none", "off", "--reason", "x", "--minutes", "1"], 1).await;

    let text =
        shell(&["token", "create", "ci", "--role", "editor", "--vhost", "a", "--network", "127.0.0.0/8", "--days", "2"], 0).await.out;
    let text = text.trim();
    let find = async |name: &str| -> Value {
        let all = stack.get("/api/v1/tokens").await.expect(200).body["items"].clone();
        all.as_array().into_iter().flatten().find(|one| one["name"] == name).cloned().unwrap_or_default()
    };
    let made = find("ci").await;
    assert_eq!(made["roles"], json!([{ "role": "editor", "scope": { "vhosts": ["a"] } }]));
    assert!(made["networks"] == json!(["127.0.0.0/8"]) && made["expires_at"].is_string(), "{made}");
    assert_eq!(status_for(&stack, text, "/api/v1/vhosts/a").await, 200);
    assert_eq!(status_for(&stack, text, "/api/v1/tokens").await, 403);
    let listed = shell(&["token", "list"], 0).await.out;
    assert!(listed.contains("ci  editor of a; from 1 network; until ") && !listed.contains(text), "{listed}");
    shell(&["token", "create", "ci", "--role", "viewer"], 1).await;
    // Nobody makes one that may do more than theirs.
    run_with(text, &stack, work.path(), &["token", "create", "more", "--role", "admin"]).await.expect(1);
    shell(&["token", "revoke", "ci"], 0).await;
    assert_eq!((find("ci").await, status_for(&stack, text, "/api/v1/vhosts/a").await), (Value::Null, 401));
    assert!(shell(&["token", "revoke", "ci"], 1).await.err.contains("there is no token `ci`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_touches_a_protected_vhost_waits_and_running_it_again_commits_it() {
    let stack = Stack::start().await;
    let work = tempfile::tempdir().expect("a folder");
    let bob = json!({ "email": "bob@example.com", "roles": [{ "role": "editor" }] });
    let link = stack.call("POST", "/api/v1/users", &[], Some(&bob)).await.expect(201).body["setup"]["token"].clone();
    let chosen = json!({ "token": link, "email": "bob@example.com", "password": "correct horse battery" });
    stack.call("POST", "/api/v1/auth/setup", &[], Some(&chosen)).await.expect(200);
    let bob = sign_in(&stack, "bob@example.com", "correct horse battery").await.expect("he is let in");
    let waiting = async || {
        let list = stack.get("/api/v1/change-sets?state=awaiting_approval").await.expect(200).body["items"].clone();
        list.as_array().cloned().unwrap_or_default()
    };
    let approve = async |commit: bool| {
        let waiting = waiting().await;
        let [one] = waiting.as_slice() else { panic!("{waiting:?}") };
        let body = json!({ "version": one["version"], "plan_digest": one["approval"]["plan_digest"], "commit": commit });
        let url = format!("http://{}/api/v1/change-sets/{}/approve", stack.api, one["id"].as_str().expect("an id"));
        let answer = reqwest::Client::new().post(url).bearer_auth(&bob).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    };
    write(work.path(), "waf/policy.yaml", &policy("block"));
    write(work.path(), "waf/vhost.yaml", &format!("{}protected: true\n", vhost(&stack)));
    let refused = run(&stack, work.path(), &["apply", "waf", "--yes"]).await.expect(1);
    assert!(refused.err.contains("nothing was committed") && refused.err.contains("--submit"), "{}", refused.err);
    assert!(waiting().await.is_empty());
    // However often it is run, one thing waits.
    let submit = ["apply", "waf", "--yes", "--submit"];
    for _ in 0..2 {
        let waits = run(&stack, work.path(), &submit).await.expect(3);
        assert!(waits.err.contains("awaits the approval of somebody else; it touches the protected"), "{}", waits.err);
        assert_eq!(waiting().await.len(), 1);
    }
    assert_eq!(head(&stack).await, 0);
    approve(false).await;
    assert_eq!(head(&stack).await, 0, "a yes without a commit");
    let done = run(&stack, work.path(), &submit).await.expect(0);
    assert!(done.out.contains("Revision 1 is live and proven"), "{}", done.out);
    let revision = stack.get("/api/v1/revisions/1").await.expect(200).body;
    assert_eq!(revision["origin"]["approved_by"], "user:bob@example.com");
    assert_eq!(stack.status("a", get(&format!("/?{SQLI}"))).await, 403);
    // A policy of it, too; where the yes commits it, there is nothing left to do.
    write(work.path(), "waf/policy.yaml", &policy("detect"));
    run(&stack, work.path(), &submit).await.expect(3);
    approve(true).await;
    run(&stack, work.path(), &submit).await.expect(0);
    assert_eq!(head(&stack).await, 2);
    eventually("it is live", async || stack.status("a", get(&format!("/?{SQLI}"))).await == 200).await;
}
