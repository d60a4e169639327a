//! Who and what an event is about, read from its row.

use arrow::record_batch::RecordBatch;
use schemas::path;
use schemas::tables::Table;
use serde_json::Value;
use sigma::plan::fields;

use crate::alert::Subject;

/// The subject of row `row` of a batch of `table`.
pub fn of_row(table: Table, batch: &RecordBatch, row: usize) -> Subject {
    let text = |name: &str| fields::text(batch, name, row).unwrap_or_default();
    let raw: Value = serde_json::from_str(&text("raw")).unwrap_or(Value::Null);
    let find = |paths: &[&str]| {
        path::find_first(&raw, paths)
            .and_then(|value| path::text(&value).map(std::borrow::Cow::into_owned))
            .unwrap_or_default()
    };
    let (user, user_id) = match table {
        // The unified audit log calls the principal name `UserId`; the object id is in `UserKey` for
        // some workloads and in the actor's list for Entra's.
        Table::M365Activity => (
            text("user_id"),
            object_id(&text("user_key")).unwrap_or_default(),
        ),
        Table::AzureActivity => (
            text("caller"),
            find(&[
                "identity.claims.http://schemas.microsoft.com/identity/claims/objectidentifier",
            ]),
        ),
        _ => (text("user_principal_name"), text("user_id")),
    };
    Subject {
        event_id: text("event_id"),
        event_time_us: fields::time(batch, "event_time", row),
        ingest_time_us: fields::time(batch, "ingest_time", row).unwrap_or(0),
        user: user.to_ascii_lowercase(),
        user_id,
        ip: text("ip_address"),
        session_id: text("session_id"),
        provenance: fields::provenance(batch, row),
    }
}

/// A text that has the form of an object id.
fn object_id(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split('-').collect();
    let has_form = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    has_form.then(|| text.to_ascii_lowercase())
}
