//! What a probe reads back: the header `x-gp-state`, which HAProxy puts on every answer to the probe socket and on no other.

use std::net::IpAddr;

/// The format of `x-gp-state`: these parts in this order, one blank between them, each of them empty where nothing is known.
///
/// | part | what |
/// | --- | --- |
/// | `<number>.<generation>` | vhost and the generation read from `live.map` (`off` for a disabled one); `.` for an unknown host |
/// | row | the whole row, which has no blanks |
/// | `waf` | `1` where the request was to be judged by guard-spoa |
/// | `acc` | what `access.map` says about the client: `deny`, `allow`, `trust`; empty without a profile |
/// | `action` | guard-spoa's verdict: `allow`, `deny`, `drop`, `redirect` |
/// | `status` | the status that the deciding rule asks for |
/// | `error` | HAProxy's: 1 timeout, 2 nobody to ask, 3 frame too big, 256 and above the agent's |
/// | `fault` | guard-spoa's own: why there is no verdict |
/// | `rules` | ids of rules that matched, `,` between them, in the order of matching; the first 57 |
/// | `score` | inbound anomaly score |
/// | `rev` | the structure digest of the worker that answered |
/// | `client` | the client's address, behind trusted proxies |
pub const PROBE_STATE_FORMAT: &str =
    "<number>.<generation> <row> waf=<1|> acc=<> action=<> status=<> error=<> fault=<> rules=<> score=<> rev=<> client=<>";

/// The header, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeState {
    pub number: Option<u32>,
    pub generation: String,
    pub row: String,
    pub waf: bool,
    pub acc: String,
    pub action: String,
    pub status: Option<u16>,
    pub error: Option<u32>,
    pub fault: String,
    pub rules: Vec<u32>,
    pub score: Option<i64>,
    pub rev: String,
    pub client: Option<IpAddr>,
}

impl ProbeState {
    /// `None` where the text is not of [`PROBE_STATE_FORMAT`].
    pub fn parse(text: &str) -> Option<Self> {
        let (place, mut rest) = text.split_once(' ')?;
        let (number, generation) = place.split_once('.')?;
        let mut part = |key: &str| -> Option<&str> {
            let (value, behind) = rest.split_once(key)?;
            rest = behind;
            Some(value)
        };
        // each value ends where the next key starts: values are other programs' words and may have blanks
        let row = part(" waf=")?;
        let waf = part(" acc=")?;
        let acc = part(" action=")?;
        let action = part(" status=")?;
        let status = part(" error=")?;
        let error = part(" fault=")?;
        let fault = part(" rules=")?;
        let rules = part(" score=")?;
        let score = part(" rev=")?;
        let rev = part(" client=")?;
        Some(Self {
            number: optional(number)?,
            generation: generation.to_owned(),
            row: row.to_owned(),
            waf: waf == "1",
            acc: acc.to_owned(),
            action: action.to_owned(),
            status: optional(status)?,
            error: optional(error)?,
            fault: fault.to_owned(),
            rules: rules.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok()).collect::<Option<_>>()?,
            score: optional(score)?,
            rev: rev.to_owned(),
            client: optional(rest)?,
        })
    }
}

/// Nothing, or a number; `None` for anything else.
fn optional<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}
