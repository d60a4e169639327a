//! The 142 public rules for Azure and Microsoft 365: loaded, can fire on records of real shape, or cannot and why.

use std::collections::BTreeSet;

use sigma::Ruleset;

use crate::outcome::{outcome, rules};
use crate::records::{Record, records, stem};

const FILES: &[&str] = &[
    "signins.ndjson",
    "directory_audits.ndjson",
    "risk_events.ndjson",
    "m365_activity.ndjson",
    "azure_activity.ndjson",
];

/// Rules that no record of Microsoft can make fire, and why.
const CANNOT: &[(&str, &str)] = &[
    (
        "azure_device_or_configuration_modified_or_deleted",
        "\"Update device\" and \"Delete device\" are activities of Entra's directory audits, which is another log source \
         than the rule's; operations of Azure's activity log have the form PROVIDER/TYPE/VERB",
    ),
    (
        "azure_privileged_account_creation",
        "asks for one activity that is both \"Add user\" and \"Add member to role\"; Entra writes two records",
    ),
];

#[test]
fn all_public_rules_are_loaded_and_140_can_fire() {
    let mut collection = rules("sigmahq/rules");
    let rules = Ruleset::compile(&mut collection);
    for rejected in &collection.rejected {
        println!("{rejected}");
    }
    assert_eq!((rules.rules().len(), collection.rejected.len()), (142, 0));
    let records: Vec<Record> = FILES.iter().flat_map(|file| records(file)).collect();
    let outcome = outcome(&rules, &records);
    let all: BTreeSet<String> = rules.rules().iter().map(stem).collect();
    println!(
        "{} of 142 loaded, {} can fire, {} cannot:",
        all.len(),
        outcome.can_fire.len(),
        all.len() - outcome.can_fire.len()
    );
    for rule in all.difference(&outcome.can_fire) {
        let reason = CANNOT
            .iter()
            .find(|(name, _)| name == rule)
            .map(|(_, reason)| *reason);
        println!("  {rule}: {}", reason.unwrap_or("no reason known"));
    }
    assert_eq!(outcome.missed, Vec::<String>::new());
    let argued: BTreeSet<String> = CANNOT.iter().map(|(rule, _)| (*rule).to_owned()).collect();
    let cannot: BTreeSet<String> = all.difference(&outcome.can_fire).cloned().collect();
    assert_eq!(cannot, argued);
}

/// A rule finds another's record only where both mean the same thing.
#[test]
fn public_rules_find_few_records_of_others() {
    let mut collection = rules("sigmahq/rules");
    let rules = Ruleset::compile(&mut collection);
    let records: Vec<Record> = FILES.iter().flat_map(|file| records(file)).collect();
    let outcome = outcome(&rules, &records);
    let pairs: usize = outcome.also.values().map(BTreeSet::len).sum();
    println!(
        "{} near misses not found, {pairs} records found by other rules too:",
        outcome.near_misses
    );
    for (rule, of) in &outcome.also {
        println!("  {rule} finds those of {of:?}");
    }
    let overlaps: Vec<(&str, Vec<&str>)> = outcome
        .also
        .iter()
        .map(|(rule, of)| (rule.as_str(), of.iter().map(String::as_str).collect()))
        .collect();
    let expected: Vec<(&str, Vec<&str>)> = OVERLAPS
        .iter()
        .map(|(rule, of)| (*rule, of.to_vec()))
        .collect();
    assert_eq!(overlaps, expected);
}

/// Rules that rightly find records that are made for other rules: both ask for the same thing, or one asks for less.
#[rustfmt::skip]
const OVERLAPS: &[(&str, &[&str])] = &[
    // Any sign-in with one factor.
    ("azure_ad_only_single_factor_auth_required", &["azure_ad_device_registration_or_join_without_mfa", "azure_ad_risky_sign_ins_with_singlefactorauth_from_unknown_devices", "azure_ad_sign_ins_from_unknown_devices", "azure_ad_suspicious_signin_bypassing_mfa", "azure_app_ropc_authentication", "azure_legacy_authentication_protocols"]),
    // An unknown device is not compliant.
    ("azure_ad_sign_ins_from_noncompliant_devices", &["azure_ad_risky_sign_ins_with_singlefactorauth_from_unknown_devices", "azure_ad_sign_ins_from_unknown_devices"]),
    ("azure_ad_user_added_to_admin_role", &["azure_ad_users_added_to_device_admin_roles"]),
    ("azure_app_appid_uri_changes", &["azure_app_uri_modifications"]),
    // A consent that was blocked was not an administrator's.
    ("azure_app_end_user_consent", &["azure_app_end_user_consent_blocked"]),
    ("azure_app_permissions_msft", &["azure_app_delegated_permissions_all_users", "azure_app_privileged_permissions"]),
    ("azure_app_privileged_permissions", &["azure_app_permissions_msft"]),
    // The same error code.
    ("azure_blocked_account_attempt", &["azure_login_to_disabled_account"]),
    ("azure_conditional_access_failure", &["azure_user_login_blocked_by_conditional_access"]),
    // BAV2ROPC signs in over IMAP.
    ("azure_legacy_authentication_protocols", &["azure_ad_suspicious_signin_bypassing_mfa"]),
    ("azure_login_to_disabled_account", &["azure_blocked_account_attempt"]),
    ("azure_mfa_interrupted", &["azure_mfa_denies"]),
    ("azure_user_login_blocked_by_conditional_access", &["azure_conditional_access_failure"]),
    ("microsoft365_new_federated_domain_added_audit", &["microsoft365_new_federated_domain_added_exchange"]),
];
