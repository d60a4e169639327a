//! Whom entries of the never-act lists meant when they were looked for; nothing is ever taken out.

use rusqlite::{Connection, Transaction, params};

use super::JournalError;
use crate::never_act::Pin;

pub(super) fn put(
    transaction: &Transaction<'_>,
    tenant_id: &str,
    pins: &[Pin],
    now_us: i64,
) -> Result<(), JournalError> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO never_act (tenant_id, entry, user_id, found_time_us) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (tenant_id, entry, user_id) DO NOTHING",
    )?;
    for pin in pins {
        put.execute(params![tenant_id, pin.entry, pin.user_id, now_us])?;
    }
    Ok(())
}

pub(super) fn of_tenant(
    connection: &Connection,
    tenant_id: &str,
) -> Result<Vec<Pin>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT entry, user_id FROM never_act WHERE tenant_id = ?1 ORDER BY entry, user_id",
    )?;
    let rows = statement.query_map(params![tenant_id], |row| {
        Ok(Pin {
            entry: row.get(0)?,
            user_id: row.get(1)?,
        })
    })?;
    rows.map(|row| row.map_err(JournalError::from)).collect()
}
