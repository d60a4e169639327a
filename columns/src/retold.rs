//! What Entra's own logs would say of an act that the unified audit log tells.
//!
//! Entra writes its sign-ins and the changes of its directory into the unified audit log too (workload
//! `AzureActiveDirectory`), in another shape and under other names. Rules are written against Entra's own logs; told
//! again in their shape, a record meets the same rules, whichever log it came in. Only what the record says is carried
//! over: what Entra's own log would know beyond it stays absent.
//!
//! Sources: Office 365 Management Activity API schema, "Microsoft Entra Base schema", "Account Logon schema" and
//! "Secure Token Service Logon schema"; Microsoft Graph, resources `directoryAudit` and `signIn`. Pure.

mod directory_audit;
mod error_codes;
mod identity;
mod record;
mod sign_in;

use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::Value;

use self::record::Record;
use crate::changes;

/// A record as Entra's own log would have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Retold {
    /// The table of that log.
    pub table: Table,
    /// The id that the act has there; of a change of the directory, whose id there nobody else is told, the record's own.
    pub event_id: String,
    /// The record in that log's shape.
    pub record: Value,
}

impl Retold {
    /// The record, with what its changes added and took away as members of their own, by the names of the columns.
    pub fn with_changes(self) -> Value {
        let Value::Object(mut members) = self.record else {
            return self.record;
        };
        let of_changes = self.table.record_columns().iter();
        for column in of_changes.filter(|column| column.changes.is_some()) {
            let targets = members
                .get("properties")
                .and_then(|properties| properties.get("targetResources"));
            let values = targets
                .zip(column.changes)
                .and_then(|(targets, side)| changes::of(targets, side));
            if let Some(values) = values {
                members.insert(column.name.to_owned(), Value::from(values));
            }
        }
        Value::Object(members)
    }
}

/// The workload under which Entra writes into the unified audit log.
pub const WORKLOAD: &str = "AzureActiveDirectory";

/// The record of the unified audit log told again; none if it is not one of Entra's.
pub fn retold(record: &Value) -> Option<Retold> {
    let record = Record(record.as_object()?);
    if !record.text("Workload")?.eq_ignore_ascii_case(WORKLOAD) {
        return None;
    }
    let operation = record.text("Operation")?;
    if sign_in::is_one(record, operation) {
        return Some(Retold {
            table: Table::Signins,
            event_id: record.first_text(&["IntraSystemId", "Id"])?.to_owned(),
            record: sign_in::retold(record, operation),
        });
    }
    Some(Retold {
        table: Table::DirectoryAudits,
        event_id: record.text("Id")?.to_owned(),
        record: directory_audit::retold(record, operation),
    })
}

/// An event of the unified audit log told again as one of the table `told`, under the id that it has there; none if it
/// is not told as that.
pub fn retold_event(event: &Event, told: Table) -> Option<Event> {
    let record = serde_json::from_slice(&event.raw).ok()?;
    let retold = retold(&record).filter(|retold| retold.table == told)?;
    let category = retold.record.get("category").and_then(Value::as_str);
    Some(Event {
        event_id: retold.event_id,
        category: category.unwrap_or_default().to_owned(),
        raw: retold.record.to_string().into(),
        ..event.clone()
    })
}

#[cfg(test)]
mod tests;
