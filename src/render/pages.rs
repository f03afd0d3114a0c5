//! The bodies of HAProxy's own answers: HTML for people, problem+JSON (RFC 9457) for programs, both in one file.
//!
//! `http-error` cannot choose a file by `Accept`, and a rule for each form would double every rule that denies. So a file is one text of a
//! log format, whose two halves are chosen as it is sent; between them stands the request's id, which no file can know:
//! `%[<json?>,iif(<JSON>,<HTML>)]<id>%[<json?>,iif(<rest of JSON>,<rest of HTML>)]`. What is not set reads as HTML.
//!
//! HTML has an environment of its own: here values are escaped, in the configuration's they are refused (`environment`). It has no filters,
//! so nothing can be marked as safe.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use serde::Serialize;

use super::RenderError;

/// The template's name and text.
pub(super) const TEMPLATE: (&str, &str) = ("haproxy/error.html.j2", include_str!("../../templates/haproxy/error.html.j2"));

/// Stands for the request's id in both forms, until they are put together.
const MARK: &str = "@request_id@";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment().expect("the embedded template is tested"));

/// What a status says. Nothing here tells what was found in a request, or that somebody looked.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Page<'t> {
    pub status: u16,
    /// The status's own phrase (RFC 9110).
    pub title: &'t str,
    pub detail: &'t str,
    /// What a visitor can do.
    pub advice: &'t str,
}

const fn page(status: u16, title: &'static str, detail: &'static str, advice: &'static str) -> Page<'static> {
    Page { status, title, detail, advice }
}

const TRY_LATER: &str = "Try again in a few minutes. If it lasts, tell the owners of the site the request's id below.";

/// Statuses that HAProxy answers itself.
pub(super) const PAGES: [Page; 14] = [
    page(400, "Bad Request", "The request could not be understood.", "Check the address, then try again."),
    page(401, "Unauthorized", "This needs a sign-in.", "Sign in, then try again."),
    page(
        403,
        "Forbidden",
        "The request was refused.",
        "If you should be let in, tell the owners of the site the request's id below: with it they can find out what happened.",
    ),
    page(404, "Not Found", "There is nothing here.", "Check the address, or start from the site's first page."),
    page(405, "Method Not Allowed", "The method of the request is not allowed here.", "Go back, and try another way."),
    page(408, "Request Timeout", "The request did not arrive in time.", "Try again when your connection is better."),
    page(410, "Gone", "What was here is gone.", "Start from the site's first page."),
    page(413, "Content Too Large", "The request is too large.", "Send less at once: a smaller file, or fewer of them."),
    page(421, "Misdirected Request", "This server does not answer for the host that was asked for.", "Check the address."),
    page(429, "Too Many Requests", "Too many requests arrived in a short time.", "Wait a minute, then try again."),
    page(500, "Internal Server Error", "Something went wrong.", TRY_LATER),
    page(502, "Bad Gateway", "The site behind this server did not answer properly.", TRY_LATER),
    page(503, "Service Unavailable", "The site cannot be reached at the moment.", TRY_LATER),
    page(504, "Gateway Timeout", "The site behind this server did not answer in time.", TRY_LATER),
];

#[derive(Serialize)]
struct Html<'t> {
    #[serde(flatten)]
    page: Page<'t>,
    request_id: &'static str,
}

/// RFC 9457. Without a type of its own a problem is its status; which of our rules refused is for the event line alone.
#[derive(Serialize)]
struct Problem<'t> {
    r#type: &'static str,
    title: &'t str,
    status: u16,
    detail: &'t str,
    request_id: &'static str,
}

/// The file for `http-error ... lf-file`.
pub(super) fn render(page: &Page) -> Result<String, RenderError> {
    let (json, json_rest) = halves(&json(page)?)?;
    let (html, html_rest) = halves(&html(page)?)?;
    Ok(format!("%[var(txn.gp.json,0),bool,iif({json},{html})]%[var(txn.gp.rid)]%[var(txn.gp.json,0),bool,iif({json_rest},{html_rest})]\n"))
}

fn html(page: &Page) -> Result<String, RenderError> {
    let context = Value::from(Serde(Html { page: *page, request_id: MARK }));
    let rendered = ENVIRONMENT.get_template(TEMPLATE.0).and_then(|found| found.render(context));
    let text = rendered.map_err(|error| refuse(format!("{error:#}")))?;
    // one line: a log format would send a line's end as %0A
    Ok(text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

fn json(page: &Page) -> Result<String, RenderError> {
    let Page { status, title, detail, .. } = *page;
    serde_json::to_string(&Problem { r#type: "about:blank", title, status, detail, request_id: MARK })
        .map_err(|error| refuse(error.to_string()))
}

/// What stands before and behind the request's id, as arguments.
fn halves(text: &str) -> Result<(String, String), RenderError> {
    match text.split(MARK).collect::<Vec<_>>()[..] {
        [before, behind] => Ok((argument(before)?, argument(behind)?)),
        _ => Err(refuse("the request's id does not stand there once")),
    }
}

/// A text as an argument of a log format's expression: between single quotes nothing has a meaning, neither `%` nor `]`. Control characters
/// would be sent as %0A and the like.
fn argument(text: &str) -> Result<String, RenderError> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(refuse(format!("text with the control character U+{:04X}", u32::from(c)))),
        None => Ok(format!("'{}'", text.replace('\'', r"'\''"))),
    }
}

fn refuse(message: impl Into<String>) -> RenderError {
    RenderError { template: TEMPLATE.0.to_owned(), message: message.into() }
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut env = Environment::empty();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.add_template(TEMPLATE.0, TEMPLATE.1)?;
    Ok(env)
}
