//! Custom rules: the one place where `seclang` is called.

use crate::domain::FieldError;
use crate::domain::rule::CUSTOM_RULE_IDS;
use crate::seclang::{CustomRule, Problem, parse_custom_rule};

/// A custom rule as `seclang` wrote it anew.
pub(super) struct Compiled {
    /// One for each link of the chain.
    pub lines: Vec<String>,
    pub redirect_target: Option<String>,
}

/// Pointers of the faults are left to the caller.
pub(super) fn compile(id: u32, text: &str) -> Result<Compiled, Vec<FieldError>> {
    parse(id, text).map(compiled)
}

/// For a rule set of several policies: the rule's own variables are in a namespace.
pub(super) fn compile_in(namespace: &str, id: u32, text: &str) -> Result<Compiled, Vec<FieldError>> {
    let mut rule = parse(id, text)?;
    rule.in_namespace(namespace);
    Ok(compiled(rule))
}

/// Whether the same rule of two policies does the same: not where it sets or reads variables, which are each policy's.
pub(super) fn is_shareable(text: &str) -> bool {
    parse(*CUSTOM_RULE_IDS.start(), text).is_ok_and(|rule| !rule.has_own_variables())
}

fn parse(id: u32, text: &str) -> Result<CustomRule, Vec<FieldError>> {
    parse_custom_rule(id, text).map_err(|problems| problems.into_iter().map(fault).collect())
}

fn compiled(rule: CustomRule) -> Compiled {
    Compiled { lines: rule.emit().lines().map(str::to_owned).collect(), redirect_target: rule.redirect_target }
}

fn fault(problem: Problem) -> FieldError {
    let detail = match &problem.hint {
        Some(hint) => format!("{}: {hint}", problem.message),
        None => problem.message,
    };
    // our codes are snake_case everywhere
    let mut error = FieldError::new("", problem.code.replace('-', "_"), detail);
    (error.line, error.column) = (Some(problem.span.line), Some(problem.span.column));
    error
}
