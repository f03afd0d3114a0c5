//! Faults that a server tells by JSON pointers, at their places in the tree.

use crate::cli::client::Problem;
use crate::cli::failure::Failure;
use crate::cli::tree::{Document, Fault, split_root};
use crate::cli::words::text::{clean, one_line};
use crate::domain::FieldError;

/// A failure that lists faults, each on a line that editors and pipelines can follow.
pub fn failure_of(message: &str, faults: &[Fault]) -> Failure {
    let mut text = message.to_owned();
    for fault in faults {
        text.push_str(&format!("\n{}", clean(&fault.to_string())));
    }
    Failure::user(text)
}

/// The places of errors: `/objects/17/...` by the order in which documents were sent, `/policies/shop/...` by kind and name. What is about
/// nothing in the tree comes back as it was.
pub fn mapped(documents: &[Document], errors: &[FieldError]) -> (Vec<Fault>, Vec<FieldError>) {
    let (mut faults, mut others) = (Vec::new(), Vec::new());
    for error in errors {
        let Some((document, inside)) = find(documents, &error.pointer) else {
            others.push(error.clone());
            continue;
        };
        let inner = FieldError { pointer: inside.to_owned(), ..error.clone() };
        faults.push(Fault {
            spot: document.locate(&inner),
            pointer: error.pointer.clone(),
            code: error.code.clone(),
            detail: format!("{}: {}", document.path(), error.detail),
        });
    }
    faults.sort_by(|a, b| a.spot.cmp(&b.spot));
    (faults, others)
}

fn find<'a, 'e>(documents: &'a [Document], pointer: &'e str) -> Option<(&'a Document, &'e str)> {
    if let Some(rest) = pointer.strip_prefix("/objects/") {
        let (index, inside) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        return Some((documents.get(index.parse::<usize>().ok()?)?, inside));
    }
    let (kind, name, inside) = split_root(pointer)?;
    let document = documents.iter().find(|document| document.kind == kind && document.name.as_str() == name)?;
    Some((document, inside))
}

/// Lines for errors, at their places where those are known.
pub fn told(documents: &[Document], errors: &[FieldError]) -> Vec<String> {
    let (faults, others) = mapped(documents, errors);
    let faults = faults.iter().map(|fault| clean(&fault.to_string()));
    let other = |error: &FieldError| {
        let at = if error.pointer.is_empty() { String::new() } else { format!("{}: ", one_line(&error.pointer)) };
        format!("{at}{} [{}]", clean(&error.detail), one_line(&error.code))
    };
    faults.chain(others.iter().map(other)).collect()
}

/// What an engine or the server said no with.
pub fn refused(documents: &[Document], message: &str, said: &str, errors: &[FieldError]) -> Failure {
    let mut text = message.to_owned();
    for line in told(documents, errors) {
        text.push_str(&format!("\n{line}"));
    }
    for line in clean(said).lines().filter(|line| !line.trim().is_empty()) {
        text.push_str(&format!("\n  | {line}"));
    }
    Failure::user(text)
}

/// A problem with errors, at their places.
pub fn problem(documents: &[Document], problem: &Problem) -> Failure {
    let message = format!("{} [{}]", clean(&problem.detail), one_line(&problem.code));
    let failure = refused(documents, &message, problem.said.as_deref().unwrap_or_default(), &problem.errors);
    if problem.code == "prune_all" || problem.errors.iter().any(|error| error.code == "prune_all") {
        return failure.hint("a tree that names nothing of what the server has is more often the wrong folder than meant");
    }
    failure
}
