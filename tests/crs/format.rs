//! The files of go-ftw, as far as the Core Rule Set uses them. A key that is not known here fails the run: it is never passed over.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "meta")]
    _meta: IgnoredAny,
    #[serde(rename = "author")]
    _author: Option<IgnoredAny>,
    rule_id: u32,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    test_id: u32,
    #[serde(rename = "desc")]
    _desc: Option<IgnoredAny>,
    stages: Vec<Stage>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub input: Input,
    pub output: Output,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Where to is ours to say: the stack's HAProxy.
    #[serde(rename = "dest_addr")]
    _dest_addr: Option<IgnoredAny>,
    #[serde(rename = "port")]
    _port: Option<IgnoredAny>,
    #[serde(rename = "protocol")]
    _protocol: Option<Plain>,
    pub method: Option<String>,
    pub uri: Option<String>,
    pub version: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub data: Option<String>,
    /// Base64.
    pub encoded_data: Option<String>,
    /// Base64, of everything that is sent.
    pub encoded_request: Option<String>,
    pub autocomplete_headers: Option<bool>,
    /// Take the place of `uri` by the last stage's Location.
    #[serde(default)]
    pub follow_redirect: bool,
    /// Keep the answer's cookies for the stages that follow.
    #[serde(default)]
    pub save_cookie: bool,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Plain {
    Http,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub status: Option<u16>,
    pub response_contains: Option<String>,
    #[serde(default)]
    pub expect_error: bool,
    /// Not done: a verdict that is there only at the second attempt was lost at the first.
    #[serde(rename = "retry_once")]
    _retry_once: Option<IgnoredAny>,
    /// No rule but the expected may match.
    #[serde(default)]
    pub isolated: bool,
    #[serde(default)]
    pub log: Log,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(default)]
    pub expect_ids: Vec<u32>,
    #[serde(default)]
    pub no_expect_ids: Vec<u32>,
    pub match_regex: Option<String>,
    pub no_match_regex: Option<String>,
}

impl Log {
    pub fn is_empty(&self) -> bool {
        self.expect_ids.is_empty() && self.no_expect_ids.is_empty() && self.match_regex.is_none() && self.no_match_regex.is_none()
    }
}

#[derive(Clone)]
pub struct Test {
    /// `942100-3`: the rule's and the test's id.
    pub name: String,
    pub rule: u32,
    pub stages: Vec<Stage>,
}

impl Test {
    /// The same requests, with something else expected of each.
    pub fn expecting(&self, output: &Output) -> Self {
        let stage = |stage: &Stage| Stage { input: stage.input.clone(), output: output.clone() };
        Self { stages: self.stages.iter().map(stage).collect(), ..self.clone() }
    }

    /// Rules of phases 3 and 4, and the outbound score, need the origin's answer.
    pub fn is_about_responses(&self) -> bool {
        (950_000..980_000).contains(&self.rule)
    }
}

/// The tests of one file; none where it holds nothing but comments.
pub fn parse(text: &str) -> Result<Vec<Test>, String> {
    let file: Option<File> = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
    let Some(file) = file else { return Ok(Vec::new()) };
    let test = |case: Case| Test { name: format!("{}-{}", file.rule_id, case.test_id), rule: file.rule_id, stages: case.stages };
    Ok(file.tests.into_iter().map(test).collect())
}

/// All tests of a folder of folders, in the order of their names.
pub fn load(folder: &Path) -> Vec<Test> {
    let listed = |folder: &Path| -> Vec<_> {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.expect("an entry of a folder").path())
            .collect();
        paths.sort();
        paths
    };
    let mut tests = Vec::new();
    for path in listed(folder).iter().filter(|path| path.is_dir()).flat_map(|path| listed(path)) {
        if path.extension().is_some_and(|e| e == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            tests.extend(parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
        }
    }
    tests
}
