//! Plans and diffs as Markdown, for comments of pipelines. Everything that people wrote is in code spans: it is shown, never rendered.

use super::diff::counts;
use super::text::{clean, count, one_line, word};
use super::{diff, plan};
use crate::cli::tree::Fault;
use crate::domain::diff::{Conflict, Diff};
use crate::domain::plan::Plan;

/// Characters of a comment that the common forges take; more is cut with a word about it.
const MOST: usize = 60_000;

/// A code span, whatever is in it. In a table a pipe would end the cell even there.
pub fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "∣");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

fn block(language: &str, text: &str) -> String {
    let text = clean(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0).max(2);
    let fence = "`".repeat(longest + 1);
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// Object by object, field by field.
pub fn diff(diff: &Diff) -> String {
    let mut out = String::new();
    for object in &diff.changes {
        let (_, _, what) = diff::sign(object.change);
        out.push_str(&format!("- {} **{what}**\n", code(&format!("{}/{}", object.kind.collection(), object.name))));
        for field in &object.fields {
            out.push_str(&format!("  - {}\n", code(&field.words)));
        }
        if object.fields_left_out > 0 {
            out.push_str(&format!("  - and {}\n", count(object.fields_left_out, "more field")));
        }
    }
    if diff.left_out > 0 {
        out.push_str(&format!("- and {}\n", count(diff.left_out, "more object")));
    }
    out
}

pub fn conflicts(conflicts: &[Conflict]) -> String {
    let mut out = String::new();
    for conflict in conflicts {
        let path = format!("{}/{}{}", conflict.kind.collection(), conflict.name, conflict.element);
        out.push_str(&format!("- {} was changed in revision {}, too\n", code(&path), conflict.theirs_revision));
        for field in &conflict.fields {
            let side = |value: &Option<serde_json::Value>| code(&diff::side_of(value.as_ref(), field));
            let sides = (side(&conflict.base), side(&conflict.yours), side(&conflict.theirs));
            out.push_str(&format!("  - {}: was {}, yours {}, theirs {}\n", code(field), sides.0, sides.1, sides.2));
        }
    }
    out
}

/// A plan. `faults` are its errors with their places in the tree.
pub fn plan(plan: &Plan, faults: &[Fault]) -> String {
    let mut out = "### Guard Proxy: plan\n\n".to_owned();
    if plan::refused(plan) {
        out.push_str("**Cannot be applied.**\n\n");
    }
    for fault in faults {
        out.push_str(&format!("- {}: {} ({})\n", code(&fault.spot.to_string()), code(&fault.detail), code(&fault.code)));
    }
    if !plan.conflicts.is_empty() {
        out.push_str(&format!("\n**Conflicts**\n\n{}", conflicts(&plan.conflicts)));
    }
    if plan::empty(plan) {
        out.push_str("Nothing to do: the server has it all like this.\n");
        return out;
    }
    out.push_str(&format!(
        "\n{} · risk **{}** · {} affected · planned on revision {}\n\n",
        counts(plan.diff.counts),
        word(&plan.risk.class),
        count(plan.vhosts.total, "vhost"),
        plan.head
    ));
    out.push_str(&diff(&plan.diff));
    if !plan.risk.reasons.is_empty() {
        out.push_str("\n| risk | where | why |\n| --- | --- | --- |\n");
        for reason in &plan.risk.reasons {
            let class = word(&reason.class);
            out.push_str(&format!("| {class} | {} | {} ({}) |\n", code(&reason.pointer), code(&reason.message), code(&reason.code)));
        }
    }
    out.push('\n');
    if plan.vhosts.total > 0 {
        out.push_str(&format!("- affected vhosts: {}\n", code(&plan::names(&plan.vhosts.names, plan.vhosts.total))));
    }
    for lane in &plan.lanes {
        out.push_str(&format!("- lane **{}**: {}\n", word(&lane.lane), code(&lane.reason)));
    }
    if let Some(cost) = plan::cost(plan.cost) {
        out.push_str(&format!("- cost: {cost}\n"));
    }
    for engine in &plan.engines {
        out.push_str(&format!("- {} {}\n", code(&engine.engine), plan::answer(engine.answer).0));
    }
    for finding in &plan.findings {
        out.push_str(&format!("- {} {}: {}\n", word(&finding.severity), code(&finding.pointer), code(&finding.message)));
    }
    for engine in plan.engines.iter().filter(|engine| !engine.said.trim().is_empty()) {
        out.push_str(&format!("\n{} says:\n\n{}", code(&engine.engine), block("text", &engine.said)));
    }
    for file in &plan.files {
        let summary = format!("{} (+{} -{})", file.path, file.added, file.removed);
        let cut = if file.truncated { "\nThe difference is longer than shown.\n" } else { "" };
        let details = format!("\n<details><summary>{}</summary>\n\n{}{cut}\n</details>\n", html(&summary), block("diff", &file.diff));
        if out.len() + details.len() > MOST {
            out.push_str("\nFurther differences of files are left out here: `guard-proxy plan --json` has them.\n");
            break;
        }
        out.push_str(&details);
    }
    out.push_str(&format!("\nDigest {}\n", code(&plan.digest)));
    out
}

fn html(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
