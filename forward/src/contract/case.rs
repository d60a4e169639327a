//! What a case tells.

use schemas::severity::Severity;
use schemas::wire::Case;
use serde::Serialize;

use super::document::{self, Head};
use super::notice::{Notice, NoticeKind, Subject};

/// What a document says of a case, beside the head.
#[derive(Debug, Serialize)]
struct CaseDocument<'a> {
    entities: Entities<'a>,
    alert_ids: &'a [String],
    alert_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_time: Option<String>,
}

#[derive(Debug, Serialize)]
struct Entities<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Account<'a>>,
}

/// The account: by its object id, or by its name where no id is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Account<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl Notice {
    /// What a case tells.
    pub fn of_case(case: &Case) -> Self {
        notice(case)
    }
}

fn notice(case: &Case) -> Notice {
    let severity = Severity::from_graph(&case.severity);
    let head = Head {
        id: case.case_id.clone(),
        version: case.revision.to_string(),
        sequence: case.revision,
        tenant_id: case.tenant_id.clone(),
        time: document::time(case.changed_time_us),
        severity: severity.as_str(),
        severity_reason: "highest severity of its alerts".to_owned(),
        title: case.title.clone(),
        state: case.status.clone(),
        ..Head::of(NoticeKind::Case)
    };
    let rest = CaseDocument {
        entities: Entities {
            user: account(&case.entity),
        },
        alert_ids: &case.alert_ids,
        alert_count: case.alerts,
        opened_time: document::known_time(case.opened_time_us),
        changed_time: document::known_time(case.changed_time_us),
    };
    Notice {
        kind: NoticeKind::Case,
        id: head.id.clone(),
        version: head.version.clone(),
        tenant_id: case.tenant_id.clone(),
        severity,
        time_us: case.changed_time_us,
        subject: Subject::default(),
        document: document::whole(&head, &rest),
    }
}

fn account(entity: &str) -> Option<Account<'_>> {
    match entity {
        "" => None,
        id if document::is_object_id(id) => Some(Account::Id(id)),
        name => Some(Account::Name(name)),
    }
}
