//! Sets of rows, as bits; none and all cost nothing.

use arrow::buffer::BooleanBuffer;

/// The rows of a batch for which something holds.
#[derive(Debug, Clone)]
pub(crate) enum Rows {
    /// None: the common case, which costs nothing further.
    None,
    /// All.
    All,
    /// Those whose bit is set.
    Some(BooleanBuffer),
}

impl Rows {
    /// The rows whose bit is set.
    pub(crate) fn of(bits: BooleanBuffer) -> Self {
        match bits.count_set_bits() {
            0 => Self::None,
            all if all == bits.len() => Self::All,
            _ => Self::Some(bits),
        }
    }

    /// True if no row is in it.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Rows in both.
    #[must_use]
    pub(crate) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, rows) | (rows, Self::All) => rows.clone(),
            (Self::Some(left), Self::Some(right)) => Self::of(left & right),
        }
    }

    /// Rows in either.
    #[must_use]
    pub(crate) fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, rows) | (rows, Self::None) => rows.clone(),
            (Self::Some(left), Self::Some(right)) => Self::of(left | right),
        }
    }

    /// Rows not in it.
    #[must_use]
    pub(crate) fn not(&self) -> Self {
        match self {
            Self::None => Self::All,
            Self::All => Self::None,
            Self::Some(bits) => Self::Some(!bits),
        }
    }

    /// Their numbers, in order, in a batch of `rows` rows.
    pub(crate) fn numbers(&self, rows: usize) -> Vec<usize> {
        match self {
            Self::None => Vec::new(),
            Self::All => (0..rows).collect(),
            Self::Some(bits) => bits.set_indices().collect(),
        }
    }
}
