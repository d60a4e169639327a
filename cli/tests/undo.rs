//! An undo does not take back what somebody else decided since, where the lake has it.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;
use std::path::Path;

use respond::action::{ActionKind, Receipt};
use respond::cases::{Intake, Policy, SeenAlert};
use respond::directory::ObjectId;
use respond::journal::sqlite::SqliteJournal;
use respond::journal::{Journal as _, Step};
use respond::record::State;
use schemas::environment::{Clock as _, SystemClock};
use schemas::severity::Severity;
use schemas::time::iso_ms;
use schemas::wire::Alert;
use serde_json::{Value, json};

#[path = "kit/command.rs"]
mod command;

use command::{text, vedette};

const TENANT: &str = "7f3c0000-0000-0000-0000-000000000000";
const ACCOUNT: &str = "1f00aaaa-0000-4000-8000-00000000000a";
const MINUTE_US: i64 = 60_000_000;

/// A journal in which the account was blocked at this time; the action's id.
fn blocked(journal: &Path, time_us: i64) -> String {
    let journal = SqliteJournal::open(journal).unwrap();
    let alert = Alert {
        alert_id: "a1".to_owned(),
        tenant_id: TENANT.to_owned(),
        label: "MS-SEC-GRAPH-00001".to_owned(),
        severity: "high".to_owned(),
        state: "raised".to_owned(),
        user_id: ACCOUNT.to_owned(),
        first_event_time_us: time_us,
        accepted_time_us: time_us,
        provenance: "live".to_owned(),
        ..Alert::default()
    };
    let intake = Intake {
        policy: Policy {
            case_severity_min: Severity::High,
            window_us: Policy::window_of_hours(24),
            automatic: Vec::new(),
            automatic_age_us_max: Policy::age_of_hours(72),
            dry_run: false,
        },
        playbooks: respond::stage::load_playbooks(Path::new("")).unwrap(),
        acting_tenants: [TENANT.to_owned()].into(),
    };
    journal
        .admit(&[SeenAlert::of(&alert).unwrap()], &intake, time_us)
        .unwrap();
    let actions = journal.actions(None, 9).unwrap();
    let is_block = |kind| kind == ActionKind::BlockSignIn;
    let block = actions
        .iter()
        .find(|one| is_block(one.action.kind()))
        .unwrap();
    let receipt: Value = json!({"user": ACCOUNT, "was_enabled": true});
    let receipt = Receipt::SignIn(serde_json::from_value(receipt).unwrap());
    assert_eq!(receipt.user(), &ObjectId::parse(ACCOUNT).unwrap());
    let effective = Step {
        action_id: block.action_id.clone(),
        from: State::ALL,
        to: State::Effective,
        detail: json!({"after": {"accountEnabled": false}}),
        receipt: Some(receipt),
        tried: None,
        approval: None,
        sighted: None,
        warnings: Vec::new(),
        time_us,
    };
    journal.advance(&effective).unwrap();
    block.action_id.clone()
}

/// A record of the tenant's audit log.
fn record(number: u32, activity: &str, account: &str, time_us: i64) -> String {
    json!({
        "time": iso_ms(time_us), "operationName": activity, "category": "AuditLogs", "tenantId": TENANT,
        "resourceId": format!("/tenants/{TENANT}/providers/Microsoft.aadiam"),
        "properties": {
            "id": format!("Directory_{number}"), "activityDisplayName": activity, "activityDateTime": iso_ms(time_us),
            "category": "UserManagement", "result": "success", "loggedByService": "Core Directory",
            "initiatedBy": {"user": {"id": "b", "userPrincipalName": "hr@contoso.test"}},
            "targetResources": [{"id": account, "type": "User", "userPrincipalName": "ada@contoso.test"}],
        },
    })
    .to_string()
}

#[test]
fn an_undo_shows_who_changed_the_account_since_and_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::write(place.join("vedette.toml"), "data = \"data\"\n").unwrap();
    let blocked_us = SystemClock.now_us() - 60 * MINUTE_US;
    let import = |records: &[String]| {
        fs::write(place.join("audit.ndjson"), records.join("\n")).unwrap();
        let imported = vedette(place, &["import", "audit.ndjson"]);
        assert_eq!(imported.status.code(), Some(0), "{}", text(&imported));
    };
    // Before the block, and of another account: neither is about what the undo would take back.
    import(&[
        record(1, "Disable account", ACCOUNT, blocked_us - MINUTE_US),
        record(2, "Disable account", "another", blocked_us + MINUTE_US),
        record(3, "Update user", ACCOUNT, blocked_us + MINUTE_US),
    ]);
    let action_id = blocked(&place.join("data/respond.sqlite"), blocked_us);
    import(&[
        record(4, "Enable account", ACCOUNT, blocked_us + 5 * MINUTE_US),
        record(5, "Disable account", ACCOUNT, blocked_us + 6 * MINUTE_US),
    ]);
    let undo = ["audit", "undo", &action_id, "--by", "kim"];
    let refused = vedette(place, &undo);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(
        said.contains("Disable account by hr@contoso.test"),
        "{said}"
    );
    assert_eq!(said.matches("by hr@contoso.test").count(), 2, "{said}");
    // Without the lake nobody can say, which a person has to waive by its name.
    fs::remove_dir_all(place.join("data/lake")).unwrap();
    let refused = vedette(place, &undo);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("there is no lake here"), "{said}");
    assert!(said.contains("--yes-although unseen"), "{said}");
    let waived = [&undo[..], &["--yes-although", "unseen"]].concat();
    let taken = vedette(place, &waived);
    assert_eq!(taken.status.code(), Some(0), "{}", text(&taken));
}

#[test]
fn an_undo_of_which_no_later_audit_record_can_tell_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    fs::write(place.join("vedette.toml"), "data = \"data\"\n").unwrap();
    let blocked_us = SystemClock.now_us() - 60 * MINUTE_US;
    let before = record(1, "Update user", ACCOUNT, blocked_us - MINUTE_US);
    fs::write(place.join("audit.ndjson"), before).unwrap();
    let imported = vedette(place, &["import", "audit.ndjson"]);
    assert_eq!(imported.status.code(), Some(0), "{}", text(&imported));
    let action_id = blocked(&place.join("data/respond.sqlite"), blocked_us);
    let refused = vedette(place, &["audit", "undo", &action_id, "--by", "kim"]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(
        said.contains("nothing of the tenant's audit log after"),
        "{said}"
    );
}
