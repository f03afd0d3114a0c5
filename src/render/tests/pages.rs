//! Pages as HAProxy sends them: whatever stands in a page, the text that arrives is that text.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use super::super::pages::{PAGES, Page, TEMPLATE, render as page};
use super::*;

/// Everything that ends a quote, an argument, an expression or a tag, and what looks like an expression.
const HOSTILE: &str =
    r#"it's 100% %[src] %{+Q}o %% ] ) ), '') "x" \ \n \' {{ x }} ${HOME} $HOME # , ; <script>alert(1)</script> &amp; é 日"#;

fn hostile() -> Page<'static> {
    Page { status: 403, title: HOSTILE, detail: HOSTILE, advice: HOSTILE }
}

struct Haproxy(Child);

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What HAProxy answers with this page as its 403, to a client that wants JSON, or HTML.
fn sent(page: &str, json: bool) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("page"), page).unwrap();
    let set = if json { "    http-request set-var(txn.gp.json) bool(true)\n" } else { "" };
    let cfg = format!(
        "global\n    default-path config\ndefaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n    \
         http-error status 403 content-type text/x lf-file page\nfrontend f\n    bind unix@{}/socket\n    \
         http-request set-var(txn.gp.rid) str(the-id)\n{set}    http-request deny\n",
        dir.path().display()
    );
    std::fs::write(dir.path().join("haproxy.cfg"), cfg).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(dir.path().join("haproxy.cfg")).stdin(Stdio::null());
    let mut haproxy = Haproxy(command.spawn().expect("these tests need the haproxy program"));
    let mut stream = loop {
        if let Ok(stream) = UnixStream::connect(dir.path().join("socket")) {
            break stream;
        }
        assert!(haproxy.0.try_wait().unwrap().is_none(), "HAProxy does not take it");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn hostile_text_arrives_as_text() {
    let text = page(&hostile()).unwrap();
    assert_eq!(text.lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&sent(&text, true)).unwrap();
    let expected = serde_json::json!({"type": "about:blank", "title": HOSTILE, "status": 403, "detail": HOSTILE, "request_id": "the-id"});
    assert_eq!(json, expected);
    let html = sent(&text, false);
    assert!(!html.contains("<script>") && html.contains("&lt;script&gt;") && html.contains("&amp;amp;"), "{html}");
    let read = html.split_once("<p>").unwrap().1.split_once("</p>").unwrap().0;
    let mut read = read.to_owned();
    for (escape, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")] {
        read = read.replace(escape, c);
    }
    assert_eq!(read, HOSTILE);
    assert!(html.contains("<p>Request <code>the-id</code></p>") && html.ends_with("</html>\n"), "{html}");
}

#[test]
fn every_page_in_both_forms() {
    for known in PAGES {
        let text = page(&known).unwrap();
        let json: serde_json::Value = serde_json::from_str(&sent(&text, true)).unwrap();
        assert_eq!((&json["status"], &json["title"]), (&known.status.into(), &known.title.into()));
        let html = sent(&text, false);
        assert!(html.starts_with(r#"<!doctype html> <html lang="en">"#), "{html}");
        assert!(html.contains(&format!("<h1>{} {}</h1>", known.status, known.title)), "{html}");
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!html.contains(outside), "a page needs nothing from elsewhere: {outside}");
        }
    }
}

#[test]
fn what_would_not_arrive_as_it_is_fails() {
    for bad in ["a\u{0}b", "a\tb", "a\u{7f}b", "a\u{85}b", "a @request_id@ b"] {
        assert!(page(&Page { title: bad, ..hostile() }).is_err(), "{bad:?}");
    }
    assert!(!TEMPLATE.1.contains('|'), "no filters: nothing is marked as safe");
}

#[test]
fn every_reason_and_status_is_documented() {
    let rows: Vec<&str> = include_str!("../../../docs/answers.md").lines().filter(|line| line.starts_with("| ")).collect();
    let bundle = rendered(&small::snapshot());
    let reasons: Vec<&str> = text(&bundle, "haproxy.cfg")
        .lines()
        .filter_map(|line| line.split_once("set-var(txn.gp.refused) str(")?.1.split_once(')'))
        .map(|(reason, _)| reason)
        .collect();
    assert!(reasons.len() > 15, "{reasons:?}");
    for reason in reasons {
        assert!(rows.iter().any(|row| row.contains(&format!("`{reason}`"))), "docs/answers.md says nothing of {reason}");
    }
    for page in PAGES {
        assert!(rows.iter().any(|row| row.contains(&page.status.to_string())), "docs/answers.md says nothing of {}", page.status);
    }
}
