//! `[database]`

use super::{Secret, checked, section};

section! {
    /// PostgreSQL: the one place where configuration lives.
    Database in "database" {
        /// Where the database is. Has a password as a rule: keep the file at mode 0600, or set it by the environment.
        url: Secret = Secret::default(), "a `postgres://` URL; a Unix socket as `postgres:///name?host=/run/postgresql&user=guard_proxy`";
        /// Connections kept at most.
        max_connections: u32 = 10, "2 to 200";
        /// Milliseconds to wait for a free connection before a request is answered 503.
        acquire_timeout_ms: u64 = 5000, "100 to 60000";
        /// Days after which the content of old revisions, ended change sets, plans and deployments is deleted. What is live, or what a change
        /// set that can still be committed begins from, stays; so do numbers, authors, messages and the audit log of all revisions.
        history_days: u32 = 0, "0 (keep everything) to 36500";
    }
}

checked!(Database, |section, problems| {
    let url = section.url.reveal();
    if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        problems.note(Self::KEY, "url", "it is not a `postgres://` URL");
    }
    if !(2..=200).contains(&section.max_connections) {
        problems.note(Self::KEY, "max_connections", format!("{} is out of range", section.max_connections));
    }
    if section.history_days > 36_500 {
        problems.note(Self::KEY, "history_days", format!("{} is out of range", section.history_days));
    }
    if !(100..=60_000).contains(&section.acquire_timeout_ms) {
        problems.note(Self::KEY, "acquire_timeout_ms", format!("{} is out of range", section.acquire_timeout_ms));
    }
});
