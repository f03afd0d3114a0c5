//! `[haproxy]`

use std::path::PathBuf;

use super::{checked, section};

section! {
    /// HAProxy.
    Haproxy in "haproxy" {
        /// The program, for judging configurations (`haproxy -c`). The serving one is started by systemd, never by us.
        program: PathBuf = PathBuf::from("/usr/sbin/haproxy"), "an absolute path";
        /// Connections at most. Each costs up to twice `node.inspected_bytes` while a body is inspected.
        maxconn: u32 = 4000, "100 to 1000000";
        /// Milliseconds until a client that sends nothing is left.
        client_timeout_ms: u32 = 35_000, "1000 to 3600000";
        /// Milliseconds that a request's headers may take.
        request_timeout_ms: u32 = 5000, "100 to 600000";
        /// Seconds that old workers may go on serving their connections after a reload.
        hard_stop_after_s: u32 = 1800, "1 to 86400";
    }
}

checked!(Haproxy, |section, problems| {
    if !section.program.is_absolute() {
        problems.note(Self::KEY, "program", "the path is relative");
    }
    for (field, value, allowed) in [
        ("maxconn", section.maxconn, 100..=1_000_000),
        ("client_timeout_ms", section.client_timeout_ms, 1000..=3_600_000),
        ("request_timeout_ms", section.request_timeout_ms, 100..=600_000),
        ("hard_stop_after_s", section.hard_stop_after_s, 1..=86_400),
    ] {
        if !allowed.contains(&value) {
            problems.note(Self::KEY, field, format!("{value} is out of range"));
        }
    }
});
