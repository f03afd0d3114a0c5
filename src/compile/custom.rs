//! Custom rules: the one place where `seclang` is called.

use crate::domain::FieldError;

/// A custom rule as `seclang` wrote it anew.
pub(super) struct Compiled {
    /// One for each link of the chain.
    pub lines: Vec<String>,
    pub redirect_target: Option<String>,
}

/// Pointers of the faults are left to the caller.
pub(super) fn compile(id: u32, text: &str) -> Result<Compiled, Vec<FieldError>> {
    // Until `seclang` is here: rules without an id of their own on one line.
    let refused = || vec![FieldError::new("", "not_supported", "custom rules are not supported yet")];
    let line = text.trim();
    if line.chars().any(char::is_control) || !line.starts_with("SecRule ") || !line.ends_with('"') || line.contains("id:") {
        return Err(refused());
    }
    let Some(at) = line.rfind(" \"") else { return Err(refused()) };
    let (head, actions) = line.split_at(at + 2);
    let redirect_target = actions.split("redirect:").nth(1).map(|rest| rest.split([',', '"']).next().unwrap_or_default().to_owned());
    Ok(Compiled { lines: vec![format!("{head}id:{id},{actions}")], redirect_target })
}
