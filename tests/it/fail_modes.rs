//! What happens to a request that has no verdict, or not one of a whole body: each cause in each kind of place. The table is data; the test
//! asserts every cell on the wire, and docs/fail-modes.md has the same table.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use spop::TypedData;

use crate::agent::Agent;
use crate::stack::{Options, Stack, eventually, kill};
use crate::wire::{Answer, Request, SQLI, get};

/// A column: its title, and the places that it speaks for. `block_pass` is a site in block with `on_waf_unavailable: pass`.
struct Column(&'static str, &'static [Place]);
struct Place(&'static str, Ipv4Addr);

const CLIENT: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// On the `trust` list of every site.
const TRUSTED: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 1);

const COLUMNS: [Column; 6] = [
    Column("block", &[Place("block", CLIENT)]),
    Column("block, pass", &[Place("block-pass", CLIENT)]),
    Column("detect", &[Place("detect", CLIENT)]),
    Column("detect, pass", &[Place("detect-pass", CLIENT)]),
    Column("off", &[Place("off", CLIENT), Place("off-pass", CLIENT)]),
    Column("trusted client", &[Place("block", TRUSTED), Place("block-pass", TRUSTED), Place("detect", TRUSTED)]),
];

/// Each cause and its cells: the status, for a denial the reason in `refused`, and what else the request's line says; a word alone is a field
/// that is `1`. `unasked`: the WAF is not asked at all; everywhere else the line has `"waf":"1"`. Fields that a cell does not name are empty.
const TABLE: [(&str, [&str; 6]); 19] = [
    ("nothing (an attack)", whatever_is_chosen("403 waf action=deny waf_status=403", "200 action=allow")),
    ("agent away", ["503 waf-error error=2", "200 error=2 absent", "200 error=2", "200 error=2 absent", "200 unasked", "200 unasked"]),
    ("agent killed meanwhile", whatever_is_chosen("503 waf-error error=257", "200 error=257")),
    ("agent slow", whatever_is_chosen("503 waf-error error=1", "200 error=1")),
    ("agent overloaded", whatever_is_chosen("503 waf-fault fault=overload", "200 fault=overload")),
    ("evaluation panics", whatever_is_chosen("503 waf-fault fault=panic", "200 fault=panic")),
    ("unknown application", whatever_is_chosen("503 waf-fault fault=unknown-application", "200 fault=unknown-application")),
    ("bad message", whatever_is_chosen("503 waf-fault fault=bad-message", "200 fault=bad-message")),
    ("unsupported message", whatever_is_chosen("503 waf-fault fault=unsupported", "200 fault=unsupported")),
    ("empty answer", whatever_is_chosen("503 waf-fault fault=silent", "200 fault=silent")),
    ("unknown action", whatever_is_chosen("403 waf action=shrug", "200 action=shrug")),
    ("frame too big", whatever_is_chosen("503 waf-error error=3", "200 error=3")),
    ("body cut, `deny`", whatever_is_chosen("413 cut cut", "200 action=allow cut")),
    ("body cut, `inspect_head`", whatever_is_chosen("200 action=allow cut head", "200 action=allow cut head")),
    ("body cut, `inspect_head`, no length", whatever_is_chosen("413 cut cut", "200 action=allow cut")),
    ("row without application", whatever_is_chosen("503 no-application", "200 fault=bad-message")),
    ("row with broken parameters", whatever_is_chosen("503 waf action=deny waf_status=503", "200 action=deny waf_status=503")),
    ("row without an access profile", ["503 no-access unasked"; 6]),
    ("no row", ["503 no-row unasked"; 6]),
];

const fn whatever_is_chosen(block: &'static str, detect: &'static str) -> [&'static str; 6] {
    [block, block, detect, detect, "200 unasked", "200 unasked"]
}

/// What a line has in a field without a value.
const NOTHING: &str = "-";
const FIELDS: [&str; 9] = ["refused", "waf", "action", "waf_status", "error", "fault", "absent", "cut", "head"];

/// What a cell expects: the status, and the line's fields.
fn expected(cell: &str) -> (u16, Value) {
    let mut words = cell.split(' ');
    let status = words.next().and_then(|word| word.parse().ok()).expect("a status");
    let mut fields: Value = FIELDS.iter().map(|field| ((*field).to_owned(), json!(NOTHING))).collect::<serde_json::Map<_, _>>().into();
    fields["waf"] = json!("1");
    if status != 200 {
        fields["refused"] = json!(words.next().expect("a reason"));
    }
    for word in words {
        match word.split_once('=') {
            Some((field, value)) => fields[field] = json!(value),
            None if word == "unasked" => fields["waf"] = json!(NOTHING),
            None => fields[word] = json!("1"),
        }
    }
    assert_eq!(fields.as_object().map(serde_json::Map::len), Some(FIELDS.len()), "{cell}");
    (status, fields)
}

/// One request that was sent: which column's, and the mark in its target.
struct Sent {
    column: usize,
    site: &'static str,
    mark: String,
    answer: Answer,
}

struct Lab {
    stack: Stack,
    /// Causes that were tried.
    tried: Vec<&'static str>,
    wrong: Vec<String>,
}

/// Slower than HAProxy waits; what is left of it at the end of a cause ends with the agent.
const HANGS: u32 = 60_000;
const ASKED: i64 = 4;

impl Lab {
    async fn start() -> Self {
        let stack = Stack::start_with(Options { node: "waf_timeout_ms = 4000\n", ..Options::default() }).await;
        stack.list("ours", &["127.0.4.0/24"]).await;
        for (name, mode, choice) in [
            ("block", "block", "deny"),
            ("block-pass", "block", "pass"),
            ("detect", "detect", "deny"),
            ("detect-pass", "detect", "pass"),
            ("off", "off", "deny"),
            ("off-pass", "off", "pass"),
        ] {
            stack.put_live(&format!("/api/v1/policies/{name}"), json!({ "name": name, "mode": mode })).await;
            let mut vhost = stack.vhost(name);
            vhost["on_waf_unavailable"] = json!(choice);
            vhost["access"] = json!({ "trust": ["ours"] });
            vhost["paths"] = json!([{ "prefix": "/upload/", "body": { "on_partial": "inspect_head" } }]);
            stack.put_live(&format!("/api/v1/vhosts/{name}"), vhost).await;
        }
        let mut lab = Self { stack, tried: Vec::new(), wrong: Vec::new() };
        // What is live serves without the control plane, which would probe and heal while we break things.
        kill(&mut lab.stack.serve, "-TERM");
        lab
    }

    /// guard-spoa anew, with these arguments.
    async fn agent(&mut self, args: &[&'static str]) {
        kill(&mut self.stack.spoa, "-KILL");
        self.stack.options.spoa_args = [&["-test-faults", "-slow-evaluation", "0"], args].concat();
        self.stack.start_spoa();
        self.served().await;
    }

    /// Waits for a verdict; that something passes would say little here.
    async fn served(&self) {
        eventually("the agent judges", async || self.stack.request_line("block", get("/")).await["action"] == "allow").await;
    }

    async fn fault(&self, fault: Value) {
        assert_eq!(self.stack.control("PUT", "/v1/test/faults", Some(fault)).await.0, 200);
    }

    /// Requests that guard-spoa is at work on.
    async fn in_flight(&self, count: i64) {
        eventually("so many are in work", async || self.stack.control("GET", "/v1/status", None).await.1["in_flight"] == count).await;
    }

    /// Sends each request to each place, all at once.
    async fn send(&self, requests: &[Request]) -> Vec<Sent> {
        let mut all = Vec::new();
        for (column, Column(_, places)) in COLUMNS.iter().enumerate() {
            for Place(site, from) in *places {
                for request in requests {
                    let mark = uuid::Uuid::new_v4().simple().to_string();
                    let request = request.clone().under(&mark).from(IpAddr::V4(*from));
                    all.push(async move { Sent { column, site, mark, answer: self.stack.send(site, request).await } });
                }
            }
        }
        futures::future::join_all(all).await
    }

    async fn check(&mut self, cause: &'static str, requests: &[Request]) {
        let sent = self.send(requests).await;
        self.judge(cause, sent).await;
    }

    async fn judge(&mut self, cause: &'static str, sent: Vec<Sent>) {
        self.tried.push(cause);
        let cells = TABLE.iter().find(|(name, _)| *name == cause).expect("a cause of the table").1;
        for Sent { column, site, mark, answer } in sent {
            let line = self.stack.line(&mark).await;
            let seen: Value =
                FIELDS.iter().map(|field| ((*field).to_owned(), line[field].clone())).collect::<serde_json::Map<_, _>>().into();
            let (status, fields) = expected(cells[column]);
            let passed = self.stack.origin.received(&mark).len();
            if (answer.status, passed, &seen) != (status, usize::from(status == 200), &fields) {
                self.wrong.push(format!("{cause}, {site}: {} passed={passed} {seen}, not {}", answer.status, cells[column]));
            }
            // What passed without a verdict says so, by a fault or by who allowed it.
            let judged = line["action"] != NOTHING;
            let failed = line["error"] != NOTHING || line["fault"] != NOTHING;
            let allowed = line["mode"] == "O" || line["access"] == "trust";
            if passed > 0 && !judged && !failed && !allowed {
                self.wrong.push(format!("{cause}, {site}: passed uninspected without a word: {line}"));
            }
        }
    }

    /// Changes the values of a map, and gives what they were.
    async fn rewrite(&self, map: &str, change: impl Fn(&str) -> String) -> Vec<(String, String)> {
        let shown = self.stack.master(&format!("@1 show map {map}")).await;
        let mut before = Vec::new();
        for line in shown.lines().filter(|line| line.starts_with("0x")) {
            let mut words = line.split_whitespace();
            let (entry, _, value) = (words.next().expect("its id"), words.next().expect("a key"), words.next().expect("a value"));
            before.push((entry.to_owned(), value.to_owned()));
            self.set(map, entry, &change(value)).await;
        }
        assert!(!before.is_empty(), "{map} is empty: {shown}");
        before
    }

    async fn set(&self, map: &str, entry: &str, value: &str) {
        let said = self.stack.master(&format!("@1 set map {map} #{entry} {value}")).await;
        assert_eq!(said.trim(), "", "set map {map} {entry} {value}");
    }

    /// With the rows' field `at`, from 0, being `value`.
    async fn check_row(&mut self, cause: &'static str, at: usize, value: &str, requests: &[Request]) {
        let change = |row: &str| {
            let mut fields: Vec<&str> = row.split('|').collect();
            fields[at] = value;
            fields.join("|")
        };
        let before = self.rewrite("rows.map", change).await;
        self.check(cause, requests).await;
        for (entry, value) in before {
            self.set("rows.map", &entry, &value).await;
        }
    }
}

/// A good one, which only a fault denies, and a bad one, which only a fault lets through.
fn ordinary() -> [Request; 2] {
    [get("/"), get(&format!("/?{SQLI}"))]
}

/// More than is inspected: a file, and an attack behind it.
fn upload(path: &str) -> Request {
    let file = "lorem ipsum ".repeat(20_000);
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\ncontent-type: application/octet-stream\r\n\r\n{file}\r\n\
         --x\r\ncontent-disposition: form-data; name=\"id\"\r\n\r\n1' UNION SELECT password FROM users--\r\n--x--\r\n"
    );
    Request::new("POST", path).header("content-type", "multipart/form-data; boundary=x").body(body)
}

/// The table as docs/fail-modes.md has it.
fn markdown() -> String {
    let titles: Vec<&str> = COLUMNS.iter().map(|Column(title, _)| *title).collect();
    let mut out = format!("| | {} |\n| --- |{}\n", titles.join(" | "), " --- |".repeat(titles.len()));
    for (cause, cells) in TABLE {
        out.push_str(&format!("| {cause} | {} |\n", cells.map(|cell| format!("`{cell}`")).join(" | ")));
    }
    out
}

/// `UPDATE=1 cargo test the_document_has_this_table` (`make docs`) writes it.
#[test]
fn the_document_has_this_table() {
    const MARKS: [&str; 2] = ["<!-- The table of tests/it/fail_modes.rs, by `make docs`; a test compares. -->\n", "<!-- Its end. -->\n"];
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fail-modes.md");
    let mut text = std::fs::read_to_string(&path).expect("the document");
    let [from, to] = MARKS.map(|mark| text.find(mark).unwrap_or_else(|| panic!("{mark} is not there")));
    let from = from + MARKS[0].len();
    if std::env::var_os("UPDATE").is_some() {
        text.replace_range(from..to, &markdown());
        std::fs::write(&path, text).expect("writing the document");
        return;
    }
    assert!(text[from..to] == markdown(), "docs/fail-modes.md is out of step with tests/it/fail_modes.rs: run `make docs`");
    for (cause, _) in TABLE {
        assert!(text.contains(&format!("\n- **{cause}**: ")), "docs/fail-modes.md does not say what {cause} is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_on_the_wire() {
    let mut lab = Lab::start().await;
    lab.agent(&["-max-evaluations", "64"]).await;
    lab.check("nothing (an attack)", &[get(&format!("/?{SQLI}"))]).await;
    lab.check("body cut, `deny`", &[upload("/")]).await;
    lab.check("body cut, `inspect_head`", &[upload("/upload/")]).await;
    lab.check("body cut, `inspect_head`, no length", &[upload("/upload/").chunked(8192)]).await;
    lab.check_row("unknown application", 2, "rs-unknown", &ordinary()).await;
    lab.check_row("row without application", 2, "", &ordinary()).await;
    lab.check_row("row with broken parameters", 1, "9.9.0", &ordinary()).await;
    lab.check_row("row without an access profile", 3, "999999", &ordinary()).await;
    // A body that just fits a buffer, and a name that makes its frame larger than one.
    let large = Request::new("POST", "/").header("content-type", "text/plain").body("lorem ipsum ".repeat(10_600));
    lab.check_row("frame too big", 2, &"x".repeat(5000), &[large]).await;
    let before = lab.rewrite("live.map", |_| "424242".to_owned()).await;
    lab.check("no row", &ordinary()).await;
    for (entry, value) in before {
        lab.set("live.map", &entry, &value).await;
    }
    lab.fault(json!({ "panic": true })).await;
    lab.check("evaluation panics", &ordinary()).await;

    lab.fault(json!({ "delay_ms": HANGS })).await;
    lab.check("agent slow", &ordinary()).await;

    lab.agent(&["-max-evaluations", "64"]).await;
    lab.fault(json!({ "delay_ms": HANGS })).await;
    let mut spoa = lab.stack.spoa.take();
    let requests = ordinary();
    let (sent, ()) = tokio::join!(lab.send(&requests), async {
        lab.in_flight(2 * ASKED).await;
        kill(&mut spoa, "-KILL");
    });
    lab.judge("agent killed meanwhile", sent).await;
    // The first requests of each of HAProxy's threads may time out, until all of them know.
    eventually("HAProxy knows that the agent is away", async || {
        let many = (0..32).map(|_| lab.stack.status("block-pass", get("/")));
        futures::future::join_all(many).await.into_iter().all(|status| status == 200)
    })
    .await;
    lab.check("agent away", &ordinary()).await;

    lab.agent(&["-max-evaluations", "1", "-max-queue", "0"]).await;
    lab.fault(json!({ "delay_ms": HANGS })).await;
    // It holds the only slot to the end, also when nobody waits for it any more.
    assert_eq!(lab.stack.status("detect", get("/")).await, 200);
    lab.in_flight(1).await;
    lab.check("agent overloaded", &ordinary()).await;

    kill(&mut lab.stack.spoa, "-KILL");
    let agent = Agent::listen(&lab.stack.path("run/guard-spoa.sock"));
    let says = |name, value: &str| vec![(name, TypedData::String(value.to_owned()))];
    agent.say(says("action", "allow"));
    lab.served().await;
    agent.say(says("fault", "bad-message"));
    lab.check("bad message", &ordinary()).await;
    agent.say(says("fault", "unsupported"));
    lab.check("unsupported message", &ordinary()).await;
    agent.say(Vec::new());
    lab.check("empty answer", &ordinary()).await;
    agent.say(says("action", "shrug"));
    lab.check("unknown action", &ordinary()).await;

    assert!(lab.wrong.is_empty(), "{:#?}", lab.wrong);
    assert_eq!(lab.tried.len(), TABLE.len(), "each cause was tried: {:?}", lab.tried);
}
