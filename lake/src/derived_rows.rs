//! Rows of the tables that vedette itself writes, for readers: whole, or with the reason why not.

use columns::derived::{DerivedRow, RowError, read_rows};
use futures::TryStreamExt as _;

use crate::error::LakeError;
use crate::reader::Lake;

impl Lake {
    /// What the rows of an answer say, in its order, and why others of them cannot be read.
    ///
    /// `sql` selects all columns (`SELECT *`) of the type's table or of a view of it that adds to them.
    ///
    /// # Errors
    /// As [`Lake::query_all`].
    pub async fn rows<T: DerivedRow>(
        &self,
        sql: &str,
    ) -> Result<(Vec<T>, Vec<RowError>), LakeError> {
        let (_, mut batches) = self.query(sql).await?;
        let (mut rows, mut damaged) = (Vec::new(), Vec::new());
        while let Some(batch) = batches.try_next().await? {
            let (read, unread) = read_rows::<T>([&batch]);
            rows.extend(read);
            damaged.extend(unread);
        }
        Ok((rows, damaged))
    }
}
