//! Policies by path (data-plane 9.14): however a path is written, no origin serves it from a stricter place than the one whose policy was applied.

use std::collections::HashMap;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::h2;
use crate::origins::readings;
use crate::origins::server::RawOrigin;
use crate::raw::{ask, bytes, get};
use crate::stack::Stack;
use crate::wire::{Answer, SQLI, post};

/// What only paranoia level 4 finds.
const PL4: &str = "a=b%7Cc";
const BENIGN: &str = "a=1";

/// How strict a place is, by the policies below: `loose` is off, `middle` blocks at level 1, `strict` at level 4.
const LOOSE: u8 = 0;
const MIDDLE: u8 = 1;
const STRICT: u8 = 2;

struct Site {
    name: &'static str,
    root: u8,
    paths: &'static [(&'static str, u8)],
    /// Put before each path of the corpus.
    folder: &'static str,
    on_ambiguous_path: &'static str,
}

const SITES: [Site; 4] = [
    Site { name: "inner", root: MIDDLE, paths: &[("/admin/", STRICT), ("/api/", LOOSE)], folder: "", on_ambiguous_path: "strict" },
    Site { name: "outer", root: STRICT, paths: &[("/api/", LOOSE)], folder: "", on_ambiguous_path: "strict" },
    Site { name: "nested", root: MIDDLE, paths: &[("/api/", LOOSE), ("/api/admin/", STRICT)], folder: "/api", on_ambiguous_path: "strict" },
    Site { name: "refusing", root: MIDDLE, paths: &[("/admin/", STRICT), ("/api/", LOOSE)], folder: "", on_ambiguous_path: "deny" },
];

impl Site {
    /// How strict a place has to be treated: the longest prefix decides, and `/a/` covers `/a`.
    fn rank(&self, place: &[u8]) -> u8 {
        let place = [place, b"/"].concat();
        let covering = self.paths.iter().filter(|(prefix, _)| place.starts_with(prefix.as_bytes()));
        covering.max_by_key(|(prefix, _)| prefix.len()).map_or(self.root, |(_, rank)| *rank)
    }

    async fn make(&self, stack: &Stack, origin: &RawOrigin) {
        let policy = |rank: u8| ["loose", "middle", "strict"][usize::from(rank)];
        let mut vhost = stack.vhost(self.name);
        vhost["policy"] = json!(policy(self.root));
        vhost["paths"] = self.paths.iter().map(|(prefix, rank)| json!({ "prefix": prefix, "policy": policy(*rank) })).collect();
        vhost["on_ambiguous_path"] = json!(self.on_ambiguous_path);
        vhost["upstream"]["servers"][0]["port"] = json!(origin.address.port());
        stack.put_live(&format!("/api/v1/vhosts/{}", self.name), vhost).await;
    }
}

/// How strict a row is: `<mode><flags>|<blocking level>.…`.
fn rank_of_row(row: &str) -> u8 {
    match (row.as_bytes().first(), row.split('|').nth(1).and_then(|levels| levels.split('.').next())) {
        (Some(b'B'), Some("4")) => STRICT,
        (Some(b'B'), Some(_)) => MIDDLE,
        (Some(b'D' | b'O'), _) => LOOSE,
        _ => panic!("no row: {row:?}"),
    }
}

fn corpus() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("corpus/paths.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("a class and a path")).collect()
}

/// Policies, sites and an origin that tells what it would serve.
async fn sites(stack: &Stack) -> RawOrigin {
    let origin = RawOrigin::start().await;
    for (name, policy) in
        [("loose", json!({ "mode": "off" })), ("middle", json!({})), ("strict", json!({ "paranoia": { "blocking": 4, "detection": 4 } }))]
    {
        let mut policy = policy;
        policy["name"] = json!(name);
        stack.put_live(&format!("/api/v1/policies/{name}"), policy).await;
    }
    for site in &SITES {
        site.make(stack, &origin).await;
    }
    origin
}

/// One request of the corpus, and what came of it.
struct Tried<'a> {
    site: &'a Site,
    class: &'a str,
    target: Vec<u8>,
    payload: &'a str,
    answer: Answer,
}

impl Tried<'_> {
    /// None where HAProxy refused before it came to our rules.
    fn id(&self) -> Option<String> {
        self.answer.header("x-request-id").filter(|id| !id.is_empty()).map(str::to_owned)
    }

    /// The strictest place that any origin serves this from: what the origin received if it did, else what it would have.
    fn strictest(&self) -> Option<(u8, String)> {
        let received = (self.answer.status == 200).then(|| self.answer.json());
        let places: Vec<(String, String)> = match &received {
            Some(received) => received["places"]
                .as_array()
                .expect("places")
                .iter()
                .filter_map(|reading| Some((reading["origin"].as_str()?.to_owned(), reading["place"].as_str()?.to_owned())))
                .collect(),
            None => readings(self.path())
                .into_iter()
                .filter_map(|(kind, place)| Some((kind.to_owned(), String::from_utf8_lossy(&place?).into_owned())))
                .collect(),
        };
        let ranked = places.into_iter().map(|(kind, place)| (self.site.rank(place.as_bytes()), format!("{kind} serves {place}")));
        ranked.max_by_key(|(rank, _)| *rank)
    }

    /// The target without the scheme and host of the absolute form.
    fn path(&self) -> &[u8] {
        let absolute = format!("http://{}.test", self.site.name);
        self.target.strip_prefix(absolute.as_bytes()).unwrap_or(&self.target)
    }

    fn said(&self, what: &str) -> String {
        let target = String::from_utf8_lossy(&self.target);
        format!("{} {}: {target}?{} ({}): {what}", self.site.name, self.class, self.payload, self.answer.status)
    }

    /// What is wrong with it, seen from the origin: an attack that the policy of that place blocks has arrived there.
    fn arrived(&self) -> Option<String> {
        let (rank, place) = self.strictest().filter(|_| self.answer.status == 200)?;
        let blocked_from = match self.payload {
            BENIGN => return None,
            PL4 => STRICT,
            _ => MIDDLE,
        };
        (rank >= blocked_from).then(|| self.said(&place))
    }

    /// And from HAProxy: the row that it applied is looser than that of the place. What is ambiguous and refused has had none.
    fn treated(&self, row: &str) -> Option<String> {
        let (rank, place) = self.strictest().filter(|_| self.answer.status != 400)?;
        (rank_of_row(row) < rank).then(|| self.said(&format!("{place}, treated by {row}")))
    }
}

/// How a target is written.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Origin,
    Absolute,
    Http2,
}

/// Sends each target with each payload, and in each form in which it can be sent.
async fn try_all<'a>(stack: &Stack, targets: Vec<(&'a Site, &'a str, Vec<u8>)>, payloads: &[&'a str]) -> Vec<Tried<'a>> {
    let mut requests = Vec::new();
    for (site, class, target) in &targets {
        for form in [Form::Origin, Form::Absolute, Form::Http2] {
            // The client of HTTP/2 takes text. One payload tells enough of the other forms.
            let payloads = if form == Form::Origin { payloads } else { &payloads[..1] };
            if form != Form::Http2 || target.is_ascii() {
                requests.extend(payloads.iter().map(|payload| (*site, *class, target.clone(), form, *payload)));
            }
        }
    }
    let http = stack.http;
    let sent = futures::stream::iter(requests).map(|(site, class, target, form, payload)| async move {
        let host = format!("{}.test", site.name);
        let start = if form == Form::Absolute { format!("http://{host}") } else { String::new() };
        let target = [start.as_bytes(), &target].concat();
        let whole = [&target[..], b"?", payload.as_bytes()].concat();
        let answer = match form {
            Form::Http2 => h2::get(&String::from_utf8_lossy(&whole)).send(http, &host).await,
            _ => ask(http, &get(&whole, &host)).await,
        };
        Tried { site, class, target, payload, answer }
    });
    sent.buffer_unordered(16).collect().await
}

/// The rows that HAProxy applied, by the id of a request.
async fn rows(stack: &Stack, tried: &[Tried<'_>]) -> HashMap<String, String> {
    let ids: Vec<String> = tried.iter().filter_map(Tried::id).collect();
    let row = |(id, line): (String, Value)| Some((id, line["row"].as_str().filter(|row| row.contains('|'))?.to_owned()));
    stack.lines(&ids).await.into_iter().filter_map(row).collect()
}

/// Every request that escaped a stricter policy, or was answered oddly.
fn escaped(tried: &[Tried<'_>], rows: &HashMap<String, String>) -> Vec<String> {
    let mut wrong: Vec<String> = tried.iter().filter_map(Tried::arrived).collect();
    wrong.extend(tried.iter().filter_map(|tried| tried.treated(rows.get(&tried.id()?)?)));
    wrong.extend(tried.iter().filter(|tried| ![0, 200, 400, 403].contains(&tried.answer.status)).map(|tried| tried.said("an odd answer")));
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_escapes_a_stricter_policy() {
    let stack = Stack::start().await;
    let _origin = sites(&stack).await;
    let corpus = corpus();
    let all =
        SITES.iter().flat_map(|site| corpus.iter().map(move |(class, path)| (site, *class, [site.folder.into(), bytes(path)].concat())));
    let tried = try_all(&stack, all.collect(), &[PL4, SQLI, BENIGN]).await;
    let rows = rows(&stack, &tried).await;
    let wrong = escaped(&tried, &rows);
    assert!(wrong.is_empty(), "{} of {} escape:\n{}", wrong.len(), tried.len(), wrong.join("\n"));

    // None of that says much unless the corpus is large, arrives, and is told from what is plain.
    assert!(corpus.len() >= 200);
    let arrived = |site: &str| tried.iter().filter(|t| t.site.name == site && t.answer.status == 200).count();
    assert!(arrived("inner") > 100 && arrived("nested") > 100, "{} and {} arrived", arrived("inner"), arrived("nested"));
    for tried in tried.iter().filter(|tried| tried.class == "plain" && tried.site.folder.is_empty()) {
        let Some(row) = rows.get(&tried.id().expect("a plain path is judged")) else { continue };
        let (rank, _) = tried.strictest().expect("a plain path leads somewhere");
        assert_eq!(rank_of_row(row), rank, "{}", tried.said("has one meaning"));
    }
    let refused = tried.iter().filter(|t| t.site.on_ambiguous_path == "deny" && t.answer.status == 400).count();
    let parsed = tried.iter().filter(|t| t.site.on_ambiguous_path == "deny" && t.id().is_some()).count();
    assert!(refused * 2 > parsed, "{refused} of {parsed} ambiguous or plain paths were refused");
}

/// Paths put together of what paths are confused by; the same each time.
fn mixed(seed: u64, count: usize) -> Vec<Vec<u8>> {
    const PARTS: [&str; 56] = [
        "/",
        "/",
        "/",
        "/",
        "admin",
        "admin",
        "api",
        "api",
        "x",
        "..",
        "..",
        ".",
        "//",
        "\\",
        ";",
        ";a=b",
        "%2f",
        "%5c",
        "%2e",
        "%2e%2e",
        "%252e",
        "%252f",
        "%25",
        "%",
        "%4",
        "%00",
        "%20",
        "%09",
        "%3b",
        "%3f",
        "%23",
        "#",
        "~1",
        ":",
        "$",
        "%3a",
        "%c0%ae",
        "%c0%af",
        "%e0%80%af",
        "%ef%bc%8f",
        "%ef%bc%8e",
        "%ef%bd%81",
        "%u002f",
        "%u002e",
        "%61",
        "%41",
        "ADMIN",
        "Api",
        "dmin",
        "pi",
        "%c4%b1",
        "%2E",
        "%2F",
        "+",
        "@",
        ",",
    ];
    let mut state = seed;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut path = || {
        let parts: String = (0..3 + next(8)).map(|_| PARTS[next(PARTS.len())]).collect();
        format!("/{parts}").into_bytes()
    };
    (0..count).map(|_| path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mixture_escapes_either() {
    let stack = Stack::start().await;
    let _origin = sites(&stack).await;
    let paths = mixed(14, 600);
    let all = SITES.iter().flat_map(|site| paths.iter().map(move |path| (site, "mixed", [site.folder.as_bytes(), path].concat())));
    let tried = try_all(&stack, all.collect(), &[BENIGN]).await;
    let wrong = escaped(&tried, &rows(&stack, &tried).await);
    assert!(wrong.is_empty(), "{} of {} escape:\n{}", wrong.len(), tried.len(), wrong.join("\n"));
    let arrived = tried.iter().filter(|tried| tried.answer.status == 200).count();
    assert!(arrived > tried.len() / 10, "{arrived} of {} arrived", tried.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_paths_have_the_policy_of_their_place() {
    let stack = Stack::start().await;
    let _origin = sites(&stack).await;
    let status = async |site: &str, target: &str| ask(stack.http, &get(target.as_bytes(), &format!("{site}.test"))).await.status;
    for (path, found_by) in [
        ("/", MIDDLE),
        ("/api/x", LOOSE),
        ("/api", LOOSE),
        ("/api/", LOOSE),
        ("/apix", MIDDLE),
        ("/admin/x", STRICT),
        ("/admin", STRICT),
        ("/administrator", MIDDLE),
    ] {
        assert_eq!(status("inner", &format!("{path}?{BENIGN}")).await, 200, "{path}");
        assert_eq!(status("inner", &format!("{path}?{SQLI}")).await, if found_by > LOOSE { 403 } else { 200 }, "{path}");
        assert_eq!(status("inner", &format!("{path}?{PL4}")).await, if found_by > MIDDLE { 403 } else { 200 }, "{path}");
    }
    for path in [
        "/Img/Logo.PNG",
        "/files/My%20File.pdf",
        "/caf%C3%A9",
        "/%E6%97%A5%E6%9C%AC",
        "/%D0%BF%D1%80%D0%B8",
        "/a.b/c-d_e~f",
        "/.well-known/x",
        "/.hidden/.x",
        "/a%2Bb",
        "/a%26b%3Dc",
        "/a%40b%2Cc",
        "/%5Ba%5D",
        "/x@y:z,w$",
        "/it's!+&=",
        "/v1.2/file.tar.gz",
        "/~user/x",
        "/2026:11:22",
        "/x/admin/y",
    ] {
        assert_eq!(status("inner", &format!("{path}?{PL4}")).await, 200, "{path} is no trick: it is not treated as one");
        assert_eq!(status("inner", &format!("{path}?{SQLI}")).await, 403, "{path}");
        assert_eq!(status("refusing", &format!("{path}?{BENIGN}")).await, 200, "{path} is no trick: it is not refused as one");
    }
    for path in [
        "//x",
        "/api/../x",
        "/%61dmin/",
        "/ADMIN/",
        "/a;b",
        "/api\\x",
        "/a%2fb",
        "/a%25",
        "/a%zz",
        "/x./y",
        "/x%00",
        "/API/x",
        "/(S(x))/api/",
        "/%F0%9F%98%80",
    ] {
        assert_eq!(status("refusing", &format!("{path}?{BENIGN}")).await, 400, "{path}");
        assert_eq!(status("inner", &format!("{path}?{PL4}")).await, 403, "{path}");
    }
    // Without paths there is nothing to escape from; who wants none that are ambiguous has none all the same.
    let mut simple = stack.vhost("simple");
    simple["policy"] = json!("middle");
    stack.put_live("/api/v1/vhosts/simple", simple).await;
    assert_eq!(status("simple", &format!("//x;y?{PL4}")).await, 200);
    stack.patch_live("/api/v1/vhosts/simple", json!({ "on_ambiguous_path": "deny" })).await;
    assert_eq!(status("simple", &format!("//x;y?{PL4}")).await, 400);
    // The longest prefix wins, whatever the order.
    stack
        .patch_live(
            "/api/v1/vhosts/simple",
            json!({ "paths": [
        { "prefix": "/a/b/", "policy": "loose" }, { "prefix": "/a/", "policy": "strict" }, { "prefix": "/a/b/c/", "policy": "strict" },
    ], "on_ambiguous_path": "strict" }),
        )
        .await;
    for (path, want) in [("/", 200), ("/a/", 403), ("/a/bc", 403), ("/a/b", 200), ("/a/b/cd", 200), ("/a/b/c", 403)] {
        assert_eq!(status("simple", &format!("{path}?{PL4}")).await, want, "{path}");
    }
}

/// The target without a path and `*` have the policy of `/`.
#[tokio::test(flavor = "multi_thread")]
async fn targets_without_a_path_are_the_root() {
    let stack = Stack::start().await;
    let origin = sites(&stack).await;
    let outer = |line: &str| format!("{line} HTTP/1.1\r\nHost: outer.test\r\nUser-Agent: Mozilla/5.0 (test)\r\nAccept: */*\r\n\r\n");
    for line in ["GET http://outer.test", "OPTIONS *", "OPTIONS http://outer.test"] {
        let answer = ask(stack.http, outer(line).as_bytes()).await;
        let id = answer.header("x-request-id").expect("it is ours to judge").to_owned();
        let event = &stack.lines(std::slice::from_ref(&id)).await[&id];
        assert_eq!(rank_of_row(event["row"].as_str().expect("a row")), STRICT, "{line}: {event}");
        assert_eq!(event["waf"], json!("1"), "{line}: {event}");
    }
    let answer = ask(stack.http, outer(&format!("GET http://outer.test?{PL4}")).as_bytes()).await;
    assert!([400, 403].contains(&answer.status), "a query without a path: {answer:?}");
    for transcript in origin.drain().await {
        let (requests, _) = transcript.expect("what arrives has one meaning");
        assert!(requests.iter().all(|request| request.target == b"/" || request.target == b"*"), "{requests:?}");
    }
}

/// The smallest body allowance of any place holds where the place is not certain.
#[tokio::test(flavor = "multi_thread")]
async fn the_strict_row_has_the_smallest_body() {
    let stack = Stack::start().await;
    stack.site("sizes", json!({})).await;
    let paths = json!([{ "prefix": "/small/", "body": { "max_bytes": 1000 } }, { "prefix": "/large/", "body": { "max_bytes": 100_000 } }]);
    stack.patch_live("/api/v1/vhosts/sizes", json!({ "paths": paths })).await;
    let send = async |path: &str, size: usize| stack.status("sizes", post(path, format!("a={}", "x".repeat(size)))).await;
    assert_eq!(send("/", 2000).await, 200);
    assert_eq!(send("/large/", 2000).await, 200);
    assert_eq!(send("/small/", 500).await, 200);
    assert_eq!(send("/small/", 2000).await, 413);
    assert_eq!(send("/small//", 500).await, 200);
    for path in ["/small//", "//", "/large//x", "/large;/x"] {
        assert_eq!(send(path, 2000).await, 413, "{path}");
    }
}
