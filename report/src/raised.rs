//! The alerts of a report with what belongs to each: its account, its times, its events, and its number if it is
//! shown in full.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use schemas::severity::Severity;
use schemas::wire::{Alert, Evidence};
use serde::Serialize;

use super::bounds::{ALERTS_IN_FULL, EVENTS_SHOWN};
use super::input::{EventLine, Report};
use super::moment;
use super::text::{line, number, title_case};

/// Severities from most to least.
pub(super) const SEVERITIES: [Severity; 5] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Informational,
];

/// An alert, and what belongs to it.
#[derive(Debug)]
pub(super) struct Raised<'a> {
    pub(super) alert: &'a Alert,
    pub(super) severity: Severity,
    /// Tenant and account, the latter as the alerts name it; empty if none does.
    pub(super) account: (&'a str, &'a str),
    pub(super) first_us: Option<i64>,
    pub(super) last_us: Option<i64>,
    pub(super) events: Vec<Event<'a>>,
    /// From 1 in the order of time; none if it is not shown in full.
    pub(super) number: Option<usize>,
}

/// A piece of evidence, and its event where the report has it.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) line: Option<&'a EventLine>,
}

/// What makes alerts one finding: they differ in time, account and events only.
pub(super) type FindingKey<'a> = (&'a str, &'a str, &'a str);

/// How many alerts have a severity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SeverityCount {
    pub(super) word: &'static str,
    pub(super) title: String,
    pub(super) count: usize,
    pub(super) text: String,
}

/// A place of the page where an alert is shown in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) number: usize,
    pub(super) anchor: String,
}

/// Places of alerts, as many as a line can take, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Places {
    pub(super) shown: Vec<Place>,
    pub(super) more: usize,
}

impl Raised<'_> {
    pub(super) fn finding(&self) -> FindingKey<'_> {
        let alert = self.alert;
        (&alert.label, &alert.rule_id, &alert.title)
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.number.map(|number| Place {
            number,
            anchor: format!("alert-{number}"),
        })
    }
}

/// Every alert once, in the order of time, those that are shown in full with their numbers.
pub(super) fn raised(report: &Report) -> Vec<Raised<'_>> {
    let events: HashMap<(&str, &str), &EventLine> = report
        .events
        .iter()
        .map(|event| ((event.table.as_str(), event.event_id.as_str()), event))
        .collect();
    let names = names_of_ids(&report.alerts);
    let mut known = HashSet::new();
    let mut all: Vec<Raised<'_>> = report
        .alerts
        .iter()
        .rev()
        .filter(|alert| known.insert((&alert.tenant_id, &alert.alert_id)))
        .map(|alert| of_alert(alert, &events, &names))
        .collect();
    all.sort_by(|a, b| order_of_time(a).cmp(&order_of_time(b)));
    for (before, place) in in_full(&all).into_iter().enumerate() {
        if let Some(one) = all.get_mut(place) {
            one.number = Some(before + 1);
        }
    }
    all
}

/// Alerts without a time come last.
fn order_of_time<'a>(one: &'a Raised<'_>) -> (bool, Option<i64>, &'a str) {
    (one.first_us.is_none(), one.first_us, &one.alert.alert_id)
}

/// The account names that alerts give to object ids, for those that have the id only.
fn names_of_ids(alerts: &[Alert]) -> HashMap<(&str, &str), &str> {
    alerts
        .iter()
        .filter(|alert| !alert.user_id.is_empty() && !alert.user.is_empty())
        .map(|alert| {
            (
                (alert.tenant_id.as_str(), alert.user_id.as_str()),
                alert.user.as_str(),
            )
        })
        .collect()
}

fn of_alert<'a>(
    alert: &'a Alert,
    events: &HashMap<(&str, &str), &'a EventLine>,
    names: &HashMap<(&'a str, &'a str), &'a str>,
) -> Raised<'a> {
    let events: Vec<Event<'a>> = alert
        .evidence
        .iter()
        .map(|evidence| Event {
            evidence,
            line: events
                .get(&(evidence.table.as_str(), evidence.event_id.as_str()))
                .copied(),
        })
        .collect();
    let said = |time: i64| moment::readable(Some(time).filter(|time| *time != 0));
    let of_events = || {
        let lines = events.iter().filter_map(|event| event.line);
        lines.filter_map(|line| moment::readable(line.time_us))
    };
    let first_us = said(alert.first_event_time_us).or_else(|| of_events().min());
    let last_us = said(alert.last_event_time_us).or_else(|| of_events().max());
    let (tenant, id) = (alert.tenant_id.as_str(), alert.user_id.as_str());
    let account = match alert.user.as_str() {
        "" => names.get(&(tenant, id)).copied().unwrap_or(id),
        user => user,
    };
    Raised {
        alert,
        severity: Severity::from_graph(&alert.severity),
        account: (tenant, account),
        first_us,
        last_us: last_us.max(first_us),
        events,
        number: None,
    }
}

/// Which alerts are shown in full, by their places: one of every rule, then the most severe, and among those first
/// one of every account and rule, so that one loud rule does not push out the others.
fn in_full(all: &[Raised<'_>]) -> Vec<usize> {
    let mut rules = HashSet::new();
    let mut turns: HashMap<_, usize> = HashMap::new();
    let mut ranked: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let turn = turns.entry((one.account, one.finding())).or_default();
            *turn += 1;
            let is_known_rule = !rules.insert(one.finding());
            (is_known_rule, std::cmp::Reverse(one.severity), *turn, place)
        })
        .collect();
    ranked.sort_unstable();
    let mut places: Vec<usize> = ranked.into_iter().map(|ranks| ranks.3).collect();
    places.truncate(ALERTS_IN_FULL);
    places.sort_unstable();
    places
}

/// The events that the page shows: ids by table, of alerts that are shown in full.
pub fn evidence_in_full(report: &Report) -> BTreeMap<String, BTreeSet<String>> {
    let all = raised(report);
    let full = all.iter().filter(|one| one.number.is_some());
    let shown = full.flat_map(|one| one.alert.evidence.iter().take(EVENTS_SHOWN));
    let mut by_table: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for evidence in shown {
        let ids = by_table.entry(evidence.table.clone()).or_default();
        ids.insert(evidence.event_id.clone());
    }
    by_table
}

/// Alerts by severity, from most to least, those without alerts too.
pub(super) fn by_severity<'a>(all: impl Iterator<Item = &'a Raised<'a>>) -> Vec<SeverityCount> {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one.severity).or_default() += 1;
    }
    let count = |severity| counts.get(&severity).copied().unwrap_or(0);
    SEVERITIES
        .into_iter()
        .map(|severity| SeverityCount {
            word: severity.as_str(),
            title: title_case(severity.as_str()),
            count: count(severity),
            text: number(count(severity) as u64),
        })
        .collect()
}

/// The places of alerts in the order that they come in, at most `most`; alerts that are not shown in full are counted
/// as more.
pub(super) fn places<'a>(all: impl Iterator<Item = &'a Raised<'a>>, most: usize) -> Places {
    let mut places = Places::default();
    for one in all {
        match one.place() {
            Some(place) if places.shown.len() < most => places.shown.push(place),
            _ => places.more += 1,
        }
    }
    places
}

/// Earliest and latest time of some alerts, where any has one.
pub(super) fn span<'a>(all: impl Iterator<Item = &'a Raised<'a>>) -> Option<(i64, i64)> {
    all.filter_map(|one| one.first_us.zip(one.last_us))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The account's name for a page.
pub(super) fn account_name(account: &str) -> String {
    if account.is_empty() {
        "No account named".to_owned()
    } else {
        line(account)
    }
}

#[cfg(test)]
mod tests {
    use schemas::severity::Severity;
    use schemas::wire::{Alert, Evidence};

    use super::{ALERTS_IN_FULL, by_severity, places, raised};
    use crate::input::{EventLine, Report};

    fn alert(id: usize, rule: &str, severity: &str) -> Alert {
        Alert {
            alert_id: format!("{id:08x}"),
            rule_id: rule.to_owned(),
            title: rule.to_owned(),
            severity: severity.to_owned(),
            first_event_time_us: 1 + i64::try_from(id).unwrap(),
            ..Alert::default()
        }
    }

    fn report(alerts: Vec<Alert>) -> Report {
        Report {
            alerts,
            ..Report::default()
        }
    }

    #[test]
    fn a_loud_rule_does_not_push_out_the_others() {
        let mut alerts: Vec<Alert> = (0..2 * ALERTS_IN_FULL)
            .map(|id| alert(id, "loud", "high"))
            .collect();
        alerts.push(alert(5_000, "quiet", "low"));
        let report = report(alerts);
        let all = raised(&report);
        let full: Vec<_> = all.iter().filter(|one| one.number.is_some()).collect();
        assert_eq!(full.len(), ALERTS_IN_FULL);
        assert_eq!(full.last().unwrap().alert.title, "quiet");
        let numbers: Vec<_> = full.iter().filter_map(|one| one.number).collect();
        assert_eq!(numbers, (1..=ALERTS_IN_FULL).collect::<Vec<_>>());
        let places = places(all.iter(), 10);
        assert_eq!((places.shown.len(), places.more), (10, all.len() - 10));
    }

    #[test]
    fn the_later_of_two_versions_of_an_alert_stands() {
        let mut amended = alert(1, "rule", "high");
        amended.state = "amended".to_owned();
        let report = report(vec![alert(1, "rule", "low"), amended]);
        let all = raised(&report);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].alert.state, "amended");
    }

    #[test]
    fn an_unknown_severity_counts_as_medium_and_every_alert_is_counted() {
        let report = report(vec![alert(1, "a", "<b>"), alert(2, "a", "critical")]);
        let all = raised(&report);
        assert_eq!(all[0].severity, Severity::Medium);
        let counts = by_severity(all.iter());
        assert_eq!(counts.iter().map(|one| one.count).sum::<usize>(), 2);
        assert_eq!((counts[0].word, counts[0].count), ("critical", 1));
    }

    #[test]
    fn times_come_from_the_events_where_the_alert_has_none() {
        let mut bare = alert(1, "a", "low");
        bare.first_event_time_us = 0;
        bare.evidence = vec![Evidence {
            table: "signins".to_owned(),
            event_id: "e".to_owned(),
            ..Evidence::default()
        }];
        let mut report = report(vec![bare]);
        assert_eq!(raised(&report)[0].first_us, None);
        report.events = vec![EventLine {
            table: "signins".to_owned(),
            event_id: "e".to_owned(),
            time_us: Some(77),
            ..EventLine::default()
        }];
        let all = raised(&report);
        assert_eq!((all[0].first_us, all[0].last_us), (Some(77), Some(77)));
    }

    #[test]
    fn an_alert_with_the_id_of_an_account_joins_the_account() {
        let mut named = alert(1, "a", "low");
        named.user = "ada@harbour.example".to_owned();
        named.user_id = "7f".to_owned();
        let mut bare = alert(2, "b", "low");
        bare.user_id = "7f".to_owned();
        let report = report(vec![named, bare]);
        assert!(
            raised(&report)
                .iter()
                .all(|one| one.account.1 == "ada@harbour.example")
        );
    }
}
