//! The maps inside a running worker: from what they are to what they shall be, while requests read them.
//!
//! The order is what makes it safe. A request reads `live.map` once and then the row of that generation, so: rows and access come first,
//! then `live.map` flips, then hosts, and only then goes what nobody refers to any more. Rows of generations past stay until [`Worker::forget`],
//! since another thread of HAProxy's may stand between reading the generation and reading the row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cli::{Cli, CliError, MOST_COMMANDS, payload_line, word};
use crate::compile::{Map, MapDiff, MapName, diff};

/// From this many differences on, a new version of the map is made: `set map` and `del map` search the whole map for each key.
const FEW: usize = 50;

/// Bytes of a payload call: command and payload must fit into HAProxy's buffer, else nothing is loaded, without a word. Fit for the smallest
/// that a node may have, since an old worker has the one of its time.
const CHUNK: usize = 13_000;

/// What comes before the flip, in its order.
const BEFORE: [MapName; 3] = [MapName::Rows, MapName::Access, MapName::Redirects];
/// The flip, and then the names that lead to it.
const AFTER: [MapName; 3] = [MapName::Live, MapName::Hosts, MapName::Wildcards];
/// Names first, so that no name leads to a vhost that has gone.
const REMOVALS: [MapName; 5] = [MapName::Hosts, MapName::Wildcards, MapName::Live, MapName::Access, MapName::Redirects];

pub type Maps = BTreeMap<MapName, Arc<Map>>;

/// What a worker's maps hold, as we left them.
#[derive(Clone, Debug)]
pub struct Known {
    maps: Maps,
    /// Rows that are no longer wanted, by key: what they say, and since when nobody refers to them.
    old_rows: HashMap<String, (String, Instant)>,
}

impl Known {
    /// A worker that has just read its files.
    pub fn fresh(maps: &Maps) -> Self {
        Self { maps: maps.clone(), old_rows: HashMap::new() }
    }

    fn count(&self, name: MapName) -> usize {
        self.maps.get(&name).map_or(0, |map| map.len()) + if name == MapName::Rows { self.old_rows.len() } else { 0 }
    }

    /// Rows that are wanted.
    pub fn rows(&self) -> impl Iterator<Item = &str> {
        self.maps.get(&MapName::Rows).into_iter().flat_map(|map| map.iter().map(|(_, row)| row.as_str()))
    }

    /// Rows that are not, and since when.
    pub fn old_rows(&self) -> impl Iterator<Item = (&str, Instant)> {
        self.old_rows.values().map(|(row, since)| (row.as_str(), *since))
    }

    pub fn has_old_rows(&self, age: Duration) -> bool {
        self.old_rows.values().any(|(_, since)| since.elapsed() >= age)
    }

    /// Whether the worker has as many entries as we left it. A map that its configuration does not name is nobody's fault.
    pub fn fits(&self, counts: &BTreeMap<MapName, usize>) -> bool {
        counts.iter().all(|(name, count)| self.count(*name) == *count)
    }
}

/// One worker, by its pid, over the master's socket.
pub struct Worker<'a> {
    cli: &'a Cli,
    pid: u32,
}

impl<'a> Worker<'a> {
    pub fn new(cli: &'a Cli, pid: u32) -> Self {
        Self { cli, pid }
    }

    fn command(&self, text: &str) -> String {
        format!("@!{} {text}", self.pid)
    }

    /// Entries of each map, those of versions under way included. A map that the worker's configuration does not name is absent.
    pub async fn counts(&self) -> Result<BTreeMap<MapName, usize>, CliError> {
        let said = self.cli.ask(&self.command("show map")).await?;
        Ok(parse_counts(&said))
    }

    /// All entries as the worker has them, in its order.
    pub async fn dump(&self, name: MapName) -> Result<Map, CliError> {
        let said = self.cli.ask(&self.command(&format!("show map {}", name.file()))).await?;
        Ok(parse_dump(&said))
    }

    /// Brings the maps to `target`. `known` is what we left there, if we did; whatever the worker says of itself wins.
    pub async fn bring(&self, known: Option<Known>, target: &Maps) -> Result<Known, CliError> {
        let counts = self.counts().await?;
        let known = match known {
            Some(known) if known.fits(&counts) => known,
            _ => self.read(&counts).await?,
        };
        let empty = Arc::new(Map::new());
        let map_of = |maps: &Maps, name: MapName| maps.get(&name).cloned().unwrap_or_else(|| empty.clone());
        let mut old_rows = known.old_rows.clone();
        let mut leaving = Vec::new();
        for name in BEFORE.into_iter().chain(AFTER).filter(|name| counts.contains_key(name)) {
            let (old, new) = (map_of(&known.maps, name), map_of(target, name));
            if Arc::ptr_eq(&old, &new) {
                continue;
            }
            let mut change = diff(&old, &new);
            let going = |keys: &[String]| -> Map {
                let entry = |key: &String| old.binary_search_by(|(k, _)| k.cmp(key)).ok().map(|at| old[at].clone());
                keys.iter().filter_map(entry).collect()
            };
            let mut kept = going(&change.removed);
            if name == MapName::Rows {
                // A generation that comes back finds its rows where it left them.
                let mut again = Vec::new();
                change.added.retain(|(key, value)| match old_rows.remove(key) {
                    Some((row, _)) => {
                        if row != *value {
                            again.push((key.clone(), value.clone()));
                        }
                        false
                    }
                    None => true,
                });
                change.changed.append(&mut again);
                let now = Instant::now();
                old_rows.extend(kept.into_iter().map(|(key, row)| (key, (row, now))));
                kept = old_rows.iter().map(|(key, (row, _))| (key.clone(), row.clone())).collect();
            } else if !kept.is_empty() {
                leaving.push((name, change.removed.clone()));
            }
            self.enter(name, &change, &new, &kept).await?;
        }
        for name in REMOVALS {
            if let Some((_, gone)) = leaving.iter().find(|(of, _)| *of == name) {
                self.leave(name, gone, &map_of(target, name), &[]).await?;
            }
        }
        let known = Known { maps: target.clone(), old_rows };
        self.confirm(&known).await?;
        Ok(known)
    }

    /// Takes out the rows that nobody has referred to for `age`.
    pub async fn forget(&self, known: Known, age: Duration) -> Result<Known, CliError> {
        let mut known = known;
        let (gone, kept): (HashMap<_, _>, HashMap<_, _>) = known.old_rows.drain().partition(|(_, (_, since))| since.elapsed() >= age);
        if !gone.is_empty() {
            let keys: Vec<String> = gone.keys().cloned().collect();
            let rest: Vec<(String, String)> = kept.iter().map(|(key, (row, _))| (key.clone(), row.clone())).collect();
            let rows = known.maps.get(&MapName::Rows).cloned().unwrap_or_default();
            self.leave(MapName::Rows, &keys, &rows, &rest).await?;
        }
        known.old_rows = kept;
        self.confirm(&known).await?;
        Ok(known)
    }

    /// What the worker has, read whole: after a start of ours, a restart of its, or when somebody else has been at it.
    pub async fn read(&self, counts: &BTreeMap<MapName, usize>) -> Result<Known, CliError> {
        let mut maps = Maps::new();
        for name in counts.keys() {
            let mut entries = self.dump(*name).await?;
            let said = entries.len();
            entries.sort();
            entries.dedup_by(|a, b| a.0 == b.0);
            if counts[name] != said || entries.len() != said {
                // Keys twice, or a version that was left half made: what is wanted from here on is one clean version.
                let clean: Vec<(&str, &str)> = entries.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                self.replace(*name, clean).await?;
            }
            maps.insert(*name, Arc::new(entries));
        }
        Ok(Known { maps, old_rows: HashMap::new() })
    }

    /// Additions and changes; what is to leave stays, named by `kept`.
    async fn enter(&self, name: MapName, change: &MapDiff, new: &Map, kept: &[(String, String)]) -> Result<(), CliError> {
        let plain = change.changed.iter().all(|(key, value)| word(key).is_ok() && word(value).is_ok());
        if change.changed.len() >= FEW || !plain {
            let all = new.iter().chain(kept).map(|(k, v)| (k.as_str(), v.as_str())).collect();
            return self.replace(name, all).await;
        }
        let added: Vec<(&str, &str)> = change.added.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        self.add(name, None, &added).await?;
        let commands = change
            .changed
            .iter()
            .map(|(key, value)| Ok(self.command(&format!("set map {} {} {}", name.file(), word(key)?, word(value)?))))
            .collect::<Result<Vec<_>, CliError>>()?;
        self.tell(&commands).await
    }

    async fn leave(&self, name: MapName, gone: &[String], new: &Map, kept: &[(String, String)]) -> Result<(), CliError> {
        if gone.len() >= FEW || gone.iter().any(|key| word(key).is_err()) {
            let all = new.iter().chain(kept).map(|(k, v)| (k.as_str(), v.as_str())).collect();
            return self.replace(name, all).await;
        }
        let commands = gone
            .iter()
            .map(|key| Ok(self.command(&format!("del map {} {}", name.file(), word(key)?))))
            .collect::<Result<Vec<_>, CliError>>()?;
        self.tell(&commands).await
    }

    async fn tell(&self, commands: &[String]) -> Result<(), CliError> {
        for some in commands.chunks(MOST_COMMANDS) {
            self.cli.tell(some).await?;
        }
        Ok(())
    }

    /// A new version of a map, complete before anybody sees it.
    async fn replace(&self, name: MapName, entries: Vec<(&str, &str)>) -> Result<(), CliError> {
        let file = name.file();
        let command = self.command(&format!("prepare map {file}"));
        let said = self.cli.ask(&command).await?;
        let Some(version) = said.trim().strip_prefix("New version created:").and_then(|v| v.trim().parse::<u32>().ok()) else {
            return Err(CliError::Said { command, said: said.trim().chars().take(1000).collect() });
        };
        let before = self.count(name).await?;
        self.add(name, Some(version), &entries).await?;
        let added = self.count(name).await?.saturating_sub(before);
        if added != entries.len() {
            return Err(CliError::Said { command, said: format!("{added} of {} entries of {file} arrived", entries.len()) });
        }
        self.cli.tell(&[self.command(&format!("commit map @{version} {file}"))]).await
    }

    async fn add(&self, name: MapName, version: Option<u32>, entries: &[(&str, &str)]) -> Result<(), CliError> {
        let command = match version {
            Some(version) => self.command(&format!("add map @{version} {}", name.file())),
            None => self.command(&format!("add map {}", name.file())),
        };
        let mut lines = String::new();
        for (key, value) in entries {
            let line = payload_line(key, value)?;
            if !lines.is_empty() && lines.len() + line.len() > CHUNK {
                self.cli.tell_payload(&command, &lines).await?;
                lines.clear();
            }
            lines.push_str(&line);
        }
        if lines.is_empty() { Ok(()) } else { self.cli.tell_payload(&command, &lines).await }
    }

    async fn count(&self, name: MapName) -> Result<usize, CliError> {
        Ok(self.counts().await?.get(&name).copied().unwrap_or(0))
    }

    async fn confirm(&self, known: &Known) -> Result<(), CliError> {
        let counts = self.counts().await?;
        match counts.iter().find(|(name, count)| known.count(**name) != **count) {
            None => Ok(()),
            Some((name, count)) => Err(CliError::Said {
                command: self.command("show map"),
                said: format!("{} has {count} entries, not {}", name.file(), known.count(*name)),
            }),
        }
    }
}

fn parse_counts(text: &str) -> BTreeMap<MapName, usize> {
    text.lines()
        .filter_map(|line| {
            let file = line.split_once('(')?.1.split_once(')')?.0;
            let name = MapName::ALL.into_iter().find(|name| name.file() == file)?;
            let count = line.rsplit_once("entry_cnt=")?.1.split_whitespace().next()?.parse().ok()?;
            Some((name, count))
        })
        .collect()
}

fn parse_dump(text: &str) -> Map {
    text.lines()
        .filter_map(|line| {
            let (_, entry) = line.split_once(' ').filter(|(at, _)| at.starts_with("0x"))?;
            let (key, value) = entry.split_once(' ')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> Map {
        entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn counts_and_dumps() {
        let text = "# id (file) description\n0 (rows.map) pattern loaded from file 'rows.map' used by map at file 'haproxy.cfg' line 16. curr_ver=0 next_ver=1 entry_cnt=12\n1 (live.map) pattern loaded from file 'live.map' used by map at file 'haproxy.cfg' line 16. curr_ver=0 next_ver=0 entry_cnt=10\n-1 (/etc/other) used entry_cnt=1\n\n";
        assert_eq!(parse_counts(text), BTreeMap::from([(MapName::Rows, 12), (MapName::Live, 10)]));
        let of_2_8 = "# id (file) description\n0 (rows.map) pattern loaded from file 'rows.map' used by map at file '/var/x/haproxy.cfg' line 12. curr_ver=0 next_ver=0 entry_cnt=1\n\n";
        assert_eq!(parse_counts(of_2_8), BTreeMap::from([(MapName::Rows, 1)]));
        assert_eq!(parse_dump("0x7fd750026460 x 1\n0x7fd750026580 y 2 3\n\n"), map(&[("x", "1"), ("y", "2 3")]));
    }
}
