//! Every operation of the OpenAPI document, asked by everybody, compared with `matrix.txt`. A new operation without a line in [`asked`] fails;
//! `UPDATE=1 cargo test api::tests::matrix` writes the table, for a reviewer to see what changes.

use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt as _;

use super::harness::{App, TOKEN, app, vhost};
use crate::api::{guard, openapi_json};
use crate::domain::{Action, Role, Subject};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

/// What an operation is, in the words of the matrix of roles, and a body that is good as far as it goes: what exists is written with an
/// `If-Match` that is stale, so that whoever may write is told 412, and nothing changes.
fn asked(operation: &str) -> Option<(Action, Subject, Option<Value>)> {
    use Action::{Create, Delete, Read, Update};
    use Subject::*;
    let site = || Some(vhost("in"));
    let empty = || Some(json!({}));
    Some(match operation {
        "list_vhosts" | "get_vhost" | "get_vhost_status" | "get_upstream_status" | "get_vhost_traffic" => (Read, Vhost, None),
        "put_vhost" => (Update, Vhost, site()),
        "patch_vhost" => (Update, Vhost, empty()),
        "delete_vhost" => (Delete, Vhost, None),
        "list_policies" | "get_policy" => (Read, Policy, None),
        "put_policy" | "patch_policy" => (Update, Policy, empty()),
        "delete_policy" => (Delete, Policy, None),
        "list_ip_lists" | "get_ip_list" => (Read, IpList, None),
        "put_ip_list" => (Update, IpList, empty()),
        // What an operator may write is in the list, so that a patch of it may be one of theirs: 412 comes first.
        "patch_ip_list" => (Update, Entry, empty()),
        "delete_ip_list" => (Delete, IpList, None),
        "list_entries" => (Read, Entry, None),
        "replace_entries" => (Update, Entry, Some(json!([]))),
        "batch_entries" => (Update, Entry, Some(json!({"add": [{"network": "192.0.2.1"}]}))),
        "list_exclusions" | "get_exclusion" => (Read, Exclusion, None),
        "put_exclusion" => (Update, Exclusion, Some(json!({"rule": {"id": 942110}}))),
        "patch_exclusion" => (Update, Exclusion, empty()),
        "delete_exclusion" => (Delete, Exclusion, None),
        "list_custom_rules" | "get_custom_rule" => (Read, CustomRule, None),
        "put_custom_rule" => (Update, CustomRule, Some(json!({"seclang": "SecRule ARGS \"@rx b\" \"deny\""}))),
        "patch_custom_rule" => (Update, CustomRule, empty()),
        "delete_custom_rule" => (Delete, CustomRule, None),
        "list_servers" | "get_server" => (Read, Server, None),
        "put_server" => (Update, Server, Some(json!({"address": "192.0.2.10", "port": 8080}))),
        "patch_server" => (Update, Server, empty()),
        "delete_server" => (Delete, Server, None),
        "list_paths" | "get_path" => (Read, Path, None),
        "put_path" | "patch_path" => (Update, Path, empty()),
        "delete_path" => (Delete, Path, None),
        "list_change_sets" | "get_change_set" | "diff_change_set" => (Read, ChangeSet, None),
        "create_change_set" => (Create, ChangeSet, empty()),
        "patch_change_set" => (Update, ChangeSet, Some(json!({"message": "x"}))),
        "discard_change_set" => (Delete, ChangeSet, None),
        "stage_operations" => (Update, ChangeSet, Some(json!({"operations": []}))),
        "put_desired" => (Update, ChangeSet, Some(json!({"objects": []}))),
        "rebase_change_set" => (Update, ChangeSet, None),
        "commit_change_set" => (Update, ChangeSet, empty()),
        "approve_change_set" => (Update, Approval, Some(json!({"version": 1, "plan_digest": "x"}))),
        "reject_change_set" => (Update, Approval, empty()),
        "plan_change_set" => (Create, Plan, None),
        "get_plan" => (Read, Plan, None),
        "list_revisions" | "get_revision" | "diff_revisions" => (Read, Revision, None),
        "plan_revision" => (Create, Plan, None),
        "plan_rollback" => (Create, Plan, empty()),
        // The plan is one that never was: whoever may go back is told 409.
        "rollback" => (Update, Revision, Some(json!({"plan_digest": "x"}))),
        "list_revision_files" | "get_revision_file" => (Read, File, None),
        "list_deployments" | "get_deployment" => (Read, Deployment, None),
        "get_status" | "get_traffic" => (Read, Status, None),
        "get_mode_override" => (Read, ModeOverride, None),
        // Wrong, so that whoever may is told 422.
        "put_mode_override" => (Update, ModeOverride, Some(json!({"mode": "off", "until": "2001-01-01T00:00:00Z", "reason": "x"}))),
        "delete_mode_override" => (Delete, ModeOverride, None),
        "stream_events" => (Read, Stream, None),
        "get_metrics" => (Read, Metrics, None),
        "list_roles" => (Read, Subject::Role, None),
        "list_tokens" | "get_token" => (Read, Token, None),
        // A token for nothing: whoever may make one is told 422.
        "create_token" => (Create, Token, Some(json!({"name": "x"}))),
        "revoke_token" => (Delete, Token, None),
        "list_audit" | "verify_audit" | "get_audit_row" => (Read, Audit, None),
        "list_sealing_keys" => (Read, Setting, None),
        "reseal_secrets" => (Update, Setting, None),
        "list_users" | "get_user" => (Read, User, None),
        "list_user_sessions" => (Read, Session, None),
        "end_user_sessions" | "end_user_session" => (Delete, Session, None),
        "create_user" => (Create, User, Some(json!({"email": "new@example.com", "roles": [{"role": "viewer"}]}))),
        "patch_user" => (Update, User, empty()),
        "create_setup_link" => (Update, User, empty()),
        "delete_user" => (Delete, User, None),
        _ => return None,
    })
}

/// What people do with their own account, whatever their roles: a token has none. Asked as people in `people` and `people_attacks`.
fn own(operation: &str) -> bool {
    ["change_password", "list_sessions", "end_session", "sign_out", "begin_totp", "confirm_totp", "disable_totp", "get_me"]
        .contains(&operation)
}

/// Where a path goes, for objects in scope or out of it.
fn filled(template: &str, side: &str) -> String {
    let of = [
        ("{vhost}", side),
        ("{policy}", side),
        ("{ip_list}", side),
        ("{exclusion}", "e"),
        ("{id}", "190001"),
        ("{server}", "s"),
        ("{prefix}", "%2Fx%2F"),
        ("{revision}", "1"),
        ("{path}", "haproxy.cfg"),
        ("{change_set}", NOBODYS),
        ("{plan}", NOBODYS),
        ("{deployment}", NOBODYS),
        ("{token}", NOBODYS),
        ("{user}", NOBODYS),
        ("{session}", NOBODYS),
    ];
    let path = of.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!path.contains('{'), "{path}: say what it stands for");
    path
}

async fn status(app: &App, method: &str, path: &str, body: Option<&Value>, token: Option<&str>) -> u16 {
    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let kind = if method == "patch" && !path.contains("change-sets") && !path.contains("users") {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let conditional =
        matches!(method, "put" | "patch" | "delete") && !["change-sets", "tokens", "users", "auth"].iter().any(|part| path.contains(part));
    if conditional {
        request = request.header("if-match", "\"999999\"");
    }
    let body = match body {
        Some(body) => {
            request = request.header("content-type", kind);
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    // The body of a stream has no end.
    app.router.clone().oneshot(request.body(body).unwrap()).await.unwrap().status().as_u16()
}

async fn token(app: &App, name: &str, mut what: Value) -> String {
    what["name"] = name.into();
    let made = app.ask("POST", "/api/v1/tokens", &["content-type: application/json"], what.to_string()).await.is(201);
    made.json()["token"].as_str().unwrap().to_owned()
}

async fn furnish(app: &App) {
    for side in ["in", "out"] {
        let rule = json!({"id": 190001, "seclang": "SecRule ARGS \"@rx a\" \"deny\""});
        let policy = json!({"exclusions": [{"id": "e", "rule": {"id": 942100}}], "custom_rules": [rule]});
        app.put(&format!("/api/v1/policies/{side}"), None, policy).await.is(201);
        app.put(&format!("/api/v1/ip-lists/{side}"), None, json!({})).await.is(201);
        let site = json!({
            "hostnames": [format!("{side}.example.com")], "policy": side, "access": {"trust": [side]}, "paths": [{"prefix": "/x/"}],
            "upstream": {"servers": [{"name": "s", "address": "192.0.2.10", "port": 8080}]},
        });
        app.put(&format!("/api/v1/vhosts/{side}"), None, site).await.is(201);
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn every_operation_by_everybody(pool: PgPool) {
    let app = app(&pool).await;
    furnish(&app).await;
    let mut global = vec![(Role::Admin, TOKEN.to_owned())];
    let mut scoped = Vec::new();
    for role in [Role::Editor, Role::Operator, Role::Viewer] {
        global.push((role, token(&app, role.as_str(), json!({"roles": [{"role": role}]})).await));
    }
    let scope = json!({"vhosts": ["in"]});
    for role in [Role::Admin, Role::Editor, Role::Operator, Role::Viewer] {
        let name = format!("{}-in", role.as_str());
        scoped.push((name.clone(), token(&app, &name, json!({"roles": [{"role": role, "scope": scope}]})).await));
    }
    let permit = json!({"actions": ["read", "create", "update", "delete"], "kinds": ["exclusion"], "scope": scope});
    scoped.push(("exclusions-in".to_owned(), token(&app, "exclusions-in", json!({"permits": [permit]})).await));
    let soon = (app.service.now() + time::Duration::milliseconds(700)).format(&time::format_description::well_known::Rfc3339).unwrap();
    let expired = token(&app, "expired", json!({"roles": [{"role": "admin"}], "expires_at": soon})).await;
    let elsewhere = token(&app, "elsewhere", json!({"roles": [{"role": "admin"}], "networks": ["198.51.100.0/24"]})).await;
    tokio::time::sleep(std::time::Duration::from_millis(750)).await;
    let head = app.service.head().revision;

    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut table = String::from(
        "# Generated by `UPDATE=1 cargo test api::tests::matrix`. Of a scope: the answer for what is in it, and for what is not.\n",
    );
    let (mut unknown, mut count) = (Vec::new(), 0);
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            if guard::PUBLIC.contains(&template.as_str()) {
                continue;
            }
            if own(name) {
                let path = filled(template, "in");
                for token in global.iter().map(|(_, token)| token).chain(scoped.iter().map(|(_, token)| token)) {
                    let status = status(&app, method, &path, Some(&json!({})), Some(token)).await;
                    let told = name == "get_me" && status == 200;
                    assert!(told || matches!(status, 403 | 422), "{name} by a token, which has no account: {status}");
                }
                for nobody in [None, Some(expired.as_str()), Some(elsewhere.as_str())] {
                    assert_eq!(status(&app, method, &path, Some(&json!({})), nobody).await, 401, "{name}");
                }
                continue;
            }
            let Some((action, subject, body)) = asked(name) else {
                unknown.push(name);
                continue;
            };
            count += 1;
            let body = body.as_ref();
            let _ = write!(table, "{name}: {} {}:", action.as_str(), subject.as_str());
            let path = filled(template, "in");
            for (role, token) in &global {
                let status = status(&app, method, &path, body, Some(token)).await;
                let _ = write!(table, " {}={status}", role.as_str());
                assert!(status < 500 && status != 401, "{name} by {role:?}: {status}");
                // That is for people alone: `approval` asks them.
                let may = role.may(action, subject) && subject != Subject::Approval;
                assert_eq!(status != 403, may, "{name} by {role:?}: {status} is not what the matrix of roles says");
            }
            for (who, token) in &scoped {
                let inside = status(&app, method, &path, body, Some(token)).await;
                let _ = write!(table, " {who}={inside}");
                // The chain goes through all rows.
                if !subject.row().scoped || name == "verify_audit" {
                    assert_eq!(inside, 403, "{name} by {who}");
                }
                if filled(template, "out") != path {
                    let outside = status(&app, method, &filled(template, "out"), body, Some(token)).await;
                    let _ = write!(table, "/{outside}");
                    assert!(matches!(outside, 403 | 404), "{name} by {who}, out of scope: {outside}");
                }
            }
            for nobody in [None, Some(expired.as_str()), Some(elsewhere.as_str())] {
                assert_eq!(status(&app, method, &path, body, nobody).await, 401, "{name}");
            }
            table.push('\n');
        }
    }
    assert!(unknown.is_empty(), "operations without a line in `asked`: {unknown:?}");
    assert!(count >= 67, "{count}");
    // One entry that all who may have added: nothing else was written, by anybody.
    assert_eq!(app.service.head().revision, head + 1);
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/tests/matrix.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs_err::write(&file, &table).unwrap();
    }
    assert_eq!(
        fs_err::read_to_string(&file).unwrap_or_default(),
        table,
        "src/api/tests/matrix.txt is out of step: who may do what has changed"
    );
}

#[sqlx::test(migrations = "./migrations")]
async fn a_token_is_shown_once_and_gives_no_more_than_its_maker_has(pool: PgPool) {
    let app = app(&pool).await;
    furnish(&app).await;
    let made = token(&app, "pipeline", json!({"roles": [{"role": "editor", "scope": {"vhosts": ["in"]}}]})).await;
    assert!(made.starts_with("gpx_"));
    let again = app.ask(
        "POST",
        "/api/v1/tokens",
        &["content-type: application/json"],
        json!({"name": "pipeline", "roles": [{"role": "viewer"}]}).to_string(),
    );
    again.await.problem(409, "conflict");
    let as_ = async |token: &str, method: &str, path: &str, body: Value| {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        app.send(request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()).await
    };
    as_(&made, "GET", "/api/v1/vhosts/in", Value::Null).await.is(200);
    let list = app.get("/api/v1/tokens").await.is(200);
    assert!(!list.text.contains(&made) && !list.text.contains("hash"), "{}", list.text);
    let item = list.json()["items"].as_array().unwrap().iter().find(|item| item["name"] == "pipeline").unwrap().clone();
    assert_eq!((&item["created_by"], item["last_used_at"].is_string()), (&"token:admin".into(), true));

    // One that may make tokens makes none that may do what it may not itself, nor for longer, nor from elsewhere.
    let permits = json!([{"actions": ["read", "create", "delete"], "kinds": ["token", "exclusion"]}]);
    let maker = token(&app, "maker", json!({"permits": permits, "expires_at": "2999-01-01T00:00:00Z"})).await;
    let make = async |body: Value| as_(&maker, "POST", "/api/v1/tokens", body).await;
    make(json!({"name": "a", "roles": [{"role": "viewer"}], "expires_at": "2998-01-01T00:00:00Z"})).await.problem(403, "forbidden");
    let less = json!([{"actions": ["read"], "kinds": ["exclusion"], "scope": {"vhosts": ["in"]}}]);
    make(json!({"name": "a", "permits": less})).await.problem(403, "forbidden");
    make(json!({"name": "a", "permits": less, "expires_at": "2998-01-01T00:00:00Z"})).await.is(201);
    let admin =
        app.get("/api/v1/tokens").await.json()["items"].as_array().unwrap().iter().find(|one| one["name"] == "admin").unwrap()["id"]
            .clone();
    as_(&maker, "DELETE", &format!("/api/v1/tokens/{}", admin.as_str().unwrap()), Value::Null).await.problem(403, "forbidden");

    for (wrong, pointer) in [
        (json!({"name": "b"}), "/permits"),
        (json!({"name": "b", "roles": [{"role": "viewer"}], "expires_at": "2001-01-01T00:00:00Z"}), "/expires_at"),
        (json!({"name": "b", "permits": [{"actions": [], "kinds": ["vhost"]}]}), "/permits/0/actions"),
        (json!({"name": "b", "roles": [{"role": "owner"}]}), "/roles/0/role"),
        (json!({"name": "b", "roles": [{"role": "viewer"}], "hash": "x"}), "/hash"),
    ] {
        let problem =
            app.ask("POST", "/api/v1/tokens", &["content-type: application/json"], wrong.to_string()).await.problem(422, "invalid");
        assert_eq!(super::harness::pointers(&problem), [pointer]);
    }
    // Revoked, it is nobody's at once.
    let path = format!("/api/v1/tokens/{}", item["id"].as_str().unwrap());
    app.ask("DELETE", &path, &[], Body::empty()).await.is(204);
    app.get(&path).await.problem(404, "not_found");
    as_(&made, "GET", "/api/v1/vhosts/in", Value::Null).await.problem(401, "unauthenticated");
}
