//! An origin that is blind to case and generous, as servers on Windows are or were: `%uXXXX` is an escape, broken escapes are text, overlong and
//! fullwidth UTF-8 is what it looks like, `\` is a slash, a segment ends at NUL or at the name of an NTFS stream, its trailing dots and spaces
//! are not there, `NAME~1` is the short name of a folder, and above the root is the root.

use super::{AboveRoot, Place, escaped, hex, path, resolved};

/// The folders that a short name may stand for.
const FOLDERS: [&str; 2] = ["admin", "api"];

/// Decodes `times` times.
pub fn place(target: &[u8], times: usize) -> Place {
    let mut text = path(target).to_vec();
    if text.first() != Some(&b'/') {
        return None;
    }
    for _ in 0..times {
        text = decoded(&text);
    }
    let text: Vec<u8> = folded(&text).iter().map(|byte| if *byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() }).collect();
    let segments: Vec<Vec<u8>> = text.split(|byte| *byte == b'/').map(opened).collect();
    resolved(&segments.join(&b'/'), AboveRoot::Root)
}

/// Decodes once; what is no escape stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = &text[at + 1..];
        match (byte, escaped(rest)) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
            }
            (b'%', None) if rest.first().is_some_and(|u| *u | 0x20 == b'u') && (1..5).all(|digit| hex(rest.get(digit)).is_some()) => {
                let code = rest[1..5].iter().fold(0, |code, digit| code << 4 | u32::from(hex(Some(digit)).unwrap_or_default()));
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// UTF-8 as a careless decoder reads it, and characters as the "best fit" tables of code pages have them.
fn folded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(lead) = text.get(at) {
        let (length, bits) = match lead {
            0xc0..=0xdf => (2, lead & 0x1f),
            0xe0..=0xef => (3, lead & 0x0f),
            0xf0..=0xf7 => (4, lead & 0x07),
            _ => (1, *lead),
        };
        let sequence = text.get(at..at + length).filter(|s| s[1..].iter().all(|byte| byte & 0xc0 == 0x80)).unwrap_or(&text[at..=at]);
        let code = sequence[1..].iter().fold(u32::from(bits), |code, byte| code << 6 | u32::from(byte & 0x3f));
        match code {
            _ if sequence.len() == 1 => out.push(*lead),
            0..=0x7f => out.push(code as u8),
            0xff01..=0xff5e => out.push((code - 0xff01 + 0x21) as u8),
            // Division slash, fraction slash; set minus; one dot leader.
            0x2044 | 0x2215 => out.push(b'/'),
            0x2216 => out.push(b'\\'),
            0x2024 => out.push(b'.'),
            // In another case these are ASCII: dotted and dotless i, the long s, Kelvin.
            0x130 | 0x131 => out.push(b'i'),
            0x17f => out.push(b's'),
            0x212a => out.push(b'k'),
            _ => out.extend_from_slice(sequence),
        }
        at += sequence.len();
    }
    out
}

/// What opening a segment opens.
fn opened(segment: &[u8]) -> Vec<u8> {
    let name = segment.split(|byte| *byte == 0).next().unwrap_or_default();
    let stream = name.windows(2).position(|two| two == b"::" || two == b":$");
    let name = name[..stream.unwrap_or(name.len())].trim_ascii_end();
    if matches!(name, b"." | b"..") {
        return name.to_vec();
    }
    let end = name.iter().rposition(|byte| *byte != b'.' && !byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
    let name = &name[..end];
    let short = name.split(|byte| *byte == b'~').collect::<Vec<_>>();
    if let [start, number] = short[..]
        && number.iter().all(u8::is_ascii_digit)
        && let Some(folder) = FOLDERS.iter().find(|folder| !start.is_empty() && folder.as_bytes().starts_with(start))
    {
        return folder.as_bytes().to_vec();
    }
    name.to_vec()
}

#[test]
fn reads_as_windows() {
    let read = |target: &str, times| place(target.as_bytes(), times).map(|p| String::from_utf8_lossy(&p).into_owned());
    for (target, want) in [
        ("/ADMIN/X?q", "/admin/x"),
        ("/api\\..\\Admin/x", "/admin/x"),
        ("/api/..%5cadmin", "/admin"),
        ("/admin./x", "/admin/x"),
        ("/admin%20/x", "/admin/x"),
        ("/admin.%20./x", "/admin/x"),
        ("/api/..%20/admin", "/admin"),
        ("/admin%00.html/x", "/admin/x"),
        ("/admin~1/x", "/admin/x"),
        ("/ADM~12/x", "/admin/x"),
        ("/me~1/x", "/me~1/x"),
        ("/api/%c0%ae%c0%ae/admin", "/admin"),
        ("/api/%e0%80%ae%e0%80%ae%c0%afadmin", "/admin"),
        ("/api/%ef%bc%8e%ef%bc%8e/admin", "/admin"),
        ("/%uff41dmin/x", "/admin/x"),
        ("/%u0061dmin/x", "/admin/x"),
        ("/api%u2215..%u2216admin", "/admin"),
        ("/admin::$INDEX_ALLOCATION/x", "/admin/x"),
        ("/admin:$i30:$INDEX_ALLOCATION/x", "/admin/x"),
        ("/x@y:z/a", "/x@y:z/a"),
        ("/a%/b%4/c%zz", "/a%/b%4/c%zz"),
        ("/../../admin", "/admin"),
        ("/ADM%C4%B0N/adm%c4%b1n", "/admin/admin"),
        ("/caf%C3%A9/..", "/"),
        ("/api/..;/admin", "/api/..;/admin"),
    ] {
        assert_eq!(read(target, 1).as_deref(), Some(want), "{target}");
    }
    assert_eq!(read("/caf%C3%A9", 1).as_deref(), Some("/café"));
    assert_eq!(read("/api/%252e%252e/admin", 1).as_deref(), Some("/api/%2e%2e/admin"));
    assert_eq!(read("/api/%252e%252e/admin", 2).as_deref(), Some("/admin"));
    assert_eq!(read("*", 1), None);
}
