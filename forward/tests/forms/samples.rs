//! Notices of every kind, from wire types as the stages write them.

use forward::contract::{Notice, SECRET_LINE, SOURCE_LINE};
use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::wire::{Alert, AuditRecord, Case, Coverage, Evidence};

pub(crate) const NOW_US: i64 = 1_795_000_000_123_456;
pub(crate) const TENANT: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
pub(crate) const USER_ID: &str = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

/// An alert with everything that one can have, and this text wherever a tenant's can be.
pub(crate) fn alert(text: &str) -> Alert {
    Alert {
        alert_id: "0123456789abcdef0123456789abcdef".to_owned(),
        tenant_id: TENANT.to_owned(),
        label: "SAAS-M365-00042".to_owned(),
        rule_id: "565e27c5-88ff-460d-ab9c-36aec47b5e7e".to_owned(),
        title: text.to_owned(),
        description: format!("{text}\n\nCheck first:\n- Who is it?\n- Since when?"),
        severity: "high".to_owned(),
        category: "Platform".to_owned(),
        techniques: vec!["T1114.003".to_owned(), "T1078".to_owned()],
        tactics: vec!["collection".to_owned()],
        user: text.to_owned(),
        user_id: USER_ID.to_owned(),
        ip: "203.0.113.9".to_owned(),
        session_id: text.to_owned(),
        group_key: text.to_owned(),
        first_event_time_us: NOW_US - 9_000_000,
        last_event_time_us: NOW_US - 1_000_000,
        accepted_time_us: NOW_US - 500_000,
        detected_time_us: NOW_US,
        evidence: vec![Evidence {
            table: "signin".to_owned(),
            event_id: text.to_owned(),
            file: "tenant=x/day=2026-11-18/part-0.parquet".to_owned(),
            row: 7,
            version: 3,
        }],
        state: "raised".to_owned(),
        url: "https://security.microsoft.com/alerts/da1?tid=x".to_owned(),
        event_count: 12,
        counted: 5,
        provenance: "live".to_owned(),
        blind_spots: vec![text.to_owned()],
    }
}

/// A case about an account of this name.
pub(crate) fn case(text: &str) -> Case {
    Case {
        case_id: "fedcba9876543210fedcba9876543210".to_owned(),
        tenant_id: TENANT.to_owned(),
        entity: text.to_owned(),
        severity: "critical".to_owned(),
        status: "new".to_owned(),
        alert_ids: vec!["0123456789abcdef0123456789abcdef".to_owned()],
        opened_time_us: NOW_US - 1,
        changed_time_us: NOW_US,
        revision: 1,
        title: text.to_owned(),
        alerts: 1,
    }
}

/// An entry of the audit chain about an account, with this text in what was seen.
pub(crate) fn entry(text: &str) -> AuditRecord {
    AuditRecord {
        id: "aa".repeat(16),
        sequence: 9,
        previous_hash: "bb".repeat(32),
        hash: "cc".repeat(32),
        tenant_id: TENANT.to_owned(),
        action_id: "dd".repeat(16),
        case_id: "ee".repeat(16),
        action: "block_sign_in".to_owned(),
        target: USER_ID.to_owned(),
        state: "effective".to_owned(),
        requested_by: text.to_owned(),
        dry_run: false,
        detail: serde_json::json!({"why": text, "before": {"accountEnabled": true}}).to_string(),
        time_us: NOW_US,
    }
}

/// A line of the ledger of this kind and state, about what this text names.
pub(crate) fn line(kind: &str, state: CoverageState, text: &str) -> Coverage {
    let range = CoverageRange {
        tenant_id: TENANT,
        source: "management_activity",
        kind,
        subject: text,
        from: NOW_US - 7_200_000_000,
        to: NOW_US + 864_000_000_000,
    };
    range.line(state, Published::default(), text, NOW_US)
}

/// One notice of each kind, with this text wherever a tenant's can be.
pub(crate) fn each(text: &str) -> Vec<Notice> {
    let told = [
        Some(Notice::of_alert(&alert(text))),
        Some(Notice::of_case(&case(text))),
        Notice::of_audit(&entry(text)),
        Notice::of_coverage(&line("window", CoverageState::Gap, text)),
        Notice::of_coverage(&line(SOURCE_LINE, CoverageState::Gap, text)),
        Notice::of_coverage(&line(SECRET_LINE, CoverageState::Gap, text)),
    ];
    told.into_iter().flatten().collect()
}

/// Notices as they occur: every kind in every state, full and nearly empty, too long, of odd words and times.
pub(crate) fn all() -> Vec<Notice> {
    let mut all = each("ada@contoso.test");
    all.extend(each(&"long ".repeat(100_000)));
    all.extend(alerts().iter().map(Notice::of_alert));
    all.extend(cases());
    all.extend(actions());
    all.extend(lines());
    all
}

fn alerts() -> Vec<Alert> {
    let mut alerts = vec![Alert {
        // What the oldest version of a stage could have left out.
        alert_id: "ff".repeat(16),
        tenant_id: TENANT.to_owned(),
        label: "MS-SEC-GRAPH-00099".to_owned(),
        state: "raised".to_owned(),
        ..Alert::default()
    }];
    for severity in [
        "informational",
        "low",
        "medium",
        "high",
        "critical",
        "unknownFutureValue",
    ] {
        for (state, provenance) in [
            ("raised", "live"),
            ("amended", "imported"),
            ("withdrawn", ""),
        ] {
            alerts.push(Alert {
                severity: severity.to_owned(),
                state: state.to_owned(),
                provenance: provenance.to_owned(),
                ..alert("eve@contoso.test")
            });
        }
    }
    for ip in ["2001:db8::1", "203.0.113.9:443", "not an address", ""] {
        alerts.push(Alert {
            ip: ip.to_owned(),
            url: "https://evil.test/".to_owned(),
            ..alert("Ünï Cödé")
        });
    }
    let evidence = alert("x").evidence;
    alerts.push(Alert {
        evidence: evidence.iter().cycle().take(500).cloned().collect(),
        techniques: vec!["not a technique".to_owned()],
        tactics: vec!["defense-impairment".to_owned()],
        first_event_time_us: 0,
        last_event_time_us: 0,
        user_id: String::new(),
        ..alert("mallory")
    });
    alerts
}

fn cases() -> Vec<Notice> {
    let mut all = Vec::new();
    for (revision, status) in ["new", "in_progress", "on_hold", "resolved", "closed"]
        .iter()
        .enumerate()
    {
        all.push(Notice::of_case(&Case {
            status: (*status).to_owned(),
            revision: revision as u64 + 1,
            entity: [USER_ID, "ada@contoso.test", ""][revision % 3].to_owned(),
            alert_ids: vec!["a".repeat(32); revision * 40],
            ..case("A case")
        }));
    }
    all
}

fn actions() -> Vec<Notice> {
    let mut all = Vec::new();
    let states = [
        "planned",
        "approved",
        "held",
        "intended",
        "refused",
        "expired",
        "withdrawn",
        "applied",
        "effective",
        "not_effective",
        "failed",
        "unknown",
        "something new",
    ];
    let actions = [
        "block_sign_in",
        "allow_sign_in",
        "revoke_sessions",
        "disable_inbox_rules",
        "enable_inbox_rules",
        "new_action",
    ];
    for (state, action) in states
        .iter()
        .flat_map(|state| actions.iter().map(move |action| (state, action)))
    {
        all.extend(Notice::of_audit(&AuditRecord {
            state: (*state).to_owned(),
            action: (*action).to_owned(),
            dry_run: *state == "planned",
            detail: if *state == "held" {
                "not JSON"
            } else {
                "{\"why\":[1,null]}"
            }
            .to_owned(),
            ..entry("kim")
        }));
    }
    all
}

fn lines() -> Vec<Notice> {
    let mut all = Vec::new();
    for kind in [
        "window",
        "blob",
        "page",
        "range",
        "file",
        SOURCE_LINE,
        SECRET_LINE,
    ] {
        for state in [CoverageState::Gap, CoverageState::Lost] {
            all.extend(Notice::of_coverage(&line(kind, state, "Audit.Exchange")));
        }
    }
    let ended = Coverage {
        to: NOW_US - 1,
        ..line(SECRET_LINE, CoverageState::Gap, "client secret")
    };
    let nobodys = Coverage {
        tenant_id: String::new(),
        ..line("range", CoverageState::Lost, "alerts/0")
    };
    all.extend([ended, nobodys].iter().filter_map(Notice::of_coverage));
    all
}
