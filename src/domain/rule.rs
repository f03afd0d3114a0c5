//! Exclusions and custom rules.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::FieldError;
use super::name::{Title, text_newtype};

/// Ids of custom rules: the range that guard-spoa and coraza-spoa count as attacks of the operator's own.
pub const CUSTOM_RULE_IDS: std::ops::RangeInclusive<u32> = 190_000..=199_999;

/// Ids that an exclusion may name: the CRS rules that detect, and custom rules. Never ours (100000 to 199 below), nor the
/// rules that initialise (901xxx), decide (949xxx, 959xxx) or report (980xxx): without them nothing blocks.
pub const EXCLUDABLE_IDS: [std::ops::RangeInclusive<u32>; 3] = [910_000..=948_999, 950_000..=958_999, CUSTOM_RULE_IDS];

text_newtype! {
    /// The identity of an exclusion inside its policy: as a name.
    ExclusionId, |text| super::Name::parse(text).map(|name| name.to_string()).map_err(|e| e.replace("a name is", "an exclusion's id is")),
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", max_length = 63, example = "comment-field")]
}

text_newtype! {
    /// A tag of CRS rules, by exact match (`attack-sqli`): at most 100 of `a-z A-Z 0-9 . _ / -`. Tags that the initialising and
    /// deciding rules carry are refused.
    Tag, |text| {
        let ok = (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
        if !ok { return Err("a tag is 1 to 100 characters of a-z, A-Z, 0-9, `.`, `_`, `/` and `-`".to_owned()); }
        if text.starts_with("OWASP_CRS") || matches!(text, "anomaly-evaluation" | "reporting" | "initialization") {
            return Err(format!("tag `{text}` is carried by the rules that decide: excluding it would switch the policy off"));
        }
        Ok(text.to_owned())
    },
    #[schema(max_length = 100, example = "attack-sqli")]
}

text_newtype! {
    /// One target of rules: a collection (`ARGS`, `REQUEST_COOKIES`, ...), with `:name` where one element is meant. The name is
    /// at most 128 of `a-z A-Z 0-9 . _ [ ] $ -`, compared whole and without regard to case: `ARGS:id` is also `ID`.
    Target, parse_target,
    #[schema(max_length = 160, example = "ARGS:comment")]
}

/// The collections whose targets an exclusion may take out.
pub const TARGET_COLLECTIONS: [&str; 20] = [
    "ARGS",
    "ARGS_GET",
    "ARGS_POST",
    "ARGS_NAMES",
    "ARGS_GET_NAMES",
    "ARGS_POST_NAMES",
    "REQUEST_COOKIES",
    "REQUEST_COOKIES_NAMES",
    "REQUEST_HEADERS",
    "REQUEST_HEADERS_NAMES",
    "REQUEST_BODY",
    "REQUEST_URI",
    "REQUEST_URI_RAW",
    "REQUEST_FILENAME",
    "REQUEST_BASENAME",
    "REQUEST_LINE",
    "QUERY_STRING",
    "FILES",
    "FILES_NAMES",
    "XML",
];

fn parse_target(text: &str) -> Result<String, String> {
    let (collection, element) = match text.split_once(':') {
        Some((collection, element)) => (collection, Some(element)),
        None => (text, None),
    };
    if !TARGET_COLLECTIONS.contains(&collection) {
        return Err(format!("a target is one of {}, with `:name` for one element", TARGET_COLLECTIONS.join(", ")));
    }
    if let Some(element) = element {
        let ok = (1..=128).contains(&element.len()) && element.bytes().all(|b| b.is_ascii_alphanumeric() || b"._[]$-".contains(&b));
        if !ok {
            return Err("the element of a target is 1 to 128 characters of a-z, A-Z, 0-9, `.`, `_`, `[`, `]`, `$` and `-`".to_owned());
        }
    }
    Ok(text.to_owned())
}

text_newtype! {
    /// The beginning of a path: starts with `/`, at most 512 of unreserved URL characters, `/`, `~`, `+`, `@`, `:`, `,`;
    /// written as it is on the wire, without `//`, `/./`, `/../` or escapes of what needs none.
    PathPrefix, |text| {
        let ok = text.starts_with('/') && text.len() <= 512
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/+@:,".contains(&b))
            && !text.contains("//") && !text.split('/').any(|segment| segment == "." || segment == "..");
        if ok { Ok(text.to_owned()) } else {
            Err("a path prefix starts with `/` and has at most 512 characters of a-z, A-Z, 0-9 and `-._~/+@:,`; no `//`, `.` or `..` segments".to_owned())
        }
    },
    #[schema(max_length = 512, example = "/blog/")]
}

/// A rule, a range of rules or a tag: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RuleSelectorFields", into = "RuleSelectorFields")]
pub enum RuleSelector {
    Id(u32),
    Range { from: u32, to: u32 },
    Tag(Tag),
}

/// Which rules are meant; exactly one of `id`, `range` and `tag`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleSelector)]
pub struct RuleSelectorFields {
    /// A detecting CRS rule (910000 to 948999, 950000 to 958999) or a custom rule (190000 to 199999).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 190000, maximum = 958999)]
    id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<IdRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<Tag>,
}

/// Rule ids `from` to `to`, both included.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdRange {
    #[schema(minimum = 190000, maximum = 958999)]
    from: u32,
    #[schema(minimum = 190000, maximum = 958999)]
    to: u32,
}

impl TryFrom<RuleSelectorFields> for RuleSelector {
    type Error = String;
    fn try_from(fields: RuleSelectorFields) -> Result<Self, String> {
        let excludable = |from: u32, to: u32| EXCLUDABLE_IDS.iter().any(|ids| ids.contains(&from) && ids.contains(&to));
        match (fields.id, fields.range, fields.tag) {
            (Some(id), None, None) if excludable(id, id) => Ok(Self::Id(id)),
            (None, Some(IdRange { from, to }), None) if from <= to && excludable(from, to) => Ok(Self::Range { from, to }),
            (None, None, Some(tag)) => Ok(Self::Tag(tag)),
            (Some(_), None, None) | (None, Some(_), None) => Err(
                "rule ids are 910000 to 948999 or 950000 to 958999 (CRS rules that detect) or 190000 to 199999 (custom rules), and a range \
                 lies in one of them with `from` not above `to`"
                    .to_owned(),
            ),
            _ => Err("a rule is named by exactly one of `id`, `range` and `tag`".to_owned()),
        }
    }
}

impl From<RuleSelector> for RuleSelectorFields {
    fn from(selector: RuleSelector) -> Self {
        match selector {
            RuleSelector::Id(id) => Self { id: Some(id), ..Self::default() },
            RuleSelector::Range { from, to } => Self { range: Some(IdRange { from, to }), ..Self::default() },
            RuleSelector::Tag(tag) => Self { tag: Some(tag), ..Self::default() },
        }
    }
}

/// Where an exclusion or path policy applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PathScope {
    pub prefix: PathPrefix,
}

/// A rule, tag or target taken out, as small as possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// Made by the server where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ExclusionId>,
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    #[schema(value_type = RuleSelectorFields)]
    pub rule: RuleSelector,
    /// Only this target is taken out of the rule; absent: the rule is.
    #[serde(default)]
    pub target: Option<Target>,
    /// Only under this path; absent: everywhere.
    #[serde(default)]
    pub path: Option<PathScope>,
    /// Why.
    #[serde(default)]
    pub reason: Title,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Title,
    /// From then on it is shown as expired and not compiled.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

impl Exclusion {
    pub fn active(&self, now: OffsetDateTime) -> bool {
        self.enabled && self.expires_at.is_none_or(|at| at > now)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Before the Core Rule Set.
    #[default]
    Before,
    /// After it.
    After,
}

/// A rule of the operator's own, in SecLang: one `SecRule` (with its chain) or one `SecAction`. What it may do is an allow-list,
/// see `seclang`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomRule {
    /// 190000 to 199999, unique in the policy; made by the server where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 190000, maximum = 199999)]
    pub id: Option<u32>,
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    #[serde(default)]
    pub placement: Placement,
    #[schema(max_length = 16384)]
    pub seclang: String,
}

fn yes() -> bool {
    true
}

/// Fills in ids and names that the caller left to the server, and refuses doubles. `pointer` is that of the array.
pub fn complete_keys<T, K: Clone + Ord + std::fmt::Display>(
    pointer: &str,
    items: &mut [T],
    get: impl Fn(&T) -> Option<K>,
    set: impl Fn(&mut T, K),
    mut candidates: impl Iterator<Item = K>,
    errors: &mut Vec<FieldError>,
) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(key) = get(item)
            && !seen.insert(key.clone())
        {
            errors.push(FieldError::new(format!("{pointer}/{index}"), "duplicate", format!("`{key}` is there twice")));
        }
    }
    for item in items.iter_mut().filter(|item| get(item).is_none()) {
        if let Some(key) = candidates.find(|key| seen.insert(key.clone())) {
            set(item, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_names_exactly_one_and_never_a_deciding_rule() {
        let parse = |text: &str| serde_json::from_str::<RuleSelector>(text);
        assert_eq!(parse(r#"{"id":942100}"#).unwrap(), RuleSelector::Id(942_100));
        assert_eq!(parse(r#"{"range":{"from":942100,"to":942199}}"#).unwrap(), RuleSelector::Range { from: 942_100, to: 942_199 });
        for bad in [
            "{}",
            r#"{"id":942100,"tag":"attack-sqli"}"#,
            r#"{"id":949110}"#,
            r#"{"id":100000}"#,
            r#"{"id":901100}"#,
            r#"{"range":{"from":940000,"to":951000}}"#,
            r#"{"range":{"from":942199,"to":942100}}"#,
            r#"{"tag":"OWASP_CRS"}"#,
            r#"{"tag":"a b"}"#,
            r#"{"ids":[1]}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn targets_and_prefixes_are_allow_lists() {
        for good in ["ARGS", "ARGS:comment", "REQUEST_COOKIES:a.b_c-1", "ARGS:list[0]"] {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        for collection in TARGET_COLLECTIONS {
            assert!(Target::parse(&format!("{collection}:Name")).is_ok(), "{collection}");
        }
        for bad in ["args:x", "TX:foo", "ARGS:", "ARGS:a|ARGS:b", "ARGS:/re/", "ARGS:a,b", "ARGS:a b", "ARGS:a\nb", "ENV:x"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
        assert!(PathPrefix::parse("/blog/").is_ok());
        for bad in ["blog", "/a b", "/a\"", "//", "/a/../b", "/a\n", "/%2e", "/a|b"] {
            assert!(PathPrefix::parse(bad).is_err(), "{bad}");
        }
    }
}
