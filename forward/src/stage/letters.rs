//! Dead letters: what a destination will never take, with the whole notice and the reason.
//!
//! They go to the topic of dead letters that there is, so that the lake keeps them beyond the bus and one query finds
//! them; `vedette forward replay NAME --dead-letters` sends them again.

use bus::{Bus, Message};
use schemas::dead_letter::{Letter, Reason};
use schemas::topics::Topic;

use crate::contract::Notice;
use crate::error::ForwardError;

/// What a dead letter names as its source where this destination could not read or deliver something.
pub fn letter_source(destination: &str) -> String {
    format!("forward/{destination}")
}

/// Where a notice or message was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) topic: Topic,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// Something that is set aside.
#[derive(Debug)]
pub(super) struct SetAside {
    pub(super) tenant_id: String,
    pub(super) place: Place,
    pub(super) reason: Reason,
    pub(super) why: String,
    pub(super) bytes: Vec<u8>,
}

impl SetAside {
    /// A notice that a destination does not take.
    pub(super) fn of_notice(notice: &Notice, place: Place, reason: Reason, why: &str) -> Self {
        Self {
            tenant_id: notice.tenant_id.clone(),
            place,
            reason,
            why: why.to_owned(),
            // A notice is text and numbers; nothing in it can fail to be written.
            bytes: serde_json::to_vec(notice).unwrap_or_default(),
        }
    }
}

/// Publishes them; returns when they are durable.
pub(super) async fn publish(
    bus: &Bus,
    destination: &str,
    letters: &[SetAside],
    now_us: i64,
) -> Result<(), ForwardError> {
    let mut messages = Vec::new();
    for letter in letters {
        let place = letter.place;
        let parts = Letter {
            tenant_id: &letter.tenant_id,
            source: &letter_source(destination),
            position: &format!("{}/{}@{}", place.topic, place.partition, place.offset),
            reason: letter.reason,
            detail: &letter.why,
            ingest_time_us: now_us,
            raw: &letter.bytes,
        }
        .into_parts();
        messages.extend(parts.iter().map(|part| Message::of(part.id.clone(), part)));
    }
    bus.publish(Topic::DeadLetters, messages).await?;
    Ok(())
}
