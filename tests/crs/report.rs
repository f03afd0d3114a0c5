//! What came of the run: by name and number, and whether it is good enough.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use crate::exceptions::Exception;
use crate::format::Output;

/// Passed of what was evaluated, in percent.
const WANTED: f64 = 99.5;

/// Names and what is to be said of them.
type Named = Vec<(String, String)>;

pub struct Report {
    version: String,
    /// Not chosen by the arguments.
    filtered: usize,
    exceptions: BTreeMap<String, Rc<Exception>>,
    passed: usize,
    explained: Named,
    failed: Named,
    /// Failures of the runner's own tests.
    pub runner: Named,
    /// Tests of the response phases: guard-spoa judges requests only.
    pub not_evaluated: Vec<String>,
}

impl Report {
    pub fn new(version: String, filtered: usize, exceptions: BTreeMap<String, Rc<Exception>>) -> Self {
        let (explained, failed, runner, not_evaluated) = Default::default();
        Self { version, filtered, exceptions, passed: 0, explained, failed, runner, not_evaluated }
    }

    /// Counts a test. `judged` judges it by what its exception says in the place of what it expects itself.
    pub fn add(&mut self, name: &str, result: Result<(), String>, judged: impl Fn(&Output) -> Result<(), String>) {
        let said = match (result, self.exceptions.remove(name)) {
            (Ok(()), None) => return self.passed += 1,
            (Ok(()), Some(_)) => "passes, and is in exceptions.yaml".to_owned(),
            (Err(seen), None) => seen,
            (Err(seen), Some(exception)) => match judged(&exception.instead) {
                Ok(()) => return self.explained.push((name.to_owned(), format!("{seen} ({})", exception.reason.trim()))),
                Err(other) => format!("{seen}; not what exceptions.yaml says: {other}"),
            },
        };
        self.failed.push((name.to_owned(), said));
    }

    /// Prints it; the last line is cargo's own form.
    pub fn print(mut self, took: Duration) -> ExitCode {
        let evaluated = self.passed + self.explained.len() + self.failed.len();
        let ratio = 100.0 * self.passed as f64 / evaluated.max(1) as f64;
        self.failed.append(&mut self.runner);
        if self.filtered == 0 {
            // What is left names no test that was run.
            let stale = std::mem::take(&mut self.exceptions).into_keys();
            self.failed.extend(stale.map(|name| (name, "is in exceptions.yaml, and was not evaluated".into())));
            if ratio < WANTED {
                self.failed.push(("ratio".into(), format!("{ratio:.3} % passed, {WANTED} % are wanted")));
            }
        }
        println!("\nCRS {}: regression tests through HAProxy and guard-spoa", self.version);
        println!("not evaluated: response phase ({}): {}", self.not_evaluated.len(), self.not_evaluated.join(" "));
        for (name, why) in &self.explained {
            println!("explained {name}: {why}");
        }
        for (name, why) in &self.failed {
            println!("FAILED {name}: {why}");
        }
        println!("{evaluated} evaluated: {} passed ({ratio:.2} %), {} explained", self.passed, self.explained.len());
        let word = if self.failed.is_empty() { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {word}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s",
            self.passed,
            self.failed.len(),
            self.explained.len() + self.not_evaluated.len(),
            self.filtered,
            took.as_secs_f64()
        );
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
