//! Who and what takes part in the alerts: accounts, addresses, sessions, applications.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::bounds::ROWS_SHOWN;
use super::input::{EntityKind, Report, Sighting};
use super::moment::{Moment, moment, readable};
use super::raised::{Places, Raised, places, raised};
use super::text::{line, number};
use schemas::letters;

/// Most places of alerts in a row.
const PLACES_SHOWN: usize = 15;

/// Entities of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Entities {
    title: &'static str,
    anchor: &'static str,
    one: &'static str,
    rows: Vec<Row>,
    more: usize,
    /// True where the lake was asked how often they appear in it.
    has_sightings: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    value: String,
    severity: &'static str,
    alerts: String,
    events: String,
    /// Records of the whole lake, or empty.
    records: String,
    first: Option<Moment>,
    last: Option<Moment>,
    places: Places,
}

/// What is known of an entity.
#[derive(Debug, Default)]
struct Known<'a> {
    value: &'a str,
    alerts: BTreeSet<usize>,
    events: BTreeSet<(&'a str, &'a str)>,
    times: Vec<i64>,
}

/// Each kind with its title, its place on the page, and what one of it is called.
const KINDS: [(EntityKind, &str, &str, &str); 4] = [
    (EntityKind::User, "Accounts", "entities-accounts", "Account"),
    (
        EntityKind::Address,
        "Addresses",
        "entities-addresses",
        "Address",
    ),
    (
        EntityKind::Session,
        "Sessions",
        "entities-sessions",
        "Session",
    ),
    (
        EntityKind::Application,
        "Applications",
        "entities-applications",
        "Application",
    ),
];

type All<'a> = BTreeMap<(EntityKind, String), Known<'a>>;

/// The entities of the alerts, by kind.
pub(super) fn entities(report: &Report, all: &[Raised<'_>]) -> Vec<Entities> {
    let mut known = All::new();
    for (place, one) in all.iter().enumerate() {
        add_alert(&mut known, place, one);
    }
    let sightings: HashMap<_, _> = report
        .sightings
        .iter()
        .map(|sighting| ((sighting.kind, letters::folded(&sighting.value)), sighting))
        .collect();
    KINDS
        .into_iter()
        .map(|(kind, title, anchor, one)| {
            let rows = ranked(&known, kind);
            Entities {
                title,
                anchor,
                one,
                more: rows.len().saturating_sub(ROWS_SHOWN),
                has_sightings: rows.iter().any(|(key, _)| sightings.contains_key(*key)),
                rows: rows
                    .iter()
                    .take(ROWS_SHOWN)
                    .map(|(key, entity)| row(entity, sightings.get(*key).copied(), all))
                    .collect(),
            }
        })
        .collect()
}

/// The entities of a kind, those of most alerts first.
fn ranked<'b, 'a>(
    known: &'b All<'a>,
    kind: EntityKind,
) -> Vec<(&'b (EntityKind, String), &'b Known<'a>)> {
    let mut rows: Vec<_> = known.iter().filter(|((of, _), _)| *of == kind).collect();
    rows.sort_by_key(|((_, key), entity)| {
        (
            Reverse(entity.alerts.len()),
            Reverse(entity.events.len()),
            key.clone(),
        )
    });
    rows
}

/// The names in lower case of the entities that the page lists, by kind.
pub fn listed(report: &Report) -> BTreeMap<EntityKind, Vec<String>> {
    let all = raised(report);
    let mut known = All::new();
    for (place, one) in all.iter().enumerate() {
        add_alert(&mut known, place, one);
    }
    let names = |kind| {
        let rows = ranked(&known, kind).into_iter().take(ROWS_SHOWN);
        rows.map(|((_, key), _)| key.clone()).collect()
    };
    KINDS
        .into_iter()
        .map(|(kind, ..)| (kind, names(kind)))
        .collect()
}

fn add_alert<'a>(known: &mut All<'a>, place: usize, one: &'a Raised<'_>) {
    let times = || one.first_us.into_iter().chain(one.last_us);
    for (kind, value) in [
        (EntityKind::User, one.account.1),
        (EntityKind::Address, one.alert.ip.as_str()),
        (EntityKind::Session, one.alert.session_id.as_str()),
    ] {
        if let Some(entity) = entity(known, kind, value) {
            entity.alerts.insert(place);
            entity.times.extend(times());
        }
    }
    for line in one.events.iter().filter_map(|event| event.line) {
        let details = line
            .details
            .iter()
            .filter_map(|(name, value)| match name.as_str() {
                "session_id" => Some((EntityKind::Session, value.as_str())),
                "app_id" | "application" => Some((EntityKind::Application, value.as_str())),
                _ => None,
            });
        let cells = [
            (EntityKind::User, line.user.as_str()),
            (EntityKind::Address, line.ip.as_str()),
        ];
        for (kind, value) in cells.into_iter().chain(details) {
            if let Some(entity) = entity(known, kind, value) {
                entity.alerts.insert(place);
                entity.events.insert((&line.table, &line.event_id));
                entity.times.extend(readable(line.time_us));
            }
        }
    }
}

/// The entity of a value, without regard to letter case; none for an empty one.
fn entity<'a, 'b>(
    known: &'b mut All<'a>,
    kind: EntityKind,
    value: &'a str,
) -> Option<&'b mut Known<'a>> {
    (!value.trim().is_empty()).then(|| {
        let entity = known.entry((kind, letters::folded(value))).or_default();
        if entity.value.is_empty() {
            entity.value = value;
        }
        entity
    })
}

fn row(entity: &Known<'_>, sighting: Option<&Sighting>, all: &[Raised<'_>]) -> Row {
    let alerts = || entity.alerts.iter().filter_map(|place| all.get(*place));
    let seen = |time: fn(&Sighting) -> Option<i64>| {
        sighting
            .and_then(time)
            .and_then(|time| readable(Some(time)))
    };
    let first = entity
        .times
        .iter()
        .copied()
        .chain(seen(|one| one.first_us))
        .min();
    let last = entity
        .times
        .iter()
        .copied()
        .chain(seen(|one| one.last_us))
        .max();
    let worst = alerts().map(|one| one.severity).max().unwrap_or_default();
    Row {
        value: line(entity.value),
        severity: worst.as_str(),
        alerts: number(entity.alerts.len() as u64),
        events: number(entity.events.len() as u64),
        records: sighting.map_or_else(String::new, |sighting| number(sighting.records)),
        first: moment(first),
        last: moment(last),
        places: places(alerts(), PLACES_SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use schemas::wire::{Alert, Evidence};

    use super::entities;
    use crate::input::{EntityKind, EventLine, Report, Sighting};
    use crate::raised::raised;

    #[test]
    fn entities_come_from_alerts_and_events_and_are_counted_once() {
        let evidence = Evidence {
            table: "t".to_owned(),
            event_id: "e".to_owned(),
            ..Evidence::default()
        };
        let alert = |id: &str| Alert {
            alert_id: id.to_owned(),
            user: "ada@harbour.example".to_owned(),
            first_event_time_us: 10,
            evidence: vec![evidence.clone()],
            ..Alert::default()
        };
        let report = Report {
            alerts: vec![alert("1"), alert("2")],
            events: vec![EventLine {
                table: "t".to_owned(),
                event_id: "e".to_owned(),
                time_us: Some(20),
                user: "Ada@Harbour.example".to_owned(),
                ip: "192.0.2.7".to_owned(),
                details: vec![("app_id".to_owned(), "mail sorter".to_owned())],
                ..EventLine::default()
            }],
            sightings: vec![Sighting {
                kind: EntityKind::Address,
                value: "192.0.2.7".to_owned(),
                records: 1_403,
                first_us: Some(5),
                last_us: Some(6),
            }],
            ..Report::default()
        };
        let found = entities(&report, &raised(&report));
        let sizes: Vec<_> = found.iter().map(|one| one.rows.len()).collect();
        assert_eq!(sizes, [1, 1, 0, 1]);
        let account = &found[0].rows[0];
        assert_eq!(
            (account.alerts.as_str(), account.events.as_str()),
            ("2", "1")
        );
        let address = &found[1].rows[0];
        assert_eq!(address.records, "1,403");
        assert_eq!(address.places.shown.len(), 2);
        assert!(found[1].has_sightings && !found[0].has_sightings);
    }
}
