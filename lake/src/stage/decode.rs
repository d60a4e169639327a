//! Messages of the bus as rows.
//!
//! Pure; a message that cannot be read becomes a dead letter with all of its bytes.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::Delivery;
use prost::Message;
use schemas::dead_letter::Reason;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Alert, AuditRecord, Coverage, DeadLetter, Event, Signal};

use super::partitions::Next;
use crate::delta::{Partition, Reached};
use crate::derived::{Place, unreadable};
use columns::derived::{ArrivedSignal, DerivedRow};
use columns::{Row, event_row};

/// A message, decoded.
pub(super) struct Decoded {
    pub(super) partition: Partition,
    /// Where its partition stands after it.
    pub(super) reached: Reached,
    /// Its rows, with their tables; none for a tombstone.
    pub(super) rows: Vec<(Table, Row)>,
}

/// Decodes messages, in order.
///
/// Only the last of each partition has a fingerprint: a commit takes in all of them, and stands after that one.
pub(super) fn decode(messages: Vec<Next>, now_us: i64) -> Vec<Decoded> {
    let mut named = HashSet::new();
    let mut decoded: Vec<Decoded> = messages
        .into_iter()
        .rev()
        .map(|Next { delivery, base }| {
            let partition = Partition {
                topic: delivery.topic,
                partition: delivery.partition,
            };
            Decoded {
                partition,
                reached: Reached {
                    arrival: delivery.offset + base + 1,
                    base,
                    last: named.insert(partition).then(|| delivery.fingerprint()),
                },
                rows: if delivery.payload.is_empty() {
                    Vec::new()
                } else {
                    carefully(&delivery, now_us, |delivery| {
                        rows(delivery, delivery.offset + base, now_us)
                    })
                },
            }
        })
        .collect();
    decoded.reverse();
    decoded
}

/// What `read` makes of a message; one that makes it panic, twice, is set aside with its bytes and stops nobody.
fn carefully(
    delivery: &Delivery,
    now_us: i64,
    read: impl Fn(&Delivery) -> Vec<(Table, Row)>,
) -> Vec<(Table, Row)> {
    let try_once = || catch_unwind(AssertUnwindSafe(|| read(delivery)));
    try_once().or_else(|_| try_once()).unwrap_or_else(|_| {
        tracing::error!(topic = %delivery.topic, offset = delivery.offset, "a message made its decoder panic");
        let detail = "the decoder panicked";
        set_aside(delivery, "unknown", Reason::NotTheFormat, detail, now_us, None)
    })
}

fn rows(delivery: &Delivery, arrival: i64, now_us: i64) -> Vec<(Table, Row)> {
    match delivery.topic {
        Topic::Events(table) => event(delivery, table, now_us),
        Topic::DeadLetters => derived(delivery, now_us, |letter: DeadLetter| letter),
        Topic::Coverage => derived(delivery, now_us, |line: Coverage| line),
        Topic::Signals => derived(delivery, now_us, |signal: Signal| ArrivedSignal {
            signal,
            arrival,
        }),
        Topic::Alerts => derived(delivery, now_us, |alert: Alert| alert),
        Topic::Audit => derived(delivery, now_us, |entry: AuditRecord| entry),
        Topic::Batches | Topic::Cases | Topic::Responder => Vec::new(),
    }
}

/// The row of what vedette itself writes; what is not its topic's type, or says what that cannot say, is set aside.
fn derived<T: Message + Default, R: DerivedRow>(
    delivery: &Delivery,
    now_us: i64,
    arrived: impl Fn(T) -> R,
) -> Vec<(Table, Row)> {
    let why = match T::decode(delivery.payload.as_slice()).map(arrived) {
        Ok(message) => match message.check() {
            Ok(()) => return vec![(R::TABLE, message.to_row())],
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    let reason = Reason::NotTheFormat;
    set_aside(delivery, "unknown", reason, &why, now_us, None)
}

fn event(delivery: &Delivery, table: Table, now_us: i64) -> Vec<(Table, Row)> {
    let mut event = match Event::decode(delivery.payload.as_slice()) {
        Ok(event) => event,
        Err(error) => {
            return set_aside(
                delivery,
                "unknown",
                Reason::NotTheFormat,
                &error.to_string(),
                now_us,
                None,
            );
        }
    };
    let table = match Table::of_name(&event.table) {
        Some(named) if named.is_events() => named,
        _ => {
            event.problems.push(format!(
                "topic {table} brought it for a table that is not known: {:?}",
                event.table
            ));
            Table::OtherEvents
        }
    };
    match event_row(table, &event) {
        Ok(row) => vec![(table, row)],
        Err(reason) => set_aside(
            delivery,
            &event.tenant_id,
            reason,
            "raw cannot be kept as text",
            now_us,
            Some(&event.raw),
        ),
    }
}

fn set_aside(
    delivery: &Delivery,
    tenant_id: &str,
    reason: Reason,
    detail: &str,
    now_us: i64,
    raw: Option<&[u8]>,
) -> Vec<(Table, Row)> {
    metrics::counter!("lake_dead_letters_total", "reason" => reason.as_str()).increment(1);
    let place = Place {
        tenant_id,
        topic: &delivery.topic.name(),
        partition: delivery.partition,
        offset: delivery.offset,
        now_us,
    };
    unreadable(&place, reason, detail, raw.unwrap_or(&delivery.payload))
        .into_iter()
        .map(|row| (Table::DeadLetters, row))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Next, carefully, decode};
    use bus::Delivery;
    use prost::Message;
    use schemas::tables::Table;
    use schemas::topics::Topic;
    use schemas::wire::{Alert, Coverage, Event, Signal};

    fn tables_of(topic: Topic, payload: Vec<u8>) -> Vec<Table> {
        let delivery = Delivery {
            topic,
            partition: 0,
            offset: 3,
            key: String::new(),
            payload,
            published_us: 0,
        };
        let mut decoded = decode(vec![Next { delivery, base: 0 }], 0);
        decoded
            .remove(0)
            .rows
            .into_iter()
            .map(|(table, _)| table)
            .collect()
    }

    #[test]
    fn a_message_that_makes_the_decoder_panic_is_set_aside() {
        let delivery = Delivery {
            topic: Topic::Events(Table::Signins),
            partition: 0,
            offset: 3,
            key: String::new(),
            payload: b"evil".to_vec(),
            published_us: 0,
        };
        let rows = carefully(&delivery, 0, |_| panic!("of this record"));
        assert_eq!(rows[0].0, Table::DeadLetters);
    }

    #[test]
    fn a_message_that_says_what_nobody_knows_is_set_aside_with_its_bytes() {
        let alert = |state: &str| {
            Alert {
                alert_id: "a".into(),
                severity: "low".into(),
                state: state.into(),
                ..Alert::default()
            }
            .encode_to_vec()
        };
        let line = |state: &str| {
            Coverage {
                id: "c".into(),
                state: state.into(),
                ..Coverage::default()
            }
            .encode_to_vec()
        };
        let signal = |signal_id: &str| {
            Signal {
                signal_id: signal_id.into(),
                ..Signal::default()
            }
            .encode_to_vec()
        };
        for (topic, payload, expected) in [
            (Topic::Alerts, alert("withdrawn"), Table::Alerts),
            (Topic::Alerts, alert("snoozed"), Table::DeadLetters),
            (Topic::Alerts, alert(""), Table::DeadLetters),
            (Topic::Coverage, line("gap"), Table::Coverage),
            (Topic::Coverage, line("perhaps"), Table::DeadLetters),
            (Topic::Signals, signal("7f"), Table::Signals),
            (Topic::Signals, signal("first"), Table::DeadLetters),
        ] {
            assert_eq!(tables_of(topic, payload), [expected], "{topic}");
        }
    }

    #[test]
    fn every_message_becomes_a_row_somewhere() {
        let signins = Topic::Events(Table::Signins);
        let event = |table: &str, raw: &[u8]| {
            Event {
                table: table.into(),
                raw: raw.to_vec().into(),
                ..Event::default()
            }
            .encode_to_vec()
        };
        for (payload, expected) in [
            (event("signins", b"{}"), Table::Signins),
            (event("no_such_table", b"{}"), Table::OtherEvents),
            (event("alerts", b"{}"), Table::OtherEvents),
            (event("m365_activity", b"{}"), Table::M365Activity),
            (event("signins", b"\xff"), Table::DeadLetters),
            (b"\xff\xff\xff".to_vec(), Table::DeadLetters),
        ] {
            assert_eq!(tables_of(signins, payload), [expected]);
        }
        assert_eq!(
            tables_of(Topic::Alerts, b"\xff\xff".to_vec()),
            [Table::DeadLetters]
        );
        assert_eq!(tables_of(signins, Vec::new()), [], "a tombstone");
    }
}
