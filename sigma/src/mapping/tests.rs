//! Names of fields and log sources in the styles that public rules use.

use rsigma_parser::LogSource;
use schemas::tables::Table;

use super::field::FieldBinding;
use super::{Mapping, UserMapping, logsource};

#[track_caller]
fn check(table: Table, name: &str, column: &str) {
    let field = Mapping::Lake(table).field(&UserMapping::default(), name);
    assert_eq!(
        field.place,
        FieldBinding::Column(column.to_owned()),
        "{table} {name}"
    );
}

#[test]
fn finds_columns_by_the_names_that_rules_use() {
    for (name, column) in [
        ("ResultType", "result_type"),
        ("Status", "result_type"),
        ("DeviceDetail.trusttype", "trust_type"),
        ("properties.message", "authentication_protocol"),
        ("AuthenticationRequirement", "authentication_requirement"),
    ] {
        check(Table::Signins, name, column);
    }
    for (name, column) in [
        ("properties.message", "activity_display_name"),
        ("LoggedByService", "logged_by_service"),
        ("Initiatedby", "user_principal_name"),
        ("properties.targetResources", "target_resources"),
    ] {
        check(Table::DirectoryAudits, name, column);
    }
    check(Table::RiskEvents, "riskEventType", "risk_event_type");
    for (name, column) in [
        ("ForwardTo", "forward_to"),
        ("Parameters.ForwardTo", "forward_to"),
        ("ExtendedProperties.UserAgent", "user_agent"),
        ("eventSource", "workload"),
        ("ApplicationId", "app_id"),
    ] {
        check(Table::M365Activity, name, column);
    }
    check(Table::AzureActivity, "operationNameValue", "operation_name");
    check(Table::GraphActivity, "RequestUri", "request_uri");
}

#[test]
fn pairs_are_selected_by_name_wherever_their_list_stands() {
    for (table, name, path) in [
        (
            Table::M365Activity,
            "Parameters.AuditLogAgeLimit",
            "Parameters[AuditLogAgeLimit]",
        ),
        (
            Table::M365Activity,
            "ModifiedProperties.Role.DisplayName.NewValue",
            "ModifiedProperties[Role.DisplayName].NewValue",
        ),
        (
            Table::M365Activity,
            "ModifiedProperties.Role.DisplayName",
            "ModifiedProperties[Role.DisplayName].NewValue",
        ),
        (
            Table::M365Activity,
            "ModifiedProperties.NewValue",
            "ModifiedProperties.NewValue",
        ),
        (
            Table::DirectoryAudits,
            "properties.additionalDetails.additionalInfo",
            "properties.additionalDetails[additionalInfo]",
        ),
    ] {
        let FieldBinding::Raw(paths) = Mapping::Lake(table)
            .field(&UserMapping::default(), name)
            .place
        else {
            panic!("{name} has a column");
        };
        assert!(
            paths.iter().any(|found| found.as_text() == path),
            "{name}: {paths:?}"
        );
    }
}

fn of(product: &str, category: &str, service: &str) -> Result<Table, String> {
    let some = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    let source = LogSource {
        product: some(product),
        category: some(category),
        service: some(service),
        ..LogSource::default()
    };
    logsource::table(&UserMapping::default(), &source).map_err(|refusal| refusal.to_string())
}

#[test]
fn knows_log_sources_in_any_style() {
    for (product, category, service, table) in [
        ("azure", "", "signinlogs", Table::Signins),
        ("azure", "", "SignInLogs", Table::Signins),
        ("azure", "signinlogs", "", Table::Signins),
        ("entra", "authentication", "", Table::Signins),
        ("", "", "signinlogs", Table::Signins),
        ("", "", "NonInteractiveUserSignInLogs", Table::Signins),
        ("azure", "", "auditlogs", Table::DirectoryAudits),
        ("entra", "", "", Table::DirectoryAudits),
        ("azure", "", "pim", Table::DirectoryAudits),
        ("azure", "", "riskdetection", Table::RiskEvents),
        ("m365", "", "threat_management", Table::M365Activity),
        ("m365", "audit", "", Table::M365Activity),
        ("m365", "audit", "exchange", Table::M365Activity),
        ("office365", "", "", Table::M365Activity),
        ("o365", "", "exchange", Table::M365Activity),
        ("Microsoft365", "", "", Table::M365Activity),
        ("azure", "", "m365", Table::M365Activity),
        ("azure", "", "activitylogs", Table::AzureActivity),
        ("", "", "activitylogs", Table::AzureActivity),
        (
            "azure",
            "",
            "MicrosoftGraphActivityLogs",
            Table::GraphActivity,
        ),
        ("azure", "", "aadgraphactivitylogs", Table::GraphActivity),
        ("m365", "", "alerts", Table::GraphAlerts),
    ] {
        assert_eq!(
            of(product, category, service),
            Ok(table),
            "{product}/{category}/{service}"
        );
    }
}

#[test]
fn an_unknown_log_source_is_refused_with_what_is_known() {
    for (product, category, service) in [
        ("windows", "process_creation", ""),
        ("azure", "", "nothing"),
        ("azure", "", ""),
        // Two tables have a service of that name.
        ("", "", "audit"),
        ("", "", ""),
    ] {
        let refusal = of(product, category, service).unwrap_err();
        assert!(refusal.contains("signins (azure/signinlogs|"), "{refusal}");
        assert!(refusal.contains("m365_activity (m365/audit|"), "{refusal}");
    }
}

const FILE: &str = "
signins:
  logsources:
    - products: [acme]
      services: [logons]
  fields:
    - names: [Ring, ResultType]
      paths: ['properties.acme.ring', 'acme[Ring]']
      fold: exact
    - names: [Outcome]
      column: result_type
      words:
        Locked: {one_of: ['50053']}
        from abroad: {where: {Country: {none_of: [NL]}}}
";

#[test]
fn a_users_file_comes_before_our_own_tables() {
    let user_mapping = UserMapping::parse("acme.yml", FILE).unwrap();
    let mapping = Mapping::Lake(Table::Signins);
    let ring = mapping.field(&user_mapping, "resulttype");
    assert!(
        matches!(&ring.place, FieldBinding::Raw(paths) if paths[0].as_text() == "properties.acme.ring")
    );
    let outcome = mapping.field(&user_mapping, "Outcome");
    assert_eq!(outcome.place, FieldBinding::Column("result_type".into()));
    assert!(outcome.meaning("LOCKED").is_some());
    assert_eq!(
        mapping.field(&user_mapping, "Username"),
        mapping.field(&UserMapping::default(), "Username")
    );
    let source = LogSource {
        product: Some("acme".into()),
        service: Some("logons".into()),
        ..LogSource::default()
    };
    assert_eq!(
        logsource::table(&user_mapping, &source).ok(),
        Some(Table::Signins)
    );
}

#[test]
fn a_users_file_is_refused_with_file_line_and_reason() {
    let long = format!("signins:\n  known: ['{}']", "a".repeat(300_000));
    for (text, expected) in [
        (
            "signin: {}",
            "x.yml:1: cannot read mapping: no table \"signin\"",
        ),
        (
            "alerts: {}",
            "x.yml:1: cannot read mapping: no table \"alerts\"",
        ),
        (
            "signins:\n  fields:\n    - names: [A]\n      column: result_typo",
            "x.yml:4: cannot read mapping: table signins has no column \"result_typo\"",
        ),
        (
            "signins:\n  fields:\n    - names: [A]\n      paths: ['a..b']",
            "x.yml:4: cannot read mapping: cannot read path \"a..b\"",
        ),
        (
            "signins:\n  fields:\n    - names: [A]\n      paths: ['a[b']",
            "x.yml:4: cannot read mapping: cannot read path \"a[b\"",
        ),
        (
            "signins:\n  fields:\n    - names: [A]\n      paths: ['a.']",
            "x.yml:4: cannot read mapping: cannot read path \"a.\"",
        ),
        (
            "signins:\n  fields:\n    - names: [A]\n      column: country\n      anywhere: true",
            "x.yml:3: cannot read mapping: field \"A\" needs names and one of column, paths, anywhere",
        ),
        (
            "signins:\n  fields:\n    - names: [A]\n      column: country\n      words:\n        w: {}",
            "x.yml:6: cannot read mapping: word \"w\" needs one of",
        ),
        (
            "signins:\n  paths: ['properties']",
            "x.yml:2: cannot read mapping: path \"properties\" needs {} once",
        ),
        (
            "signins:\n  fields:\n    - nams: [A]",
            "x.yml:3: cannot read YAML: ",
        ),
        ("signins: [", "x.yml:1: cannot read YAML: "),
        (&long, "x.yml: file has 300"),
    ] {
        let message = UserMapping::parse("x.yml", text).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message} is not {expected}");
    }
}
