//! What is still to be published, and how far the bus has acknowledged what was.

use bus::{Position, stored};
use rusqlite::{Connection, Transaction, params};
use schemas::topics::Topic;

use super::{JournalError, Outbox, Outgoing, rows};

/// Messages that are still to be published, in order.
pub(super) fn outgoing(
    connection: &Connection,
    count_max: usize,
) -> Result<Vec<Outgoing>, JournalError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, topic, key, payload FROM outgoing ORDER BY number LIMIT ?1",
    )?;
    let rows = statement.query_map(params![rows::bound(count_max)], |row| {
        Ok((
            row.get(0)?,
            row.get::<_, String>(1)?,
            row.get(2)?,
            row.get(3)?,
        ))
    })?;
    rows.map(|row| {
        let (number, name, key, payload) = row?;
        let topic = Topic::of_name(&name).ok_or_else(|| JournalError::Row {
            what: format!("topic \"{name}\""),
        })?;
        Ok(Outgoing {
            number,
            topic,
            key,
            payload,
        })
    })
    .collect()
}

/// How much is still to be published, and since when.
pub(super) fn outbox(connection: &Connection) -> Result<Outbox, JournalError> {
    // Numbers have no holes: they are given in order and forgotten from the beginning.
    let sql = "SELECT coalesce((SELECT max(number) FROM outgoing) - (SELECT min(number) FROM outgoing) + 1, 0), \
               (SELECT queued_time_us FROM outgoing ORDER BY number LIMIT 1)";
    let outbox = connection.prepare_cached(sql)?.query_row([], |row| {
        Ok(Outbox {
            count: row.get::<_, i64>(0)?.unsigned_abs(),
            oldest_us: row.get(1)?,
        })
    })?;
    Ok(outbox)
}

/// Forgets the messages up to `number`, and notes where the last ones were put.
pub(super) fn published(
    transaction: &Transaction<'_>,
    number: i64,
    placed: &[Position],
) -> Result<(), JournalError> {
    transaction.execute("DELETE FROM outgoing WHERE number <= ?1", params![number])?;
    stored::write(transaction, placed)?;
    Ok(())
}

/// Notes that everything was published again, to here.
pub(super) fn published_again(
    transaction: &Transaction<'_>,
    placed: &[Position],
) -> Result<(), JournalError> {
    transaction.execute("DELETE FROM acknowledged", [])?;
    published(transaction, 0, placed)
}

/// Where the last messages of each partition were put.
pub(super) fn acknowledged(connection: &Connection) -> Result<Vec<Position>, JournalError> {
    Ok(stored::read(connection)?)
}
