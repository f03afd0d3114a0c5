//! Policies: how the WAF treats requests.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::name::{Description, Name, Title, text_newtype};
use super::rule::{CUSTOM_RULE_IDS, CustomRule, Exclusion, ExclusionId, complete_keys};
use super::{FieldError, error};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Not inspected.
    Off,
    /// Inspected and reported; nothing is denied.
    Detect,
    #[default]
    Block,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Detect => "detect",
            Self::Block => "block",
        }
    }
}

/// A paranoia level, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schema(value_type = u8, minimum = 1, maximum = 4)]
pub struct ParanoiaLevel(u8);

impl ParanoiaLevel {
    pub const ONE: Self = Self(1);
    pub fn get(self) -> u8 {
        self.0
    }
}
impl TryFrom<u8> for ParanoiaLevel {
    type Error = String;
    fn try_from(level: u8) -> Result<Self, String> {
        if (1..=4).contains(&level) { Ok(Self(level)) } else { Err("a paranoia level is 1 to 4".to_owned()) }
    }
}
impl From<ParanoiaLevel> for u8 {
    fn from(level: ParanoiaLevel) -> u8 {
        level.0
    }
}

/// Rules up to `blocking` count towards the score, rules up to `detection` only report (shadow mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(from = "ParanoiaFields")]
pub struct Paranoia {
    #[schema(default = 1)]
    pub blocking: ParanoiaLevel,
    /// Not below `blocking`, which is also the default.
    #[schema(default = 1)]
    pub detection: ParanoiaLevel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParanoiaFields {
    blocking: Option<ParanoiaLevel>,
    detection: Option<ParanoiaLevel>,
}

impl From<ParanoiaFields> for Paranoia {
    fn from(fields: ParanoiaFields) -> Self {
        let blocking = fields.blocking.unwrap_or(ParanoiaLevel::ONE);
        Self { blocking, detection: fields.detection.unwrap_or(blocking) }
    }
}

impl Default for Paranoia {
    fn default() -> Self {
        Self { blocking: ParanoiaLevel::ONE, detection: ParanoiaLevel::ONE }
    }
}

/// An anomaly threshold: the score at which a request or answer is denied, 1 to 99999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schema(value_type = u32, minimum = 1, maximum = 99999)]
pub struct Threshold(u32);

impl Threshold {
    pub fn get(self) -> u32 {
        self.0
    }
}
impl TryFrom<u32> for Threshold {
    type Error = String;
    fn try_from(value: u32) -> Result<Self, String> {
        if (1..=99_999).contains(&value) { Ok(Self(value)) } else { Err("a threshold is 1 to 99999".to_owned()) }
    }
}
impl From<Threshold> for u32 {
    fn from(threshold: Threshold) -> u32 {
        threshold.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    #[schema(default = 5)]
    pub inbound: Threshold,
    #[schema(default = 4)]
    pub outbound: Threshold,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { inbound: Threshold(5), outbound: Threshold(4) }
    }
}

text_newtype! {
    /// An HTTP method: 1 to 32 upper-case letters. CONNECT, TRACE and TRACK are never forwarded and cannot be allowed.
    Method, |text| {
        if matches!(text, "CONNECT" | "TRACE" | "TRACK") {
            return Err(format!("`{text}` is never forwarded"));
        }
        if (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase()) { Ok(text.to_owned()) }
        else { Err("a method is 1 to 32 upper-case letters".to_owned()) }
    },
    #[schema(pattern = "^[A-Z]{1,32}$", example = "GET")]
}

text_newtype! {
    /// A media type without parameters, lower case: `application/json`.
    ContentType, |text| {
        let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+.-".contains(&b));
        let ok = text.len() <= 100 && text.split_once('/').is_some_and(|(a, b)| part(a) && part(b));
        if ok { Ok(text.to_owned()) } else { Err("a content type is `type/subtype` in lower case, without parameters, at most 100 characters".to_owned()) }
    },
    #[schema(pattern = "^[a-z0-9+.-]+/[a-z0-9+.-]+$", max_length = 100, example = "application/json")]
}

/// The CRS refuses PUT, PATCH and DELETE by default; ordinary applications need them.
pub const DEFAULT_METHODS: [&str; 7] = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"];
/// The CRS default, with octet streams, plain text and gRPC.
pub const DEFAULT_CONTENT_TYPES: [&str; 8] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/xml",
    "application/xml",
    "application/soap+xml",
    "application/json",
    "application/octet-stream",
    "text/plain",
];

fn default_methods() -> Vec<Method> {
    DEFAULT_METHODS.iter().map(|m| Method::parse(m).expect("the defaults are in the allow-list")).collect()
}

fn default_content_types() -> Vec<ContentType> {
    DEFAULT_CONTENT_TYPES.iter().map(|t| ContentType::parse(t).expect("the defaults are in the allow-list")).collect()
}

/// SecLang of all custom rules of a policy together, at most: every request under it passes through them.
pub const MAX_SECLANG_BYTES: usize = 256 * 1024;

/// How the WAF treats requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: Name,
    #[serde(default)]
    pub title: Title,
    #[serde(default)]
    pub description: Description,
    #[serde(default)]
    pub mode: Mode,
    #[serde(default)]
    pub paranoia: Paranoia,
    #[serde(default)]
    pub thresholds: Thresholds,
    /// 1 to 32.
    #[serde(default = "default_methods")]
    #[schema(min_items = 1, max_items = 32)]
    pub allowed_methods: Vec<Method>,
    /// 1 to 64.
    #[serde(default = "default_content_types")]
    #[schema(min_items = 1, max_items = 64)]
    pub allowed_content_types: Vec<ContentType>,
    /// At most 1,000; keyed by `id`.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub exclusions: Vec<Exclusion>,
    /// At most 500; keyed by `id`, evaluated in this order.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub custom_rules: Vec<CustomRule>,
}

impl Policy {
    /// A policy with every default.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            title: Title::default(),
            description: Description::default(),
            mode: Mode::default(),
            paranoia: Paranoia::default(),
            thresholds: Thresholds::default(),
            allowed_methods: default_methods(),
            allowed_content_types: default_content_types(),
            exclusions: Vec::new(),
            custom_rules: Vec::new(),
        }
    }

    /// Fills in keys that the caller left to the server and checks what types cannot say. SecLang is `seclang`'s to judge.
    pub fn complete(mut self) -> error::Result<Self> {
        let mut errors = Vec::new();
        bounds("/allowed_methods", self.allowed_methods.len(), 1..=32, &mut errors);
        bounds("/allowed_content_types", self.allowed_content_types.len(), 1..=64, &mut errors);
        bounds("/exclusions", self.exclusions.len(), 0..=1000, &mut errors);
        bounds("/custom_rules", self.custom_rules.len(), 0..=500, &mut errors);
        if self.paranoia.detection < self.paranoia.blocking {
            errors.push(FieldError::new(
                "/paranoia/detection",
                "out_of_range",
                format!("the detection level is not below the blocking level, {}", self.paranoia.blocking.get()),
            ));
        }
        for (index, rule) in self.custom_rules.iter().enumerate() {
            if rule.id.is_some_and(|id| !CUSTOM_RULE_IDS.contains(&id)) {
                errors.push(FieldError::new(format!("/custom_rules/{index}/id"), "out_of_range", "a custom rule's id is 190000 to 199999"));
            }
            if rule.seclang.len() > 16_384 {
                errors.push(FieldError::new(format!("/custom_rules/{index}/seclang"), "too_long", "a custom rule has at most 16384 bytes"));
            }
        }
        let total: usize = self.custom_rules.iter().map(|rule| rule.seclang.len()).sum();
        if total > MAX_SECLANG_BYTES {
            let detail =
                format!("the custom rules of a policy have at most {MAX_SECLANG_BYTES} bytes of SecLang together, these have {total}");
            errors.push(FieldError::new("/custom_rules", "too_long", detail));
        }
        let names = (1..).map(|n| ExclusionId::parse(&format!("exclusion-{n}")).expect("in the allow-list"));
        complete_keys("/exclusions", &mut self.exclusions, |e| e.id.clone(), |e, id| e.id = Some(id), names, &mut errors);
        complete_keys("/custom_rules", &mut self.custom_rules, |r| r.id, |r, id| r.id = Some(id), CUSTOM_RULE_IDS, &mut errors);
        if errors.is_empty() { Ok(self) } else { Err(super::Error::Invalid(errors)) }
    }
}

/// Notes where a number of items is out of bounds.
pub(super) fn bounds(pointer: &str, count: usize, allowed: std::ops::RangeInclusive<usize>, errors: &mut Vec<FieldError>) {
    if !allowed.contains(&count) {
        let detail = format!("{} to {} items are allowed, {count} were sent", allowed.start(), allowed.end());
        errors.push(FieldError::new(pointer, "out_of_range", detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection_follows_blocking_and_is_not_below_it() {
        let policy: Policy = serde_json::from_str(r#"{"name":"a","paranoia":{"blocking":3}}"#).unwrap();
        assert_eq!(policy.paranoia.detection.get(), 3);
        let policy: Policy = serde_json::from_str(r#"{"name":"a","paranoia":{"blocking":3,"detection":2}}"#).unwrap();
        let Err(super::super::Error::Invalid(errors)) = policy.complete() else { panic!("accepted") };
        assert_eq!(errors[0].pointer, "/paranoia/detection");
        for bad in [r#"{"blocking":0}"#, r#"{"blocking":5}"#, r#"{"block":1}"#] {
            assert!(serde_json::from_str::<Paranoia>(bad).is_err());
        }
    }

    #[test]
    fn keys_are_made_where_absent_and_not_twice() {
        let policy: Policy = serde_json::from_str(
            r#"{"name":"a","exclusions":[{"rule":{"id":942100}},{"id":"exclusion-1","rule":{"id":942110}}],
                "custom_rules":[{"seclang":"x"},{"id":190000,"seclang":"y"}]}"#,
        )
        .unwrap();
        let policy = policy.complete().unwrap();
        assert_eq!(policy.exclusions[0].id.as_ref().unwrap().as_str(), "exclusion-2");
        assert_eq!(policy.custom_rules[0].id, Some(190_001));
        let twice: Policy =
            serde_json::from_str(r#"{"name":"a","custom_rules":[{"id":190000,"seclang":"x"},{"id":190000,"seclang":"y"}]}"#).unwrap();
        assert!(twice.complete().is_err());
    }

    #[test]
    fn seclang_is_bounded_as_a_whole() {
        for (rules, more, good) in [(16, 0, true), (15, 16_384, true), (16, 1, false), (500, 0, false)] {
            let mut policy = Policy::new(Name::parse("a").unwrap());
            let texts = std::iter::repeat_n(16_384, rules).chain((more > 0).then_some(more));
            policy.custom_rules =
                texts.map(|bytes| serde_json::from_value(serde_json::json!({"seclang": "x".repeat(bytes)})).unwrap()).collect();
            match policy.complete() {
                Ok(_) => assert!(good, "{rules} {more}"),
                Err(super::super::Error::Invalid(errors)) => {
                    let told: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), e.code.as_str())).collect();
                    assert_eq!((told, good), (vec![("/custom_rules", "too_long")], false), "{rules} {more}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
