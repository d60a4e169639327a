//! What was published of one file, and what a person should know of it.

use std::collections::BTreeMap;

use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::tables::Table;
use schemas::wire;

use super::folder::Found;
use super::{FileRead, OTHER_TENANT, SOURCE, Summary};
use crate::error::IngestError;
use crate::normalise::{AMBIGUOUS, Normalised, UNKNOWN_TENANT, table_of};
use crate::outlet::Outlet;

/// Most notes of one file: the first tell what the others repeat.
const NOTES_MAX: usize = 20;

/// What was published of one file.
pub(super) struct FileTally {
    pub(super) tenants: BTreeMap<String, u64>,
    pub(super) read: FileRead,
    published: Published,
}

impl FileTally {
    /// Nothing yet, and why that is so if nothing more comes.
    pub(super) fn new(failure: &str) -> Self {
        Self {
            tenants: BTreeMap::new(),
            read: FileRead {
                failure: Some(failure.to_owned()),
                ..FileRead::default()
            },
            published: Published::default(),
        }
    }

    pub(super) async fn publish(
        &mut self,
        mut batch: Normalised,
        outlet: &Outlet,
        summary: &mut Summary,
    ) -> Result<(), IngestError> {
        let mut tables: BTreeMap<Table, u64> = BTreeMap::new();
        for event in &batch.events {
            *tables.entry(table_of(event)).or_default() += 1;
            *self.tenants.entry(event.tenant_id.clone()).or_default() += 1;
            self.look_at(event);
        }
        // A letter in parts is counted once.
        let letters = batch.dead_letters.iter().filter(|letter| letter.part == 0);
        for letter in letters {
            *self
                .read
                .dead_letters
                .entry(letter.reason.clone())
                .or_default() += 1;
        }
        for (name, count) in std::mem::take(&mut batch.recognised) {
            *self.read.recognised.entry(name).or_default() += count;
        }
        for note in std::mem::take(&mut batch.notes) {
            if self.read.notes.len() < NOTES_MAX && !self.read.notes.contains(&note) {
                self.read.notes.push(note);
            }
        }
        // A file may name a million tenants: an import is one sender.
        outlet.room(SOURCE).await;
        let done = outlet.publish(SOURCE, SOURCE, batch).await?.published;
        self.published += done;
        self.read.records += done.records;
        summary.records += done.records;
        summary.dead_letters += done.dead_letters;
        for (table, count) in tables {
            *self.read.by_table.entry(table).or_default() += count;
            *summary.by_table.entry(table).or_default() += count;
        }
        Ok(())
    }

    fn look_at(&mut self, event: &wire::Event) {
        let says = |start: &str| {
            event
                .problems
                .iter()
                .any(|problem| problem.starts_with(start))
        };
        // An object of the directory is no happening.
        let is_timeless = table_of(event).name().starts_with("directory_")
            && table_of(event) != Table::DirectoryAudits;
        self.read.without_time += u64::from(event.event_time_us.is_none() && !is_timeless);
        self.read.ambiguous += u64::from(says(AMBIGUOUS));
        self.read.other_tenant += u64::from(says(OTHER_TENANT));
        let is_cut = event
            .problems
            .iter()
            .any(|problem| problem.contains(" is cut") || problem == "its end is missing");
        self.read.cut += u64::from(is_cut);
    }

    /// The line of the ledger: a file that says of itself that there is more is a gap.
    pub(super) fn line(
        &self,
        file: &Found,
        tenant_id: Option<&str>,
        now_us: i64,
    ) -> wire::Coverage {
        let tenant_id = match self.tenants.len() {
            1 => self.tenants.keys().next().map(String::as_str),
            _ => tenant_id,
        };
        let range = CoverageRange {
            tenant_id: tenant_id.unwrap_or(UNKNOWN_TENANT),
            source: SOURCE,
            kind: "file",
            subject: &file.name,
            from: 0,
            to: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        };
        let is_whole = self.read.failure.is_none() && !self.read.is_incomplete();
        let state = if is_whole {
            CoverageState::Read
        } else {
            CoverageState::Gap
        };
        let notes = self.read.notes.iter().map(String::as_str);
        let detail: Vec<&str> = self
            .read
            .failure
            .as_deref()
            .into_iter()
            .chain(notes)
            .collect();
        range.line(state, self.published, &detail.join("; "), now_us)
    }
}
