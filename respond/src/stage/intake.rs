//! Takes alerts from the topic into the journal; commits positions after the journal is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::retry::retry_or_stop;
use bus::{Bus, Consumer, Delivery, Message, Polled, Position};
use prost::Message as _;
use schemas::coverage::{CoverageRange, CoverageState, Published, replaced_log};
use schemas::environment::Clock;
use schemas::health::Health;
use schemas::topics::Topic;
use schemas::wire::{Alert, Coverage};
use tokio_util::sync::CancellationToken;

use super::Wake;
use super::lookup::Lookup;
use super::publisher::Watch;
use crate::cases::{Intake, SeenAlert};
use crate::error::RespondError;
use crate::journal::Ledger;

/// Most alerts in one transaction.
const RECORDS_MAX: usize = 256;

/// Longest wait for an alert.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Most messages that may wait to be published before no more alerts are taken: 40 batches of alerts that each change
/// a case of their own.
const OUTBOX_MESSAGES_MAX: u64 = 10_240;

/// The part whose loop comes round.
const LOOP: &str = "respond/intake";

/// The part that is in trouble while no alerts are taken.
const PART: &str = "respond/intake";

pub(super) async fn run(
    intake: Intake,
    lookup: Lookup,
    ledger: Ledger,
    bus: Bus,
    watch: Watch,
    wake: Wake,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    let health = watch.health.clone();
    let outcome = take(intake, lookup, ledger, bus, watch, wake, stop).await;
    health.rests(LOOP);
    outcome
}

async fn take(
    intake: Intake,
    mut lookup: Lookup,
    ledger: Ledger,
    bus: Bus,
    watch: Watch,
    wake: Wake,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    let Watch { clock, health } = watch;
    let intake = Arc::new(intake);
    let mut consumer = bus.subscribe(super::GROUP, &[Topic::Alerts]).await?;
    loop {
        health.comes_round(LOOP, clock.now_us());
        match has_room(&ledger, clock.as_ref(), &health).await {
            Ok(true) => {}
            Ok(false) if stop.is_cancelled() => return Ok(()),
            Ok(false) => continue,
            Err(error) => {
                retry_or_stop(error, "respond/intake", &stop).await?;
                continue;
            }
        }
        let polled = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            polled = consumer.next(RECORDS_MAX, WAIT_MAX) => polled,
        };
        let polled = match polled {
            Ok(polled) => polled,
            Err(error) => {
                retry_or_stop(error, "respond/intake", &stop).await?;
                continue;
            }
        };
        while let Err(error) = begin(&mut consumer, &bus, &ledger, &polled, clock.as_ref()).await {
            health.comes_round(LOOP, clock.now_us());
            retry_or_stop(error, "respond/intake", &stop).await?;
        }
        let records = polled.records;
        if records.is_empty() {
            continue;
        }
        let (mut alerts, mut unreadable) = (Vec::new(), Vec::new());
        for record in &records {
            match read(record) {
                Ok(alert) => alerts.push(alert),
                Err(why) => unreadable.push(left_out(record, &why, clock.now_us())),
            }
        }
        while let Err(error) = note(&unreadable, &bus).await {
            health.comes_round(LOOP, clock.now_us());
            retry_or_stop(error, "respond/intake", &stop).await?;
        }
        lookup.learn(&alerts, &ledger, clock.as_ref(), &stop).await;
        for of_tenant in by_tenant(alerts) {
            health.comes_round(LOOP, clock.now_us());
            keep(of_tenant, &intake, &ledger, clock.as_ref(), &stop).await?;
        }
        wake.send_replace(());
        // A crash before this line repeats alerts, which then change nothing.
        commit(&mut consumer, &records, &stop).await?;
    }
}

/// The alerts of each tenant in their order: a transaction each, so that what fails repeats nothing of another's.
fn by_tenant(alerts: Vec<SeenAlert>) -> Vec<Vec<SeenAlert>> {
    let mut tenants: BTreeMap<String, Vec<SeenAlert>> = BTreeMap::new();
    for alert in alerts {
        tenants
            .entry(alert.tenant_id.clone())
            .or_default()
            .push(alert);
    }
    tenants.into_values().collect()
}

/// Whether the outbox has room, after a wait if it has none: what cannot be published must not fill the disk, and alerts wait on their topic.
async fn has_room(
    ledger: &Ledger,
    clock: &dyn Clock,
    health: &Health,
) -> Result<bool, RespondError> {
    let outbox = ledger.with(|journal| journal.outbox()).await?;
    if outbox.count <= OUTBOX_MESSAGES_MAX {
        health.well(PART);
        return Ok(true);
    }
    let why = format!(
        "{} messages are still to be published: no alerts are taken",
        outbox.count
    );
    health.trouble(PART, why, clock.now_us());
    tokio::time::sleep(WAIT_MAX).await;
    Ok(false)
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
            Err(error) => retry_or_stop(error, "respond/intake", stop).await?,
        }
    }
}

/// The alert of a message, or why it is none.
fn read(delivery: &Delivery) -> Result<SeenAlert, String> {
    let alert = Alert::decode(delivery.payload.as_slice()).map_err(|error| error.to_string())?;
    if alert.alert_id.is_empty() {
        return Err("it has no id".to_owned());
    }
    SeenAlert::of(&alert).map_err(|error| error.to_string())
}

/// The line of the ledger for a message that cannot become a case: the lake keeps its bytes as a dead letter.
fn left_out(delivery: &Delivery, why: &str, now_us: i64) -> Coverage {
    metrics::counter!("respond_alerts_total", "outcome" => "unreadable").increment(1);
    tracing::error!(
        partition = delivery.partition,
        offset = delivery.offset,
        why,
        "an alert cannot be read"
    );
    let range = CoverageRange {
        tenant_id: "",
        source: "respond",
        kind: "range",
        subject: &format!("{}/{}", delivery.topic, delivery.partition),
        from: delivery.offset,
        to: delivery.offset.saturating_add(1),
    };
    let detail = format!(
        "an alert cannot be read, and opened no case: {why}; the table dead_letters has its bytes"
    );
    range.line(CoverageState::Lost, Published::default(), &detail, now_us)
}

async fn note(lines: &[Coverage], bus: &Bus) -> Result<(), RespondError> {
    if lines.is_empty() {
        return Ok(());
    }
    let messages = lines.iter().map(|line| Message::of(line.id.clone(), line));
    bus.publish(Topic::Coverage, messages.collect()).await?;
    Ok(())
}

/// Reads what is newly assigned, and what another log took the place of, from where the group stands on it; what of a
/// log that is gone was not read is noted in the ledger.
async fn begin(
    consumer: &mut Consumer,
    bus: &Bus,
    ledger: &Ledger,
    polled: &Polled,
    clock: &dyn Clock,
) -> Result<(), RespondError> {
    if polled.assigned.is_empty() && polled.replaced.is_empty() {
        return Ok(());
    }
    let mut gone: BTreeMap<i32, Position> = polled
        .replaced
        .iter()
        .map(|at| (at.partition, *at))
        .collect();
    let mut fresh = polled.assigned.clone();
    fresh.extend(polled.replaced.iter().map(|at| (at.topic, at.partition)));
    for found in consumer.resume(&fresh).await? {
        gone.entry(found.position.partition)
            .or_insert(found.position);
    }
    if !bus.committed(super::GROUP, Topic::Alerts).await?.is_empty() {
        return note_gone(gone.values(), bus, clock).await;
    }
    // No position, and yet a journal: it was filled from a log that is gone, with the position.
    let knows_cases = ledger.with(|journal| journal.cases(1)).await?;
    let begin: Vec<Position> = fresh
        .iter()
        .map(|(topic, partition)| Position {
            topic: *topic,
            partition: *partition,
            next_offset: 0,
            last: None,
        })
        .collect();
    if !knows_cases.is_empty() {
        for at in &begin {
            gone.entry(at.partition).or_insert(*at);
        }
    }
    note_gone(gone.values(), bus, clock).await?;
    if !gone.is_empty() {
        consumer.commit(&begin).await?;
    }
    Ok(())
}

async fn note_gone<'a>(
    gone: impl Iterator<Item = &'a Position>,
    bus: &Bus,
    clock: &dyn Clock,
) -> Result<(), RespondError> {
    let mut lines = Vec::new();
    for at in gone {
        metrics::counter!("respond_replaced_logs_total").increment(1);
        tracing::error!(topic = %at.topic, partition = at.partition, stood_at = at.next_offset,
            "the bus has another log than the one that was read; it is read from its beginning");
        let line = replaced_log(
            "respond",
            (at.topic, at.partition),
            at.next_offset,
            "the log was replaced or cut: alerts that it had from this offset on and that were not read are lost to \
             respond, unless detect tells them again; the table of alerts has those that the lake had read",
            clock.now_us(),
        );
        lines.push(line);
    }
    note(&lines, bus).await
}

async fn commit(
    consumer: &mut Consumer,
    records: &[Delivery],
    stop: &CancellationToken,
) -> Result<(), RespondError> {
    // In order within a partition, so the last of each is the one to go on after.
    let last: BTreeMap<i32, &Delivery> = records
        .iter()
        .map(|record| (record.partition, record))
        .collect();
    let positions: Vec<Position> = last.into_values().map(Delivery::after).collect();
    match consumer.commit(&positions).await {
        Ok(()) => Ok(()),
        // The alerts are durable here; at worst they come again.
        Err(error) => Ok(retry_or_stop(error, "respond/commit", stop).await?),
    }
}
