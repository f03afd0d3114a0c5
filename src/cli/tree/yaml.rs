//! YAML text -> JSON values, with the place of every value: strict, and bounded. Only what YAML and JSON have in common is read: no
//! anchors, aliases, merge keys, tags of one's own or binary. Booleans and numbers are those of YAML 1.2's core schema, so that `on` and
//! `0755` are the texts that they look like.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Options, Spanned};

/// 1-based, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    fn of(location: Location) -> Self {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: number(location.line()).max(1), column: number(location.column()).max(1) }
    }
}

/// Where a member or item is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of the key; of an item, of the item.
    pub key: Place,
    pub value: Place,
    /// Whether the value is a text or number, and not a collection.
    pub scalar: bool,
}

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub value: Value,
    /// By JSON pointer.
    pub places: BTreeMap<String, Found>,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub place: Place,
    pub detail: String,
}

/// Documents of a file at most.
const MOST_DOCUMENTS: usize = 10_000;
/// Nesting at most; our deepest is 5.
const DEEPEST: usize = 32;

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_anchors: 0,
            max_aliases: 0,
            max_depth: DEEPEST,
            max_documents: MOST_DOCUMENTS,
            max_events: 4_000_000,
            max_nodes: 2_000_000,
            flow_nesting_limit: DEEPEST,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Reads all documents of a text; empty ones are left out.
pub fn parse(text: &str) -> Result<Vec<Parsed>, SyntaxError> {
    let nodes: Vec<Option<Spanned<Node>>> = serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| {
        let place = error.location().map_or(Place { line: 1, column: 1 }, Place::of);
        SyntaxError { place, detail: words(&error) }
    })?;
    let parsed = |node: Spanned<Node>| {
        let mut places = BTreeMap::new();
        let value = taken(node, None, String::new(), &mut places);
        Parsed { value, places }
    };
    Ok(nodes.into_iter().flatten().map(parsed).collect())
}

/// The error's words without its place, which is told otherwise; in our words where the reader's are about its own settings.
fn words(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.rsplit_once(" at line ").map_or(line, |(words, _)| words).trim_end_matches(':');
    if let Some(rest) = line.strip_prefix("duplicate mapping key: ") {
        return format!("`{}` is there twice", rest.rsplit_once(", set ").map_or(rest, |(key, _)| key));
    }
    for (part, instead) in [
        ("max_anchors", "anchors (`&name`) are not allowed here: write the value out"),
        ("Anchors", "anchors (`&name`) are not allowed here: write the value out"),
        ("alias", "aliases (`*name`) are not allowed here: write the value out, or quote the text"),
        ("Aliases", "aliases (`*name`) are not allowed here: write the value out, or quote the text"),
        ("merge keys", "merge keys (`<<`) are not allowed here: write the members out"),
        ("non-finite float", "not a number that JSON has"),
        ("recursion limit", "nested too deeply"),
    ] {
        if line.contains(part) {
            return instead.to_owned();
        }
    }
    line.to_owned()
}

/// Takes a node apart: its value, and the places of all that is in it.
fn taken(node: Spanned<Node>, key: Option<Place>, pointer: String, places: &mut BTreeMap<String, Found>) -> Value {
    let place = Place::of(node.referenced);
    let scalar = matches!(node.value, Node::Scalar(_));
    let value = match node.value {
        Node::Scalar(value) => value,
        Node::Sequence(items) => {
            let item = |(index, item)| taken(item, None, format!("{pointer}/{index}"), places);
            Value::Array(items.into_iter().enumerate().map(item).collect())
        }
        Node::Mapping(members) => {
            let mut map = Map::new();
            for (key, member) in members {
                let inner = format!("{pointer}/{}", key.value.replace('~', "~0").replace('/', "~1"));
                let value = taken(member, Some(Place::of(key.referenced)), inner, places);
                map.insert(key.value, value);
            }
            Value::Object(map)
        }
    };
    places.insert(pointer, Found { key: key.unwrap_or(place), value: place, scalar });
    value
}

enum Node {
    Scalar(Value),
    Sequence(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, number, boolean, null, sequence or mapping")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Number::from_f64(value).map(|number| Node::Scalar(number.into())).ok_or_else(|| E::custom("not a number that JSON has"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Node::Sequence(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(Node::Mapping(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(line: u32, column: u32) -> Place {
        Place { line, column }
    }

    #[test]
    fn every_value_has_its_place() {
        let text = "kind: policy\nname: shop\nparanoia:\n  blocking: 2\ncustom_rules:\n  - id: 190001\n    seclang: |-\n      SecRule A \"b\"\n---\n# second\nkind: vhost\nhostnames: [a.test, b.test]\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 2);
        let places = &documents[0].places;
        assert_eq!(places["/paranoia/blocking"], Found { key: at(4, 3), value: at(4, 13), scalar: true });
        assert_eq!(places["/paranoia"].key, at(3, 1));
        assert_eq!(places["/custom_rules/0"].value, at(6, 5));
        assert_eq!(places["/custom_rules/0/seclang"].key, at(7, 5));
        assert_eq!(places["/custom_rules/0/seclang"].value, at(8, 7), "the text, not its sign");
        assert_eq!(documents[1].places["/hostnames/1"].value, at(12, 21));
        assert_eq!(documents[1].places[""].key.line, 11);
        assert_eq!(documents[0].value["custom_rules"][0]["seclang"], "SecRule A \"b\"");
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        for (text, want) in [
            ("true", json!(true)),
            ("on", json!("on")),
            ("yes", json!("yes")),
            ("~", json!(null)),
            ("null", json!(null)),
            ("''", json!("")),
            ("\"~\"", json!("~")),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("0755", json!("0755")),
            ("1_000", json!("1_000")),
            ("192.0.2.1", json!("192.0.2.1")),
            ("192.0.2.0/24", json!("192.0.2.0/24")),
            ("2001:db8::/32", json!("2001:db8::/32")),
            ("1.5", json!(1.5)),
            ("10s", json!("10s")),
            ("2026-12-31T00:00:00Z", json!("2026-12-31T00:00:00Z")),
        ] {
            assert_eq!(parse(&format!("a: {text}\n")).unwrap()[0].value["a"], want, "{text}");
        }
    }

    #[test]
    fn what_is_more_than_json_is_refused_with_its_place() {
        for (text, line) in [
            ("a: 1\na: 2\n", 2),
            ("a: &x 1\nb: *x\n", 1),
            ("a: {b: 1}\nc:\n  <<: {b: 2}\n", 3),
            ("a: !mine 1\n", 1),
            ("a: [1\n", 2),
            ("a: 'b\n", 2),
            ("a: .nan\n", 1),
            ("? [a]\n: b\n", 1),
            ("a: b: c\n", 1),
            ("a:\n\t- b\n", 2),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.place.line.abs_diff(line) <= 1, "{text:?}: {error:?}");
            assert!(
                !error.detail.is_empty() && !["at line", "Policy", "policy"].iter().any(|word| error.detail.contains(word)),
                "{error:?}"
            );
        }
        let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n";
        assert!(parse(bomb).unwrap_err().detail.contains("anchors"));
        let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&deep).is_err());
    }
}
