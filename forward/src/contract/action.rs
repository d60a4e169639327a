//! What an entry of the audit chain tells: an action was planned or decided on, or something came of it.

use schemas::action::ActionState;
use schemas::severity::Severity;
use schemas::wire::AuditRecord;
use serde::Serialize;
use serde_json::Value;

use super::document::{self, Head};
use super::notice::{Notice, NoticeKind, Subject};

/// The entries that sign those before them; they are about no action.
const HEAD: &str = "head";

/// How far an action has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ActionOutcome {
    /// Its effect was read back.
    Success,
    /// It was not accepted, or its effect did not appear.
    Failure,
    /// It was not sent, and will not be.
    NotDone,
    /// Nobody knows: a person must look.
    Unknown,
    /// It has not ended.
    Pending,
}

/// What a document says of an action, beside the head.
#[derive(Debug, Serialize)]
struct ActionDocument<'a> {
    action: &'a str,
    outcome: ActionOutcome,
    needs_a_person: bool,
    dry_run: bool,
    requested_by: &'a str,
    case_id: &'a str,
    entities: Entities<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// As text: its form differs from entry to entry, and a receiver's mapping does not.
    detail: &'a str,
    chain: ChainPlace<'a>,
}

#[derive(Debug, Serialize)]
struct Entities<'a> {
    user: Target<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target<'a> {
    Id(&'a str),
    Name(&'a str),
}

/// Where the entry stands in the audit chain, so that it can be checked against it.
#[derive(Debug, Serialize)]
struct ChainPlace<'a> {
    sequence: u64,
    hash: &'a str,
}

impl Notice {
    /// What an entry of the audit chain tells; none of one that is about no action, as signatures are.
    pub fn of_audit(entry: &AuditRecord) -> Option<Self> {
        notice(entry)
    }
}

fn notice(entry: &AuditRecord) -> Option<Notice> {
    if entry.action == HEAD || entry.action_id.is_empty() {
        return None;
    }
    let (outcome, severity, why) = judged(entry);
    let mode = if entry.dry_run { " (dry run)" } else { "" };
    let head = Head {
        id: entry.action_id.clone(),
        version: entry.id.clone(),
        sequence: entry.sequence,
        tenant_id: entry.tenant_id.clone(),
        time: document::time(entry.time_us),
        severity: severity.as_str(),
        severity_reason: why.to_owned(),
        title: format!("Action {} {}{mode}", entry.action, entry.state),
        state: entry.state.clone(),
        ..Head::of(NoticeKind::Action)
    };
    let rest = ActionDocument {
        action: &entry.action,
        outcome,
        needs_a_person: severity >= Severity::High,
        dry_run: entry.dry_run,
        requested_by: &entry.requested_by,
        case_id: &entry.case_id,
        entities: Entities {
            user: if document::is_object_id(&entry.target) {
                Target::Id(&entry.target)
            } else {
                Target::Name(&entry.target)
            },
        },
        why: reason(&entry.detail),
        detail: &entry.detail,
        chain: ChainPlace {
            sequence: entry.sequence,
            hash: &entry.hash,
        },
    };
    Some(Notice {
        kind: NoticeKind::Action,
        id: head.id.clone(),
        version: head.version.clone(),
        tenant_id: entry.tenant_id.clone(),
        severity,
        time_us: entry.time_us,
        subject: Subject {
            category: entry.action.clone(),
            ..Subject::default()
        },
        document: document::whole(&head, &rest),
    })
}

/// The reason in what was seen, where that is JSON and has one.
fn reason(detail: &str) -> Option<String> {
    let seen: Value = serde_json::from_str(detail).ok()?;
    Some(seen.get("why")?.as_str()?.to_owned())
}

/// How far it has come, how much that weighs, and why.
fn judged(entry: &AuditRecord) -> (ActionOutcome, Severity, &'static str) {
    use ActionOutcome::{Failure, NotDone, Pending, Success, Unknown};
    if entry.state == ActionState::HELD {
        return (Pending, Severity::Medium, "waits, and goes on by itself");
    }
    // Nobody is left without the notice: what is not known is said to be, and is a person's to look at.
    let Ok(state) = entry.state.parse() else {
        let why = "a state that this version does not know";
        return (Unknown, Severity::High, why);
    };
    match state {
        ActionState::Effective => (Success, Severity::Informational, "done, and read back"),
        ActionState::NotEffective => (
            Failure,
            Severity::High,
            "accepted, and its effect did not appear",
        ),
        ActionState::Failed => (Failure, Severity::High, "not accepted"),
        ActionState::Refused => (NotDone, Severity::High, "not sent: a person must decide"),
        ActionState::Expired => (
            NotDone,
            Severity::High,
            "not sent in time: a person must look",
        ),
        ActionState::Withdrawn => (
            NotDone,
            Severity::Informational,
            "what spoke for it was taken back",
        ),
        ActionState::Planned if entry.dry_run => {
            (Pending, Severity::Low, "planned only: nothing is sent")
        }
        ActionState::Planned => (Pending, Severity::Medium, "waits for approval"),
        ActionState::Approved | ActionState::Intended | ActionState::Applied => {
            (Pending, Severity::Informational, "under way")
        }
        ActionState::Unknown => (Unknown, Severity::High, "nobody knows what came of it"),
    }
}
