//! What a row of the journal says.

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params};
use serde::de::DeserializeOwned;

use schemas::severity::Severity;
use schemas::topics::Topic;

use super::{JournalError, StoredAction, chain, damage};
use crate::cases::{Case, SeenAlert};
use crate::record::{ActionRecord, State};

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

pub(super) fn write<T: serde::Serialize>(value: &T, what: &str) -> Result<String, JournalError> {
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

/// Announces a case as it stands now.
pub(super) fn announce_case(
    transaction: &Transaction<'_>,
    case: &Case,
) -> Result<(), JournalError> {
    let queued_time_us = case.changed_time_us;
    announce(
        transaction,
        Topic::Cases,
        &case.case_id,
        &case.to_wire(),
        queued_time_us,
    )
}

/// Keeps a case as it stands now.
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
    Ok(())
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

/// Every action as it is stored.
pub(super) fn stored_actions(connection: &Connection) -> Result<Vec<StoredAction>, JournalError> {
    let text = |value: Value| match value {
        Value::Text(text) => Some(text),
        _ => None,
    };
    let sql = "SELECT action_id, state, body FROM actions ORDER BY number";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([], |row| {
        Ok(StoredAction {
            action_id: text(row.get(0)?).unwrap_or_default(),
            state: text(row.get(1)?),
            body: text(row.get(2)?),
        })
    })?;
    found.map(|row| row.map_err(JournalError::from)).collect()
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
/// An action that is known already is left as it is, and so is one that cannot be read any more.
pub(super) fn add_action(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
) -> Result<bool, JournalError> {
    if damage::has(transaction, damage::ACTIONS, &record.action_id)? {
        // It may have been done: what became of it cannot be read.
        return Ok(false);
    }
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
    chain::append(transaction, &record)?;
    if let Some(approval) = record.approval.clone() {
        record.state = State::Approved;
        let mut detail = serde_json::json!({"approved_by": approval});
        if let Some(sighted) = &record.sighted {
            detail["saw"] = serde_json::json!(sighted);
        }
        if let Some(os_user) = record.detail.get("os_user") {
            detail["os_user"] = os_user.clone();
        }
        record.detail = detail;
        update_action(transaction, &record)?;
        chain::append(transaction, &record)?;
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

/// Puts a message into the outbox.
pub(super) fn announce(
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

/// A bound for `LIMIT`.
pub(super) fn bound(count_max: usize) -> i64 {
    i64::try_from(count_max).unwrap_or(i64::MAX)
}
