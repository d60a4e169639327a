//! Removes what every known group has passed and what is old enough, and nothing else.

use rusqlite::{Connection, TransactionBehavior, params};

use super::file::{OFFSET_BITS, OFFSET_MASK};

/// Most messages of a topic that one sweep removes, so that publishers wait little for it.
const SWEEP_MESSAGES_MAX: i64 = 50_000;

/// Removes messages written at or before `before_us` that every group known on their topic has passed.
///
/// On a topic that no group knows, age alone decides. Returns how many were removed.
pub(super) fn sweep(connection: &mut Connection, before_us: i64) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut removed = 0;
    {
        // A group without a commit stands at 0, and so does one whose position is of another log, beyond the end.
        let mut topics = transaction.prepare_cached(
            "SELECT t.id, min(CASE WHEN p.name IS NULL THEN t.next_offset
                               WHEN p.next_offset > t.next_offset THEN 0
                               ELSE coalesce(p.next_offset, 0) END)
             FROM topics t LEFT JOIN positions p ON p.topic = t.id GROUP BY t.id",
        )?;
        // Messages are in order of time, but for a clock that was set back: the first that is too young
        // ends the sweep, so that no gap opens before it.
        let mut keep_from = transaction.prepare_cached(
            "SELECT coalesce(min(place), ?2) FROM (
                 SELECT place, written_us FROM messages
                 WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3
             ) WHERE written_us > ?4",
        )?;
        let mut delete = transaction.prepare_cached(
            "DELETE FROM messages WHERE place IN (
                 SELECT place FROM messages WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3
             )",
        )?;
        let rows: Vec<(i64, i64)> = topics
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, passed) in rows {
            let first = id << OFFSET_BITS;
            let passed = passed.clamp(0, OFFSET_MASK);
            let end: i64 = keep_from.query_row(
                params![first, first | passed, SWEEP_MESSAGES_MAX, before_us],
                |row| row.get(0),
            )?;
            removed += delete.execute(params![first, end, SWEEP_MESSAGES_MAX])?;
        }
    }
    transaction.commit()?;
    Ok(u64::try_from(removed).unwrap_or(u64::MAX))
}
