//! A row of a Log Analytics table: columns to ask by, and the whole document beside them. Pure.
//!
//! | column | type | | column | type |
//! |---|---|---|---|---|
//! | `TimeGenerated` | datetime | | `RuleId` | string |
//! | `NoticeKind` | string | | `Category` | string |
//! | `NoticeId` | string | | `Techniques` | dynamic |
//! | `NoticeVersion` | string | | `UserPrincipalName` | string |
//! | `NoticeSequence` | long | | `UserId` | string |
//! | `EntraTenantId` | string | | `IpAddress` | string |
//! | `Severity` | string | | `SessionId` | string |
//! | `State` | string | | `EventCount` | long |
//! | `Title` | string | | `Document` | dynamic |
//! | `Label` | string | | `NoticeKey` | string |
//!
//! The stream of the data collection rule declares the same; `TenantId` is a name that Log Analytics keeps for itself.

use serde_json::Value;

use super::mapping::{self, Line, Origin};
use crate::contract::Notice;

const TABLE: &[Line] = &[
    ("TimeGenerated", Origin::At("/time")),
    ("NoticeKind", Origin::At("/kind")),
    ("NoticeId", Origin::At("/id")),
    ("NoticeVersion", Origin::At("/version")),
    ("NoticeSequence", Origin::At("/sequence")),
    ("EntraTenantId", Origin::At("/tenant_id")),
    ("Severity", Origin::At("/severity")),
    ("State", Origin::At("/state")),
    ("Title", Origin::At("/title")),
    ("Label", Origin::At("/label")),
    ("RuleId", Origin::At("/rule/id")),
    ("Category", Origin::At("/category")),
    ("Techniques", Origin::At("/techniques")),
    ("UserPrincipalName", Origin::At("/entities/user/name")),
    ("UserId", Origin::At("/entities/user/id")),
    ("IpAddress", Origin::At("/entities/ip/address")),
    ("SessionId", Origin::At("/entities/session/id")),
    ("EventCount", Origin::At("/event_count")),
    (
        "Document",
        Origin::Made("", |document| Some(document.clone())),
    ),
];

/// The notice as a row.
pub fn row(notice: &Notice) -> Value {
    let mut row = mapping::nested(TABLE, &notice.document);
    row.insert("NoticeKey".to_owned(), notice.idempotency_key().into());
    Value::Object(row)
}
