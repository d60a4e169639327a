//! What the lake must know of a table.

use super::column::Column;

/// A table: adding one is a value of this beside the others of its kind, and a line of the list of tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableSpec {
    /// Its name in the lake and on the wire.
    pub(super) name: &'static str,
    /// The column whose values are unique in it.
    pub(super) identity: &'static str,
    /// The column that was the identity before.
    pub(super) identity_before: &'static str,
    /// Whether records of sources go to it.
    pub(super) is_events: bool,
    /// Its columns; of events those that are read from the record.
    pub(super) columns: &'static [Column],
    /// Columns whose difference under a known identity is news; none where that is every one that a record has.
    pub(super) compared: Option<&'static [&'static str]>,
}

impl TableSpec {
    /// A table of records of sources, with a topic of its own.
    pub(super) const fn events(name: &'static str, columns: &'static [Column]) -> Self {
        Self {
            name,
            identity: "event_id",
            identity_before: "event_id",
            is_events: true,
            columns,
            compared: None,
        }
    }

    /// A table that vedette itself writes. Its identity is a hash of its whole content, so no difference under it is
    /// news, unless [`Self::comparing`] says which is.
    pub(super) const fn own(
        name: &'static str,
        identity: &'static str,
        columns: &'static [Column],
    ) -> Self {
        Self {
            name,
            identity,
            identity_before: identity,
            is_events: false,
            columns,
            compared: Some(&[]),
        }
    }

    /// Rows of before have their identity in this column.
    pub(super) const fn identity_was(self, column: &'static str) -> Self {
        Self {
            identity_before: column,
            ..self
        }
    }

    /// A difference in these columns is news.
    pub(super) const fn comparing(self, columns: &'static [&'static str]) -> Self {
        Self {
            compared: Some(columns),
            ..self
        }
    }
}
