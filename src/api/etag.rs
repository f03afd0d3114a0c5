//! ETags and preconditions: an ETag is the revision that last changed the object, `"12"`.

use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

use super::codes::Code;
use super::problem::Problem;
use crate::domain::Revision;
use crate::service::Precondition;

pub fn text(revision: Revision) -> String {
    format!("\"{revision}\"")
}

pub fn header(revision: Revision) -> HeaderValue {
    HeaderValue::try_from(text(revision)).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The tags of an If-Match or If-None-Match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    Any,
    /// Tags that are not ours are left out: they match nothing.
    Revisions(Vec<Revision>),
}

/// Parses `*` or a list of entity tags (RFC 9110 8.8.3); a `W/` is accepted, since proxies weaken tags when they compress.
pub fn parse(value: &str) -> Option<Tags> {
    let mut rest = value.trim();
    if rest == "*" {
        return Some(Tags::Any);
    }
    let mut revisions = Vec::new();
    loop {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = quoted.split_once('"')?;
        if tag.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return None;
        }
        // Only the digits that we wrote: `"+12"` and `"012"` are other tags.
        if let Ok(revision) = tag.parse::<Revision>()
            && revision.to_string() == tag
        {
            revisions.push(revision);
        }
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(Tags::Revisions(revisions));
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// The tags of all lines of a header; None where it is absent.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    let mut all: Option<Tags> = None;
    for value in headers.get_all(name) {
        let wrong = || Problem::new(Code::InvalidHeader, format!("{name} is `*` or a list of ETags, such as \"12\""));
        let parsed = value.to_str().ok().and_then(parse).ok_or_else(wrong)?;
        all = Some(match (all, parsed) {
            (None, tags) => tags,
            (Some(Tags::Revisions(mut one)), Tags::Revisions(two)) => {
                one.extend(two);
                Tags::Revisions(one)
            }
            _ => return Err(wrong()),
        });
    }
    Ok(all)
}

/// What a write expects. `current` tells the revision of the object where a list of tags makes us choose.
pub fn precondition(headers: &HeaderMap, current: impl FnOnce() -> Option<Revision>) -> Result<Precondition, Problem> {
    match (tags(headers, &IF_MATCH)?, tags(headers, &IF_NONE_MATCH)?) {
        (Some(_), Some(_)) => Err(Problem::new(Code::InvalidHeader, "If-Match and If-None-Match contradict each other")),
        (None, None) => Ok(Precondition::None),
        (Some(Tags::Any), None) => Ok(Precondition::Any),
        (Some(Tags::Revisions(revisions)), None) => Ok(Precondition::Revision(match revisions.as_slice() {
            [] => -1,
            [one] => *one,
            many => current().filter(|revision| many.contains(revision)).unwrap_or(many[0]),
        })),
        (None, Some(Tags::Any)) => Ok(Precondition::Absent),
        (None, Some(Tags::Revisions(_))) => Err(Problem::new(Code::InvalidHeader, "If-None-Match of a write is `*`: create only")),
    }
}

/// Whether a reader's If-None-Match names the current version: then the answer is 304.
pub fn not_modified(headers: &HeaderMap, revision: Revision) -> Result<bool, Problem> {
    if !headers.contains_key(IF_NONE_MATCH) {
        return Ok(false);
    }
    Ok(match tags(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Revisions(revisions)) => revisions.contains(&revision),
    })
}
