//! Takes alerts from the topic into the journal; commits positions after the journal is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, Delivery, Position};
use prost::Message as _;
use schemas::environment::Clock;
use schemas::topics::Topic;
use schemas::wire::Alert;
use tokio_util::sync::CancellationToken;

use super::lookup::Lookup;
use super::{Wake, obey};
use crate::cases::{Intake, SeenAlert};
use crate::error::RespondError;
use crate::journal::Ledger;

/// Most alerts in one transaction.
const RECORDS_MAX: usize = 256;

/// Longest wait for an alert.
const WAIT_MAX: Duration = Duration::from_millis(500);

pub(super) async fn run(
    intake: Intake,
    mut lookup: Lookup,
    ledger: Ledger,
    bus: Bus,
    clock: Arc<dyn Clock>,
    wake: Wake,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    let intake = Arc::new(intake);
    let mut consumer = bus.subscribe(super::GROUP, &[Topic::Alerts]).await?;
    loop {
        let polled = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            polled = consumer.next(RECORDS_MAX, WAIT_MAX) => polled,
        };
        let records = match polled {
            Ok(polled) => polled.records,
            Err(error) => {
                obey(error.into(), "intake", &stop).await?;
                continue;
            }
        };
        if records.is_empty() {
            continue;
        }
        let alerts: Vec<SeenAlert> = records.iter().filter_map(read).collect();
        lookup.learn(&alerts, &ledger, clock.as_ref(), &stop).await;
        keep(alerts, &intake, &ledger, clock.as_ref(), &stop).await?;
        wake.send_replace(());
        // A crash before this line repeats alerts, which then change nothing.
        commit(&mut consumer, &records, &stop).await?;
    }
}

/// Keeps the alerts, however long the journal takes to be writable again.
async fn keep(
    alerts: Vec<SeenAlert>,
    intake: &Arc<Intake>,
    ledger: &Ledger,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> Result<(), RespondError> {
    loop {
        let (alerts, intake, now_us) = (alerts.clone(), Arc::clone(intake), clock.now_us());
        let admitted = ledger
            .with(move |journal| journal.admit(&alerts, &intake, now_us))
            .await;
        match admitted {
            Ok(admitted) => {
                for one in &admitted {
                    let outcome = if one.is_new { "new" } else { "known" };
                    metrics::counter!("respond_alerts_total", "outcome" => outcome).increment(1);
                    metrics::counter!("respond_actions_planned_total")
                        .increment(one.planned.len() as u64);
                    for merged in &one.merged {
                        metrics::counter!("respond_cases_merged_total").increment(1);
                        tracing::info!(
                            case_id = merged,
                            "a case is about the account of an older one, and was merged into it"
                        );
                    }
                }
                return Ok(());
            }
            Err(error) => obey(error.into(), "intake", stop).await?,
        }
    }
}

/// What is not an alert cannot become a case; it stays on the topic, and is counted.
fn read(delivery: &Delivery) -> Option<SeenAlert> {
    match Alert::decode(delivery.payload.as_slice()) {
        Ok(alert) if !alert.alert_id.is_empty() => Some(SeenAlert::of(&alert)),
        _ => {
            metrics::counter!("respond_alerts_total", "outcome" => "unreadable").increment(1);
            tracing::error!(
                partition = delivery.partition,
                offset = delivery.offset,
                "an alert cannot be read"
            );
            None
        }
    }
}

async fn commit(
    consumer: &mut Consumer,
    records: &[Delivery],
    stop: &CancellationToken,
) -> Result<(), RespondError> {
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for record in records {
        let offset = next.entry(record.partition).or_default();
        *offset = (*offset).max(record.offset + 1);
    }
    let positions: Vec<Position> = next
        .into_iter()
        .map(|(partition, next_offset)| Position {
            topic: Topic::Alerts,
            partition,
            next_offset,
        })
        .collect();
    match consumer.commit(&positions).await {
        Ok(()) => Ok(()),
        // The alerts are durable here; at worst they come again.
        Err(error) => obey(error.into(), "commit", stop).await,
    }
}
