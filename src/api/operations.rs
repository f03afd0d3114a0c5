//! Operations of a batch: requests as they would be sent one by one, in JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::entry_text::{self, Format};
use super::etag::{self, Tags};
use super::problem::Problem;
use crate::domain::{Error, Kind, Name};
use crate::service::{Keyed, Operation, Precondition};

/// How an operation would be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum OperationMethod {
    Put,
    /// RFC 7396.
    Patch,
    Delete,
    /// Only of `/ip-lists/{ip_list}/entries:batch`.
    Post,
}

/// One request of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationBody {
    pub method: OperationMethod,
    /// As under `/api/v1`: `/policies/shop`, `/policies/shop/exclusions/comment-field`, `/ip-lists/monitoring/entries`.
    #[schema(max_length = 2048, example = "/policies/shop")]
    pub path: String,
    /// The body; of a DELETE none.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Value>,
    /// The ETag that what it changes must have, or `*`. Without it whatever is there at the base will do: changed since then, it is a conflict.
    #[serde(default)]
    pub if_match: Option<String>,
    /// `*`: create only.
    #[serde(default)]
    pub if_none_match: Option<String>,
}

impl OperationBody {
    /// What the service does; faults point into the request.
    pub fn parse(self, index: usize) -> Result<(Operation, Precondition), Problem> {
        let at = |place: &str, detail: String| -> Problem {
            Error::invalid(format!("/operations/{index}{place}"), "invalid_value", detail).into()
        };
        let precondition = self.precondition().map_err(|(place, detail)| at(place, detail))?;
        let parts: Option<Vec<String>> = self.path.strip_prefix('/').map(|path| path.split('/').map(decoded).collect()).unwrap_or_default();
        let parts = parts.ok_or_else(|| at("/path", "a path begins with `/`, and what it escapes is UTF-8".to_owned()))?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let unknown = || at("/path", format!("`{}` names nothing that can be written", self.path.escape_default()));
        let (kind, name, rest) = match parts.as_slice() {
            [collection, name, rest @ ..] => (Kind::of_collection(collection).ok_or_else(unknown)?, *name, rest),
            _ => return Err(unknown()),
        };
        let name = Name::parse(name).map_err(|why| at("/path", why))?;
        let value = match (self.method, self.value) {
            (OperationMethod::Delete, None) => Value::Null,
            (OperationMethod::Delete, Some(_)) => return Err(at("/value", "a DELETE has no body".to_owned())),
            (_, Some(value)) => value,
            (_, None) => return Err(at("/value", "the body is missing".to_owned())),
        };
        let method = || at("/method", "this path does not take this method".to_owned());
        let inside = |problem: Problem| problem.inside(&format!("/operations/{index}/value"));
        let operation = match (kind, rest, self.method) {
            (_, [], OperationMethod::Put) => Operation::Put { kind, name, value: stripped(kind, value) },
            (_, [], OperationMethod::Patch) => Operation::Patch { kind, name, patch: stripped(kind, value) },
            (_, [], OperationMethod::Delete) => Operation::Delete { kind, name },
            (Kind::IpList, ["entries"], OperationMethod::Put) => {
                let bytes = serde_json::to_vec(&value).map_err(|error| Problem::internal(error.to_string()))?;
                Operation::ReplaceEntries { list: name, entries: entry_text::parse(Format::Json, &bytes).map_err(inside)? }
            }
            (Kind::IpList, ["entries:batch"], OperationMethod::Post) => {
                let bytes = serde_json::to_vec(&value).map_err(|error| Problem::internal(error.to_string()))?;
                let (add, remove) = entry_text::batch(&bytes).map_err(inside)?;
                Operation::BatchEntries { list: name, add, remove }
            }
            (Kind::IpList, ["entries" | "entries:batch"], _) | (_, [], OperationMethod::Post) => return Err(method()),
            (kind, rest, how) => {
                let (keyed, key) = element(kind, rest).ok_or_else(unknown)?;
                match how {
                    OperationMethod::Put => Operation::PutElement { keyed, owner: name, key, value },
                    OperationMethod::Patch => Operation::PatchElement { keyed, owner: name, key, patch: value },
                    OperationMethod::Delete => Operation::DeleteElement { keyed, owner: name, key },
                    OperationMethod::Post => return Err(method()),
                }
            }
        };
        Ok((operation, precondition))
    }

    fn precondition(&self) -> Result<Precondition, (&'static str, String)> {
        match (&self.if_match, &self.if_none_match) {
            (None, None) => Ok(Precondition::Base),
            (None, Some(tag)) if tag == "*" => Ok(Precondition::Absent),
            (None, Some(_)) => Err(("/if_none_match", "only `*` makes sense here".to_owned())),
            (Some(_), Some(_)) => Err(("/if_match", "`if_match` and `if_none_match` contradict each other".to_owned())),
            (Some(tag), None) => match etag::parse(tag) {
                Some(Tags::Any) => Ok(Precondition::Any),
                Some(Tags::Revisions(revisions)) if revisions.len() == 1 => Ok(Precondition::Revision(revisions[0])),
                _ => Err(("/if_match", "one ETag, such as `\"12\"`, or `*`".to_owned())),
            },
        }
    }
}

fn element(kind: Kind, rest: &[&str]) -> Option<(Keyed, String)> {
    let (keyed, key) = match (kind, rest) {
        (Kind::Policy, ["exclusions", key]) => (Keyed::Exclusions, key),
        (Kind::Policy, ["custom-rules", key]) => (Keyed::CustomRules, key),
        (Kind::Vhost, ["upstream", "servers", key]) => (Keyed::Servers, key),
        (Kind::Vhost, ["paths", key]) => (Keyed::Paths, key),
        _ => return None,
    };
    Some((keyed, (*key).to_owned()))
}

/// What was read can be written back.
fn stripped(kind: Kind, mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.remove("meta");
        if kind == Kind::IpList {
            members.remove("entry_count");
            members.remove("digest");
        }
    }
    value
}

/// RFC 3986 2.1.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = part.bytes();
    let mut out = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        out.push(u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?);
    }
    String::from_utf8(out).ok()
}
