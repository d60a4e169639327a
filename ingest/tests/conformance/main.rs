//! Import of real exports and samples, which stand outside of this repository.
//!
//! `make conformance CORPUS=DIR` runs it; without the folder every test fails.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: it fails loudly and prints what it found"
)]

#[path = "../../../schemas/tests/conformance/corpus.rs"]
mod corpus;
#[path = "../contract/lab.rs"]
#[expect(dead_code, reason = "other tests start sources with it")]
mod lab;

use std::sync::Arc;

use ingest::ImportConfig;
use ingest::sources::files::{ImportOptions, Summary, import};
use schemas::environment::SystemClock;
use schemas::time::DateOrder;
use tokio_util::sync::CancellationToken;

use crate::corpus::corpus;
use crate::lab::Lab;

/// Imports a file or folder of the corpora.
async fn read(lab: &mut Lab, name: &str) -> Summary {
    let options = ImportOptions {
        tenant_id: None,
        is_tenant_of_all: false,
        dates: DateOrder::default(),
        bounds: ImportConfig::default(),
        downstream: None,
        clock: Arc::new(SystemClock),
        stop: CancellationToken::new(),
    };
    let bus = lab.bus.clone();
    let summary = import(&[corpus(name)], &options, &bus, |_| {})
        .await
        .unwrap();
    lab.look().await;
    println!(
        "{name}: {} records, {} dead letters",
        summary.records, summary.dead_letters
    );
    summary
}

#[tokio::test]
async fn a_real_audit_export_is_read_to_its_last_line() {
    let mut lab = Lab::new().await;
    let summary = read(&mut lab, "invictus/audit.ndjson.zst").await;
    assert_eq!(lab.arrived.ids("m365_activity").len(), 5_373);
    assert_eq!(summary.records + summary.dead_letters, 9_608);
    assert!(summary.failures.is_empty());
    assert!(
        lab.arrived
            .events
            .iter()
            .all(|event| event.event_time_us.is_some() && event.problems.is_empty())
    );
}

#[tokio::test]
async fn single_real_records_go_where_they_belong() {
    for (name, tables) in [
        ("samples/entra_diag_audit.sekoia.json", "directory_audits"),
        (
            "samples/entra_diag_graphactivity.sekoia.json",
            "graph_activity",
        ),
        ("samples/entra_diag_noninteractive.sekoia.json", "signins"),
        ("samples/entra_diag_serviceprincipal.sekoia.json", "signins"),
        ("samples/entra_diag_signin.sekoia.json", "signins"),
        ("samples/entra_diag_userrisk.sekoia.json", "risk_events"),
        (
            "samples/entra_graphapi_directoryaudit.sekoia.json",
            "directory_audits",
        ),
        ("samples/entra_graphapi_signin.sekoia.json", "signins"),
        ("samples/graph_alert_v2.elastic.json", "graph_alerts"),
        ("samples/graph_alert_v2.panther.json", "graph_alerts"),
        ("samples/graph_alert_v2.wazuh2026.json", "graph_alerts"),
        (
            "samples/m365defender_stream_alertevidence.sekoia.json",
            "other_events",
        ),
        ("samples/ual_consent.invictus.json", "m365_activity"),
        ("entra-otrf/AADAuditEvents.json", "directory_audits"),
        ("entra-otrf/OfficeActivityEvents.json", "m365_activity"),
    ] {
        let mut lab = Lab::new().await;
        let summary = read(&mut lab, name).await;
        let found: Vec<&str> = summary.by_table.keys().map(|table| table.name()).collect();
        assert_eq!((found, summary.dead_letters), (vec![tables], 0), "{name}");
        assert!(
            lab.arrived
                .events
                .iter()
                .all(|event| event.event_time_us.is_some()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn examples_of_many_sources_are_all_kept() {
    let mut lab = Lab::new().await;
    read(&mut lab, "splunk-datasources").await;
    assert!(
        lab.arrived.ids("m365_activity").len() >= 15,
        "{:?}",
        lab.arrived.ids("m365_activity")
    );
    assert!(lab.arrived.ids("directory_audits").len() + lab.arrived.ids("signins").len() >= 12);
}
