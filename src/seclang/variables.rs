//! The variables of custom rules, and why the others are none. Names are Coraza v3.8.1's.

/// How a variable can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One value: no selector, no count, no exclusion.
    Single,
    /// Many values by name: `:name`, `:/regex/`, `&` and `!`.
    Collection,
    /// Only with one of [`XPATHS`].
    XPath,
}

/// A variable a custom rule may read.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    pub shape: Shape,
    /// Filled from the body, so empty in phase 1.
    pub body: bool,
}

const fn one(name: &'static str) -> Variable {
    Variable { name, shape: Shape::Single, body: false }
}

const fn one_of_body(name: &'static str) -> Variable {
    Variable { name, shape: Shape::Single, body: true }
}

const fn many(name: &'static str) -> Variable {
    Variable { name, shape: Shape::Collection, body: false }
}

const fn many_of_body(name: &'static str) -> Variable {
    Variable { name, shape: Shape::Collection, body: true }
}

/// The request-side variables Coraza fills.
pub const VARIABLES: &[Variable] = &[
    many("ARGS"),
    many("ARGS_GET"),
    many("ARGS_GET_NAMES"),
    many("ARGS_NAMES"),
    many("ARGS_PATH"),
    many_of_body("ARGS_POST"),
    many_of_body("ARGS_POST_NAMES"),
    one("ARGS_COMBINED_SIZE"),
    one("ARGUMENTS_LIMIT_REACHED"),
    many_of_body("FILES"),
    one_of_body("FILES_COMBINED_SIZE"),
    many_of_body("FILES_NAMES"),
    many_of_body("FILES_SIZES"),
    one("HIGHEST_SEVERITY"),
    one_of_body("INBOUND_DATA_ERROR"),
    one("MATCHED_VAR"),
    one("MATCHED_VAR_NAME"),
    many("MATCHED_VARS"),
    many("MATCHED_VARS_NAMES"),
    one_of_body("MULTIPART_DUPLICATE_PART_HEADER"),
    many_of_body("MULTIPART_FILENAME"),
    many_of_body("MULTIPART_FILENAME_CHARSET"),
    many_of_body("MULTIPART_FILENAME_LANGUAGE"),
    one_of_body("MULTIPART_INVALID_QUOTING"),
    many_of_body("MULTIPART_NAME"),
    many_of_body("MULTIPART_PART_HEADERS"),
    one_of_body("MULTIPART_STRICT_ERROR"),
    one("QUERY_STRING"),
    one("REMOTE_ADDR"),
    one("REMOTE_PORT"),
    one_of_body("REQBODY_ERROR"),
    one_of_body("REQBODY_ERROR_MSG"),
    one("REQBODY_PROCESSOR"),
    one_of_body("REQBODY_PROCESSOR_ERROR"),
    one_of_body("REQBODY_PROCESSOR_ERROR_MSG"),
    one("REQUEST_BASENAME"),
    one_of_body("REQUEST_BODY"),
    one_of_body("REQUEST_BODY_LENGTH"),
    many("REQUEST_COOKIES"),
    many("REQUEST_COOKIES_NAMES"),
    one("REQUEST_FILENAME"),
    many("REQUEST_HEADERS"),
    many("REQUEST_HEADERS_NAMES"),
    one("REQUEST_LINE"),
    one("REQUEST_METHOD"),
    one("REQUEST_PROTOCOL"),
    one("REQUEST_URI"),
    one("REQUEST_URI_RAW"),
    one("SERVER_ADDR"),
    one("SERVER_NAME"),
    one("SERVER_PORT"),
    one("TIME"),
    one("TIME_DAY"),
    one("TIME_EPOCH"),
    one("TIME_HOUR"),
    one("TIME_MIN"),
    one("TIME_MON"),
    one("TIME_SEC"),
    one("TIME_WDAY"),
    one("TIME_YEAR"),
    many("TX"),
    one("URI_PARSE_ERROR"),
    Variable { name: "XML", shape: Shape::XPath, body: true },
];

/// The two expressions Coraza's XML processor answers: attribute values, and text.
pub const XPATHS: &[&str] = &["//@*", "/*"];

/// Coraza keeps these names and never fills them (or, for two lengths, always says 0).
const EMPTY: &[&str] = &[
    "AUTH_TYPE",
    "DURATION",
    "FULL_REQUEST",
    "FULL_REQUEST_LENGTH",
    "GEO",
    "IP",
    "JSON",
    "MULTIPART_BOUNDARY_QUOTED",
    "MULTIPART_BOUNDARY_WHITESPACE",
    "MULTIPART_CRLF_LF_LINES",
    "MULTIPART_DATA_AFTER",
    "MULTIPART_DATA_BEFORE",
    "MULTIPART_FILE_LIMIT_EXCEEDED",
    "MULTIPART_HEADER_FOLDING",
    "MULTIPART_INVALID_HEADER_FOLDING",
    "MULTIPART_INVALID_PART",
    "MULTIPART_LF_LINE",
    "MULTIPART_MISSING_SEMICOLON",
    "MULTIPART_UNMATCHED_BOUNDARY",
    "PATH_INFO",
    "REMOTE_HOST",
    "SESSIONID",
    "URLENCODED_ERROR",
    "USERID",
];

/// The variable of that name, in any case.
pub fn variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|v| v.name.eq_ignore_ascii_case(name))
}

/// Why a variable Coraza knows is not for custom rules: `(code, reason)`.
pub fn refused_variable(name: &str) -> Option<(&'static str, &'static str)> {
    let name = name.to_ascii_uppercase();
    let response =
        ["OUTBOUND_DATA_ERROR", "STATUS_LINE"].contains(&name.as_str()) || name.starts_with("RESPONSE_") || name.starts_with("RES_BODY_");
    if response {
        return Some(("response-variable", "belongs to the response, which custom rules do not inspect"));
    }
    if EMPTY.contains(&name.as_str()) {
        return Some(("empty-variable", "is kept by Coraza for compatibility but never filled, so the rule could not work"));
    }
    match name.as_str() {
        "ENV" => Some(("refused-variable", "reads the environment of the agent's process")),
        "FILES_TMP_CONTENT" | "FILES_TMPNAMES" => {
            Some(("refused-variable", "names files on the agent's disk; uploads are inspected in memory"))
        }
        "UNIQUE_ID" => {
            Some(("refused-variable", "tells probes from requests and carries the policy's settings, not a part of the request"))
        }
        "REQUEST_XML" => Some(("refused-variable", "cannot be selected from; write `XML:/*` or `XML://@*`")),
        "RULE" | "UNKNOWN" => Some(("refused-variable", "is the engine's own bookkeeping, not part of the request")),
        _ => None,
    }
}
