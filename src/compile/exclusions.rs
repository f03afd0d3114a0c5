//! Exclusions -> SecLang.
//!
//! Without a path they are directives behind the Core Rule Set, which work on what is loaded. With a path they are `ctl` actions before it,
//! which work on what follows, in this transaction (data-plane 2.3).

use crate::domain::rule::{CUSTOM_RULE_IDS, Exclusion, RuleSelector};
use crate::domain::{FieldError, Policy};

use super::SecLangLine;

/// The rule that says whether a path means the same to every origin; rules of path-scoped exclusions follow it.
const PLAIN_PATH_ID: usize = 100_100;

/// A path that no origin reads as leading elsewhere: every segment is of plain characters and escapes of harmless ones, with single dots
/// inside. So no `..`, `//`, `/./`, `\`, `;`, `#`, no escaped dot, slash, backslash, percent sign, letter or control, no overlong form, no
/// fullwidth or general punctuation that some origins fold into dots and slashes, no raw byte above ASCII, no broken escape. What is
/// missing here only costs an exclusion its effect, so this is the short list.
const PLAIN_PATH: &str = concat!(
    r"^(?:/(?:\.?[A-Za-z0-9_~!$&*+,=:@-]",
    r"|%(?:2[0146BbCcDd]|2[89Aa]|3[AaDd]|40|5[BbDdFf]|7[Ee])",
    r"|%[Cc][2-9A-Ca-cE-Fe-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Dd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ee][13-9A-Ca-c]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r"|%[Ff]0%(?:9|[ABab])[0-9A-Fa-f]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]",
    r")+)*/?(?:\?|$)",
);

/// The exclusions of a policy as lines: before the Core Rule Set, and behind it.
pub(super) struct Lines {
    pub before: Vec<SecLangLine>,
    pub after: Vec<SecLangLine>,
}

/// `exclusions` are the active ones with their places in the policy; `custom` the ids of the custom rules that will be loaded.
pub(super) fn lines<'a>(exclusions: impl Iterator<Item = (usize, &'a Exclusion)>, custom: &[u32]) -> Lines {
    let mut out = Lines { before: Vec::new(), after: Vec::new() };
    let mut next_id = PLAIN_PATH_ID + 1;
    for (index, exclusion) in exclusions {
        // Coraza refuses to update a rule that is not loaded; a custom rule that is switched off needs no exclusion.
        if let RuleSelector::Id(id) = exclusion.rule
            && CUSTOM_RULE_IDS.contains(&id)
            && !custom.contains(&id)
        {
            continue;
        }
        let pointer = format!("/exclusions/{index}");
        let line = |text: String| SecLangLine { text, pointer: pointer.clone() };
        match &exclusion.path {
            None => out.after.push(line(directive(exclusion))),
            Some(scope) => {
                if out.before.is_empty() {
                    out.before.push(SecLangLine {
                        text: format!(
                            r#"SecRule REQUEST_URI_RAW "@rx {PLAIN_PATH}" "id:{PLAIN_PATH_ID},phase:1,pass,nolog,t:none,setvar:tx.gp_plain=1""#
                        ),
                        pointer: "/exclusions".to_owned(),
                    });
                }
                let prefix = pattern(&scope.prefix);
                out.before.push(line(format!(
                    r#"SecRule REQUEST_URI_RAW "@rx ^{prefix}(?:[/?]|$)" "id:{next_id},phase:1,pass,nolog,t:none,chain""#
                )));
                // the action stands in the last link: an earlier one's would run although a later one does not match
                out.before.push(line(format!(r#"SecRule TX:gp_plain "@streq 1" "t:none,ctl:{}""#, control(exclusion))));
                next_id += 1;
            }
        }
    }
    out
}

/// The prefix as a regular expression, without the slash at its end: `/api/` covers `/api` too.
fn pattern(prefix: &str) -> String {
    let mut out = String::with_capacity(prefix.len() + 8);
    for c in prefix.strip_suffix('/').unwrap_or(prefix).chars() {
        if !(c.is_ascii_alphanumeric() || "/_~@:,-".contains(c)) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// One directive an exclusion: given two ids, Coraza updates only the first.
fn directive(exclusion: &Exclusion) -> String {
    let (by, what) = match &exclusion.rule {
        RuleSelector::Id(id) => ("Id", id.to_string()),
        RuleSelector::Range { from, to } if from == to => ("Id", from.to_string()),
        RuleSelector::Range { from, to } => ("Id", format!("{from}-{to}")),
        RuleSelector::Tag(tag) => ("Tag", format!("\"{tag}\"")),
    };
    match &exclusion.target {
        None => format!("SecRuleRemoveBy{by} {what}"),
        Some(target) => format!("SecRuleUpdateTargetBy{by} {what} \"!{target}\""),
    }
}

fn control(exclusion: &Exclusion) -> String {
    let (by, what) = match &exclusion.rule {
        RuleSelector::Id(id) => ("Id", id.to_string()),
        RuleSelector::Range { from, to } => ("Id", format!("{from}-{to}")),
        RuleSelector::Tag(tag) => ("Tag", tag.to_string()),
    };
    match &exclusion.target {
        None => format!("ruleRemoveBy{by}={what}"),
        Some(target) => format!("ruleRemoveTargetBy{by}={what};{target}"),
    }
}

/// Collections of one value: Coraza refuses an element of these in a directive, and ignores it silently in a `ctl`.
const WITHOUT_ELEMENTS: [&str; 8] =
    ["REQUEST_BODY", "REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_FILENAME", "REQUEST_BASENAME", "REQUEST_LINE", "QUERY_STRING", "XML"];

/// Faults that the types of exclusions cannot say.
pub(super) fn check(policy: &Policy, errors: &mut Vec<FieldError>) {
    for (index, exclusion) in policy.exclusions.iter().enumerate() {
        if let Some((collection, _)) = exclusion.target.as_ref().and_then(|target| target.split_once(':'))
            && WITHOUT_ELEMENTS.contains(&collection)
        {
            errors.push(FieldError::new(
                format!("/exclusions/{index}/target"),
                "target_without_elements",
                format!("`{collection}` is one value and has no elements: leave out `:` and what follows"),
            ));
        }
    }
}
