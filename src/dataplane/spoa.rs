//! guard-spoa's control socket: HTTP and JSON for its owner. The agent serves, the validator only compiles.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use crate::domain::{FieldError, Finding, Severity, TrafficCounts};
use crate::render::RenderedRuleSet;

/// Bytes of an answer that are read: thousands of findings fit.
const MOST_ANSWER: usize = 8 << 20;
/// A compilation has so long to end; one that takes longer is refused.
pub const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    pub coraza_version: String,
    pub crs_version: String,
    pub pid: u32,
    pub started_at: String,
    pub role: String,
    pub applications: usize,
    pub in_flight: i64,
    pub config: String,
}

/// What a process has counted of clients' requests since it began.
#[derive(Clone, Debug, Deserialize)]
pub struct Traffic {
    pub pid: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// By number.
    #[serde(deserialize_with = "verdicts")]
    pub vhosts: HashMap<u32, TrafficCounts>,
}

fn verdicts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<HashMap<u32, TrafficCounts>, D::Error> {
    #[derive(Deserialize)]
    struct Verdicts {
        inspected: u32,
        blocked: u32,
        detected: u32,
        failed: u32,
    }
    let told = HashMap::<u32, Verdicts>::deserialize(from)?;
    let counts = |Verdicts { inspected, blocked, detected, failed }| TrafficCounts {
        inspected,
        blocked,
        detected,
        failed,
        ..TrafficCounts::default()
    };
    Ok(told.into_iter().map(|(vhost, told)| (vhost, counts(told))).collect())
}

#[derive(Clone, Debug, Deserialize)]
pub struct Application {
    pub name: String,
    /// SHA-256 of its SecLang, in hex.
    pub digest: String,
    #[serde(default)]
    pub state: String,
    /// Requests that it is at work on.
    #[serde(default)]
    pub in_flight: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EngineFinding {
    pub severity: String,
    pub code: String,
    pub file: Option<String>,
    pub line: u32,
    pub directive: String,
    pub message: String,
}

/// What compiling a rule set came to.
#[derive(Clone, Debug)]
pub enum Compiled {
    Accepted { rule_count: u64, load_ms: f64, findings: Vec<EngineFinding> },
    Refused { error: EngineFinding },
}

/// A request as the agent would hear of it from HAProxy.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateRequest {
    pub id: String,
    pub method: String,
    pub uri: String,
    pub version: String,
    pub headers: Vec<(String, String)>,
    pub body_base64: String,
    pub src_ip: String,
    pub src_port: u16,
    pub dst_ip: String,
    pub dst_port: u16,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Evaluated {
    pub action: String,
    pub status: i64,
    pub rules: Vec<u32>,
    pub anomaly_score: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum SpoaError {
    /// Nobody to ask: says nothing about the content.
    #[error("guard-spoa does not answer: {0}")]
    Away(String),
    /// It is there and has no place for another one: says nothing about the content.
    #[error("guard-spoa is busy: {0}")]
    Busy(String),
    /// It took the question and the connection broke. Where it compiles, that is about the content.
    #[error("guard-spoa did not answer: {0}")]
    Broke(String),
    #[error("guard-spoa did not answer in {0} s")]
    Late(u64),
    #[error("guard-spoa answered {status}: {said}")]
    Said { status: u16, said: String },
}

/// One process of guard-spoa.
#[derive(Clone, Debug)]
pub struct Spoa {
    client: reqwest::Client,
}

impl Spoa {
    /// Does not connect.
    pub fn new(socket: &str) -> Self {
        let client = reqwest::Client::builder()
            .unix_socket(socket)
            .timeout(Duration::from_secs(60))
            .connect_timeout(Duration::from_secs(2))
            // A validator may end after an answer: a connection of before it would break, and that would be told of the content.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        // It fails only where TLS cannot be set up, and there is none.
        Self { client: client.unwrap_or_default() }
    }

    pub async fn status(&self) -> Result<Status, SpoaError> {
        self.call(reqwest::Method::GET, "/v1/status", None).await?.parse()
    }

    pub async fn traffic(&self) -> Result<Traffic, SpoaError> {
        self.call(reqwest::Method::GET, "/v1/traffic", None).await?.parse()
    }

    /// What is loaded, by name; what is on its way out is not.
    pub async fn applications(&self) -> Result<BTreeMap<String, Application>, SpoaError> {
        #[derive(Deserialize)]
        struct Items {
            items: Vec<Application>,
        }
        let items: Items = self.call(reqwest::Method::GET, "/v1/applications", None).await?.parse()?;
        Ok(items.items.into_iter().filter(|app| app.state != "draining").map(|app| (app.name.clone(), app)).collect())
    }

    /// Loads a rule set beside the others, or in the place of the one of that name.
    pub async fn load(&self, name: &str, directives: &str) -> Result<Compiled, SpoaError> {
        self.call(reqwest::Method::PUT, &format!("/v1/applications/{name}"), Some(json!({ "directives": directives }))).await?.compiled()
    }

    /// Loads what nobody has judged: it has little time.
    pub async fn load_unjudged(&self, name: &str, directives: &str) -> Result<Compiled, SpoaError> {
        within(PATIENCE, self.load(name, directives)).await
    }

    /// True where it is gone, false where it is left to drain.
    pub async fn unload(&self, name: &str, timeout: Duration) -> Result<bool, SpoaError> {
        let path = format!("/v1/applications/{name}?timeout_ms={}", timeout.as_millis());
        let answer = self.call(reqwest::Method::DELETE, &path, None).await?;
        match answer.status {
            200 | 404 => Ok(true),
            202 => Ok(false),
            _ => Err(answer.unexpected()),
        }
    }

    /// Compiles and throws away; only a validator does.
    pub async fn validate(&self, directives: &str) -> Result<Compiled, SpoaError> {
        self.call(reqwest::Method::POST, "/v1/validate", Some(json!({ "directives": directives }))).await?.compiled()
    }

    /// What a request would get.
    pub async fn evaluate(&self, application: &str, request: &EvaluateRequest) -> Result<Evaluated, SpoaError> {
        let body = serde_json::to_value(request).map_err(|e| SpoaError::Broke(e.to_string()))?;
        self.call(reqwest::Method::POST, &format!("/v1/applications/{application}/evaluate"), Some(body)).await?.parse()
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<serde_json::Value>) -> Result<Answer, SpoaError> {
        let mut request = self.client.request(method, format!("http://guard-spoa{path}"));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            text.extend_from_slice(&chunk);
            if text.len() > MOST_ANSWER {
                return Err(SpoaError::Broke("the answer is too long".into()));
            }
        }
        Ok(Answer { status, text })
    }
}

/// The whole chain: reqwest's own message says only that something was wrong.
fn failed(error: reqwest::Error) -> SpoaError {
    let nobody = error.is_connect();
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    if nobody { SpoaError::Away(said) } else { SpoaError::Broke(said) }
}

pub async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, SpoaError>>) -> Result<T, SpoaError> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(SpoaError::Late(patience.as_secs())))
}

struct Answer {
    status: u16,
    text: Vec<u8>,
}

impl Answer {
    fn unexpected(&self) -> SpoaError {
        let said = super::bounded(String::from_utf8_lossy(&self.text).trim());
        match self.status {
            503 => SpoaError::Busy(said),
            status => SpoaError::Said { status, said },
        }
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, SpoaError> {
        if self.status != 200 {
            return Err(self.unexpected());
        }
        serde_json::from_slice(&self.text).map_err(|e| SpoaError::Said { status: self.status, said: format!("not the JSON we know: {e}") })
    }

    fn compiled(&self) -> Result<Compiled, SpoaError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Good {
            rule_count: u64,
            load_ms: f64,
            findings: Vec<EngineFinding>,
        }
        #[derive(Deserialize)]
        struct Bad {
            error: EngineFinding,
        }
        let bad = || serde_json::from_slice::<Bad>(&self.text).map(|bad| bad.error);
        match self.status {
            422 => return bad().map(|error| Compiled::Refused { error }).map_err(|_| self.unexpected()),
            413 => {
                let plain = |_| EngineFinding { message: super::bounded(String::from_utf8_lossy(&self.text).trim()), ..Default::default() };
                let error = EngineFinding { code: "too-large".into(), ..bad().unwrap_or_else(plain) };
                return Ok(Compiled::Refused { error });
            }
            _ => {}
        }
        let good: Good = self.parse()?;
        Ok(Compiled::Accepted { rule_count: good.rule_count, load_ms: good.load_ms, findings: good.findings })
    }
}

/// The place in each policy that a line of a rule set came from; the whole policy where the line is of the template. A line of a rule set
/// that was merged of several policies comes from one of them.
pub fn pointers(ruleset: &RenderedRuleSet, line: u32) -> Vec<String> {
    let origin = ruleset.origins.get(&(line as usize)).map_or("", String::as_str);
    if origin.starts_with("/policies/") {
        return vec![origin.to_owned()];
    }
    ruleset.policies.iter().map(|policy| format!("/policies/{policy}{origin}")).collect()
}

/// The engine's words about a rule set, for people.
pub fn words(error: &EngineFinding) -> String {
    let mut said = error.message.clone();
    if !error.directive.is_empty() {
        said = format!("{said} (in `{}`)", error.directive.chars().take(300).collect::<String>());
    }
    super::bounded(&said)
}

/// The code of errors about what would cost an engine too much to compile.
pub const TOO_EXPENSIVE: &str = "too_expensive";

/// A refusal as errors of every policy that shares the rule set.
pub fn refusal(ruleset: &RenderedRuleSet, error: &EngineFinding) -> (String, Vec<FieldError>) {
    let said = words(error);
    let code = match error.code.replace('-', "_").as_str() {
        "too_expensive" | "too_large" => TOO_EXPENSIVE,
        _ => "engine_refused",
    };
    let errors = pointers(ruleset, error.line).into_iter().map(|pointer| FieldError::new(pointer, code, said.clone())).collect();
    (said, errors)
}

/// A refusal of a rule set on which an engine broke, or took too long.
pub fn too_expensive(ruleset: &RenderedRuleSet, what: &str) -> (String, Vec<FieldError>) {
    let message = format!("compiling the rule set cost the engine too much: {what}");
    refusal(ruleset, &EngineFinding { code: TOO_EXPENSIVE.into(), message, ..Default::default() })
}

pub fn findings(ruleset: &RenderedRuleSet, found: &[EngineFinding]) -> Vec<Finding> {
    let mut out = Vec::new();
    for finding in found {
        // What is said of a line of the template is ours to mend, not the caller's.
        if !ruleset.origins.contains_key(&(finding.line as usize)) {
            continue;
        }
        let severity = match finding.severity.as_str() {
            "error" => Severity::Error,
            "info" => Severity::Info,
            _ => Severity::Warning,
        };
        for pointer in pointers(ruleset, finding.line) {
            out.push(Finding { severity, code: finding.code.clone(), pointer, message: words(finding) });
        }
    }
    out
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::domain::Name;

    pub fn ruleset() -> RenderedRuleSet {
        RenderedRuleSet {
            name: "rs-0123456789abcdef".into(),
            text: String::new(),
            policies: vec![Name::parse("shop").unwrap(), Name::parse("blog").unwrap()],
            origins: BTreeMap::from([(7, "/custom_rules/0".to_owned())]),
        }
    }

    fn answer(status: u16, text: &str) -> Answer {
        Answer { status, text: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_refusal_points_at_every_policy_that_shares_the_rules() {
        let text = r#"{"error":{"file":"directives","line":7,"directive":"SecRule ARGS \"@rx (?!x)\"","message":"invalid or unsupported Perl syntax"},"findings":[]}"#;
        let Ok(Compiled::Refused { error }) = answer(422, text).compiled() else { panic!() };
        let (said, errors) = refusal(&ruleset(), &error);
        assert!(said.starts_with("invalid or unsupported Perl syntax (in `SecRule ARGS"), "{said}");
        let pointers: Vec<_> = errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/policies/shop/custom_rules/0", "/policies/blog/custom_rules/0"]);
        let (_, errors) = refusal(&ruleset(), &EngineFinding { line: 1, ..error });
        assert_eq!(errors[0].pointer, "/policies/shop");
    }

    #[test]
    fn only_lines_with_an_origin_give_findings() {
        let found =
            |line| EngineFinding { severity: "warning".into(), code: "no_effect".into(), line, message: "m".into(), ..Default::default() };
        assert_eq!(findings(&ruleset(), &[found(1), found(7)]).len(), 2);
    }

    #[test]
    fn overload_is_not_a_refusal() {
        assert!(matches!(answer(503, r#"{"error":"busy"}"#).compiled(), Err(SpoaError::Busy(_))));
        assert!(matches!(answer(403, "no").compiled(), Err(SpoaError::Said { status: 403, .. })));
        assert!(matches!(answer(422, "what?").compiled(), Err(SpoaError::Said { .. })));
    }

    #[tokio::test]
    async fn nobody_there_is_away() {
        assert!(matches!(Spoa::new("/nonexistent/socket").status().await, Err(SpoaError::Away(_))));
    }
}
