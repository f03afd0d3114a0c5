//! HAProxy's maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::Vhost;
use crate::domain::path::folded;

/// A map of HAProxy: sorted by key, each key once.
pub type Map = Vec<(String, String)>;

/// The maps, by their roles; file names are `MapName::file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MapName {
    /// host -> vhost number
    Hosts,
    /// host behind a wildcard's label -> vhost number
    Wildcards,
    /// vhost number -> generation, or `off`: the only entry whose change means anything for a vhost's row
    Live,
    /// `<number>.<generation><path>/` -> row, by the longest prefix; `<number>.<generation>!` -> the row for ambiguous paths;
    /// `<number>.<generation>^<folded path>/` -> the row that another case or spelling would find
    Rows,
    /// `<profile>|<family><hex>` -> `deny`, `allow` or `trust`; `<profile>|` -> what holds for everybody else. `p<hex>|<family><hex>` ->
    /// `proxy`, for the trusted proxies of a vhost
    Access,
    /// redirect target that a custom rule may name -> `1`
    Redirects,
}

impl MapName {
    pub const ALL: [Self; 6] = [Self::Hosts, Self::Wildcards, Self::Live, Self::Rows, Self::Access, Self::Redirects];
    /// Relative to the release, which is also the Runtime API's name of it.
    pub fn file(self) -> &'static str {
        match self {
            Self::Hosts => "hosts.map",
            Self::Wildcards => "wildcards.map",
            Self::Live => "live.map",
            Self::Rows => "rows.map",
            Self::Access => "access.map",
            Self::Redirects => "redirects.map",
        }
    }
}

/// The maps as they grow, unsorted.
pub(super) struct Maps {
    hosts: Map,
    wildcards: Map,
    live: Map,
    rows: Map,
}

impl Maps {
    pub fn with_capacity(vhosts: usize) -> Self {
        Self {
            hosts: Vec::with_capacity(vhosts),
            wildcards: Map::new(),
            live: Vec::with_capacity(vhosts),
            rows: Vec::with_capacity(vhosts),
        }
    }

    pub fn hostnames(&mut self, vhost: &Vhost, number: u32) {
        for hostname in &vhost.hostnames {
            match hostname.wildcard() {
                Some(rest) => self.wildcards.push((rest.to_owned(), number.to_string())),
                None => self.hosts.push((hostname.as_str().to_owned(), number.to_string())),
            }
        }
    }

    pub fn live(&mut self, number: u32, generation: &str) {
        self.live.push((number.to_string(), generation.to_owned()));
    }

    /// The rows of a vhost, by the keys of their places.
    pub fn rows(&mut self, number: u32, generation: &str, rows: &[(String, String)], looks_at_paths: bool) {
        for (key, row) in rows {
            self.rows.push((format!("{number}.{generation}{key}"), row.clone()));
            if looks_at_paths && key.starts_with('/') {
                self.rows.push((format!("{number}.{generation}^{}", folded(key)), row.clone()));
            }
        }
    }

    pub fn finish(self, access: Map, redirects: BTreeSet<String>) -> BTreeMap<MapName, Arc<Map>> {
        let redirects = redirects.into_iter().map(|target| (target, "1".to_owned())).collect();
        [
            (MapName::Hosts, self.hosts),
            (MapName::Wildcards, self.wildcards),
            (MapName::Live, self.live),
            (MapName::Rows, self.rows),
            (MapName::Access, access),
            (MapName::Redirects, redirects),
        ]
        .into_iter()
        .map(|(name, mut map)| {
            map.sort_unstable();
            (name, Arc::new(map))
        })
        .collect()
    }
}
