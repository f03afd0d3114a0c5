//! A plan, for a terminal.

use super::diff;
use super::text::{bytes, clean, count, one_line, word};
use crate::cli::printer::{Printer, Tone};
use crate::domain::plan::{Cost, EngineAnswer, Plan, RiskClass};
use crate::domain::{Name, Severity};

pub fn risk_tone(class: RiskClass) -> Tone {
    match class {
        RiskClass::Low => Tone::Good,
        RiskClass::Medium => Tone::Warning,
        RiskClass::High => Tone::Bad,
    }
}

/// Whether committing would be refused.
pub fn refused(plan: &Plan) -> bool {
    !plan.errors.is_empty() || !plan.conflicts.is_empty() || plan.engines.iter().any(|engine| engine.answer == EngineAnswer::Refused)
}

pub fn empty(plan: &Plan) -> bool {
    plan.diff.counts.total() == 0
}

/// `coraza accepted it`.
pub fn answer(answer: EngineAnswer) -> (&'static str, Tone) {
    match answer {
        EngineAnswer::Accepted => ("accepts it", Tone::Good),
        EngineAnswer::Refused => ("refuses it", Tone::Bad),
        EngineAnswer::Away => ("cannot be asked: it is judged when it is brought to the node", Tone::Warning),
        EngineAnswer::NotAsked => ("is not asked: nothing of it is for this engine", Tone::Faint),
    }
}

pub fn names(names: &[Name], total: usize) -> String {
    let mut text = names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    if total > names.len() {
        text.push_str(&format!(" and {} more", total - names.len()));
    }
    text
}

/// What it costs a node; nothing where it costs nothing.
pub fn cost(cost: Cost) -> Option<String> {
    let mut parts = Vec::new();
    if cost.rulesets_to_load > 0 {
        let sets = count(cost.rulesets_to_load, "rule set");
        parts.push(format!("{sets} to load, about {} and {} ms", bytes(cost.memory_bytes), cost.warm_up_ms));
    }
    if cost.map_entries > 0 {
        parts.push(format!("{} of maps", count(cost.map_entries, "entry")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Everything but conflicts and errors, whose places the caller knows.
pub fn lines(plan: &Plan, printer: &Printer) -> Vec<String> {
    if empty(plan) {
        return vec!["Nothing to do: the server has it all like this.".to_owned()];
    }
    let strong = |text: &str| printer.tone(Tone::Strong, text);
    let mut out = diff::lines(&plan.diff, printer);
    out.push(String::new());
    out.push(format!("{} {}, planned on revision {}", strong("Changes:"), diff::counts(plan.diff.counts), plan.head));
    out.push(format!("{} {}", strong("Risk:"), printer.tone(risk_tone(plan.risk.class), &word(&plan.risk.class))));
    for reason in &plan.risk.reasons {
        let class = printer.tone(risk_tone(reason.class), &word(&reason.class));
        out.push(format!("  {class} {}: {} [{}]", one_line(&reason.pointer), one_line(&reason.message), one_line(&reason.code)));
    }
    if plan.vhosts.total > 0 {
        out.push(format!("{} {}: {}", strong("Affects"), count(plan.vhosts.total, "vhost"), names(&plan.vhosts.names, plan.vhosts.total)));
    }
    if plan.approval.required {
        let vhosts = &plan.approval.vhosts;
        let what = format!("it touches the protected {}", names(&vhosts.names, vhosts.total));
        out.push(format!("{} {what}: somebody else must say yes", printer.tone(Tone::Warning, "Wants approval:")));
    }
    for lane in &plan.lanes {
        out.push(format!("{} {}: {}", strong("Lane"), word(&lane.lane), one_line(&lane.reason)));
    }
    if let Some(cost) = cost(plan.cost) {
        out.push(format!("{} {cost}", strong("Cost:")));
    }
    for engine in &plan.engines {
        let (words, tone) = answer(engine.answer);
        out.push(format!("{} {}", strong(&one_line(&engine.engine)), printer.tone(tone, words)));
        for line in clean(&engine.said).lines().filter(|line| !line.trim().is_empty()) {
            out.push(format!("  | {line}"));
        }
    }
    for finding in &plan.findings {
        let tone = match finding.severity {
            Severity::Info => Tone::Faint,
            Severity::Warning => Tone::Warning,
            Severity::Error => Tone::Bad,
        };
        let severity = printer.tone(tone, &word(&finding.severity));
        out.push(format!("{severity} {}: {} [{}]", one_line(&finding.pointer), one_line(&finding.message), one_line(&finding.code)));
    }
    if !plan.files.is_empty() {
        let added: usize = plan.files.iter().map(|file| file.added).sum();
        let removed: usize = plan.files.iter().map(|file| file.removed).sum();
        let paths: Vec<String> = plan.files.iter().map(|file| one_line(&file.path)).collect();
        out.push(format!("{} {} (+{added} -{removed}): {}", strong("Files:"), plan.files.len(), paths.join(", ")));
    }
    out.push(format!("{} {}", strong("Digest:"), one_line(&plan.digest)));
    out
}
