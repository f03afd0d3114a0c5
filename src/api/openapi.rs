//! The OpenAPI document: what the handlers say, and what all of them have in common, said once. Committed as `openapi/openapi.json`.

use serde_json::{Map, Value, json};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, Info, License, OpenApi, OpenApiBuilder, Paths, Tag};
use utoipa::{PartialSchema, ToSchema};

use super::codes::Code;
use super::openapi_schemas::{self as schemas, ELEMENTS, KINDS};
use super::problem::ProblemBody;
use super::{guard, router};
use crate::domain::FieldError;

/// What the handlers do not say.
pub fn base() -> OpenApi {
    let mut info = Info::new("Guard Proxy", "1");
    info.description = Some(
        "The policy control plane of a web application firewall for many sites. Changes are validated by the engines, put live, and proven \
         on the wire. Conventions: docs/api-design.md; codes of problems: docs/problems.md."
            .to_owned(),
    );
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let tag = |(name, about): (&str, &str)| {
        let mut tag = Tag::new(name);
        tag.description = Some(about.to_owned());
        tag
    };
    let tags = [
        ("vhosts", "Protected sites: hostnames, upstream, policy, access."),
        ("policies", "How the WAF treats requests: mode, paranoia levels, thresholds, exclusions, custom rules."),
        ("ip-lists", "Named sets of networks, used by vhosts to deny, allow only, or trust."),
        ("change-sets", "Staged writes against a base revision, seen by their author alone; plans of what committing would do."),
        ("revisions", "Immutable, numbered snapshots of the whole intended state."),
        ("deployments", "Bringing a revision to the nodes."),
        ("status", "What is live, what has been seen to be, and what moves."),
        ("access", "Who may do what: roles, tokens."),
        ("auth", "Signing in, sessions, passwords and authenticators of whoever asks."),
        ("users", "People who may sign in; for administrators."),
        ("keys", "Keys that seal secrets in the database, and changing them."),
        ("audit", "Who did what, when: a chain that shows what was changed in it."),
        ("operation", "Health, metrics, this document."),
    ];
    let mut components = Components::new();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some("A token of Guard Proxy, or the access token that signing in gives.".to_owned());
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut schemas = vec![
        (ProblemBody::name().into_owned(), ProblemBody::schema()),
        (FieldError::name().into_owned(), FieldError::schema()),
        (Code::name().into_owned(), Code::schema()),
    ];
    ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    OpenApiBuilder::new().info(info).paths(Paths::new()).components(Some(components)).tags(Some(tags.map(tag))).build()
}

/// The document, typed.
pub fn openapi() -> OpenApi {
    // Never otherwise: a test reads the document back.
    serde_json::from_value(document()).unwrap_or_else(|_| router::routes().into_openapi())
}

/// The document as it is committed and served: pretty, with a newline at the end.
pub fn openapi_json() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn document() -> Value {
    let text = serde_json::to_string(&router::routes().into_openapi()).unwrap_or_default();
    let mut document: Value = serde_json::from_str(&names(text).replace("{*path}", "{path}")).unwrap_or_default();
    document["security"] = json!([{ "bearer": [] }]);
    let mut all = document["components"]["schemas"].take();
    if let Some(all) = all.as_object_mut() {
        schemas::complete(all);
    }
    document["components"]["schemas"] = all;
    schemas::revisions(&mut document);
    document["components"]["headers"] = headers();
    document["components"]["responses"] = problems();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation_in_common(path, method, operation);
        }
    }
    document
}

/// `Page_VhostRepresentation_Vhost` and its like, by the names that clients should see.
fn names(mut text: String) -> String {
    for kind in KINDS {
        text = text.replace(&format!("{kind}Representation_{kind}"), &format!("{kind}Representation"));
        text = text.replace(&format!("Page_{kind}Representation"), &format!("{kind}Page"));
    }
    for (element, _) in ELEMENTS {
        text = text.replace(&format!("{element}Representation_{element}"), &format!("{element}Representation"));
        text = text.replace(&format!("Elements_{element}Representation"), &format!("{element}List"));
    }
    text =
        text.replace("Page_EntryRepresentation", "EntryPage").replace("Page_User", "UserPage").replace("Page_RevisionInfo", "RevisionPage");
    text.replace("Feed_Deployment", "DeploymentPage").replace("Feed_ChangeSet", "ChangeSetPage").replace("Feed_AuditRecord", "AuditPage")
}

/// What the callers of an operation must know that no handler says.
fn operation_in_common(path: &str, method: &str, operation: &mut Value) {
    if let Some(name) = operation.pointer_mut("/requestBody/content/application~1merge-patch+json/schema/$ref") {
        *name = format!("{}Patch", name.as_str().unwrap_or_default()).into();
    }
    let public = guard::PUBLIC.contains(&path);
    let writes = matches!(method, "put" | "patch" | "post" | "delete");
    let people = path.starts_with("/api/v1/auth/") || path.starts_with("/api/v1/users");
    let credential = guard::CREDENTIALS.contains(&path);
    let configures = !people && !path.starts_with("/api/v1/change-sets") && !path.starts_with("/api/v1/tokens");
    // No part of any revision.
    let configures = configures && !path.ends_with("/mode-override");
    let conditional = configures && matches!(method, "put" | "patch" | "delete");
    let body = operation.get("requestBody").is_some();
    let tagged = path.starts_with("/api/v1/vhosts/") || path.starts_with("/api/v1/policies/") || path.starts_with("/api/v1/ip-lists/");
    let reads_one = method == "get" && operation["responses"].get("304").is_some() && !public;

    if conditional {
        parameter(operation, "If-Match", "The ETag that was read, or `*`. Wanted to change what exists.");
    }
    if conditional && method == "put" && !path.ends_with("/entries") {
        parameter(operation, "If-None-Match", "`*`: create only.");
    }
    if reads_one {
        parameter(operation, "If-None-Match", "ETags that the caller has: 304 if one of them is current.");
    }
    if let Some(response) = operation.pointer_mut("/responses/202") {
        or_awaiting(response);
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        let mut names = vec!["X-Request-Id"];
        if tagged
            && status != "204"
            && !path.ends_with("/status")
            && (reads_one || writes || path.ends_with("/entries"))
            && method != "delete"
        {
            names.push("ETag");
        }
        if writes && !people && !path.starts_with("/api/v1/tokens") {
            names.push("Guard-Proxy-Revision");
            if status != "202" {
                names.push("Guard-Proxy-Live-Revision");
            }
        }
        if status == "200" && matches!(path, "/api/v1/auth/sign-in" | "/api/v1/auth/refresh") {
            names.push("Set-Cookie");
        }
        if matches!(status.as_str(), "201" | "202" | "303") {
            names.push("Location");
        }
        response["headers"] =
            names.iter().map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))).collect();
    }
    let mut codes: Vec<(u16, bool)> = vec![
        (400, true),
        (401, !public || credential),
        (403, !public || credential),
        (404, path.contains('{') || of_the_past(path, operation)),
        (408, body),
        (409, writes),
        (410, of_the_past(path, operation)),
        (412, conditional),
        (413, body),
        (415, body),
        (422, writes),
        (428, conditional),
        (429, method == "post" || path == "/api/v1/stream"),
        (431, true),
        (500, true),
        (503, true),
    ];
    codes.retain(|(_, occurs)| *occurs);
    for (status, _) in codes {
        let responses = &mut operation["responses"];
        if responses.get(status.to_string()).is_none() {
            responses[status.to_string()] = json!({ "$ref": format!("#/components/responses/Problem{status}") });
        }
    }
}

/// Whatever is committed may have to wait for a second person first.
fn or_awaiting(response: &mut Value) {
    let description = response["description"].as_str().unwrap_or_default();
    response["description"] = format!(
        "{description} Or not committed: it touches a protected vhost, and waits for approval as the change set that is answered \
         (`awaiting_approval`, or `approved` where an equal one was, for its owner to commit)."
    )
    .into();
    let change_set = json!({ "$ref": "#/components/schemas/ChangeSet" });
    let committed = response["content"]["application/json"]["schema"].take();
    let either = if committed.is_null() || committed == change_set { change_set } else { json!({ "oneOf": [committed, change_set] }) };
    response["content"] = json!({ "application/json": { "schema": either } });
}

/// Whether it reads states that may be kept no more.
fn of_the_past(path: &str, operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    // The log keeps what it says of revisions that are kept no more.
    if path.starts_with("/api/v1/audit") {
        return false;
    }
    path.contains("{revision}")
        || path.contains("{change_set}")
        || parameters.filter_map(|one| one["name"].as_str()).any(|name| name == "revision" || name == "change_set")
}

fn parameter(operation: &mut Value, name: &str, description: &str) {
    let parameter = json!({ "name": name, "in": "header", "description": description, "required": false, "schema": { "type": "string" } });
    match operation["parameters"].as_array_mut() {
        Some(all) => all.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let number =
        |description: &str| json!({ "description": description, "schema": { "type": "integer", "format": "int64", "minimum": 0 } });
    json!({
        "ETag": text("The revision that last changed the object, in quotes: send it as `If-Match`."),
        "Location": text(
            "201: the new resource. 202: the deployment (or, before there is one, the revision) to look at, or the change set that awaits \
             approval. 303: where the browser goes.",
        ),
        "Set-Cookie": text("The cookie by which the session is renewed; not where another tab has the newest."),
        "X-Request-Id": text("Names the request in our log."),
        "WWW-Authenticate": text("`Bearer`."),
        "Retry-After": number("Seconds after which to try again."),
        "Guard-Proxy-Revision": number("The revision that the write made; where nothing changed, the one that last changed the object."),
        "Guard-Proxy-Live-Revision": number("With `wait=live`: the newest live revision, which contains that of the write."),
    })
}

/// One response for each status, naming its codes.
fn problems() -> Value {
    let mut out = Map::new();
    for code in Code::ALL {
        let status = code.status().as_u16();
        let name = format!("Problem{status}");
        let line = format!("`{}`: {}", code.as_str(), code.when());
        if let Some(response) = out.get_mut(&name) {
            let text = response["description"].as_str().unwrap_or_default();
            response["description"] = format!("{text}\n\n{line}").into();
            continue;
        }
        let mut names = vec!["X-Request-Id"];
        match status {
            401 => names.push("WWW-Authenticate"),
            412 => names.push("ETag"),
            429 | 503 => names.push("Retry-After"),
            _ => {}
        }
        let headers: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))).collect();
        let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        out.insert(name, json!({ "description": line, "headers": headers, "content": content }));
    }
    // A router's answer, not an operation's.
    out.remove("Problem405");
    Value::Object(out)
}
