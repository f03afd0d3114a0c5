//! Tests of the suite that do not pass here, in `exceptions.yaml`: why, and what is seen in the place of what they expect.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;

use crate::format::Output;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    tests: Vec<String>,
    pub reason: String,
    /// In the suite's own words; the run fails if it is not what is seen.
    pub instead: Output,
}

/// All of them, by the tests' names.
pub fn load() -> BTreeMap<String, Rc<Exception>> {
    let list: Vec<Rc<Exception>> = serde_saphyr::from_str::<Vec<Exception>>(include_str!("exceptions.yaml"))
        .unwrap_or_else(|e| panic!("exceptions.yaml: {e}"))
        .into_iter()
        .map(Rc::new)
        .collect();
    let mut named = BTreeMap::new();
    for exception in &list {
        for name in &exception.tests {
            assert!(named.insert(name.clone(), exception.clone()).is_none(), "{name} is twice in exceptions.yaml");
        }
    }
    named
}
