//! What the earlier links of a chain have left for the later ones.
//!
//! Coraza never empties `TX:0` to `TX:9`, `MATCHED_VAR` and `MATCHED_VAR_NAME`. Where a custom rule begins they still hold what a
//! rule of ours took from the transaction's id: whether the request is a probe, and the policy's mode. They are readable only where
//! the chain itself has filled them.

use super::allow;
use super::ast::{LinkKind, Rule};
use super::regex;

/// What a link may read of the links before it; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// A link before it has matched something.
    matched: bool,
    /// Captures that are filled, a bit for each.
    captures: u16,
}

impl Seen {
    /// Adds a link that matched.
    pub fn add(&mut self, link: &Rule) {
        let LinkKind::Match { operator, .. } = &link.kind else { return };
        self.matched = true;
        if !link.capture || operator.negated {
            return;
        }
        self.captures |= match operator.name {
            // as many as there are words found
            "pm" | "detectSQLi" => 1,
            "rx" => {
                let chars: Vec<_> = operator.argument.char_indices().collect();
                regex::measure(&chars).captures()
            }
            _ => 0,
        };
    }

    /// Whether a single variable is readable: all but those of a match, which needs one.
    pub fn single(self, name: &str) -> bool {
        self.matched || !name.to_ascii_uppercase().starts_with("MATCHED_VAR")
    }

    /// Whether `TX:key` is readable (`key` in lower case).
    pub fn tx(self, key: &str) -> bool {
        match key.as_bytes() {
            [digit @ b'0'..=b'9'] => self.captures & (1 << (digit - b'0')) != 0,
            _ => allow::is_own(key) || allow::SCORES.contains(&key),
        }
    }
}

/// What to do instead, for both.
pub(super) const TX_HINT: &str = "Readable are `TX:custom_*`, the scores of the Core Rule Set, and `TX:1` to `TX:8` (`TX:0`) behind a link of the \
     same chain with `capture` and as many `(…)` in its `@rx`";
