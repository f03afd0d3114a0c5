//! An origin that reads paths as a Java server does (Tomcat with `allowBackslash`): path parameters leave each segment, what is left is decoded,
//! `\` is a slash, slashes are merged and dots resolved. Controls, `#` and broken escapes are refused. Case is kept.

use super::{AboveRoot, Place, decoded, path, resolved};

/// What an escaped slash is, as `encodedSolidusHandling` says.
#[derive(Clone, Copy, PartialEq)]
pub enum Encoded {
    /// The request is refused.
    Refused,
    /// A slash; and an escaped `;` starts a parameter, for applications that look for parameters in the decoded path.
    Decoded,
}

fn without_parameters(path: &[u8]) -> Vec<u8> {
    let segments: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default()).collect();
    segments.join(&b'/')
}

pub fn place(target: &[u8], encoded: Encoded) -> Place {
    let raw = path(target);
    if raw.first() != Some(&b'/') || raw.contains(&b'#') {
        return None;
    }
    let raw = without_parameters(raw);
    if encoded == Encoded::Refused && raw.windows(3).any(|escape| escape.eq_ignore_ascii_case(b"%2f")) {
        return None;
    }
    let mut path = decoded(&raw)?;
    if path.iter().any(u8::is_ascii_control) {
        return None;
    }
    for byte in &mut path {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    if encoded == Encoded::Decoded {
        path = without_parameters(&path);
    }
    resolved(&path, AboveRoot::Refused)
}

#[test]
fn reads_as_a_java_server() {
    let read = |target: &str, encoded| place(target.as_bytes(), encoded).map(|p| String::from_utf8_lossy(&p).into_owned());
    for (target, want) in [
        ("/api/..;/admin/x?q", "/admin/x"),
        ("/api/..;a=b/admin/x", "/admin/x"),
        ("/;/admin;x=1/x", "/admin/x"),
        ("/admin;jsessionid=1", "/admin"),
        ("/api/.;/x", "/api/x"),
        ("/api/%2e%2e;/admin", "/admin"),
        ("/api\\..\\admin", "/admin"),
        ("/api/..%5cadmin", "/admin"),
        ("/%61dmin", "/admin"),
        ("/ADMIN", "/ADMIN"),
        ("/api/%252e%252e/admin", "/api/%2e%2e/admin"),
    ] {
        assert_eq!(read(target, Encoded::Refused).as_deref(), Some(want), "{target}");
        assert_eq!(read(target, Encoded::Decoded).as_deref(), Some(want), "{target}");
    }
    for refused in ["/..;/admin", "/a%00", "/a%09", "/a%", "/a#b", "/../a", "*"] {
        assert_eq!(read(refused, Encoded::Decoded), None, "{refused}");
    }
    assert_eq!(read("/api%2f..%2Fadmin", Encoded::Refused), None);
    assert_eq!(read("/api%2f..%2Fadmin", Encoded::Decoded).as_deref(), Some("/admin"));
    assert_eq!(read("/admin%3bx/y", Encoded::Refused).as_deref(), Some("/admin;x/y"));
    assert_eq!(read("/admin%3bx/y", Encoded::Decoded).as_deref(), Some("/admin/y"));
}
