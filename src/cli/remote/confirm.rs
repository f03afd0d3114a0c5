//! Asking before something is committed.

use std::io::IsTerminal as _;

use super::Interrupts;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;

/// Fails where nobody could be asked: before anything is sent, so that a pipeline learns it at once.
pub fn not_asked(yes: bool) -> Result<(), Failure> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::user("there is no terminal to ask at").hint("`--yes` commits without asking"))
}

/// Whether somebody said yes; None when a signal came first.
pub async fn confirm(question: &str, yes: bool, printer: &Printer, interrupts: &mut Interrupts) -> Option<bool> {
    if yes {
        return Some(true);
    }
    printer.ask(&format!("{question} [y/N]"));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = interrupts.unless(answer).await?;
    let said = answer.ok().and_then(Result::ok).unwrap_or_default();
    Some(matches!(said.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
