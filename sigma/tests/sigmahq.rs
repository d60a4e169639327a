//! The 142 public rules for Azure and Microsoft 365: each is loaded and compiled, or listed with its reason.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: what is loaded is printed"
)]

use std::path::Path;

use schemas::wire::Event;
use serde_json::{Value, json};
use sigma::plan::chunk::Batch;
use sigma::rule::load_folder;
use sigma::{Catalogue, Ruleset};

fn public_rules() -> Option<Catalogue> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/sigmahq/rules");
    if !folder.is_dir() {
        println!("skipped: ../shared/data/sigmahq is absent");
        return None;
    }
    let mut catalogue = Catalogue::default();
    load_folder(&mut catalogue, &folder);
    Some(catalogue)
}

#[test]
fn all_public_rules_are_loaded() {
    let Some(mut catalogue) = public_rules() else {
        return;
    };
    let rules = Ruleset::compile(&mut catalogue);
    for rejected in &catalogue.rejected {
        println!("{rejected}");
    }
    println!(
        "{} loaded, {} rejected",
        rules.rules().len(),
        catalogue.rejected.len()
    );
    assert_eq!((rules.rules().len(), catalogue.rejected.len()), (142, 0));
}

/// Labels or file names of the public rules that find `record`.
fn found(rules: &Ruleset, table: &str, record: &Value) -> Vec<String> {
    let table = schemas::tables::Table::of_name(table).unwrap();
    let event = Event {
        event_id: "1".to_owned(),
        event_time_us: Some(1),
        ingest_time_us: 2,
        source: "t".to_owned(),
        raw: record.to_string().into(),
        ..Event::default()
    };
    let batch = columns::event_batch(table, &[event]).unwrap();
    let plan = rules.plan(table).unwrap();
    let hits = plan.evaluate(&mut Batch(&batch)).unwrap();
    let mut files: Vec<String> = hits
        .iter()
        .map(|hit| {
            let file = Path::new(&rules.rules()[hit.rule].file);
            file.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    files.sort();
    files
}

/// P22: public rules find records of Microsoft's real shape, whatever style their fields are written in.
#[test]
fn public_rules_find_real_shapes() {
    let Some(mut catalogue) = public_rules() else {
        return;
    };
    let rules = Ruleset::compile(&mut catalogue);
    for (table, record, expected) in [
        (
            "signins",
            json!({"category": "SignInLogs", "resultType": "50057",
                "resultDescription": "User account is disabled. The account has been disabled by an administrator."}),
            "azure_login_to_disabled_account",
        ),
        (
            "signins",
            json!({"category": "SignInLogs", "resultType": "0", "properties": {"authenticationProtocol": "deviceCode"}}),
            "azure_app_device_code_authentication",
        ),
        (
            "directory_audits",
            json!({"properties": {"targetResources": [{"modifiedProperties": [
                {"displayName": "ConsentContext.IsAdminConsent", "newValue": "\"False\""}]}]}}),
            "azure_app_end_user_consent",
        ),
        (
            "risk_events",
            json!({"properties": {"riskEventType": "impossibleTravel"}}),
            "azure_identity_protection_impossible_travel",
        ),
        (
            "m365_activity",
            json!({"Operation": "AlertTriggered", "Workload": "SecurityComplianceCenter", "Name": "Suspicious inbox forwarding", "ResultStatus": "Succeeded"}),
            "microsoft365_susp_inbox_forwarding",
        ),
        (
            "azure_activity",
            json!({"operationName": "MICROSOFT.KEYVAULT/VAULTS/KEYS/PURGE/ACTION"}),
            "azure_keyvault_key_modified_or_deleted",
        ),
    ] {
        let files = found(&rules, table, &record);
        assert!(
            files.iter().any(|file| file == expected),
            "{expected}: found {files:?}"
        );
    }
}
