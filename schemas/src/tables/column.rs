//! The columns of tables, and where in a record each stands.

/// What a column holds, which decides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text of few distinct values, dictionary-encoded.
    Category,
    /// Text of many distinct values.
    Text,
    /// A client address, without port.
    Ip,
    /// A list or object as JSON text.
    Json,
    /// A whole number; numbers written as text or with a fraction of zero are read too.
    Integer,
    /// A number.
    Number,
    /// True or false, also written as text.
    Boolean,
    /// Microseconds since the Unix epoch, UTC.
    Time,
    /// Bytes as received.
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in the lake.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where in the record it stands, first found wins (see [`crate::path`]); empty for columns of the envelope.
    pub paths: &'static [&'static str],
    /// True if every row has it.
    pub required: bool,
    /// For columns of changes, whether the values that came or those that went, instead of what stands there.
    pub changes: Option<Side>,
}

/// A side of the changes that a record tells by the values before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Values that are new.
    Added,
    /// Values that are gone.
    Removed,
}

/// A column that is read from the record.
pub(super) const fn column(
    name: &'static str,
    kind: Kind,
    paths: &'static [&'static str],
) -> Column {
    Column {
        name,
        kind,
        paths,
        required: false,
        changes: None,
    }
}

/// A column of one side of the changes that stand at the paths: a JSON list of `Property=value`.
pub(super) const fn changes(
    name: &'static str,
    side: Side,
    paths: &'static [&'static str],
) -> Column {
    Column {
        changes: Some(side),
        ..column(name, Kind::Json, paths)
    }
}

/// A column that comes with the envelope.
pub(super) const fn envelope(name: &'static str, kind: Kind, required: bool) -> Column {
    Column {
        name,
        kind,
        paths: &[],
        required,
        changes: None,
    }
}
