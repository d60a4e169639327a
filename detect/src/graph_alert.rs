//! Microsoft's alerts as alerts of ours, with their severity, words and evidence.
//!
//! A row of `graph_alerts` is a version of an alert. All versions have the alert id of the first, so that a
//! change of status raises nothing new (P37).

use arrow::record_batch::RecordBatch;
use schemas::label::Label;
use schemas::path;
use schemas::severity::Severity;
use schemas::wire::Alert;
use schemas::{ids, time};
use serde_json::Value;
use sigma::fields;
use sigma::rule::attack;

use crate::alert::{Origin, Subject, evidence};

/// Most members of an alert's evidence that are looked at for the account and the address.
const EVIDENCE_MAX: usize = 1_000;

/// Rule id of alerts whose provider is not told.
const PROVIDER_UNKNOWN: &str = "unknown";

/// The alert of one version; none if the record has no id.
///
/// `place` is where the row stands in its file.
pub fn of_row(
    batch: &RecordBatch,
    row: usize,
    place: u64,
    origin: &Origin,
    now_us: i64,
) -> Option<Alert> {
    let raw: Value = serde_json::from_str(&fields::text(batch, "raw", row)?).ok()?;
    let text = |name: &str| {
        path::find(&raw, name)
            .and_then(|value| path::text(&value).map(std::borrow::Cow::into_owned))
            .unwrap_or_default()
    };
    let graph_id = text("id");
    if graph_id.is_empty() {
        return None;
    }
    let found = subject_of(&raw, batch, row);
    let provider = text("serviceSource");
    let when = |name: &str| time::parse_us(&text(name));
    let first = when("firstActivityDateTime")
        .or_else(|| when("createdDateTime"))
        .unwrap_or(0);
    let techniques = techniques(&raw);
    let tactics = attack::split(&[format!("attack.{}", kebab(&text("category")))]).1;
    Some(Alert {
        alert_id: ids::alert(
            &origin.tenant_id,
            "microsoft.graph.security.alert",
            &graph_id,
            0,
        ),
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
        user: found.user.clone(),
        user_id: found.user_id.clone(),
        ip: found.ip.clone(),
        session_id: found.session_id.clone(),
        group_key: graph_id,
        first_event_time_us: first,
        last_event_time_us: when("lastActivityDateTime").unwrap_or(first),
        accepted_time_us: found.ingest_time_us,
        detected_time_us: now_us,
        evidence: vec![evidence(&found, origin, place)],
        state: "raised".to_owned(),
        url: text("alertWebUrl"),
        event_count: 1,
        counted: 0,
    })
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

/// The account, address and session in the alert's evidence; the first of each that is told.
fn subject_of(raw: &Value, batch: &RecordBatch, row: usize) -> Subject {
    let mut found = Subject {
        event_id: fields::text(batch, "event_id", row).unwrap_or_default(),
        event_time_us: fields::time(batch, "event_time", row),
        ingest_time_us: fields::time(batch, "ingest_time", row).unwrap_or(0),
        ..Subject::default()
    };
    let members = raw.get("evidence").and_then(Value::as_array);
    for member in members.into_iter().flatten().take(EVIDENCE_MAX) {
        let set = |slot: &mut String, paths: &[&str]| {
            if slot.is_empty()
                && let Some(value) = path::find_first(member, paths)
                && let Some(text) = value.as_str()
            {
                text.clone_into(slot);
            }
        };
        set(
            &mut found.user,
            &["userAccount.userPrincipalName", "primaryAddress", "upn"],
        );
        set(&mut found.user_id, &["userAccount.azureAdUserId"]);
        set(&mut found.ip, &["ipAddress"]);
        set(&mut found.session_id, &["sessionId"]);
    }
    found.user = found.user.to_lowercase();
    found
}
