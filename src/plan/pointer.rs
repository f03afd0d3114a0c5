//! JSON pointers (RFC 6901).

/// `parent` and one part more, escaped.
pub(super) fn child(parent: &str, part: &str) -> String {
    let mut out = String::with_capacity(parent.len() + part.len() + 1);
    out.push_str(parent);
    out.push('/');
    for c in part.chars() {
        match c {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            c => out.push(c),
        }
    }
    out
}
