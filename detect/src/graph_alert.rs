//! Microsoft's alerts as alerts of ours, with their severity, words and evidence.
//!
//! A row of `graph_alerts` is a version of an alert, and becomes an alert for each account that it is about. All
//! versions have the alert ids of the first, so that a change of status raises nothing new; one that is resolved, or
//! that Microsoft or an analyst calls a false positive, is withdrawn.

mod accounts;

use arrow::record_batch::RecordBatch;
use schemas::alert::AlertState;
use schemas::label::Label;
use schemas::path;
use schemas::severity::Severity;
use schemas::wire::Alert;
use schemas::{ids, time};
use serde_json::Value;
use sigma::metadata::attack;
use sigma::plan::fields;

use self::accounts::Account;
use crate::alert::{Origin, Subject, evidence};

/// What stands for the rule in the ids of Microsoft's alerts.
const GRAPH_ALERT: &str = "microsoft.graph.security.alert";

/// Stands between the parts of what identifies an alert.
const BETWEEN: &str = "\u{1f}";

/// Rule id of alerts whose provider is not told.
const PROVIDER_UNKNOWN: &str = "unknown";

/// The alerts of one version, one for each account that it is about and one if it is about none; none if the record
/// has no id.
///
/// `place` is where the row stands in its file. The account is part of the alert's id: an alert whose first account
/// changes does not become another person's. Who is one of several, and is not called compromised, has the label of
/// those about whom a person decides.
pub fn of_row(
    batch: &RecordBatch,
    row: usize,
    place: u64,
    origin: &Origin,
    now_us: i64,
) -> Vec<Alert> {
    let read = || serde_json::from_str(&fields::text(batch, "raw", row)?).ok();
    let Some(raw): Option<Value> = read() else {
        return Vec::new();
    };
    let Some(whole) = of_version(&raw, batch, row, (place, origin), now_us) else {
        return Vec::new();
    };
    let accounts = accounts::accounts(&raw);
    if accounts.is_empty() {
        return vec![whole];
    }
    accounts
        .into_iter()
        .map(|account| of_account(&whole, account))
        .collect()
}

/// The alert about one of its accounts.
fn of_account(whole: &Alert, account: Account) -> Alert {
    let (certainty, label) = if account.is_certain {
        ("", whole.label.clone())
    } else {
        ("one of several", Label::ONE_OF_SEVERAL.to_string())
    };
    let key = [whole.group_key.as_str(), account.key(), certainty].join(BETWEEN);
    Alert {
        alert_id: ids::alert(&whole.tenant_id, GRAPH_ALERT, &key, 0),
        label,
        user: account.user,
        user_id: account.user_id,
        ..whole.clone()
    }
}

/// What a version says beside its accounts; none if the record has no id.
fn of_version(
    raw: &Value,
    batch: &RecordBatch,
    row: usize,
    (place, origin): (u64, &Origin),
    now_us: i64,
) -> Option<Alert> {
    let text = |name: &str| {
        path::find(raw, name)
            .and_then(|value| path::text(&value).map(std::borrow::Cow::into_owned))
            .unwrap_or_default()
    };
    let graph_id = text("id");
    if graph_id.is_empty() {
        return None;
    }
    let found = subject_of(raw, batch, row);
    let provider = text("serviceSource");
    let when = |name: &str| time::parse_us(&text(name));
    let first = when("firstActivityDateTime")
        .or_else(|| when("createdDateTime"))
        .unwrap_or(0);
    let techniques = techniques(raw);
    let tactics = attack::split(&[format!("attack.{}", kebab(&text("category")))]).1;
    Some(Alert {
        alert_id: ids::alert(&origin.tenant_id, GRAPH_ALERT, &graph_id, 0),
        tenant_id: origin.tenant_id.clone(),
        label: Label::of_provider(&provider).to_string(),
        rule_id: if provider.is_empty() {
            PROVIDER_UNKNOWN.to_owned()
        } else {
            provider
        },
        title: text("title"),
        description: text("description"),
        severity: Severity::from_graph(&text("severity")).as_str().to_owned(),
        category: text("category"),
        techniques,
        tactics,
        ip: found.ip.clone(),
        session_id: found.session_id.clone(),
        group_key: graph_id,
        first_event_time_us: first,
        last_event_time_us: when("lastActivityDateTime").unwrap_or(first),
        accepted_time_us: found.ingest_time_us,
        detected_time_us: now_us,
        evidence: vec![evidence(&found, origin, place)],
        state: state(&text("status"), &text("classification")).to_string(),
        url: text("alertWebUrl"),
        event_count: 1,
        // What is told later counts more.
        counted: when("lastUpdateDateTime").unwrap_or(0),
        provenance: found.provenance.to_string(),
        ..Alert::default()
    })
}

/// Whether an alert of this status and classification still stands.
fn state(status: &str, classification: &str) -> AlertState {
    let is_over = status == "resolved"
        || ["falsePositive", "informationalExpectedActivity"].contains(&classification);
    if is_over {
        AlertState::Withdrawn
    } else {
        AlertState::Raised
    }
}

fn techniques(raw: &Value) -> Vec<String> {
    let list = raw.get("mitreTechniques").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_ascii_uppercase)
        .collect()
}

/// `InitialAccess` as ATT&CK's slug `initial-access`.
fn kebab(words: &str) -> String {
    let mut slug = String::new();
    for character in words.chars() {
        if character.is_uppercase() && !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(character.to_lowercase());
    }
    slug
}

/// What the row says of the alert beside its accounts, with the first address and session in its evidence.
fn subject_of(raw: &Value, batch: &RecordBatch, row: usize) -> Subject {
    let mut found = Subject {
        event_id: fields::text(batch, "event_id", row).unwrap_or_default(),
        event_time_us: fields::time(batch, "event_time", row),
        ingest_time_us: fields::time(batch, "ingest_time", row).unwrap_or(0),
        provenance: fields::provenance(batch, row),
        ..Subject::default()
    };
    for member in accounts::members(raw) {
        for (known, told) in [
            (&mut found.ip, accounts::text(member, &["ipAddress"])),
            (
                &mut found.session_id,
                accounts::text(member, &["sessionId"]),
            ),
        ] {
            if known.is_empty() {
                *known = told;
            }
        }
    }
    found
}
