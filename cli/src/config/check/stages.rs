//! What the stages are told: places that are there, and limits that make sense.

use bus::BusConfig;
use bus::config::KafkaConfig;
use schemas::limits::BATCH_ROWS_MAX;

use super::{Findings, WAIT_MS_MAX};
use crate::config::Config;
use crate::telemetry;

/// Hours for which the tables promise other readers that replaced files stay.
const REPLACED_HOURS_PROMISED: u64 = 168;

/// Ten years: what is set longer fills the disk for ever.
const REPLACED_HOURS_MAX: u64 = 87_600;

/// An exabyte: no disk has more.
const RESERVE_MEGABYTES_MAX: u64 = 1_000_000_000_000;

const SECONDS_OF_A_DAY: u64 = 86_400;

pub(super) fn check(config: &Config, findings: &mut Findings) {
    process(config, findings);
    match &config.bus {
        Some(BusConfig::Kafka(kafka)) => on_kafka(kafka, findings),
        Some(BusConfig::Log(log)) => findings.bounds(
            "bus.log.retention_hours",
            log.retention_hours,
            1,
            u64::MAX,
            "messages would be gone as soon as they are read, and nobody could look at them again",
        ),
        None => {}
    }
    lake(config, findings);
    destinations(config, findings);
}

/// Names and routes lead somewhere.
fn destinations(config: &Config, findings: &mut Findings) {
    let forward = config.forward();
    if let Err(error) = forward.check() {
        super::destination(&error, findings);
    }
    let why = "a destination that is away would be asked without a pause";
    let wait_ms = forward.retry_wait_ms;
    findings.bounds("forward.retry_wait_ms", wait_ms, 1, 60_000, why);
    let routes = forward.routes();
    for destination in &forward.destinations {
        if routes.kinds_of(&destination.name).is_empty() {
            findings.note(
                format!("destinations.{}", destination.name),
                "no route leads to it",
                "nothing is ever sent there",
                "name it in `to` of a [[forward.routes]], or remove it",
            );
        }
    }
}

fn process(config: &Config, findings: &mut Findings) {
    if let Err(error) = telemetry::filter(&config.log) {
        findings.fault(
            "log.level",
            format!("{error:#}"),
            "nothing could be logged",
            "write error, warn, info, debug or trace, or a filter such as info,lake=debug",
        );
    }
    if !config.health.address.ip().is_loopback() {
        findings.note(
            "health.address",
            format!("{} is reached from other machines", config.health.address),
            "metrics and reasons name tenants, hubs and paths, and nobody is asked who he is",
            "bind 127.0.0.1, or keep the port behind a firewall or a proxy that asks",
        );
    }
    let health = &config.health;
    findings.bounds(
        "health.disk_reserve_megabytes",
        health.disk_reserve_megabytes,
        0,
        RESERVE_MEGABYTES_MAX,
        "the process would never be ready, whatever disk it has",
    );
    findings.bounds(
        "health.standstill_s",
        health.standstill_s,
        0,
        SECONDS_OF_A_DAY,
        "a loop that stands still would go unnoticed; 0 says that this is meant",
    );
    let http = &config.http;
    let (least, most) = (
        "Microsoft could not be reached, or would be asked without a pause",
        "whoever never answers would be waited for without end",
    );
    for (key, value) in [
        ("http.connect_timeout_ms", http.connect_timeout_ms),
        ("http.request_timeout_ms", http.request_timeout_ms),
        ("http.retry_wait_ms", http.retry_wait_ms),
    ] {
        let why = if value == 0 { least } else { most };
        findings.bounds(key, value, 1, WAIT_MS_MAX, why);
    }
    let per_minute = u64::from(http.requests_per_minute);
    findings.bounds("http.requests_per_minute", per_minute, 1, u64::MAX, least);
    if !http.ca_file.as_os_str().is_empty() && !http.ca_file.is_file() {
        findings.fault(
            "http.ca_file",
            format!("there is no file {}", http.ca_file.display()),
            "no connection could be trusted",
            "name a PEM file, or leave it out",
        );
    }
}

fn on_kafka(kafka: &KafkaConfig, findings: &mut Findings) {
    if kafka.brokers.trim().is_empty() {
        findings.fault(
            "bus.kafka.brokers",
            "is empty",
            "there is no bus",
            "name host:port of a broker",
        );
    }
    if let Err(error) = kafka.check() {
        findings.fault(
            "bus.kafka",
            error.to_string(),
            "the bus could not be opened",
            "change or leave out that setting",
        );
    }
    findings.bounds(
        "bus.kafka.replication_factor",
        u64::try_from(kafka.replication_factor).unwrap_or(0),
        1,
        u64::from(u16::MAX),
        "topics could not be made",
    );
}

fn lake(config: &Config, findings: &mut Findings) {
    let lake = &config.lake;
    if lake.location.contains("://") && !lake.location.starts_with("file://") {
        findings.fault(
            "lake.location",
            "is not on a file system",
            "tables are written into folders only",
            "name a folder, or a file:// URL",
        );
    }
    findings.bounds(
        "lake.batch_rows",
        lake.batch_rows as u64,
        1,
        BATCH_ROWS_MAX as u64,
        "a batch has at least one row, and fits in memory",
    );
    for (key, value) in [
        ("lake.checkpoint_commits", lake.checkpoint_commits),
        ("lake.compaction_commits", lake.compaction_commits),
        ("lake.compaction_megabytes", lake.compaction_megabytes),
        ("lake.identities", lake.identities as u64),
    ] {
        let why = "the lake would do nothing else, or get slower with every commit";
        findings.bounds(key, value, 1, u64::MAX, why);
    }
    findings.bounds(
        "lake.batch_wait_ms",
        lake.batch_wait_ms,
        0,
        WAIT_MS_MAX,
        "records would wait in memory for a batch that is never full, and no rule would see them",
    );
    let hours = lake.replaced_files_hours;
    findings.bounds(
        "lake.replaced_files_hours",
        hours,
        1,
        REPLACED_HOURS_MAX,
        "files would be removed while they are read, and even before the commit that names them, or never",
    );
    if (1..REPLACED_HOURS_PROMISED).contains(&hours) {
        findings.note(
            "lake.replaced_files_hours",
            format!("is {hours}"),
            "the tables promise other readers 7 days; who takes longer than this finds files gone",
            &format!("set it to {REPLACED_HOURS_PROMISED}"),
        );
    }
}
