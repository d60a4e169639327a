//! Figures of a backtest: hits of each rule by day, account and address, and what the rule costs. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use columns::{day_from_text, day_text, identity_of};
use schemas::wire::Alert;
use sigma::Ruleset;
use sigma::correlation::Signal;

use super::Measured;

/// Most accounts, and most addresses, that are told apart for one rule.
const ENTITIES_MAX: usize = 100_000;

/// Days of files that are looked at, both ends among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The first, `YYYY-MM-DD`.
    pub first: String,
    /// The last: the newest that the lake has.
    pub last: String,
}

impl Window {
    /// The last `days` of the days that there are; none if there are none.
    pub fn of<'a>(all: impl Iterator<Item = &'a str> + Clone, days: Option<u32>) -> Option<Self> {
        let last = all.clone().max()?;
        let first = match days {
            None => all.min()?.to_owned(),
            Some(days) => {
                let back = i32::try_from(days.saturating_sub(1)).unwrap_or(i32::MAX);
                // A day that cannot be read is its own window.
                let first = day_from_text(last).map(|day| day_text(day.saturating_sub(back)));
                first.unwrap_or_else(|| last.to_owned())
            }
        };
        Some(Self {
            first,
            last: last.to_owned(),
        })
    }

    /// The last days of it, at most so many, in order.
    pub fn days(&self, most: u32) -> Vec<String> {
        let (Some(first), Some(last)) = (day_from_text(&self.first), day_from_text(&self.last))
        else {
            return Vec::new();
        };
        let back = i32::try_from(most.saturating_sub(1)).unwrap_or(i32::MAX);
        let first = first.max(last.saturating_sub(back));
        (first..=last).map(day_text).collect()
    }

    /// True for a day inside.
    pub fn has(&self, day: &str) -> bool {
        (self.first.as_str()..=self.last.as_str()).contains(&day)
    }
}

/// What a backtest came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The days that were looked at; none if the lake has no file for any rule.
    pub window: Option<Window>,
    /// Files.
    pub files: usize,
    /// Row groups.
    pub row_groups: usize,
    /// Rows.
    pub rows: u64,
    /// Processor time of all rules together, alerts made of their hits.
    pub together: Duration,
    /// For each rule and correlation, in the order of [`Ruleset::metadata`].
    pub rules: Vec<Figures>,
}

/// What a rule came to.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Distinct events that it found; of what counts over time, its alerts.
    pub hits: u64,
    /// Those of each day.
    pub by_day: BTreeMap<String, u64>,
    /// Those of each account, most first.
    pub users: Vec<(String, u64)>,
    /// Those of each address, most first.
    pub addresses: Vec<(String, u64)>,
    /// Processor time of the rule alone; zero if it was not asked for.
    pub cost: Duration,
}

/// Figures while row groups come in.
pub(super) struct Tally {
    pub(super) report: Report,
    by_id: HashMap<String, usize>,
    silent: HashSet<String>,
    users: Vec<HashMap<String, u64>>,
    addresses: Vec<HashMap<String, u64>>,
    /// Hashes of alert ids: an event that is stored twice, or revised, counts once. 16 bytes a hit.
    seen: HashSet<u128>,
    groups_done: usize,
}

impl Tally {
    pub(super) fn new(rules: &Ruleset, window: Option<Window>) -> Self {
        let metadata = rules.metadata();
        let count = metadata.len();
        let by_id = metadata.into_iter().enumerate();
        Self {
            report: Report {
                window,
                files: 0,
                row_groups: 0,
                rows: 0,
                together: Duration::ZERO,
                rules: vec![Figures::default(); count],
            },
            by_id: by_id.map(|(number, rule)| (rule.id, number)).collect(),
            silent: rules
                .rules()
                .iter()
                .enumerate()
                .filter(|(number, _)| !rules.alerts(*number))
                .map(|(_, rule)| rule.id.clone())
                .collect(),
            users: vec![HashMap::new(); count],
            addresses: vec![HashMap::new(); count],
            seen: HashSet::new(),
            groups_done: 0,
        }
    }

    pub(super) fn groups_done(&self) -> usize {
        self.groups_done
    }

    /// Adds a row group of a file of `day`; gives back what correlations count.
    pub(super) fn add(&mut self, day: &str, measured: Measured) -> Vec<Signal> {
        self.groups_done += 1;
        self.report.rows += measured.rows;
        self.report.together += measured.together;
        for (number, cost) in measured.alone {
            self.report.rules[number].cost += cost;
        }
        for alert in &measured.findings.alerts {
            self.add_alert(day, alert);
        }
        // A rule that only others count has hits all the same.
        for signal in &measured.findings.signals {
            let alert = Alert {
                alert_id: format!("{:032x}", signal.id),
                rule_id: signal.rule_id.to_string(),
                first_event_time_us: signal.time_us,
                user: signal.subject.user.to_string(),
                ip: signal.subject.ip.to_string(),
                ..Alert::default()
            };
            if self.silent.contains(&alert.rule_id) {
                self.add_alert(day, &alert);
            }
        }
        measured.findings.signals
    }

    /// Adds the alerts of correlations.
    pub(super) fn add_correlated(&mut self, alerts: &[Alert], together: Duration) {
        self.report.together += together;
        for alert in alerts {
            self.add_alert("", alert);
        }
    }

    fn add_alert(&mut self, day: &str, alert: &Alert) {
        // Alerts of Microsoft's are not hits of a rule.
        let Some(number) = self.by_id.get(&alert.rule_id).copied() else {
            return;
        };
        if !self.seen.insert(identity_of(&alert.alert_id)) {
            return;
        }
        let figures = &mut self.report.rules[number];
        figures.hits += 1;
        let day = match alert.first_event_time_us {
            0 => day.to_owned(),
            time_us => schemas::time::day(time_us),
        };
        *figures.by_day.entry(day).or_default() += 1;
        count(&mut self.users[number], &alert.user);
        count(&mut self.addresses[number], &alert.ip);
    }

    pub(super) fn finish(mut self) -> Report {
        let counted = self.users.into_iter().zip(self.addresses);
        for (figures, (users, addresses)) in self.report.rules.iter_mut().zip(counted) {
            figures.users = most_first(users);
            figures.addresses = most_first(addresses);
        }
        self.report
    }
}

fn count(counts: &mut HashMap<String, u64>, entity: &str) {
    if let Some(known) = counts.get_mut(entity) {
        *known += 1;
    } else if !entity.is_empty() && counts.len() < ENTITIES_MAX {
        counts.insert(entity.to_owned(), 1);
    }
}

fn most_first(counts: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut list: Vec<(String, u64)> = counts.into_iter().collect();
    list.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    list
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Ruleset;
    use schemas::wire::Alert;

    use super::{Measured, Tally, Window};
    use crate::evaluate::Findings;
    use crate::rules::builtin;

    #[test]
    fn a_window_ends_with_the_newest_day_and_has_as_many_days_as_asked_for() {
        let days = ["2026-02-27", "2026-03-01", "2026-01-01"];
        let window = Window::of(days.into_iter(), Some(3)).unwrap();
        assert_eq!(
            (window.first.as_str(), window.last.as_str()),
            ("2026-02-27", "2026-03-01")
        );
        assert!(window.has("2026-02-27") && window.has("2026-02-28") && !window.has("2026-02-26"));
        let all = Window::of(days.into_iter(), None).unwrap();
        assert_eq!(all.first, "2026-01-01");
        assert_eq!(
            Window::of(days.into_iter(), Some(1)).unwrap().first,
            "2026-03-01"
        );
        assert!(Window::of(days.into_iter(), Some(u32::MAX)).is_some());
        assert_eq!(Window::of(std::iter::empty(), Some(3)), None);
    }

    #[test]
    fn an_event_that_comes_twice_is_one_hit() {
        let rules = Ruleset::compile(&mut builtin());
        let alert = |id: &str, user: &str, time_us: i64| Alert {
            alert_id: id.to_owned(),
            rule_id: rules.rules()[1].id.clone(),
            user: user.to_owned(),
            first_event_time_us: time_us,
            ..Alert::default()
        };
        let day_us = 86_400_000_000;
        let foreign = Alert {
            rule_id: "provider".to_owned(),
            ..alert("f", "x", 1)
        };
        let mut tally = Tally::new(&rules, None);
        for alerts in [
            vec![alert("a", "ada", day_us), alert("b", "eve", 0), foreign],
            vec![alert("a", "ada", day_us), alert("c", "eve", 2 * day_us)],
        ] {
            tally.add(
                "1970-01-09",
                Measured {
                    rows: 5,
                    findings: Findings {
                        alerts,
                        signals: Vec::new(),
                    },
                    together: Duration::from_millis(2),
                    alone: vec![(1, Duration::from_millis(1))],
                },
            );
        }
        assert_eq!(tally.groups_done(), 2);
        let report = tally.finish();
        let figures = &report.rules[1];
        assert_eq!(
            (report.rows, figures.hits, report.rules[0].hits),
            (10, 3, 0)
        );
        assert_eq!(
            figures.users,
            [("eve".to_owned(), 2), ("ada".to_owned(), 1)]
        );
        let days: Vec<_> = figures
            .by_day
            .iter()
            .map(|(day, hits)| (day.as_str(), *hits))
            .collect();
        assert_eq!(
            days,
            [("1970-01-02", 1), ("1970-01-03", 1), ("1970-01-09", 1)]
        );
        assert_eq!(figures.cost, Duration::from_millis(2));
        assert!(figures.addresses.is_empty());
    }
}
