//! Positions beside what the messages were made of, in a SQLite file of whoever published them: by these
//! [`crate::Bus::recognise`] tells later whether the bus still has what it acknowledged.

use rusqlite::{Connection, Transaction, params};
use schemas::topics::Topic;

use crate::message::{Fingerprint, Position};

/// Makes the table, one row for each partition. It stands in files that people have: it is never changed.
pub const TABLE: &str = "
CREATE TABLE IF NOT EXISTS acknowledged (
  topic TEXT NOT NULL, part INTEGER NOT NULL, next_offset INTEGER NOT NULL, last INTEGER,
  PRIMARY KEY (topic, part)) WITHOUT ROWID;
";

/// Stores positions in the place of those of the same partitions.
///
/// # Errors
/// What SQLite says.
pub fn write(transaction: &Transaction<'_>, positions: &[Position]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO acknowledged (topic, part, next_offset, last) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for at in positions {
        let last = at.last.map(Fingerprint::to_i64);
        insert.execute(params![at.topic.name(), at.partition, at.next_offset, last])?;
    }
    Ok(())
}

/// The stored positions.
///
/// # Errors
/// What SQLite says.
pub fn read(connection: &Connection) -> rusqlite::Result<Vec<Position>> {
    let mut select =
        connection.prepare_cached("SELECT topic, part, next_offset, last FROM acknowledged")?;
    let rows = select.query_map([], |row| {
        let (name, last): (String, Option<i64>) = (row.get(0)?, row.get(3)?);
        let (partition, next_offset) = (row.get(1)?, row.get(2)?);
        // A topic that a newer vedette had is nobody's here.
        Ok(Topic::of_name(&name).map(|topic| Position {
            topic,
            partition,
            next_offset,
            last: last.map(Fingerprint::of_i64),
        }))
    })?;
    rows.filter_map(Result::transpose).collect()
}
