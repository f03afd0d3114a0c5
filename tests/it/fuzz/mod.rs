//! The fuzzer: requests with a known attack inside, changed in every way that a client can, over raw sockets. What reaches the origin has
//! to be what guard-spoa saw and allowed, byte for byte. `make fuzz` runs it longer; what it found is kept in `corpus/`.

mod attack;
mod judge;
mod mutate;
mod random;
mod recorder;
mod script;
mod words;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::json;

use crate::stack::{Options, Stack};
use attack::{Attack, BENIGN, PLACES, Place};
use judge::Judge;
use random::Random;
use recorder::{Received, Recorder};
use script::{Script, Step};

/// Cases between two looks at the logs.
const BATCH: u64 = 96;

struct Lab {
    stack: Stack,
    origin: Recorder,
    judge: Judge,
    /// Attacks and places where one is blocked as it stands.
    known: Vec<(usize, Place)>,
}

/// What came of scripts.
struct Played {
    statuses: Vec<u16>,
    received: Vec<Received>,
    /// What is wrong, and with which of those received.
    found: Vec<(usize, String)>,
}

impl Played {
    fn finds(&self, text: &str) -> bool {
        self.found.iter().any(|(_, finding)| finding.contains(text))
    }
}

struct Case {
    seed: u64,
    script: Script,
    attacks: Vec<Attack>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_uninspected() {
    let mut lab = Lab::start().await;
    lab.what_is_known().await;
    lab.the_judge_judges().await;
    lab.corpus().await;
    let variable = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    lab.fuzz(variable("FUZZ_SEED").unwrap_or(1), Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(20))).await;
}

impl Lab {
    async fn start() -> Self {
        let stack = Stack::start_with(Options {
            spoa_args: vec!["-test-faults", "-queue-timeout", "8s", "-slow-evaluation", "0"],
            node: "waf_timeout_ms = 9000\n",
            ..Options::default()
        })
        .await;
        let origin = Recorder::start().await;
        for mode in ["block", "detect", "off"] {
            stack.put_live(&format!("/api/v1/policies/{mode}"), json!({ "name": mode, "mode": mode })).await;
            let mut vhost = stack.vhost(mode);
            vhost["upstream"]["servers"][0]["port"] = json!(origin.port);
            stack.put_live(&format!("/api/v1/vhosts/{mode}"), vhost).await;
        }
        assert_eq!(stack.control("PUT", "/v1/test/faults", Some(json!({ "log_seen": true }))).await.0, 200);
        let judge = Judge::new(&stack);
        Self { stack, origin, judge, known: Vec::new() }
    }

    /// Plays scripts, eight at a time, and judges what came of them.
    async fn play(&mut self, scripts: &[&Script], attacks: &[Attack]) -> Played {
        let to = self.stack.http;
        let statuses = futures::stream::iter(scripts).map(|script| script.run(to)).buffer_unordered(8).concat().await;
        let received = self.origin.take();
        let found = self.judge.findings(&self.stack, &received, attacks).await;
        Played { statuses, received, found }
    }

    /// An attack tells something only where it is blocked unchanged.
    async fn what_is_known(&mut self) {
        for kind in 0..BENIGN {
            for place in PLACES {
                let (mut message, _) = attack::message(kind, place, "m", 20);
                message.length();
                let script = Script::H1(vec![Step::Send([message.head("HTTP/1.1"), message.body].concat()), Step::Finish]);
                if script.run(self.stack.http).await == [403] {
                    self.known.push((kind, place));
                }
            }
        }
        let missing: Vec<_> = PLACES.iter().filter(|place| !self.known.iter().any(|(_, p)| p == *place)).collect();
        assert!(missing.is_empty(), "no attack is blocked in {missing:?}: {:?}", self.known);
        self.origin.take();
    }

    /// What passes uninspected on purpose is found: a judge that finds nothing is no judge.
    async fn the_judge_judges(&mut self) {
        let send = |text: &str| Script::H1(vec![Step::Send(text.as_bytes().to_vec()), Step::Finish]);
        let get = send("GET /?a=1 HTTP/1.1\r\nHost: block.test\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n");
        let played = self.play(&[&get], &[]).await;
        assert_eq!((played.statuses, played.found), (vec![200], vec![]), "an ordinary request");

        let (_, attack) = attack::message(0, Place::Query, "judged", 0);
        let needle = String::from_utf8(attack.needle.clone()).expect("text");
        let passes = send(&format!("GET /?b={needle} HTTP/1.1\r\nHost: block.test\r\n\r\n"));
        self.stack.patch_live("/api/v1/policies/block", json!({ "mode": "off" })).await;
        let played = self.play(&[&passes], std::slice::from_ref(&attack)).await;
        assert!(played.finds("mode O"), "not inspected, and not found: {:?}", played.found);
        self.stack.patch_live("/api/v1/policies/block", json!({ "mode": "block", "thresholds": { "inbound": 1000 } })).await;
        let played = self.play(&[&passes], &[attack]).await;
        assert!(played.finds("passed in the Query"), "an attack passed, and was not found: {:?}", played.found);
        self.stack.patch_live("/api/v1/policies/block", json!({ "thresholds": { "inbound": 5 } })).await;

        assert_eq!(self.stack.control("PUT", "/v1/test/faults", Some(json!({}))).await.0, 200);
        let played = self.play(&[&get], &[]).await;
        assert!(played.finds("saw it 0 times"), "not shown to guard-spoa, and not found: {:?}", played.found);
        assert_eq!(self.stack.control("PUT", "/v1/test/faults", Some(json!({ "log_seen": true }))).await.0, 200);
    }

    /// What was found once. A line `!never "bytes"` says what must not reach the origin, `!always "bytes"` what must.
    async fn corpus(&mut self) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fuzz/corpus");
        for file in std::fs::read_dir(folder).expect("the corpus") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a script");
            let Played { received, found, .. } = self.play(&[&Script::read(&text)], &[]).await;
            assert!(found.is_empty(), "{}: {found:?}", path.display());
            for (rule, wanted) in [("!never ", false), ("!always ", true)] {
                for bytes in text.lines().filter_map(|line| line.strip_prefix(rule)).map(script::unescape) {
                    let reached = received.iter().any(|r| recorder::position(&r.raw, &bytes).is_some());
                    assert_eq!(reached, wanted, "{}: {rule}{}", path.display(), bytes.escape_ascii());
                }
            }
        }
    }

    fn case(&self, seed: u64) -> Case {
        let random = &mut Random::new(seed);
        let mut attacks = Vec::new();
        let mut one = |random: &mut Random| {
            // What passes tells of framing and headers more than what is blocked anyway.
            let (kind, place) = if random.percent(60) { (BENIGN, *random.pick(&PLACES)) } else { *random.pick(&self.known) };
            let padding = match random.below(40) {
                0 => random.below(140_000),
                1..6 => random.below(5000),
                _ => random.below(100),
            };
            let (mut message, attack) = attack::message(kind, place, &attack::mark(random), padding);
            mutate::message(&mut message, random);
            attacks.push(attack);
            message
        };
        let (first, second) = (one(random), one(random));
        let script = if random.percent(55) { mutate::h1(first, second, random) } else { mutate::h2(&first, &second, random) };
        Case { seed, script, attacks }
    }

    async fn fuzz(&mut self, mut seed: u64, lasts: Duration) {
        let until = Instant::now() + lasts;
        let mut statuses = BTreeMap::<u16, usize>::new();
        let mut cases = 0;
        // What HAProxy forwards late, for a client that has left, is of the batch before.
        let mut before = Vec::new();
        loop {
            let over = Instant::now() > until;
            let size = if over { 0 } else { BATCH };
            let batch: Vec<Case> = (seed..seed + size).map(|seed| self.case(seed)).collect();
            let scripts: Vec<Script> = batch.iter().map(|case| case.script.clone()).collect();
            before.extend(batch);
            let attacks: Vec<Attack> = before.iter().flat_map(|case: &Case| case.attacks.clone()).collect();
            let played = self.play(&scripts.iter().collect::<Vec<_>>(), &attacks).await;
            if let Some((at, _)) = played.found.first() {
                let wrong: Vec<_> = played.found.iter().filter(|(of, _)| of == at).map(|(_, finding)| finding.as_str()).collect();
                panic!("{}\n{}", wrong.join("\n"), blame(&before, &played.received[*at]));
            }
            if over {
                break;
            }
            played.statuses.into_iter().for_each(|status| *statuses.entry(status).or_default() += 1);
            before.drain(..before.len() - BATCH as usize);
            seed += BATCH;
            cases += BATCH;
        }
        eprintln!("fuzz: {cases} cases up to seed {seed}, answered {statuses:?}");
        // Both sides of the fence were met, or it proves nothing.
        for status in [200, 400, 403] {
            assert!(statuses.contains_key(&status), "none was answered {status}: {statuses:?}");
        }
    }
}

/// Who sent this: the case whose mark is in it.
fn blame(batch: &[Case], received: &Received) -> String {
    let marked = |case: &&Case| case.attacks.iter().any(|a| recorder::position(&received.raw, a.mark.as_bytes()).is_some());
    let sent = match batch.iter().find(marked) {
        Some(case) => format!("SEED={}; the client sent:\n{}", case.seed, case.script),
        None => format!("one of those from SEED={} on", batch.first().map_or(0, |case| case.seed)),
    };
    format!("the origin received: {}\n{sent}", received.raw.escape_ascii())
}
