//! Every rule of the module, by table; then by hostile and by generated text.

mod accepted;
mod properties;
mod refused;

use super::{CustomRule, Problem, parse_custom_rule};

const ID: u32 = 190_001;

fn accept(text: &str) -> CustomRule {
    parse_custom_rule(ID, text).unwrap_or_else(|problems| panic!("{text}\nrefused: {problems:#?}"))
}

fn refuse(text: &str) -> Vec<Problem> {
    match parse_custom_rule(ID, text) {
        Ok(rule) => panic!("{text}\naccepted as: {}", rule.emit()),
        Err(problems) => problems,
    }
}

fn codes(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.code).collect()
}
