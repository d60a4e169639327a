//! Detect on the embedded log beside the real lake: what is stored is detected on, once, after restarts too.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/lab.rs"]
mod lab;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Message};
use detect::backtest::evaluate_lake;
use detect::matches::RuleConditions;
use detect::reproduce::{Found, reproduce};
use detect::{DetectConfig, rules, stage};
use lake::{Lake, LakeConfig};
use prost::Message as _;
use schemas::environment::SystemClock;
use schemas::health::Health;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Alert, Batch, BatchFile, Evidence};
use serde_json::{Value, json};
use sigma::plan::fields::text;
use tokio_util::sync::CancellationToken;

use lab::open;

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// When everything happens.
const TIME_US: i64 = 1_789_372_800_000_000;

fn event(table: Table, id: &str, record: &Value) -> Message {
    lab::event(table, id, TIME_US, record)
}

/// Three records that raise alerts among some that do not, and two versions of one alert of Microsoft's.
async fn publish(bus: &Bus) {
    let rule = |folder: &str| {
        json!({"Operation": "New-InboxRule", "UserId": "ada@contoso.test",
            "Parameters": [{"Name": "Name", "Value": "A rule"}, {"Name": "MoveToFolder", "Value": folder}]})
    };
    let activity = vec![
        event(Table::M365Activity, "m1", &rule("RSS Feeds")),
        event(Table::M365Activity, "m2", &rule("Projects")),
        event(Table::M365Activity, "m1", &rule("RSS Feeds")),
    ];
    bus.publish(Topic::Events(Table::M365Activity), activity)
        .await
        .unwrap();
    let signin = json!({"category": "SignInLogs", "resultType": "0",
        "properties": {"id": "s1", "userPrincipalName": "ada@contoso.test", "authenticationProtocol": "deviceCode"}});
    bus.publish(
        Topic::Events(Table::Signins),
        vec![event(Table::Signins, "s1", &signin)],
    )
    .await
    .unwrap();
    let version = |status: &str| json!({"id": "g1", "serviceSource": "microsoftSentinel", "severity": "low", "status": status});
    let alerts = vec![
        event(Table::GraphAlerts, "g1@1", &version("new")),
        event(Table::GraphAlerts, "g1@2", &version("resolved")),
    ];
    bus.publish(Topic::Events(Table::GraphAlerts), alerts)
        .await
        .unwrap();
}

/// Runs detect under `group` until `count` alerts have come that `reader` has not seen, and gives all that came.
async fn detect_until(
    bus: &Bus,
    lake: &LakeConfig,
    group: &str,
    reader: &str,
    count: usize,
) -> Vec<Alert> {
    let stop = CancellationToken::new();
    let config = DetectConfig {
        group: group.to_owned(),
        ..DetectConfig::default()
    };
    let running = tokio::spawn(stage::run(
        config,
        bus.clone(),
        lake.clone(),
        Arc::new(SystemClock),
        Health::default(),
        stop.clone(),
    ));
    let mut consumer = bus.subscribe(reader, &[Topic::Alerts]).await.unwrap();
    let mut alerts = Vec::new();
    let collecting = async {
        while alerts.len() < count {
            let polled = consumer
                .next(100, Duration::from_millis(200))
                .await
                .unwrap();
            alerts.extend(
                polled
                    .records
                    .iter()
                    .map(|record| Alert::decode(record.payload.as_slice()).unwrap()),
            );
            assert!(!running.is_finished(), "detect ended by itself");
        }
    };
    tokio::time::timeout(PATIENCE, collecting).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    alerts
}

fn ids(alerts: &[Alert]) -> BTreeSet<String> {
    alerts.iter().map(|alert| alert.alert_id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_detected_on_and_a_replay_raises_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = open(folder.path()).await;
    publish(&bus).await;
    let stop = CancellationToken::new();
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        Arc::new(SystemClock),
        Health::default(),
        stop.clone(),
    ));
    let alerts = detect_until(&bus, &lake, "detect", "first", 3).await;
    let labels: BTreeSet<&str> = alerts.iter().map(|alert| alert.label.as_str()).collect();
    assert_eq!(
        labels,
        BTreeSet::from(["MS-SEC-GRAPH-00011", "SAAS-M365-00001", "SAAS-M365-00007"])
    );
    assert_eq!(
        alerts.len(),
        3,
        "versions and duplicates raise nothing: {alerts:#?}"
    );
    for alert in &alerts {
        let evidence = &alert.evidence[0];
        let table = Table::of_name(&evidence.table).unwrap();
        let reader = Lake::open(&lake).unwrap();
        let file = reader.open_file(table, &evidence.file).unwrap();
        let file = sigma::plan::chunk::row_group::ParquetFile::open(file).unwrap();
        let rows = file.row_groups().next().unwrap().read(None).unwrap();
        let row = usize::try_from(evidence.row).unwrap();
        let found = text(&rows, "event_id", row);
        assert_eq!(
            found.as_ref(),
            Some(&evidence.event_id),
            "evidence leads to its row"
        );
    }
    // Another group reads every announcement again, as after the loss of all positions.
    let again = detect_until(&bus, &lake, "detect-again", "second", 6).await;
    assert_eq!(ids(&alerts), ids(&again));
    stop.cancel();
    storing.await.unwrap().unwrap();
    let mut collection = detect::rules::builtin();
    let rules = sigma::Ruleset::compile(&mut collection);
    let batch = evaluate_lake(&rules, &Lake::open(&lake).unwrap(), 1)
        .await
        .unwrap();
    assert_eq!(ids(&alerts), batch.into_keys().collect());
    for alert in &alerts {
        comes_out_again(&lake, alert).await;
    }
    let by_themselves = rules.rules().iter().enumerate();
    let by_themselves = by_themselves.filter(|(number, _)| rules.alerts(*number));
    for (_, rule) in by_themselves {
        let raised = alerts.iter().filter(|alert| alert.label == rule.label);
        let events: BTreeSet<String> = raised
            .map(|alert| alert.evidence[0].event_id.clone())
            .collect();
        assert_eq!(matched(&lake, &rule.label).await, events, "{}", rule.label);
    }
}

/// An alert comes out of its row again, in its file or moved; not without its rule, and not without its row.
async fn comes_out_again(lake: &LakeConfig, alert: &Alert) {
    let lake = Lake::open(lake).unwrap();
    let rules = sigma::Ruleset::compile(&mut detect::rules::builtin());
    let none = sigma::Ruleset::default();
    let proof = &alert.evidence[0];
    let moved = Evidence {
        file: "tenant_id=7f3c/day=2026-09-14/gone.parquet".to_owned(),
        ..proof.clone()
    };
    let lost = Evidence {
        event_id: "nobody's".to_owned(),
        ..proof.clone()
    };
    let is_graph = proof.table == Table::GraphAlerts.name();
    for (rules, evidence, found, is_again) in [
        (&rules, proof, Found::InFile, true),
        (&rules, &moved, Found::Moved, true),
        (&rules, &lost, Found::Nowhere, false),
        // Microsoft's alerts need no rule.
        (&none, proof, Found::InFile, is_graph),
    ] {
        let names = (alert.alert_id.as_str(), alert.tenant_id.as_str());
        let all = reproduce(rules, &lake, names, vec![evidence.clone()], 1).await;
        let all = all.unwrap();
        assert_eq!(
            (all[0].found, all[0].alert.is_some()),
            (found, is_again),
            "{}",
            alert.label
        );
    }
}

/// Ids of the events that a rule finds in SQL.
async fn matched(lake: &LakeConfig, label: &str) -> BTreeSet<String> {
    let conditions = Arc::new(RuleConditions::new(DetectConfig::default()));
    let lake = Lake::open(lake).unwrap().with_conditions(conditions);
    let query = format!("SELECT event_id FROM matches('{label}')");
    let (_, batches) = lake.query_all(&query).await.unwrap();
    let mut events = BTreeSet::new();
    for batch in &batches {
        events.extend((0..batch.num_rows()).filter_map(|row| text(batch, "event_id", row)));
    }
    events
}

#[tokio::test]
async fn a_rule_that_nobody_has_is_told_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let (_bus, config) = open(folder.path()).await;
    let lake = Lake::open(&config).unwrap();
    let lake = lake.with_conditions(Arc::new(RuleConditions::new(DetectConfig::default())));
    for (call, expected) in [
        ("matches('nobody')", "SAAS-M365-00001"),
        ("matches(1)", "takes one text"),
        ("matches()", "takes one text"),
    ] {
        let answer = lake.query_all(&format!("SELECT * FROM {call}")).await;
        let message = format!("{:?}", answer.unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}

/// The announced files of a table, as they stand in the lake.
async fn files(lake: &LakeConfig, table: Table) -> Vec<std::path::PathBuf> {
    let reader = Lake::open(lake).unwrap();
    let files = reader.files(table).await.unwrap();
    let folder = std::path::Path::new(&lake.location).join(table.name());
    files.iter().map(|file| folder.join(&file.path)).collect()
}

/// What the ledger says of a table's files, newest last.
async fn told(lake: &LakeConfig, table: Table) -> Vec<String> {
    let reader = Lake::open(lake).unwrap();
    let query = format!(
        "SELECT coverage_state FROM coverage WHERE source = 'detect' AND subject LIKE '{table}/%' \
         ORDER BY observed_time, coverage_state"
    );
    let (_, batches) = reader.query_all(&query).await.unwrap();
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).filter_map(|row| text(batch, "coverage_state", row))
    });
    rows.collect()
}

/// Waits until the ledger says so of a table's files.
async fn until_told(lake: &LakeConfig, table: Table, states: &[&str]) {
    let waiting = async {
        while told(lake, table).await != states {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(
        waited.is_ok(),
        "{:?} is not {states:?}",
        told(lake, table).await
    );
}

/// Stores what was published, and gives the lake's stage, which runs on.
struct Storing {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), lake::LakeError>>,
}

impl Storing {
    async fn start(bus: &Bus, lake: &LakeConfig) -> Self {
        let stop = CancellationToken::new();
        let running = lake::stage::run(
            lake.clone(),
            bus.clone(),
            Arc::new(SystemClock),
            Health::default(),
            stop.clone(),
        );
        let task = tokio::spawn(running);
        let waiting = async {
            while files(lake, Table::M365Activity).await.is_empty()
                || files(lake, Table::GraphAlerts).await.is_empty()
                || files(lake, Table::Signins).await.is_empty()
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// A file that cannot be read for a while costs no alert: not within a process, and not over a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_read_is_in_the_ledger_until_it_is_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = open(folder.path()).await;
    publish(&bus).await;
    let storing = Storing::start(&bus, &lake).await;
    let file = files(&lake, Table::M365Activity).await.remove(0);
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"").unwrap();
    // The others do not wait for it.
    let alerts = detect_until(&bus, &lake, "detect", "first", 2).await;
    assert!(alerts.iter().all(|alert| alert.label != "SAAS-M365-00001"));
    until_told(&lake, Table::M365Activity, &["gap"]).await;
    let reader = Lake::open(&lake).unwrap();
    let (missing, damaged) = detect::missing::of_lake(&reader).await.unwrap();
    assert_eq!((missing.len(), missing[0].table), (1, Table::M365Activity));
    assert_eq!(damaged, []);

    // It can be read again when detect starts anew.
    std::fs::write(&file, bytes).unwrap();
    let again = detect_until(&bus, &lake, "detect", "second", 3).await;
    assert!(again.iter().any(|alert| alert.label == "SAAS-M365-00001"));
    until_told(&lake, Table::M365Activity, &["gap", "read"]).await;
    let (missing, _) = detect::missing::of_lake(&reader).await.unwrap();
    assert_eq!(missing, []);
    storing.end().await;
}

/// Compaction replaces files, and a reader that was away for long finds its rows where they stand now.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_replaced_file_are_evaluated_where_they_stand_now() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, mut lake) = open(folder.path()).await;
    lake.compaction_commits = 2;
    publish(&bus).await;
    let storing = Storing::start(&bus, &lake).await;
    let first = files(&lake, Table::M365Activity).await.remove(0);
    let harmless = event(
        Table::M365Activity,
        "m9",
        &json!({"Operation": "FileAccessed"}),
    );
    bus.publish(Topic::Events(Table::M365Activity), vec![harmless])
        .await
        .unwrap();
    let waiting = async {
        while files(&lake, Table::M365Activity).await.contains(&first) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    // As after the time for which replaced files are kept.
    std::fs::remove_file(&first).unwrap();
    let alerts = detect_until(&bus, &lake, "detect", "reader", 3).await;
    let of_moved = alerts
        .iter()
        .find(|alert| alert.label == "SAAS-M365-00001")
        .unwrap();
    comes_out_again(&lake, of_moved).await;
    assert!(
        told(&lake, Table::M365Activity).await.is_empty(),
        "nothing is missing"
    );
    storing.end().await;
}

/// Rows that are nowhere are told, and do not stall.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_and_a_foreign_message_do_not_stall() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = open(folder.path()).await;
    let gone = Batch {
        table: "m365_activity".to_owned(),
        version: 1,
        files: vec![BatchFile {
            path: "tenant_id=7f3c/day=2026-09-14/gone.parquet".to_owned(),
            tenant_id: "7f3c".to_owned(),
            day: "2026-09-14".to_owned(),
            rows: 1_000,
            bytes: 1,
        }],
        committed_time_us: 1,
    };
    let outside = Batch {
        files: vec![BatchFile {
            path: "../../etc/passwd".to_owned(),
            ..gone.files[0].clone()
        }],
        ..gone.clone()
    };
    let unknown = Batch {
        table: "of_the_future".to_owned(),
        ..gone.clone()
    };
    let payloads = [
        gone.encode_to_vec(),
        outside.encode_to_vec(),
        unknown.encode_to_vec(),
        vec![0xff, 0xff, 0xff],
    ];
    let messages = payloads.map(|payload| Message {
        key: "x".to_owned(),
        payload,
    });
    bus.publish(Topic::Batches, messages.to_vec())
        .await
        .unwrap();
    publish(&bus).await;
    let stop = CancellationToken::new();
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        Arc::new(SystemClock),
        Health::default(),
        stop.clone(),
    ));
    let alerts = detect_until(&bus, &lake, "detect", "reader", 3).await;
    assert_eq!(ids(&alerts).len(), 3);
    // The one that is gone, and the one that leads elsewhere.
    until_told(&lake, Table::M365Activity, &["gap", "gap"]).await;
    stop.cancel();
    storing.await.unwrap().unwrap();
}

#[tokio::test]
async fn strict_mode_stops_at_a_refused_rule() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.yml"), "title: x\n").unwrap();
    let mut config = DetectConfig {
        rules: vec![folder.path().to_owned()],
        strict: true,
        ..DetectConfig::default()
    };
    let error = rules::ruleset(&config).unwrap_err();
    assert!(error.to_string().contains("bad.yml"), "{error}");
    config.strict = false;
    let ours = detect::rules::builtin().loaded.len();
    assert_eq!(rules::ruleset(&config).unwrap().rules().len(), ours);
}
