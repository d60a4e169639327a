//! Microsoft's alerts: a label for each provider, and one alert however often its status changes.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/lab.rs"]
mod lab;

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, Message};
use columns::event_batch;
use detect::alert::Origin;
use detect::rules::builtin;
use detect::{DetectConfig, Evaluation, stage};
use lake::{Lake, LakeConfig};
use prost::Message as _;
use schemas::environment::SystemClock;
use schemas::health::Health;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Alert, Event};
use serde_json::{Value, json};
use sigma::Ruleset;
use sigma::plan::fields::text;
use tokio_util::sync::CancellationToken;

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// When everything happens.
const TIME_US: i64 = 1_789_372_800_000_000;

/// What `alerts_v2` calls the providers that must be known, and the label of each.
const PROVIDERS: [(&str, &str); 8] = [
    ("azureAdIdentityProtection", "MS-SEC-GRAPH-00001"),
    ("microsoft365Defender", "MS-SEC-GRAPH-00002"),
    ("microsoftDefenderForCloudApps", "MS-SEC-GRAPH-00003"),
    ("microsoftDefenderForEndpoint", "MS-SEC-GRAPH-00004"),
    ("microsoftDefenderForIdentity", "MS-SEC-GRAPH-00005"),
    ("microsoftDefenderForOffice365", "MS-SEC-GRAPH-00006"),
    ("dataLossPrevention", "MS-SEC-GRAPH-00007"),
    ("microsoftInsiderRiskManagement", "MS-SEC-GRAPH-00008"),
];

fn version(id: &str, provider: &str, status: &str) -> Value {
    json!({"id": id, "serviceSource": provider, "severity": "medium", "status": status, "title": "Odd",
        "category": "InitialAccess", "createdDateTime": "2026-09-14T08:00:00Z"})
}

/// The alerts of some records of the table of Microsoft's alerts.
fn evaluate(records: &[Value]) -> Vec<Alert> {
    let events: Vec<Event> = records
        .iter()
        .enumerate()
        .map(|(number, record)| Event {
            event_id: format!("e{number}"),
            raw: record.to_string().into(),
            ..Event::default()
        })
        .collect();
    let origin = Origin {
        table: Table::GraphAlerts.name().to_owned(),
        tenant_id: lab::TENANT.to_owned(),
        file: "a.parquet".to_owned(),
        version: 1,
    };
    let evaluation = Evaluation {
        rules: &Ruleset::compile(&mut builtin()),
        table: Table::GraphAlerts,
        origin: &origin,
        now_us: TIME_US,
    };
    let batch = event_batch(Table::GraphAlerts, &events).unwrap();
    evaluation.batch(&batch).unwrap().alerts
}

#[test]
fn every_provider_has_its_label_and_an_unknown_one_is_kept() {
    let mut records: Vec<Value> = PROVIDERS
        .iter()
        .map(|(provider, _)| version(provider, provider, "new"))
        .collect();
    records.push(version("n1", "microsoftSomethingNew", "new"));
    records.push(version("n2", "", "new"));
    let alerts = evaluate(&records);
    assert_eq!(alerts.len(), records.len(), "none is lost");
    for ((provider, label), alert) in PROVIDERS.iter().zip(&alerts) {
        assert_eq!(
            (alert.label.as_str(), alert.rule_id.as_str()),
            (*label, *provider)
        );
    }
    let unknown: Vec<_> = alerts[PROVIDERS.len()..]
        .iter()
        .map(|alert| (alert.label.as_str(), alert.rule_id.as_str()))
        .collect();
    let label = "MS-SEC-GRAPH-00099";
    assert_eq!(
        unknown,
        [(label, "microsoftSomethingNew"), (label, "unknown")]
    );
}

async fn publish(bus: &Bus, versions: &[(&str, &str, &str)]) {
    let messages: Vec<Message> = versions
        .iter()
        .map(|(event_id, id, status)| {
            let record = version(id, "microsoft365Defender", status);
            lab::event(Table::GraphAlerts, event_id, TIME_US, &record)
        })
        .collect();
    bus.publish(Topic::Events(Table::GraphAlerts), messages)
        .await
        .unwrap();
}

/// The ids of Microsoft's that alerts come with, until one of `last`.
async fn until(consumer: &mut Consumer, last: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let collecting = async {
        while !ids.iter().any(|id| id == last) {
            let polled = consumer
                .next(100, Duration::from_millis(200))
                .await
                .unwrap();
            for record in &polled.records {
                let alert = Alert::decode(record.payload.as_slice()).unwrap();
                ids.push(alert.group_key);
            }
        }
    };
    tokio::time::timeout(PATIENCE, collecting).await.unwrap();
    ids
}

/// What the lake has of alerts: Microsoft's id and the event that each row names, in order.
async fn rows(lake: &LakeConfig) -> Vec<(String, bool)> {
    let lake = Lake::open(lake).unwrap();
    let query = "SELECT group_key, evidence FROM alerts ORDER BY group_key";
    let (_, batches) = lake.query_all(query).await.unwrap();
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    rows.map(|(batch, row)| {
        let evidence = text(batch, "evidence", row).unwrap();
        (
            text(batch, "group_key", row).unwrap(),
            evidence.contains("@1"),
        )
    })
    .collect()
}

/// Detect from its start to its stop.
struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), detect::DetectError>>,
}

impl Running {
    fn start(bus: &Bus, lake: &LakeConfig) -> Self {
        let stop = CancellationToken::new();
        let clock = Arc::new(SystemClock);
        let running = stage::run(
            DetectConfig::default(),
            bus.clone(),
            lake.clone(),
            clock,
            Health::default(),
            stop.clone(),
        );
        Self {
            task: tokio::spawn(running),
            stop,
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_status_raises_nothing_new_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = lab::open(folder.path()).await;
    let stop = CancellationToken::new();
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        Arc::new(SystemClock),
        Health::default(),
        stop.clone(),
    ));
    let mut consumer = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();

    let detecting = Running::start(&bus, &lake);
    publish(&bus, &[("g1@1", "g1", "new")]).await;
    assert_eq!(until(&mut consumer, "g1").await, ["g1"]);
    publish(&bus, &[("g1@2", "g1", "inProgress"), ("g2@1", "g2", "new")]).await;
    assert_eq!(
        until(&mut consumer, "g2").await,
        ["g2"],
        "a status alone is no alert"
    );
    detecting.end().await;

    let detecting = Running::start(&bus, &lake);
    publish(&bus, &[("g1@3", "g1", "resolved"), ("g3@1", "g3", "new")]).await;
    until(&mut consumer, "g3").await;
    detecting.end().await;
    let stored = async {
        while rows(&lake).await.len() < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored).await.unwrap();
    stop.cancel();
    // It stores what is on its way before it ends.
    storing.await.unwrap().unwrap();
    let expected = ["g1", "g2", "g3"].map(|id| (id.to_owned(), true));
    assert_eq!(
        rows(&lake).await,
        expected,
        "one row each, of the first version"
    );
}

/// What Microsoft says later of its alert is told: that it is graver, and that it is over.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_gets_graver_is_amended_and_one_that_is_resolved_is_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = lab::open(folder.path()).await;
    let stop = CancellationToken::new();
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        Arc::new(SystemClock),
        Health::default(),
        stop.clone(),
    ));
    let mut consumer = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    let versions = [
        ("low", "new", "unknown"),
        ("low", "inProgress", "unknown"),
        ("high", "inProgress", "unknown"),
        ("high", "resolved", "falsePositive"),
    ];
    for (at, (severity, status, classification)) in versions.into_iter().enumerate() {
        // Every version by a detect that knows only what the lake says.
        let detecting = Running::start(&bus, &lake);
        let record = json!({"id": "g1", "serviceSource": "microsoft365Defender", "severity": severity,
            "status": status, "classification": classification, "title": "Odd",
            "createdDateTime": "2026-09-14T08:00:00Z",
            "lastUpdateDateTime": format!("2026-09-14T08:0{at}:00Z")});
        let last = format!("marker {at}");
        let marker = version(&last, "microsoft365Defender", "new");
        for (id, record) in [(format!("g1@{at}"), record), (format!("{last}@1"), marker)] {
            let message = lab::event(Table::GraphAlerts, &id, TIME_US, &record);
            bus.publish(Topic::Events(Table::GraphAlerts), vec![message])
                .await
                .unwrap();
        }
        until(&mut consumer, &last).await;
        detecting.end().await;
        let stored = async {
            while !rows(&lake).await.iter().any(|(id, _)| *id == last) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, stored).await.unwrap();
    }
    stop.cancel();
    storing.await.unwrap().unwrap();
    let lake = Lake::open(&lake).unwrap();
    let query =
        "SELECT alert_severity, alert_state FROM alerts WHERE group_key = 'g1' ORDER BY counted";
    let (_, batches) = lake.query_all(query).await.unwrap();
    let told: Vec<(String, String)> = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)))
        .map(|(batch, row)| {
            let cell = |name: &str| text(batch, name, row).unwrap();
            (cell("alert_severity"), cell("alert_state"))
        })
        .collect();
    let expected = [
        ("low", "raised"),
        ("high", "amended"),
        ("high", "withdrawn"),
    ];
    assert_eq!(
        told,
        expected.map(|(one, other)| (one.to_owned(), other.to_owned()))
    );
}

#[test]
fn an_alert_that_is_over_when_it_comes_raises_nothing() {
    let mut record = version("g1", "microsoft365Defender", "resolved");
    assert_eq!(
        evaluate(std::slice::from_ref(&record))[0].state,
        "withdrawn"
    );
    record["status"] = json!("new");
    assert_eq!(evaluate(std::slice::from_ref(&record))[0].state, "raised");
    record["classification"] = json!("falsePositive");
    assert_eq!(evaluate(&[record])[0].state, "withdrawn");
}

/// Evidence of an alert of Identity Protection: an account, what Microsoft thinks of it, and its part.
fn evidence(name: &str, verdict: &str, role: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.security.userEvidence", "verdict": verdict, "roles": [role],
        "userAccount": {"userPrincipalName": format!("{name}@contoso.test"), "azureAdUserId": format!("id-{name}")}})
}

/// Name and label of the alerts of one of Microsoft's about this evidence, and their ids.
fn about(evidence: Value) -> Vec<(String, String, String)> {
    let mut record = version("g1", "azureAdIdentityProtection", "new");
    record["evidence"] = evidence;
    let mut told: Vec<(String, String, String)> = evaluate(&[record])
        .into_iter()
        .map(|alert| (alert.user, alert.label, alert.alert_id))
        .collect();
    told.sort_unstable();
    told
}

#[test]
fn an_alert_is_about_the_compromised_and_not_about_who_is_cleared() {
    let nils = evidence("nils", "noThreatsFound", "contextual");
    let olga = evidence("olga", "malicious", "compromised");
    let told = about(json!([nils, olga]));
    let [(user, label, _)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(
        (user.as_str(), label.as_str()),
        ("olga@contoso.test", "MS-SEC-GRAPH-00001")
    );
    assert_eq!(about(json!([olga, nils])), told, "in whichever order");
    let of_nobody = about(json!([nils]));
    assert_eq!(
        of_nobody[0].0, "",
        "nobody is the alert's own: {of_nobody:?}"
    );
}

#[test]
fn each_of_several_accounts_has_an_alert_of_its_own() {
    let olga = evidence("olga", "malicious", "compromised");
    let per = evidence("per", "suspicious", "compromised");
    let quinn = evidence("quinn", "suspicious", "attacked");
    let told = about(json!([olga, per, quinn]));
    let who: Vec<(&str, &str)> = told
        .iter()
        .map(|(user, label, _)| (user.as_str(), label.as_str()))
        .collect();
    let (ours, for_a_person) = ("MS-SEC-GRAPH-00001", "MS-SEC-GRAPH-00098");
    assert_eq!(
        who,
        [
            ("olga@contoso.test", ours),
            ("per@contoso.test", ours),
            ("quinn@contoso.test", for_a_person)
        ]
    );
    assert_eq!(about(json!([quinn, per, olga])), told, "in whichever order");
    // A version about somebody else is another alert, and does not pass from one to the other.
    let (before, after) = (about(json!([olga])), about(json!([per])));
    assert_ne!(before[0].2, after[0].2);
    assert_eq!(before[0], told[0]);
}
