//! What the commands that change a server's configuration have in common: staging a tree, asking, following what was committed, and stopping
//! without leaving something half done.

mod commit;
mod confirm;
mod faults;
mod follow;
mod interrupt;
mod stage;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use commit::{commit, conflict, waiting};
pub use confirm::{confirm, not_asked};
pub use faults::{failure_of, mapped, refused};
pub use follow::follow;
pub use interrupt::Interrupts;
pub use stage::{Staged, discard, stage};

use super::failure::Failure;
use super::tree::{self, Tree};
use super::words::text::count;

/// Reads and judges a folder; faults are the failure.
pub fn good_tree(folder: &Path) -> Result<Tree, Failure> {
    let mut tree = tree::read(folder).map_err(|error| Failure::user(error).hint("name the folder with the YAML files"))?;
    tree::check(&mut tree);
    if !tree.faults.is_empty() {
        return Err(failure_of(&format!("{} in `{}`", count(tree.faults.len(), "fault"), folder.display()), &tree.faults));
    }
    if tree.documents.is_empty() {
        return Err(Failure::user(format!("`{}` has no documents", folder.display()))
            .hint("`guard-proxy export` writes what a server has; docs/policies-as-code.md says what else may be there"));
    }
    Ok(tree)
}
