//! The list of actions behind a rule.
//!
//! Coraza splits it at commas outside `'…'` and keeps backslashes: there is no way to write a
//! quote inside a value. Values with one are refused here rather than changed.

use super::allow;
use super::ast::{Disruptive, Head};
use super::lexer::Piece;
use super::macros::{self, Place};
use super::problem::{Report, closest, shown};
use super::values::{number, phase, redirect, severity};
use super::{MAX_REPEATED, MAX_TRANSFORMATIONS, MAX_VALUE_CHARS, setvar};

/// What a list of actions says; which of it a link may say is decided here, which of it fits
/// together in [`super::parser`].
#[derive(Debug)]
pub(super) struct Actions {
    pub id: Option<u32>,
    pub phase: Option<u8>,
    pub head: Head,
    pub disruptive_given: bool,
    pub transformations: Vec<&'static str>,
    pub capture: bool,
    pub multi_match: bool,
    pub msg: Option<String>,
    pub logdata: Option<String>,
    pub setvars: Vec<(String, String)>,
    pub chain: bool,
    status: Option<u16>,
}

/// Where the list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    First,
    Chained,
    /// Behind `SecAction`, which looks at nothing.
    Action,
}

/// Reads the inside of the actions' quotes; `list` is empty if there are none.
pub(super) fn parse(report: &mut Report<'_>, list: Piece<'_>, position: Position) -> Actions {
    let mut actions = Actions {
        id: None,
        phase: None,
        head: Head {
            disruptive: Disruptive::Pass,
            log: true,
            audit: true,
            tags: Vec::new(),
            severity: None,
            rev: None,
            ver: None,
            maturity: None,
            accuracy: None,
        },
        disruptive_given: false,
        transformations: Vec::new(),
        capture: false,
        multi_match: false,
        msg: None,
        logdata: None,
        setvars: Vec::new(),
        chain: false,
        status: None,
    };
    let mut seen: Vec<(&'static str, usize)> = Vec::new();
    for item in items(list) {
        if item.is_empty() && !list.trim().is_empty() {
            report.refuse("empty-action", item, "An action is missing between commas");
        }
        let Some((name, key, value)) = named(report, item, position) else {
            continue;
        };
        match seen.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => seen.push((name, 1)),
        }
        let count = seen.iter().find(|(known, _)| *known == name).map_or(1, |(_, n)| *n);
        let repeatable = matches!(name, "t" | "tag" | "setvar");
        if (count > 1 && !repeatable) || count > MAX_REPEATED {
            let often = if repeatable { MAX_REPEATED } else { 1 };
            report.refuse("duplicate-action", item, format!("`{name}` may stand here at most {often} times"));
            continue;
        }
        actions.apply(report, name, key, value);
    }
    actions.settle_status(report, list);
    actions
}

/// Cuts at commas outside single quotes.
fn items(list: Piece<'_>) -> Vec<Piece<'_>> {
    let mut items = Vec::new();
    let (mut from, mut quoted, mut previous) = (0, false, None);
    for (index, c) in list.iter().enumerate() {
        if c == '\'' && previous != Some('\\') {
            quoted = !quoted;
        }
        if c == ',' && !quoted {
            items.push(list.slice(from, index).trim());
            from = index + 1;
        }
        previous = Some(c);
    }
    items.push(list.from(from).trim());
    items
}

type Named<'a> = (&'static str, Piece<'a>, Option<Piece<'a>>);

/// The action's name, its place, and its value without quotes, if the action may stand here.
fn named<'a>(report: &mut Report<'_>, item: Piece<'a>, position: Position) -> Option<Named<'a>> {
    if item.is_empty() {
        return None;
    }
    let colon = item.position(|c| c == ':');
    let key = item.slice(0, colon.unwrap_or_else(|| item.len())).trim();
    let given = key.text();
    let Some(name) = allow::ACTIONS.iter().copied().find(|a| a.eq_ignore_ascii_case(&given)) else {
        let lower = given.to_ascii_lowercase();
        if let Some(reason) = allow::refused_action(&lower) {
            report.refuse("refused-action", key, format!("`{}` {reason}", shown(&given)));
            return None;
        }
        let message = format!("Coraza has no action `{}`", shown(&given));
        match closest(&given, allow::ACTIONS.iter().copied()) {
            Some(near) => {
                report.refuse_hint("unknown-action", key, message, format!("Did you mean `{near}`?"));
            }
            None => report.refuse_hint("unknown-action", key, message, "A value with a comma in it needs single quotes: `msg:'a, b'`"),
        }
        return None;
    };
    if position == Position::Chained && !allow::CHAINED_ACTIONS.contains(&name) {
        report.refuse("first-link-only", item, format!("`{name}` belongs into the first rule of the chain"));
        return None;
    }
    if position == Position::Action && matches!(name, "chain" | "capture" | "multiMatch") {
        report.refuse("needs-secrule", item, format!("`{name}` needs a `SecRule`; a `SecAction` matches nothing"));
        return None;
    }
    let value = match colon {
        Some(colon) => Some(bare(report, name, item.from(colon + 1).trim())?),
        None => None,
    };
    Some((name, key, value))
}

/// The value without its single quotes, free of what Coraza could not read back.
fn bare<'a>(report: &mut Report<'_>, name: &str, value: Piece<'a>) -> Option<Piece<'a>> {
    let open = value.get(0) == Some('\'');
    let closed = value.len() >= 2 && value.get(value.len() - 1) == Some('\'');
    let inner = match (open, closed) {
        // Coraza keeps blanks inside the quotes; nobody means them
        (true, true) => value.slice(1, value.len() - 1).trim(),
        _ => value,
    };
    if let Some(index) = inner.position(|c| matches!(c, '\'' | '"')) {
        report.refuse_hint(
            "quote-in-value",
            inner.slice(index, index + 1),
            format!("The value of `{name}` cannot contain a quote: Coraza has no escape for it"),
            "Use a typographic one: ’ or “ ”",
        );
        return None;
    }
    if let Some(index) = inner.position(|c| c == '\t') {
        report.refuse("control-character", inner.slice(index, index + 1), format!("The value of `{name}` cannot contain a tab"));
        return None;
    }
    if inner.get(inner.len().wrapping_sub(1)) == Some('\\') {
        report.refuse(
            "backslash-at-end",
            inner.from(inner.len() - 1),
            format!("The value of `{name}` cannot end in a backslash: it would escape the quote"),
        );
        return None;
    }
    Some(inner)
}

impl Actions {
    fn apply(&mut self, report: &mut Report<'_>, name: &'static str, key: Piece<'_>, value: Option<Piece<'_>>) {
        let flag = matches!(
            name,
            "auditlog" | "block" | "capture" | "chain" | "deny" | "drop" | "log" | "multiMatch" | "noauditlog" | "nolog" | "pass"
        );
        match (flag, value) {
            (true, Some(value)) => {
                report.refuse("unexpected-value", value, format!("`{name}` takes no value"));
            }
            (true, None) => self.flag(report, name, key),
            (false, Some(value)) if !value.trim().is_empty() => self.set(report, name, key, value),
            (false, _) => report.refuse("missing-value", key, format!("`{name}` needs a value")),
        }
    }

    fn flag(&mut self, report: &mut Report<'_>, name: &str, key: Piece<'_>) {
        match name {
            "capture" => self.capture = true,
            "multiMatch" => self.multi_match = true,
            "chain" => self.chain = true,
            "auditlog" => self.head.audit = true,
            "noauditlog" => self.head.audit = false,
            "log" => (self.head.log, self.head.audit) = (true, true),
            "nolog" => (self.head.log, self.head.audit) = (false, false),
            "block" => self.disrupt(report, key, Disruptive::Block),
            "deny" => self.disrupt(report, key, Disruptive::Deny(403)),
            "drop" => self.disrupt(report, key, Disruptive::Drop),
            _ => self.disrupt(report, key, Disruptive::Pass),
        }
    }

    fn set(&mut self, report: &mut Report<'_>, name: &str, key: Piece<'_>, value: Piece<'_>) {
        let text = value.trim().text();
        match name {
            "id" => self.id = number(report, name, value, 1, u32::MAX),
            "phase" => self.phase = phase(report, value),
            "status" => {
                self.status = number(report, name, value, 100, 599).and_then(|n| n.try_into().ok());
            }
            "maturity" | "accuracy" => {
                let level = number(report, name, value, 1, 9).and_then(|n| n.try_into().ok());
                match name {
                    "maturity" => self.head.maturity = level,
                    _ => self.head.accuracy = level,
                }
            }
            "severity" => self.head.severity = severity(report, value),
            "t" => self.transform(report, value),
            "setvar" => self.setvars.extend(setvar::parse(report, value)),
            "redirect" => {
                if let Some(target) = redirect(report, value.trim()) {
                    self.disrupt(report, key, Disruptive::Redirect(target));
                }
            }
            _ if text.chars().count() > MAX_VALUE_CHARS => {
                report.refuse("value-too-long", value, format!("The value of `{name}` is longer than {MAX_VALUE_CHARS} characters"))
            }
            "msg" | "logdata" => {
                macros::check(report, value, Place::Message);
                match name {
                    "msg" => self.msg = Some(text),
                    _ => self.logdata = Some(text),
                }
            }
            "tag" => self.head.tags.push(text),
            "rev" => self.head.rev = Some(text),
            _ => self.head.ver = Some(text),
        }
    }

    fn disrupt(&mut self, report: &mut Report<'_>, key: Piece<'_>, disruptive: Disruptive) {
        if self.disruptive_given {
            report.refuse_hint(
                "two-disruptive-actions",
                key,
                "A rule has one disruptive action, another one stands before this",
                "Keep one of `pass`, `block`, `deny`, `drop`, `redirect`",
            );
        }
        self.disruptive_given = true;
        self.head.disruptive = disruptive;
    }

    fn transform(&mut self, report: &mut Report<'_>, value: Piece<'_>) {
        let text = value.trim().text();
        let known = allow::TRANSFORMATIONS.iter().copied();
        match known.clone().find(|t| t.eq_ignore_ascii_case(&text)) {
            Some("none") => self.transformations.clear(),
            Some(_) if self.transformations.len() == MAX_TRANSFORMATIONS => {
                let message = format!("A rule transforms in at most {MAX_TRANSFORMATIONS} steps");
                report.refuse_hint("too-many-transformations", value, message, "What stands before the last `t:none` does not count");
            }
            Some(name) => self.transformations.push(name),
            None => {
                let message = format!("Coraza has no transformation `{}`", shown(&text));
                match closest(&text, known) {
                    Some(near) => report.refuse_hint("unknown-transformation", value, message, format!("Did you mean `t:{near}`?")),
                    None => report.refuse("unknown-transformation", value, message),
                }
            }
        }
    }

    /// `status` belongs to `deny` and `redirect`; which statuses depends on it.
    fn settle_status(&mut self, report: &mut Report<'_>, list: Piece<'_>) {
        let Some(status) = self.status else { return };
        match &mut self.head.disruptive {
            Disruptive::Deny(with) if allow::DENY_STATUSES.contains(&status) => *with = status,
            Disruptive::Deny(_) => report.refuse_hint(
                "refused-status",
                list,
                format!("A rule cannot deny with status {status}"),
                "One of 400, 401, 403, 404, 405, 410, 413, 429, 500, 503",
            ),
            Disruptive::Redirect(_) if status == 302 => {}
            Disruptive::Redirect(_) => report.refuse("refused-status", list, format!("A redirect is sent with status 302, not {status}")),
            _ => report.refuse_hint(
                "status-without-deny",
                list,
                "`status` has no effect without `deny` or `redirect`",
                "Add `deny`, or remove `status`",
            ),
        }
    }
}
