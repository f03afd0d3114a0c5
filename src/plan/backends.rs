//! The backends of `haproxy.cfg`, by vhost: a bundle has them as text alone.

use std::collections::BTreeMap;

use crate::domain::Name;
use crate::render::Bundle;

/// What only a reload brings.
#[derive(Default)]
pub(super) struct Structure<'b> {
    /// The text of each backend.
    pub backends: BTreeMap<&'b str, &'b [u8]>,
    /// `haproxy.cfg` without backends of vhosts, and without the lines that say the structure's digest.
    pub rest: Vec<&'b [u8]>,
}

/// As `backends.cfg.j2` begins a backend, and says whose it is.
const BACKEND: &[u8] = b"backend be_";
const VHOST: &[u8] = b"    # vhost ";

impl<'b> Structure<'b> {
    pub fn of(bundle: &'b Bundle) -> Self {
        let mut out = Self::default();
        let Some(file) = bundle.files.get("haproxy.cfg") else { return out };
        let digest = bundle.structure.as_bytes();
        let (mut at, mut start, mut vhost) = (0, None, None);
        for line in file.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(BACKEND) {
                out.backend(vhost.take(), start.map(|start| &file[start..at]));
                start = Some(at);
            } else if start.is_none() {
                if !line.windows(digest.len().max(1)).any(|part| part == digest) {
                    out.rest.push(line);
                }
            } else if let Some(name) = line.strip_prefix(VHOST) {
                vhost = std::str::from_utf8(name).ok().map(str::trim_end);
            }
            at += line.len();
        }
        out.backend(vhost, start.map(|start| &file[start..]));
        out
    }

    fn backend(&mut self, vhost: Option<&'b str>, text: Option<&'b [u8]>) {
        if let (Some(vhost), Some(text)) = (vhost, text) {
            self.backends.insert(vhost, text);
        }
    }
}

/// Vhosts whose backends come, change and go.
#[derive(Default)]
pub(super) struct Backends {
    pub new: Vec<Name>,
    pub changed: Vec<Name>,
    pub gone: Vec<Name>,
    /// `haproxy.cfg` differs outside of them.
    pub rest: bool,
}

impl Backends {
    pub fn between(before: &Bundle, after: &Bundle) -> Self {
        let mut out = Self::default();
        // the same structure is the same backends, and most changes leave it
        if before.structure == after.structure {
            return out;
        }
        let (old, new) = (Structure::of(before), Structure::of(after));
        out.rest = old.rest != new.rest;
        for (vhost, old, new) in super::merged(&old.backends, &new.backends) {
            let names = match (old, new) {
                (None, _) => &mut out.new,
                (_, None) => &mut out.gone,
                (old, new) if old != new => &mut out.changed,
                _ => continue,
            };
            names.extend(Name::parse(vhost).ok());
        }
        out
    }
}
