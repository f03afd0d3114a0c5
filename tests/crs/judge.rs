//! Whether what was seen is what a test expects.

use crate::evidence::{Logs, Match};
use crate::format::{Input, Log, Output, Stage, Test};
use crate::wire::Answer;

/// A test passes if all of its stages do; the reason why not is the error.
pub fn test(test: &Test, answers: &[Answer], logs: &Logs) -> Result<(), String> {
    test.stages.iter().zip(answers).try_for_each(|(Stage { input, output }, answer)| stage(input, output, answer, logs))
}

pub fn stage(input: &Input, expected: &Output, answer: &Answer, logs: &Logs) -> Result<(), String> {
    // HAProxy could not read the request, and says so: what a test that expects a refusal asks for, and no other.
    let unreadable = matches!(answer.status, 0 | 400) && answer.header("x-request-id").is_none();
    if expected.expect_error {
        return if unreadable { Ok(()) } else { Err(format!("{} where an error is expected", answer.status)) };
    }
    if let Some(status) = expected.status
        && status != answer.status
    {
        return Err(format!("status {} where {status} is expected", answer.status));
    }
    if let Some(part) = &expected.response_contains
        && !String::from_utf8_lossy(&answer.body).contains(part.as_str())
    {
        return Err(format!("the answer does not contain `{part}`"));
    }
    if expected.log.is_empty() && !expected.isolated {
        return Ok(());
    }
    match logs.verdict(answer) {
        Ok(matches) => log(&expected.log, expected.isolated, &matches, &text(&matches, input)),
        Err(_) if unreadable && expected.status == Some(400) && expected.log.expect_ids.is_empty() => Ok(()),
        Err(why) => Err(why),
    }
}

fn log(expected: &Log, isolated: bool, matches: &[Match], text: &str) -> Result<(), String> {
    let matched: Vec<u32> = matches.iter().map(|m| m.id).collect();
    if let Some(id) = expected.expect_ids.iter().find(|id| !matched.contains(id)) {
        return Err(format!("rule {id} did not match; {matched:?} did"));
    }
    if let Some(id) = expected.no_expect_ids.iter().find(|id| matched.contains(id)) {
        return Err(format!("rule {id} matched"));
    }
    if isolated && let Some(id) = matched.iter().find(|id| !expected.expect_ids.contains(id)) {
        return Err(format!("rule {id} matched, too"));
    }
    let found = |pattern: &str| regex::Regex::new(pattern).unwrap_or_else(|e| panic!("{e}")).is_match(text);
    if let Some(pattern) = &expected.match_regex
        && !found(pattern)
    {
        return Err(format!("`{pattern}` is not in the log: {text}"));
    }
    if let Some(pattern) = &expected.no_match_regex
        && found(pattern)
    {
        return Err(format!("`{pattern}` is in the log: {text}"));
    }
    Ok(())
}

/// A line for each match as the engines write them, which is what the suite's expressions look into. HAProxy gives names of headers in lower
/// case; here they are written as the test has sent them.
fn text(matches: &[Match], input: &Input) -> String {
    let lines = matches.iter().map(|m| format!("{} [id \"{}\"] [msg {:?}] [data {:?}]\n", m.msg, m.id, m.msg, m.data));
    input.headers.keys().fold(lines.collect(), |text: String, name| {
        text.replace(&format!("REQUEST_HEADERS:{}:", name.to_lowercase()), &format!("REQUEST_HEADERS:{name}:"))
    })
}
