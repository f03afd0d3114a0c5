//! `[log]`

use serde::{Deserialize, Serialize};

use super::{checked, section};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    Text,
    Json,
}

section! {
    /// Logs, on standard error.
    Log in "log" {
        /// What is logged: levels, for all or by module.
        filter: String = "info,sqlx=warn".to_owned(), "`error`, `warn`, `info`, `debug`, `trace`, or directives: `info,guard_proxy::reconcile=debug`";
        /// How lines look; `auto` is text on a terminal and JSON elsewhere.
        format: Format = Format::Auto, "`auto`, `text` or `json`";
    }
}

checked!(Log, |section, problems| {
    if let Err(error) = section.filter.parse::<tracing_subscriber::EnvFilter>() {
        problems.note(Self::KEY, "filter", format!("`{}`: {error}", section.filter));
    }
});
