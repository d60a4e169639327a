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

/// [`Table::compared_columns`], by their place in the table.
pub fn compared_columns(table: Table) -> Vec<usize> {
    Shape::of(table).compared.clone()
}

fn compared(table: Table, columns: &[Column]) -> Vec<usize> {
    let compared = table.compared_columns();
    let all = columns.iter().enumerate();
    all.filter(|(_, column)| compared.contains(&column.name))
        .map(|(at, _)| at)
        .collect()
}

/// Where a column stands in its table.
pub fn position_of(table: Table, name: &str) -> Option<usize> {
    let columns = &Shape::of(table).columns;
    columns.iter().position(|column| column.name == name)
}
