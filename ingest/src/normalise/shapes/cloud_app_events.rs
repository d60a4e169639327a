//! Defender's `CloudAppEvents`: a record of the unified audit log inside, and what Defender found out around it.
//! Sample: `cloud_app_events.sample.json`.
//!
//! Country, city, provider and tags of the address stand only around the record, so they are always kept.

use crate::normalise::shape::{Place, Shape, same};

pub(super) const SHAPE: Shape = Shape {
    name: "a row of CloudAppEvents",
    known_by: &[
        "RawEventData.Operation",
        "RawEventData.Workload|RawEventData.RecordType",
    ],
    record: Place::Inside(&["RawEventData"]),
    whole: &[],
    says: &[
        same("Id", &["ReportId"]),
        same("CreationTime", &["Timestamp", "TimeGenerated"]),
        same("UserAgent", &["UserAgent"]),
        same("ClientIP", &["IPAddress"]),
        same("UserId", &["AccountUpn", "AccountId"]),
        same("ObjectId", &["ObjectName"]),
    ],
    is_kept: true,
};
