//! What the records of a feed have in common: the frame of diagnostic settings, and the fields of the unified audit log.

use serde_json::{Map, Value, json};

use crate::world::moment;
use crate::world::places::Origin;

/// What every record needs to know of its tenant.
#[derive(Debug, Clone)]
pub(crate) struct TenantFacts {
    pub(crate) id: String,
    pub(crate) domain: &'static str,
}

/// The frame that diagnostic settings put around the properties of a record.
///
/// Shape: without `time`, which is the time of emission and is set when the record leaves.
pub(crate) fn diagnostic(
    tenant: &TenantFacts,
    category: &str,
    operation: &str,
    properties: Value,
) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert(
        "resourceId".to_owned(),
        json!(format!("/tenants/{}/providers/Microsoft.aadiam", tenant.id)),
    );
    record.insert("operationName".to_owned(), json!(operation));
    record.insert("operationVersion".to_owned(), json!("1.0"));
    record.insert("category".to_owned(), json!(category));
    record.insert("tenantId".to_owned(), json!(tenant.id));
    record.insert("durationMs".to_owned(), json!(0));
    record.insert("Level".to_owned(), json!(4));
    record.insert("properties".to_owned(), properties);
    record
}

/// The fields that every record of the unified audit log has.
pub(crate) struct UnifiedAuditFields<'a> {
    pub(crate) id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) operation: &'a str,
    pub(crate) record_type: u32,
    pub(crate) workload: &'a str,
    pub(crate) result: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) user_key: &'a str,
    pub(crate) user_type: u32,
}

impl UnifiedAuditFields<'_> {
    /// The common fields, to which a shape adds its own.
    pub(crate) fn record(&self, tenant: &TenantFacts) -> Map<String, Value> {
        let mut record = Map::new();
        record.insert(
            "CreationTime".to_owned(),
            json!(moment::zoneless(self.at_us)),
        );
        record.insert("Id".to_owned(), json!(self.id));
        record.insert("Operation".to_owned(), json!(self.operation));
        record.insert("OrganizationId".to_owned(), json!(tenant.id));
        record.insert("RecordType".to_owned(), json!(self.record_type));
        record.insert("ResultStatus".to_owned(), json!(self.result));
        record.insert("UserId".to_owned(), json!(self.user_id));
        record.insert("UserKey".to_owned(), json!(self.user_key));
        record.insert("UserType".to_owned(), json!(self.user_type));
        record.insert("Version".to_owned(), json!(1));
        record.insert("Workload".to_owned(), json!(self.workload));
        record
    }
}

/// Adds the members of an object to a record.
pub(crate) fn extend(record: &mut Map<String, Value>, members: Value) {
    if let Value::Object(members) = members {
        record.extend(members);
    }
}

/// `[{"Name":…,"Value":…}]`.
pub(crate) fn named_values(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

/// A place as Entra writes it.
pub(crate) fn location(origin: &Origin) -> Value {
    json!({
        "city": origin.place.city,
        "state": origin.place.state,
        "countryOrRegion": origin.place.country,
        "geoCoordinates": {"latitude": origin.place.latitude, "longitude": origin.place.longitude},
    })
}
