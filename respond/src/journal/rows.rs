//! What a row of the journal says.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::de::DeserializeOwned;

use schemas::ids;
use schemas::severity::Severity;
use schemas::topics::Topic;
use schemas::wire::AuditRecord;

use super::JournalError;
use crate::audit::{self, Anchor};
use crate::cases::{Case, SeenAlert};
use crate::record::{ActionRecord, State};

const AUDIT_COLUMNS: &str = "sequence, id, previous_hash, hash, tenant_id, action_id, case_id, action, target, \
                             state, requested_by, dry_run, detail, time_us";

const SEVERITIES: [Severity; 5] = [
    Severity::Informational,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// Reads a JSON body.
pub(super) fn read<T: DeserializeOwned>(body: &str, what: &str) -> Result<T, JournalError> {
    serde_json::from_str(body).map_err(|_| JournalError::Row {
        what: what.to_owned(),
    })
}

fn write<T: serde::Serialize>(value: &T, what: &str) -> Result<String, JournalError> {
    serde_json::to_string(value).map_err(|_| JournalError::Row {
        what: what.to_owned(),
    })
}

/// Reads the JSON bodies that a query gives.
pub(super) fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    what: &str,
) -> Result<Vec<T>, JournalError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
    let mut found = Vec::new();
    for body in rows {
        found.push(read(&body?, what)?);
    }
    Ok(found)
}

pub(super) fn put_alert(
    transaction: &Transaction<'_>,
    alert: &SeenAlert,
    case_id: Option<&str>,
) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT INTO alerts (tenant_id, alert_id, case_id, user, user_id, time_us, body, label, standing) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (tenant_id, alert_id) \
             DO UPDATE SET case_id = excluded.case_id, user = excluded.user, user_id = excluded.user_id, \
             time_us = excluded.time_us, body = excluded.body, label = excluded.label, standing = excluded.standing",
        )?
        .execute(params![
            alert.tenant_id,
            alert.alert_id,
            case_id,
            alert.user,
            alert.user_id,
            alert.time_us,
            write(alert, "an alert")?,
            alert.label,
            alert.stands().then_some(alert.severity as i64),
        ])?;
    Ok(())
}

/// The labels of a case's alerts that still stand, each with its highest severity.
pub(super) fn standing(
    connection: &Connection,
    case_id: &str,
) -> Result<Vec<(String, Severity)>, JournalError> {
    // One look into the index for each label, however many alerts there are.
    let sql = "WITH RECURSIVE labels (label) AS (\
               SELECT min(label) FROM alerts WHERE case_id = ?1 UNION ALL \
               SELECT (SELECT min(label) FROM alerts WHERE case_id = ?1 AND label > labels.label) FROM labels \
               WHERE label IS NOT NULL) \
               SELECT label, (SELECT max(standing) FROM alerts WHERE case_id = ?1 AND alerts.label = labels.label) \
               FROM labels WHERE label IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![case_id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (label, rank) = row?;
        let severity = SEVERITIES.into_iter().find(|one| Some(*one as i64) == rank);
        found.extend(severity.map(|severity| (label, severity)));
    }
    Ok(found)
}

/// Keeps a case as it stands now, and announces it.
pub(super) fn put_case(transaction: &Transaction<'_>, case: &Case) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT INTO cases (case_id, tenant_id, user, user_id, anchor_time_us, changed_time_us, merged_into, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (case_id) DO UPDATE SET user = excluded.user, \
             user_id = excluded.user_id, changed_time_us = excluded.changed_time_us, \
             merged_into = excluded.merged_into, body = excluded.body",
        )?
        .execute(params![
            case.case_id,
            case.tenant_id,
            case.user,
            case.user_id,
            case.anchor_time_us,
            case.changed_time_us,
            case.merged_into,
            write(case, "a case")?
        ])?;
    let queued_time_us = case.changed_time_us;
    announce(
        transaction,
        Topic::Cases,
        &case.case_id,
        &case.to_wire(),
        queued_time_us,
    )
}

pub(super) fn case(connection: &Connection, case_id: &str) -> Result<Option<Case>, JournalError> {
    let cases = bodies(
        connection,
        "SELECT body FROM cases WHERE case_id = ?1",
        params![case_id],
        "a case",
    )?;
    Ok(cases.into_iter().next())
}

/// A case, or the one that goes on in its place.
pub(super) fn living_case(
    connection: &Connection,
    case_id: &str,
) -> Result<Option<Case>, JournalError> {
    let mut found = case(connection, case_id)?;
    // Ends: a merged case is never merged into again.
    while let Some(into) = found.as_ref().and_then(|case| case.merged_into.clone()) {
        found = case(connection, &into)?;
    }
    Ok(found)
}

pub(super) fn action(
    connection: &Connection,
    action_id: &str,
) -> Result<Option<ActionRecord>, JournalError> {
    let sql = "SELECT body FROM actions WHERE action_id = ?1";
    Ok(bodies(connection, sql, params![action_id], "an action")?
        .into_iter()
        .next())
}

/// Actions of a case and of those that were merged into it, in the order in which they were planned.
pub(super) fn actions_of(
    connection: &Connection,
    case_id: &str,
    count_max: usize,
) -> Result<Vec<ActionRecord>, JournalError> {
    let sql = "WITH RECURSIVE family (case_id) AS (SELECT ?1 UNION \
               SELECT cases.case_id FROM cases JOIN family ON cases.merged_into = family.case_id) \
               SELECT body FROM actions WHERE case_id IN family ORDER BY number LIMIT ?2";
    let parameters = params![case_id, bound(count_max)];
    bodies(connection, sql, parameters, "an action")
}

/// Adds an action as planned, and as approved if it carries an approval.
///
/// An action that is known already is left as it is.
pub(super) fn add_action(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
) -> Result<bool, JournalError> {
    let mut record = record.clone();
    record.state = State::Planned;
    record.approved_time_us = record.approval.as_ref().map(|_| record.planned_time_us);
    let added = transaction
        .prepare_cached(
            "INSERT INTO actions (action_id, case_id, tenant_id, state, body) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (action_id) DO NOTHING",
        )?
        .execute(params![
            record.action_id,
            record.case_id,
            record.tenant_id,
            record.state.as_str(),
            write(&record, "an action")?
        ])?;
    if added == 0 {
        return Ok(false);
    }
    append_audit(transaction, &record)?;
    if let Some(approval) = record.approval.clone() {
        record.state = State::Approved;
        record.detail = serde_json::json!({"approved_by": approval});
        update_action(transaction, &record)?;
        append_audit(transaction, &record)?;
    }
    Ok(true)
}

pub(super) fn update_action(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "UPDATE actions SET state = ?2, intended_time_us = ?3, not_before_us = ?4, held = ?5, body = ?6 \
             WHERE action_id = ?1",
        )?
        .execute(params![
            record.action_id,
            record.state.as_str(),
            record.intended_time_us,
            record.not_before_us,
            record.hold.as_ref().map(|hold| hold.reason.as_str()),
            write(record, "an action")?
        ])?;
    Ok(())
}

/// Appends the entry for the state that the action has now, and announces it.
pub(super) fn append_audit(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
) -> Result<(), JournalError> {
    let (state, detail) = (record.state.as_str(), record.detail.to_string());
    append_entry(transaction, record, state, detail, record.changed_time_us)
}

/// Appends an entry about an action, and announces it.
pub(super) fn append_entry(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
    state: &str,
    detail: String,
    time_us: i64,
) -> Result<(), JournalError> {
    let previous = transaction
        .prepare_cached("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Anchor {
                sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                hash: row.get(1)?,
            })
        })
        .optional()?;
    let sequence = previous.as_ref().map_or(1, |last| last.sequence + 1);
    let entry = audit::chain(
        AuditRecord {
            // An action can be in one state more than once: it is held, goes on, and is held again.
            id: ids::hex(&[
                b"audit",
                record.action_id.as_bytes(),
                state.as_bytes(),
                &sequence.to_le_bytes(),
            ]),
            tenant_id: record.tenant_id.clone(),
            action_id: record.action_id.clone(),
            case_id: record.case_id.clone(),
            action: record.action.kind().as_str().to_owned(),
            target: record.account().to_owned(),
            state: state.to_owned(),
            requested_by: record.requested_by.clone(),
            dry_run: record.dry_run,
            detail,
            time_us,
            ..AuditRecord::default()
        },
        previous.as_ref(),
    );
    transaction
        .prepare_cached(&format!(
            "INSERT INTO audit ({AUDIT_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
        ))?
        .execute(params![
            i64::try_from(entry.sequence).unwrap_or(i64::MAX),
            entry.id,
            entry.previous_hash,
            entry.hash,
            entry.tenant_id,
            entry.action_id,
            entry.case_id,
            entry.action,
            entry.target,
            entry.state,
            entry.requested_by,
            entry.dry_run,
            entry.detail,
            entry.time_us
        ])?;
    announce(transaction, Topic::Audit, &entry.action_id, &entry, time_us)
}

fn announce(
    transaction: &Transaction<'_>,
    topic: Topic,
    key: &str,
    message: &impl prost::Message,
    queued_time_us: i64,
) -> Result<(), JournalError> {
    transaction
        .prepare_cached(
            "INSERT INTO outgoing (topic, key, payload, queued_time_us) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            topic.name(),
            key,
            message.encode_to_vec(),
            queued_time_us
        ])?;
    Ok(())
}

pub(super) fn audit_after(
    connection: &Connection,
    after: u64,
    count_max: usize,
) -> Result<Vec<AuditRecord>, JournalError> {
    let sql =
        format!("SELECT {AUDIT_COLUMNS} FROM audit WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, bound(count_max)], audit_row)?;
    rows.map(|row| row.map_err(JournalError::from)).collect()
}

fn audit_row(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    Ok(AuditRecord {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        id: row.get(1)?,
        previous_hash: row.get(2)?,
        hash: row.get(3)?,
        tenant_id: row.get(4)?,
        action_id: row.get(5)?,
        case_id: row.get(6)?,
        action: row.get(7)?,
        target: row.get(8)?,
        state: row.get(9)?,
        requested_by: row.get(10)?,
        dry_run: row.get(11)?,
        detail: row.get(12)?,
        time_us: row.get(13)?,
    })
}

/// A bound for `LIMIT`.
pub(super) fn bound(count_max: usize) -> i64 {
    i64::try_from(count_max).unwrap_or(i64::MAX)
}
