//! What identifies a record: table, tenant, id, time, category. Pure.

use schemas::ids;
use schemas::limits::FUTURE_TOLERANCE_US;
use schemas::path::find;
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::time::{self, Unread};
use serde_json::Value;

use super::directory::{self, Kind};
use super::origin::{Origin, UNKNOWN_TENANT};
use super::reading::{Description, Reading, word};
use super::shape::is_said;
use super::{
    azure_event, entra_diagnostic, graph_alert, graph_log, hunting, log_analytics,
    management_activity, other,
};

/// What a record is.
enum Format {
    /// Something that happened.
    Happening(Reading),
    /// What an object of the directory is.
    Object(Kind),
}

/// The formats of what happens, most particular first.
const FORMATS: &[fn(&Value) -> Option<Reading>] = &[
    azure_event::read,
    entra_diagnostic::read,
    management_activity::read,
    graph_alert::read,
    log_analytics::read,
    hunting::read,
    graph_log::read,
];

/// Longest id that is taken from a record, in bytes; a longer one is hashed.
const ID_BYTES_MAX: usize = 512;

/// Longest category that is taken from a record, in bytes; Microsoft's have at most some tens.
///
/// Without a bound the category of a record as large as records may be would make a message that no topic takes.
const CATEGORY_BYTES_MAX: usize = 256;

/// What Microsoft writes where there is no tenant.
const NO_TENANT: &str = "00000000-0000-0000-0000-000000000000";

/// Where records say their tenant.
const TENANT_PATHS: &[&str] = &["AADTenantId", "OrganizationId"];

/// Where records say it that are no rows of Log Analytics: there it is the workspace.
const TENANT_PATHS_OUTSIDE: &[&str] =
    &["tenantId", "properties.tenantId", "properties.aadTenantId"];

/// Describes a record; a word on what is missing if it cannot become an event.
///
/// `columns` says which column a member was called before, for what a file's column tells of its dates.
pub(super) fn describe(
    record: &Value,
    origin: &Origin<'_>,
    columns: &[(&'static str, &'static str)],
) -> Result<Description, &'static str> {
    let mut description = match format_of(record, origin) {
        Format::Happening(reading) => describe_happening(record, reading, origin, columns),
        Format::Object(kind) => directory::describe(record, kind, tenant_id(record, origin))?,
    };
    description.provenance = origin.provenance;
    if let Some(other) = other_tenant(record, origin) {
        description.provenance = Provenance::Foreign;
        let problem = format!("it names another tenant than its connector's: {other}");
        description.problems.push(problem);
    }
    Ok(description)
}

fn format_of(record: &Value, origin: &Origin<'_>) -> Format {
    if let Some(kind) = directory::came_from(origin) {
        return Format::Object(kind);
    }
    if let Some(reading) = FORMATS.iter().find_map(|read| read(record)) {
        return Format::Happening(reading);
    }
    directory::read(record).map_or_else(|| Format::Happening(other::read(record)), Format::Object)
}

fn describe_happening(
    record: &Value,
    reading: Reading,
    origin: &Origin<'_>,
    columns: &[(&'static str, &'static str)],
) -> Description {
    let mut problems = Vec::new();
    let event_id = event_id(record, &reading).unwrap_or_else(|| {
        problems.push("no id: the hash of its content stands for it".to_owned());
        ids::of_content(record)
    });
    let event_time_us = event_time(record, &reading, origin, columns, &mut problems);
    let mut category = if reading.category.is_empty() {
        // Graph's sign-ins are interactive ones where neither they nor the feed say otherwise.
        let of_table = if reading.table == Table::Signins {
            "SignInLogs"
        } else {
            ""
        };
        origin.category.unwrap_or(of_table).to_owned()
    } else {
        reading.category
    };
    if category.len() > CATEGORY_BYTES_MAX {
        problems.push("its category is longer than any that is kept apart".to_owned());
        category.truncate(category.floor_char_boundary(CATEGORY_BYTES_MAX));
    }
    Description {
        name: reading.name,
        table: reading.table,
        tenant_id: tenant_id(record, origin),
        event_id,
        event_time_us,
        category,
        provenance: Provenance::Unknown,
        problems,
    }
}

fn event_id(record: &Value, reading: &Reading) -> Option<String> {
    let mut parts = Vec::new();
    if !reading.id_prefix.is_empty() {
        parts.push(reading.id_prefix.clone());
    }
    for (index, paths) in reading.id.iter().enumerate() {
        match word(record, paths) {
            Some(part) => parts.push(part.into_owned()),
            // The first names the record, the others its version.
            None if index == 0 => return None,
            None => {}
        }
    }
    if reading.id.is_empty() {
        return None;
    }
    let id = parts.join(":");
    Some(if id.len() > ID_BYTES_MAX {
        format!("sha:{}", ids::hex(&[id.as_bytes()]))
    } else {
        id
    })
}

fn event_time(
    record: &Value,
    reading: &Reading,
    origin: &Origin<'_>,
    columns: &[(&'static str, &'static str)],
    problems: &mut Vec<String>,
) -> Option<i64> {
    let mut unread = None;
    for path in reading.time {
        let Some(value) = find(record, path).filter(|value| is_said(value)) else {
            continue;
        };
        let column = columns.iter().find(|(member, _)| member == path);
        let order = origin
            .dates
            .order(column.map_or(path, |(_, column)| column));
        match time::value_us(&value, order) {
            Err(why) if unread != Some(Unread::Ambiguous) => unread = Some(why),
            Err(_) => {}
            Ok(time_us) => {
                if time_us > origin.ingest_time_us.saturating_add(FUTURE_TOLERANCE_US) {
                    problems.push("its time lies in the future".to_owned());
                }
                if unread.is_some() {
                    problems.push(format!(
                        "its time was read from {path}: another could not be read"
                    ));
                }
                return Some(time_us);
            }
        }
    }
    problems.push(
        match unread {
            Some(Unread::Ambiguous) => AMBIGUOUS,
            Some(Unread::NoTime) => "its time could not be read",
            None => "no time",
        }
        .to_owned(),
    );
    None
}

/// What is said of a record whose day and month could be either way round.
pub(crate) const AMBIGUOUS: &str =
    "its time is unknown: nothing in its column tells day from month (--day-first, --month-first)";

/// The tenant of the connector, else the one that the record names.
fn tenant_id(record: &Value, origin: &Origin<'_>) -> String {
    origin.tenant_id.map_or_else(
        || named_tenant(record).unwrap_or_else(|| UNKNOWN_TENANT.to_owned()),
        str::to_ascii_lowercase,
    )
}

/// The tenant that a record of a live connector names, if it is not the connector's.
///
/// A hub that two tenants send to, or a feed of the wrong application, would mix their records in one; the
/// connector's tenant is kept, because it is the one whose people may see what it read.
fn other_tenant(record: &Value, origin: &Origin<'_>) -> Option<String> {
    if origin.provenance != Provenance::Live {
        return None;
    }
    let known = origin.tenant_id?;
    let named = tenant_word(record)?;
    let is_other = named != NO_TENANT && !named.eq_ignore_ascii_case(known);
    is_other.then(|| {
        if is_tenant(&named) {
            named
        } else {
            "what it names is no tenant's id".to_owned()
        }
    })
}

/// The tenant that a record names, in lower case.
fn named_tenant(record: &Value) -> Option<String> {
    tenant_word(record).filter(|word| is_tenant(word))
}

/// What stands where records say their tenant, in lower case.
fn tenant_word(record: &Value) -> Option<String> {
    let outside = || {
        let is_row = log_analytics::is_row(record);
        (!is_row)
            .then(|| word(record, TENANT_PATHS_OUTSIDE))
            .flatten()
    };
    let named = word(record, TENANT_PATHS).or_else(outside);
    named.map(|word| word.to_ascii_lowercase()).or_else(|| {
        let resource = word(record, &["resourceId"])?.to_ascii_lowercase();
        let tenant = resource.strip_prefix("/tenants/")?.split('/').next()?;
        (!tenant.is_empty()).then(|| tenant.to_owned())
    })
}

/// A tenant becomes part of paths and keys, so it has letters, digits, `-`, `_` and `.` only.
fn is_tenant(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('.')
}
