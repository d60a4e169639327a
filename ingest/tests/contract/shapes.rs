//! Every shape in which people have records: its sample is imported, and read as rows.

mod encodings;
mod identity;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use columns::{Cell, event_row, position_of};
use ingest::ImportConfig;
use ingest::sources::files::{ImportOptions, Summary, import};
use schemas::environment::SystemClock;
use schemas::tables::Table;
use schemas::time::{DateOrder, iso_ms};
use schemas::wire::Event;
use tokio_util::sync::CancellationToken;

use crate::lab::Lab;

const TENANT: &str = "7f3c1d52-0000-4000-8000-00000000c0de";

fn options() -> ImportOptions {
    ImportOptions {
        tenant_id: None,
        is_tenant_of_all: false,
        dates: DateOrder::default(),
        bounds: ImportConfig::default(),
        clock: Arc::new(SystemClock),
        downstream: None,
        stop: CancellationToken::new(),
    }
}

/// What columns of an event hold, with blanks between them; `-` for nothing.
fn row(event: &Event, names: &str) -> String {
    let table = Table::of_name(&event.table).unwrap();
    let row = event_row(table, event).unwrap();
    let cell = |name: &str| match name {
        "table" => event.table.clone(),
        "tenant" => event.tenant_id.replace(TENANT, "home"),
        "id" => event.event_id.rsplit('-').next().unwrap().to_owned(),
        "time" => event.event_time_us.map_or_else(|| "-".to_owned(), iso_ms),
        name => match &row.cells[position_of(table, name).unwrap_or_else(|| panic!("{name}"))] {
            Cell::Null => "-".to_owned(),
            Cell::Text(text) => text.clone(),
            Cell::Integer(value) => value.to_string(),
            Cell::Number(value) => value.to_string(),
            Cell::Boolean(value) => value.to_string(),
            other => format!("{other:?}"),
        },
    };
    names.split(' ').map(cell).collect::<Vec<_>>().join(" ")
}

struct Case {
    lab: Lab,
    folder: PathBuf,
}

impl Case {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let folder = lab.folder().join("export");
        std::fs::create_dir_all(&folder).unwrap();
        Self { lab, folder }
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.folder.join(name), bytes).unwrap();
        self
    }

    async fn read(&mut self, options: &ImportOptions) -> Summary {
        let paths = std::slice::from_ref(&self.folder);
        let summary = import(paths, options, &self.lab.bus, |_| {}).await.unwrap();
        self.lab.look().await;
        summary
    }

    fn rows(&self, names: &str) -> Vec<String> {
        let events = self.lab.arrived.events.iter();
        let mut rows: Vec<String> = events.map(|event| row(event, names)).collect();
        rows.sort();
        rows
    }

    fn event(&self, id: &str) -> &Event {
        let mut events = self.lab.arrived.events.iter();
        events.find(|event| event.event_id.ends_with(id)).unwrap()
    }
}

async fn read(name: &str, bytes: impl AsRef<[u8]>) -> (Case, Summary) {
    let mut case = Case::new().await;
    case.put(name, bytes);
    let summary = case.read(&options()).await;
    (case, summary)
}

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/normalise/shapes");
    std::fs::read(folder.join(name)).unwrap()
}

const M365: &str = "table tenant id time operation user_id ip_address record_type";
const SIGN_IN: &str =
    "table tenant id time user_principal_name ip_address country result_type is_interactive";
const AUDIT: &str = "table time operation_name user_principal_name ip_address target_user_principal_name modified_properties";
const ANY: &str = "table tenant time category";

/// Each sample, which columns are looked at, and what they hold.
const SAMPLES: &[(&str, &str, &[&str])] = &[
    (
        "audit_search.sample.csv",
        M365,
        &[
            "m365_activity home 000000000001 2026-03-04T08:00:01.000Z Set-Mailbox ada@contoso.test 2001:db8::1 1",
            "m365_activity unknown 000000000002 2026-03-04T08:00:02.000Z New-InboxRule bo@contoso.test - 1",
        ],
    ),
    (
        "graph_audit_query.sample.json",
        M365,
        &[
            "m365_activity home 000000000011 2026-03-04T08:00:01.000Z Set-Mailbox ada@contoso.test 203.0.113.57 1",
            "m365_activity home 000000000012 2026-03-04T08:00:02.000Z FileDownloaded bo@contoso.test - 6",
        ],
    ),
    (
        "cloud_app_events.sample.json",
        M365,
        &[
            "m365_activity home 000000000021 2026-03-04T08:00:00.000Z New-InboxRule ada@contoso.test 198.51.100.20 1",
        ],
    ),
    (
        "hunting_stream.sample.ndjson",
        ANY,
        &[
            "m365_activity home 2026-03-04T08:00:04.000Z Audit.Exchange",
            "other_events home 2026-03-04T08:00:01.000Z IdentityLogonEvents",
            "other_events home 2026-03-04T08:00:02.000Z UrlClickEvents",
            "other_events home 2026-03-04T08:00:03.000Z EmailEvents",
        ],
    ),
    (
        "entra_sign_in_events.sample.json",
        SIGN_IN,
        &[
            "signins unknown 000000000031 2026-03-04T08:00:01.000Z ada@contoso.test 198.51.100.20 NG 0 false",
        ],
    ),
    (
        "splunk.sample.ndjson",
        M365,
        &[
            "m365_activity home 000000000041 2026-03-04T08:00:01.000Z UserLoggedIn ada@contoso.test 203.0.113.57 15",
            "m365_activity home 000000000042 2026-03-04T08:00:02.000Z FileAccessed bo@contoso.test - 6",
        ],
    ),
    (
        "elastic.sample.ndjson",
        "table tenant id time ip_address",
        &[
            "m365_activity home 000000000051 2026-03-04T08:00:01.000Z -",
            "m365_activity home 000000000052 2026-03-04T08:00:02.000Z 203.0.113.57",
            "signins home 000000000053 2026-03-04T08:00:03.000Z 203.0.113.57",
        ],
    ),
    (
        "hawk.sample.json",
        "id time operation parameters forward_to",
        &[
            r#"000000000061 2026-03-04T08:00:01.000Z New-InboxRule {"ForwardTo":"drop@example.com","Name":"."} drop@example.com"#,
        ],
    ),
    (
        "snake_case.sample.ndjson",
        "table tenant id time ip_address",
        &[
            "m365_activity home 000000000072 2026-03-04T08:00:02.000Z 192.0.2.10",
            "signins home 000000000071 2026-03-04T08:00:01.000Z 203.0.113.57",
        ],
    ),
    (
        "depth_losses.sample.json",
        SIGN_IN,
        &[
            "signins unknown 000000000081 2026-03-04T08:00:01.000Z ada@contoso.test 203.0.113.57 NL 50126 -",
        ],
    ),
    (
        "entra_portal_sign_ins.sample.csv",
        SIGN_IN,
        &[
            "signins home 000000000091 2026-02-13T08:00:01.000Z ada@contoso.test 2001:db8::1 NG 50126 -",
            "signins home 000000000092 2026-04-03T08:00:02.000Z bo@contoso.test 203.0.113.57 NL 0 -",
        ],
    ),
    (
        "entra_portal_audits.sample.csv",
        AUDIT,
        &[
            r#"directory_audits 2026-03-04T08:00:01.000Z Add member to role ada@contoso.test 203.0.113.57 bo@contoso.test {"Role.DisplayName":{"newValue":"\"Global Administrator\"","oldValue":null}}"#,
        ],
    ),
];

#[tokio::test]
async fn every_sample_is_read_as_what_it_is() {
    for (name, columns, expected) in SAMPLES {
        let (case, summary) = read(name, sample(name)).await;
        assert_eq!(case.rows(columns), *expected, "{name}");
        assert_eq!(summary.dead_letters, 0, "{name}");
        assert!(
            summary.failures.is_empty(),
            "{name}: {:?}",
            summary.failures
        );
    }
}

#[tokio::test]
async fn what_is_put_together_keeps_what_stood_around_it() {
    let (case, _) = read("a.json", sample("cloud_app_events.sample.json")).await;
    let raw: serde_json::Value = serde_json::from_slice(&case.event("021").raw).unwrap();
    assert_eq!(raw["_outer"]["CountryCode"], "NG");
    assert_eq!(raw["_outer"]["RawEventData"], serde_json::Value::Null);
    assert_eq!(raw["Parameters"][0]["Name"], "ForwardTo");
    // What is whole in itself is kept as it came.
    let (case, _) = read("a.csv", sample("audit_search.sample.csv")).await;
    let raw = String::from_utf8(case.event("001").raw.to_vec()).unwrap();
    assert!(raw.starts_with("{\"CreationTime\"") && !raw.contains("_outer"));
    let cut = case.event("002");
    let raw: serde_json::Value = serde_json::from_slice(&cut.raw).unwrap();
    assert!(
        raw["_outer"]["AuditData"]
            .as_str()
            .unwrap()
            .ends_with("\"Na")
    );
    assert_eq!(raw["Parameters"].as_array().unwrap().len(), 1);
    assert!(
        cut.problems[0].starts_with("its AuditData is cut"),
        "{:?}",
        cut.problems
    );
}
