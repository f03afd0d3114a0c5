//! Requests by the minute and vhost, for an hour and in memory: what the engines count, and nothing that is on the way of a request.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::PoisonError;

use metrics::{counter, describe_counter};
use time::{Duration, OffsetDateTime};

use super::{Caller, Service};
use crate::dataplane::{Counted, TrafficSample};
use crate::domain::error::Result;
use crate::domain::{Action, Subject, TrafficCounts, TrafficPoint};

/// Minutes that are kept, the one under way among them.
const KEPT: i64 = 60;

/// What was counted longer ago than that belongs to no minute that we know.
const FRESH: Duration = Duration::minutes(1);

/// Totals over all vhosts: name, meaning, value.
type Metric = (&'static str, &'static str, fn(&TrafficCounts) -> u32);
const METRICS: [Metric; 6] = [
    ("guard_proxy_requests_forwarded_total", "Requests of clients that went on to an upstream.", |c| c.forwarded),
    ("guard_proxy_requests_server_errors_total", "Of the forwarded, those answered with 5xx.", |c| c.server_errors),
    ("guard_proxy_requests_inspected_total", "Requests of clients that guard-spoa judged.", |c| c.inspected),
    ("guard_proxy_requests_blocked_total", "Of the inspected, those refused in mode block.", |c| c.blocked),
    ("guard_proxy_requests_detected_total", "Of the inspected, those that mode block would have refused.", |c| c.detected),
    ("guard_proxy_requests_failed_total", "Requests of clients that guard-spoa answered without a verdict.", |c| c.failed),
];

/// See the module.
#[derive(Default)]
pub struct Traffic {
    /// What each process had counted when it was last asked, and when that was.
    seen: HashMap<String, (OffsetDateTime, HashMap<u32, TrafficCounts>)>,
    minutes: VecDeque<Minute>,
}

struct Minute {
    /// Since 1970.
    number: i64,
    /// Whether all engines answered in it at least once.
    observed: bool,
    /// Those with traffic.
    vhosts: Box<[(u32, TrafficCounts)]>,
}

fn minute(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(60)
}

impl Traffic {
    /// Adds what was gained since the last sample to the minute under way; the sum of it.
    fn add(&mut self, now: OffsetDateTime, sample: TrafficSample) -> TrafficCounts {
        let mut gained: HashMap<u32, TrafficCounts> = HashMap::new();
        for Counted { process, age, vhosts } in sample.processes {
            let before = self.seen.remove(&process).filter(|(at, _)| now - *at <= FRESH).map(|(_, counted)| counted);
            // A process that has just begun has counted from 0; of one that is older, this is where we begin.
            let before = before.or_else(|| (age <= FRESH).then(HashMap::new));
            if let Some(before) = before {
                for (vhost, counted) in &vhosts {
                    let since = counted.since(before.get(vhost).copied().unwrap_or_default());
                    if since != TrafficCounts::default() {
                        let sum = gained.entry(*vhost).or_default();
                        *sum = sum.plus(since);
                    }
                }
            }
            self.seen.insert(process, (now, vhosts));
        }
        self.seen.retain(|_, (at, _)| now - *at <= FRESH);
        let sum = gained.values().copied().fold(TrafficCounts::default(), TrafficCounts::plus);

        let number = minute(now);
        // A clock that was set back leaves minutes that are yet to come.
        self.minutes.retain(|minute| (number - KEPT + 1..=number).contains(&minute.number));
        if self.minutes.back().is_none_or(|minute| minute.number != number) {
            self.minutes.push_back(Minute { number, observed: false, vhosts: Box::default() });
        }
        if let Some(minute) = self.minutes.back_mut() {
            minute.observed |= sample.whole;
            for (vhost, counts) in std::mem::take(&mut minute.vhosts) {
                let sum = gained.entry(vhost).or_default();
                *sum = sum.plus(counts);
            }
            minute.vhosts = gained.into_iter().collect();
        }
        sum
    }

    /// Of the vhosts that `sees` names by number; oldest first.
    fn points(&self, now: OffsetDateTime, sees: impl Fn(u32) -> bool) -> Vec<TrafficPoint> {
        let number = minute(now);
        let minutes = self.minutes.iter().filter(|minute| minute.observed && (number - KEPT + 1..=number).contains(&minute.number));
        let point = |minute: &Minute| {
            let seen = minute.vhosts.iter().filter(|(vhost, _)| sees(*vhost));
            let counts = seen.map(|(_, counts)| *counts).fold(TrafficCounts::default(), TrafficCounts::plus);
            Some(TrafficPoint { at: OffsetDateTime::from_unix_timestamp(minute.number * 60).ok()?, counts })
        };
        minutes.filter_map(point).collect()
    }
}

impl Service {
    /// Takes in what the engines have counted; to be called every few seconds.
    pub fn add_traffic(&self, sample: TrafficSample) {
        let now = self.now();
        let sum = self.inner.traffic.lock().unwrap_or_else(PoisonError::into_inner).add(now, sample);
        for (name, meaning, value) in METRICS {
            describe_counter!(name, meaning);
            counter!(name).increment(u64::from(value(&sum)));
        }
    }

    /// The last hour by the minute, of all vhosts that the caller sees.
    pub fn traffic(&self, caller: &Caller) -> Result<Vec<TrafficPoint>> {
        self.authorize(&caller.principal, Action::Read, "status", None)?;
        let seen: HashSet<u32> = self.head_for(caller).vhosts.values().map(|vhost| vhost.number).collect();
        Ok(self.points(|vhost| seen.contains(&vhost)))
    }

    /// The last hour of a vhost.
    pub fn vhost_traffic(&self, caller: &Caller, vhost: &str) -> Result<Vec<TrafficPoint>> {
        let held = self.vhost(caller, &self.head_for(caller), vhost, Subject::Vhost)?;
        Ok(self.points(|vhost| vhost == held.number))
    }

    fn points(&self, sees: impl Fn(u32) -> bool) -> Vec<TrafficPoint> {
        let now = self.now();
        self.inner.traffic.lock().unwrap_or_else(PoisonError::into_inner).points(now, sees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12:00:00 and so many seconds.
    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_795_348_800 + seconds).unwrap()
    }

    /// What a worker of that age has forwarded to vhosts 1 and 2, with an agent that was always there.
    fn sample(process: &str, age_s: u64, forwarded: [u32; 2]) -> TrafficSample {
        let counts = forwarded.map(|forwarded| TrafficCounts { forwarded, ..TrafficCounts::default() });
        let age = std::time::Duration::from_secs(age_s);
        let worker = Counted { process: process.to_owned(), age, vhosts: HashMap::from([(1, counts[0]), (2, counts[1])]) };
        TrafficSample { processes: vec![worker], whole: true }
    }

    /// (minute, forwarded) of a vhost.
    fn told(traffic: &Traffic, seconds: i64, vhost: u32) -> Vec<(i64, u32)> {
        let points = traffic.points(at(seconds), |number| number == vhost);
        points.iter().map(|point| ((point.at - at(0)).whole_minutes(), point.counts.forwarded)).collect()
    }

    #[test]
    fn what_is_gained_belongs_to_the_minute_under_way() {
        let mut traffic = Traffic::default();
        // It has long been there: nobody knows when it counted these.
        assert_eq!(traffic.add(at(0), sample("a", 3600, [1000, 50])).forwarded, 0);
        assert_eq!(traffic.add(at(10), sample("a", 3610, [1003, 51])).forwarded, 4);
        traffic.add(at(50), sample("a", 3650, [1004, 51]));
        traffic.add(at(60), sample("a", 3660, [1004, 51]));
        assert_eq!((told(&traffic, 60, 1), told(&traffic, 60, 2)), (vec![(0, 4), (1, 0)], vec![(0, 1), (1, 0)]));
    }

    #[test]
    fn a_reload_and_a_restart_lose_and_double_nothing() {
        let mut traffic = Traffic::default();
        traffic.add(at(0), sample("a", 3600, [1000, 0]));
        // The new worker began at 0, the old one ends its connections.
        let mut both = sample("b", 5, [7, 0]);
        both.processes.extend(sample("a", 3610, [1002, 0]).processes);
        assert_eq!(traffic.add(at(10), both.clone()).forwarded, 9);
        assert_eq!(traffic.add(at(20), both).forwarded, 0);
        assert_eq!(traffic.add(at(30), sample("b", 25, [8, 1])).forwarded, 2);
        // The old one's pid again, or counters that somebody cleared.
        assert_eq!(traffic.add(at(40), sample("b", 3, [2, 0])).forwarded, 2);
        assert_eq!(told(&traffic, 40, 1), [(0, 12)]);
    }

    #[test]
    fn what_was_counted_while_nobody_looked_is_of_no_minute() {
        let mut traffic = Traffic::default();
        traffic.add(at(0), sample("a", 30, [5, 0]));
        traffic.add(at(70), TrafficSample::default());
        assert_eq!(traffic.add(at(130), sample("a", 160, [900, 0])).forwarded, 0);
        assert_eq!(traffic.add(at(190), sample("a", 220, [901, 0])).forwarded, 1);
        // Minute 1 was not observed.
        assert_eq!(told(&traffic, 200, 1), [(0, 5), (2, 0), (3, 1)]);
    }

    #[test]
    fn an_hour_is_kept_and_only_what_has_traffic() {
        let mut traffic = Traffic::default();
        for minute in 0..100 {
            traffic.add(at(minute * 60), sample("a", 1, [u32::try_from(minute).unwrap() + 1, 0]));
        }
        let points = told(&traffic, 99 * 60, 1);
        assert_eq!((points.len(), points[0], points[59]), (60, (40, 1), (99, 1)));
        assert!(traffic.minutes.iter().all(|minute| minute.vhosts.len() == 1));
        // Nobody sampled since.
        assert_eq!(told(&traffic, 99 * 60 + 1800, 1).len(), 30);
        // The clock was set back: no minute comes twice.
        traffic.add(at(50 * 60), sample("a", 1, [101, 0]));
        assert_eq!(told(&traffic, 50 * 60, 1).last(), Some(&(50, 2)));
    }
}
