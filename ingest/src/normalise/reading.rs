//! What formats say of a record, and how they look into it. Pure.

use std::borrow::Cow;

use schemas::ip;
use schemas::path::{find_first, text};
use schemas::provenance::Provenance;
use schemas::tables::Table;
use serde_json::Value;

/// What identifies a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    /// What a person calls such a record.
    pub(super) name: &'static str,
    pub(super) table: Table,
    pub(super) tenant_id: String,
    pub(super) event_id: String,
    pub(super) event_time_us: Option<i64>,
    pub(super) category: String,
    pub(super) provenance: Provenance,
    pub(super) problems: Vec<String>,
}

/// Where a format keeps what identifies its records.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// What a person calls such a record.
    pub(super) name: &'static str,
    pub(super) table: Table,
    /// The record's own category, if it has one.
    pub(super) category: String,
    /// Paths of the id, first found wins; several lists are joined by `:`.
    pub(super) id: &'static [&'static [&'static str]],
    /// Put before the id, where ids of several categories share a table.
    pub(super) id_prefix: String,
    /// Paths of the time, first found wins.
    pub(super) time: &'static [&'static str],
}

/// The text at the first path that has one which says something.
pub(super) fn word<'a>(record: &'a Value, paths: &[&str]) -> Option<Cow<'a, str>> {
    paths.iter().find_map(|path| {
        let value = find_first(record, &[path])?;
        let word = match value {
            Cow::Borrowed(value) => text(value)?,
            Cow::Owned(value) => Cow::Owned(text(&value)?.into_owned()),
        };
        (!ip::is_nothing(&word)).then_some(word)
    })
}

/// True if a path leads to something that is not null.
pub(super) fn has(record: &Value, paths: &[&str]) -> bool {
    find_first(record, paths).is_some()
}
