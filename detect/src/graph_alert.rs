//! Microsoft's alerts as alerts of ours, with their severity, words and evidence.
//!
//! A row of `graph_alerts` is a version of an alert. All versions have the alert id of the first, so that a
//! change of status raises nothing new; one that is resolved, or that Microsoft or an analyst calls a false
//! positive, is withdrawn.

use arrow::record_batch::RecordBatch;
use schemas::label::Label;
use schemas::path;
use schemas::severity::Severity;
use schemas::wire::Alert;
use schemas::{ids, time};
use serde_json::Value;
use sigma::metadata::attack;
use sigma::plan::fields;

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
        state: state(&text("status"), &text("classification")).to_owned(),
        url: text("alertWebUrl"),
        event_count: 1,
        // What is told later counts more.
        counted: when("lastUpdateDateTime").unwrap_or(0),
        provenance: found.provenance.to_string(),
    })
}

/// Whether an alert of this status and classification still stands.
fn state(status: &str, classification: &str) -> &'static str {
    let is_over = status == "resolved"
        || ["falsePositive", "informationalExpectedActivity"].contains(&classification);
    if is_over { "withdrawn" } else { "raised" }
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
///
/// Name and object id are of one account: an alert about several people must not make one of two.
fn subject_of(raw: &Value, batch: &RecordBatch, row: usize) -> Subject {
    let mut found = Subject {
        event_id: fields::text(batch, "event_id", row).unwrap_or_default(),
        event_time_us: fields::time(batch, "event_time", row),
        ingest_time_us: fields::time(batch, "ingest_time", row).unwrap_or(0),
        provenance: fields::provenance(batch, row),
        ..Subject::default()
    };
    let members = raw.get("evidence").and_then(Value::as_array);
    for member in members.into_iter().flatten().take(EVIDENCE_MAX) {
        let text = |paths: &[&str]| {
            let value = path::find_first(member, paths);
            value
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        let user = text(&["userAccount.userPrincipalName", "primaryAddress", "upn"]).to_lowercase();
        let user_id = text(&["userAccount.azureAdUserId"]);
        let is_first = found.user.is_empty() && found.user_id.is_empty();
        let is_same = |known: &str, other: &str| !known.is_empty() && known == other;
        if is_first || is_same(&found.user, &user) || is_same(&found.user_id, &user_id) {
            for (known, told) in [(&mut found.user, user), (&mut found.user_id, user_id)] {
                if known.is_empty() {
                    *known = told;
                }
            }
        }
        for (known, told) in [
            (&mut found.ip, text(&["ipAddress"])),
            (&mut found.session_id, text(&["sessionId"])),
        ] {
            if known.is_empty() {
                *known = told;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use arrow::record_batch::RecordBatch;
    use serde_json::{Value, json};

    use super::subject_of;

    #[track_caller]
    fn check(evidence: &Value, expected: (&str, &str)) {
        let nothing = RecordBatch::new_empty(arrow::datatypes::Schema::empty().into());
        let found = subject_of(&json!({"evidence": evidence}), &nothing, 0);
        assert_eq!((found.user.as_str(), found.user_id.as_str()), expected);
    }

    #[test]
    fn name_and_id_are_of_one_account() {
        let account = |name: &str, id: &str| json!({"userAccount": {"userPrincipalName": name, "azureAdUserId": id}});
        let nobody = json!({"ipAddress": "192.0.2.7"});
        let ada = account("Ada@contoso.test", "1");
        check(&json!([nobody, ada]), ("ada@contoso.test", "1"));
        let half = account("ada@contoso.test", "");
        let id_alone = account("", "2");
        check(&json!([half, id_alone]), ("ada@contoso.test", ""));
        check(&json!([id_alone, half]), ("", "2"));
        check(&json!([half, id_alone, ada]), ("ada@contoso.test", "1"));
        let mailbox = json!({"primaryAddress": "bo@contoso.test"});
        check(&json!([mailbox, ada]), ("bo@contoso.test", ""));
        check(&json!([]), ("", ""));
    }
}
