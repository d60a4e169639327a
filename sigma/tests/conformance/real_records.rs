//! What the public rules find in real records: attacks on real tenants, and samples of every format.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde_json::Value;
use sigma::Ruleset;

use crate::corpus::corpus;
use crate::outcome::rules;
use crate::records::found;

/// The table that keeps a record of one of Microsoft's shapes; none for shapes that are not events of ours.
fn table(record: &Value) -> Option<&'static str> {
    match record.get("category").and_then(Value::as_str) {
        Some("AuditLogs") => return Some("directory_audits"),
        Some("UserRiskEvents") => return Some("risk_events"),
        Some(name) if name.ends_with("SignInLogs") => return Some("signins"),
        _ => {}
    }
    if record.get("Operation").is_some() && record.get("RecordType").is_some() {
        return Some("m365_activity");
    }
    let is_azure = record.pointer("/operationName/value").is_some();
    is_azure.then_some("azure_activity")
}

/// The distinct real records: the unified audit log of a tenant under attack, attack simulations, single samples.
fn real_records() -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(corpus("invictus/audit.ndjson.zst")).unwrap();
    zstd::Decoder::new(file)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let distinct: BTreeSet<&str> = text.lines().collect();
    let mut all: Vec<Value> = distinct
        .into_iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    all.retain(|record| ids.insert(record["Id"].as_str().unwrap_or_default().to_owned()));
    let examples =
        std::fs::read_to_string(corpus("splunk-datasources/example_logs.ndjson")).unwrap();
    for line in examples.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        all.push(line["event"].take());
    }
    for entry in std::fs::read_dir(corpus("samples")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        all.push(serde_json::from_str(&text).unwrap());
    }
    all
}

#[test]
fn public_rules_on_real_records() {
    let (mut collection, all) = (rules("sigmahq/rules"), real_records());
    let rules = Ruleset::compile(&mut collection);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut read = 0;
    for record in &all {
        let Some(table) = table(record) else { continue };
        read += 1;
        for rule in found(&rules, table, record) {
            *counts.entry(rule).or_default() += 1;
        }
    }
    println!("{read} real records, {} rules find some:", counts.len());
    for (rule, count) in &counts {
        println!("  {rule}: {count}");
    }
    assert!(read > 5_000, "{read}");
    assert_eq!(counts.keys().map(String::as_str).collect::<Vec<_>>(), FIND);
}

/// The rules that find some of these records.
const FIND: [&str; 15] = [
    "azure_ad_only_single_factor_auth_required",
    "azure_ad_user_added_to_admin_role",
    "azure_app_appid_uri_changes",
    "azure_app_device_code_authentication",
    "azure_app_end_user_consent",
    "azure_app_end_user_consent_blocked",
    "azure_app_owner_added",
    "azure_app_permissions_msft",
    "azure_app_privileged_permissions",
    "azure_app_ropc_authentication",
    "azure_change_to_authentication_method",
    "azure_identity_protection_unfamilar_sign_in",
    "azure_mfa_disabled",
    "azure_service_principal_created",
    "microsoft365_disabling_mfa",
];
