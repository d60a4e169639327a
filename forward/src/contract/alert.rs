//! What an alert tells.

use schemas::ids;
use schemas::severity::Severity;
use schemas::wire::Alert;
use serde::Serialize;

use super::document::{self, Head, Link};
use super::notice::{Notice, NoticeKind, Subject};

/// Where the steps begin in an alert's description: what the rules write there.
const CHECK_FIRST: &str = "\n\nCheck first:";

/// What a document says of an alert, beside the head.
#[derive(Debug, Serialize)]
struct AlertDocument<'a> {
    label: &'a str,
    rule: AlertRule<'a>,
    category: &'a str,
    description: &'a str,
    check_first: Vec<&'a str>,
    blind_spots: &'a [String],
    techniques: &'a [String],
    tactics: &'a [String],
    entities: Entities<'a>,
    group_key: &'a str,
    event_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected_time: Option<String>,
    provenance: &'a str,
    evidence: Vec<EvidenceRow<'a>>,
    links: Vec<Link>,
}

/// The rule, or Microsoft's product.
#[derive(Debug, Serialize)]
struct AlertRule<'a> {
    id: &'a str,
    source: &'static str,
}

/// Whom and what it is about; what is not known is absent.
#[derive(Debug, Serialize)]
struct Entities<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserEntity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionEntity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpEntity<'a>>,
}

#[derive(Debug, Serialize)]
struct UserEntity<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
}

#[derive(Debug, Serialize)]
struct SessionEntity<'a> {
    id: &'a str,
}

#[derive(Debug, Serialize)]
struct IpEntity<'a> {
    address: &'a str,
}

/// An event behind it, and the row of the lake that has it.
#[derive(Debug, Serialize)]
struct EvidenceRow<'a> {
    table: &'a str,
    event_id: &'a str,
    file: &'a str,
    row: u64,
    table_version: i64,
}

impl Notice {
    /// What an alert tells.
    pub fn of_alert(alert: &Alert) -> Self {
        notice(alert)
    }
}

fn notice(alert: &Alert) -> Notice {
    let severity = Severity::from_graph(&alert.severity);
    let is_microsofts = alert.label.starts_with("MS-SEC-GRAPH-");
    let (description, check_first) = split(&alert.description);
    let head = Head {
        id: alert.alert_id.clone(),
        version: ids::alert_version(alert),
        sequence: u64::try_from(alert.counted).unwrap_or(0),
        tenant_id: alert.tenant_id.clone(),
        time: document::time(alert.detected_time_us),
        severity: severity.as_str(),
        severity_reason: severity_reason(alert, severity, is_microsofts),
        title: alert.title.clone(),
        state: alert.state.clone(),
        ..Head::of(NoticeKind::Alert)
    };
    let rest = AlertDocument {
        label: &alert.label,
        rule: AlertRule {
            id: &alert.rule_id,
            source: if is_microsofts {
                "microsoft"
            } else {
                "vedette"
            },
        },
        category: &alert.category,
        description,
        check_first,
        blind_spots: &alert.blind_spots,
        techniques: &alert.techniques,
        tactics: &alert.tactics,
        entities: entities(alert),
        group_key: &alert.group_key,
        event_count: alert.event_count,
        first_event_time: document::known_time(alert.first_event_time_us),
        last_event_time: document::known_time(alert.last_event_time_us),
        accepted_time: document::known_time(alert.accepted_time_us),
        detected_time: document::known_time(alert.detected_time_us),
        provenance: if alert.provenance.is_empty() {
            "unknown"
        } else {
            &alert.provenance
        },
        evidence: evidence(alert),
        links: document::portal(&alert.url).into_iter().collect(),
    };
    Notice {
        kind: NoticeKind::Alert,
        id: head.id.clone(),
        version: head.version.clone(),
        tenant_id: alert.tenant_id.clone(),
        severity,
        time_us: alert.detected_time_us,
        subject: Subject {
            label: alert.label.clone(),
            rule_id: alert.rule_id.clone(),
            category: alert.category.clone(),
            techniques: alert.techniques.clone(),
        },
        document: document::whole(&head, &rest),
    }
}

/// The description and the steps behind it, which rules write as a list.
fn split(text: &str) -> (&str, Vec<&str>) {
    let Some((description, steps)) = text.split_once(CHECK_FIRST) else {
        return (text, Vec::new());
    };
    let steps = steps.split("\n- ").map(str::trim);
    (description, steps.filter(|step| !step.is_empty()).collect())
}

/// Whose judgement the severity is.
fn severity_reason(alert: &Alert, severity: Severity, is_microsofts: bool) -> String {
    let known = alert.severity.parse::<Severity>() == Ok(severity);
    match (is_microsofts, known) {
        (true, true) => "Microsoft's own severity".to_owned(),
        (false, true) => format!("level of rule {}", alert.rule_id),
        (_, false) => {
            "not one of the known severities: taken for medium, so that somebody looks".to_owned()
        }
    }
}

fn entities(alert: &Alert) -> Entities<'_> {
    let is_known = |text: &&str| !text.is_empty();
    Entities {
        user: (!alert.user.is_empty() || !alert.user_id.is_empty()).then_some(UserEntity {
            name: &alert.user,
            id: &alert.user_id,
        }),
        session: Some(alert.session_id.as_str())
            .filter(is_known)
            .map(|id| SessionEntity { id }),
        ip: Some(alert.ip.as_str())
            .filter(is_known)
            .map(|address| IpEntity { address }),
    }
}

fn evidence(alert: &Alert) -> Vec<EvidenceRow<'_>> {
    let rows = alert.evidence.iter().map(|evidence| EvidenceRow {
        table: &evidence.table,
        event_id: &evidence.event_id,
        file: &evidence.file,
        row: evidence.row,
        table_version: evidence.version,
    });
    rows.collect()
}
