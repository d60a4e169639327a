//! Columns of the tables that vedette itself writes.

use super::column::{Kind, envelope};
use super::spec::TableSpec;

#[rustfmt::skip]
pub(super) const REVISIONS: TableSpec = TableSpec::own("revisions", "revision_id", &[
    envelope("revision_id", Kind::Text, true),
    envelope("event_id", Kind::Text, true),
    envelope("event_time", Kind::Time, false),
    envelope("ingest_time", Kind::Time, true),
    envelope("source", Kind::Category, true),
    envelope("category", Kind::Category, false),
    envelope("position", Kind::Text, false),
    envelope("event_table", Kind::Category, true),
    // Names of the columns whose values differ, as a JSON list.
    envelope("changed_columns", Kind::Json, true),
    // Of the new content, which may have come another way than what it changes.
    envelope("provenance", Kind::Category, false),
    envelope("raw", Kind::Text, true),
]);

#[rustfmt::skip]
pub(super) const SIGNALS: TableSpec = TableSpec::own("signals", "signal_id", &[
    envelope("signal_id", Kind::Text, true),
    envelope("event_time", Kind::Time, false),
    envelope("ingest_time", Kind::Time, true),
    envelope("rule_id", Kind::Category, true),
    envelope("event_table", Kind::Category, true),
    envelope("event_id", Kind::Text, true),
    // Names and values of the fields that correlations ask for, as a JSON object.
    envelope("fields", Kind::Json, false),
    envelope("user_principal_name", Kind::Category, false),
    envelope("user_id", Kind::Category, false),
    envelope("ip_address", Kind::Ip, false),
    envelope("session_id", Kind::Text, false),
    // Where the event stood when the rule matched.
    envelope("event_file", Kind::Category, true),
    envelope("event_row", Kind::Integer, true),
    envelope("event_version", Kind::Integer, true),
    // Place among all signals: they are counted in this order.
    envelope("arrival", Kind::Integer, true),
    envelope("provenance", Kind::Category, false),
]);

#[rustfmt::skip]
pub(super) const ALERTS: TableSpec = TableSpec::own("alerts", "version_id", &[
    // The alert's id, or a hash of what this version of it says: one row for each. Lakes of before do not have it.
    envelope("version_id", Kind::Text, false),
    envelope("alert_id", Kind::Text, true),
    // The earliest event's time.
    envelope("event_time", Kind::Time, false),
    envelope("accepted_time", Kind::Time, false),
    envelope("detected_time", Kind::Time, true),
    envelope("label", Kind::Category, true),
    envelope("rule_id", Kind::Category, true),
    envelope("title", Kind::Category, true),
    envelope("description", Kind::Text, false),
    envelope("alert_severity", Kind::Category, true),
    envelope("alert_category", Kind::Category, false),
    envelope("techniques", Kind::Json, false),
    envelope("tactics", Kind::Json, false),
    envelope("user_principal_name", Kind::Category, false),
    envelope("user_id", Kind::Category, false),
    envelope("ip_address", Kind::Ip, false),
    envelope("session_id", Kind::Text, false),
    envelope("group_key", Kind::Text, false),
    envelope("event_count", Kind::Integer, false),
    // How many signals had been counted when this was told.
    envelope("counted", Kind::Integer, false),
    envelope("alert_state", Kind::Category, true),
    envelope("url", Kind::Text, false),
    // The events with their files and rows, as a JSON list.
    envelope("evidence", Kind::Json, false),
    // Of the events together: no better than the weakest of them.
    envelope("provenance", Kind::Category, false),
])
// Lakes of before have one row for each alert.
.identity_was("alert_id")
// An alert may be raised again by a replay at another time.
.comparing(&["alert_state", "alert_severity", "title", "label"]);

#[rustfmt::skip]
pub(super) const ACTIONS: TableSpec = TableSpec::own("actions", "audit_id", &[
    envelope("audit_id", Kind::Text, true),
    envelope("event_time", Kind::Time, true),
    envelope("chain_sequence", Kind::Integer, true),
    envelope("previous_hash", Kind::Text, false),
    envelope("hash", Kind::Text, true),
    envelope("action_id", Kind::Text, true),
    envelope("case_id", Kind::Text, false),
    envelope("action", Kind::Category, true),
    envelope("action_target", Kind::Text, true),
    envelope("action_state", Kind::Category, true),
    envelope("requested_by", Kind::Category, true),
    envelope("dry_run", Kind::Boolean, true),
    envelope("detail", Kind::Json, false),
]);

#[rustfmt::skip]
pub(super) const DEAD_LETTERS: TableSpec = TableSpec::own("dead_letters", "dead_letter_id", &[
    // The letter's id and its part: `id/0`, `id/1`, …
    envelope("dead_letter_id", Kind::Text, true),
    envelope("ingest_time", Kind::Time, true),
    envelope("source", Kind::Category, true),
    envelope("position", Kind::Text, false),
    envelope("reason", Kind::Category, true),
    envelope("detail", Kind::Json, false),
    envelope("part", Kind::Integer, true),
    envelope("parts", Kind::Integer, true),
    envelope("raw_bytes", Kind::Bytes, true),
]);

#[rustfmt::skip]
pub(super) const COVERAGE: TableSpec = TableSpec::own("coverage", "coverage_id", &[
    envelope("coverage_id", Kind::Text, true),
    envelope("observed_time", Kind::Time, true),
    envelope("source", Kind::Category, true),
    envelope("coverage_kind", Kind::Category, true),
    envelope("subject", Kind::Text, false),
    envelope("range_from", Kind::Integer, false),
    envelope("range_to", Kind::Integer, false),
    envelope("coverage_state", Kind::Category, true),
    envelope("records", Kind::Integer, true),
    envelope("dead_letters", Kind::Integer, true),
    envelope("detail", Kind::Json, false),
])
.comparing(&["coverage_state"]);
