//! What was read, what could not be, and which questions stay open because of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bounds::ROWS_SHOWN;
use super::input::{FileLine, Report, TableLine};
use super::moment::{DAY_US, Moment, day, day_start, moment, readable};
use super::text::{counted, line, number};

/// Most ranges of days without records that are listed for a table.
const RANGES_SHOWN: usize = 40;

/// The feeds of a tenant, and what cannot be told without each.
const FEEDS: &[(&str, &str, &str)] = &[
    (
        "signins",
        "Entra sign-ins",
        "From where, with which device and which second factor people signed in, and whether a session was stolen. The unified audit log has some sign-ins, without these fields.",
    ),
    (
        "directory_audits",
        "Entra audit log",
        "Changes to accounts, roles, applications, policies and sign-in methods, as far as the unified audit log does not repeat them.",
    ),
    (
        "m365_activity",
        "Unified audit log",
        "What was done in mailboxes, files, Teams and the administration of Microsoft 365: inbox rules, mail that was read, files that were taken.",
    ),
    (
        "risk_events",
        "Entra ID Protection",
        "Which accounts and sign-ins Microsoft itself held to be at risk.",
    ),
    (
        "graph_activity",
        "Requests to Microsoft Graph",
        "What applications and tools read or changed through Graph with the tokens that they held.",
    ),
    (
        "azure_activity",
        "Azure activity log",
        "What was done to subscriptions, machines and keys in Azure.",
    ),
    (
        "graph_alerts",
        "Microsoft's own alerts",
        "What Defender and Entra had found by themselves.",
    ),
];

/// What was read, and what could not be.
#[derive(Debug, Serialize)]
pub(super) struct Coverage {
    files: Vec<File>,
    files_more: usize,
    total: File,
    added: AddedWords,
    tables: Vec<TableRow>,
    letters: Vec<Letters>,
    gaps: Vec<Gap>,
    absent: Vec<Absent>,
    remarks: Vec<String>,
    is_clean: bool,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    records: String,
    dead_letters: String,
    failure: Option<String>,
    told: Vec<String>,
}

/// What became of the records of all files.
#[derive(Debug, Serialize)]
struct AddedWords {
    rows: String,
    revisions: String,
    duplicates: String,
}

#[derive(Debug, Serialize)]
struct TableRow {
    table: String,
    feed: &'static str,
    rows: String,
    days: String,
    first: Option<Moment>,
    last: Option<Moment>,
}

#[derive(Debug, Serialize)]
struct Letters {
    reason: &'static str,
    word: String,
    count: String,
    files: Vec<String>,
    files_more: usize,
}

#[derive(Debug, Serialize)]
struct Gap {
    table: String,
    days: String,
    of_days: String,
    ranges: Vec<String>,
    ranges_more: usize,
}

#[derive(Debug, Serialize)]
struct Absent {
    table: &'static str,
    feed: &'static str,
    question: &'static str,
}

/// Time of the first and the last record of every table.
pub(super) fn span(report: &Report) -> Option<(i64, i64)> {
    let times = report.tables.iter().filter(|table| table.rows > 0);
    let times = times.filter_map(|table| readable(table.first_us).zip(readable(table.last_us)));
    times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The coverage of a report.
pub(super) fn coverage(report: &Report) -> Coverage {
    let has_rows = |name: &str| {
        report
            .tables
            .iter()
            .any(|table| table.table == name && table.rows > 0)
    };
    let absent: Vec<Absent> = FEEDS
        .iter()
        .filter(|(table, ..)| !has_rows(table))
        .map(|&(table, feed, question)| Absent {
            table,
            feed,
            question,
        })
        .collect();
    let days = days_by_table(report);
    let gaps = gaps(report, &days);
    let letters = letters(&report.files);
    let is_whole = |file: &FileLine| file.failure.is_none() && !file.is_incomplete;
    let is_clean = letters.is_empty() && report.files.iter().all(is_whole);
    Coverage {
        files: report.files.iter().take(ROWS_SHOWN).map(file).collect(),
        files_more: report.files.len().saturating_sub(ROWS_SHOWN),
        total: file(&total(&report.files)),
        added: AddedWords {
            rows: counted(report.added.rows, "new row", "new rows"),
            revisions: counted(
                report.added.revisions,
                "new version of a known record",
                "new versions of known records",
            ),
            duplicates: counted(
                report.added.duplicates,
                "record that was known already",
                "records that were known already",
            ),
        },
        tables: report
            .tables
            .iter()
            .filter(|table| table.rows > 0)
            .map(|table| table_row(table, &days))
            .collect(),
        letters,
        gaps,
        absent,
        remarks: report
            .remarks
            .iter()
            .take(ROWS_SHOWN)
            .map(|remark| line(remark))
            .collect(),
        is_clean,
    }
}

/// The sum of some files.
pub(super) fn total(files: &[FileLine]) -> FileLine {
    let mut total = FileLine::default();
    for file in files {
        total.records = total.records.saturating_add(file.records);
        for (reason, count) in &file.dead_letters {
            let sum = total.dead_letters.entry(reason.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
    total
}

/// How many dead letters there are of all reasons.
pub(super) fn letters_of(file: &FileLine) -> u64 {
    file.dead_letters
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count))
}

fn file(file: &FileLine) -> File {
    File {
        path: line(&file.path),
        records: number(file.records),
        dead_letters: number(letters_of(file)),
        failure: file.failure.as_deref().map(line),
        told: file.told.iter().map(|told| line(told)).collect(),
    }
}

fn table_row(table: &TableLine, days: &BTreeMap<&str, BTreeSet<i64>>) -> TableRow {
    let feed = FEEDS.iter().find(|(name, ..)| *name == table.table);
    let days = days.get(table.table.as_str()).map_or(0, BTreeSet::len);
    TableRow {
        table: line(&table.table),
        feed: feed.map_or("Other records", |(_, feed, _)| feed),
        rows: number(table.rows),
        days: number(days as u64),
        first: moment(table.first_us),
        last: moment(table.last_us),
    }
}

/// The days with records of each table, as numbers from 1970.
fn days_by_table(report: &Report) -> BTreeMap<&str, BTreeSet<i64>> {
    let mut days: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for one in report.days.iter().filter(|one| one.rows > 0) {
        if let Some(start) = day_start(&one.day) {
            days.entry(&one.table)
                .or_default()
                .insert(start.div_euclid(DAY_US));
        }
    }
    days
}

/// The days within the span of all records on which a table that has records has none.
fn gaps(report: &Report, days: &BTreeMap<&str, BTreeSet<i64>>) -> Vec<Gap> {
    let Some((first, last)) = span(report) else {
        return Vec::new();
    };
    let (first, last) = (first.div_euclid(DAY_US), last.div_euclid(DAY_US));
    let gap = |(table, days): (&&str, &BTreeSet<i64>)| {
        let mut next = first;
        let mut ranges = Vec::new();
        for day in days.range(first..=last).copied().chain([last + 1]) {
            if day > next {
                ranges.push((next, day - 1));
            }
            next = day + 1;
        }
        let missing: i64 = ranges.iter().map(|(from, to)| to - from + 1).sum();
        (missing > 0).then(|| Gap {
            table: line(table),
            days: counted(missing, "day", "days"),
            of_days: number((last - first + 1).unsigned_abs()),
            ranges: ranges.iter().take(RANGES_SHOWN).map(range_words).collect(),
            ranges_more: ranges.len().saturating_sub(RANGES_SHOWN),
        })
    };
    days.iter().filter_map(gap).collect()
}

fn range_words(range: &(i64, i64)) -> String {
    let (first, last) = (day(range.0 * DAY_US), day(range.1 * DAY_US));
    match range.1 - range.0 {
        0 => first,
        1 => format!("{first}, {last}"),
        more => format!("{first} to {last} ({} days)", more + 1),
    }
}

fn letters(files: &[FileLine]) -> Vec<Letters> {
    let mut reasons: BTreeMap<&str, (u64, Vec<&str>)> = BTreeMap::new();
    for file in files {
        for (reason, count) in file.dead_letters.iter().filter(|(_, count)| **count > 0) {
            let entry = reasons.entry(reason).or_default();
            entry.0 = entry.0.saturating_add(*count);
            entry.1.push(&file.path);
        }
    }
    reasons
        .into_iter()
        .take(ROWS_SHOWN)
        .map(|(reason, (count, files))| Letters {
            reason: reason_words(reason),
            word: line(reason),
            count: number(count),
            files: files.iter().take(5).map(|path| line(path)).collect(),
            files_more: files.len().saturating_sub(5),
        })
        .collect()
}

/// A reason of a dead letter for people.
fn reason_words(reason: &str) -> &'static str {
    match reason {
        "not_json" => "Not JSON",
        "truncated" => "Ends in its middle",
        "not_utf8" => "Not UTF-8 text",
        "not_a_record" => "JSON, but not a record",
        "too_large" => "Larger than a record may be",
        "too_deep" => "Nested deeper than a record may be",
        "not_the_format" => "Something else, for example a web page",
        _ => "Another reason",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{coverage, day_start, letters_of, total};
    use crate::input::{DayLine, FileLine, Report, TableLine};

    fn report(days: &[&str], first: &str, last: &str) -> Report {
        Report {
            tables: vec![TableLine {
                table: "signins".to_owned(),
                rows: 9,
                first_us: day_start(first),
                last_us: day_start(last),
            }],
            days: days
                .iter()
                .map(|day| DayLine {
                    table: "signins".to_owned(),
                    day: (*day).to_owned(),
                    rows: 3,
                })
                .collect(),
            ..Report::default()
        }
    }

    #[test]
    fn days_without_records_are_told_as_ranges() {
        let days = ["2021-04-01", "2021-04-03", "2021-04-06", "2021-04-10"];
        let gaps = coverage(&report(&days, "2021-04-01", "2021-04-12")).gaps;
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].days, "8 days");
        assert_eq!(gaps[0].of_days, "12");
        assert_eq!(
            gaps[0].ranges,
            [
                "2021-04-02",
                "2021-04-04, 2021-04-05",
                "2021-04-07 to 2021-04-09 (3 days)",
                "2021-04-11, 2021-04-12"
            ]
        );
        assert!(
            coverage(&report(&["2021-04-01"], "2021-04-01", "2021-04-01"))
                .gaps
                .is_empty()
        );
    }

    #[test]
    fn a_span_of_millennia_costs_nothing() {
        let gaps = coverage(&report(
            &["0002-01-02", "9999-12-29"],
            "0002-01-02",
            "9999-12-29",
        ))
        .gaps;
        assert_eq!(gaps[0].ranges.len(), 1);
    }

    #[test]
    fn feeds_without_rows_are_absent() {
        let absent = coverage(&report(&[], "2021-04-01", "2021-04-01")).absent;
        let tables: Vec<_> = absent.iter().map(|one| one.table).collect();
        assert!(!tables.contains(&"signins"));
        assert!(tables.contains(&"m365_activity"));
    }

    #[test]
    fn dead_letters_add_up() {
        let file = |path: &str, truncated| FileLine {
            path: path.to_owned(),
            records: 10,
            dead_letters: BTreeMap::from([("truncated".to_owned(), truncated)]),
            ..FileLine::default()
        };
        let files = vec![file("a", 2), file("b", u64::MAX)];
        assert_eq!(letters_of(&total(&files)), u64::MAX);
        let coverage = coverage(&Report {
            files,
            ..Report::default()
        });
        assert_eq!(coverage.total.records, "20");
        assert_eq!(coverage.letters[0].reason, "Ends in its middle");
        assert!(!coverage.is_clean);
    }
}
