//! `openapi`: the document that the code generates.

use std::path::PathBuf;

use super::failure::Failure;
use super::printer::Printer;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Compare with this file instead of printing, and fail where they differ
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<(), Failure> {
    let document = super::compose::openapi();
    let Some(file) = &arguments.check else {
        printer.line(document.trim_end());
        return Ok(());
    };
    let committed = fs_err::read_to_string(file)
        .map_err(|error| Failure::user(error.to_string()).hint(format!("write it: guard-proxy openapi > {}", file.display())))?;
    if committed.trim_end() == document.trim_end() {
        printer.note(format!("`{}` is what the code generates", file.display()));
        return Ok(());
    }
    let differs = committed.lines().zip(document.lines()).position(|(a, b)| a != b);
    let line = differs.unwrap_or_else(|| committed.lines().count().min(document.lines().count())) + 1;
    Err(Failure::user(format!("`{}` is not what the code generates; the first difference is in line {line}", file.display()))
        .hint(format!("write it anew, look at the difference and commit it: guard-proxy openapi > {}", file.display())))
}
