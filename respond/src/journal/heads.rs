//! Entries of the chain that sign those before them: in the transaction that makes them due.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use schemas::limits::AUDIT_UNSIGNED_MAX;
use serde_json::json;

use super::{JournalError, Notice, chain};
use crate::audit::signature::AuditKey;
use crate::audit::{Anchor, HEAD};

/// Signs the newest entry if as many as may be, or a flip of the kill switch, have no signature yet.
pub(super) fn sign_if_due(
    transaction: &Transaction<'_>,
    key: &AuditKey,
    now_us: i64,
) -> Result<(), JournalError> {
    let Some(last) = chain::last(transaction)? else {
        return Ok(());
    };
    let signed = newest(transaction, HEAD)?;
    let is_flipped = newest(transaction, Notice::KILL_SWITCH)? > signed;
    if is_flipped || last.sequence.saturating_sub(signed) >= AUDIT_UNSIGNED_MAX {
        append(transaction, key, &last, now_us)?;
    }
    Ok(())
}

/// Signs the newest entry unless it is a signature itself; true if it was signed.
pub(super) fn sign(
    transaction: &Transaction<'_>,
    key: &AuditKey,
    now_us: i64,
) -> Result<bool, JournalError> {
    let Some(last) = chain::last(transaction)? else {
        return Ok(false);
    };
    if newest(transaction, HEAD)? == last.sequence {
        return Ok(false);
    }
    append(transaction, key, &last, now_us)
}

fn append(
    transaction: &Transaction<'_>,
    key: &AuditKey,
    last: &Anchor,
    now_us: i64,
) -> Result<bool, JournalError> {
    let Some(signed) = key.sign(last) else {
        // What was to be written is worth more than its signature, which the next entry brings.
        tracing::error!(
            sequence = last.sequence,
            "an entry of the audit chain could not be signed"
        );
        return Ok(false);
    };
    let notice = Notice {
        what: HEAD,
        state: "signed",
        by: String::new(),
        detail: json!(signed),
        time_us: now_us,
    };
    chain::note(transaction, &notice)?;
    Ok(true)
}

/// Sequence of the newest entry of this kind, or 0.
fn newest(connection: &Connection, what: &str) -> Result<u64, JournalError> {
    let sql = "SELECT max(sequence) FROM audit WHERE case_id = '' AND action = ?1";
    let found: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row(params![what], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(found.map_or(0, i64::unsigned_abs))
}
