//! Pure: which alerts of a case speak for an action, and where they came from.

use schemas::provenance::Provenance;

use super::{Case, SeenAlert};
use crate::playbook::Playbook;

/// The alerts that suffice for the playbook each by itself; of these only the live ones if there are any.
///
/// If none suffices by itself, all that stand.
pub(super) fn evidence_for<'a>(case: &'a Case, playbook: &Playbook) -> Vec<&'a SeenAlert> {
    let suffices = |alert: &&SeenAlert| {
        let label = std::iter::once(alert.label.as_str());
        alert.stands() && playbook.when.holds(alert.severity, label)
    };
    let sufficient: Vec<&SeenAlert> = case.alerts.iter().filter(suffices).collect();
    let live: Vec<&SeenAlert> = sufficient
        .iter()
        .copied()
        .filter(|alert| alert.provenance() == Provenance::Live)
        .collect();
    [live, sufficient]
        .into_iter()
        .find(|alerts| !alerts.is_empty())
        .unwrap_or_else(|| standing(case))
}

/// A case's alerts that stand; all of them, if none does.
pub(super) fn standing(case: &Case) -> Vec<&SeenAlert> {
    let stand: Vec<&SeenAlert> = case.alerts.iter().filter(|alert| alert.stands()).collect();
    if stand.is_empty() {
        case.alerts.iter().collect()
    } else {
        stand
    }
}

/// What the evidence is together: no better than the weakest of it.
pub(super) fn weakest(alerts: &[&SeenAlert]) -> Provenance {
    let each = alerts.iter().map(|alert| alert.provenance());
    each.reduce(Provenance::and).unwrap_or_default()
}

/// Where evidence came from, for a person.
pub(super) fn told(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::Live => "live",
        Provenance::Foreign => "of another tenant than its connector's",
        Provenance::Imported => "imported: a file can say anything",
        Provenance::Unknown => "of unknown origin",
    }
}
