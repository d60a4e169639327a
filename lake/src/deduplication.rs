//! What the lake holds already: identities by tenant and day, read back from the lake itself.
//!
//! The lake is its own index: a duplicate carries the same event time, so only the day that a record
//! touches is looked at. Nothing beside the lake can disagree with it after a crash. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use schemas::invariants::{self, RowsAdded};
use schemas::limits::DEDUPLICATION_DAYS_MIN;
use schemas::tables::{Kind, Table};
use serde_json::Value;

use crate::delta::DataFile;
use columns::{Cell, Row, compared_columns, day_of};

/// A partition of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Day {
    pub(crate) tenant_id: String,
    /// In days since the Unix epoch.
    pub(crate) day: i32,
}

/// Content that was not read back with its identity.
const UNKNOWN: u64 = 0;

#[derive(Debug, Default)]
struct Held {
    /// Hash of the stored row's content by identity.
    stored: HashMap<u128, u64>,
    /// Other contents that were compared with the stored row already: duplicates of it, or revisions that are kept.
    settled: HashSet<(u128, u64)>,
    last_used: u64,
}

impl Held {
    fn len(&self) -> usize {
        // A day without identities takes room too.
        (self.stored.len() + self.settled.len()).max(1)
    }
}

/// The days that hold rows of other days, by tenant: what came while a clock was wrong is kept under the day of that
/// clock.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    dated: HashMap<String, Vec<Stray>>,
    /// Days with rows whose records say no time.
    undated: HashMap<String, BTreeSet<i32>>,
}

/// A day with rows whose records say days between these two.
#[derive(Debug, Clone, Copy)]
struct Stray {
    day: i32,
    first: i32,
    last: i32,
}

impl Strays {
    /// Those of a table's files.
    pub(crate) fn of<'a>(files: impl Iterator<Item = &'a DataFile>) -> Self {
        let mut strays = Self::default();
        for file in files {
            let day = file.day;
            let Some((from, to)) = file.event_times else {
                let of_tenant = strays.undated.entry(file.tenant_id.clone());
                of_tenant.or_default().insert(day);
                continue;
            };
            let (first, last) = (day_of(from), day_of(to));
            if (first, last) != (day, day) {
                let of_tenant = strays.dated.entry(file.tenant_id.clone());
                of_tenant.or_default().push(Stray { day, first, last });
            }
        }
        strays
    }

    /// The days, beside its own, under which a record of a day may be kept; of one that says no day, those with others
    /// that say none.
    fn days(&self, tenant_id: &str, event_day: Option<i32>) -> Vec<i32> {
        let Some(event_day) = event_day else {
            let of_tenant = self.undated.get(tenant_id);
            return of_tenant.into_iter().flatten().copied().collect();
        };
        let of_tenant = self.dated.get(tenant_id).map_or(&[][..], Vec::as_slice);
        let covers = |stray: &&Stray| (stray.first..=stray.last).contains(&event_day);
        of_tenant
            .iter()
            .filter(covers)
            .map(|stray| stray.day)
            .collect()
    }
}

/// The identities that one table holds, for the days touched lately.
#[derive(Debug)]
pub(crate) struct Identities {
    table: Table,
    has_compared_columns: bool,
    days: HashMap<Day, Held>,
    held_max: usize,
    uses: u64,
    strays: Strays,
}

/// What is to be done with the rows of a batch, by their place in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sifted {
    /// To be stored.
    pub(crate) new: Vec<usize>,
    /// Stored already, or earlier in the batch.
    pub(crate) duplicates: usize,
    /// Known under this day with a content that must be compared with the stored row.
    pub(crate) suspects: Vec<(usize, Day)>,
    /// Differing in these columns from the row that is kept under this day, or will be with this batch.
    pub(crate) revisions: Vec<(usize, Day, Vec<&'static str>)>,
}

impl Identities {
    /// Nothing yet; at most about `held_max` identities at any time between batches.
    pub(crate) fn new(table: Table, held_max: usize) -> Self {
        Self {
            table,
            has_compared_columns: !compared_columns(table).is_empty(),
            days: HashMap::new(),
            held_max,
            uses: 0,
            strays: Strays::default(),
        }
    }

    /// Takes in which days hold rows of others.
    pub(crate) fn know_strays(&mut self, strays: Strays) {
        self.strays = strays;
    }

    /// The days under which a row may be stored already.
    fn days_of(&self, row: &Row) -> Vec<Day> {
        let back = if row.is_day_its_own {
            0
        } else {
            i32::try_from(DEDUPLICATION_DAYS_MIN).unwrap_or(7)
        };
        let mut days: Vec<i32> = (0..=back)
            .map(|days| row.day.saturating_sub(days))
            .collect();
        days.extend(row.event_day);
        days.extend(self.strays.days(&row.tenant_id, row.event_day));
        let mut seen = HashSet::new();
        let days = days.into_iter().filter(|day| seen.insert(*day));
        days.map(|day| Day {
            tenant_id: row.tenant_id.clone(),
            day,
        })
        .collect()
    }

    /// The days that must be loaded before [`Self::sift`] can answer for these rows.
    pub(crate) fn missing(&self, rows: &[Row]) -> HashSet<Day> {
        rows.iter()
            .flat_map(|row| self.days_of(row))
            .filter(|day| !self.days.contains_key(day))
            .collect()
    }

    /// Takes in the identities that the lake holds under a day.
    pub(crate) fn load(&mut self, day: Day, identities: impl Iterator<Item = u128>) {
        let held = self.days.entry(day).or_default();
        held.last_used = self.uses;
        for identity in identities {
            held.stored.entry(identity).or_insert(UNKNOWN);
        }
    }

    /// Says what is to be done with each row.
    pub(crate) fn sift(&mut self, rows: &[Row]) -> Sifted {
        self.uses += 1;
        let mut sifted = Sifted::default();
        let mut of_batch: HashMap<(&str, u128), Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            let content = row.content(self.table);
            if let Some(day) = self.find(row) {
                if self.is_settled(&day, row.identity, content) {
                    sifted.duplicates += 1;
                } else {
                    sifted.suspects.push((at, day));
                }
                continue;
            }
            let of_id = of_batch.entry((&row.tenant_id, row.identity)).or_default();
            let is_it = |earlier: &&usize| self.is_of_same_day(row, &rows[**earlier]);
            let earlier = of_id.iter().find(is_it).copied();
            if let Some(earlier) = earlier {
                let changed = differences(self.table, &compared(self.table, &rows[earlier]), row);
                if changed.is_empty() {
                    sifted.duplicates += 1;
                } else {
                    let day = Day {
                        tenant_id: row.tenant_id.clone(),
                        day: rows[earlier].day,
                    };
                    sifted.revisions.push((at, day, changed));
                }
                continue;
            }
            of_id.push(at);
            sifted.new.push(at);
        }
        sifted
    }

    /// Whether rows of one identity are one record: either may be kept under the day of the other, as where one of the
    /// two came while a clock was wrong.
    fn is_of_same_day(&self, one: &Row, other: &Row) -> bool {
        let may_be_under = |row: &Row, day: i32| self.days_of(row).iter().any(|of| of.day == day);
        one.of_day() == other.of_day()
            || may_be_under(one, other.day)
            || may_be_under(other, one.day)
    }

    /// The day under which a row's identity is stored.
    fn find(&mut self, row: &Row) -> Option<Day> {
        for day in self.days_of(row) {
            if let Some(held) = self.days.get_mut(&day) {
                held.last_used = self.uses;
                if held.stored.contains_key(&row.identity) {
                    return Some(day);
                }
            }
        }
        None
    }

    fn is_settled(&self, day: &Day, identity: u128, content: u64) -> bool {
        !self.has_compared_columns
            || self.days.get(day).is_some_and(|held| {
                held.stored.get(&identity) == Some(&content)
                    || held.settled.contains(&(identity, content))
            })
    }

    /// Checks that none of the rows that are added is one that the table has.
    pub(crate) fn check_added<'a>(&self, rows: impl Iterator<Item = &'a Row>) {
        let mut distinct = HashSet::new();
        let (mut count, mut known) = (0, 0);
        for row in rows {
            count += 1;
            distinct.insert((&row.tenant_id, row.identity, row.of_day()));
            let held = self.days_of(row).into_iter();
            let is_known = held
                .filter_map(|day| self.days.get(&day))
                .any(|held| held.stored.contains_key(&row.identity));
            known += u64::from(is_known);
        }
        invariants::check(&RowsAdded {
            rows: count,
            distinct: distinct.len() as u64,
            known,
        });
    }

    /// Remembers rows that are stored now.
    pub(crate) fn stored<'a>(&mut self, rows: impl Iterator<Item = &'a Row>) {
        for row in rows {
            let day = Day {
                tenant_id: row.tenant_id.clone(),
                day: row.day,
            };
            // A day that is not held will be read back whole, these rows included.
            if let Some(held) = self.days.get_mut(&day) {
                held.stored.insert(row.identity, row.content(self.table));
            }
        }
    }

    /// Remembers that a content was compared with the stored row, and that nothing is left to do about it.
    pub(crate) fn settle(&mut self, day: &Day, row: &Row) {
        if let Some(held) = self.days.get_mut(day) {
            held.settled.insert((row.identity, row.content(self.table)));
        }
    }

    /// Lets go of the least recently used days until the bound holds.
    pub(crate) fn evict(&mut self) {
        let mut held: usize = self.days.values().map(Held::len).sum();
        if held <= self.held_max {
            return;
        }
        let mut by_use: Vec<(u64, Day)> = self
            .days
            .iter()
            .map(|(day, held)| (held.last_used, day.clone()))
            .collect();
        by_use.sort();
        for (_, day) in by_use {
            if held <= self.held_max {
                break;
            }
            held -= self.days.remove(&day).map_or(0, |gone| gone.len());
        }
    }

    /// Forgets everything: another writer may have added to any day.
    pub(crate) fn clear(&mut self) {
        self.days.clear();
    }
}

/// The cells of a row that make a difference.
fn compared(table: Table, row: &Row) -> Vec<Cell> {
    compared_columns(table)
        .into_iter()
        .map(|at| row.cells[at].clone())
        .collect()
}

/// Names of the columns in which a row differs from the stored one; a column that either lacks makes no difference.
pub(crate) fn differences(table: Table, stored: &[Cell], row: &Row) -> Vec<&'static str> {
    let columns = table.columns();
    compared_columns(table)
        .into_iter()
        .zip(stored)
        .filter(|(at, stored)| !is_same(columns[*at].kind, stored, &row.cells[*at]))
        .map(|(at, _)| columns[at].name)
        .collect()
}

fn is_same(kind: Kind, one: &Cell, other: &Cell) -> bool {
    match (one, other) {
        (Cell::Null, _) | (_, Cell::Null) => true,
        (Cell::Text(one), Cell::Text(other)) if kind == Kind::Json && one != other => {
            // The order of members does not count.
            let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
            matches!((parse(one), parse(other)), (Some(one), Some(other)) if one == other)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
