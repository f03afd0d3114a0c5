//! The allow-lists, and for what is refused by name the reason. Names are Coraza v3.8.1's.

pub use super::variables::{Shape, VARIABLES, Variable, XPATHS, refused_variable, variable};

/// What stands behind the name of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    None,
    Regex,
    /// Words, one blank between.
    Words,
    /// Text in which `%{…}` is expanded.
    Text,
    /// A whole number or one `%{…}`.
    Number,
    /// Addresses and networks, commas between.
    Networks,
    /// Bytes and ranges of them, commas between.
    Bytes,
    /// A path with `{name}` parts.
    Path,
}

/// The operators a custom rule may use; Coraza's names are case-sensitive.
pub const OPERATORS: &[(&str, Argument)] = &[
    ("beginsWith", Argument::Text),
    ("contains", Argument::Text),
    ("detectSQLi", Argument::None),
    ("detectXSS", Argument::None),
    ("endsWith", Argument::Text),
    ("eq", Argument::Number),
    ("ge", Argument::Number),
    ("gt", Argument::Number),
    ("ipMatch", Argument::Networks),
    ("le", Argument::Number),
    ("lt", Argument::Number),
    ("noMatch", Argument::None),
    ("pm", Argument::Words),
    ("restpath", Argument::Path),
    ("rx", Argument::Regex),
    ("streq", Argument::Text),
    ("strmatch", Argument::Text),
    ("unconditionalMatch", Argument::None),
    ("validateByteRange", Argument::Bytes),
    ("validateUrlEncoding", Argument::None),
    ("validateUtf8Encoding", Argument::None),
    ("within", Argument::Text),
];

/// Why an operator is refused, if it is one of those that are refused by name.
pub fn refused_operator(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "inspectfile" => "runs a program on the agent's machine",
        "ipmatchf" | "ipmatchfromfile" | "pmf" | "pmfromfile" => {
            "opens a file on the agent's machine; use an IP list, or write the words out with `@pm`"
        }
        "ipmatchfromdataset" | "pmfromdataset" => "needs a `SecDataset`, which is not part of a custom rule; write the values out",
        "rbl" => "resolves a name for every request",
        "validateschema" => "opens a file on the agent's machine",
        "geolookup" => "always matches in Coraza, which has no geographical data",
        "validatenid" => "panics in Coraza 3.8.1 on a value without digits",
        "fuzzyhash" | "verifycc" | "verifyssn" | "verifycpf" | "verifysvnr" | "rsub" | "gsblookup" | "containsword" | "validatedtd"
        | "validatehash" | "rxglobal" => "does not exist in Coraza",
        _ => return None,
    })
}

/// Coraza's transformations.
pub const TRANSFORMATIONS: &[&str] = &[
    "base64Decode",
    "base64DecodeExt",
    "base64Encode",
    "cmdLine",
    "compressWhitespace",
    "cssDecode",
    "escapeSeqDecode",
    "hexDecode",
    "hexEncode",
    "htmlEntityDecode",
    "jsDecode",
    "length",
    "lowercase",
    "md5",
    "none",
    "normalisePath",
    "normalisePathWin",
    "normalizePath",
    "normalizePathWin",
    "removeComments",
    "removeCommentsChar",
    "removeNulls",
    "removeWhitespace",
    "replaceComments",
    "replaceNulls",
    "sha1",
    "trim",
    "trimLeft",
    "trimRight",
    "uppercase",
    "urlDecode",
    "urlDecodeUni",
    "urlEncode",
    "utf8toUnicode",
];

/// Those whose output can be several times as long as their input, again and again (`cssDecode`, `lowercase` and others may replace
/// a byte by three, but only once).
pub const GROWING: &[&str] = &["base64Encode", "hexEncode", "urlEncode", "utf8toUnicode"];

/// Actions of the first link.
pub const ACTIONS: &[&str] = &[
    "accuracy",
    "auditlog",
    "block",
    "capture",
    "chain",
    "deny",
    "drop",
    "id",
    "log",
    "logdata",
    "maturity",
    "msg",
    "multiMatch",
    "noauditlog",
    "nolog",
    "pass",
    "phase",
    "redirect",
    "rev",
    "setvar",
    "severity",
    "status",
    "t",
    "tag",
    "ver",
];

/// Actions of a chained rule. The engine ignores the others there or refuses them.
pub const CHAINED_ACTIONS: &[&str] = &["capture", "chain", "logdata", "msg", "multiMatch", "setvar", "t"];

/// Why an action is refused, if it is one of those that are refused by name (in lower case).
pub fn refused_action(name: &str) -> Option<&'static str> {
    Some(match name {
        "ctl" => "steers the engine and other rules; use an exclusion of the policy",
        "allow" => "would end the inspection for the request; use an exclusion or a trusted IP list",
        "skip" | "skipafter" => "would jump over other rules, also over the Core Rule Set's",
        "setenv" => "writes the environment of the agent's process",
        "exec" => "runs a program",
        "proxy"
        | "pause"
        | "append"
        | "prepend"
        | "setsid"
        | "setuid"
        | "setrsc"
        | "xmlns"
        | "sanitisearg"
        | "sanitisematched"
        | "sanitisematchedbytes"
        | "sanitiserequestheader"
        | "sanitiseresponseheader" => "does not exist in Coraza",
        "initcol" | "expirevar" | "deprecatevar" => {
            "needs collections that outlive a request, which Coraza does not have; use a rate limit"
        }
        _ => return None,
    })
}

/// Statuses a custom rule may deny with: those HAProxy renders a page for.
pub const DENY_STATUSES: &[u16] = &[400, 401, 403, 404, 405, 410, 413, 429, 500, 503];

/// Index is the number.
pub const SEVERITIES: &[&str] = &["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

/// Scores of the Core Rule Set that a custom rule may add to (without `tx.`).
pub const SCORES: &[&str] = &[
    "http_violation_score",
    "inbound_anomaly_score_pl1",
    "inbound_anomaly_score_pl2",
    "inbound_anomaly_score_pl3",
    "inbound_anomaly_score_pl4",
    "lfi_score",
    "php_injection_score",
    "rce_score",
    "rfi_score",
    "session_fixation_score",
    "sql_injection_score",
    "xss_score",
];

/// What the Core Rule Set counts a match with; readable in `setvar`.
pub const SCORE_STEPS: &[&str] = &["critical_anomaly_score", "error_anomaly_score", "notice_anomaly_score", "warning_anomaly_score"];

/// What operators' own variables in `TX` begin with.
pub const OWN_PREFIX: &str = "custom_";

/// Whether `name` (lower case, without `tx.`) is a variable of the operators' own: the prefix and
/// 1 to 48 of `[a-z0-9_]`.
pub fn is_own(name: &str) -> bool {
    name.strip_prefix(OWN_PREFIX).is_some_and(|rest| {
        (1..=48).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// Directives of the engine, in lower case; refused by name.
pub const DIRECTIVES: &[&str] = &[
    "include",
    "secargumentseparator",
    "secargumentslimit",
    "secauditengine",
    "secauditlog",
    "seccomponentsignature",
    "secdataset",
    "secdebuglog",
    "secdefaultaction",
    "secmarker",
    "secrequestbodyaccess",
    "secrequestbodylimit",
    "secresponsebodyaccess",
    "secruleengine",
    "secruleremovebyid",
    "secruleremovebymsg",
    "secruleremovebytag",
    "secrulescript",
    "secruleupdateactionbyid",
    "secruleupdatetargetbyid",
    "secruleupdatetargetbymsg",
    "secruleupdatetargetbytag",
    "secrxprefilter",
    "secunicodemap",
    "secuploaddir",
];
