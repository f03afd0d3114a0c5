//! From text to [`CustomRule`]: the lines, the chain, and what must fit together.

use super::actions::{self, Actions, Position};
use super::allow;
use super::ast::{CustomRule, Disruptive, LinkKind, Rule};
use super::lexer::{self, Piece};
use super::problem::{Problem, Report, closest, shown};
use super::seen::Seen;
use super::{FIRST_ID, LAST_ID, MAX_GROWING, MAX_LINKS, MAX_TEXT_BYTES, operators, targets};
use crate::domain::name::is_invisible;

/// Reads and checks one custom rule.
///
/// `id` is the rule's in the API: [`FIRST_ID`] to [`LAST_ID`]. The text need not repeat it; if it
/// does, it must be the same.
///
/// # Errors
///
/// All problems found, at most [`super::MAX_PROBLEMS`], in the order of the checks.
pub fn parse_custom_rule(id: u32, text: &str) -> Result<CustomRule, Vec<Problem>> {
    let mut report = Report::new(text);
    if !(FIRST_ID..=LAST_ID).contains(&id) {
        report.refuse("id-out-of-range", Piece::nowhere(0), format!("The id {id} is not from {FIRST_ID} to {LAST_ID}"));
    }
    if !readable(&mut report, text) {
        return Err(report.problems);
    }
    let rule = read(&mut report, id, text);
    match rule {
        Some(rule) if report.problems.is_empty() => Ok(CustomRule { findings: report.findings, ..rule }),
        _ => Err(report.problems),
    }
}

/// Refuses what should not even be looked at.
fn readable(report: &mut Report<'_>, text: &str) -> bool {
    if text.len() > MAX_TEXT_BYTES {
        report.refuse("text-too-long", Piece::nowhere(0), format!("The text has {} bytes, at most {MAX_TEXT_BYTES} are read", text.len()));
        return false;
    }
    for (at, c) in text.char_indices() {
        let control = c.is_control() && !matches!(c, '\n' | '\t');
        if control || is_invisible(c) {
            let one = [(at, c)];
            let hint = if c == '\r' { "End lines with a line feed alone" } else { "In an expression write `\\x00` or `\\x{200b}`" };
            report.refuse_hint(
                if control { "control-character" } else { "invisible-character" },
                Piece::new(&one, at),
                format!("The character U+{:04X} cannot stand in a rule", u32::from(c)),
                hint,
            );
            return false;
        }
    }
    true
}

/// One link as read, before it is known whether the chain holds.
struct Link {
    rule: Rule,
    id: Option<u32>,
    phase: Option<u8>,
    chain: bool,
    body: bool,
}

fn read(report: &mut Report<'_>, id: u32, text: &str) -> Option<CustomRule> {
    let (lines, unfinished) = lexer::lines(text);
    let end = Piece::nowhere(text.len());
    if unfinished {
        report.refuse("unfinished-line", end, "The last line ends in a backslash, nothing follows it");
    }
    if lines.is_empty() {
        report.refuse("empty-rule", end, "There is no rule in the text");
        return None;
    }
    let mut links: Vec<Link> = Vec::new();
    let mut expects_rule = true;
    let mut seen = Seen::default();
    for line in &lines {
        let piece = line.piece();
        let (directive, rest) = piece.split_word();
        let name = directive.text().to_ascii_lowercase();
        if !matches!(name.as_str(), "secrule" | "secaction") {
            refuse_directive(report, directive);
            continue;
        }
        if !expects_rule {
            report.refuse_hint(
                "second-rule",
                directive,
                "A custom rule is one `SecRule` or `SecAction`",
                "Make a second custom rule, or join them with `chain`",
            );
            expects_rule = true;
        }
        if name == "secaction" && !links.is_empty() {
            report.refuse("action-in-chain", directive, "A `SecAction` cannot follow a `chain`");
            continue;
        }
        if links.len() == MAX_LINKS {
            report.refuse("chain-too-long", directive, format!("A chain has at most {MAX_LINKS} rules"));
            return None;
        }
        let link = match name.as_str() {
            "secaction" => action(report, rest),
            _ => rule(report, rest, links.is_empty(), seen),
        };
        // a link that could not be read says nothing about what may follow it
        expects_rule = link.as_ref().is_none_or(|link| link.chain);
        if let Some(link) = link.as_ref()
            && links.is_empty()
        {
            head(report, id, piece, link);
        }
        if let Some(link) = &link {
            seen.add(&link.rule);
            let growing = |rule: &Rule| rule.transformations.iter().filter(|t| allow::GROWING.contains(t)).count();
            let before: usize = links.iter().map(|link| growing(&link.rule)).sum();
            if growing(&link.rule) > 0 && before + growing(&link.rule) > MAX_GROWING {
                report.refuse_hint(
                    "too-many-transformations",
                    piece,
                    format!("A chain has at most {MAX_GROWING} transformations that make text longer"),
                    format!("Those are `t:{}`", allow::GROWING.join("`, `t:")),
                );
            }
        }
        links.extend(link);
    }
    if links.last().is_some_and(|link| link.chain) && report.problems.is_empty() {
        report.refuse_hint(
            "chain-without-rule",
            end,
            "`chain` announces a rule that does not follow",
            "Add a `SecRule` on the next line, or remove `chain`",
        );
    }
    let first = links.first()?;
    let phase = first.phase.unwrap_or(2);
    let whole = lines.first()?.piece();
    findings(report, whole, phase, &links);
    let redirect_target = match first.rule.head.as_ref().map(|head| &head.disruptive) {
        Some(Disruptive::Redirect(target)) => Some(target.clone()),
        _ => None,
    };
    Some(CustomRule { id, links: links.into_iter().map(|link| link.rule).collect(), redirect_target, phase, findings: Vec::new() })
}

fn refuse_directive(report: &mut Report<'_>, directive: Piece<'_>) {
    let text = directive.text();
    let lower = text.to_ascii_lowercase();
    let shown = shown(&text);
    match lower.as_str() {
        "include" => report.refuse(
            "refused-directive",
            directive,
            "`Include` reads files of the agent; a custom rule is one `SecRule` or `SecAction`",
        ),
        _ if allow::DIRECTIVES.contains(&lower.as_str()) => report.refuse_hint(
            "refused-directive",
            directive,
            format!("`{shown}` configures the engine; a custom rule is one `SecRule` or `SecAction`"),
            "Limits, exclusions and modes are fields of the policy",
        ),
        _ => match closest(&text, ["SecRule", "SecAction"].into_iter()) {
            Some(near) => report.refuse_hint(
                "unknown-directive",
                directive,
                format!("`{shown}` is not a directive"),
                format!("Did you mean `{near}`?"),
            ),
            None => report.refuse("unknown-directive", directive, format!("A custom rule is one `SecRule` or `SecAction`, not `{shown}`")),
        },
    }
}

/// `VARIABLES "operator" "actions"`.
fn rule(report: &mut Report<'_>, rest: Piece<'_>, first: bool, seen: Seen) -> Option<Link> {
    let (list, rest) = rest.split_word();
    if list.is_empty() || list.get(0) == Some('"') {
        report.refuse_hint(
            "malformed-rule",
            list,
            "The variables are missing or in quotes",
            "Write `SecRule ARGS \"@contains x\" \"phase:2,deny\"`",
        );
        return None;
    }
    let mut body = false;
    let targets = targets::parse(report, list, seen, &mut body);
    let (quoted, rest) = quoted(report, rest, "operator")?;
    let operator = operators::parse(report, quoted, seen);
    let list = match rest.is_empty() {
        true => rest,
        false => actions_list(report, rest)?,
    };
    let position = if first { Position::First } else { Position::Chained };
    let actions = actions::parse(report, list, position);
    let kind = LinkKind::Match { targets, operator: operator? };
    Some(link(kind, actions, first, body))
}

/// `"actions"`.
fn action(report: &mut Report<'_>, rest: Piece<'_>) -> Option<Link> {
    let list = match rest.get(0) {
        // Coraza takes them without quotes too
        Some(c) if c != '"' => rest,
        _ => actions_list(report, rest)?,
    };
    let actions = actions::parse(report, list, Position::Action);
    Some(link(LinkKind::Always, actions, true, false))
}

fn actions_list<'a>(report: &mut Report<'_>, rest: Piece<'a>) -> Option<Piece<'a>> {
    let (list, behind) = quoted(report, rest, "list of actions")?;
    if !behind.is_empty() {
        report.refuse_hint(
            "text-after-actions",
            behind,
            format!("`{}` follows the actions", shown(&behind.text())),
            "One directive a line; a double quote cannot stand inside the actions",
        );
        return None;
    }
    Some(list)
}

fn quoted<'a>(report: &mut Report<'_>, rest: Piece<'a>, what: &str) -> Option<(Piece<'a>, Piece<'a>)> {
    if rest.get(0) != Some('"') {
        report.refuse("quote-expected", rest.slice(0, 1), format!("The {what} must stand in double quotes"));
        return None;
    }
    let Some((inside, behind)) = rest.split_quoted() else {
        report.refuse_hint(
            "unclosed-quote",
            rest.slice(0, 1),
            format!("The {what} is not closed with a double quote"),
            "Before a closing quote a backslash escapes it: put a blank between",
        );
        return None;
    };
    Some((inside, behind.trim()))
}

fn link(kind: LinkKind, actions: Actions, first: bool, body: bool) -> Link {
    Link {
        id: actions.id,
        phase: actions.phase,
        chain: actions.chain,
        body,
        rule: Rule {
            kind,
            head: first.then_some(actions.head),
            transformations: actions.transformations,
            capture: actions.capture,
            multi_match: actions.multi_match,
            msg: actions.msg,
            logdata: actions.logdata,
            setvars: actions.setvars,
        },
    }
}

/// What only the first link can get wrong.
fn head(report: &mut Report<'_>, id: u32, line: Piece<'_>, link: &Link) {
    if let Some(written) = link.id.filter(|written| *written != id) {
        report.refuse_hint(
            "id-mismatch",
            line,
            format!("The text says `id:{written}`, the rule's id is {id}"),
            "Remove `id` from the text",
        );
    }
}

/// What is worth knowing about a rule that works.
fn findings(report: &mut Report<'_>, line: Piece<'_>, phase: u8, links: &[Link]) {
    let Some(head) = links.first().and_then(|link| link.rule.head.as_ref()) else {
        return;
    };
    if links.iter().all(|link| link.rule.msg.is_none()) {
        report.find("no-message", line, "Without `msg` a match is neither counted nor named in events", "Add `msg:'…'`");
    }
    let denies = matches!(head.disruptive, Disruptive::Deny(_) | Disruptive::Drop | Disruptive::Redirect(_));
    if denies && !head.log {
        report.find("deny-without-log", line, "With `nolog` a denial leaves no trace of its rule", "Remove `nolog`");
    }
    if head.disruptive == Disruptive::Block {
        report.find(
            "block-is-pass",
            line,
            "`block` does what the rule set's default says: in anomaly mode it passes",
            "Use `deny`, or add to a score with `setvar`",
        );
    }
    if phase == 1 && links.iter().any(|link| link.body) {
        report.find("body-in-phase-1", line, "In phase 1 the body has not been read: its variables are empty", "Use `phase:2`");
    }
    let scores = |link: &Link| link.rule.setvars.iter().any(|(name, _)| !allow::is_own(name));
    if phase == 1 && links.iter().any(scores) {
        report.find(
            "score-in-phase-1",
            line,
            "The Core Rule Set sets its scores to 0 in phase 1: what a rule before it adds is lost",
            "Use `phase:2`, or place the rule after the Core Rule Set",
        );
    }
}
