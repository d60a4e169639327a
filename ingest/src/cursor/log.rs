//! The part of the store that says of which log the cursors are, and what becomes of them where it is gone.

use bus::{Position, stored};
use rusqlite::OptionalExtension as _;

use super::Cursors;
use crate::error::IngestError;

pub(super) const FACTS: &str = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

impl Cursors {
    /// How far the bus had acknowledged what the stored cursors cover.
    pub(crate) async fn stored_acknowledged(&self) -> Result<Vec<Position>, IngestError> {
        self.with("reading what was acknowledged", |connection| {
            stored::read(connection)
        })
        .await
    }

    /// Notes when the store was begun, once; one that has cursors and does not say so was begun at any time.
    pub(crate) async fn begin(&self, now_us: i64) -> Result<(), IngestError> {
        self.with("noting the beginning", move |connection| {
            connection
                .execute(
                    "INSERT OR IGNORE INTO facts (name, value)
                     SELECT 'begun_us', CASE WHEN EXISTS (SELECT 1 FROM cursors) THEN 0 ELSE ?1 END",
                    [now_us],
                )
                .map(|_| ())
        })
        .await
    }

    /// Takes every source back to its beginning, because what the cursors cover is gone.
    ///
    /// Objects of the directory keep their numbers, and none its state: each is told again under an id of its own, for
    /// the lake may have a former state last.
    pub(crate) async fn read_again(&self) -> Result<(), IngestError> {
        self.with("going back to the beginning", |connection| {
            let transaction = connection.transaction()?;
            transaction.execute_batch(
                "DELETE FROM cursors; DELETE FROM known; DELETE FROM acknowledged; UPDATE states SET hash = '';
                 INSERT OR REPLACE INTO facts (name, value)
                 SELECT 'again_us', coalesce((SELECT value FROM facts WHERE name = 'begun_us'), 0);",
            )?;
            transaction.commit()
        })
        .await?;
        self.acknowledged.forget();
        Ok(())
    }

    /// When sources had been begun that were taken back to their beginning, in microseconds since the Unix epoch; none
    /// where none was. From then on everything had been read, and is read again as far back as the source keeps it.
    pub(crate) async fn begun_before_us(&self) -> Result<Option<i64>, IngestError> {
        self.with("reading the beginning", |connection| {
            connection
                .query_row(
                    "SELECT value FROM facts WHERE name = 'again_us'",
                    [],
                    |row| row.get(0),
                )
                .optional()
        })
        .await
    }
}
