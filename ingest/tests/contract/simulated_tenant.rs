//! The real sources against the simulated tenant: every record that it made available arrives.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ingest::{
    DirectoryConfig, EventHubsConfig, GraphAlertsConfig, ManagementActivityConfig, TenantConfig,
};
use microsoft::{Cloud, Endpoints, Secret, Tenant};
use schemas::environment::SystemClock;
use serde_json::{Value, json};
use simulator::{Connection, SimulatorConfig};
use tokio_util::sync::CancellationToken;

use crate::lab::{Arrived, Lab};

const FEEDS: [&str; 4] = [
    "signins",
    "directory_audits",
    "risk_events",
    "m365_activity",
];

const USERS: u32 = 12;

fn tenant(connection: &Connection) -> TenantConfig {
    let base = connection.http_url.as_str();
    TenantConfig {
        tenant: Tenant {
            tenant_id: connection.tenant_id.clone(),
            client_id: connection.reading.client_id.clone(),
            credential: Secret::new(connection.reading.client_secret.clone()).into(),
            endpoints: Endpoints::new(Cloud::Worldwide, base, base, base).unwrap(),
        },
        event_hubs: vec![EventHubsConfig {
            namespace: connection.hub_namespace.clone(),
            hub: connection.hub_name.clone(),
            endpoint: connection.amqp_url.clone(),
            batch_wait_ms: 20,
            idle_ms: 500,
            call_timeout_ms: 3_000,
            partitions_ms: 500,
            ..EventHubsConfig::default()
        }],
        management_activity: Some(ManagementActivityConfig {
            poll_ms: 100,
            ..ManagementActivityConfig::default()
        }),
        graph_alerts: Some(GraphAlertsConfig {
            poll_ms: 100,
            page_alerts: 3,
            ..GraphAlertsConfig::default()
        }),
        directory: Some(DirectoryConfig {
            poll_ms: 100,
            page_objects: 5,
        }),
    }
}

struct Control {
    client: reqwest::Client,
    base: String,
}

impl Control {
    async fn ledger(&self) -> Value {
        let url = format!("{}/simulator/ledger?ids=1", self.base);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// The ledger once the day is over.
    async fn whole_ledger(&self) -> Value {
        loop {
            let ledger = self.ledger().await;
            if ledger["complete"] == true {
                return ledger;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn post(&self, path: &str, body: Value) {
        let url = format!("{}/simulator/{path}", self.base);
        let answer = self.client.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{body}");
    }
}

/// How many records came, the directory's objects apart: all of them come at once.
fn of_feeds(arrived: &Arrived) -> usize {
    let is_of_feed = |event: &&schemas::wire::Event| event.source != "directory";
    arrived.events.iter().filter(is_of_feed).count()
}

fn texts(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().unwrap().iter();
    items.map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn ids(ledger: &Value, feed: &str) -> BTreeSet<String> {
    texts(&ledger["feeds"][feed]["ids"])
}

/// A simulated day that is read to its end, while runs of ingest end as `ends` says.
async fn day(faults: Value, ends: &[&str]) {
    let stop = CancellationToken::new();
    let config = SimulatorConfig {
        users: USERS,
        ordinary_events_per_hour: 10,
        speed: 4_000.0,
        ..SimulatorConfig::default()
    };
    let simulated = simulator::start(config, Arc::new(SystemClock), stop.clone())
        .await
        .unwrap();
    let connection = simulated.connection.clone();
    let control = Control {
        client: reqwest::Client::builder().no_proxy().build().unwrap(),
        base: connection.http_url.clone(),
    };
    control.post("faults", faults).await;
    let mut lab = Lab::new().await;
    for (turn, end) in ends.iter().enumerate() {
        let run = lab.start(tenant(&connection));
        let enough = of_feeds(&lab.arrived) + 50;
        lab.wait_for("records of a turn", |arrived| of_feeds(arrived) >= enough)
            .await;
        let partition = turn % 4;
        control
            .post("faults", json!([{"amqp_detach": partition}]))
            .await;
        match *end {
            "kill" => run.kill().await,
            "grow" => {
                control
                    .post("faults", json!([{"amqp_partitions": 7}]))
                    .await;
                let is_new = |arrived: &Arrived| {
                    let mut positions = arrived.events.iter().map(|event| &event.position);
                    positions.any(|position| position.contains("/6@"))
                };
                lab.wait_for("a record of a new partition", is_new).await;
                run.stop().await;
            }
            _ => run.stop().await,
        }
    }
    let run = lab.start(tenant(&connection));
    let ledger = control.whole_ledger().await;
    let alerts = texts(&ledger["graph_alerts_current"]);
    lab.wait_for("every record of the ledger", |arrived| {
        FEEDS
            .iter()
            .all(|feed| ids(&ledger, feed).is_subset(&arrived.ids(feed)))
            && alerts.is_subset(&arrived.ids("graph_alerts"))
            && arrived.ids("directory_users").len() >= USERS as usize
    })
    .await;
    run.stop().await;
    stop.cancel();
    simulated.join().await.unwrap();
    check(&lab, &ledger, &connection);
}

fn check(lab: &Lab, ledger: &Value, connection: &Connection) {
    for feed in FEEDS {
        let sent = ids(ledger, feed);
        assert!(!sent.is_empty(), "{feed}");
        // Nothing is made up either.
        assert_eq!(lab.arrived.ids(feed), sent, "{feed}");
    }
    let alerts = lab.arrived.ids("graph_alerts");
    assert!(!alerts.is_empty() && alerts.is_subset(&ids(ledger, "graph_alerts")));
    let is_own = |event: &schemas::wire::Event| {
        event.tenant_id == connection.tenant_id && event.provenance == "live"
    };
    assert!(lab.arrived.events.iter().all(is_own));
    assert!(
        lab.arrived.lines("range", "lost").is_empty(),
        "nothing was out of reach"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_arrives_on_an_ordinary_day() {
    day(json!([]), &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_arrives_across_kills_restarts_and_faults() {
    // Killed between publish and cursor, blobs that fail or are HTML, throttling, lost links.
    let faults = json!([
        {"path_contains": "/activity/feed/audit/", "status": 503, "times": 5},
        {"path_contains": "/activity/feed/audit/", "html": true, "times": 3},
        {"path_contains": "/activity/feed/audit/", "status": 429, "retry_after_s": 0, "times": 2},
        {"path_contains": "subscriptions/content", "status": 500, "times": 2},
        {"path_contains": "subscriptions/content", "next_page_host": "http://169.254.169.254", "times": 1},
        {"path_contains": "alerts_v2", "status": 504, "times": 5},
        {"path_contains": "users/delta", "status": 504, "times": 5},
        {"path_contains": "users/delta?$skiptoken", "next_page_host": "http://169.254.169.254", "times": 1},
        {"path_contains": "oauth2", "status": 503, "times": 2},
    ]);
    day(faults, &["kill", "stop", "kill"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_arrives_from_partitions_that_are_added() {
    day(json!([]), &["grow"]).await;
}
