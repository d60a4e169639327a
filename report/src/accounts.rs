//! Alerts by account, and under each by rule, so that what a rule means is said once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bounds::{DETAILS_SHOWN, EVENTS_SHOWN, ROWS_SHOWN};
use super::input::{EventLine, Report};
use super::moment::{Moment, moment};
use super::raised::{
    Event, FindingKey, Raised, SEVERITIES, SeverityCount, account_name, by_severity, span,
};
use super::text::{
    DESCRIPTION_CHARACTERS, VALUE_CHARACTERS, counted, inert, is_safe_in_command, line, link,
    number, title_case,
};

/// A finding with more alerts than this shows them closed on a screen.
const OPEN_ALERTS_MAX: usize = 2;
/// An alert with more events than this is shown closed on a screen.
const OPEN_EVENTS_MAX: usize = 3;

/// Most characters of a field in the line of an alert; the field is below with more.
const GIST_CHARACTERS: usize = 80;

/// An account and the alerts about it.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    pub(super) anchor: String,
    pub(super) name: String,
    /// True for the alerts that name no account.
    pub(super) is_nameless: bool,
    pub(super) user_id: String,
    /// The tenant's id where the report has several, or empty.
    pub(super) tenant: String,
    /// The most severe of its alerts.
    pub(super) severity: &'static str,
    pub(super) severities: Vec<SeverityCount>,
    pub(super) count: String,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
    pub(super) techniques: Vec<String>,
    pub(super) tactics: Vec<String>,
    pub(super) titles: Vec<String>,
    findings: Vec<Finding>,
    /// Alerts that are not shown in full.
    more: usize,
    /// Its name where that can stand in a command.
    pub(super) in_command: Option<String>,
}

/// The alerts of a rule about an account.
#[derive(Debug, Serialize)]
struct Finding {
    title: String,
    severity: &'static str,
    label: String,
    meaning: Vec<String>,
    checks: Vec<String>,
    techniques: Vec<String>,
    tactics: Vec<String>,
    references: Vec<String>,
    alerts: Vec<Shown>,
    count: String,
}

/// An alert in full.
#[derive(Debug, Serialize)]
struct Shown {
    number: usize,
    anchor: String,
    id: String,
    is_open: bool,
    first: Option<Moment>,
    last: Option<Moment>,
    gist: String,
    ip: String,
    session: String,
    /// Names and values of what events were counted by; none where one event is an alert.
    group: Vec<(String, String)>,
    /// "amended" or "withdrawn", or empty.
    state: String,
    url: Option<String>,
    reproduce: Option<String>,
    events: Vec<Proof>,
    events_count: String,
    events_more: Option<String>,
}

/// An event as evidence.
#[derive(Debug, Serialize)]
struct Proof {
    is_known: bool,
    time: Option<Moment>,
    operation: String,
    user: String,
    ip: String,
    details: Vec<(String, String)>,
    details_more: usize,
    table: String,
    event_id: String,
    file: String,
    row: String,
}

/// Alerts that are not shown in full, by rule.
#[derive(Debug, Serialize)]
pub(super) struct Rest {
    count: String,
    shown: String,
    rules: Vec<RestRule>,
    rules_more: usize,
}

#[derive(Debug, Serialize)]
struct RestRule {
    title: String,
    label: String,
    severity: &'static str,
    count: String,
    accounts: String,
    first: Option<Moment>,
    last: Option<Moment>,
}

/// The accounts, those with the most severe alerts first.
pub(super) fn accounts(report: &Report, all: &[Raised<'_>]) -> Vec<Account> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Raised<'_>>> = BTreeMap::new();
    for one in all {
        groups.entry(one.account).or_default().push(one);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((tenant, name), alerts)| {
        let counts =
            SEVERITIES.map(|severity| alerts.iter().filter(|one| one.severity == severity).count());
        (Reverse(counts), *name, *tenant)
    });
    let has_tenants = all
        .iter()
        .any(|one| Some(one.account.0) != all.first().map(|first| first.account.0));
    groups
        .into_iter()
        .enumerate()
        .map(|(before, ((tenant, name), alerts))| Account {
            tenant: if has_tenants {
                line(tenant)
            } else {
                String::new()
            },
            ..account(report, format!("account-{}", before + 1), name, &alerts)
        })
        .collect()
}

fn account(report: &Report, anchor: String, name: &str, alerts: &[&Raised<'_>]) -> Account {
    let of_alerts = || alerts.iter().copied();
    let times = span(of_alerts());
    let user_id = alerts.iter().map(|one| one.alert.user_id.as_str());
    let user_id = user_id.filter(|id| *id != name).find(|id| !id.is_empty());
    let mut findings: BTreeMap<FindingKey<'_>, Vec<&Raised<'_>>> = BTreeMap::new();
    for one in alerts {
        findings.entry(one.finding()).or_default().push(one);
    }
    let mut findings: Vec<_> = findings.into_values().collect();
    findings.sort_by_key(|alerts| {
        alerts
            .first()
            .map(|one| (Reverse(one.severity), one.first_us))
    });
    let worst = alerts
        .iter()
        .map(|one| one.severity)
        .max()
        .unwrap_or_default();
    Account {
        anchor,
        name: account_name(name),
        is_nameless: name.is_empty(),
        user_id: line(user_id.unwrap_or_default()),
        tenant: String::new(),
        severity: worst.as_str(),
        severities: by_severity(of_alerts())
            .into_iter()
            .filter(|one| one.count > 0)
            .collect(),
        count: counted(alerts.len(), "alert", "alerts"),
        first: moment(times.map(|times| times.0)),
        last: moment(times.map(|times| times.1)),
        techniques: words(alerts.iter().flat_map(|one| &one.alert.techniques), line),
        tactics: words(alerts.iter().flat_map(|one| &one.alert.tactics), title_case),
        titles: findings
            .iter()
            .filter_map(|alerts| alerts.first())
            .map(|one| line(&one.alert.title))
            .collect(),
        more: alerts.iter().filter(|one| one.number.is_none()).count(),
        findings: findings
            .iter()
            .filter_map(|alerts| finding(report, alerts))
            .collect(),
        in_command: is_safe_in_command(name).then(|| name.to_owned()),
    }
}

/// Distinct words, in their order.
fn words<'a>(all: impl Iterator<Item = &'a String>, shown: fn(&str) -> String) -> Vec<String> {
    let distinct: BTreeSet<&String> = all.filter(|word| !word.is_empty()).collect();
    distinct
        .into_iter()
        .take(ROWS_SHOWN)
        .map(|word| shown(word))
        .collect()
}

fn finding(report: &Report, alerts: &[&Raised<'_>]) -> Option<Finding> {
    let full: Vec<_> = alerts.iter().filter(|one| one.number.is_some()).collect();
    let first = full.first()?;
    let alert = first.alert;
    let (meaning, checks) = parted(&alert.description);
    let references = report.references.get(&alert.rule_id);
    let is_short = full.len() <= OPEN_ALERTS_MAX;
    Some(Finding {
        title: line(&alert.title),
        severity: first.severity.as_str(),
        label: line(&alert.label),
        meaning,
        checks,
        techniques: words(alerts.iter().flat_map(|one| &one.alert.techniques), line),
        tactics: words(alerts.iter().flat_map(|one| &one.alert.tactics), title_case),
        references: references
            .into_iter()
            .flatten()
            .filter_map(|address| link(address))
            .collect(),
        alerts: full.iter().filter_map(|one| shown(one, is_short)).collect(),
        count: counted(alerts.len(), "alert", "alerts"),
    })
}

/// What a description says it means, by paragraph, and what it says to check first.
fn parted(description: &str) -> (Vec<String>, Vec<String>) {
    let text = inert(description, DESCRIPTION_CHARACTERS);
    let (meaning, checks) = text.split_once("\nCheck first:").unwrap_or((&text, ""));
    let paragraphs = meaning.split("\n\n").map(str::trim);
    let mut items: Vec<String> = Vec::new();
    for row in checks.lines().map(str::trim).filter(|row| !row.is_empty()) {
        match (row.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push(item.to_owned()),
            (None, Some(item)) => {
                item.push(' ');
                item.push_str(row);
            }
            (None, None) => items.push(row.to_owned()),
        }
    }
    let paragraphs = paragraphs.filter(|paragraph| !paragraph.is_empty());
    (paragraphs.map(str::to_owned).collect(), items)
}

fn shown(one: &Raised<'_>, is_short: bool) -> Option<Shown> {
    let place = one.place()?;
    let alert = one.alert;
    let is_hex = alert.alert_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let named = one.events.len() as u64;
    // An alert of many events names some of them, and how many there are.
    let events = alert.event_count.max(named);
    let more = events.saturating_sub(named.min(EVENTS_SHOWN as u64));
    let first_line = one.events.iter().find_map(|event| event.line);
    Some(Shown {
        number: place.number,
        anchor: place.anchor,
        id: line(&alert.alert_id),
        is_open: is_short && one.events.len() <= OPEN_EVENTS_MAX,
        first: moment(one.first_us),
        last: moment(one.last_us.filter(|last| Some(*last) != one.first_us)),
        gist: first_line.map_or_else(String::new, gist),
        ip: line(&alert.ip),
        session: line(&alert.session_id),
        group: group(&alert.group_key),
        state: line(
            Some(alert.state.as_str())
                .filter(|state| *state != "raised")
                .unwrap_or_default(),
        ),
        url: link(&alert.url),
        reproduce: (is_hex && (6..=64).contains(&alert.alert_id.len()))
            .then(|| format!("vedette reproduce {}", alert.alert_id)),
        events: one.events.iter().take(EVENTS_SHOWN).map(proof).collect(),
        events_count: counted(events, "event", "events"),
        events_more: (more > 0).then(|| number(more)),
    })
}

/// What tells the group of a correlation, which is written as a JSON object; other alerts have one event's id there.
fn group(key: &str) -> Vec<(String, String)> {
    let parts: BTreeMap<String, String> = serde_json::from_str(key).unwrap_or_default();
    parts
        .iter()
        .take(DETAILS_SHOWN)
        .map(|(name, value)| (line(name), inert(value, VALUE_CHARACTERS)))
        .collect()
}

/// What was done, and the most telling field of it.
fn gist(event: &EventLine) -> String {
    let operation = line(&event.operation);
    match event.details.first() {
        Some((_, value)) => format!("{operation} {}", inert(value, GIST_CHARACTERS)),
        None => operation,
    }
}

fn proof(event: &Event<'_>) -> Proof {
    let evidence = event.evidence;
    let cell = |read: fn(&EventLine) -> &str| line(event.line.map_or("", read));
    let details = event.line.map_or(&[][..], |line| &line.details);
    // The event was found where it lies now; the alert knows where it lay when the rule ran.
    let (file, row) = match event.line {
        Some(found) if !found.file.is_empty() => (&found.file, found.row),
        _ => (&evidence.file, evidence.row),
    };
    Proof {
        is_known: event.line.is_some(),
        time: moment(event.line.and_then(|line| line.time_us)),
        operation: cell(|line| &line.operation),
        user: cell(|line| &line.user),
        ip: cell(|line| &line.ip),
        details: details
            .iter()
            .take(DETAILS_SHOWN)
            .map(|(name, value)| (line(name), inert(value, VALUE_CHARACTERS)))
            .collect(),
        details_more: details.len().saturating_sub(DETAILS_SHOWN),
        table: line(&evidence.table),
        event_id: line(&evidence.event_id),
        file: line(file),
        row: row.to_string(),
    }
}

/// The alerts that are not shown in full, or none.
pub(super) fn rest(all: &[Raised<'_>]) -> Option<Rest> {
    let mut rules: BTreeMap<FindingKey<'_>, Vec<&Raised<'_>>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.number.is_none()) {
        rules.entry(one.finding()).or_default().push(one);
    }
    let count: usize = rules.values().map(Vec::len).sum();
    let mut rules: Vec<_> = rules.into_values().collect();
    rules.sort_by_key(|alerts| {
        (
            Reverse(alerts.iter().map(|one| one.severity).max()),
            Reverse(alerts.len()),
        )
    });
    (count > 0).then(|| Rest {
        count: number(count as u64),
        shown: number((all.len() - count) as u64),
        rules_more: rules.len().saturating_sub(ROWS_SHOWN),
        rules: rules
            .iter()
            .take(ROWS_SHOWN)
            .filter_map(|alerts| rest_rule(alerts))
            .collect(),
    })
}

fn rest_rule(alerts: &[&Raised<'_>]) -> Option<RestRule> {
    let first = alerts.first()?;
    let accounts: BTreeSet<_> = alerts.iter().map(|one| one.account).collect();
    let times = span(alerts.iter().copied());
    Some(RestRule {
        title: line(&first.alert.title),
        label: line(&first.alert.label),
        severity: first.severity.as_str(),
        count: number(alerts.len() as u64),
        accounts: number(accounts.len() as u64),
        first: moment(times.map(|times| times.0)),
        last: moment(times.map(|times| times.1)),
    })
}

#[cfg(test)]
mod tests {
    use schemas::wire::{Alert, Evidence};

    use super::{EVENTS_SHOWN, accounts, group, parted, rest};
    use crate::input::Report;
    use crate::raised::raised;

    fn alert(id: &str, user: &str, severity: &str) -> Alert {
        Alert {
            alert_id: id.to_owned(),
            user: user.to_owned(),
            severity: severity.to_owned(),
            ..Alert::default()
        }
    }

    #[test]
    fn a_description_is_parted_into_meaning_and_checks() {
        let (meaning, checks) = parted("One.\n\nTwo.\n\nCheck first:\n- Who?\n  And why?\n- When?");
        assert_eq!(meaning, ["One.", "Two."]);
        assert_eq!(checks, ["Who? And why?", "When?"]);
        assert_eq!(
            parted("Only this."),
            (vec!["Only this.".to_owned()], vec![])
        );
    }

    #[test]
    fn one_severe_alert_weighs_more_than_many_light_ones() {
        let mut alerts: Vec<Alert> = (0..9)
            .map(|id| alert(&format!("{id}"), "loud", "low"))
            .collect();
        alerts.push(alert("a", "quiet", "high"));
        let report = Report {
            alerts,
            ..Report::default()
        };
        let all = raised(&report);
        let names: Vec<_> = accounts(&report, &all)
            .into_iter()
            .map(|one| one.name)
            .collect();
        assert_eq!(names, ["quiet", "loud"]);
        assert!(rest(&all).is_none());
    }

    #[test]
    fn an_alert_of_many_events_says_how_many_and_what_they_share() {
        let mut many = alert("a1b2c3d4", "ada", "high");
        many.event_count = 1_234;
        many.group_key = r#"{"UserId":"ada","ClientIP":"192.0.2.7"}"#.to_owned();
        many.evidence = vec![Evidence::default(); 50];
        let report = Report {
            alerts: vec![many],
            ..Report::default()
        };
        let accounts = accounts(&report, &raised(&report));
        let shown = &accounts[0].findings[0].alerts[0];
        assert_eq!(shown.events_count, "1,234 events");
        assert_eq!(shown.events_more.as_deref(), Some("1,214"));
        let names: Vec<&str> = shown.group.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ClientIP", "UserId"]);
        assert!(group("an-event-id").is_empty() && group("[1]").is_empty());
    }

    #[test]
    fn events_beyond_the_bound_are_counted_and_unknown_ones_keep_their_place_in_the_lake() {
        let mut many = alert("a1b2c3d4", "ada", "high");
        many.evidence = vec![
            Evidence {
                file: "day/part.parquet".to_owned(),
                row: 1_490,
                ..Evidence::default()
            };
            EVENTS_SHOWN + 1_000
        ];
        let report = Report {
            alerts: vec![many],
            ..Report::default()
        };
        let accounts = accounts(&report, &raised(&report));
        let shown = &accounts[0].findings[0].alerts[0];
        assert_eq!(shown.events.len(), EVENTS_SHOWN);
        assert_eq!(shown.events_more.as_deref(), Some("1,000"));
        assert_eq!(
            (shown.events[0].file.as_str(), shown.events[0].row.as_str()),
            ("day/part.parquet", "1490")
        );
        assert_eq!(
            shown.reproduce.as_deref(),
            Some("vedette reproduce a1b2c3d4")
        );
        assert!(!shown.is_open);
    }
}
