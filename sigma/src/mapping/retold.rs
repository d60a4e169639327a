//! Fields of Entra's own logs in the unified audit log, which tells the same acts in another shape.
//!
//! A rule that is written against Entra's own logs is asked of the record told again; what has a column in the table of
//! the unified audit log is asked of that first, so that few records have to be told again.

use std::sync::LazyLock;

use rsigma_parser::{SigmaRule, parse_sigma_yaml};
use schemas::tables::Table;

use super::field::{Field, FieldBinding};
use super::lookup;
use super::user_mapping::UserMapping;
use crate::expression::RecordPath;

/// The table whose records are told again.
pub(crate) const TELLER: Table = Table::M365Activity;

/// The tables as whose records they are told.
pub(crate) const TOLD: [Table; 2] = [Table::Signins, Table::DirectoryAudits];

/// Columns of both tables that hold the name of the operation; a period at its end does not count.
const OPERATIONS: [&str; 2] = ["operation_name", "activity_display_name"];

/// Where the field `name` of `table` stands.
pub(super) fn field(user_mapping: &UserMapping, table: Table, name: &str) -> Field {
    let mut field = lookup::field(user_mapping, table, name);
    if let FieldBinding::Column(column) = &field.place {
        field.place = binding(table, column);
    }
    field
}

fn binding(table: Table, name: &str) -> FieldBinding {
    if table == Table::DirectoryAudits && OPERATIONS.contains(&name) {
        return FieldBinding::Column("operation".to_owned());
    }
    let columns = table.record_columns().iter();
    let paths = match columns.clone().find(|column| column.name == name) {
        Some(column) if column.changes.is_none() => column.paths,
        // The record that is told again has them under the names of the columns, the category under its own.
        Some(column) => std::slice::from_ref(&column.name),
        None if name == "category" => &["category"],
        None => return FieldBinding::Column(name.to_owned()),
    };
    FieldBinding::Raw(paths.iter().map(|path| RecordPath::new(path)).collect())
}

/// Which records of [`TELLER`] are told again as records of `table`, as a rule about its columns; the same ones as
/// [`columns::retold::retold`] says, at no more than the cost of two columns.
pub(crate) fn guard(table: Table) -> Option<&'static SigmaRule> {
    static GUARDS: LazyLock<[Option<SigmaRule>; 2]> = LazyLock::new(|| {
        ["entra and sign_in", "entra and not sign_in"].map(|condition| {
            let text = format!(
                "title: told by the unified audit log\nlogsource: {{product: m365}}\ndetection:\n  \
                 entra: {{workload: AzureActiveDirectory}}\n  sign_in:\n    - operation: [UserLoggedIn, UserLoginFailed]\n    \
                 - record_type: [9, 15]\n  condition: {condition}\n"
            );
            let parsed = parse_sigma_yaml(&text).ok()?;
            parsed.rules.into_iter().next()
        })
    });
    let at = TOLD.iter().position(|told| *told == table)?;
    GUARDS[at].as_ref()
}

#[cfg(test)]
mod tests {
    use columns::retold::retold;
    use schemas::tables::Table;
    use schemas::wire::Event;
    use serde_json::json;

    use super::{TELLER, TOLD, guard};
    use crate::mapping::Mapping;
    use crate::plan::Plan;
    use crate::plan::chunk::Batch;

    #[test]
    fn the_guard_lets_through_what_is_told_again_and_nothing_else() {
        let mut records = Vec::new();
        for workload in ["AzureActiveDirectory", "azureactivedirectory", "Exchange"] {
            for operation in [
                "UserLoggedIn",
                "UserLoginFailed",
                "Add user.",
                "Update policy.",
            ] {
                for record_type in [1, 8, 9, 15] {
                    records.push(json!({"Id": records.len().to_string(), "Workload": workload, "Operation": operation,
                        "RecordType": record_type}));
                }
            }
        }
        let event = |record: &serde_json::Value| Event {
            event_id: record["Id"].to_string(),
            raw: record.to_string().into_bytes().into(),
            ..Event::default()
        };
        let events: Vec<Event> = records.iter().map(event).collect();
        let batch = columns::event_batch(TELLER, &events).unwrap();
        let told: Vec<Option<Table>> = records
            .iter()
            .map(|record| retold(record).map(|retold| retold.table))
            .collect();
        assert!(told.iter().flatten().count() == 32);
        for table in TOLD {
            let rule = (0, guard(table).unwrap());
            let (plan, refused) = Plan::new(Mapping::Lake(TELLER), [rule]);
            assert!(refused.is_empty());
            let hits = plan.evaluate(&mut Batch(&batch)).unwrap();
            let expected: Vec<usize> = (0..told.len())
                .filter(|row| told[*row] == Some(table))
                .collect();
            assert_eq!(hits[0].rows, expected, "{table}");
        }
    }
}
