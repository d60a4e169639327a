//! LEEF 2.0, on one line: `LEEF:2.0|vendor|product|version|event id|x09|key=value<tab>key=value`. Pure.
//!
//! LEEF has no escapes at all: what would end a value (tab, line break) is shown instead ([`super::inert`]), and a pipe
//! in the header is written `¦`. A value may hold `=`: only the first one of an attribute divides.
//! Source: IBM Security QRadar, Log Event Extended Format (LEEF), version 2.

use super::inert;
use super::made;
use super::mapping::{self, Line, Origin};
use crate::contract::Notice;

/// What stands for us in the header, as vendor and as product.
const PRODUCT: &str = "vedette";

/// Where attributes come from; the first ones are LEEF's own keys, those with an underscore ours.
const TABLE: &[Line] = &[
    ("devTime", Origin::Made("/time", made::milliseconds)),
    ("sev", Origin::Made("/severity", made::severity_of_ten)),
    ("cat", Origin::At("/category")),
    ("cat", Origin::At("/kind")),
    ("usrName", Origin::At("/entities/user/name")),
    ("usrName", Origin::At("/entities/user/id")),
    ("src", Origin::Made("/entities/ip/address", made::ip)),
    ("url", Origin::At("/links/0/url")),
    ("notice_kind", Origin::At("/kind")),
    ("notice_id", Origin::At("/id")),
    ("notice_version", Origin::At("/version")),
    ("notice_state", Origin::At("/state")),
    ("notice_title", Origin::At("/title")),
    ("tenant_id", Origin::At("/tenant_id")),
    ("severity_reason", Origin::At("/severity_reason")),
    ("rule_id", Origin::At("/rule/id")),
    ("user_id", Origin::At("/entities/user/id")),
    ("session_id", Origin::At("/entities/session/id")),
    ("attack_techniques", Origin::At("/techniques")),
    ("attack_tactics", Origin::At("/tactics")),
    ("event_count", Origin::At("/event_count")),
    ("alert_count", Origin::At("/alert_count")),
    ("first_event_time", Origin::At("/first_event_time")),
    ("last_event_time", Origin::At("/last_event_time")),
    ("what_happened", Origin::At("/description")),
    ("what_happened", Origin::At("/why")),
    ("what_happened", Origin::At("/detail")),
    ("check_first", Origin::Made("/check_first", made::steps)),
    ("blind_spots", Origin::Made("/blind_spots", made::steps)),
    ("action_name", Origin::At("/action")),
    ("action_outcome", Origin::At("/outcome")),
    ("case_id", Origin::At("/case_id")),
    ("alert_ids", Origin::At("/alert_ids")),
    ("unread_range", Origin::At("/range")),
    ("expires_time", Origin::At("/expires_time")),
    ("evidence_rows", Origin::At("/evidence")),
];

/// The notice as LEEF, without a line break at its end.
pub fn line(notice: &Notice) -> String {
    let label = notice.document["label"].as_str().unwrap_or_default();
    let event_id = if label.is_empty() {
        notice.kind.as_str()
    } else {
        label
    };
    let header = [PRODUCT, PRODUCT, env!("CARGO_PKG_VERSION"), event_id].map(self::header);
    let attributes: Vec<String> = mapping::flat(TABLE, &notice.document)
        .into_iter()
        .map(|(key, text)| format!("{key}={}", inert::visible(&text)))
        .collect();
    format!(
        "LEEF:2.0|{}|x09|{}",
        header.join("|"),
        attributes.join("\t")
    )
}

/// A field of the header, in which a pipe would begin the next one.
pub fn header(text: &str) -> String {
    inert::visible(text).replace('|', "¦")
}
