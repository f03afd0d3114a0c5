//! Custom rules: the one place where `seclang` is called.

use crate::domain::FieldError;
use crate::seclang::{Problem, parse_custom_rule};

/// A custom rule as `seclang` wrote it anew.
pub(super) struct Compiled {
    /// One for each link of the chain.
    pub lines: Vec<String>,
    pub redirect_target: Option<String>,
}

/// Pointers of the faults are left to the caller.
pub(super) fn compile(id: u32, text: &str) -> Result<Compiled, Vec<FieldError>> {
    let rule = parse_custom_rule(id, text).map_err(|problems| problems.into_iter().map(fault).collect::<Vec<_>>())?;
    Ok(Compiled { lines: rule.emit().lines().map(str::to_owned).collect(), redirect_target: rule.redirect_target })
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
