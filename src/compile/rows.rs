//! Rows: all that HAProxy must know of a place to treat a request, in one value, so that one request sees one state (data-plane 9.11).

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::places::Place;
use crate::domain::path::{OnAmbiguousPath, OnPartial};
use crate::domain::vhost::{ClientIpHeader, OnWafUnavailable};
use crate::domain::{Mode, Revision, Vhost};

/// What all rows of a vhost have in common.
pub(super) struct Shared<'a> {
    pub vhost: &'a Vhost,
    /// The access profile.
    pub profile: Option<&'a str>,
    /// The profile of trusted proxies.
    pub proxies: Option<&'a str>,
    pub revision: Revision,
}

impl Shared<'_> {
    /// `<B|D|O><flags>|<bPL>.<dPL>.<in>.<out>.<B|D>|<rule set>|<access profile>|<most bytes>|<proxies>|<rate>.<seconds>|<revision>`
    ///
    /// The first character is the mode: block, detect, off. The second field is what guard-spoa is told; `off` keeps it, so that switching on
    /// again changes one character. What there is none of: `-`. Flags:
    ///
    /// | flag | what |
    /// | --- | --- |
    /// | `u` | passes while no agent can be asked |
    /// | `x` | has an access profile |
    /// | `m` | has more rows than one, or ambiguous paths are denied: paths are looked at |
    /// | `a` | ambiguous paths are denied |
    /// | `h` | uploads too large to inspect whole are judged by their beginning |
    /// | `w` | requests may become WebSocket connections |
    /// | `r` | has a rate limit |
    /// | `p` | has trusted proxies; a digit says which header is theirs |
    pub fn row(&self, place: &Place) -> String {
        let vhost = self.vhost;
        let treatment = &place.treatment;
        let mut row = String::with_capacity(96);
        row.push(match treatment.mode {
            Mode::Block => 'B',
            Mode::Detect => 'D',
            Mode::Off => 'O',
        });
        let denies_ambiguous = vhost.on_ambiguous_path == OnAmbiguousPath::Deny;
        let flags = [
            ('u', vhost.on_waf_unavailable == OnWafUnavailable::Pass),
            ('x', self.profile.is_some()),
            ('m', looks_at_paths(vhost)),
            ('a', denies_ambiguous),
            ('h', place.body.on_partial == OnPartial::InspectHead),
            ('w', place.websocket),
            ('r', vhost.rate_limit.is_some()),
            ('p', self.proxies.is_some()),
            (client_ip_flag(vhost.client_ip.header), self.proxies.is_some()),
        ];
        row.extend(flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag));
        let engine = if treatment.mode == Mode::Detect { 'D' } else { 'B' };
        let _ = write!(
            row,
            "|{}.{}.{}.{}.{engine}|{}|{}|{}|{}|",
            treatment.paranoia.blocking.get(),
            treatment.paranoia.detection.get(),
            treatment.thresholds.inbound.get(),
            treatment.thresholds.outbound.get(),
            treatment.ruleset,
            self.profile.unwrap_or("-"),
            place.body.max_bytes,
            self.proxies.unwrap_or("-"),
        );
        let _ = match vhost.rate_limit {
            Some(limit) => write!(row, "{}.{}|{}", limit.requests, limit.period.seconds(), self.revision),
            None => write!(row, "-|{}", self.revision),
        };
        row
    }
}

/// Whether HAProxy must ask if a path is ambiguous: others do not pay for it.
pub(super) fn looks_at_paths(vhost: &Vhost) -> bool {
    !vhost.paths.is_empty() || vhost.on_ambiguous_path == OnAmbiguousPath::Deny
}

/// The flag of a header; the template has a rule for each.
pub fn client_ip_flag(header: ClientIpHeader) -> char {
    match header {
        ClientIpHeader::XForwardedFor => '1',
        ClientIpHeader::XRealIp => '2',
        ClientIpHeader::CfConnectingIp => '3',
        ClientIpHeader::TrueClientIp => '4',
        ClientIpHeader::FastlyClientIp => '5',
    }
}

/// Names the rows of a vhost by their content, in 1 to 10 decimal digits: the same rows are the same generation whoever compiles them, and any change of one is a new
/// key in `rows.map`, never a changed value.
pub(super) fn generation<'r>(rows: impl Iterator<Item = (&'r str, &'r str)>) -> String {
    let mut text = String::new();
    for (key, row) in rows {
        let _ = writeln!(text, "{key} {row}");
    }
    let digest = Sha256::digest(text.as_bytes());
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    (number % 10_000_000_000).to_string()
}
