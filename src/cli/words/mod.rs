//! Plans, diffs and conflicts in words, for terminals and as Markdown. Readable without colour; what comes from a server or a tree is cleaned
//! before a terminal or a web page sees it.

pub mod diff;
pub mod markdown;
pub mod plan;
pub mod text;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::sample as sample_plan;
