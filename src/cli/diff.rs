//! `diff`: what differs between two revisions.

use super::client::{Client, Connection, escaped};
use super::failure::Failure;
use super::printer::Printer;
use super::words;
use crate::domain::Revision;
use crate::domain::diff::Diff;
use crate::domain::revision::ObjectRef;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The older revision
    #[arg(value_name = "FROM")]
    from: Revision,
    /// The newer one; without it the newest there is
    #[arg(value_name = "TO")]
    to: Option<Revision>,
    /// Only this object: policies/shop
    #[arg(long, value_name = "OBJECT")]
    object: Option<ObjectRef>,
    /// Print the difference as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the difference as Markdown
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    pub connection: Connection,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let to = match arguments.to {
        Some(to) => to,
        None => client.get("/status").await?.body["head"]
            .as_i64()
            .ok_or_else(|| Failure::user("the server does not tell its newest revision"))?,
    };
    let object = arguments.object.map(|object| format!("&object={}", escaped(&object.to_string()))).unwrap_or_default();
    let answer = client.get(&format!("/revisions/{to}/diff?from={}{object}", arguments.from)).await?;
    let (diff, raw) = answer.typed::<Diff>()?;
    let title = format!("Revision {} to {to}: {}", arguments.from, words::diff::counts(diff.counts));
    if arguments.json {
        printer.line(format!("{raw:#}"));
    } else if arguments.markdown {
        printer.line(format!("### {title}\n\n{}", words::markdown::diff(&diff)).trim_end());
    } else {
        printer.line(title);
        words::diff::lines(&diff, printer).iter().for_each(|line| printer.line(line));
    }
    Ok(0)
}
