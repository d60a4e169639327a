//! What a report is made from. Times are microseconds since the Unix epoch, UTC.

use std::collections::BTreeMap;

use schemas::wire::Alert;
use serde::Serialize;

/// What an import read and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The tenants whose records were read.
    pub tenants: Vec<Tenant>,
    /// The files, in the order of their reading.
    pub files: Vec<FileLine>,
    /// What became of the records of all files together.
    pub added: Added,
    /// The tables of events; one that is not listed counts as empty.
    pub tables: Vec<TableLine>,
    /// Rows by table and day; a day that is not listed counts as one without records.
    pub days: Vec<DayLine>,
    /// What else limits the answers, one sentence each.
    pub remarks: Vec<String>,
    /// Alerts; of two with one id the later stands.
    pub alerts: Vec<Alert>,
    /// The events that the alerts name as evidence, found by table and event id.
    pub events: Vec<EventLine>,
    /// How often entities appear in the whole lake, where that was counted.
    pub sightings: Vec<Sighting>,
    /// What to read about a rule, by the rule's id; only `https` addresses become links.
    pub references: BTreeMap<String, Vec<String>>,
    /// ATT&CK's tactics in the order of an intrusion; those that alerts name besides follow.
    pub tactics: Vec<String>,
    /// How the report came about.
    pub made: Made,
}

/// A tenant.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tenant {
    /// Microsoft's id.
    pub id: String,
    /// A name for people, for example its domain; may be empty.
    pub name: String,
}

/// A file that was read, or could not be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileLine {
    /// Its path as it was given.
    pub path: String,
    /// Records found in it.
    pub records: u64,
    /// Dead letters by reason, see [`schemas::dead_letter::Reason`].
    pub dead_letters: BTreeMap<String, u64>,
    /// Why it could not be read to its end.
    pub failure: Option<String>,
    /// As what it was read, and what a person should know of it.
    pub told: Vec<String>,
    /// True if it says of itself that there is more than it holds.
    pub is_incomplete: bool,
}

/// What became of the records of all files; the lake does not keep which file brought which row.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Added {
    /// Rows that the lake did not have before.
    pub rows: u64,
    /// Records whose id was known with other content.
    pub revisions: u64,
    /// Records that were known already.
    pub duplicates: u64,
}

/// A table of events.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TableLine {
    /// Its name, see [`schemas::tables::Table`].
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// Time of its earliest event.
    pub first_us: Option<i64>,
    /// Time of its latest event.
    pub last_us: Option<i64>,
}

/// A day of a table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DayLine {
    /// The table.
    pub table: String,
    /// The UTC day, `YYYY-MM-DD`.
    pub day: String,
    /// Rows of that day.
    pub rows: u64,
}

/// An event behind an alert, with the few fields that matter.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EventLine {
    /// The table that keeps it.
    pub table: String,
    /// Its id.
    pub event_id: String,
    /// When it happened; none if the record does not say.
    pub time_us: Option<i64>,
    /// What was done.
    pub operation: String,
    /// Who did it.
    pub user: String,
    /// From which address.
    pub ip: String,
    /// Names and values, the most telling first.
    ///
    /// The values of `session_id`, and of `app_id` and `application`, are listed as sessions and applications.
    pub details: Vec<(String, String)>,
    /// Path of its file inside the table's folder.
    pub file: String,
    /// Row in that file, from 0.
    pub row: u64,
}

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityKind {
    /// An account, by its user principal name.
    User,
    /// A client address.
    Address,
    /// A session's id.
    Session,
    /// An application's id or name.
    Application,
}

/// How often an entity appears in the whole lake.
#[derive(Debug, Clone, Serialize)]
pub struct Sighting {
    /// What it is.
    pub kind: EntityKind,
    /// Its name, compared without letter case.
    pub value: String,
    /// Records that name it.
    pub records: u64,
    /// Time of the earliest.
    pub first_us: Option<i64>,
    /// Time of the latest.
    pub last_us: Option<i64>,
}

/// How a report came about.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Made {
    /// Version of vedette.
    pub version: String,
    /// When.
    pub time_us: i64,
    /// How many rules were evaluated.
    pub rules: u64,
    /// The command, as it was given; may be empty.
    pub command: String,
}
