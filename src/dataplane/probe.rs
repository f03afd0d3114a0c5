//! Proof: what must be seen of a vhost, and whether it was.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use time::OffsetDateTime;

use super::spoa::{EvaluateRequest, Spoa, SpoaError};
use super::wire::{self, Answer, Probe};
use crate::compile::{PlaceTarget, ProbeTarget};
use crate::domain::proof::{Proof, ProofState};
use crate::domain::rule::CUSTOM_RULE_IDS;
use crate::domain::{Mode, Name, Revision};

/// The marker rule of every application.
const CANARY_RULE: u32 = 100_003;
/// Rules that `x-gp-state` has room for.
const MOST_RULES: usize = 57;
/// Of documentation: no client has it.
const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Told by proxies, of a network of documentation too.
const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 201));
/// Vhosts that are probed at once.
const AT_ONCE: usize = 8;
/// Vhosts that are probed at most; beyond them it is a sample.
pub const MOST_PROBED: usize = 100;
/// An agent may be just back.
const ATTEMPTS: usize = 4;
const BETWEEN: Duration = Duration::from_millis(50);
/// After a reload a connection may still reach the worker of before: on a busy machine for longer than all attempts take.
pub const HANDOVER: Duration = Duration::from_secs(10);

/// What probing a vhost came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Judged {
    Proven,
    /// It could not be seen: an engine was away or at fault.
    Fault(String),
    /// Something else was seen than what the revision says.
    Wrong(String),
    /// A worker of before answered: it says nothing about the revision.
    Stale(String),
}

/// A vhost's proof, and what kind of failure it was if there is none.
#[derive(Clone, Debug)]
pub struct Probed {
    pub proof: Proof,
    /// True where nothing is known against the revision: an engine did not answer.
    pub fault: bool,
}

/// Where probes go.
#[derive(Clone, Debug)]
pub struct Prober {
    pub socket: PathBuf,
    pub spoa: Spoa,
    /// What the worker runs that is to answer.
    pub structure: String,
    /// Until when another one may answer.
    pub handover: Instant,
}

impl Prober {
    /// Probes the targets, in the order they come.
    pub async fn probe(&self, targets: Vec<&ProbeTarget>, revision: Revision, at: OffsetDateTime) -> Vec<Probed> {
        let probes: Vec<_> = targets.into_iter().map(|target| self.probe_one(target, revision, at)).collect();
        futures::stream::iter(probes).buffered(AT_ONCE).collect().await
    }

    async fn probe_one(&self, target: &ProbeTarget, revision: Revision, at: OffsetDateTime) -> Probed {
        let mut seen = Vec::new();
        let mut attempts = 0;
        let judged = loop {
            seen.clear();
            let judged = self.judge(target, &mut seen).await;
            attempts += match judged {
                Judged::Proven => break judged,
                Judged::Stale(_) if Instant::now() < self.handover => 0,
                _ => 1,
            };
            if attempts == ATTEMPTS {
                break judged;
            }
            tokio::time::sleep(BETWEEN).await;
        };
        let (state, fault) = match judged {
            Judged::Proven => (ProofState::Proven, false),
            Judged::Fault(why) | Judged::Stale(why) => {
                seen.push(why);
                (ProofState::Unproven, true)
            }
            Judged::Wrong(why) => {
                seen.push(why);
                (ProofState::Unproven, false)
            }
        };
        Probed {
            proof: Proof { vhost: target.vhost.clone(), state, revision, at, host: target.host.clone(), row: target.row.clone(), seen },
            fault,
        }
    }

    async fn judge(&self, target: &ProbeTarget, seen: &mut Vec<String>) -> Judged {
        match self.judge_all(target, seen).await {
            Ok(()) => Judged::Proven,
            Err(judged) => judged,
        }
    }

    async fn judge_all(&self, target: &ProbeTarget, seen: &mut Vec<String>) -> Result<(), Judged> {
        if !target.enabled {
            let answer = self.ask(target, Probe::Plain, SOMEBODY, "/", "disabled", seen).await?;
            return expect(answer.status == 421, "a disabled vhost answers 421", &answer);
        }
        let answer = self.ask(target, Probe::Canary, SOMEBODY, "/", "canary", seen).await?;
        judge_canary(target, &answer)?;
        for (client, verdict) in &target.clients {
            let answer = self.ask(target, Probe::Plain, *client, "/", verdict, seen).await?;
            judge_client(target, verdict, &answer)?;
        }
        if target.mode != Mode::Off {
            self.judge_attack(target, seen).await?;
        }
        for place in &target.places {
            let answer = self.ask(target, Probe::Canary, SOMEBODY, &place.path, &format!("canary of {}", place.path), seen).await?;
            judge_place(target, place, &answer)?;
        }
        self.judge_proxies(target, seen).await
    }

    /// What a trusted proxy says of its client is believed.
    async fn judge_proxies(&self, target: &ProbeTarget, seen: &mut Vec<String>) -> Result<(), Judged> {
        for proxy in &target.proxies {
            // An address that is no proxy's itself: x-forwarded-for is followed through those.
            let told = (target.client_ip_header, FAR);
            let answer = self.send(target, (Probe::Canary, *proxy, "/", Some(told)), &format!("client told by {proxy}"), seen).await?;
            expect(answer.state.client == Some(FAR), &format!("{FAR} as the client, since {proxy} is trusted"), &answer)?;
        }
        Ok(())
    }

    /// The wire must agree with what the agent says of the same request.
    async fn judge_attack(&self, target: &ProbeTarget, seen: &mut Vec<String>) -> Result<(), Judged> {
        let client = target.clients.iter().find(|(_, verdict)| *verdict == "allow").map_or(SOMEBODY, |(client, _)| *client);
        let answer = self.ask(target, Probe::Plain, client, wire::ATTACK, "attack", seen).await?;
        if answer.state.acc == "deny" || answer.state.acc == "trust" {
            seen.push(format!("attack: {client} is not inspected here, so there is nothing to compare"));
            return Ok(());
        }
        same_row(target, &answer)?;
        no_fault(&answer)?;
        let asked = evaluate_request(target, client);
        let told = match self.spoa.evaluate(&target.ruleset, &asked).await {
            Ok(told) => told,
            Err(error @ (SpoaError::Away(_) | SpoaError::Busy(_) | SpoaError::Broke(_) | SpoaError::Late(_))) => {
                return Err(Judged::Fault(error.to_string()));
            }
            Err(error) => return Err(Judged::Fault(format!("the agent could not be asked about the attack: {error}"))),
        };
        let told_rules: BTreeSet<u32> = told.rules.iter().copied().collect();
        let wire_rules: BTreeSet<u32> = answer.state.rules.iter().copied().collect();
        // The wire has room for so many.
        let same_rules = if answer.state.rules.len() < MOST_RULES { told_rules == wire_rules } else { told_rules.is_superset(&wire_rules) };
        let agrees = told.action == answer.state.action && same_rules;
        expect(agrees, &format!("the agent says {} by {:?}", told.action, told_rules), &answer)
    }

    async fn ask(
        &self,
        target: &ProbeTarget,
        probe: Probe,
        client: IpAddr,
        path: &str,
        what: &str,
        seen: &mut Vec<String>,
    ) -> Result<Answer, Judged> {
        self.send(target, (probe, client, path, None), &format!("{what} from {client}"), seen).await
    }

    async fn send(
        &self,
        target: &ProbeTarget,
        (probe, client, path, told): (Probe, IpAddr, &str, Option<wire::Told>),
        what: &str,
        seen: &mut Vec<String>,
    ) -> Result<Answer, Judged> {
        let answer = wire::send(&self.socket, probe, client, &target.host, path, told).await;
        let answer = answer.map_err(|error| Judged::Fault(format!("{what}: HAProxy could not be asked: {error}")))?;
        let rev = &answer.state.rev;
        if !rev.is_empty() && *rev != self.structure {
            return Err(Judged::Stale(format!("{what}: a worker answered that runs structure `{rev}`, not `{}`", self.structure)));
        }
        seen.push(format!("{what}: {}{} {}", answer.status, if answer.passed { " passed" } else { "" }, answer.raw_state));
        Ok(answer)
    }
}

fn expect(good: bool, what: &str, answer: &Answer) -> Result<(), Judged> {
    if good { Ok(()) } else { Err(Judged::Wrong(format!("expected: {what}; seen: {} {}", answer.status, answer.raw_state))) }
}

fn same_row(target: &ProbeTarget, answer: &Answer) -> Result<(), Judged> {
    that_row(target, &target.row, answer)
}

fn that_row(target: &ProbeTarget, row: &str, answer: &Answer) -> Result<(), Judged> {
    let state = &answer.state;
    let same = state.number == Some(target.number) && state.generation == target.generation && state.row == row;
    expect(same, &format!("{}.{} {row}", target.number, target.generation), answer)
}

fn judge_place(target: &ProbeTarget, place: &PlaceTarget, answer: &Answer) -> Result<(), Judged> {
    let Some(row) = &place.row else {
        return expect(answer.status == 400 && !answer.state.waf, "400, since ambiguous paths are denied", answer);
    };
    that_row(target, row, answer)?;
    no_fault(answer)?;
    judge_mode(place.mode, answer)
}

/// The agent away or at fault says nothing about the revision.
fn no_fault(answer: &Answer) -> Result<(), Judged> {
    let state = &answer.state;
    if state.fault == "unknown-application" {
        // We loaded it: somebody took it away, or the agent was started anew.
        return Err(Judged::Fault("the agent does not know the rule set".to_owned()));
    }
    if state.waf && (state.error.is_some() || !state.fault.is_empty()) {
        return Err(Judged::Fault(format!("the agent gave no verdict: error {:?}, fault {:?}", state.error, state.fault)));
    }
    Ok(())
}

fn judge_canary(target: &ProbeTarget, answer: &Answer) -> Result<(), Judged> {
    same_row(target, answer)?;
    no_fault(answer)?;
    judge_mode(target.mode, answer)
}

fn judge_mode(mode: Mode, answer: &Answer) -> Result<(), Judged> {
    let marked = answer.state.rules.contains(&CANARY_RULE);
    match mode {
        // A custom rule may deny `GET /` before the marker has its turn: then that denial is what shows the mode. With `nolog` it leaves no id.
        Mode::Block => {
            let rules = &answer.state.rules;
            let own = rules.is_empty() || rules.iter().any(|id| CUSTOM_RULE_IDS.contains(id));
            let denied = !answer.passed && !matches!(answer.state.action.as_str(), "" | "allow");
            expect(denied && (own || marked && answer.status == 403), "403, deny, and the marker rule", answer)
        }
        // The list may be full before the marker has its turn.
        Mode::Detect => {
            let marked = marked || answer.state.rules.len() >= MOST_RULES;
            expect(answer.passed && answer.state.waf && marked, "passed, with the marker rule reported", answer)
        }
        Mode::Off => expect(answer.passed && !answer.state.waf && answer.state.action.is_empty(), "passed, and nobody asked", answer),
    }
}

fn judge_client(target: &ProbeTarget, verdict: &str, answer: &Answer) -> Result<(), Judged> {
    same_row(target, answer)?;
    match verdict {
        "deny" => {
            expect(answer.status == 403 && answer.state.acc == "deny" && !answer.state.waf, "403 by access, and nobody asked", answer)
        }
        "trust" => expect(answer.passed && answer.state.acc == "trust" && !answer.state.waf, "passed as trusted, and nobody asked", answer),
        _ => {
            no_fault(answer)?;
            let inspected = answer.state.waf == (target.mode != Mode::Off);
            expect(answer.state.acc != "deny" && answer.state.acc != "trust" && inspected, "let in by access, and inspected", answer)
        }
    }
}

/// The same request as HAProxy tells it: the id in its form, the headers that are left of the probe's.
fn evaluate_request(target: &ProbeTarget, client: IpAddr) -> EvaluateRequest {
    let parameters = target.row.split('|').nth(1).unwrap_or_default();
    let mut headers = vec![("host".to_owned(), target.host.clone())];
    headers.extend(wire::HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    EvaluateRequest {
        id: format!("gp.{parameters}.Wp.{}.{}.{}", target.number, target.generation, uuid::Uuid::new_v4()),
        method: "GET".into(),
        uri: wire::ATTACK.into(),
        version: "1.1".into(),
        headers,
        body_base64: String::new(),
        src_ip: client.to_string(),
        src_port: 4000,
        dst_ip: if client.is_ipv4() { "127.0.0.1" } else { "::1" }.into(),
        dst_port: 80,
    }
}

/// At most `most` of `wanted`, evenly spread over their order, the same ones for the same set.
pub fn sample(wanted: &BTreeSet<Name>, most: usize) -> BTreeSet<Name> {
    let step = wanted.len().div_ceil(most).max(1);
    wanted.iter().step_by(step).cloned().collect()
}

/// Vhosts whose probe must see something else than before.
pub fn touched(old: Option<&BTreeMap<Name, ProbeTarget>>, new: &BTreeMap<Name, ProbeTarget>) -> BTreeSet<Name> {
    new.iter().filter(|(name, target)| old.is_none_or(|old| old.get(*name) != Some(*target))).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::render::ProbeState;

    fn target(mode: Mode) -> ProbeTarget {
        ProbeTarget {
            vhost: Name::parse("shop").unwrap(),
            number: 3,
            enabled: true,
            host: "shop.test".into(),
            mode,
            generation: "g1".into(),
            row: "B|1.1.5.4.B|rs-1|0|7".into(),
            ruleset: "rs-1".into(),
            clients: vec![],
            places: vec![],
            proxies: vec![],
            client_ip_header: Default::default(),
        }
    }

    /// `state`: what was seen, of waf, acc, action, error and rules.
    fn answer(status: u16, passed: bool, state: &str) -> Answer {
        let seen: BTreeMap<&str, &str> = state.split(' ').filter_map(|part| part.split_once('=')).collect();
        let part = |name: &str| seen.get(name).copied().unwrap_or_default();
        let [waf, acc, action, error, rules] = ["waf", "acc", "action", "error", "rules"].map(part);
        let row = "B|1.1.5.4.B|rs-1|0|7";
        let raw_state =
            format!("3.g1 {row} waf={waf} acc={acc} action={action} status= error={error} fault= rules={rules} score= rev=ab client=");
        Answer { status, passed, state: ProbeState::parse(&raw_state).unwrap(), raw_state }
    }

    /// What a HAProxy that runs a structure, and knows a row or not, answers to a probe of a vhost whose mode is `off`.
    fn said(structure: &str, row: &str) -> String {
        let status = if row.is_empty() { "421 Misdirected Request" } else { "200 OK" };
        let place = if row.is_empty() { "." } else { "3.g1" };
        let state = format!("{place} {row} waf= acc= action= status= error= fault= rules= score= rev={structure} client=192.0.2.1");
        format!("HTTP/1.1 {status}\r\nx-gp-state: {state}\r\n\r\npassed")
    }

    /// Probes the target at a HAProxy that answers with these, the last again and again.
    async fn probed(answers: Vec<String>, handover: Duration) -> Probed {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("probe.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            for answer in answers.iter().chain(std::iter::repeat(answers.last().unwrap())) {
                let (mut asker, _) = listener.accept().await.unwrap();
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") && asker.read_buf(&mut asked).await.unwrap() > 0 {}
                asker.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let prober = Prober { socket, spoa: Spoa::new("nowhere"), structure: "new".into(), handover: Instant::now() + handover };
        prober.probe(vec![&target(Mode::Off)], 7, OffsetDateTime::UNIX_EPOCH).await.remove(0)
    }

    #[tokio::test]
    async fn a_worker_of_before_a_reload_says_nothing_of_the_revision() {
        let row = target(Mode::Off).row;
        // More of them than there are attempts: the vhost is unknown to it.
        let mut answers = vec![said("old", ""); 3 * ATTEMPTS];
        answers.push(said("new", &row));
        let late = probed(answers, HANDOVER).await;
        assert_eq!(late.proof.state, ProofState::Proven, "{:?}", late.proof.seen);
        let wrong = probed(vec![said("new", "")], HANDOVER).await;
        assert_eq!((wrong.proof.state, wrong.fault), (ProofState::Unproven, false), "{:?}", wrong.proof.seen);
    }

    #[tokio::test]
    async fn a_worker_of_before_that_stays_is_a_fault() {
        let stays = probed(vec![said("old", "")], Duration::ZERO).await;
        assert_eq!((stays.proof.state, stays.fault), (ProofState::Unproven, true));
        assert!(stays.proof.seen.last().unwrap().contains("structure `old`, not `new`"), "{:?}", stays.proof.seen);
    }

    #[test]
    fn the_canary_shows_the_mode() {
        let denied = answer(403, false, "waf=1 action=deny rules=100003");
        let reported = answer(200, true, "waf=1 action=allow rules=100003");
        let silent = answer(200, true, "waf= action= rules=");
        for (mode, good) in [(Mode::Block, &denied), (Mode::Detect, &reported), (Mode::Off, &silent)] {
            for seen in [&denied, &reported, &silent] {
                assert_eq!(judge_canary(&target(mode), seen).is_ok(), seen == good, "{mode:?} {seen:?}");
            }
        }
        let own = answer(410, false, "waf=1 action=deny rules=190001");
        assert!(judge_canary(&target(Mode::Block), &own).is_ok(), "a custom rule came first");
        let silent_rule = answer(410, false, "waf=1 action=deny rules=");
        assert!(judge_canary(&target(Mode::Block), &silent_rule).is_ok(), "a custom rule with nolog came first");
        let no_parameters = answer(503, false, "waf=1 action=deny rules=100000");
        assert!(judge_canary(&target(Mode::Block), &no_parameters).is_err());
        let many = (0..57).map(|n| (190_000 + n).to_string()).collect::<Vec<_>>().join(",");
        assert!(judge_canary(&target(Mode::Detect), &answer(200, true, &format!("waf=1 action=allow rules={many}"))).is_ok());
        assert!(judge_canary(&target(Mode::Detect), &answer(200, true, "waf=1 action=allow rules=190001")).is_err());
        let other = ProbeTarget { generation: "g2".into(), ..target(Mode::Block) };
        assert!(matches!(judge_canary(&other, &denied), Err(Judged::Wrong(_))));
        let away = answer(503, false, "waf=1 action= error=2 rules=");
        assert!(matches!(judge_canary(&target(Mode::Block), &away), Err(Judged::Fault(_))));
    }

    #[test]
    fn access_is_seen() {
        let block = target(Mode::Block);
        assert!(judge_client(&block, "deny", &answer(403, false, "acc=deny waf= action=")).is_ok());
        assert!(judge_client(&block, "deny", &answer(403, false, "acc= waf=1 action=deny")).is_err());
        assert!(judge_client(&block, "trust", &answer(200, true, "acc=trust waf=")).is_ok());
        assert!(judge_client(&block, "allow", &answer(200, true, "acc= waf=1 action=allow")).is_ok());
        assert!(judge_client(&block, "allow", &answer(200, true, "acc=trust waf=")).is_err());
    }

    #[test]
    fn a_sample_is_spread_and_stable() {
        let all: BTreeSet<Name> = (0..1000).map(|i| Name::parse(&format!("v{i}")).unwrap()).collect();
        let some = sample(&all, MOST_PROBED);
        assert_eq!(some.len(), MOST_PROBED);
        assert_eq!(some, sample(&all, MOST_PROBED));
        let few: BTreeSet<Name> = all.iter().take(100).cloned().collect();
        assert_eq!(sample(&few, MOST_PROBED), few);
    }
}
