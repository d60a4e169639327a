//! The simulated day in files: the same bytes for the same seed, and every record of every step.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where an assumption does not hold"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use simulator::{STORIES, SimulatorConfig, SimulatorError, StoryName, export};

const FILES: [&str; 6] = [
    "signins.ndjson",
    "directory_audits.ndjson",
    "risk_events.ndjson",
    "graph_activity.ndjson",
    "m365_activity.ndjson",
    "graph_alerts.ndjson",
];

fn config(seed: u64) -> SimulatorConfig {
    SimulatorConfig {
        seed,
        users: 20,
        stories: StoryName::all(),
        ..SimulatorConfig::default()
    }
}

fn lines(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two, other) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let written = export(&config(3), one.path()).unwrap();
    assert_eq!(
        export(&config(3), two.path()).unwrap().records,
        written.records
    );
    export(&config(4), other.path()).unwrap();
    for name in FILES.iter().chain(&["stories.json"]) {
        let bytes = |folder: &Path| fs::read(folder.join(name)).unwrap();
        assert!(bytes(one.path()) == bytes(two.path()), "{name}");
        assert!(bytes(one.path()) != bytes(other.path()), "{name}");
    }
}

#[test]
fn every_file_holds_records_of_its_feed_and_every_step_finds_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let written = export(&config(3), folder.path()).unwrap();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for name in FILES {
        let records = lines(folder.path(), name);
        assert_eq!(written.records[name], records.len() as u64);
        assert!(!records.is_empty(), "{name}");
        for record in records {
            let category = record["category"].as_str().unwrap_or_default();
            let (fits, id) = match name {
                "signins.ndjson" => (
                    category.ends_with("SignInLogs"),
                    &record["properties"]["id"],
                ),
                "directory_audits.ndjson" => (category == "AuditLogs", &record["properties"]["id"]),
                "risk_events.ndjson" => (category == "UserRiskEvents", &record["properties"]["id"]),
                "graph_activity.ndjson" => (
                    category == "MicrosoftGraphActivityLogs",
                    &record["properties"]["requestId"],
                ),
                "m365_activity.ndjson" => (record["RecordType"].is_u64(), &record["Id"]),
                _ => (record["lastUpdateDateTime"].is_string(), &record["id"]),
            };
            assert!(fits, "{name}: {record}");
            ids.insert(id.as_str().unwrap().to_owned());
        }
    }
    let told: Value = serde_json::from_slice(&fs::read(written.stories).unwrap()).unwrap();
    let stories = told["stories"].as_array().unwrap();
    let names: Vec<&str> = stories
        .iter()
        .map(|one| one["story"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        STORIES
            .iter()
            .map(|entry| entry.name.name())
            .collect::<Vec<_>>()
    );
    for story in stories {
        let steps = story["steps"].as_array().unwrap();
        assert!(steps.len() > 8, "{}", story["story"]);
        for step in steps {
            assert!(step["time"].as_str().unwrap().starts_with("2026-09-14T"));
            for id in step["record_ids"].as_array().unwrap() {
                assert!(ids.contains(id.as_str().unwrap()), "{step}");
            }
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "").unwrap();
    let refusal = export(&config(3), &taken).unwrap_err();
    assert!(
        matches!(refusal, SimulatorError::Export { .. }),
        "{refusal}"
    );
    assert!(refusal.to_string().contains("taken"));
}

/// Peak of the resident memory of this process, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_hundred_thousand_records_fit_into_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let config = SimulatorConfig {
        users: 500,
        ordinary_events_per_hour: 30,
        ..config(1)
    };
    let written = export(&config, folder.path()).unwrap();
    let records: u64 = written.records.values().sum();
    assert!(records > 100_000, "{records}");
    assert!(peak_kib() < 512 * 1_024, "{} KiB", peak_kib());
}
