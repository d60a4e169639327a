//! Every column is written and read by its own name, and what is damaged is an error that says where.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt16Array, new_null_array};
use arrow::array::{DictionaryArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use schemas::alert::AlertState;
use schemas::coverage::CoverageState;
use schemas::dead_letter::Reason;
use schemas::severity::Severity;
use schemas::tables::{Kind, Table};
use schemas::wire::{Alert, AuditRecord, Coverage, DeadLetter, Evidence, Signal, SignalField};

use super::{ArrivedSignal, DerivedRow, RowError, read_rows};
use crate::{Cell, TIME_MAX_US, position_of, record_batch};

/// The rows as a query gives them: with the tenant beside the columns of the file.
fn stored<T: DerivedRow>(all: &[T]) -> RecordBatch {
    let rows: Vec<_> = all.iter().map(DerivedRow::to_row).collect();
    let batch = record_batch(T::TABLE, &rows.iter().collect::<Vec<_>>()).unwrap();
    let tenants: StringArray = rows.iter().map(|row| Some(row.tenant_id.clone())).collect();
    let keys = UInt16Array::from_iter_values(0..u16::try_from(rows.len()).unwrap());
    let tenants = DictionaryArray::new(keys, Arc::new(tenants));
    with(&batch, "tenant_id", Arc::new(tenants))
}

/// The batch with another column of this name, or one more.
fn with(batch: &RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let kept = batch.schema();
    let kept = kept.fields().iter().zip(batch.columns());
    let (mut fields, mut columns): (Vec<_>, Vec<_>) = kept
        .filter(|(field, _)| field.name() != name)
        .map(|(field, column)| (Arc::clone(field), Arc::clone(column)))
        .unzip();
    let field = Field::new(name, array.data_type().clone(), true);
    fields.push(Arc::new(field));
    columns.push(array);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn only_error<T: DerivedRow>(batch: &RecordBatch) -> RowError {
    let (found, mut damaged) = read_rows::<T>([batch]);
    assert!(found.is_empty());
    assert_eq!(damaged.len(), 1);
    damaged.remove(0)
}

/// A text that no other field has: its name, and something.
fn text(name: &'static str) -> impl Strategy<Value = String> {
    "[ -~äß\u{1f600}'\"\\\\]{1,12}".prop_map(move |text| format!("{name}:{text}"))
}

fn texts(name: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(name), 1..4)
}

/// A time that is none of the others'.
fn time(number: i64) -> impl Strategy<Value = i64> {
    (1_i64..=250_000_000_000_000_000).prop_map(move |time_us| time_us / 10 * 10 + number)
}

fn number(number: u64) -> impl Strategy<Value = u64> {
    (1_u64..=1 << 60).prop_map(move |value| value / 10 * 10 + number)
}

fn signed(of: u64) -> impl Strategy<Value = i64> {
    number(of).prop_map(|value| i64::try_from(value).unwrap())
}

fn word<T: Copy + std::fmt::Debug + 'static>(
    all: &'static [T],
    word: fn(T) -> &'static str,
) -> impl Strategy<Value = String> {
    prop::sample::select(all).prop_map(move |one| word(one).to_owned())
}

const SEVERITIES: &[Severity] = &[Severity::Low, Severity::Medium, Severity::Critical];

prop_compose! {
    fn evidence()(
        table in text("table"), event_id in text("event_id"), file in text("file"), row in number(6), version in signed(7),
    ) -> Evidence {
        Evidence { table, event_id, file, row, version }
    }
}

prop_compose! {
    fn alert()(
        (alert_id, tenant_id, label, rule_id, title, description) in
            (text("alert_id"), text("tenant_id"), text("label"), text("rule_id"), text("title"), text("description")),
        (severity, category, techniques, tactics) in
            (word(SEVERITIES, Severity::as_str), text("category"), texts("techniques"), texts("tactics")),
        (user, user_id, ip, session_id, group_key, url) in
            (text("user"), text("user_id"), text("ip"), text("session_id"), text("group_key"), text("url")),
        (first_event_time_us, accepted_time_us, detected_time_us) in (time(1), time(2), time(3)),
        (event_count, counted, state, provenance) in
            (number(4), signed(5), word(AlertState::ALL, AlertState::as_str), text("provenance")),
        evidence in prop::collection::vec(evidence(), 1..4),
    ) -> Alert {
        Alert {
            alert_id, tenant_id, label, rule_id, title, description, severity, category, techniques, tactics, user,
            user_id, ip, session_id, group_key, first_event_time_us, accepted_time_us, detected_time_us, evidence, state,
            url, event_count, counted, provenance,
            // The table keeps neither.
            last_event_time_us: 0,
            blind_spots: Vec::new(),
        }
    }
}

prop_compose! {
    fn signal()(
        id in 1_u128..,
        (tenant_id, rule_id, event_table, event_id, file, provenance) in
            (text("tenant_id"), text("rule_id"), text("event_table"), text("event_id"), text("file"), text("provenance")),
        (event_time_us, accepted_time_us) in (time(1), time(2)),
        fields in prop::collection::btree_map(text("name"), text("value"), 1..4),
        (user, user_id, ip, session_id) in (text("user"), text("user_id"), text("ip"), text("session_id")),
        (row, version, arrival) in (number(3), signed(4), signed(5)),
    ) -> ArrivedSignal {
        let fields = fields.into_iter().map(|(name, value)| SignalField { name, value }).collect();
        let signal = Signal {
            signal_id: format!("{id:032x}"), tenant_id, rule_id, event_table, event_id, event_time_us, accepted_time_us,
            fields, user, user_id, ip, session_id, file, row, version, provenance,
            // The table does not keep it.
            detected_time_us: 0,
        };
        ArrivedSignal { signal, arrival }
    }
}

prop_compose! {
    fn audit_record()(
        (id, previous_hash, hash, tenant_id, action_id, case_id) in
            (text("id"), text("previous_hash"), text("hash"), text("tenant_id"), text("action_id"), text("case_id")),
        (action, target, state, requested_by, detail) in
            (text("action"), text("target"), text("state"), text("requested_by"), text("detail")),
        (sequence, time_us) in (number(1), time(2)),
    ) -> AuditRecord {
        AuditRecord {
            id, sequence, previous_hash, hash, tenant_id, action_id, case_id, action, target, state, requested_by,
            dry_run: true, detail, time_us,
        }
    }
}

prop_compose! {
    fn dead_letter()(
        (id, tenant_id, source, position, detail) in
            (text("id"), text("tenant_id"), text("source"), text("position"), text("detail")),
        (reason, ingest_time_us) in (word(Reason::ALL, Reason::as_str), time(1)),
        raw in prop::collection::vec(any::<u8>(), 1..20),
        part in 1_u32..1_000_000,
        more in 1_u32..1_000_000,
    ) -> DeadLetter {
        DeadLetter {
            id, tenant_id, source, position, reason, detail, ingest_time_us, raw: raw.into(), part, parts: part + more,
        }
    }
}

prop_compose! {
    fn coverage()(
        (id, tenant_id, source, kind, subject, detail) in
            (text("id"), text("tenant_id"), text("source"), text("kind"), text("subject"), text("detail")),
        (from, to, records, dead_letters) in (signed(1), signed(2), number(3), number(4)),
        (state, observed_time_us) in (word(CoverageState::ALL, CoverageState::as_str), time(5)),
    ) -> Coverage {
        Coverage {
            id, tenant_id, source, kind, subject, from, to, state, records, dead_letters, detail, observed_time_us,
        }
    }
}

fn comes_back<T: DerivedRow + PartialEq + std::fmt::Debug>(all: &[T]) {
    for one in all {
        one.check().unwrap();
    }
    let (found, damaged) = read_rows::<T>([&stored(all)]);
    assert_eq!(damaged, []);
    assert_eq!(found, all);
}

proptest! {
    #[test]
    fn what_is_written_comes_back(
        alerts in prop::collection::vec(alert(), 1..4),
        signals in prop::collection::vec(signal(), 1..4),
        entries in prop::collection::vec(audit_record(), 1..4),
        letters in prop::collection::vec(dead_letter(), 1..4),
        lines in prop::collection::vec(coverage(), 1..4),
    ) {
        comes_back(&alerts);
        comes_back(&signals);
        comes_back(&entries);
        comes_back(&letters);
        comes_back(&lines);
    }

    /// Each text is marked with the name of its field: it must stand in the column that keeps that.
    #[test]
    fn every_text_stands_in_its_own_column(alert in alert(), signal in signal(), entry in audit_record(), line in coverage()) {
        let renamed: &[(&str, &str)] = &[
            ("alert_category", "category"), ("user_principal_name", "user"), ("ip_address", "ip"), ("event_file", "file"),
            ("audit_id", "id"), ("action_target", "target"), ("action_state", "state"), ("coverage_id", "id"),
            ("coverage_kind", "kind"),
        ];
        let mut marked = 0;
        for (table, row) in [
            (Table::Alerts, alert.to_row()), (Table::Signals, signal.to_row()),
            (Table::Actions, entry.to_row()), (Table::Coverage, line.to_row()),
        ] {
            for (column, cell) in table.columns().iter().zip(&row.cells) {
                let field = renamed.iter().find(|(name, _)| *name == column.name).map_or(column.name, |(_, field)| field);
                if let (Cell::Text(text), Kind::Text | Kind::Category | Kind::Ip) = (cell, column.kind)
                    && let Some((mark, _)) = text.split_once(':')
                {
                    prop_assert_eq!(mark, field, "{}.{}", table, column.name);
                    marked += 1;
                }
            }
        }
        prop_assert!(marked >= 35, "only {} columns are marked", marked);
    }
}

#[test]
fn a_row_of_nothing_comes_back_as_nothing() {
    let coverage = Coverage {
        id: "c".into(),
        state: "read".into(),
        ..Coverage::default()
    };
    let back = Coverage {
        tenant_id: "unknown".into(),
        ..coverage.clone()
    };
    assert_eq!(read_rows::<Coverage>([&stored(&[coverage])]).0, [back]);
    let alert = Alert {
        alert_id: "a".into(),
        tenant_id: "t".into(),
        severity: "low".into(),
        state: "raised".into(),
        ..Alert::default()
    };
    comes_back(&[alert]);
}

fn one_alert() -> Alert {
    Alert {
        alert_id: "a1".into(),
        tenant_id: "t".into(),
        severity: "low".into(),
        state: "raised".into(),
        ..Alert::default()
    }
}

#[test]
fn damage_is_told_with_table_row_column_and_value() {
    let batch = stored(&[one_alert()]);
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    for (column, damaged, said) in [
        (
            "evidence",
            "[{\"table\":\"signins\"}]",
            "missing field `event_id`",
        ),
        ("evidence", "[{", "EOF while parsing"),
        ("techniques", "\"T1114\"", "invalid type"),
        (
            "alert_state",
            "snoozed",
            "it is none of raised, amended, withdrawn",
        ),
        ("alert_severity", "", "cannot read severity"),
        ("alert_id", "", "it must name something"),
    ] {
        let error = only_error::<Alert>(&with(&batch, column, text(damaged)));
        let told = error.to_string();
        assert!(matches!(error, RowError::Value { .. }), "{told}");
        for part in ["table alerts", column, said, &format!("{damaged:?}")] {
            assert!(told.contains(part), "{told}");
        }
        // The identity of a version of one event is the alert's own.
        assert_eq!(error.row(), "a1");
    }
}

#[test]
fn nothing_where_every_row_has_something_is_an_error_and_no_time_of_1970() {
    let batch = stored(&[one_alert()]);
    for column in ["detected_time", "alert_state", "title", "tenant_id"] {
        let array = batch.column_by_name(column).unwrap();
        let nothing = new_null_array(array.data_type(), 1);
        let error = only_error::<Alert>(&with(&batch, column, nothing));
        assert!(
            matches!(error, RowError::Nothing { column: found, .. } if found == column),
            "{error}"
        );
    }
}

#[test]
fn a_column_that_is_not_there_or_of_another_type_is_no_row_at_all() {
    let batch = stored(&[one_alert()]);
    let without = position_of(Table::Alerts, "evidence").unwrap();
    let kept: Vec<usize> = (0..batch.num_columns())
        .filter(|at| *at != without)
        .collect();
    let error = only_error::<Alert>(&batch.project(&kept).unwrap());
    assert!(error.to_string().contains("not there"), "{error}");
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![5]));
    for column in ["title", "detected_time"] {
        let error = only_error::<Alert>(&with(&batch, column, Arc::clone(&numbers)));
        assert!(matches!(error, RowError::Column { .. }), "{error}");
    }
    let seconds = arrow::array::TimestampSecondArray::from(vec![5]).with_timezone("UTC");
    let error = only_error::<Alert>(&with(&batch, "detected_time", Arc::new(seconds)));
    assert!(matches!(error, RowError::Column { .. }), "{error}");
}

#[test]
fn one_damaged_row_hides_no_other() {
    let all = ["c1", "c2", "c3"].map(|id| Coverage {
        id: id.into(),
        tenant_id: "t".into(),
        state: "gap".into(),
        ..Coverage::default()
    });
    let states: ArrayRef = Arc::new(StringArray::from(vec!["gap", "perhaps", "gap"]));
    let batch = with(&stored(&all), "coverage_state", states);
    let (found, damaged) = read_rows::<Coverage>([&batch]);
    assert_eq!(found.len(), 2);
    assert_eq!(
        damaged.iter().map(RowError::row).collect::<Vec<_>>(),
        ["c2"]
    );
}

#[test]
fn a_message_that_no_row_can_hold_is_refused() {
    let wrong = |change: fn(&mut Alert)| {
        let mut alert = one_alert();
        change(&mut alert);
        alert.check().unwrap_err().to_string()
    };
    for (told, part) in [
        (wrong(|alert| alert.state = "snoozed".into()), "snoozed"),
        (wrong(|alert| alert.severity.clear()), "alert_severity"),
        (wrong(|alert| alert.alert_id.clear()), "alert_id"),
        (
            wrong(|alert| alert.detected_time_us = TIME_MAX_US + 1),
            "detected_time",
        ),
        (wrong(|alert| alert.event_count = u64::MAX), "event_count"),
    ] {
        assert!(told.contains(part), "{told}");
    }
    let signal = ArrivedSignal {
        signal: Signal {
            signal_id: "no number".into(),
            ..Signal::default()
        },
        arrival: 0,
    };
    assert!(
        signal
            .check()
            .unwrap_err()
            .to_string()
            .contains("no number")
    );
    let letter = DeadLetter {
        id: "l".into(),
        reason: "bored".into(),
        ..DeadLetter::default()
    };
    assert!(letter.check().unwrap_err().to_string().contains("bored"));
}

#[test]
fn texts_are_read_in_every_type_that_queries_give() {
    let batch = stored(&[one_alert()]);
    let array = batch.column_by_name("alert_state").unwrap();
    for data_type in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        let other = arrow::compute::cast(array, &data_type).unwrap();
        let (found, _) = read_rows::<Alert>([&with(&batch, "alert_state", other)]);
        assert_eq!(found, [one_alert()], "{data_type}");
    }
    let times = TimestampMicrosecondArray::from(vec![0]);
    let (found, _) = read_rows::<Alert>([&with(&batch, "detected_time", Arc::new(times))]);
    assert_eq!(found, [one_alert()]);
}
