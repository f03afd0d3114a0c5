//! What is wrong with a tree, and what is to be known of it, each with its place.

use serde::Serialize;

use super::document::Spot;

/// One fault or note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub spot: Spot,
    pub pointer: String,
    pub code: String,
    pub detail: String,
}

impl Fault {
    pub fn new(spot: Spot, code: &str, detail: impl Into<String>) -> Self {
        Self { spot, pointer: String::new(), code: code.to_owned(), detail: detail.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} [{}]", self.spot, self.detail, self.code)
    }
}

/// As `validate --json` tells it.
#[derive(Debug, Serialize)]
pub struct FaultJson<'a> {
    pub file: &'a str,
    pub line: u32,
    pub column: u32,
    pub pointer: &'a str,
    pub code: &'a str,
    pub detail: &'a str,
}

impl<'a> From<&'a Fault> for FaultJson<'a> {
    fn from(fault: &'a Fault) -> Self {
        let Fault { spot, pointer, code, detail } = fault;
        Self { file: &spot.path, line: spot.place.line, column: spot.place.column, pointer, code, detail }
    }
}
