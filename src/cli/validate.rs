//! `validate`: a folder, judged without a server.

use std::path::PathBuf;

use serde_json::json;

use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::tree::{self, FaultJson};
use super::words::text::{clean, count};
use crate::domain::Kind;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder with the YAML files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print faults and notes as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Failure> {
    let folder = &arguments.folder;
    let mut tree = tree::read(folder).map_err(|error| Failure::user(error).hint("name the folder with the YAML files"))?;
    tree::check(&mut tree);
    let number = |kind: Kind| tree.documents.iter().filter(|document| document.kind == kind).count();
    let (policies, lists, vhosts) = (number(Kind::Policy), number(Kind::IpList), number(Kind::Vhost));
    let bad = !tree.faults.is_empty();
    if arguments.json {
        let all = |faults: &[tree::Fault]| json!(faults.iter().map(FaultJson::from).collect::<Vec<_>>());
        let counts = json!({ "policies": policies, "ip_lists": lists, "vhosts": vhosts });
        let report = json!({ "valid": !bad, "counts": counts, "errors": all(&tree.faults), "notes": all(&tree.notes) });
        printer.line(format!("{report:#}"));
        return Ok(u8::from(bad));
    }
    for note in &tree.notes {
        printer.line(format!("{} {}", printer.tone(Tone::Faint, "note:"), clean(&note.to_string())));
    }
    for fault in &tree.faults {
        printer.line(format!("{} {}", printer.tone(Tone::Bad, "error:"), clean(&fault.to_string())));
    }
    if bad {
        return Err(Failure::user(format!("{} in `{}`", count(tree.faults.len(), "fault"), folder.display())));
    }
    let what = [count(policies, "policy"), count(lists, "IP list"), count(vhosts, "vhost")].join(", ");
    printer.line(format!("{} {what} in `{}`", printer.tone(Tone::Good, "ok"), folder.display()));
    Ok(0)
}
