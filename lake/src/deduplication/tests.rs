//! What is new, what is a duplicate, what is a revision.

use schemas::tables::Table;
use schemas::wire::Event;

use super::{Day, Identities};
use columns::{DAY_US, Row, event_row};

const NOON_US: i64 = 20_000 * DAY_US + DAY_US / 2;

fn row(id: &str, raw: &str) -> Row {
    row_at(id, raw, Some(NOON_US), NOON_US)
}

fn row_at(id: &str, raw: &str, event_time_us: Option<i64>, ingest_time_us: i64) -> Row {
    let event = Event {
        tenant_id: "t".into(),
        event_id: id.into(),
        event_time_us,
        ingest_time_us,
        raw: raw.as_bytes().to_vec().into(),
        ..Event::default()
    };
    event_row(Table::Signins, &event).unwrap()
}

/// An index that has looked at every day that the rows touch, and holds `stored`.
fn index(rows: &[Row], stored: &[Row]) -> Identities {
    let mut identities = Identities::new(Table::Signins, 1_000);
    for day in identities
        .missing(rows)
        .into_iter()
        .chain(identities.missing(stored))
    {
        identities.load(day, std::iter::empty());
    }
    identities.stored(stored.iter());
    identities
}

const FAILED: &str = r#"{"resultType":"50126","properties":{"appId":"1"}}"#;
const FAILED_AGAIN: &str = r#"{"properties":{"appId":"1"},"resultType":"50126"}"#;
const SUCCEEDED: &str = r#"{"resultType":"0","properties":{"appId":"1"}}"#;
const SPARSE: &str = r#"{"resultType":"50126"}"#;

#[test]
fn the_same_record_twice_is_once() {
    let rows = [row("1", FAILED), row("1", FAILED_AGAIN), row("2", FAILED)];
    let sifted = index(&rows, &[]).sift(&rows);
    assert_eq!((sifted.new, sifted.duplicates), (vec![0, 2], 1));
    let sifted = index(&rows, &[row("1", FAILED)]).sift(&rows);
    assert_eq!((sifted.new, sifted.duplicates), (vec![2], 2));
}

#[test]
fn other_content_under_a_known_id_is_a_revision_or_must_be_compared() {
    let rows = [row("1", FAILED), row("1", SUCCEEDED)];
    let sifted = index(&rows, &[]).sift(&rows);
    let day = Day {
        tenant_id: "t".into(),
        day: 20_000,
    };
    assert_eq!(sifted.revisions, [(1, day.clone(), vec!["result_type"])]);
    let sifted = index(&rows, &[row("1", FAILED)]).sift(&rows);
    assert_eq!(sifted.suspects, [(1, day)]);
}

#[test]
fn a_column_that_one_side_lacks_makes_no_revision() {
    let rows = [row("1", FAILED), row("1", SPARSE)];
    let sifted = index(&rows, &[]).sift(&rows);
    assert_eq!((sifted.duplicates, sifted.revisions), (1, vec![]));
}

#[test]
fn what_was_compared_once_is_not_compared_again() {
    let rows = [row("1", SUCCEEDED)];
    let mut identities = index(&rows, &[row("1", FAILED)]);
    let (at, day) = identities.sift(&rows).suspects.remove(0);
    identities.settle(&day, &rows[at]);
    let sifted = identities.sift(&rows);
    assert_eq!((sifted.duplicates, sifted.suspects), (1, vec![]));
}

#[test]
fn a_record_without_a_time_is_looked_for_in_the_last_seven_days() {
    for (days, is_known) in [(0, true), (1, true), (7, true), (8, false)] {
        let stored = row_at("1", FAILED, None, NOON_US);
        let rows = [row_at("1", FAILED, None, NOON_US + days * DAY_US)];
        let sifted = index(&rows, &[stored]).sift(&rows);
        assert_eq!(sifted.duplicates == 1, is_known, "{days} days later");
    }
}

#[test]
fn the_same_id_in_another_tenant_or_on_another_day_is_another_record() {
    let mut other = row("1", FAILED);
    other.tenant_id = "u".into();
    let rows = [
        row("1", FAILED),
        other,
        row_at("1", FAILED, Some(NOON_US - DAY_US), NOON_US),
    ];
    assert_eq!(index(&rows, &[]).sift(&rows).new, [0, 1, 2]);
}

#[test]
fn the_least_recently_used_days_are_let_go_and_asked_for_again() {
    let rows: Vec<Row> = (0..10)
        .map(|day| row_at("1", FAILED, Some(NOON_US - day * DAY_US), NOON_US))
        .collect();
    let mut identities = index(&rows, &rows);
    identities.held_max = 4;
    identities.sift(&rows[..2]);
    identities.evict();
    assert_eq!(identities.missing(&rows).len(), 6);
    assert!(
        identities.missing(&rows[..2]).is_empty(),
        "the days just used are kept"
    );
}

#[test]
fn a_record_that_came_twice_in_a_batch_while_the_clock_was_set_is_once() {
    // Ten days back the record was of the future, and is kept under the day of that clock.
    let early = row_at("1", FAILED, Some(NOON_US), NOON_US - 10 * DAY_US);
    let right = row("1", FAILED);
    assert_ne!(early.day, right.day);
    for rows in [[early.clone(), right.clone()], [right, early]] {
        let mut identities = index(&rows, &[]);
        let sifted = identities.sift(&rows);
        assert_eq!((&sifted.new[..], sifted.duplicates), (&[0][..], 1));
        identities.check_added(sifted.new.iter().map(|at| &rows[*at]));
    }
}
