//! A rule's canonical text. It is written from the syntax tree alone, by Coraza's rules for
//! reading it back:
//!
//! * a directive is a line, name and rest separated by exactly one blank;
//! * in the operator's quotes `\"` is a quote and every other backslash stands for itself, so an
//!   argument that ends in a backslash is followed by a blank (which is trimmed away);
//! * actions are split at commas outside `'…'`, nothing is unescaped there, so values contain no
//!   quote and do not end in a backslash (the parser sees to it).
//!
//! Everything that has a default is written out, so that a `SecDefaultAction` of the rule set
//! changes nothing.

use std::fmt::Write;

use super::allow;
use super::ast::{CustomRule, Disruptive, Head, LinkKind, Operator, Rule, Selector, Target, TargetMode};

impl CustomRule {
    /// One line for each link, newlines between them and none at the end. The id and the phase
    /// are in the first.
    pub fn emit(&self) -> String {
        let last = self.links.len().saturating_sub(1);
        let lines: Vec<String> = self.links.iter().enumerate().map(|(index, link)| line(self, link, index < last)).collect();
        lines.join("\n")
    }
}

fn line(rule: &CustomRule, link: &Rule, chained: bool) -> String {
    let mut out = match &link.kind {
        LinkKind::Match { targets, operator } => {
            let targets: Vec<String> = targets.iter().map(target).collect();
            format!("SecRule {} \"{}\" \"", targets.join("|"), operator_text(operator))
        }
        LinkKind::Always => "SecAction \"".to_owned(),
    };
    let mut actions = Vec::new();
    if let Some(head) = &link.head {
        actions.push(format!("id:{}", rule.id));
        actions.push(format!("phase:{}", rule.phase));
        actions.extend(disruptive(&head.disruptive));
    }
    actions.push("t:none".to_owned());
    actions.extend(link.transformations.iter().map(|t| format!("t:{t}")));
    if link.capture {
        actions.push("capture".to_owned());
    }
    if link.multi_match {
        actions.push("multiMatch".to_owned());
    }
    if let Some(head) = &link.head {
        actions.push(if head.log { "log" } else { "nolog" }.to_owned());
        if head.audit != head.log {
            actions.push(if head.audit { "auditlog" } else { "noauditlog" }.to_owned());
        }
    }
    actions.extend(link.msg.iter().map(|msg| format!("msg:'{msg}'")));
    actions.extend(link.logdata.iter().map(|data| format!("logdata:'{data}'")));
    if let Some(head) = &link.head {
        actions.extend(metadata(head));
    }
    let setvars = link.setvars.iter();
    actions.extend(setvars.map(|(name, value)| format!("setvar:'tx.{name}={value}'")));
    if chained {
        actions.push("chain".to_owned());
    }
    out.push_str(&actions.join(","));
    out.push('"');
    out
}

fn target(target: &Target) -> String {
    let mut out = match target.mode {
        TargetMode::Value => String::new(),
        TargetMode::Count => "&".to_owned(),
        TargetMode::Exclude => "!".to_owned(),
    };
    out.push_str(target.name);
    // writing to a String cannot fail
    let _ = match &target.selector {
        None => Ok(()),
        Some(Selector::Name(name)) => write!(out, ":{name}"),
        Some(Selector::Regex(pattern)) => write!(out, ":/{pattern}/"),
    };
    out
}

fn operator_text(operator: &Operator) -> String {
    let mut out = format!("{}@{}", if operator.negated { "!" } else { "" }, operator.name);
    if !operator.argument.is_empty() {
        out.push(' ');
        out.push_str(&operator.argument.replace('"', "\\\""));
    }
    if out.ends_with('\\') {
        out.push(' ');
    }
    out
}

fn disruptive(disruptive: &Disruptive) -> Vec<String> {
    match disruptive {
        Disruptive::Pass => vec!["pass".to_owned()],
        Disruptive::Block => vec!["block".to_owned()],
        Disruptive::Deny(status) => vec!["deny".to_owned(), format!("status:{status}")],
        Disruptive::Drop => vec!["drop".to_owned()],
        Disruptive::Redirect(target) => {
            vec![format!("redirect:'{target}'"), "status:302".to_owned()]
        }
    }
}

fn metadata(head: &Head) -> Vec<String> {
    let mut actions: Vec<String> = head.tags.iter().map(|tag| format!("tag:'{tag}'")).collect();
    if let Some(name) = head.severity.and_then(|n| allow::SEVERITIES.get(usize::from(n))) {
        actions.push(format!("severity:'{name}'"));
    }
    actions.extend(head.rev.iter().map(|rev| format!("rev:'{rev}'")));
    actions.extend(head.ver.iter().map(|ver| format!("ver:'{ver}'")));
    actions.extend(head.maturity.iter().map(|n| format!("maturity:{n}")));
    actions.extend(head.accuracy.iter().map(|n| format!("accuracy:{n}")));
    actions
}
