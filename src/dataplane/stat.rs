//! `show stat`: what a worker of HAProxy sees of servers, and what it has counted.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::TrafficCounts;

/// Characters of what a check says: some of them are the server's own.
const MOST_WORDS: usize = 200;

/// What HAProxy does with a server: `up` and `down` are by its last checks, `unchecked` has none and gets requests whatever it answers, `draining`
/// gets no new clients and `maintenance` nobody, as somebody told HAProxy at its socket, `unknown` is what this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    Up,
    Down,
    Unchecked,
    Draining,
    Maintenance,
    Unknown,
}

/// The last health check of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerCheck {
    /// HAProxy's words and, behind a colon, the server's; at most 200 characters.
    #[schema(max_length = 200, example = "Layer7 wrong status: Service Unavailable")]
    pub said: String,
    /// The status that was answered, 100 to 599; null where there was none.
    #[schema(required, minimum = 100, maximum = 599)]
    pub code: Option<u16>,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// A server of a vhost, as HAProxy's worker that takes connections sees it. Its counters begin at 0 in each worker: with each reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerStatus {
    pub name: String,
    /// Address and port; an IPv6 address in brackets.
    #[schema(example = "192.0.2.10:8080")]
    pub address: String,
    pub state: ServerState,
    /// Seconds since it has been in this state, or since the worker began.
    pub in_state_s: u64,
    /// Null where the vhost has no health check.
    #[schema(required)]
    pub check: Option<ServerCheck>,
    /// Requests that it is at work on.
    pub sessions: u64,
    /// Requests that were sent to it, or were to be.
    pub requests: u64,
    /// Of these, those for which no connection could be made.
    pub connect_errors: u64,
    /// And those whose answer broke off or could not be read.
    pub response_errors: u64,
}

/// Servers of a backend, in the order of the configuration; none where HAProxy has no such backend.
pub fn servers(said: &str) -> Vec<ServerStatus> {
    let mut found = Vec::new();
    each_row(said, |row| {
        // HAProxy has checked, or is about to.
        let checked = !row.text("check_status").is_empty();
        found.push(ServerStatus {
            name: row.text("svname").to_owned(),
            address: row.text("addr").to_owned(),
            state: state(row.text("status")),
            in_state_s: row.number("lastchg"),
            check: checked.then(|| ServerCheck {
                said: words(&row),
                code: row.text("check_code").parse().ok().filter(|code| (100..600).contains(code)),
                took_ms: row.number("check_duration"),
            }),
            sessions: row.number("scur"),
            requests: row.number("stot"),
            connect_errors: row.number("econ"),
            response_errors: row.number("eresp"),
        });
    });
    found
}

/// What a worker has counted of the backends of vhosts, by number.
pub fn backends(said: &str) -> HashMap<u32, TrafficCounts> {
    // HAProxy counts further than we do.
    #[expect(clippy::cast_possible_truncation, reason = "the counts wrap around")]
    let count = |row: &Row<'_, '_>, column| row.number(column) as u32;
    let mut found = HashMap::new();
    each_row(said, |row| {
        let vhost = row.text("pxname").strip_prefix("be_").and_then(|number| number.parse().ok());
        if let Some(vhost) = vhost {
            let counts =
                TrafficCounts { forwarded: count(&row, "req_tot"), server_errors: count(&row, "hrsp_5xx"), ..TrafficCounts::default() };
            found.insert(vhost, counts);
        }
    });
    found.retain(|_, counts| *counts != TrafficCounts::default());
    found
}

/// `UP 1/3` is up and about to go down; the way back is `DOWN 1/2`.
fn state(status: &str) -> ServerState {
    match status.split(' ').next().unwrap_or_default() {
        "UP" => ServerState::Up,
        "DOWN" => ServerState::Down,
        "no" => ServerState::Unchecked,
        "DRAIN" | "NOLB" => ServerState::Draining,
        "MAINT" => ServerState::Maintenance,
        _ => ServerState::Unknown,
    }
}

fn words(row: &Row<'_, '_>) -> String {
    let unquoted = |field: &str| field.strip_prefix('"').and_then(|field| field.strip_suffix('"')).unwrap_or(field).replace("\"\"", "\"");
    let (haproxy, server) = (unquoted(row.text("check_desc")), unquoted(row.text("last_chk")));
    let said = if server.is_empty() { haproxy } else { format!("{haproxy}: {server}") };
    said.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
}

struct Row<'a, 'text> {
    columns: &'a HashMap<&'text str, usize>,
    fields: Vec<&'text str>,
}

impl Row<'_, '_> {
    /// Empty where HAProxy has no such column.
    fn text(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.fields.get(*at).copied()).unwrap_or_default()
    }

    fn number(&self, column: &str) -> u64 {
        self.text(column).parse().unwrap_or(0)
    }
}

/// Goes by the names in the first line: each version of HAProxy has its own columns.
fn each_row<'text>(said: &'text str, mut hear: impl FnMut(Row<'_, 'text>)) {
    let mut lines = said.trim_start().lines();
    let Some(columns) = lines.next().and_then(|first| first.strip_prefix("# ")) else { return };
    let columns: HashMap<&str, usize> = columns.split(',').enumerate().map(|(at, name)| (name, at)).collect();
    for line in lines.filter(|line| !line.is_empty()) {
        let mut quoted = false;
        // A quote inside of quotes is doubled, and so out and in again.
        let comma = |c: char| {
            quoted ^= c == '"';
            c == ',' && !quoted
        };
        hear(Row { columns: &columns, fields: line.split(comma).collect() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 2.6.12: with a check, without one and after `set server`.
    const SERVERS: &str = include_str!("tests/show_stat_servers.csv");
    const BACKENDS: &str = include_str!("tests/show_stat_backends.csv");

    #[test]
    fn servers_of_2_6() {
        let found = servers(SERVERS);
        let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.address.as_str(), one.state, one.in_state_s)).collect();
        assert_eq!(
            told,
            [
                ("a", "127.0.0.1:28911", ServerState::Up, 29),
                ("b", "127.0.0.1:28912", ServerState::Down, 30),
                ("c", "127.0.0.1:28913", ServerState::Down, 30),
                ("x", "127.0.0.1:28911", ServerState::Maintenance, 26),
                ("y", "[::1]:28911", ServerState::Draining, 25),
            ]
        );
        let check = |said: &str, code, took_ms| Some(ServerCheck { said: said.to_owned(), code, took_ms });
        assert_eq!(found[0].check, check("Layer7 check passed", Some(200), 19));
        // The server's own words, with a quote and a comma.
        assert_eq!(found[1].check, check("Layer7 wrong status: Sick, \"very\"", Some(503), 16));
        assert_eq!(found[2].check, check("Layer4 connection problem: Connection refused", None, 0));
        assert_eq!((found[0].requests, found[4].check.clone()), (4, None));
    }

    #[test]
    fn backends_of_2_6() {
        let counts = |forwarded, server_errors| TrafficCounts { forwarded, server_errors, ..TrafficCounts::default() };
        // Of the last no server was up: HAProxy's own 503.
        assert_eq!(backends(BACKENDS), HashMap::from([(7, counts(4, 1)), (8, counts(2, 0)), (9, counts(2, 2))]));
        let wrapped = "# pxname,req_tot\nbe_1,4294967299\nbe_2,0\nbe_x,1\ncoraza-spoa,1\n";
        assert_eq!(backends(wrapped), HashMap::from([(1, counts(3, 0))]));
    }

    #[test]
    fn states_are_by_haproxys_first_word() {
        for (status, want) in [
            ("UP 1/3", ServerState::Up),
            ("DOWN 1/2", ServerState::Down),
            ("DOWN (agent)", ServerState::Down),
            ("no check", ServerState::Unchecked),
            ("NOLB", ServerState::Draining),
            ("DRAIN (agent)", ServerState::Draining),
            ("MAINT (via be_1/a)", ServerState::Maintenance),
            ("", ServerState::Unknown),
        ] {
            assert_eq!(state(status), want, "{status}");
        }
    }

    #[test]
    fn what_is_no_table_has_no_servers_and_what_is_said_is_bounded() {
        assert_eq!(servers("No such proxy.\n\n"), []);
        assert_eq!(servers(""), []);
        let long = format!("# svname,status,check_status,last_chk\na,UP,L7OK,\"\u{7}{}\"\n", "é".repeat(1000));
        assert_eq!(servers(&long)[0].check.as_ref().unwrap().said.chars().count(), MOST_WORDS);
    }
}
