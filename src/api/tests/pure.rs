use axum::response::IntoResponse;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::api::entry_text::{self, Format};
use crate::api::etag::{self, Tags};
use crate::api::problem::Problem;
use crate::api::{json as body, page};
use crate::domain::{Error, FieldError, Kind, Name};
use crate::service::Precondition;

/// The problem as it goes out.
pub fn rendered(problem: impl Into<Problem>) -> (u16, HeaderMap, Value) {
    let response = problem.into().into_response();
    let problem = response.extensions().get::<Problem>().cloned().unwrap();
    let response = problem.render("id-1", &Method::GET, "/x");
    let (parts, body) = response.into_parts();
    let bytes = futures::executor::block_on(axum::body::to_bytes(body, usize::MAX)).unwrap();
    (parts.status.as_u16(), parts.headers, serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn etags() {
    assert_eq!(etag::parse("*"), Some(Tags::Any));
    for (text, revisions) in [
        ("\"12\"", vec![12]),
        ("W/\"12\"", vec![12]),
        (" \"12\" , W/\"13\",\"x\"", vec![12, 13]),
        ("\"012\", \"+12\", \"abc\"", vec![]),
        ("\"\"", vec![]),
    ] {
        assert_eq!(etag::parse(text), Some(Tags::Revisions(revisions)), "{text}");
    }
    for wrong in ["", "12", "\"12", "12\"", "w/\"12\"", "\"12\" \"13\"", "\"12\",", "\"1 2\"", "*, \"1\""] {
        assert_eq!(etag::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn preconditions() {
    let of = |lines: &[(&'static str, &'static str)], current: Option<i64>| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        etag::precondition(&headers, || current)
    };
    assert_eq!(of(&[], None).unwrap(), Precondition::None);
    assert_eq!(of(&[("if-match", "*")], None).unwrap(), Precondition::Any);
    assert_eq!(of(&[("if-match", "W/\"7\"")], None).unwrap(), Precondition::Revision(7));
    assert_eq!(of(&[("if-match", "\"6\""), ("if-match", "\"7\"")], Some(7)).unwrap(), Precondition::Revision(7));
    assert_eq!(of(&[("if-match", "\"6\", \"7\"")], Some(8)).unwrap(), Precondition::Revision(6));
    assert_eq!(of(&[("if-match", "\"not-ours\"")], Some(8)).unwrap(), Precondition::Revision(-1));
    assert_eq!(of(&[("if-none-match", "*")], None).unwrap(), Precondition::Absent);
    for wrong in [
        &[("if-match", "7")][..],
        &[("if-none-match", "\"7\"")],
        &[("if-match", "*"), ("if-none-match", "*")],
        &[("if-match", "*"), ("if-match", "\"7\"")],
    ] {
        let (status, _, problem) = rendered(of(wrong, None).unwrap_err());
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_header")), "{wrong:?}");
    }
}

#[test]
fn json_is_strict_and_says_where() {
    assert_eq!(body::parse(br#"{"a":[1,-2,1.5,"x",null,true,{}]}"#).unwrap(), json!({"a": [1, -2, 1.5, "x", null, true, {}]}));
    for (text, line, column) in [
        ("{\n  \"a\": 1,\n  \"b\" 2\n}", 3, 7),
        ("{\"a\": 1", 1, 7),
        ("", 1, 0),
        ("{} x", 1, 4),
        ("{\n\"a\": 1,\n\"a\": 2}", 3, 3),
        ("{\"a\": {\"b\": 1, \"b\": 2}}", 1, 18),
        ("{\"a\": 1e999}", 1, 11),
    ] {
        let (status, _, problem) = rendered(body::parse(text.as_bytes()).unwrap_err());
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_json")), "{text}");
        assert_eq!((problem["line"].as_i64(), problem["column"].as_i64()), (Some(line), Some(column)), "{text}: {problem}");
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(body::parse(deep.as_bytes()).is_err());
    assert!(body::parse(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn cursors_are_bound() {
    let one = page::binding("vhost", &json!({"q": "a"})).unwrap();
    let other = page::binding("vhost", &json!({"q": "b"})).unwrap();
    let cursor = page::encode(&one, "shop").unwrap();
    assert_eq!(page::decode::<String>(&one, Some(&cursor)).unwrap().unwrap(), "shop");
    assert!(page::decode::<String>(&one, None).unwrap().is_none());
    for (bound, text) in [(&other, cursor.as_str()), (&one, "zz"), (&one, "7b7d"), (&one, "é"), (&one, "a"), (&one, "")] {
        let (status, _, problem) = rendered(page::decode::<String>(bound, Some(text)).unwrap_err());
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_query")), "{text}");
    }
    for (given, ok) in [(None, true), (Some(1), true), (Some(500), true), (Some(0), false), (Some(501), false)] {
        assert_eq!(page::limit(given).is_ok(), ok);
    }
}

#[test]
fn problems() {
    let name = |text: &str| Name::parse(text).unwrap();
    let field = |code: &str| FieldError::new("/hostnames/0", code, "no");
    let cases = [
        (Error::NotFound { kind: "vhost", name: "a".into() }, 404, "not_found"),
        (Error::Invalid(vec![field("invalid"), field("taken")]), 422, "invalid"),
        (Error::Invalid(vec![field("taken")]), 409, "taken"),
        (Error::EngineRefused { engine: "haproxy", said: "no".into(), errors: vec![field("x")] }, 422, "refused"),
        (Error::EngineRefused { engine: "coraza", said: "no".into(), errors: vec![field("too_expensive")] }, 422, "too_expensive"),
        (Error::EngineRefused { engine: "coraza", said: "no".into(), errors: vec![field("too_large")] }, 422, "too_large"),
        (Error::RevisionRefused { revision: 7, deployment: uuid::Uuid::nil(), said: "no".into(), errors: vec![] }, 422, "refused"),
        (Error::Stale { current: Some(Box::new(json!({"name": "a"}))), etag: Some(7) }, 412, "precondition_failed"),
        (Error::PreconditionRequired, 428, "precondition_required"),
        (Error::AlreadyExists { kind: Kind::Vhost, name: name("a") }, 412, "already_exists"),
        (Error::InUse { kind: Kind::Policy, name: name("p"), by: vec![name("a"), name("b")] }, 409, "in_use"),
        (Error::Unauthenticated, 401, "unauthenticated"),
        (Error::Forbidden, 403, "forbidden"),
        (Error::Conflict("no".into()), 409, "conflict"),
        (Error::Unavailable("the database is away".into()), 503, "unavailable"),
        (Error::Internal("host=db password=secret".into()), 500, "internal"),
    ];
    for (error, status, code) in cases {
        let (given, headers, problem) = rendered(error);
        assert_eq!((given, problem["code"].as_str()), (status, Some(code)));
        assert_eq!(problem["type"], format!("urn:guard-proxy:problem:{code}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], "id-1");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(!problem.to_string().contains("secret"), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        match code {
            "precondition_failed" => {
                assert_eq!((&problem["current"]["name"], &headers["etag"]), (&json!("a"), &HeaderValue::from_static("\"7\"")))
            }
            "in_use" => assert_eq!(problem["used_by"], json!(["a", "b"])),
            "unauthenticated" => assert!(headers.contains_key("www-authenticate")),
            "unavailable" => assert!(headers.contains_key("retry-after")),
            "taken" => assert_eq!(problem["errors"][0]["pointer"], "/hostnames/0"),
            _ => {}
        }
    }
    let many = (0..150).map(|n| FieldError::new(format!("/{n}"), "invalid", "no")).collect();
    assert_eq!(rendered(Error::Invalid(many)).2["errors"].as_array().unwrap().len(), 100);
}

fn entries(format: Format, text: &str) -> Vec<(String, String, bool)> {
    let entries = entry_text::parse(format, text.as_bytes()).unwrap();
    entries.into_iter().map(|e| (e.network.to_string(), e.comment.to_string(), e.expires_at.is_some())).collect()
}

/// (pointer, code, line, column) of each fault.
fn faults(format: Format, text: &str) -> Vec<(String, String, u64, u64)> {
    let (status, _, problem) = rendered(entry_text::parse(format, text.as_bytes()).unwrap_err());
    assert_eq!(status, 422, "{problem}");
    let fault = |e: &Value| {
        let text = |member: &str| e[member].as_str().unwrap().to_owned();
        (text("pointer"), text("code"), e["line"].as_u64().unwrap_or(0), e["column"].as_u64().unwrap_or(0))
    };
    problem["errors"].as_array().unwrap().iter().map(fault).collect()
}

fn row(network: &str, comment: &str, expires: bool) -> (String, String, bool) {
    (network.into(), comment.into(), expires)
}

fn fault(pointer: &str, code: &str, line: u64, column: u64) -> (String, String, u64, u64) {
    (pointer.into(), code.into(), line, column)
}

#[test]
fn entries_as_text() {
    let text = "\u{feff}# head\n192.0.2.7/24 # probes # more\r\n\n  2001:db8::1\n";
    assert_eq!(entries(Format::Text, text), [row("192.0.2.0/24", "probes # more", false), row("2001:db8::1/128", "", false)]);
    assert!(entries(Format::Text, "").is_empty());
    let wrong = "192.0.2.0/24\n  nonsense\n192.0.2.0/33 # x\n192.0.2.9/24 # again\n10.0.0.1 # a\tb\n";
    assert_eq!(
        faults(Format::Text, wrong),
        [
            fault("", "invalid_value", 2, 3),
            fault("", "invalid_value", 3, 1),
            fault("/items/1/network", "duplicate", 4, 0),
            fault("", "invalid_value", 5, 12)
        ]
    );
    let (status, _, problem) = rendered(entry_text::parse(Format::Text, b"10.0.0.1\n\xff\n").unwrap_err());
    assert_eq!((status, &problem["line"]), (400, &json!(2)));
}

#[test]
fn entries_as_csv() {
    let text = "network,comment,expires_at\n192.0.2.0/24,\"a, \"\"b\"\"\",2030-01-01T00:00:00Z\n10.0.0.1\n 10.0.0.2 , x ,\n";
    let want = [row("192.0.2.0/24", "a, \"b\"", true), row("10.0.0.1/32", "", false), row("10.0.0.2/32", "x", false)];
    assert_eq!(entries(Format::Csv, text), want);
    assert_eq!(entries(Format::Csv, "10.0.0.1,x\n"), [row("10.0.0.1/32", "x", false)]);
    assert_eq!(entries(Format::Csv, "expired,network\ntrue,10.0.0.1\n"), [row("10.0.0.1/32", "", false)]);
    let wrong = "network,comment\n10.0.0.1,\"open\n10.0.0.300,x\n10.0.0.2,x,y\n10.0.0.3,\"a\"b\n";
    assert_eq!(
        faults(Format::Csv, wrong),
        [
            fault("", "invalid_value", 2, 10),
            fault("", "invalid_value", 3, 1),
            fault("", "invalid_value", 4, 12),
            fault("", "invalid_value", 5, 13)
        ]
    );
    assert_eq!(faults(Format::Csv, "network,colour\n10.0.0.1,red\n")[0], fault("", "invalid_value", 1, 9));
    assert_eq!(faults(Format::Csv, "10.0.0.1,x,tomorrow\n"), [fault("", "invalid_value", 1, 12)]);
}

#[test]
fn entries_as_json() {
    let text = r#"[{"network":"192.0.2.7/24","comment":"x","expires_at":null,"expired":true},{"network":"::1"}]"#;
    let want = [row("192.0.2.0/24", "x", false), row("::1/128", "", false)];
    assert_eq!(entries(Format::Json, text), want);
    assert_eq!(entries(Format::Json, &format!(r#"{{"items":{text},"next_cursor":null,"total":2}}"#)), want);
    let wrong = r#"[{"network":"x"},{"network":"10.0.0.1","colour":1},{"comment":"x"},{"network":7},7,{"network":"::1"},{"network":"::1"},
        {"network":"10.0.0.2","comment":"a\nb"}]"#;
    assert_eq!(
        faults(Format::Json, wrong),
        [
            fault("/0/network", "invalid_value", 0, 0),
            fault("/1/colour", "unknown_field", 0, 0),
            fault("/2/network", "missing_field", 0, 0),
            fault("/3/network", "invalid_type", 0, 0),
            fault("/4", "invalid_type", 0, 0),
            fault("/6/network", "duplicate", 0, 0),
            fault("/7/comment", "invalid_value", 0, 0),
        ]
    );
    assert_eq!(faults(Format::Json, r#"{"items":[{"network":"x"}]}"#)[0].0, "/items/0/network");
    assert_eq!(faults(Format::Json, r#"{"items":[],"next_cursor":"ab"}"#)[0].0, "/next_cursor");
    let (status, _, problem) = rendered(entry_text::parse(Format::Json, b"[\n{\"network\":\n]").unwrap_err());
    assert_eq!((status, &problem["line"], &problem["column"]), (400, &json!(3), &json!(1)));
}

#[test]
fn batches() {
    let (add, remove) = entry_text::batch(br#"{"add":[{"network":"10.0.0.1"}],"remove":["10.0.0.2"]}"#).unwrap();
    assert_eq!((add.len(), remove[0].to_string().as_str()), (1, "10.0.0.2/32"));
    let wrong = br#"{"add":[{"network":"10.0.0.1"},{"network":"x"}],"remove":["10.0.0.1","y",3]}"#;
    let (status, _, problem) = rendered(entry_text::batch(wrong).unwrap_err());
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!((status, pointers), (422, vec!["/add/1/network", "/remove/0", "/remove/1", "/remove/2"]));
    let (status, _, problem) = rendered(entry_text::batch(br#"{"add":[],"drop":[]}"#).unwrap_err());
    assert_eq!((status, &problem["errors"][0]["code"]), (422, &json!("unknown_field")));
}
