//! What is asked of a table's columns for every row, made once.

use std::sync::OnceLock;

use schemas::tables::{Column, Table};

use crate::paths::Paths;

/// A table's columns and what follows from them.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) columns: Vec<Column>,
    /// Where the identity stands.
    pub(crate) identity: usize,
    /// As [`compared_columns`].
    pub(crate) compared: Vec<usize>,
    /// The paths of the columns that are read from the record.
    pub(crate) paths: Paths,
}

impl Shape {
    /// The shape of a table.
    pub(crate) fn of(table: Table) -> &'static Self {
        static SHAPES: [OnceLock<Shape>; Table::ALL.len()] =
            [const { OnceLock::new() }; Table::ALL.len()];
        SHAPES[table as usize].get_or_init(|| {
            let columns = table.columns();
            let identity = table.identity();
            Self {
                identity: columns
                    .iter()
                    .position(|column| column.name == identity)
                    .unwrap_or(columns.len()),
                compared: compared(table, &columns),
                paths: Paths::new(table.record_columns()),
                columns,
            }
        })
    }
}

/// Columns whose difference under a known identity is news, by their place in the table.
///
/// Not compared: what says only how and when the record came to us, and the raw JSON, in which
/// Microsoft reorders fields. Alerts may be raised again by a replay at another time.
pub fn compared_columns(table: Table) -> Vec<usize> {
    Shape::of(table).compared.clone()
}

fn compared(table: Table, columns: &[Column]) -> Vec<usize> {
    let compared: Vec<&str> = match table {
        Table::Alerts => vec!["alert_state", "alert_severity", "title", "label"],
        Table::Coverage => vec!["coverage_state"],
        // The identities of these are hashes of their whole content.
        Table::Revisions | Table::Signals | Table::Actions | Table::DeadLetters => Vec::new(),
        events => {
            let mut names = vec!["event_time"];
            names.extend(events.record_columns().iter().map(|column| column.name));
            names
        }
    };
    columns
        .iter()
        .enumerate()
        .filter(|(_, column)| compared.contains(&column.name))
        .map(|(at, _)| at)
        .collect()
}

/// Where a column stands in its table.
pub fn position_of(table: Table, name: &str) -> Option<usize> {
    let columns = &Shape::of(table).columns;
    columns.iter().position(|column| column.name == name)
}
