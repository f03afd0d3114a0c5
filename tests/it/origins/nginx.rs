//! An origin that reads paths as nginx does (`merge_slashes on`): `#` ends the path, escapes are decoded once, NUL and broken escapes are refused,
//! then slashes are merged and dots resolved, whichever of them were escaped. `;`, `\` and case are kept.

use super::{AboveRoot, Place, decoded, path, resolved};

pub fn place(target: &[u8]) -> Place {
    let path = path(target).split(|byte| *byte == b'#').next().unwrap_or_default();
    let path = decoded(path)?;
    if path.first() != Some(&b'/') || path.contains(&0) {
        return None;
    }
    resolved(&path, AboveRoot::Refused)
}

#[test]
fn reads_as_nginx() {
    let read = |target: &str| place(target.as_bytes()).map(|p| String::from_utf8_lossy(&p).into_owned());
    for (target, want) in [
        ("/api/../admin/x?q", "/admin/x"),
        ("/api/%2e%2e/admin/x", "/admin/x"),
        ("/api%2f..%2fadmin/x", "/admin/x"),
        ("/%61dmin//x", "/admin/x"),
        ("/x#/../admin", "/x"),
        ("/x%23/../admin", "/admin"),
        ("/x%3f/../admin", "/admin"),
        ("/admin;a=b/x", "/admin;a=b/x"),
        ("/api/..;/admin", "/api/..;/admin"),
        ("/api\\..\\admin", "/api\\..\\admin"),
        ("/ADMIN/x", "/ADMIN/x"),
        ("/api/%252e%252e/admin", "/api/%2e%2e/admin"),
        ("/api/..", "/"),
    ] {
        assert_eq!(read(target).as_deref(), Some(want), "{target}");
    }
    for refused in ["/../admin", "/a%00", "/a%", "/a%zz", "/%u0061", "*"] {
        assert_eq!(read(refused), None, "{refused}");
    }
}
