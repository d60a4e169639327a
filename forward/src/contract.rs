//! What is sent, whatever the form: one versioned contract for every destination. Pure.
//!
//! A document is flat where every kind has the same member (`kind`, `id`, `version`, `severity`, …), and says the rest by
//! kind; [`SCHEMA`] has all of it. It only grows: a version `1.x` adds members and words, and never takes one away or
//! gives it another meaning, so whoever reads it ignores what they do not know. What would, is `2.0`.
//! Texts and lists are bounded ([`document`]); what was cut is named in `cut`, and the lake has it whole.

mod action;
mod alert;
mod case;
mod coverage;
pub mod document;
mod notice;

use prost::Message as _;
use schemas::topics::Topic;
use schemas::wire::{Alert, AuditRecord, Case, Coverage};

pub use self::coverage::{SECRET_LINE, SOURCE_LINE};
pub use self::notice::{CONTRACT_VERSION, Notice, NoticeKind, Subject};

/// The contract as JSON Schema, draft 2020-12.
pub const SCHEMA: &str = include_str!("../notice.schema.json");

/// What a message of a topic tells; none where nobody is to be told.
///
/// # Errors
/// The decoder's, if the payload is not the topic's wire type.
pub fn read(topic: Topic, payload: &[u8]) -> Result<Option<Notice>, prost::DecodeError> {
    match topic {
        Topic::Alerts => Alert::decode(payload).map(|alert| Some(Notice::of_alert(&alert))),
        Topic::Cases => Case::decode(payload).map(|case| Some(Notice::of_case(&case))),
        Topic::Audit => AuditRecord::decode(payload).map(|entry| Notice::of_audit(&entry)),
        Topic::Coverage => Coverage::decode(payload).map(|line| Notice::of_coverage(&line)),
        _ => Ok(None),
    }
}
