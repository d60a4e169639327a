//! How much of a report a page shows; the rest is counted.

/// Most alerts that are shown in full; the rest is counted by rule.
pub const ALERTS_IN_FULL: usize = 500;

/// Most events that are shown under an alert.
pub const EVENTS_SHOWN: usize = 20;

/// Most fields that are shown of an event.
pub(crate) const DETAILS_SHOWN: usize = 12;

/// Most rows of a table of entities, files or rules.
pub(crate) const ROWS_SHOWN: usize = 200;

/// Most tactics that techniques are shown against: as many as ATT&CK v18 and v19 have together.
pub(crate) const TACTICS_SHOWN: usize = 16;
