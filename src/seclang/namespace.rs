//! Rules of several policies in one rule set: each keeps its own variables to itself, so that a rule of one never sees what another's has set.

use super::allow::OWN_PREFIX;
use super::ast::{CustomRule, LinkKind, Selector};

impl CustomRule {
    /// Whether the rule sets or reads variables of the operators' own.
    pub fn has_own_variables(&self) -> bool {
        let mut renamed = self.clone();
        renamed.in_namespace("x");
        renamed.emit() != self.emit()
    }

    /// `tx.custom_name` becomes `tx.custom_<namespace>_name`, wherever the rule names it. `namespace`: of `a-z` and `0-9`.
    pub fn in_namespace(&mut self, namespace: &str) {
        for link in &mut self.links {
            for (name, value) in &mut link.setvars {
                *name = renamed(name, "", namespace);
                *value = renamed(value, MACRO, namespace);
            }
            if let LinkKind::Match { targets, operator } = &mut link.kind {
                for target in targets.iter_mut().filter(|target| target.name == "TX") {
                    if let Some(Selector::Name(name)) = &mut target.selector {
                        *name = renamed(name, "", namespace);
                    }
                }
                operator.argument = renamed(&operator.argument, MACRO, namespace);
            }
            for text in [&mut link.msg, &mut link.logdata].into_iter().flatten() {
                *text = renamed(text, MACRO, namespace);
            }
        }
    }
}

/// How a text names a variable; the engine does not look at case.
const MACRO: &str = "%{tx.";

/// `text` with the namespace behind each `<before>custom_`; with nothing before it only at the start.
fn renamed(text: &str, before: &str, namespace: &str) -> String {
    let key = format!("{before}{OWN_PREFIX}");
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len() + namespace.len() + 1);
    let mut copied = 0;
    for (at, _) in lower.match_indices(&key).filter(|(at, _)| !before.is_empty() || *at == 0) {
        let end = at + key.len();
        out.push_str(&text[copied..end]);
        out.push_str(namespace);
        out.push('_');
        copied = end;
    }
    out.push_str(&text[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use super::super::parse_custom_rule;

    #[test]
    fn own_variables_are_renamed_wherever_they_are_named_and_nothing_else_is() {
        let text = r#"SecRule ARGS:custom_a "@streq custom_a" "phase:2,pass,t:none,nolog,setvar:tx.custom_a=1""#;
        let mut sets = parse_custom_rule(190_001, text).unwrap();
        assert!(sets.has_own_variables());
        sets.in_namespace("m2");
        let line = sets.emit();
        assert!(line.contains("setvar:'tx.custom_m2_a=1'") && line.contains("ARGS:custom_a \"@streq custom_a\""), "{line}");
        let text = r#"SecRule TX:Custom_a "@streq %{TX.custom_b}" "phase:2,deny,t:none,log,msg:'custom_a %{tx.custom_a}'""#;
        let mut reads = parse_custom_rule(190_002, text).unwrap();
        reads.in_namespace("m2");
        let line = reads.emit();
        let lower = line.to_ascii_lowercase();
        assert!(
            lower.contains("tx:custom_m2_a") && lower.contains("%{tx.custom_m2_b}") && lower.contains("'custom_a %{tx.custom_m2_a}'"),
            "{line}"
        );
        let none = parse_custom_rule(190_003, r#"SecRule ARGS:custom_a "@streq tx.custom_a" "phase:2,deny,t:none,log,msg:'x'""#).unwrap();
        assert!(!none.has_own_variables());
    }
}
