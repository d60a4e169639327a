//! Domains that a tenant's directory tells become its own for the rules, while events stream through.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/lab.rs"]
mod lab;

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, Message};
use detect::{DetectConfig, domains, stage};
use lake::Lake;
use prost::Message as _;
use schemas::environment::SystemClock;
use schemas::health::Health;
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Alert, Event};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use lab::{TENANT, event, open};

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

const TIME_US: i64 = 1_789_372_800_000_000;

async fn publish(bus: &Bus, table: Table, id: &str, at_us: i64, record: &serde_json::Value) {
    let message = event(table, id, TIME_US + at_us, record);
    bus.publish(Topic::Events(table), vec![message])
        .await
        .unwrap();
}

/// A rule that forwards to a person at `fabrikam.test`.
async fn forward(bus: &Bus, number: usize) {
    let record = json!({"Operation": "New-InboxRule", "Workload": "Exchange",
        "Parameters": [{"Name": "ForwardTo", "Value": "bo@fabrikam.test"}]});
    publish(
        bus,
        Table::M365Activity,
        &format!("forward {number}"),
        0,
        &record,
    )
    .await;
}

/// The same by somebody who forwards outside, so that it is known when both were looked at.
async fn forward_outside(bus: &Bus, number: usize) {
    let record = json!({"Operation": "New-InboxRule", "Workload": "Exchange",
        "Parameters": [{"Name": "ForwardTo", "Value": "drop@mail.example"}]});
    publish(
        bus,
        Table::M365Activity,
        &format!("outside {number}"),
        0,
        &record,
    )
    .await;
}

async fn domain(bus: &Bus, name: &str, version: i64, is_verified: bool) {
    let record = json!({"id": name, "isVerified": is_verified});
    let id = format!("{name} {version}");
    publish(
        bus,
        Table::DirectoryDomains,
        &id,
        version * 1_000_000,
        &record,
    )
    .await;
}

/// What a file says of a domain, after all that the directory has said of it.
async fn imported_domain(bus: &Bus, name: &str) {
    let (table, record) = (
        Table::DirectoryDomains,
        json!({"id": name, "isVerified": true}),
    );
    let message = event(table, "forged", TIME_US + 1_500_000, &record);
    let event = Event {
        provenance: Provenance::Imported.to_string(),
        ..Event::decode(message.payload.as_slice()).unwrap()
    };
    bus.publish(Topic::Events(table), vec![Message::of("forged", &event)])
        .await
        .unwrap();
}

/// The events that raised an alert, up to the one that is called `last`.
async fn alerts_until(consumer: &mut Consumer, last: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let reading = async {
        while !seen.iter().any(|id| id == last) {
            let polled = consumer
                .next(100, Duration::from_millis(100))
                .await
                .unwrap();
            for record in &polled.records {
                let alert = Alert::decode(record.payload.as_slice()).unwrap();
                seen.push(alert.evidence[0].event_id.clone());
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, reading).await;
    assert!(waited.is_ok(), "in vain waited for {last}");
    seen
}

/// Forwards inside and outside until one of those inside is quiet, or not: what is told is taken soon, not at once.
async fn settle(bus: &Bus, consumer: &mut Consumer, number: &mut usize, is_quiet: bool) {
    let waiting = async {
        loop {
            *number += 1;
            forward(bus, *number).await;
            forward_outside(bus, *number).await;
            let mut seen = alerts_until(consumer, &format!("outside {number}")).await;
            // Of two records in two batches the second may be announced first.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let rest = consumer.next(100, Duration::ZERO).await.unwrap();
            seen.extend(rest.records.iter().map(|record| {
                let alert = Alert::decode(record.payload.as_slice()).unwrap();
                alert.evidence[0].event_id.clone()
            }));
            if seen.contains(&format!("forward {number}")) != is_quiet {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "in vain waited for quiet = {is_quiet}");
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_of_the_directory_are_taken_while_events_stream_through() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = open(folder.path()).await;
    let (stop, clock) = (CancellationToken::new(), Arc::new(SystemClock));
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        clock.clone(),
        Health::default(),
        stop.clone(),
    ));
    let config = DetectConfig::default();
    let detecting = stage::run(
        config,
        bus.clone(),
        lake.clone(),
        clock,
        Health::default(),
        stop.clone(),
    );
    let detecting = tokio::spawn(detecting);
    let mut consumer = bus.subscribe("test", &[Topic::Alerts]).await.unwrap();
    let mut number = 0;

    settle(&bus, &mut consumer, &mut number, false).await;
    // Somebody has asked for the domain and not proved it: anybody can do that with any name.
    domain(&bus, "fabrikam.test", 1, false).await;
    domain(&bus, "contoso.test", 1, true).await;
    // A file says that it is verified: whoever wrote the file says so, and not the directory.
    imported_domain(&bus, "fabrikam.test").await;
    settle(&bus, &mut consumer, &mut number, false).await;
    domain(&bus, "Fabrikam.test", 2, true).await;
    settle(&bus, &mut consumer, &mut number, true).await;
    let opened = Lake::open(&lake).unwrap();
    let known = domains::of_lake(&opened).await.unwrap();
    assert_eq!(known[TENANT], ["contoso.test", "fabrikam.test"]);
    // It was given away.
    domain(&bus, "fabrikam.test", 3, false).await;
    settle(&bus, &mut consumer, &mut number, false).await;

    stop.cancel();
    storing.await.unwrap().unwrap();
    detecting.await.unwrap().unwrap();
}
