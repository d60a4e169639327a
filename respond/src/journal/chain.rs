//! The audit chain as the journal keeps it: every entry in the transaction of what it tells, and announced with it.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use schemas::ids;
use schemas::topics::Topic;
use schemas::wire::AuditRecord;

use super::{JournalError, Notice, rows};
use crate::audit::{self, Anchor};
use crate::record::ActionRecord;

const AUDIT_COLUMNS: &str = "sequence, id, previous_hash, hash, tenant_id, action_id, case_id, action, target, \
                             state, requested_by, dry_run, detail, time_us";

/// Appends the entry for the state that the action has now, and announces it.
pub(super) fn append(
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
    let entry = AuditRecord {
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
    };
    push(transaction, entry)
}

/// Appends an entry that is no change of an action, and announces it.
pub(super) fn note(transaction: &Transaction<'_>, notice: &Notice) -> Result<(), JournalError> {
    let entry = AuditRecord {
        action: notice.what.to_owned(),
        state: notice.state.to_owned(),
        requested_by: notice.by.clone(),
        detail: notice.detail.to_string(),
        time_us: notice.time_us,
        ..AuditRecord::default()
    };
    push(transaction, entry)
}

/// The newest entry of this kind that is no change of an action, or none.
pub(super) fn latest(
    connection: &Connection,
    what: &str,
) -> Result<Option<AuditRecord>, JournalError> {
    let sql = format!(
        "SELECT {AUDIT_COLUMNS} FROM audit WHERE case_id = '' AND action = ?1 ORDER BY sequence DESC LIMIT 1"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row(params![what], audit_row)
        .optional()?;
    Ok(found)
}

/// The newest entry, or none.
pub(super) fn last(connection: &Connection) -> Result<Option<Anchor>, JournalError> {
    let last = connection
        .prepare_cached("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Anchor {
                sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                hash: row.get(1)?,
            })
        })
        .optional()?;
    Ok(last)
}

/// Gives the entry its place in the chain, keeps and announces it.
fn push(transaction: &Transaction<'_>, entry: AuditRecord) -> Result<(), JournalError> {
    let previous = last(transaction)?;
    let sequence = previous.as_ref().map_or(1, |last| last.sequence + 1);
    // An action can be in one state more than once: it is held, goes on, and is held again.
    let id = ids::hex(&[
        b"audit",
        entry.action_id.as_bytes(),
        entry.action.as_bytes(),
        entry.state.as_bytes(),
        &sequence.to_le_bytes(),
    ]);
    let entry = audit::chain(AuditRecord { id, ..entry }, previous.as_ref());
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
    let key = audit::message_key(&entry);
    rows::announce(transaction, Topic::Audit, key, &entry, entry.time_us)
}

pub(super) fn after(
    connection: &Connection,
    after: u64,
    count_max: usize,
) -> Result<Vec<AuditRecord>, JournalError> {
    let sql =
        format!("SELECT {AUDIT_COLUMNS} FROM audit WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, rows::bound(count_max)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match audit_row(row) {
            Ok(entry) => found.push(entry),
            // What comes before it is read all the same: whoever asks for the next ones is told which it is.
            Err(_) if !found.is_empty() => break,
            Err(cause) => {
                return Err(JournalError::Entry {
                    sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                    what: cause.to_string(),
                });
            }
        }
    }
    Ok(found)
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
