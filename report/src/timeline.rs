//! When: a strip over the whole span, and under it the days that have alerts.

use std::collections::{BTreeMap, BTreeSet};

use schemas::severity::Severity;
use schemas::time::iso_ms;
use serde::Serialize;

use super::coverage;
use super::input::Report;
use super::moment::{
    DAY_US, HOUR_US, Moment, clock, day, day_range, day_start, long_day, midnight, moment,
    short_day,
};
use super::raised::{FindingKey, Places, Raised, SEVERITIES, account_name, places};
use super::text::{counted, line, number};

/// Most bars of the strip.
const BARS_MAX: i64 = 124;
/// A span of at most this many hours is shown by hour.
const HOURS_MAX: i64 = 72;
/// Marks of the time axis.
const MARKS: i64 = 4;
/// Height of the bars of alerts, and of those of records, in pixels.
const ALERTS_HEIGHT: usize = 88;
const RECORDS_HEIGHT: u128 = 28;
/// Most places of alerts in a row.
const PLACES_SHOWN: usize = 12;

/// When the alerts were.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    strip: Option<Strip>,
    days: Vec<Day>,
    /// Alerts that are not in the days, because they are not shown in full.
    more: Option<String>,
}

/// A picture of the whole span. Places and widths are percent of its width, heights pixels.
#[derive(Debug, Serialize)]
struct Strip {
    alerts: Vec<Bar>,
    records: Vec<Bar>,
    marks: Vec<Mark>,
    unit: String,
    tallest: String,
    description: String,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: String,
    width: String,
    y: usize,
    height: usize,
    class: &'static str,
    title: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: String,
    anchor: &'static str,
    text: String,
}

/// A day with alerts.
#[derive(Debug, Serialize)]
struct Day {
    title: String,
    machine: String,
    count: String,
    /// The hours that have alerts, on a strip of 24.
    hours: Vec<Bar>,
    hours_words: String,
    rows: Vec<Row>,
}

/// Alerts of one rule about one account on one day.
#[derive(Debug, Serialize)]
struct Row {
    first: Option<Moment>,
    first_clock: String,
    last_clock: String,
    severity: &'static str,
    title: String,
    account: String,
    count: usize,
    places: Places,
}

/// The timeline of a report.
pub(super) fn timeline(report: &Report, all: &[Raised<'_>]) -> Timeline {
    let more = all.iter().filter(|one| one.number.is_none()).count();
    Timeline {
        strip: strip(report, all),
        days: days(all),
        more: (more > 0).then(|| counted(more, "alert", "alerts")),
    }
}

/// The bins of a strip: where it starts, how wide one is, how many there are.
#[derive(Debug, Clone, Copy)]
struct Bins {
    start_us: i64,
    width_us: i64,
    count: i64,
}

impl Bins {
    fn over(first_us: i64, last_us: i64) -> Self {
        let hour = first_us.div_euclid(HOUR_US) * HOUR_US;
        let hours = (last_us - hour) / HOUR_US + 1;
        if hours <= HOURS_MAX {
            return Self {
                start_us: hour,
                width_us: HOUR_US,
                count: hours,
            };
        }
        let start_us = midnight(first_us);
        let days = (last_us - start_us) / DAY_US + 1;
        let each = (days + BARS_MAX - 1) / BARS_MAX;
        Self {
            start_us,
            width_us: each * DAY_US,
            count: (days + each - 1) / each,
        }
    }

    fn of(self, time_us: i64) -> Option<i64> {
        let bin = (time_us - self.start_us).div_euclid(self.width_us);
        (0..self.count).contains(&bin).then_some(bin)
    }

    fn time(self, bin: i64) -> i64 {
        self.start_us + bin * self.width_us
    }

    fn is_hours(self) -> bool {
        self.width_us == HOUR_US
    }

    fn unit(self) -> String {
        match self.width_us / DAY_US {
            0 => "hour".to_owned(),
            1 => "day".to_owned(),
            days => format!("{days} days"),
        }
    }

    fn label(self, bin: i64) -> String {
        let time = self.time(bin);
        match self.width_us / DAY_US {
            0 => format!("{} {}", day(time), clock(time)),
            1 => long_day(time),
            days => day_range(time, time + (days - 1) * DAY_US),
        }
    }
}

/// Part of a whole in percent, with two decimals.
fn percent(part: i64, whole: i64) -> String {
    let hundredths = i128::from(part) * 10_000 / i128::from(whole.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn strip(report: &Report, all: &[Raised<'_>]) -> Option<Strip> {
    let of_alerts = all.iter().filter_map(|one| one.first_us);
    let times = || {
        coverage::span(report)
            .into_iter()
            .flat_map(|span| [span.0, span.1])
    };
    let first = of_alerts.clone().chain(times()).min()?;
    let last = of_alerts.chain(times()).max()?;
    let bins = Bins::over(first, last);
    let mut counts: BTreeMap<i64, BTreeMap<Severity, usize>> = BTreeMap::new();
    for one in all {
        if let Some(bin) = one.first_us.and_then(|time| bins.of(time)) {
            *counts
                .entry(bin)
                .or_default()
                .entry(one.severity)
                .or_default() += 1;
        }
    }
    let tallest = counts
        .values()
        .map(|bin| bin.values().sum::<usize>())
        .max()
        .unwrap_or(0);
    let mut description: Vec<String> = counts
        .iter()
        .map(|(bin, counts)| format!("{}: {}", bins.label(*bin), severity_words(counts)))
        .collect();
    if description.is_empty() {
        description.push("no alerts".to_owned());
    }
    Some(Strip {
        alerts: counts
            .iter()
            .flat_map(|(bin, counts)| stack(bins, *bin, counts, tallest))
            .collect(),
        records: record_bars(report, bins),
        marks: marks(bins),
        unit: bins.unit(),
        tallest: number(tallest as u64),
        description: format!("Alerts by {}. {}.", bins.unit(), description.join("; ")),
    })
}

/// `2 high, 1 medium`.
fn severity_words(counts: &BTreeMap<Severity, usize>) -> String {
    let words = counts
        .iter()
        .rev()
        .map(|(severity, count)| format!("{} {severity}", number(*count as u64)));
    words.collect::<Vec<_>>().join(", ")
}

/// One bar, a piece for each severity, the most severe at the bottom.
fn stack(bins: Bins, bin: i64, counts: &BTreeMap<Severity, usize>, tallest: usize) -> Vec<Bar> {
    let title = format!("{}: {}", bins.label(bin), severity_words(counts));
    let height = |count: usize| count * ALERTS_HEIGHT / tallest.max(1);
    let mut below = 0;
    SEVERITIES
        .into_iter()
        .filter_map(|severity| counts.get(&severity).map(|count| (severity, *count)))
        .map(|(severity, count)| {
            let from = height(below);
            below += count;
            // A single alert beside thousands is still seen.
            let height = (height(below) - from).max(2);
            Bar {
                x: percent(bin, bins.count),
                width: percent(1, bins.count),
                y: ALERTS_HEIGHT.saturating_sub(from + height),
                height,
                class: severity.as_str(),
                title: title.clone(),
            }
        })
        .collect()
}

/// Records by bin; none by hour, for they are counted by day.
fn record_bars(report: &Report, bins: Bins) -> Vec<Bar> {
    if bins.is_hours() {
        return Vec::new();
    }
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for one in report.days.iter().filter(|one| one.rows > 0) {
        if let Some(bin) = day_start(&one.day).and_then(|start| bins.of(start)) {
            let count = counts.entry(bin).or_default();
            *count = count.saturating_add(one.rows);
        }
    }
    let most = counts.values().max().copied().unwrap_or(1);
    let bar = |(bin, count): (&i64, &u64)| {
        // Square roots, so that a quiet day is seen beside a loud one.
        let square = u128::from(*count) * RECORDS_HEIGHT * RECORDS_HEIGHT / u128::from(most);
        Bar {
            x: percent(*bin, bins.count),
            width: percent(1, bins.count),
            y: 0,
            height: usize::try_from(square.isqrt()).unwrap_or(1).max(1),
            class: "records",
            title: format!("{}: {} records", bins.label(*bin), number(*count)),
        }
    };
    counts.iter().map(bar).collect()
}

fn marks(bins: Bins) -> Vec<Mark> {
    let steps: BTreeSet<i64> = (0..=MARKS)
        .map(|mark| mark * (bins.count - 1).max(0) / MARKS)
        .collect();
    let mark = |bin: i64| Mark {
        x: if bin + 1 == bins.count && bin > 0 {
            "100".to_owned()
        } else {
            percent(bin, bins.count)
        },
        anchor: match bin {
            0 => "start",
            last if last + 1 == bins.count => "end",
            _ => "middle",
        },
        text: if bins.is_hours() && bins.count > 1 {
            clock(bins.time(bin))
        } else {
            short_day(bins.time(bin))
        },
    };
    steps.into_iter().map(mark).collect()
}

/// The days of the alerts that are shown in full; those without a time come last.
fn days(all: &[Raised<'_>]) -> Vec<Day> {
    let mut days: BTreeMap<(bool, i64), Vec<&Raised<'_>>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.number.is_some()) {
        let start = one.first_us.map(midnight);
        days.entry((start.is_none(), start.unwrap_or(0)))
            .or_default()
            .push(one);
    }
    days.into_iter()
        .map(|((is_unknown, start), alerts)| {
            let hours = if is_unknown {
                Vec::new()
            } else {
                hours(start, &alerts)
            };
            let hours_words: Vec<&str> = hours.iter().map(|bar| bar.title.as_str()).collect();
            Day {
                title: if is_unknown {
                    "Time unknown".to_owned()
                } else {
                    long_day(start)
                },
                machine: if is_unknown {
                    String::new()
                } else {
                    day(start)
                },
                count: counted(alerts.len(), "alert", "alerts"),
                hours_words: hours_words.join("; "),
                rows: rows(&alerts),
                hours,
            }
        })
        .collect()
}

/// The hours of a day that have alerts, in the colour of the most severe.
fn hours(start: i64, alerts: &[&Raised<'_>]) -> Vec<Bar> {
    let mut counts: BTreeMap<i64, BTreeMap<Severity, usize>> = BTreeMap::new();
    for one in alerts {
        let hour = (one.first_us.unwrap_or(start) - start) / HOUR_US;
        *counts
            .entry(hour)
            .or_default()
            .entry(one.severity)
            .or_default() += 1;
    }
    let bar = |(hour, counts): (&i64, &BTreeMap<Severity, usize>)| Bar {
        x: percent(*hour, 24),
        width: percent(1, 24),
        y: 0,
        height: 10,
        class: counts
            .keys()
            .max()
            .map_or("low", |severity| severity.as_str()),
        title: format!(
            "{}: {}",
            clock(start + hour * HOUR_US),
            severity_words(counts)
        ),
    };
    counts.iter().map(bar).collect()
}

/// The alerts of a day by rule and account, in the order of time.
fn rows(alerts: &[&Raised<'_>]) -> Vec<Row> {
    let mut groups: BTreeMap<((&str, &str), FindingKey<'_>), Vec<&Raised<'_>>> = BTreeMap::new();
    for one in alerts {
        groups
            .entry((one.account, one.finding()))
            .or_default()
            .push(one);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|alerts| alerts.first().map(|one| one.number));
    let row = |alerts: Vec<&Raised<'_>>| {
        let first = alerts.first()?;
        let last = alerts.last()?;
        let seconds =
            |time: Option<i64>| time.and_then(|time| iso_ms(time).get(11..19).map(str::to_owned));
        let last_clock = seconds(last.first_us.filter(|time| Some(*time) != first.first_us));
        Some(Row {
            first: moment(first.first_us),
            first_clock: seconds(first.first_us).unwrap_or_default(),
            last_clock: last_clock.unwrap_or_default(),
            severity: first.severity.as_str(),
            title: line(&first.alert.title),
            account: account_name(first.account.1),
            count: alerts.len(),
            places: places(alerts.iter().copied(), PLACES_SHOWN),
        })
    };
    groups.into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use schemas::time::parse_us;
    use schemas::wire::Alert;

    use super::{BARS_MAX, Bins, timeline};
    use crate::input::Report;
    use crate::raised::raised;

    fn report(times: &[&str]) -> Report {
        let alerts = times.iter().enumerate().map(|(place, time)| Alert {
            alert_id: format!("{place}"),
            title: "Rule".to_owned(),
            severity: "high".to_owned(),
            first_event_time_us: parse_us(time).unwrap_or(0),
            ..Alert::default()
        });
        Report {
            alerts: alerts.collect(),
            ..Report::default()
        }
    }

    #[test]
    fn a_short_span_is_shown_by_hour_and_a_long_one_by_days() {
        let at = |text| parse_us(text).unwrap();
        let hours = Bins::over(at("2021-04-16T07:21:42Z"), at("2021-04-16T12:15:42Z"));
        assert_eq!((hours.unit().as_str(), hours.count), ("hour", 6));
        let days = Bins::over(at("2021-03-23T15:45:38Z"), at("2021-07-20T07:13:06Z"));
        assert_eq!((days.unit().as_str(), days.count), ("day", 120));
        let ages = Bins::over(at("0002-01-02T00:00:00Z"), at("9999-12-29T00:00:00Z"));
        assert!(ages.count <= BARS_MAX);
    }

    #[test]
    fn every_alert_is_in_a_bar_a_day_and_a_row() {
        let times = [
            "2021-04-16T07:00:00Z",
            "2021-04-16T07:30:00Z",
            "2021-04-19T23:59:59Z",
            "never",
        ];
        let report = report(&times);
        let all = raised(&report);
        let timeline = timeline(&report, &all);
        let strip = timeline.strip.unwrap();
        assert_eq!(strip.alerts.len(), 2);
        assert!(
            strip.description.contains("16 April 2021: 2 high"),
            "{}",
            strip.description
        );
        let titles: Vec<_> = timeline.days.iter().map(|day| day.title.as_str()).collect();
        assert_eq!(titles, ["16 April 2021", "19 April 2021", "Time unknown"]);
        let rows: usize = timeline
            .days
            .iter()
            .flat_map(|day| &day.rows)
            .map(|row| row.count)
            .sum();
        assert_eq!(rows, times.len());
        assert_eq!(timeline.days[0].rows[0].last_clock, "07:30:00");
    }

    #[test]
    fn without_a_time_there_is_no_strip() {
        let report = report(&[]);
        assert!(timeline(&report, &raised(&report)).strip.is_none());
    }
}
