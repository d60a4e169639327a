//! What a report is made from. Times are microseconds since the Unix epoch, UTC.

use std::collections::BTreeMap;

use schemas::wire::Alert;
use serde::Serialize;

/// What an import read and found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// The tenants whose records were read.
    pub(crate) tenants: Vec<Tenant>,
    /// The files, in the order of their reading.
    pub(crate) files: Vec<FileLine>,
    /// What became of the records of all files together.
    pub(crate) added: Added,
    /// The tables of events; one that is not listed counts as empty.
    pub(crate) tables: Vec<TableLine>,
    /// Rows by table and day; a day that is not listed counts as one without records.
    pub(crate) days: Vec<DayLine>,
    /// What else limits the answers, one sentence each.
    pub(crate) remarks: Vec<String>,
    /// Alerts; of two with one id the later stands.
    pub(crate) alerts: Vec<Alert>,
    /// The events that the alerts name as evidence, found by table and event id.
    pub(crate) events: Vec<EventLine>,
    /// How often entities appear in the whole lake, where that was counted.
    pub(crate) sightings: Vec<Sighting>,
    /// What to read about a rule, by the rule's id; only `https` addresses become links.
    pub(crate) references: BTreeMap<String, Vec<String>>,
    /// How the report came about.
    pub(crate) made: Made,
}

/// A tenant.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Tenant {
    /// Microsoft's id.
    pub(crate) id: String,
    /// A name for people, for example its domain; may be empty.
    pub(crate) name: String,
}

/// A file that was read, or could not be.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct FileLine {
    /// Its path as it was given.
    pub(crate) path: String,
    /// Records found in it.
    pub(crate) records: u64,
    /// Dead letters by reason, see [`schemas::dead_letter::Reason`].
    pub(crate) dead_letters: BTreeMap<String, u64>,
    /// Why it could not be read to its end.
    pub(crate) failure: Option<String>,
    /// As what it was read, and what a person should know of it.
    pub(crate) told: Vec<String>,
    /// True if it says of itself that there is more than it holds.
    pub(crate) is_incomplete: bool,
}

/// What became of the records of all files; the lake does not keep which file brought which row.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Added {
    /// Rows that the lake did not have before.
    pub(crate) rows: u64,
    /// Records whose id was known with other content.
    pub(crate) revisions: u64,
    /// Records that were known already.
    pub(crate) duplicates: u64,
}

/// A table of events.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct TableLine {
    /// Its name, see [`schemas::tables::Table`].
    pub(crate) table: String,
    /// Its rows.
    pub(crate) rows: u64,
    /// Time of its earliest event.
    pub(crate) first_us: Option<i64>,
    /// Time of its latest event.
    pub(crate) last_us: Option<i64>,
}

/// A day of a table.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct DayLine {
    /// The table.
    pub(crate) table: String,
    /// The UTC day, `YYYY-MM-DD`.
    pub(crate) day: String,
    /// Rows of that day.
    pub(crate) rows: u64,
}

/// An event behind an alert, with the few fields that matter.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct EventLine {
    /// The table that keeps it.
    pub(crate) table: String,
    /// Its id.
    pub(crate) event_id: String,
    /// When it happened; none if the record does not say.
    pub(crate) time_us: Option<i64>,
    /// What was done.
    pub(crate) operation: String,
    /// Who did it.
    pub(crate) user: String,
    /// From which address.
    pub(crate) ip: String,
    /// Names and values, the most telling first.
    ///
    /// The values of `session_id`, and of `app_id` and `application`, are listed as sessions and applications.
    pub(crate) details: Vec<(String, String)>,
    /// Path of its file inside the table's folder.
    pub(crate) file: String,
    /// Row in that file, from 0.
    pub(crate) row: u64,
}

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EntityKind {
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
pub(crate) struct Sighting {
    /// What it is.
    pub(crate) kind: EntityKind,
    /// Its name, compared without letter case.
    pub(crate) value: String,
    /// Records that name it.
    pub(crate) records: u64,
    /// Time of the earliest.
    pub(crate) first_us: Option<i64>,
    /// Time of the latest.
    pub(crate) last_us: Option<i64>,
}

/// How a report came about.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Made {
    /// Version of vedette.
    pub(crate) version: String,
    /// When.
    pub(crate) time_us: i64,
    /// How many rules were evaluated.
    pub(crate) rules: u64,
    /// The command, as it was given; may be empty.
    pub(crate) command: String,
}
