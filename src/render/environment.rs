//! The template environment, and the one choke point through which every value goes.
//!
//! A value that is not plain text or a whole number is an error, never printed: minijinja writes `None` and `True` where it is let. So is
//! text with a control character: no value can end a line. What separates words is left to the filters, which assert an alphabet and
//! change nothing: what does not fit fails the rendering, loudly, instead of being escaped into something else.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use sha2::{Digest, Sha256};

use super::{RenderError, pages};
use crate::domain::digest::hex;

pub(super) const HAPROXY: &str = "haproxy/haproxy.cfg.j2";
pub(super) const BACKENDS: &str = "haproxy/backends.cfg.j2";
pub(super) const SPOE: &str = "haproxy/coraza.cfg.j2";
pub(super) const APPLICATION: &str = "coraza/application.conf.j2";
pub(super) const AGENT: &str = "coraza/guard-spoa.yaml.j2";

/// All templates of configuration, by name; pages have an environment of their own.
const TEMPLATES: [(&str, &str); 5] = [
    (HAPROXY, include_str!("../../templates/haproxy/haproxy.cfg.j2")),
    (BACKENDS, include_str!("../../templates/haproxy/backends.cfg.j2")),
    (SPOE, include_str!("../../templates/haproxy/coraza.cfg.j2")),
    (APPLICATION, include_str!("../../templates/coraza/application.conf.j2")),
    (AGENT, include_str!("../../templates/coraza/guard-spoa.yaml.j2")),
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment().expect("the embedded templates are tested"));

static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, text) in TEMPLATES.into_iter().chain([pages::TEMPLATE]) {
        for part in [name, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize())[..16].to_owned()
});

/// Digest of all embedded templates: SHA-256 in hex, 16 digits. Part of what a bundle is made with.
pub fn templates_digest() -> &'static str {
    &DIGEST
}

/// Renders a template; the error names it and its line.
pub(super) fn render(template: &str, context: Value) -> Result<String, RenderError> {
    let rendered = ENVIRONMENT.get_template(template).and_then(|found| found.render(context));
    rendered.map_err(|error| RenderError { template: template.to_owned(), message: format!("{error:#}") })
}

/// Only what is named here exists in templates.
fn environment() -> Result<Environment<'static>, Error> {
    let mut env = Environment::empty();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_formatter(write);
    env.add_filter("token", token);
    env.add_filter("word", word);
    env.add_filter("words", words);
    env.add_filter("json", json);
    for (name, text) in TEMPLATES {
        env.add_template(name, text)?;
    }
    Ok(env)
}

fn refuse(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// The choke point.
fn write(out: &mut Output, _state: &mut State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().ok_or_else(|| refuse("text that is not UTF-8"))?;
            one_line(text)?;
            out.write_str(text).map_err(|_| refuse("out of memory"))
        }
        ValueKind::Number if value.is_integer() => write!(out, "{value}").map_err(|_| refuse("out of memory")),
        kind => Err(refuse(format!("a value of kind {kind} is never written"))),
    }
}

/// No character that any reader of our files takes for the end of a line, or that a terminal obeys.
fn one_line(text: &str) -> Result<(), Error> {
    let breaks = |c: char| c < ' ' || c == '\u{7f}' || c == '\u{85}' || c == '\u{2028}' || c == '\u{2029}';
    match text.chars().find(|c| breaks(*c)) {
        Some(c) => Err(refuse(format!("text with the control character U+{:04X}", u32::from(c)))),
        None => Ok(()),
    }
}

fn assert(text: &str, what: &str, allowed: impl Fn(u8) -> bool) -> Result<(), Error> {
    if !text.is_empty() && text.bytes().all(allowed) { Ok(()) } else { Err(refuse(format!("`{}` is not {what}", text.escape_default()))) }
}

/// One word without any character that HAProxy or a log format could read: names, addresses, paths of sockets.
fn token(value: Value) -> Result<Value, Error> {
    let text = value.as_str().ok_or_else(|| refuse("a token is text"))?;
    assert(text, "a token", |b| b.is_ascii_alphanumeric() || b"._:/[]-".contains(&b))?;
    Ok(value)
}

/// One word of URL characters.
fn word(value: Value) -> Result<Value, Error> {
    let text = value.as_str().ok_or_else(|| refuse("a word is text"))?;
    assert(text, "a word", |b| b.is_ascii_alphanumeric() || b"-._~/+@:,?=&".contains(&b))?;
    Ok(value)
}

/// Words of methods and media types, for a `setvar` of SecLang.
fn words(value: Value) -> Result<Value, Error> {
    let text = value.as_str().ok_or_else(|| refuse("words are text"))?;
    assert(text, "a row of words", |b| b.is_ascii_alphanumeric() || b" |/+.-".contains(&b))?;
    Ok(value)
}

/// A JSON string, which is a YAML string too.
fn json(value: Value) -> Result<String, Error> {
    let text = value.as_str().ok_or_else(|| refuse("only text is written as JSON"))?;
    let mut out = serde_json::to_string(text).map_err(|error| refuse(error.to_string()))?;
    // JSON lets these stand; YAML takes them for line breaks
    for (c, escape) in [('\u{7f}', "\\u007f"), ('\u{85}', "\\u0085"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")] {
        if out.contains(c) {
            out = out.replace(c, escape);
        }
    }
    Ok(out)
}
