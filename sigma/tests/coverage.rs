//! Whether rules can fire, from what Microsoft documents and from what a lake has seen.

use std::sync::Arc;

use schemas::tables::Table;
use sigma::RuleCollection;
use sigma::tools::coverage::{Verdict, verdict};

/// The verdict on a rule with this detection, as its name and reason.
fn of(service: &str, detection: &str, seen: &[(&str, &[&str])]) -> String {
    let rule = format!(
        "title: t\nid: 6ef3f7c2-8c0f-4a57-b0d4-9e1f2a3b4c5d\nlogsource: {{product: azure, service: {service}}}\n\
         detection: {{{detection}}}\n"
    );
    let mut collection = RuleCollection::default();
    collection.add("t.yml", rule.as_bytes());
    assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
    let lake = |_: Table, column: &str| {
        let found = seen.iter().find(|(name, _)| *name == column);
        found.map(|(_, values)| values.iter().map(|value| (*value).to_owned()).collect())
    };
    match verdict(&collection.loaded[0], &Arc::default(), &lake) {
        Verdict::CanFire => "can fire".to_owned(),
        Verdict::Cannot(reason) => format!("cannot: {reason}"),
        Verdict::Unknown(reason) => format!("unknown: {reason}"),
    }
}

/// The service and the detection of a rule, and how the verdict on it begins.
const VERDICTS: &[(&str, &str, &str)] = &[
    (
        "riskdetection",
        "s: {riskEventType: unlikelyTravel}, condition: s",
        "can fire",
    ),
    (
        "riskdetection",
        "s: {riskEventType: impossibleTravel}, condition: s",
        "can fire",
    ),
    (
        "riskdetection",
        "s: {riskEventType|endswith: Travel}, condition: s",
        "can fire",
    ),
    (
        "riskdetection",
        "s: {riskEventType: moonlight}, condition: s",
        "cannot: risk_event_type never has such a value: Microsoft documents admin",
    ),
    (
        "riskdetection",
        "s: {riskEventType: [moonlight, newCountry]}, condition: s",
        "can fire",
    ),
    (
        "riskdetection",
        "a: {riskEventType: newCountry}, b: {riskLevel: extreme}, condition: a and b",
        "cannot: risk_level never",
    ),
    (
        "riskdetection",
        "a: {riskEventType: newCountry}, b: {riskLevel: extreme}, condition: a or b",
        "can fire",
    ),
    (
        "riskdetection",
        "a: {riskEventType: newCountry}, b: {riskLevel: extreme}, condition: a and not b",
        "can fire",
    ),
    (
        "riskdetection",
        "a1: {riskLevel: x}, a2: {riskLevel: y}, a3: {riskLevel: low}, condition: 2 of a*",
        "cannot: risk_level never",
    ),
    (
        "riskdetection",
        "s: {riskEventType|cased: UnlikelyTravel}, condition: s",
        "unknown: risk_event_type never",
    ),
    (
        "signinlogs",
        "s: {properties.message: Device Code}, condition: s",
        "can fire",
    ),
    (
        "signinlogs",
        "s: {properties.message: Carrier Pigeon}, condition: s",
        "cannot: authentication_protocol never",
    ),
    (
        "signinlogs",
        "s: {DeviceDetail.trusttype: null}, condition: s",
        "can fire",
    ),
    (
        "signinlogs",
        "s: {NetworkLocationDetails: '[]'}, condition: s",
        "can fire",
    ),
    (
        "signinlogs",
        "s: {ShoeSize: 44}, condition: s",
        "unknown: no documentation names field properties.ShoeSize",
    ),
    ("signinlogs", "s: [anything], condition: s", "can fire"),
    (
        "activitylogs",
        "s: {properties.message: Delete device}, condition: s",
        "cannot: properties.message never has such a value: an operation of Azure",
    ),
    (
        "auditlogs",
        "s: {properties.message|contains|all: [Add user, Add member to role]}, condition: s",
        "cannot: activity_display_name never has such a value: an activity has one name",
    ),
    (
        "auditlogs",
        "s: {properties.message: [Add user, Add member to role]}, condition: s",
        "can fire",
    ),
];

#[test]
fn a_value_that_microsoft_never_sends_cannot_be_found() {
    for (service, detection, expected) in VERDICTS {
        let found = of(service, detection, &[]);
        assert!(found.starts_with(expected), "{detection}: {found}");
    }
}

#[test]
fn what_a_lake_has_not_seen_is_unknown() {
    let seen: &[(&str, &[&str])] = &[
        ("user_agent", &["azurehound/2", "curl/8"]),
        ("result_type", &[]),
    ];
    for (detection, expected) in [
        (
            "s: {userAgent|contains: AzureHound}, condition: s",
            "can fire",
        ),
        (
            "s: {userAgent|contains: roadtools}, condition: s",
            "unknown: the lake has no such value in column user_agent",
        ),
        (
            "s: {ResultType: 50053}, condition: s",
            "unknown: the lake has no such value in column result_type",
        ),
        ("s: {ClientApp: IMAP4}, condition: s", "can fire"),
    ] {
        assert_eq!(of("signinlogs", detection, seen), expected, "{detection}");
    }
}
