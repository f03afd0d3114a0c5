//! `traffic`: requests and blocks of the last hour, by the minute.

use serde::Deserialize;

use super::client::{Client, Connection};
use super::failure::Failure;
use super::printer::{Printer, Tone};
use super::words::text::time;
use crate::domain::{Name, TrafficCounts, TrafficPoint};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Of this one alone, instead of the sum of all
    #[arg(value_name = "VHOST")]
    vhost: Option<Name>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Deserialize)]
struct Traffic {
    points: Vec<TrafficPoint>,
}

pub async fn run(arguments: Arguments, printer: &Printer) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let path = arguments.vhost.map_or_else(|| "/traffic".to_owned(), |vhost| format!("/vhosts/{vhost}/traffic"));
    let (traffic, raw) = client.get(&path).await?.typed::<Traffic>()?;
    if arguments.json {
        printer.line(format!("{raw:#}"));
    } else if traffic.points.is_empty() {
        printer.note("Nothing was counted yet: it takes some seconds, and both engines.");
    } else {
        lines(&traffic.points, printer).iter().for_each(|line| printer.line(line));
    }
    Ok(0)
}

fn lines(points: &[TrafficPoint], printer: &Printer) -> Vec<String> {
    let row = |name: &str, cells: [String; 6]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
        format!("{name:<20}{cells}")
    };
    let numbers = |counts: TrafficCounts| {
        let TrafficCounts { forwarded, server_errors, inspected, blocked, detected, failed } = counts;
        [forwarded, server_errors, inspected, blocked, detected, failed].map(|number| number.to_string())
    };
    let head = ["forwarded", "5xx", "inspected", "blocked", "detected", "failed"].map(str::to_owned);
    let mut out = vec![printer.tone(Tone::Faint, &row("", head))];
    out.extend(points.iter().map(|point| row(&time(point.at), numbers(point.counts))));
    let sum = points.iter().map(|point| point.counts).fold(TrafficCounts::default(), TrafficCounts::plus);
    out.push(printer.tone(Tone::Strong, &row("together", numbers(sum))));
    out
}

#[cfg(test)]
mod tests {
    use ::time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_minute_is_a_line_and_the_last_is_the_sum() {
        let point = |minute: i64, forwarded, blocked| TrafficPoint {
            at: OffsetDateTime::from_unix_timestamp(minute * 60).unwrap(),
            counts: TrafficCounts { forwarded, inspected: forwarded + blocked, blocked, ..TrafficCounts::default() },
        };
        insta::assert_snapshot!(lines(&[point(1, 7, 0), point(3, 120_000, 30)], &Printer::plain()).join("\n"), @"
                             forwarded       5xx inspected   blocked  detected    failed
        1970-01-01T00:01:00Z         7         0         7         0         0         0
        1970-01-01T00:03:00Z    120000         0    120030        30         0         0
        together                120007         0    120037        30         0         0
        ");
    }
}
