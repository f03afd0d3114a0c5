//! Parts of a site, by path, and what may be sent to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::bounds;
use super::rule::PathPrefix;
use super::{FieldError, Name};

/// Bytes of a body, where nothing else is said.
const DEFAULT_MAX_BYTES: u64 = 100 << 20;
/// 1 TiB.
const MOST_BYTES: u64 = 1 << 40;

/// What happens in `block` to a body that is larger than what is inspected (`node.inspected_bytes`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPartial {
    /// 413.
    #[default]
    Deny,
    /// Uploads (`multipart/form-data`, `application/octet-stream`) with a `Content-Length` are judged by their beginning, and the rest passes
    /// uninspected. Everything else: 413.
    InspectHead,
}

/// What bodies may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Body {
    pub on_partial: OnPartial,
    /// A body whose `Content-Length` is above gets 413, in every mode; 0 to 1099511627776. Without a length only what is inspected can be kept small.
    #[schema(minimum = 0, maximum = 1_099_511_627_776_u64)]
    pub max_bytes: u64,
}

impl Default for Body {
    fn default() -> Self {
        Self { on_partial: OnPartial::Deny, max_bytes: DEFAULT_MAX_BYTES }
    }
}

impl Body {
    pub(super) fn check(self, pointer: &str, errors: &mut Vec<FieldError>) {
        within(pointer, self.max_bytes, errors);
    }
}

fn within(pointer: &str, bytes: u64, errors: &mut Vec<FieldError>) {
    if bytes > MOST_BYTES {
        errors.push(FieldError::new(format!("{pointer}/max_bytes"), "out_of_range", format!("{bytes} is above {MOST_BYTES}, 1 TiB")));
    }
}

/// As [`Body`]; what is absent is as the vhost has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_partial: Option<OnPartial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_099_511_627_776_u64)]
    pub max_bytes: Option<u64>,
}

/// A part of a site that is treated otherwise than the rest. What is absent is as the vhost has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VhostPath {
    /// `/api/` and `/api` are the same: they cover `/api` and what is under it, not `/apix`. Not `/`, which the vhost itself is about.
    pub prefix: PathPrefix,
    #[serde(default)]
    pub policy: Option<Name>,
    #[serde(default)]
    pub body: PathBody,
    #[serde(default)]
    pub websocket: Option<bool>,
}

impl VhostPath {
    /// With a slash at its end.
    pub fn folder(&self) -> String {
        format!("{}/", self.prefix.trim_end_matches('/'))
    }
}

/// What happens to a path that origins may read differently (`//`, `/../`, `%2e`, `;`, another case, ...), where the site has `paths`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguousPath {
    /// It is treated as the strictest of what the site's policies say together.
    #[default]
    Strict,
    /// 400, also where the site has no `paths`.
    Deny,
}

pub(super) fn check(paths: &[VhostPath], errors: &mut Vec<FieldError>) {
    bounds("/paths", paths.len(), 0..=32, errors);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, path) in paths.iter().enumerate() {
        let pointer = format!("/paths/{index}");
        let folder = path.folder();
        let mut wrong = |code: &str, detail: String| errors.push(FieldError::new(format!("{pointer}/prefix"), code, detail));
        if folder == "/" {
            wrong("invalid_value", "`/` is the whole site: set the fields of the vhost itself".to_owned());
        }
        // Requests under such a prefix would all be ambiguous, and never be treated as it says.
        let ambiguous = |segment: &str| segment.ends_with('.') || tilde_and_digit(segment);
        if folder.split('/').any(ambiguous) || folder.contains(['+', '@', ':', ',']) {
            let detail = "no segment ends with a dot, has `~` and a digit or one of `+@:,`: servers read such names in more than one way";
            wrong("invalid_value", detail.to_owned());
        }
        if let Some(other) = seen.insert(folded(&folder), index) {
            wrong(
                "duplicate",
                format!(
                    "`/paths/{other}` is the same prefix to some servers: case, dots for slashes and a slash at the end make no difference"
                ),
            );
        }
        if let Some(bytes) = path.body.max_bytes {
            within(&format!("{pointer}/body"), bytes, errors);
        }
    }
}

/// A path as the loosest of servers would look for it; the template folds requests' paths alike. Two prefixes that fold to the same could
/// not be told apart.
pub fn folded(path: &str) -> String {
    path.to_ascii_lowercase().replace('.', "/")
}

fn tilde_and_digit(segment: &str) -> bool {
    segment.as_bytes().windows(2).any(|pair| pair[0] == b'~' && pair[1].is_ascii_digit())
}
