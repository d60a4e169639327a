//! The first screen: what, when, how much, who; and the last one: how the report came about.

use std::collections::BTreeMap;

use serde::Serialize;

use super::accounts::Account;
use super::coverage;
use super::input::Report;
use super::moment::{Moment, day_range, long_day, midnight, moment};
use super::raised::{Raised, SeverityCount, by_severity};
use super::text::{VALUE_CHARACTERS, counted, inert, line, listed, number};

/// Most tenants, and most accounts, that are named on the first screen.
const TENANTS_SHOWN: usize = 10;
const ACCOUNTS_SHOWN: usize = 6;
/// Most findings that the sentence names.
const TITLES_IN_SENTENCE: usize = 3;

/// The first screen.
#[derive(Debug, Serialize)]
pub(super) struct Headline {
    title: String,
    tenants: Vec<TenantRow>,
    tenants_more: usize,
    made: Option<Moment>,
    sentences: Vec<String>,
    span: String,
    first: Option<Moment>,
    last: Option<Moment>,
    records: String,
    records_note: String,
    alerts: usize,
    alerts_text: String,
    accounts: usize,
    accounts_text: String,
    severities: Vec<SeverityCount>,
    concerned: Vec<Concerned>,
    concerned_more: usize,
}

#[derive(Debug, Serialize)]
struct TenantRow {
    id: String,
    name: String,
}

/// An account on the first screen.
#[derive(Debug, Serialize)]
struct Concerned {
    anchor: String,
    name: String,
    severity: &'static str,
    count: String,
    severities: Vec<SeverityCount>,
    first: Option<Moment>,
    last: Option<Moment>,
    titles: Vec<String>,
    titles_more: usize,
}

/// How the report came about, and how to go on.
#[derive(Debug, Serialize)]
pub(super) struct Making {
    version: String,
    made: Option<Moment>,
    rules: String,
    command: String,
    asks: Vec<Ask>,
}

/// A command to go on with.
#[derive(Debug, Serialize)]
struct Ask {
    question: &'static str,
    command: String,
}

/// The first screen of a report.
pub(super) fn headline(report: &Report, all: &[Raised<'_>], accounts: &[Account]) -> Headline {
    let span = coverage::span(report);
    let rows: u64 = report
        .tables
        .iter()
        .fold(0, |sum, table| sum.saturating_add(table.rows));
    let read = coverage::total(&report.files).records;
    let severities = by_severity(all.iter());
    Headline {
        title: title(report),
        tenants: report
            .tenants
            .iter()
            .take(TENANTS_SHOWN)
            .map(|tenant| TenantRow {
                id: line(&tenant.id),
                name: line(&tenant.name),
            })
            .collect(),
        tenants_more: report.tenants.len().saturating_sub(TENANTS_SHOWN),
        made: moment(Some(report.made.time_us).filter(|time| *time != 0)),
        sentences: sentences(report, all, accounts, rows),
        span: span.map_or_else(
            || "No record with a time".to_owned(),
            |(first, last)| day_range(first, last),
        ),
        first: moment(span.map(|span| span.0)),
        last: moment(span.map(|span| span.1)),
        records: number(rows),
        records_note: format!(
            "{} read from {}",
            number(read),
            counted(report.files.len(), "file", "files")
        ),
        alerts: all.len(),
        alerts_text: number(all.len() as u64),
        accounts: named(accounts),
        accounts_text: number(named(accounts) as u64),
        severities,
        concerned: accounts
            .iter()
            .take(ACCOUNTS_SHOWN)
            .map(concerned)
            .collect(),
        concerned_more: accounts.len().saturating_sub(ACCOUNTS_SHOWN),
    }
}

fn title(report: &Report) -> String {
    match report.tenants.as_slice() {
        [] => "No tenant".to_owned(),
        [only] if only.name.is_empty() => line(&only.id),
        [only] => line(&only.name),
        many => counted(many.len(), "tenant", "tenants"),
    }
}

/// How many accounts have a name.
fn named(accounts: &[Account]) -> usize {
    accounts
        .iter()
        .filter(|account| !account.is_nameless)
        .count()
}

fn concerned(account: &Account) -> Concerned {
    Concerned {
        anchor: account.anchor.clone(),
        name: account.name.clone(),
        severity: account.severity,
        count: account.count.clone(),
        severities: account.severities.clone(),
        first: account.first.clone(),
        last: account.last.clone(),
        titles: account
            .titles
            .iter()
            .take(TITLES_IN_SENTENCE)
            .cloned()
            .collect(),
        titles_more: account.titles.len().saturating_sub(TITLES_IN_SENTENCE),
    }
}

/// What was found, in plain words.
fn sentences(report: &Report, all: &[Raised<'_>], accounts: &[Account], rows: u64) -> Vec<String> {
    if rows == 0 && all.is_empty() {
        return vec![
            "No record could be read, so nothing can be said about the tenant.".to_owned(),
        ];
    }
    if all.is_empty() {
        return vec![
            format!("No rule found anything in {} records.", number(rows)),
            "That is not proof that nothing happened: what was not recorded or not exported cannot be found; \
             the part on what was read lists what is missing."
                .to_owned(),
        ];
    }
    let mut sentences = vec![finding_sentence(all, accounts)];
    sentences.extend(days_sentence(all));
    if let Some(first) = accounts
        .first()
        .filter(|first| !first.is_nameless)
        // Of accounts with the same number of the same severities none is more concerned than the others.
        .filter(|first| {
            accounts
                .get(1)
                .is_some_and(|next| next.severities != first.severities)
        })
    {
        sentences.push(format!(
            "Most concerned is {}, with {}.",
            first.name, first.count
        ));
    }
    let withdrawn = all
        .iter()
        .filter(|one| one.alert.state == "withdrawn")
        .count();
    if withdrawn > 0 {
        sentences.push(format!(
            "{} withdrawn since.",
            match withdrawn {
                1 => "One alert was".to_owned(),
                many => format!("{} alerts were", number(many as u64)),
            }
        ));
    }
    let unread = report
        .files
        .iter()
        .filter(|file| file.failure.is_some())
        .count();
    if unread > 0 {
        sentences.push(format!(
            "{} could not be read to the end.",
            counted(unread, "file", "files")
        ));
    }
    sentences.extend(incomplete(report));
    sentences
}

/// That files say of themselves that more was there to export.
fn incomplete(report: &Report) -> Option<String> {
    let files = report.files.iter().filter(|file| file.is_incomplete);
    let of_what = match files.count() {
        0 => return None,
        1 => "1 file says that it holds only part".to_owned(),
        many => format!("{} files say that they hold only part", number(many as u64)),
    };
    Some(format!("{of_what} of what was there to export."))
}

/// `38 alerts about 5 accounts, 25 of them high: A, B and C, and 5 kinds more.`
fn finding_sentence(all: &[Raised<'_>], accounts: &[Account]) -> String {
    let worst = all.iter().map(|one| one.severity).max().unwrap_or_default();
    let of_worst = all.iter().filter(|one| one.severity == worst);
    let mut titles: BTreeMap<&str, usize> = BTreeMap::new();
    for one in of_worst.clone() {
        *titles.entry(&one.alert.title).or_default() += 1;
    }
    let mut titles: Vec<_> = titles.into_iter().collect();
    titles.sort_by_key(|(title, count)| (std::cmp::Reverse(*count), *title));
    let mut words: Vec<String> = titles
        .iter()
        .take(TITLES_IN_SENTENCE)
        .map(|(title, _)| format!("“{}”", line(title)))
        .collect();
    if let Some(more @ 1..) = titles.len().checked_sub(TITLES_IN_SENTENCE) {
        words.push(format!("{} more", number(more as u64)));
    }
    let about = match named(accounts) {
        0 => String::new(),
        count => format!(" about {}", counted(count, "account", "accounts")),
    };
    format!(
        "{}{about}, {} of {worst} severity: {}.",
        counted(all.len(), "alert", "alerts"),
        match of_worst.count() {
            count if count == all.len() => "all".to_owned(),
            count => number(count as u64),
        },
        listed(&words)
    )
}

/// `They fall on 5 days, 16 April to 19 July 2021, most of them (18) on 19 July 2021.`
fn days_sentence(all: &[Raised<'_>]) -> Option<String> {
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    for time in all.iter().filter_map(|one| one.first_us) {
        *days.entry(midnight(time)).or_default() += 1;
    }
    let (first, last) = (*days.first_key_value()?.0, *days.last_key_value()?.0);
    let (most, count) = days.iter().max_by_key(|(_, count)| **count)?;
    let is_even = days.values().filter(|other| *other == count).count() > 1;
    Some(match days.len() {
        many if many > 1 && is_even => format!(
            "They fall on {} days, {}.",
            number(many as u64),
            day_range(first, last)
        ),
        1 => format!("All of it happened on {}.", long_day(first)),
        many => format!(
            "They fall on {} days, {}, most of them ({}) on {}.",
            number(many as u64),
            day_range(first, last),
            number(*count as u64),
            long_day(*most)
        ),
    })
}

/// How a report came about, and how to ask further.
pub(super) fn making(report: &Report, all: &[Raised<'_>], accounts: &[Account]) -> Making {
    Making {
        version: line(&report.made.version),
        made: moment(Some(report.made.time_us).filter(|time| *time != 0)),
        rules: number(report.made.rules),
        command: inert(&report.made.command, VALUE_CHARACTERS),
        asks: asks(report, all, accounts),
    }
}

fn asks(report: &Report, all: &[Raised<'_>], accounts: &[Account]) -> Vec<Ask> {
    let mut asks = vec![Ask {
        question: "All alerts, oldest first",
        command: "vedette sql \"SELECT event_time, alert_severity, title, user_principal_name FROM alerts_current ORDER BY event_time\"".to_owned(),
    }];
    let is_plain =
        |id: &str| (6..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(one) = all.iter().find(|one| is_plain(&one.alert.alert_id)) {
        asks.push(Ask {
            question: "Whether an alert comes out again of the very rows that it names, and why",
            command: format!("vedette reproduce {}", one.alert.alert_id),
        });
    }
    let has_activity = report
        .tables
        .iter()
        .any(|table| table.table == "m365_activity" && table.rows > 0);
    if let Some(name) = accounts
        .iter()
        .find_map(|one| one.in_command.as_deref())
        .filter(|_| has_activity)
    {
        asks.push(Ask {
            question: "Everything that an account did, and from where",
            command: format!(
                "vedette sql \"SELECT event_time, operation, ip_address, object_id FROM m365_activity WHERE lower(user_id) = '{}' ORDER BY event_time\"",
                name.to_lowercase()
            ),
        });
    }
    asks.push(Ask {
        question: "What could not be read, with its bytes",
        command: "vedette sql \"SELECT position, reason, detail FROM dead_letters\"".to_owned(),
    });
    asks
}

#[cfg(test)]
mod tests {
    use schemas::wire::Alert;

    use super::{Headline, headline, making};
    use crate::accounts::accounts;
    use crate::input::{Report, TableLine};
    use crate::raised::raised;

    fn of(report: &Report) -> Headline {
        let all = raised(report);
        headline(report, &all, &accounts(report, &all))
    }

    fn alert(id: &str, user: &str, title: &str, severity: &str) -> Alert {
        Alert {
            alert_id: id.to_owned(),
            user: user.to_owned(),
            title: title.to_owned(),
            severity: severity.to_owned(),
            ..Alert::default()
        }
    }

    fn activity(rows: u64) -> Vec<TableLine> {
        vec![TableLine {
            table: "m365_activity".to_owned(),
            rows,
            ..TableLine::default()
        }]
    }

    #[test]
    fn the_sentence_names_the_most_severe_findings() {
        let alerts = vec![
            alert("1", "ada@harbour.example", "Mail forwarded", "high"),
            alert("2", "ada@harbour.example", "Mail hidden", "high"),
            alert("3", "wim@harbour.example", "Mail hidden", "high"),
            alert("4", "", "Odd", "low"),
        ];
        let headline = of(&Report {
            alerts,
            tables: activity(9),
            ..Report::default()
        });
        assert_eq!(
            headline.sentences[0],
            "4 alerts about 2 accounts, 3 of high severity: “Mail hidden” and “Mail forwarded”."
        );
        assert_eq!(
            headline.sentences.len(),
            2,
            "no alert has a time: no sentence about days"
        );
        assert_eq!(
            headline.sentences[1],
            "Most concerned is ada@harbour.example, with 2 alerts."
        );
        assert_eq!(headline.accounts, 2);
    }

    #[test]
    fn nothing_found_is_not_called_proof() {
        let headline = of(&Report {
            tables: activity(1_000),
            ..Report::default()
        });
        assert_eq!(
            headline.sentences[0],
            "No rule found anything in 1,000 records."
        );
        assert!(headline.sentences[1].contains("not proof"));
        assert!(of(&Report::default()).sentences[0].contains("nothing can be said"));
    }

    #[test]
    fn a_hostile_name_is_in_no_command() {
        let alerts = vec![alert("`id`", "a'; DROP TABLE x; --$(id)", "T", "high")];
        let report = Report {
            alerts,
            tables: activity(1),
            ..Report::default()
        };
        let all = raised(&report);
        let making = making(&report, &all, &accounts(&report, &all));
        let commands: Vec<_> = making.asks.iter().map(|ask| ask.command.as_str()).collect();
        assert_eq!(commands.len(), 2, "{commands:?}");
        assert!(
            commands
                .iter()
                .all(|command| !command.contains("DROP") && !command.contains("`id`"))
        );
    }
}
