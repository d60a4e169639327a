//! What holds from the log to the tables.

use super::{Invariant, Predicate};

super::area! {
    /// From the log to the tables.
    Storage {
        /// A commit of the lake begins where the commit before it ended, or at what a replaced log still has.
        OffsetsWithRows = "offsets_with_rows", kept by ["lake/src/delta.rs", "lake/src/stage/flush.rs"];
        /// An identity is added to its table once.
        RowsDistinct = "rows_distinct", kept by ["lake/src/deduplication.rs"];
        /// A row's tenant is that of the partition that holds it.
        TenantOfPartition = "tenant_of_partition", kept by ["lake/src/writer.rs"];
    }
}

/// A commit of the lake moves a partition on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedRange {
    /// Where the table stood.
    pub stood_at: i64,
    /// First offset that the commit covers.
    pub from: i64,
    /// Offset after the last that it covers.
    pub to: i64,
    /// Whether the offsets are of the log that the table stood on; else that log was replaced.
    pub same_log: bool,
}

impl Predicate for CommittedRange {
    const INVARIANT: Invariant = Invariant::Storage(Storage::OffsetsWithRows);

    fn holds(&self) -> bool {
        self.to >= self.from && (self.from == self.stood_at || !self.same_log)
    }
}

/// Rows are added to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsAdded {
    /// Rows of the commit.
    pub rows: u64,
    /// Different identities among them.
    pub distinct: u64,
    /// Identities among them that the table has already.
    pub known: u64,
}

impl Predicate for RowsAdded {
    const INVARIANT: Invariant = Invariant::Storage(Storage::RowsDistinct);

    fn holds(&self) -> bool {
        self.rows == self.distinct && self.known == 0
    }
}

/// A file of one tenant's partition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionWritten {
    /// Rows of the file.
    pub rows: u64,
    /// How many of them are of the partition's tenant and day.
    pub of_partition: u64,
}

impl Predicate for PartitionWritten {
    const INVARIANT: Invariant = Invariant::Storage(Storage::TenantOfPartition);

    fn holds(&self) -> bool {
        self.rows == self.of_partition
    }
}

#[cfg(test)]
mod tests {
    use super::{CommittedRange, PartitionWritten, Predicate, RowsAdded};

    #[test]
    fn a_partition_has_rows_of_its_tenant_only() {
        let written = |of_partition| PartitionWritten {
            rows: 2,
            of_partition,
        };
        assert!(written(2).holds());
        assert!(!written(1).holds());
    }

    #[test]
    fn a_commit_begins_where_the_last_one_ended() {
        let range = |from, to, same_log| CommittedRange {
            stood_at: 5,
            from,
            to,
            same_log,
        };
        assert!(range(5, 9, true).holds());
        assert!(!range(6, 9, true).holds());
        assert!(!range(4, 9, true).holds());
        assert!(!range(5, 4, true).holds());
        assert!(range(0, 3, false).holds());
        assert!(!range(3, 0, false).holds());
    }

    #[test]
    fn an_identity_is_added_once() {
        let rows = |distinct, known| RowsAdded {
            rows: 2,
            distinct,
            known,
        };
        assert!(rows(2, 0).holds());
        assert!(!rows(1, 0).holds());
        assert!(!rows(2, 1).holds());
    }
}
