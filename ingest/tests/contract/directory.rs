//! The directory of the simulated tenant, over HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ingest::{DirectoryConfig, TenantConfig};
use microsoft::{Cloud, Endpoints, Secret, Tenant};
use schemas::environment::SystemClock;
use schemas::wire::Event;
use serde_json::{Value, json};
use simulator::{Running, SimulatorConfig};
use tokio_util::sync::CancellationToken;

use crate::lab::{Arrived, Lab};

const USERS: usize = 12;
const GROUPS: usize = 5;
const DOMAINS: usize = 3;
const ALL: usize = USERS + GROUPS + DOMAINS;

/// A simulated tenant without an attack.
struct Simulated {
    running: Running,
    client: reqwest::Client,
    stop: CancellationToken,
}

impl Simulated {
    async fn start() -> Self {
        let stop = CancellationToken::new();
        let config = SimulatorConfig {
            users: u32::try_from(USERS).unwrap(),
            ordinary_events_per_hour: 0,
            stories: Vec::new(),
            ..SimulatorConfig::default()
        };
        let running = simulator::start(config, Arc::new(SystemClock), stop.clone())
            .await
            .unwrap();
        Self {
            running,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop,
        }
    }

    /// The tenant, of which only the directory is read, in small pages.
    fn tenant(&self) -> TenantConfig {
        let connection = &self.running.connection;
        let base = connection.http_url.as_str();
        TenantConfig {
            tenant: Tenant {
                tenant_id: connection.tenant_id.clone(),
                client_id: connection.reading.client_id.clone(),
                credential: Secret::new(connection.reading.client_secret.clone()).into(),
                endpoints: Endpoints::new(Cloud::Worldwide, base, base, base).unwrap(),
            },
            event_hubs: Vec::new(),
            management_activity: None,
            graph_alerts: None,
            directory: Some(DirectoryConfig {
                poll_ms: 20,
                page_objects: 5,
            }),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.connection.http_url)
    }

    async fn fault(&self, script: Value) {
        let sent = self
            .client
            .post(self.url("/simulator/faults"))
            .json(&script);
        assert!(sent.send().await.unwrap().status().is_success());
    }

    async fn clear_faults(&self) {
        let sent = self.client.delete(self.url("/simulator/faults"));
        assert!(sent.send().await.unwrap().status().is_success());
    }

    /// Waits until whole polls have passed: domains are read last, and a fault on them is used up by a poll.
    async fn polls(&self, polls: u32) {
        for _ in 0..=polls {
            self.fault(json!({"path_contains": "/v1.0/domains", "status": 503}))
                .await;
            loop {
                let waiting = self.client.get(self.url("/simulator/faults")).send();
                let waiting: Value = waiting.await.unwrap().json().await.unwrap();
                if waiting["waiting"] == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Blocks or allows a user, as a response does.
    async fn set_enabled(&self, user: &str, enabled: bool) {
        let acting = &self.running.connection.acting;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", acting.client_id.as_str()),
            ("client_secret", acting.client_secret.as_str()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let path = format!("/{}/oauth2/v2.0/token", self.running.connection.tenant_id);
        let token = self.client.post(self.url(&path)).form(&form).send();
        let token: Value = token.await.unwrap().json().await.unwrap();
        let changed = self
            .client
            .patch(self.url(&format!("/v1.0/users/{user}")))
            .bearer_auth(token["access_token"].as_str().unwrap())
            .json(&json!({"accountEnabled": enabled}));
        assert_eq!(changed.send().await.unwrap().status().as_u16(), 204);
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.join().await.unwrap();
    }
}

fn read(event: &Event) -> Value {
    serde_json::from_slice(&event.raw).unwrap()
}

fn total(arrived: &Arrived) -> usize {
    ["directory_users", "directory_groups", "directory_domains"]
        .iter()
        .map(|table| arrived.ids(table).len())
        .sum()
}

/// An ordinary member, by object id.
fn member(arrived: &Arrived) -> String {
    let users = arrived.events.iter().map(read);
    let mut members = users.filter(|user| user["jobTitle"] == "Specialist");
    members.next().unwrap()["id"].as_str().unwrap().to_owned()
}

/// What is known of whether a user is enabled, in the order of arrival.
fn states(arrived: &Arrived, user: &str) -> Vec<bool> {
    let about = arrived.events.iter().map(read);
    about
        .filter(|object| object["id"] == user)
        .map(|object| object["accountEnabled"].as_bool().unwrap())
        .collect()
}

#[tokio::test]
async fn p45_p56_every_object_comes_once_and_each_change_once_more() {
    let simulated = Simulated::start().await;
    let mut lab = Lab::new().await;
    let run = lab.start(simulated.tenant());
    lab.wait_for("the directory", |arrived| total(arrived) == ALL)
        .await;
    simulated.polls(2).await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), ALL, "a poll without a change");
    assert_eq!(lab.arrived.ids("directory_users").len(), USERS);
    assert_eq!(lab.arrived.ids("directory_domains").len(), DOMAINS);
    for event in &lab.arrived.events {
        assert_eq!((event.event_time_us, event.problems.len()), (None, 0));
        assert_eq!(event.source, "directory");
    }
    let unverified: Vec<Value> = lab.arrived.events.iter().map(read).collect();
    let unverified = unverified.iter().filter(|one| one["isVerified"] == false);
    assert_eq!(unverified.count(), 1);

    let user = member(&lab.arrived);
    for (turn, enabled) in [false, true, false].into_iter().enumerate() {
        simulated.set_enabled(&user, enabled).await;
        lab.wait_for("the change", |arrived| total(arrived) == ALL + turn + 1)
            .await;
        simulated.polls(1).await;
    }
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), ALL + 3);
    assert_eq!(states(&lab.arrived, &user), [true, false, true, false]);

    let run = lab.start(simulated.tenant());
    simulated.polls(1).await;
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), ALL + 3, "a restart");
    assert!(lab.arrived.lines("page", "gap").is_empty());
    simulated.stop().await;
}

#[tokio::test]
async fn a_forgotten_link_begins_anew_says_so_and_publishes_nothing_twice() {
    let simulated = Simulated::start().await;
    let mut lab = Lab::new().await;
    let run = lab.start(simulated.tenant());
    lab.wait_for("the directory", |arrived| total(arrived) == ALL)
        .await;
    simulated.polls(1).await;
    simulated
        .fault(json!([
            {"path_contains": "users/delta?$deltatoken", "status": 410},
            {"path_contains": "groups/delta?$deltatoken", "status": 400},
        ]))
        .await;
    lab.wait_for("two lines that say so", |arrived| {
        let lines = arrived.lines("page", "read");
        let anew = lines.iter().filter(|line| line.detail.contains("in full"));
        anew.count() == 2
    })
    .await;
    simulated.polls(1).await;
    let user = member(&lab.arrived);
    simulated.set_enabled(&user, false).await;
    lab.wait_for("a change after it", |arrived| total(arrived) == ALL + 1)
        .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), ALL + 1);
    simulated.stop().await;
}

#[tokio::test]
async fn throttling_between_pages_loses_nothing() {
    // Some within the patience of a call, some beyond it.
    for times in [2, 9] {
        let simulated = Simulated::start().await;
        simulated
            .fault(json!({"path_contains": "skiptoken", "status": 429, "retry_after_s": 0, "times": times}))
            .await;
        let mut lab = Lab::new().await;
        let run = lab.start(simulated.tenant());
        lab.wait_for("the directory", |arrived| total(arrived) == ALL)
            .await;
        simulated.polls(1).await;
        run.stop().await;
        lab.look().await;
        assert_eq!(lab.arrived.events.len(), ALL);
        let gaps = lab.arrived.lines("page", "gap");
        assert_eq!(gaps.is_empty(), times == 2, "{gaps:?}");
        simulated.stop().await;
    }
}

#[tokio::test]
async fn a_missing_permission_is_a_gap_that_names_it_and_stops_nothing_else() {
    let simulated = Simulated::start().await;
    simulated
        .fault(json!({"path_contains": "groups/delta", "status": 403, "times": 1_000_000}))
        .await;
    let mut lab = Lab::new().await;
    let run = lab.start(simulated.tenant());
    lab.wait_for("users, domains and a gap", |arrived| {
        arrived.ids("directory_users").len() == USERS
            && arrived.ids("directory_domains").len() == DOMAINS
            && arrived.lines("page", "gap").len() > 2
    })
    .await;
    let gaps = lab.arrived.lines("page", "gap");
    let named = |gap: &&schemas::wire::Coverage| {
        gap.subject == "groups" && gap.detail.contains("GroupMember.Read.All")
    };
    assert!(gaps.iter().all(named), "{gaps:?}");
    let ids: BTreeSet<&str> = gaps.iter().map(|gap| gap.id.as_str()).collect();
    assert!(ids.len() <= 2, "one line for a day, at midnight two");
    assert!(lab.arrived.ids("directory_groups").is_empty());
    simulated.clear_faults().await;
    lab.wait_for("groups after consent", |arrived| total(arrived) == ALL)
        .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), ALL);
    simulated.stop().await;
}

#[tokio::test]
async fn a_crash_between_publish_and_cursor_repeats_the_same_ids() {
    let simulated = Simulated::start().await;
    let mut lab = Lab::new().await;
    let run = lab.start(simulated.tenant());
    lab.wait_for("the directory", |arrived| total(arrived) == ALL)
        .await;
    run.stop().await;
    lab.look().await;
    // As if the process had died before anything was remembered.
    let file = lab.folder().join("ingest/ingest-cursors.sqlite");
    rusqlite::Connection::open(file)
        .unwrap()
        .execute_batch("DELETE FROM cursors; DELETE FROM states; DELETE FROM known;")
        .unwrap();
    let run = lab.start(simulated.tenant());
    lab.wait_for("all of it again", |arrived| arrived.events.len() == 2 * ALL)
        .await;
    run.stop().await;
    assert_eq!(total(&lab.arrived), ALL);
    simulated.stop().await;
}

#[tokio::test]
async fn kills_at_any_time_lose_nothing_and_make_nothing_up() {
    let simulated = Simulated::start().await;
    let mut lab = Lab::new().await;
    for turn in 0..6_u64 {
        let run = lab.start(simulated.tenant());
        tokio::time::sleep(Duration::from_millis(3 + 7 * turn)).await;
        run.kill().await;
    }
    let run = lab.start(simulated.tenant());
    simulated.polls(1).await;
    lab.wait_for("the directory", |arrived| total(arrived) == ALL)
        .await;
    let user = member(&lab.arrived);
    simulated.set_enabled(&user, false).await;
    lab.wait_for("a change after it", |arrived| total(arrived) == ALL + 1)
        .await;
    run.stop().await;
    assert_eq!(lab.arrived.dead_letters.len(), 0);
    simulated.stop().await;
}
