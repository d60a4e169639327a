//! What a bridge to a system of tickets needs, as a flat JSON object: open, change or close the ticket of this id. Pure.
//!
//! | member | what it is |
//! |---|---|
//! | `operation` | `open`, `update` or `close`; each may come twice, and `update` or `close` before `open` where that was lost |
//! | `correlation_id` | names the ticket: the same for every version; what was done in a case is about the case's ticket |
//! | `version`, `sequence` | tells and orders the versions; a lower `sequence` than the last one is out of date |
//! | `priority` | 1 (critical) to 5 (informational) |
//! | `title`, `description`, `status`, `labels`, `user`, `tenant_id`, `link` | for people |
//!
//! It is sent by the `webhook` destination, so it is signed, and bridges verify it as Standard Webhooks says.

use schemas::severity::Severity;
use serde_json::{Map, Value, json};

use super::made;
use super::mapping::{self, Line, Origin};
use crate::contract::Notice;

const TABLE: &[Line] = &[
    ("operation", Origin::Made("", operation)),
    ("correlation_id", Origin::Made("", correlation_id)),
    ("version", Origin::At("/version")),
    ("sequence", Origin::At("/sequence")),
    ("priority", Origin::Made("/severity", priority)),
    ("title", Origin::At("/title")),
    ("description", Origin::Made("", description)),
    ("status", Origin::At("/state")),
    ("labels", Origin::Made("", labels)),
    ("user", Origin::At("/entities/user/name")),
    ("user", Origin::At("/entities/user/id")),
    ("tenant_id", Origin::At("/tenant_id")),
    ("link", Origin::At("/links/0/url")),
];

/// The notice as a ticket's change.
pub fn change(notice: &Notice) -> Map<String, Value> {
    mapping::nested(TABLE, &notice.document)
}

fn operation(document: &Value) -> Option<Value> {
    let word = |name: &str| document[name].as_str();
    let operation = match (word("kind")?, word("state")?) {
        ("alert", "withdrawn") | ("case", "resolved" | "closed") => "close",
        ("alert", "amended") | ("action", _) => "update",
        ("case", _) if document["sequence"] != 1 => "update",
        _ => "open",
    };
    Some(operation.into())
}

fn correlation_id(document: &Value) -> Option<Value> {
    let word = |name: &str| document[name].as_str();
    let (kind, id) = match word("kind")? {
        "action" => ("case", word("case_id")?),
        kind => (kind, word("id")?),
    };
    Some(format!("{kind}-{id}").into())
}

fn priority(severity: &Value) -> Option<Value> {
    Some(
        match made::severity(severity)? {
            Severity::Critical => 1,
            Severity::High => 2,
            Severity::Medium => 3,
            Severity::Low => 4,
            Severity::Informational => 5,
        }
        .into(),
    )
}

fn description(document: &Value) -> Option<Value> {
    let told = ["description", "why", "detail"]
        .iter()
        .find_map(|name| document[name].as_str());
    let mut text = told?.to_owned();
    for (name, head) in [
        ("check_first", "Check first"),
        ("blind_spots", "What the rule cannot see"),
    ] {
        let steps = document[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let steps: Vec<String> = steps.map(|step| format!("- {step}")).collect();
        if !steps.is_empty() {
            text.extend(["\n\n", head, ":\n", &steps.join("\n")]);
        }
    }
    Some(text.into())
}

fn labels(document: &Value) -> Option<Value> {
    let label = document.get("label").cloned();
    let techniques = document["techniques"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let labels: Vec<Value> = label.into_iter().chain(techniques).collect();
    (!labels.is_empty()).then(|| json!(labels))
}

#[cfg(test)]
mod tests {
    use schemas::wire::{Alert, AuditRecord, Case};

    use super::change;
    use crate::contract::Notice;

    fn alert(state: &str) -> Notice {
        Notice::of_alert(&Alert {
            alert_id: "a1".to_owned(),
            label: "SAAS-M365-00001".to_owned(),
            state: state.to_owned(),
            severity: "high".to_owned(),
            description: "What.\n\nCheck first:\n- Who?".to_owned(),
            ..Alert::default()
        })
    }

    fn case(status: &str, revision: u64) -> Notice {
        Notice::of_case(&Case {
            case_id: "c1".to_owned(),
            status: status.to_owned(),
            revision,
            ..Case::default()
        })
    }

    #[test]
    fn a_ticket_is_opened_changed_and_closed_under_one_id() {
        let action = AuditRecord {
            action_id: "x".to_owned(),
            case_id: "c1".to_owned(),
            state: "effective".to_owned(),
            ..AuditRecord::default()
        };
        for (notice, operation, id) in [
            (alert("raised"), "open", "alert-a1"),
            (alert("amended"), "update", "alert-a1"),
            (alert("withdrawn"), "close", "alert-a1"),
            (case("new", 1), "open", "case-c1"),
            (case("in_progress", 2), "update", "case-c1"),
            (case("closed", 3), "close", "case-c1"),
            (
                Notice::of_audit(&action).expect("about an action"),
                "update",
                "case-c1",
            ),
        ] {
            let change = change(&notice);
            assert_eq!(change["operation"], operation);
            assert_eq!(change["correlation_id"], id);
        }
        let change = change(&alert("raised"));
        assert_eq!(change["priority"], 2);
        assert_eq!(change["description"], "What.\n\nCheck first:\n- Who?");
    }
}
