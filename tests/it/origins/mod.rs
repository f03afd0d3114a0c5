//! Origins that do not trust what they are sent. `server` is of raw sockets: it keeps every byte, reads it strictly and says what each kind of
//! origin would take the path for. `nginx`, `java` and `windows` are those kinds.

pub mod java;
pub mod nginx;
pub mod server;
pub mod strict;
pub mod windows;

/// The place in an origin's tree that a request's target leads to: `/` and segments. None: the origin refuses it.
pub type Place = Option<Vec<u8>>;

/// What each kind of origin makes of a target.
pub fn readings(target: &[u8]) -> [(&'static str, Place); 5] {
    [
        ("nginx", nginx::place(target)),
        ("java", java::place(target, java::Encoded::Refused)),
        ("java, encoded slashes", java::place(target, java::Encoded::Decoded)),
        ("windows", windows::place(target, 1)),
        ("windows, decoded twice", windows::place(target, 2)),
    ]
}

/// A target without its query.
fn path(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

/// The escape at the start of `rest` (behind its `%`).
fn escaped(rest: &[u8]) -> Option<u8> {
    Some(hex(rest.first())? << 4 | hex(rest.get(1))?)
}

/// Decodes once; None where an escape is broken.
fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        if *byte == b'%' {
            out.push(escaped(&path[at + 1..])?);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    Some(out)
}

enum AboveRoot {
    Refused,
    Root,
}

/// Resolves empty segments, `.` and `..`. What ends in one of them, or in a slash, is a folder.
fn resolved(path: &[u8], above: AboveRoot) -> Place {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut folder = false;
    for segment in path.split(|byte| *byte == b'/') {
        folder = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                if segments.pop().is_none() && matches!(above, AboveRoot::Refused) {
                    return None;
                }
            }
            name => segments.push(name),
        }
    }
    let mut place = Vec::with_capacity(path.len());
    for segment in &segments {
        place.push(b'/');
        place.extend_from_slice(segment);
    }
    if folder || place.is_empty() {
        place.push(b'/');
    }
    Some(place)
}

#[test]
fn segments_are_resolved() {
    let place = |path: &str| resolved(path.as_bytes(), AboveRoot::Refused).map(|p| String::from_utf8(p).expect("text"));
    assert_eq!(place("/a/../b").as_deref(), Some("/b"));
    assert_eq!(place("//a///b/./c/").as_deref(), Some("/a/b/c/"));
    assert_eq!(place("/a/b/..").as_deref(), Some("/a/"));
    assert_eq!(place("/a/.").as_deref(), Some("/a/"));
    assert_eq!(place("/").as_deref(), Some("/"));
    assert_eq!(place("/a/../..").as_deref(), None);
    assert_eq!(resolved(b"/../a", AboveRoot::Root).as_deref(), Some(&b"/a"[..]));
}

#[test]
fn escapes_are_decoded_once() {
    assert_eq!(decoded(b"/%61%2Fb%252e").as_deref(), Some(&b"/a/b%2e"[..]));
    assert_eq!(decoded(b"/%e9").as_deref(), Some(&b"/\xe9"[..]));
    for broken in [&b"/%"[..], b"/%4", b"/%4g", b"/%u0061"] {
        assert_eq!(decoded(broken), None);
    }
}
