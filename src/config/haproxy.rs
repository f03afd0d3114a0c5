//! `[haproxy]`

use std::path::PathBuf;

use super::{checked, section};

section! {
    /// HAProxy.
    Haproxy in "haproxy" {
        /// The program, 2.6 or 2.8 (not 2.8.21 to 2.8.25), for judging (`haproxy -c`). The serving one, which has to be the same, is systemd's to start, never ours.
        program: PathBuf = PathBuf::from("/usr/sbin/haproxy"), "an absolute path";
        /// Connections at most. Each costs up to twice `node.inspected_bytes` while a body is inspected. Where it is not set: as many as a
        /// quarter of the memory and the limit of open files are enough for, 20000 at most.
        maxconn: Option<u32> = None, "100 to 1000000";
        /// Connections that a client may have open, and requests that it may have going on at once. For `node.proxies` only the
        /// second is counted, for each client behind them.
        connections_per_client: u32 = 1000, "1 to 1000000";
        /// Milliseconds until a client that sends nothing is left.
        client_timeout_ms: u32 = 35_000, "1000 to 3600000";
        /// Milliseconds that a request's headers may take.
        request_timeout_ms: u32 = 5000, "100 to 600000";
        /// Milliseconds until a WebSocket connection on which nothing is sent is closed.
        tunnel_timeout_ms: u32 = 3_600_000, "1000 to 86400000";
        /// Seconds that old workers may go on serving their connections after a reload.
        hard_stop_after_s: u32 = 1800, "1 to 86400";
    }
}

checked!(Haproxy, |section, problems| {
    if !section.program.is_absolute() {
        problems.note(Self::KEY, "program", "the path is relative");
    }
    if let Some(maxconn) = section.maxconn.filter(|maxconn| !(100..=1_000_000).contains(maxconn)) {
        problems.note(Self::KEY, "maxconn", format!("{maxconn} is out of range"));
    }
    for (field, value, allowed) in [
        ("connections_per_client", section.connections_per_client, 1..=1_000_000),
        ("tunnel_timeout_ms", section.tunnel_timeout_ms, 1000..=86_400_000),
        ("client_timeout_ms", section.client_timeout_ms, 1000..=3_600_000),
        ("request_timeout_ms", section.request_timeout_ms, 100..=600_000),
        ("hard_stop_after_s", section.hard_stop_after_s, 1..=86_400),
    ] {
        if !allowed.contains(&value) {
            problems.note(Self::KEY, field, format!("{value} is out of range"));
        }
    }
});

/// Connections that a quarter of the memory is enough for, each with two buffers and what HAProxy keeps beside them, and the open files
/// that a process may have, two for each.
pub fn maxconn_of(memory_bytes: u64, open_files: u64, inspected_bytes: u32) -> u32 {
    const BESIDES: u64 = 32 << 10;
    const OTHER_FILES: u64 = 500;
    let of_memory = (memory_bytes / 4 / (2 * u64::from(inspected_bytes) + BESIDES)).clamp(1000, 20_000);
    let of_files = (open_files.saturating_sub(OTHER_FILES) / 2).max(100);
    u32::try_from(of_memory.min(of_files)).unwrap_or(u32::MAX)
}

/// Bytes of memory of this host, or of the control group that we are in; None where nobody says.
pub fn memory_bytes() -> Option<u64> {
    let limit = fs_err::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let host = fs_err::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    });
    [limit, host].into_iter().flatten().min()
}

/// Files that a process may have open, as far as it may raise its limit; HAProxy's own may be another where systemd says so.
pub fn open_files() -> Option<u64> {
    let limits = fs_err::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_memory_and_open_files_within_bounds() {
        let many = 1 << 20;
        assert_eq!(maxconn_of(1 << 30, many, 131_072), 1000);
        assert_eq!(maxconn_of(8 << 30, many, 131_072), 7281);
        assert_eq!(maxconn_of(512 << 30, many, 131_072), 20_000);
        assert_eq!(maxconn_of(512 << 30, 20_000, 131_072), 9750);
        assert!(memory_bytes().is_some_and(|bytes| bytes > 64 << 20));
        assert!(open_files().is_some_and(|files| files >= 256));
    }
}
