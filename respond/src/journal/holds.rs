//! What waits and why.

use rusqlite::{Connection, Transaction, params};
use serde_json::json;

use super::{Holding, JournalError, chain, rows};
use crate::record::{ActionRecord, Hold, HoldReason, State};

/// Holds actions where they stand; gives those whose reason is new.
pub(super) fn hold(
    transaction: &Transaction<'_>,
    holdings: &[Holding],
) -> Result<Vec<String>, JournalError> {
    let mut changed = Vec::new();
    for holding in holdings {
        let Some(mut record) = rows::action(transaction, &holding.action_id)? else {
            return Err(JournalError::NoSuchAction {
                action_id: holding.action_id.clone(),
            });
        };
        if !record.can_be_held() {
            // Somebody else has ended it meanwhile: theirs counts.
            continue;
        }
        let before = record.hold.take();
        if before.as_ref().map(|hold| hold.reason) != Some(holding.reason) {
            changed.push(holding.action_id.clone());
        }
        let mut hold = before.unwrap_or_else(|| Hold {
            reason: holding.reason,
            why: String::new(),
            since_us: holding.time_us,
            told: Vec::new(),
        });
        hold.reason = holding.reason;
        hold.why.clone_from(&holding.why);
        if !hold.told.contains(&holding.reason) {
            hold.told.push(holding.reason);
            let detail = json!({
                "why": holding.why,
                "held_because": holding.reason,
                "held_at": record.state,
                "approved_by": record.approval,
            });
            chain::append_entry(
                transaction,
                &record,
                State::HELD,
                detail.to_string(),
                holding.time_us,
            )?;
        }
        record.hold = Some(hold);
        record.attempts = holding.attempts;
        record.not_before_us = holding.not_before_us;
        rows::update_action(transaction, &record)?;
    }
    Ok(changed)
}

/// Lets the held actions of a tenant be looked at again now.
pub(super) fn release(transaction: &Transaction<'_>, tenant_id: &str) -> Result<(), JournalError> {
    transaction.execute(
        "UPDATE actions SET not_before_us = 0, body = json_set(body, '$.not_before_us', 0) \
         WHERE tenant_id = ?1 AND held IS NOT NULL AND not_before_us > 0",
        params![tenant_id],
    )?;
    // What waits for a person was held only because nobody could act there.
    transaction.execute(
        "UPDATE actions SET held = NULL, body = json_set(body, '$.hold', NULL) \
         WHERE tenant_id = ?1 AND held IS NOT NULL AND state = 'planned'",
        params![tenant_id],
    )?;
    Ok(())
}

/// How many actions of a tenant are held, by reason.
pub(super) fn held(
    connection: &Connection,
    tenant_id: &str,
) -> Result<Vec<(HoldReason, u64)>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT held, count(*) FROM actions WHERE tenant_id = ?1 AND held IS NOT NULL GROUP BY held",
    )?;
    let rows = statement.query_map(params![tenant_id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (word, count) = row?;
        found.extend(HoldReason::of_str(&word).map(|reason| (reason, count.unsigned_abs())));
    }
    Ok(found)
}

/// Actions that are to end, of other tenants than these; a plan of a dry-run waits for ever.
pub(super) fn waiting_elsewhere(
    connection: &Connection,
    tenants: &[String],
    count_max: usize,
) -> Result<Vec<ActionRecord>, JournalError> {
    let tenants = serde_json::to_string(tenants).unwrap_or_default();
    rows::bodies(
        connection,
        "SELECT body FROM actions WHERE state IN ('planned', 'approved', 'intended', 'applied') \
         AND tenant_id NOT IN (SELECT value FROM json_each(?1)) \
         AND coalesce(json_extract(body, '$.dry_run'), 0) = 0 ORDER BY held IS ?3, number LIMIT ?2",
        params![
            tenants,
            rows::bound(count_max),
            HoldReason::TenantNotConfigured.as_str()
        ],
        "an action",
    )
}

/// How many actions of all tenants are held for a reason.
pub(super) fn held_by(connection: &Connection, reason: HoldReason) -> Result<u64, JournalError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM actions WHERE held = ?1")?
        .query_row(params![reason.as_str()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
