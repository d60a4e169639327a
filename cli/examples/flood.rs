//! One tenant of many floods: how long the others wait for their alerts before, during and after, and what it takes.
//!
//! Lake, detect and respond (which only plans) run in this process on the embedded log. A quiet tenant after the other
//! has one forwarding rule made in a mailbox, at a steady pace; then the noisy one sends a million records, of which
//! each tenth makes the same account's alert. Told: time from acceptance to alert on the topic, of quiet tenants only.
//!
//! ```sh
//! cargo run --release -p cli --example flood -- --records 1000000 --alerts 100000 --tenants 200
//! ```

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::config::LogConfig;
use bus::{Bus, BusConfig, Message};
use clap::Parser;
use detect::DetectConfig;
use ingest::ImportConfig;
use ingest::backlog::Downstream;
use ingest::sources::files::{ImportOptions, import};
use lake::LakeConfig;
use respond::config::RespondConfig;
use schemas::environment::{Clock, SystemClock};
use schemas::health::Health;
use schemas::tables::Table;
use schemas::time::DateOrder;
use schemas::topics::Topic;
use schemas::wire::{Alert, Event};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Pace of the quiet tenants together.
const PROBE_EVERY: Duration = Duration::from_millis(200);

/// Name of the rule that every probe fires.
const PROBED: &str = "SAAS-M365-00002";

/// One tenant of many floods.
#[derive(Debug, Parser)]
struct Flood {
    /// Records that the noisy tenant sends.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// How many of them are an alert of one account.
    #[arg(long, default_value_t = 100_000)]
    alerts: usize,
    /// Tenants, the noisy one among them.
    #[arg(long, default_value_t = 200)]
    tenants: usize,
    /// Seconds of quiet before and after.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// When something happened to a quiet tenant.
enum Seen {
    /// Its alert stood on the topic this long after its record was accepted.
    Quiet(Duration),
    /// An alert of the noisy tenant.
    Noisy,
}

fn tenant_id(number: usize) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

fn event(tenant: usize, id: &str, now_us: i64, record: &Value) -> Message {
    let event = Event {
        tenant_id: tenant_id(tenant),
        table: Table::M365Activity.name().to_owned(),
        event_id: id.to_owned(),
        event_time_us: Some(now_us),
        ingest_time_us: now_us,
        source: "management_activity".to_owned(),
        category: "Audit.Exchange".to_owned(),
        position: id.to_owned(),
        problems: Vec::new(),
        raw: record.to_string().into(),
        provenance: "live".to_owned(),
    };
    Message::of(id, &event)
}

fn forwarding(id: &str, user: &str) -> Value {
    json!({
        "Id": id, "Operation": "New-InboxRule", "RecordType": 1, "Workload": "Exchange", "UserId": user,
        "ResultStatus": "True", "ClientIP": "203.0.113.9",
        "Parameters": [{"Name": "Name", "Value": "to myself"}, {"Name": "ForwardTo", "Value": "x@elsewhere.example"}],
    })
}

fn ordinary(id: &str, user: &str) -> Value {
    json!({
        "Id": id, "Operation": "FileAccessed", "RecordType": 6, "Workload": "SharePoint", "UserId": user,
        "ObjectId": "https://contoso.sharepoint.example/sites/one/document.docx", "ClientIP": "203.0.113.9",
        "UserAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    })
}

/// The stages, until `stop`; the first that fails is told.
async fn stages(bus: Bus, folder: &Path, stop: CancellationToken) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let health = Health::default();
    let lake = LakeConfig {
        location: folder.join("lake").display().to_string(),
        ..LakeConfig::default()
    };
    let respond = RespondConfig {
        journal: folder.join("respond.sqlite"),
        kill_switch: folder.join("respond.stop"),
        ..RespondConfig::default()
    };
    let mut running: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let storing = lake::stage::run(
        lake.clone(),
        bus.clone(),
        Arc::clone(&clock),
        health.clone(),
        stop.clone(),
    );
    running.spawn(async move { Ok(storing.await?) });
    let detecting = detect::stage::run(
        DetectConfig::default(),
        bus.clone(),
        lake,
        Arc::clone(&clock),
        health.clone(),
        stop.clone(),
    );
    running.spawn(async move { Ok(detecting.await?) });
    let responding = respond::stage::run(respond, bus, clock, health, stop.clone());
    running.spawn(async move { Ok(responding.await?) });
    while let Some(ended) = running.join_next().await {
        ended.context("a stage panicked")??;
        anyhow::ensure!(stop.is_cancelled(), "a stage ended by itself");
    }
    Ok(())
}

/// Publishes what quiet tenants do, until `stop`.
async fn probe(bus: Bus, tenants: usize, stop: CancellationToken) -> anyhow::Result<()> {
    let mut number = 0_usize;
    while !stop.is_cancelled() {
        let tenant = 1 + number % (tenants.max(2) - 1);
        let id = format!("quiet-{number}");
        let user = format!("user{number}@quiet{tenant}.example");
        let message = event(tenant, &id, SystemClock.now_us(), &forwarding(&id, &user));
        bus.publish(Topic::Events(Table::M365Activity), vec![message])
            .await?;
        number += 1;
        tokio::time::sleep(PROBE_EVERY).await;
    }
    Ok(())
}

/// Looks at every alert, until `stop`.
async fn observe(
    bus: Bus,
    seen: mpsc::Sender<Seen>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut consumer = bus.subscribe("flood", &[Topic::Alerts]).await?;
    let mut first: HashSet<String> = HashSet::new();
    while !stop.is_cancelled() {
        let polled = consumer.next(1_000, Duration::from_millis(20)).await?;
        let mut done = Vec::new();
        for delivery in &polled.records {
            let alert: Alert = delivery.decode()?;
            done = vec![delivery.after()];
            if alert.label != PROBED || !first.insert(alert.alert_id.clone()) {
                continue;
            }
            let what = if alert.tenant_id == tenant_id(0) {
                Seen::Noisy
            } else {
                let us = SystemClock.now_us() - alert.accepted_time_us;
                Seen::Quiet(Duration::from_micros(u64::try_from(us).unwrap_or(0)))
            };
            seen.send(what).await?;
        }
        if !done.is_empty() {
            consumer.commit(&done).await?;
        }
    }
    Ok(())
}

/// The noisy tenant's records, as a file that is imported.
fn write_flood(path: &Path, what: &Flood) -> anyhow::Result<()> {
    let every = (what.records / what.alerts.max(1)).max(1);
    let mut file = BufWriter::new(File::create(path)?);
    let now = schemas::time::iso_ms(SystemClock.now_us());
    for number in 0..what.records {
        let id = format!("noisy-{number}");
        let mut record = if number % every == 0 {
            forwarding(&id, "noisy@noisy.example")
        } else {
            ordinary(&id, "noisy@noisy.example")
        };
        record["OrganizationId"] = tenant_id(0).into();
        record["CreationTime"] = now.clone().into();
        writeln!(file, "{record}")?;
    }
    file.flush()?;
    Ok(())
}

/// The flood, as fast as ingest lets it through.
async fn flood(bus: &Bus, path: PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    let options = ImportOptions {
        tenant_id: None,
        is_tenant_of_all: false,
        dates: DateOrder::default(),
        bounds: ImportConfig::default(),
        clock: Arc::new(SystemClock),
        downstream: Some(Downstream {
            lake_group: LakeConfig::default().group,
            detect_group: DetectConfig::default().group,
        }),
        stop,
    };
    let summary = import(&[path], &options, bus, |_| {}).await?;
    anyhow::ensure!(summary.dead_letters == 0, "{summary:?}");
    Ok(())
}

/// What one part of the run showed of the quiet tenants.
fn tell(part: &str, mut waits: Vec<Duration>, noisy: usize, took: Duration) -> anyhow::Result<()> {
    waits.sort();
    let at = |share: usize| {
        let place = waits.len() * share / 100;
        waits
            .get(place.min(waits.len().saturating_sub(1)))
            .map_or(f64::NAN, Duration::as_secs_f64)
    };
    writeln!(
        std::io::stdout(),
        "{part:<8} {:>6.1} s  quiet alerts {:>6}: p50 {:>7.3} s  p99 {:>7.3} s  max {:>7.3} s   noisy alerts {noisy}",
        took.as_secs_f64(),
        waits.len(),
        at(50),
        at(99),
        at(100),
    )?;
    Ok(())
}

/// Gathers what is seen until `enough` says so.
async fn gather(
    part: &str,
    seen: &mut mpsc::Receiver<Seen>,
    mut enough: impl FnMut(usize, Duration) -> bool,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (mut waits, mut noisy) = (Vec::new(), 0);
    while !enough(noisy, started.elapsed()) {
        match tokio::time::timeout(Duration::from_millis(100), seen.recv()).await {
            Ok(Some(Seen::Quiet(wait))) => waits.push(wait),
            Ok(Some(Seen::Noisy)) => noisy += 1,
            Ok(None) => anyhow::bail!("the observer ended"),
            Err(_) => {}
        }
    }
    tell(part, waits, noisy, started.elapsed())
}

/// Waits until respond has taken every alert; what that took after the last one was raised.
async fn wait_for_respond(bus: &Bus) -> anyhow::Result<Duration> {
    let started = Instant::now();
    loop {
        let end: i64 = bus
            .ends(Topic::Alerts)
            .await?
            .iter()
            .map(|at| at.next_offset)
            .sum();
        let done = bus.committed(respond::stage::GROUP, Topic::Alerts).await?;
        let done: i64 = done.iter().map(|at| at.next_offset).sum();
        if done >= end {
            return Ok(started.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kibibytes.unwrap_or(0_u64) / 1024
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let what = Flood::parse();
    let folder = tempfile::tempdir()?;
    let bus = Bus::open(&BusConfig::Log(LogConfig {
        path: folder.path().join("log.sqlite"),
        ..LogConfig::default()
    }))
    .await?;
    let path = folder.path().join("flood.ndjson");
    write_flood(&path, &what)?;
    let stop = CancellationToken::new();
    let (seeing, mut seen) = mpsc::channel(10_000);
    let work = stages(bus.clone(), folder.path(), stop.clone());
    let probes = probe(bus.clone(), what.tenants, stop.clone());
    let looks = observe(bus.clone(), seeing, stop.clone());
    let quiet = Duration::from_secs(what.seconds);
    let script = async {
        gather("start", &mut seen, |_, took| took >= quiet / 4).await?;
        gather("before", &mut seen, |_, took| took >= quiet).await?;
        let alerts = what.alerts.min(what.records);
        let (flooded, during) = tokio::join!(
            flood(&bus, path, stop.clone()),
            gather("during", &mut seen, |noisy, _| noisy >= alerts)
        );
        flooded?;
        during?;
        gather("after", &mut seen, |_, took| took >= quiet).await?;
        let waited = wait_for_respond(&bus).await?;
        writeln!(
            std::io::stdout(),
            "respond had taken every alert {:.1} s later; peak memory {} MB",
            waited.as_secs_f64(),
            peak_megabytes()
        )?;
        stop.cancel();
        anyhow::Ok(())
    };
    let outcome = tokio::try_join!(work, probes, looks, script);
    outcome.map(|_| ())
}
