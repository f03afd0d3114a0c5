//! `setvar:tx.name=value`, the one action that changes what other rules see.

use super::allow;
use super::lexer::Piece;
use super::macros;
use super::problem::{Report, closest, shown};

/// Reads `tx.name=value`. Scores of the Core Rule Set can only be added to: a rule that lowers
/// one would be an exclusion nobody sees. What is added is therefore known to be small and not
/// negative: a few digits, or what the Core Rule Set itself counts a match with. Own names
/// (`tx.custom_*`) are free.
pub(super) fn parse(report: &mut Report<'_>, value: Piece<'_>) -> Option<(String, String)> {
    let text = value.text();
    if text.starts_with('!') {
        report.refuse_hint("invalid-setvar", value, "`setvar` cannot remove a variable here", "Set it to 0");
        return None;
    }
    let Some((left, right)) = text.split_once('=') else {
        // Coraza 3.8.1 accepts it and then panics on the missing value
        report.refuse_hint("invalid-setvar", value, "`setvar` needs a value", "Write `setvar:tx.custom_name=1`");
        return None;
    };
    let name = left.trim().to_ascii_lowercase();
    let Some(name) = name.strip_prefix("tx.") else {
        report.refuse_hint(
            "refused-setvar",
            value,
            format!("`setvar` can only set `tx.` variables, not `{}`", shown(left)),
            "Write `setvar:tx.custom_name=1`",
        );
        return None;
    };
    let score = allow::SCORES.contains(&name);
    if !score && !allow::is_own(name) {
        let hint = match closest(name, allow::SCORES.iter().copied()) {
            Some(near) => format!("Did you mean `tx.{near}`?"),
            None => "Own names are `tx.custom_` and 1 to 48 letters, digits or `_`".to_owned(),
        };
        report.refuse_hint("refused-setvar", value, format!("`tx.{}` is not for custom rules to set", shown(name)), hint);
        return None;
    }
    let right = right.trim();
    let (sign, amount) = match right.strip_prefix(['+', '-']) {
        Some(rest) => (&right[..1], rest),
        None => ("", right),
    };
    let amount = amount_of(amount, score);
    let (Some(amount), true) = (amount, !score || sign == "+") else {
        let message = if score {
            format!("A custom rule can only add to the score `tx.{name}`")
        } else {
            format!("`{}` is not a value `setvar` takes here", shown(right))
        };
        report.refuse_hint(
            "invalid-setvar",
            value,
            message,
            if score {
                "Write `=+5` with 1 to 4 digits, or `=+%{tx.critical_anomaly_score}` (`error`, `warning`, `notice`)"
            } else {
                "Values: `=5`, `=+5`, `=-5` with 1 to 9 digits, or `%{tx.critical_anomaly_score}` and `%{tx.custom_*}` instead of digits"
            },
        );
        return None;
    };
    Some((name.to_owned(), format!("{sign}{amount}")))
}

/// Up to 9 digits, or a macro of a score, its step, or an own name; in canonical spelling. For a
/// score up to 4 digits or a step: an own name may hold a negative number, and a score added to
/// itself grows until it overflows and is negative.
fn amount_of(text: &str, score: bool) -> Option<String> {
    let most = if score { 4 } else { 9 };
    if (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.to_owned());
    }
    if !macros::is_one(text) {
        return None;
    }
    let inner = text[2..text.len() - 1].to_ascii_lowercase();
    let name = inner.strip_prefix("tx.")?;
    let step = allow::SCORE_STEPS.contains(&name);
    (step || (!score && (allow::SCORES.contains(&name) || allow::is_own(name)))).then(|| format!("%{{tx.{name}}}"))
}
