//! How: the ATT&CK techniques that the alerts name, against the tactics.
//!
//! An alert names tactics and techniques side by side, not in pairs, so a cell counts the alerts that name both.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bounds::{ROWS_SHOWN, TACTICS_SHOWN};
use super::input::Report;
use super::raised::{Places, Raised, places};
use super::text::{line, number, title_case};

/// Most places of alerts in a row.
const PLACES_SHOWN: usize = 12;

/// Techniques against tactics.
#[derive(Debug, Serialize)]
pub(super) struct Techniques {
    tactics: Vec<String>,
    rows: Vec<Row>,
    more: usize,
    /// Alerts that name no technique.
    without: String,
    without_count: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    technique: String,
    /// Alerts by tactic, in the order of the tactics; empty where there are none.
    cells: Vec<String>,
    alerts: String,
    places: Places,
}

/// The techniques of the alerts.
pub(super) fn techniques(report: &Report, all: &[Raised<'_>]) -> Techniques {
    let mut tactics: Vec<&str> = all
        .iter()
        .flat_map(|one| one.alert.tactics.iter().map(String::as_str))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let known = &report.tactics;
    tactics.sort_by_key(|tactic| {
        let place = known.iter().position(|known| known == tactic);
        place.unwrap_or(known.len())
    });
    // Hostile alerts may name any number of them.
    tactics.truncate(TACTICS_SHOWN);
    let mut rows: BTreeMap<&str, Vec<&Raised<'_>>> = BTreeMap::new();
    for one in all {
        for technique in one.alert.techniques.iter().collect::<BTreeSet<_>>() {
            rows.entry(technique).or_default().push(one);
        }
    }
    let without = all
        .iter()
        .filter(|one| one.alert.techniques.is_empty())
        .count();
    Techniques {
        more: rows.len().saturating_sub(ROWS_SHOWN),
        rows: rows
            .iter()
            .take(ROWS_SHOWN)
            .map(|(technique, alerts)| row(technique, alerts, &tactics))
            .collect(),
        tactics: tactics.into_iter().map(title_case).collect(),
        without: number(without as u64),
        without_count: without,
    }
}

fn row(technique: &str, alerts: &[&Raised<'_>], tactics: &[&str]) -> Row {
    let cell = |tactic: &&str| {
        let names = |one: &&&Raised<'_>| one.alert.tactics.iter().any(|named| named == tactic);
        match alerts.iter().filter(names).count() {
            0 => String::new(),
            count => number(count as u64),
        }
    };
    Row {
        technique: line(technique),
        cells: tactics.iter().map(cell).collect(),
        alerts: number(alerts.len() as u64),
        places: places(alerts.iter().copied(), PLACES_SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use schemas::wire::Alert;

    use super::techniques;
    use crate::input::Report;
    use crate::raised::raised;

    #[test]
    fn cells_count_alerts_that_name_both_and_tactics_are_in_order() {
        let alert = |id: &str, techniques: &[&str], tactics: &[&str]| Alert {
            alert_id: id.to_owned(),
            techniques: techniques.iter().map(|&word| word.to_owned()).collect(),
            tactics: tactics.iter().map(|&word| word.to_owned()).collect(),
            ..Alert::default()
        };
        let report = Report {
            alerts: vec![
                alert(
                    "1",
                    &["T1528", "T1114.002", "T1528"],
                    &["collection", "credential-access"],
                ),
                alert("2", &["T1528"], &["made-up", "credential-access"]),
                alert("3", &[], &[]),
            ],
            tactics: ["credential-access", "collection", "impact"]
                .map(str::to_owned)
                .to_vec(),
            ..Report::default()
        };
        let found = techniques(&report, &raised(&report));
        assert_eq!(
            found.tactics,
            ["Credential access", "Collection", "Made up"]
        );
        assert_eq!(found.rows[1].technique, "T1528");
        assert_eq!(found.rows[1].cells, ["2", "1", "1"]);
        assert_eq!(found.rows[0].cells, ["1", "1", ""]);
        assert_eq!(found.without_count, 1);
    }
}
