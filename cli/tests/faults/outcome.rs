//! What a run left behind, in a form that two runs can be compared by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::pipeline::Pipeline;
use crate::profile::Mode;
use crate::replay::{self, Findings};

/// The tables that the simulator's feeds end in, whose records can be had until the end.
pub(crate) const TABLES: [&str; 4] = [
    "signins",
    "directory_audits",
    "risk_events",
    "m365_activity",
];
/// Versions of alerts: one that was replaced while ingest was down cannot be had from Microsoft any more.
const ALERTS: &str = "graph_alerts";

/// What a run left behind.
pub(crate) struct Outcome {
    /// Ids by table, as the lake has them.
    pub(crate) events: BTreeMap<String, BTreeSet<String>>,
    /// Ids of alerts.
    pub(crate) alerts: BTreeSet<String>,
    /// Every action with its last state.
    actions: Vec<Value>,
    /// Calls that were meant to change something, as the simulator has seen them.
    pub(crate) calls: Vec<Value>,
    /// The audit chain, as the lake has it.
    entries: Vec<Value>,
    /// The log of each table.
    commits: BTreeMap<String, Vec<Vec<Value>>>,
    /// Lines of the ledger that say that something is lost or was not read.
    lines: usize,
    /// Ids that were taken away before the lake or a reader of it had them.
    taken: BTreeSet<String>,
    /// Whether rows were taken out of the lake that rules had seen.
    has_less_than_was_seen: bool,
    clocks_agree: bool,
    has_access: bool,
    /// Ids by table, as the simulator has sent them.
    sent: BTreeMap<String, BTreeSet<String>>,
    /// Versions of Microsoft's alerts in the lake.
    versions: BTreeSet<String>,
    /// Versions that Microsoft has now, and all that it ever had.
    current: BTreeSet<String>,
    served: BTreeSet<String>,
    /// Rows by table, duplicates counted.
    counts: BTreeMap<String, usize>,
    /// Ids of the alerts of a batch evaluation.
    batch: BTreeSet<String>,
}

fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {value}"))
        .to_owned()
}

fn strings(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("a list: {list}"));
    list.iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

impl Outcome {
    /// Reads it from the lake, the journal and the simulator.
    pub(crate) fn of(pipeline: &mut Pipeline) -> Self {
        let ledger = pipeline.get("/simulator/ledger?ids=1");
        let mut events = BTreeMap::new();
        let mut sent = BTreeMap::new();
        let mut counts = BTreeMap::new();
        for table in TABLES {
            let rows = pipeline.sql(&format!("SELECT event_id FROM {table}"));
            counts.insert(table.to_owned(), rows.len());
            events.insert(
                table.to_owned(),
                rows.iter().map(|row| text(row, "event_id")).collect(),
            );
            sent.insert(table.to_owned(), strings(&ledger["feeds"][table]["ids"]));
        }
        let versions = pipeline.sql(&format!("SELECT event_id FROM {ALERTS}"));
        counts.insert(ALERTS.to_owned(), versions.len());
        let alerts =
            pipeline.sql("SELECT alert_id FROM alerts_current WHERE alert_state <> 'withdrawn'");
        counts.insert("alerts".to_owned(), alerts.len());
        let actions = pipeline.actions();
        let calls = pipeline.get("/simulator/calls");
        let story = pipeline.get("/simulator/story");
        Self {
            versions: versions.iter().map(|row| text(row, "event_id")).collect(),
            current: strings(&ledger["graph_alerts_current"]),
            served: strings(&ledger["feeds"][ALERTS]["ids"]),
            events,
            sent,
            counts,
            alerts: alerts.iter().map(|row| text(row, "alert_id")).collect(),
            batch: pipeline
                .backtest()
                .iter()
                .map(|row| text(row, "alert_id"))
                .collect(),
            entries: pipeline.entries(),
            actions,
            calls: calls["calls"].as_array().unwrap().clone(),
            commits: replay::commits(&pipeline.lake()),
            lines: pipeline
                .sql("SELECT * FROM coverage WHERE coverage_state IN ('lost', 'gap')")
                .len(),
            taken: pipeline.taken.ids(),
            has_less_than_was_seen: !pipeline.taken.files.is_empty(),
            clocks_agree: !pipeline.has_clock,
            has_access: story["attacker"]["has_access"] == true,
        }
    }

    /// Kind and id of every action; the id is a hash of case, kind, target and round.
    pub(crate) fn planned(&self) -> BTreeSet<(String, String)> {
        self.actions
            .iter()
            .map(|action| (text(action, "action"), text(action, "action_id")))
            .collect()
    }

    /// Rows of all event tables.
    pub(crate) fn rows(&self) -> usize {
        TABLES.iter().map(|table| self.counts[*table]).sum()
    }

    /// How many records that were sent are not there.
    pub(crate) fn missing(&self) -> usize {
        let missing = |table: &&str| self.sent[*table].difference(&self.events[*table]).count();
        TABLES.iter().map(missing).sum()
    }

    /// Every record that was sent is there, once.
    pub(crate) fn assert_complete(&self, seed: u64) {
        for table in TABLES {
            let missing: Vec<_> = self.sent[table].difference(&self.events[table]).collect();
            let unexplained: Vec<_> = missing
                .iter()
                .filter(|id| !self.taken.contains(**id))
                .take(5)
                .collect();
            assert!(
                unexplained.is_empty(),
                "seed {seed}: {table} has lost {unexplained:?}, which nobody took"
            );
            assert!(
                missing.is_empty() || self.lines > 0,
                "seed {seed}: {table} misses {} records, and the ledger does not say so",
                missing.len()
            );
            let foreign: Vec<_> = self.events[table]
                .difference(&self.sent[table])
                .take(5)
                .collect();
            assert!(
                foreign.is_empty(),
                "seed {seed}: {table} has what was not sent: {foreign:?}"
            );
            assert_eq!(
                self.counts[table],
                self.events[table].len(),
                "seed {seed}: {table} has duplicates"
            );
        }
        assert!(
            self.current.is_subset(&self.versions) && self.versions.is_subset(&self.served),
            "seed {seed}: versions of alerts {:?}, current {:?}",
            self.versions,
            self.current
        );
        assert_eq!(
            self.counts[ALERTS],
            self.versions.len(),
            "seed {seed}: a version is there twice"
        );
        assert_eq!(
            self.counts["alerts"],
            self.alerts.len(),
            "seed {seed}: an alert is there twice"
        );
        assert!(
            !self.alerts.is_empty(),
            "seed {seed}: the story raises alerts"
        );
    }

    /// What the stream raised is what one pass over the lake raises.
    pub(crate) fn assert_alerts_are_those_of_a_batch_evaluation(&self, seed: u64) {
        if self.has_less_than_was_seen {
            // Alerts of rows that are gone since stand; what can still be evaluated was.
            let never_raised: Vec<_> = self.batch.difference(&self.alerts).collect();
            assert!(
                never_raised.is_empty(),
                "seed {seed}: never raised: {never_raised:?}"
            );
            return;
        }
        assert_eq!(
            self.alerts, self.batch,
            "seed {seed}: stream and batch disagree"
        );
    }

    /// What is durable, replayed against the invariants, has nothing that should not be.
    pub(crate) fn assert_invariants(&self, mode: Mode, seed: u64) {
        let mut findings = Findings::default();
        for (name, commits) in &self.commits {
            replay::table(name, commits, &mut findings);
        }
        if mode == Mode::Live {
            let agree = self.clocks_agree;
            replay::response(
                &self.actions,
                &self.calls,
                &self.entries,
                agree,
                &mut findings,
            );
        }
        assert!(
            findings.0.is_empty(),
            "seed {seed}:\n{}",
            findings.0.join("\n")
        );
    }

    /// The attacker has no access any more, by calls that the tenant saw.
    pub(crate) fn assert_contained(&self, seed: u64) {
        assert!(
            !self.calls.is_empty(),
            "seed {seed}: the story leads to actions"
        );
        for kind in ["block_sign_in", "revoke_sessions", "disable_inbox_rules"] {
            let is_done =
                |action: &&Value| action["action"] == kind && action["state"] == "effective";
            assert!(
                self.actions.iter().any(|action| is_done(&action)),
                "seed {seed}: no {kind} took effect"
            );
        }
        assert!(
            !self.has_access,
            "seed {seed}: the attacker still has access"
        );
    }
}
