//! Operators' custom rules: one `SecRule` (with its chain) or one `SecAction`.
//!
//! A custom rule is code that runs inside guard-spoa, so its text is never copied into a
//! configuration. It is read by a lexer that follows Coraza's own line and quote rules,
//! checked against allow-lists ([`allow`]) while it becomes a small syntax tree
//! (`parser`), and written anew from that tree (`emit`). What is not on a list is refused:
//! nothing that opens a file, runs a program, resolves a name or steers other rules gets through
//! (handbook, data-plane 9.9: `@inspectFile /usr/bin/touch` once passed validation and ran).
//!
//! The lists are Coraza v3.8.1's. The engine stays the judge of what only it can know, above all
//! whether a regular expression compiles.
//!
//! The module is pure: no I/O, no clock, no configuration.

mod actions;
pub mod allow;
mod ast;
mod emit;
mod lexer;
mod macros;
mod namespace;
mod operators;
mod parser;
mod problem;
mod regex;
mod seen;
mod setvar;
mod targets;
mod values;
mod variables;

#[cfg(test)]
mod tests;

pub use ast::{CustomRule, Disruptive, LinkKind, Operator, Rule, Selector, Target, TargetMode};
pub use parser::parse_custom_rule;
pub use problem::{Problem, Span};

/// Smallest id of a custom rule (data-plane 2.2: 190000 to 199999 are the operators').
pub const FIRST_ID: u32 = 190_000;
/// Largest id of a custom rule.
pub const LAST_ID: u32 = 199_999;
/// Longest accepted text, in bytes. Escaping at most doubles it, so that every emitted line stays
/// far under the 64 KiB at which Coraza's line scanner gives up.
pub const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Longest chain, the first rule included.
pub const MAX_LINKS: usize = 10;
/// Longest value of `msg`, `logdata` and `tag`, in characters: they go into every event.
pub const MAX_VALUE_CHARS: usize = 512;
/// Longest target of a `redirect`, in characters.
pub const MAX_REDIRECT_CHARS: usize = 2048;
/// Problems reported at most; the rest would only be echoes.
pub const MAX_PROBLEMS: usize = 50;
/// Transformations in one link at most.
pub const MAX_TRANSFORMATIONS: usize = 8;
/// Transformations that make their input longer, in a whole chain at most: a later link may look at what an earlier one made.
pub const MAX_GROWING: usize = 2;
/// `tag`, `setvar` and `t` in one rule at most, each.
pub const MAX_REPEATED: usize = 32;
