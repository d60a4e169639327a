//! A tenant to act in, with a journal, a clock and an executor: in memory, or simulated over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use microsoft::{Client, Cloud, Endpoints, HttpConfig, Secret, Tenant};
use respond::action::{Action, ActionKind};
use respond::cases::{Intake, Policy, SeenAlert};
use respond::directory::Directory;
use respond::effects::Gates;
use respond::executor::{Executor, Pace, Progress};
use respond::graph::GraphDirectory;
use respond::journal::sqlite::SqliteJournal;
use respond::journal::{Journal, Ledger, Request};
use respond::preflight;
use respond::record::{ActionRecord, State};
use schemas::environment::{Clock, SystemClock};
use schemas::severity::Severity;
use schemas::wire;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::memory::{ACCOUNT, MemoryDirectory, NAME};

/// A clock that is put forward.
pub(crate) struct Hand(pub(crate) AtomicI64);

impl Clock for Hand {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) const T0: i64 = 1_789_000_000_000_000;
pub(crate) const TENANT: &str = "7f3caaaa-0000-4000-8000-000000000001";

/// Where the tenant is.
pub(crate) enum Place {
    Memory(Arc<MemoryDirectory>),
    Simulated {
        registration: Box<Tenant>,
        http_url: String,
        stop: CancellationToken,
        /// Serves for as long as it is kept.
        _running: Box<simulator::Running>,
    },
}

/// Everything that a test needs.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) tenant_id: String,
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) folder: TempDir,
    pub(crate) journal: Arc<SqliteJournal>,
    pub(crate) clock: Arc<Hand>,
    pub(crate) gates: Gates,
    pub(crate) policy: preflight::Policy,
    pub(crate) case_id: String,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Place::Simulated { stop, .. } = &self.place {
            stop.cancel();
        }
    }
}

pub(crate) fn alert(tenant_id: &str, account: &str, id: &str) -> wire::Alert {
    wire::Alert {
        alert_id: id.to_owned(),
        tenant_id: tenant_id.to_owned(),
        label: "SAAS-M365-00001".to_owned(),
        title: "Inbox rule hides mail".to_owned(),
        severity: "high".to_owned(),
        user: NAME.to_owned(),
        user_id: account.to_owned(),
        first_event_time_us: T0,
        accepted_time_us: T0,
        state: "raised".to_owned(),
        provenance: "live".to_owned(),
        ..wire::Alert::default()
    }
}

/// Microsoft's alert, which knows the object id only.
pub(crate) fn theirs(tenant_id: &str, account: &str, id: &str) -> wire::Alert {
    wire::Alert {
        label: "MS-SEC-GRAPH-00001".to_owned(),
        user: String::new(),
        ..alert(tenant_id, account, id)
    }
}

/// Our alert, which knows the name only.
pub(crate) fn ours(tenant_id: &str, name: &str, id: &str) -> wire::Alert {
    wire::Alert {
        user: name.to_owned(),
        ..alert(tenant_id, "", id)
    }
}

impl World {
    pub(crate) fn in_memory() -> Self {
        let directory = Arc::new(MemoryDirectory::new());
        let place = Place::Memory(Arc::clone(&directory));
        Self::around(place, directory, TENANT, ACCOUNT, NAME)
    }

    /// The tenant in which the attack has just succeeded; the account is its victim.
    pub(crate) async fn simulated() -> Self {
        let stop = CancellationToken::new();
        let config = simulator::SimulatorConfig {
            speed: 1_000_000.0,
            users: 10,
            ordinary_events_per_hour: 1,
            ..simulator::SimulatorConfig::default()
        };
        let running = simulator::start(config, Arc::new(SystemClock), stop.clone())
            .await
            .unwrap();
        let connection = running.connection.clone();
        let story = loop {
            let story = ask(&connection.http_url, "story").await;
            if story["complete"] == true {
                break story;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let registration = tenant(&connection);
        let directory = Arc::new(graph_directory(&registration));
        let place = Place::Simulated {
            registration: Box::new(registration),
            http_url: connection.http_url,
            stop,
            _running: Box::new(running),
        };
        let victim = |key: &str| story["victim"][key].as_str().unwrap();
        let (account, name) = (victim("id"), victim("user_principal_name"));
        Self::around(place, directory, &connection.tenant_id, account, name)
    }

    fn around(
        place: Place,
        directory: Arc<dyn Directory>,
        tenant_id: &str,
        account: &str,
        name: &str,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::open(&folder.path().join("journal")).unwrap());
        let intake = Intake {
            policy: Policy {
                case_severity_min: Severity::High,
                window_us: Policy::window_of_hours(24),
                automatic: Vec::new(),
                automatic_age_us_max: Policy::age_of_hours(72),
                dry_run: false,
            },
            playbooks: Vec::new(),
            acting_tenants: BTreeSet::from([tenant_id.to_owned()]),
        };
        let seen = SeenAlert::of(&wire::Alert {
            user: name.to_owned(),
            ..alert(tenant_id, account, "a1")
        })
        .unwrap();
        let admitted = journal.admit(&[seen], &intake, T0).unwrap();
        let gates = Gates::new(false, folder.path().join("stop"));
        Self {
            place,
            directory,
            tenant_id: tenant_id.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
            journal,
            clock: Arc::new(Hand(AtomicI64::new(T0))),
            gates,
            policy: preflight::Policy {
                dry_run: false,
                automatic: ActionKind::ALL.to_vec(),
                never_act: BTreeSet::new(),
                automatic_age_us_max: Policy::age_of_hours(72),
                approval_age_us_max: Policy::age_of_hours(24),
                targets_per_hour_max: 5,
                outbox_age_us_max: i64::MAX,
                started_us: 0,
                cool_down_us: 1_000_000,
            },
            case_id: admitted[0].case_id.clone().unwrap(),
            folder,
        }
    }

    /// An alert that names the account whole.
    pub(crate) fn alert(&self, id: &str) -> wire::Alert {
        wire::Alert {
            user: self.name.clone(),
            ..alert(&self.tenant_id, &self.account, id)
        }
    }

    pub(crate) fn memory(&self) -> &MemoryDirectory {
        let Place::Memory(directory) = &self.place else {
            panic!("not in memory")
        };
        directory
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    pub(crate) fn executor(&self) -> Executor {
        self.executor_with(Arc::clone(&self.directory), self.journal.clone())
    }

    pub(crate) fn executor_with(
        &self,
        directory: Arc<dyn Directory>,
        journal: Arc<dyn Journal>,
    ) -> Executor {
        Executor {
            ledger: Ledger::new(journal),
            directory,
            gates: self.gates.clone(),
            policy: self.policy.clone(),
            pace: Pace {
                read_backs_max: 4,
                read_back_wait: Duration::from_millis(1),
                attempts_max: 3,
                retry_wait: Duration::from_millis(1),
            },
            clock: self.clock.clone(),
            stop: CancellationToken::new(),
        }
    }

    /// A person's request, later than what was asked before.
    pub(crate) fn request(&self, action: &Action) -> ActionRecord {
        self.pass(2_000_000);
        self.journal
            .request(&Request {
                os_user: Value::Null,
                case_id: self.case_id.clone(),
                action: action.clone(),
                by: "kim".to_owned(),
                dry_run: false,
                undoes: None,
                sighted: None,
                time_us: self.clock.now_us(),
            })
            .unwrap()
    }

    pub(crate) fn pass(&self, time_us: i64) {
        self.clock.0.fetch_add(time_us, Ordering::SeqCst);
    }

    /// Runs an action to its end, putting the clock forward where it waits.
    pub(crate) async fn finish(&self, executor: &Executor, action_id: &str) -> State {
        for _ in 0..50 {
            match executor.run(action_id).await.unwrap() {
                Progress::Ended(state) => return state,
                Progress::Later { at_us } => {
                    self.clock.0.fetch_max(at_us, Ordering::SeqCst);
                }
            }
        }
        panic!("action {action_id} does not end")
    }

    pub(crate) async fn perform(&self, action: &Action) -> ActionRecord {
        let record = self.request(action);
        self.finish(&self.executor(), &record.action_id).await;
        self.record(&record.action_id)
    }

    pub(crate) fn record(&self, action_id: &str) -> ActionRecord {
        self.journal.action(action_id).unwrap().unwrap()
    }

    /// States of an action in the order of the audit chain, which must be whole.
    pub(crate) fn states(&self, action_id: &str) -> Vec<String> {
        let mut verifier = respond::audit::Verifier::default();
        let entries = self.journal.audit(0, usize::MAX).unwrap();
        for entry in &entries {
            verifier.take(entry).unwrap();
        }
        entries
            .into_iter()
            .filter(|entry| entry.action_id == action_id)
            .map(|entry| entry.state)
            .collect()
    }

    /// What is true of the account now, without the time from which sessions are valid.
    pub(crate) async fn account_state(&self) -> Value {
        let user = self.directory.user(&self.account).await.unwrap().unwrap();
        let rules: BTreeMap<String, bool> = self
            .directory
            .inbox_rules(&user.id)
            .await
            .unwrap()
            .into_iter()
            .map(|rule| (rule.id, rule.is_enabled))
            .collect();
        serde_json::json!({"enabled": user.account_enabled, "rules": rules})
    }

    /// The changes that arrived, by the tenant's own log.
    pub(crate) async fn changes(&self) -> Vec<String> {
        match &self.place {
            Place::Memory(directory) => directory.changes(),
            Place::Simulated { http_url, .. } => {
                let calls = ask(http_url, "calls").await;
                let text = |call: &Value, key: &str| call[key].as_str().unwrap().to_owned();
                calls["calls"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|call| format!("{} {}", text(call, "path"), text(call, "body")))
                    .collect()
            }
        }
    }

    /// The changes that arrived at the simulated tenant, with all that it knows of them.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        let Place::Simulated { http_url, .. } = &self.place else {
            return Vec::new();
        };
        let calls = ask(http_url, "calls").await;
        calls["calls"].as_array().unwrap().clone()
    }

    /// Lets changes be answered with success without happening.
    pub(crate) async fn make_ineffective(&self) {
        match &self.place {
            Place::Memory(directory) => directory.with(|state| state.ineffective = true),
            Place::Simulated { .. } => {
                for method in ["PATCH", "POST"] {
                    let fault = serde_json::json!({
                        "path_contains": "/v1.0/users/", "method": method, "ineffective": true, "times": 20,
                    });
                    self.script(&fault).await;
                }
            }
        }
    }

    /// Gives the simulated tenant groups with roles, and roles that can be taken.
    pub(crate) async fn set_privileges(&self, privileges: &Value) {
        let Place::Simulated { http_url, .. } = &self.place else {
            panic!("not simulated")
        };
        let put = reqwest::Client::new().put(format!("{http_url}/simulator/privileges"));
        let answer = put.body(privileges.to_string()).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{}", answer.text().await.unwrap());
    }

    /// Posts a fault to the simulator.
    pub(crate) async fn script(&self, fault: &Value) {
        let Place::Simulated { http_url, .. } = &self.place else {
            panic!("not simulated")
        };
        let url = format!("{http_url}/simulator/faults");
        let answer = reqwest::Client::new()
            .post(url)
            .json(fault)
            .send()
            .await
            .unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }
}

async fn ask(http_url: &str, what: &str) -> Value {
    let url = format!("{http_url}/simulator/{what}");
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// The tenant as a configuration names it.
pub(crate) fn tenant(connection: &simulator::Connection) -> Tenant {
    let url = &connection.http_url;
    Tenant {
        tenant_id: connection.tenant_id.clone(),
        client_id: connection.acting.client_id.clone(),
        credential: Secret::new(connection.acting.client_secret.clone()).into(),
        endpoints: Endpoints::new(Cloud::Worldwide, url, url, url).unwrap(),
    }
}

fn graph_directory(tenant: &Tenant) -> GraphDirectory {
    let http = HttpConfig {
        retry_wait_ms: 1,
        ..HttpConfig::default()
    };
    let client = Client::new(&http, Arc::new(SystemClock)).unwrap();
    GraphDirectory::new(client.tenant(tenant.clone()), &tenant.client_id)
}
