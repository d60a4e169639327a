//! The lake's tables as Arrow schemas.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::tables::{Kind, Table};

/// The Arrow type of a column's kind.
///
/// Low-cardinality text is dictionary-encoded from file to matcher: see the design, "Dictionary types are kept".
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Category => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Text | Kind::Ip | Kind::Json => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Number => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Bytes => DataType::Binary,
    }
}

/// The Arrow schema of a table: its columns in order, without the partition columns `tenant_id` and `day`.
///
/// Delta keeps partition values in the log, not in the files.
pub fn file_schema(table: Table) -> SchemaRef {
    let fields: Vec<Field> = table
        .columns()
        .iter()
        .map(|column| Field::new(column.name, data_type(column.kind), !column.required))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Names of the partition columns of every table, in order.
pub const PARTITION_COLUMNS: [&str; 2] = ["tenant_id", "day"];

#[cfg(test)]
mod tests {
    use super::{PARTITION_COLUMNS, file_schema};
    use crate::tables::Table;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn a_name_is_unique_in_its_table_and_has_one_type_in_all_of_them() {
        let mut types = HashMap::new();
        for table in Table::ALL {
            let mut seen = HashSet::new();
            for field in file_schema(*table).fields() {
                assert!(
                    seen.insert(field.name().clone()),
                    "{table}.{}",
                    field.name()
                );
                assert!(!PARTITION_COLUMNS.contains(&field.name().as_str()));
                // The same name means the same type everywhere.
                let first = types
                    .entry(field.name().clone())
                    .or_insert_with(|| field.data_type().clone());
                assert_eq!(first, field.data_type(), "{table}.{}", field.name());
            }
        }
    }
}
