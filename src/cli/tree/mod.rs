//! Policies as code: a folder of YAML <-> the objects of the API.
//!
//! - [`read`]: folder -> documents; [`yaml`] is the strict reader under it, [`entries`] reads files of networks.
//! - [`check`]: what can be judged without a server.
//! - [`emit`], [`write`]: objects -> folder, canonical to the byte.
//! - [`document`]: where in which file something is, for faults that come with JSON pointers.

pub mod check;
pub mod document;
pub mod emit;
pub mod entries;
pub mod fault;
mod ordered;
pub mod read;
mod schema;
pub mod write;
pub mod yaml;

pub use check::check;
pub use document::{Document, Spot};
pub use fault::{Fault, FaultJson};
pub use read::{Tree, read, split_root};

#[cfg(test)]
mod tests;
