//! Rows: all that HAProxy must know of a vhost to treat a request, in one value, so that one request sees one state (data-plane 9.11).

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::domain::vhost::OnWafUnavailable;
use crate::domain::{Mode, Policy, Revision, Vhost};

/// `<B|D|O><flags>|<bPL>.<dPL>.<in>.<out>.<B|D>|<rule set>|<access profile>|<revision>`
///
/// The first character is the mode: block, detect, off. Flags: `u` passes while no agent can be asked, `x` has an access profile. The
/// second field is what guard-spoa is told; `off` keeps it, so that switching on again changes one character. No access profile: `-`.
pub(super) fn row(vhost: &Vhost, policy: &Policy, ruleset: &str, profile: Option<&str>, revision: Revision) -> String {
    let mode = match policy.mode {
        Mode::Block => 'B',
        Mode::Detect => 'D',
        Mode::Off => 'O',
    };
    let mut row = String::with_capacity(64);
    row.push(mode);
    if vhost.on_waf_unavailable == OnWafUnavailable::Pass {
        row.push('u');
    }
    if profile.is_some() {
        row.push('x');
    }
    let (levels, thresholds) = (policy.paranoia, policy.thresholds);
    let engine = if policy.mode == Mode::Detect { 'D' } else { 'B' };
    let _ = write!(
        row,
        "|{}.{}.{}.{}.{engine}|{ruleset}|{}|{revision}",
        levels.blocking.get(),
        levels.detection.get(),
        thresholds.inbound.get(),
        thresholds.outbound.get(),
        profile.unwrap_or("-"),
    );
    row
}

/// Names a row by its content, in 1 to 10 decimal digits: the same row is the same generation whoever compiles it, and any change of the
/// row is a new key in `rows.map`, never a changed value.
pub(super) fn generation(row: &str) -> String {
    let digest = Sha256::digest(row.as_bytes());
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    (number % 10_000_000_000).to_string()
}
