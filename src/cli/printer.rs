//! The one place that writes to the terminal. Readable without colour; `NO_COLOR` is honoured; a reader that left is not an error.

use std::io::{self, IsTerminal as _, Write as _};

use super::failure::Failure;

/// See the module. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    colour_out: bool,
    colour_err: bool,
}

/// What colours mean here.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    Good,
    Warning,
    Bad,
    Strong,
    Faint,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }
}

impl Printer {
    pub fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour_out: wanted && io::stdout().is_terminal(), colour_err: wanted && io::stderr().is_terminal() }
    }

    /// Without colour, wherever it goes.
    pub fn plain() -> Self {
        Self { colour_out: false, colour_err: false }
    }

    fn paint(on: bool, tone: Tone, text: &str) -> String {
        if on { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
    }

    /// Colours a word that goes to standard output.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        Self::paint(self.colour_out, tone, text)
    }

    /// What was asked for: a line on standard output.
    pub fn line(&self, text: impl AsRef<str>) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
    }

    /// What happens meanwhile: a line on standard error.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    /// A step that ended, with the time it took.
    pub fn step(&self, text: &str, took: std::time::Duration) {
        let mark = Self::paint(self.colour_err, Tone::Good, "✓");
        let took = Self::paint(self.colour_err, Tone::Faint, &format!("{:.2} s", took.as_secs_f64()));
        self.note(format!("  {mark} {text} {took}"));
    }

    /// A step that failed, with what was said of it.
    pub fn step_failed(&self, text: &str, said: &str) {
        self.note(format!("  {} {text}", Self::paint(self.colour_err, Tone::Bad, "✗")));
        for line in said.lines() {
            self.note(format!("    | {line}"));
        }
    }

    /// A question; the answer is for the caller to read.
    pub fn ask(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "{} ", Self::paint(self.colour_err, Tone::Strong, text)).and_then(|()| err.flush());
    }

    pub fn warn(&self, text: &str) {
        self.note(format!("{} {text}", Self::paint(self.colour_err, Tone::Warning, "warning:")));
    }

    pub fn failure(&self, failure: &Failure) {
        let error = Self::paint(self.colour_err, Tone::Bad, "error:");
        match failure {
            Failure::User { message, hints } | Failure::Waits { message, hints } => {
                let waits = matches!(failure, Failure::Waits { .. });
                let label = if waits { Self::paint(self.colour_err, Tone::Warning, "waiting:") } else { error };
                self.note(format!("{label} {message}"));
                for hint in hints {
                    self.note(format!("{} {hint}", Self::paint(self.colour_err, Tone::Strong, "hint:")));
                }
            }
            Failure::Interrupted(message) => {
                self.note(format!("{} {message}", Self::paint(self.colour_err, Tone::Warning, "interrupted:")))
            }
            Failure::Internal(chain) => {
                self.note(format!("{error} {chain:#}"));
                self.note(format!(
                    "{} this is an error of Guard Proxy, or of the machine: `guard-proxy doctor` may tell more",
                    Self::paint(self.colour_err, Tone::Strong, "hint:")
                ));
            }
        }
    }
}
