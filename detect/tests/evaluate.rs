//! From a batch to alerts: identity, evidence, entity, revisions, Microsoft's alerts, and the same condition in SQL.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::Arc;

use arrow::array::{DictionaryArray, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use columns::event_batch;
use detect::Evaluation;
use detect::alert::Origin;
use detect::rules::builtin;
use schemas::arrow::file_schema;
use schemas::tables::Table;
use schemas::wire::{Alert, Event};
use serde_json::{Value, json};
use sigma::Ruleset;

fn rules() -> Ruleset {
    Ruleset::compile(&mut builtin())
}

fn row(id: &str, record: &Value) -> Event {
    Event {
        event_id: id.to_owned(),
        event_time_us: Some(1_000),
        ingest_time_us: 2_000,
        source: "management_activity".to_owned(),
        category: "Audit.Exchange".to_owned(),
        raw: record.to_string().into(),
        ..Event::default()
    }
}

fn origin(table: Table) -> Origin {
    Origin {
        table: table.name().to_owned(),
        tenant_id: "7f3c".to_owned(),
        file: "tenant_id=7f3c/day=2026-09-14/a.parquet".to_owned(),
        version: 4,
    }
}

fn forwarding() -> Value {
    json!({"Id": "e1", "Operation": "New-InboxRule", "UserId": "Ada@Contoso.test", "ClientIP": "203.0.113.57:443",
        "UserKey": "1f5e11aa-0000-4000-8000-00000000000A", "SessionId": "s1",
        "Parameters": [{"Name": "Name", "Value": "Copies"}, {"Name": "ForwardTo", "Value": "smtp:x@mail.example"}]})
}

fn evaluate(rows: &[Event], table: Table, now_us: i64) -> Vec<Alert> {
    of_batch(table, &event_batch(table, rows).unwrap(), now_us)
}

fn of_batch(table: Table, batch: &RecordBatch, now_us: i64) -> Vec<Alert> {
    let evaluation = Evaluation {
        rules: &rules(),
        table,
        origin: &origin(table),
        now_us,
    };
    evaluation.batch(batch).unwrap().alerts
}

/// An alert says who, where from, and which row of which file proves it.
#[test]
fn an_alert_names_its_causes_and_its_evidence() {
    let rows = [
        row("e0", &json!({"Operation": "FileAccessed"})),
        row("e1", &forwarding()),
    ];
    let alerts = evaluate(&rows, Table::M365Activity, 9_000);
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:#?}")
    };
    assert_eq!(alert.label, "SAAS-M365-00002");
    assert_eq!(alert.category, "Platform");
    assert_eq!(alert.severity, "high");
    assert_eq!(alert.user, "ada@contoso.test");
    assert_eq!(alert.user_id, "1f5e11aa-0000-4000-8000-00000000000a");
    assert_eq!(alert.ip, "203.0.113.57");
    assert_eq!(alert.session_id, "s1");
    assert_eq!(alert.techniques, ["T1114.003"]);
    assert_eq!(alert.tactics, ["collection", "exfiltration"]);
    assert_eq!(
        (
            alert.first_event_time_us,
            alert.accepted_time_us,
            alert.detected_time_us
        ),
        (1_000, 2_000, 9_000)
    );
    let evidence = &alert.evidence[0];
    assert_eq!(
        (evidence.row, evidence.version, evidence.event_id.as_str()),
        (1, 4, "e1")
    );
    assert!(alert.description.contains("Check first:"));
}

/// A name with the Kelvin sign is not that of the account whose name has a "k".
#[test]
fn a_name_that_looks_like_another_one_stays_what_it_is() {
    let mut record = forwarding();
    record["UserId"] = json!("Hugo.\u{212a}eller7@Contoso.test");
    let alerts = evaluate(&[row("e1", &record)], Table::M365Activity, 1);
    assert_eq!(alerts[0].user, "hugo.\u{212a}eller7@contoso.test");
}

/// Invariant 5: the id is a hash of causes; file, row and time of detection are none.
#[test]
fn the_same_event_makes_the_same_alert_id() {
    let first = evaluate(&[row("e1", &forwarding())], Table::M365Activity, 1);
    let again = evaluate(
        &[row("e0", &json!({})), row("e1", &forwarding())],
        Table::M365Activity,
        2,
    );
    assert_eq!(first[0].alert_id, again[0].alert_id);
    let other = evaluate(&[row("e2", &forwarding())], Table::M365Activity, 1);
    assert_ne!(first[0].alert_id, other[0].alert_id);
}

#[test]
fn new_content_of_a_known_event_is_evaluated_as_its_table() {
    let rows = [
        ("directory_audits", json!({"operationName": "Update user"})),
        ("m365_activity", forwarding()),
        ("no_such_table", json!({})),
    ];
    let text = |value: &dyn Fn(usize) -> String| -> StringArray {
        (0..3).map(|at| Some(value(at))).collect()
    };
    let words = |value: &dyn Fn(usize) -> String| -> DictionaryArray<Int32Type> {
        let texts: Vec<String> = (0..3).map(value).collect();
        texts.iter().map(String::as_str).collect()
    };
    let times = Arc::new(TimestampMicrosecondArray::from(vec![5_000; 3]).with_timezone("UTC"));
    let schema = file_schema(Table::Revisions);
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(text(&|at| format!("r{at}"))),
            Arc::new(text(&|at| format!("e{at}"))),
            times.clone(),
            times,
            Arc::new(words(&|_| "files".to_owned())),
            Arc::new(words(&|_| "x".to_owned())),
            Arc::new(text(&|_| "p".to_owned())),
            Arc::new(words(&|at| rows[at].0.to_owned())),
            Arc::new(text(&|_| "[]".to_owned())),
            Arc::new(words(&|_| "foreign".to_owned())),
            Arc::new(text(&|at| rows[at].1.to_string())),
        ],
    )
    .unwrap();
    let alerts = of_batch(Table::Revisions, &batch, 1);
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:#?}")
    };
    assert_eq!(
        (alert.evidence[0].table.as_str(), alert.evidence[0].row),
        ("revisions", 1)
    );
    assert_eq!(alert.provenance, "foreign");
    let first = evaluate(&[row("e1", &forwarding())], Table::M365Activity, 1);
    assert_eq!(alert.alert_id, first[0].alert_id);
}

fn graph_alert(status: &str) -> Value {
    json!({"id": "aaf1", "status": status, "severity": "high", "serviceSource": "azureAdIdentityProtection",
        "title": "Anomalous token", "category": "CredentialAccess", "mitreTechniques": ["t1528"],
        "alertWebUrl": "https://security.example/aaf1", "createdDateTime": "2026-09-14T08:12:10Z",
        "firstActivityDateTime": "2026-09-14T08:02:11Z", "lastActivityDateTime": "2026-09-14T08:03:11Z", "evidence": [
            {"@odata.type": "#microsoft.graph.security.ipEvidence", "ipAddress": "203.0.113.57"},
            {"@odata.type": "#microsoft.graph.security.userEvidence", "userAccount":
                {"userPrincipalName": "Ada@contoso.test", "azureAdUserId": "1f"}}]})
}

/// Microsoft's words are kept, and a change of status is the same alert.
#[test]
fn versions_of_microsofts_alert_are_one_alert() {
    let rows = [
        row("aaf1@1", &graph_alert("new")),
        row("aaf1@2", &graph_alert("resolved")),
    ];
    let alerts = evaluate(&rows, Table::GraphAlerts, 1);
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0].alert_id, alerts[1].alert_id);
    let alert = &alerts[0];
    assert_eq!(alert.label, "MS-SEC-GRAPH-00001");
    assert_eq!(
        (alert.title.as_str(), alert.severity.as_str()),
        ("Anomalous token", "high")
    );
    assert_eq!(
        (
            alert.user.as_str(),
            alert.user_id.as_str(),
            alert.ip.as_str()
        ),
        ("ada@contoso.test", "1f", "203.0.113.57")
    );
    assert_eq!(
        (alert.techniques[0].as_str(), alert.tactics[0].as_str()),
        ("T1528", "credential-access")
    );
    assert_eq!(alert.url, "https://security.example/aaf1");
    assert_eq!(
        alert.last_event_time_us - alert.first_event_time_us,
        60_000_000
    );
    assert_eq!(
        (
            alerts[1].evidence[0].row,
            alerts[1].evidence[0].event_id.as_str()
        ),
        (1, "aaf1@2")
    );
}

#[test]
fn hostile_records_raise_nothing_and_do_not_panic() {
    for table in Table::EVENTS {
        let mut rows: Vec<Event> = [
            json!(null),
            json!([]),
            json!({"Parameters": "[[[["}),
            json!({"properties": []}),
        ]
        .iter()
        .map(|record| row("x", record))
        .collect();
        rows.push(Event {
            raw: "{\"truncated".into(),
            ..row("y", &json!({}))
        });
        assert_eq!(evaluate(&rows, *table, 1), [], "{table}");
    }
}

/// An alert is no better than its record: an action must be able to ask whether a live connector brought it.
#[test]
fn an_alert_says_where_its_record_came_from() {
    for word in ["live", "foreign", "imported", ""] {
        let record = Event {
            provenance: word.to_owned(),
            ..row("e1", &forwarding())
        };
        let alerts = evaluate(std::slice::from_ref(&record), Table::M365Activity, 9_000);
        assert_eq!(alerts[0].provenance, word);
        // As `lake` keeps new content of a record.
        let revision = RecordBatch::try_from_iter([
            ("event_table", strings(&["m365_activity"])),
            ("event_id", strings(&["e1"])),
            ("raw", strings(&[&forwarding().to_string()])),
            ("provenance", strings(&[word])),
        ]);
        let revised = of_batch(Table::Revisions, &revision.unwrap(), 9_000);
        assert_eq!(revised[0].provenance, word);
        let alert = json!({"id": "a1", "title": "Odd", "severity": "high", "status": "new"});
        let version = Event {
            raw: alert.to_string().into(),
            ..record
        };
        assert_eq!(
            evaluate(&[version], Table::GraphAlerts, 9_000)[0].provenance,
            word
        );
    }
}

fn strings(texts: &[&str]) -> arrow::array::ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

/// A file of a lake of before has no such column: what is not known is not live.
#[test]
fn a_row_without_provenance_is_of_unknown_provenance() {
    let batch = event_batch(Table::M365Activity, &[row("e1", &forwarding())]).unwrap();
    let at = batch.schema().index_of("provenance").unwrap();
    let kept: Vec<usize> = (0..batch.num_columns())
        .filter(|column| *column != at)
        .collect();
    let alerts = of_batch(Table::M365Activity, &batch.project(&kept).unwrap(), 9_000);
    assert_eq!(alerts[0].provenance, "");
}
