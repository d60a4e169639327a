//! Cases of the normaliser.

use super::{Dates, Normalised, Origin, UNKNOWN_TENANT, normalise};
use schemas::limits::{DEAD_LETTER_PART_BYTES_MAX, RECORD_BYTES_MAX};
use schemas::provenance::Provenance;

const NOW_US: i64 = 1_800_000_000_000_000;

const FILES: Origin<'static> = Origin {
    tenant_id: None,
    provenance: Provenance::Imported,
    source: "files",
    category: None,
    ingest_time_us: NOW_US,
    dates: Dates::OF_MICROSOFT,
};

fn read(text: &str) -> Normalised {
    normalise(text.as_bytes(), "p", &FILES)
}

/// Table, tenant, id, time and category of each event, then the reasons of the dead letters.
fn show(normalised: &Normalised) -> String {
    let events = normalised.events.iter().map(|event| {
        format!(
            "{} {} {} {} {}",
            event.table,
            event.tenant_id,
            event.event_id,
            event
                .event_time_us
                .map_or_else(|| "-".to_owned(), schemas::time::iso_ms),
            event.category,
        )
    });
    let letters = normalised
        .dead_letters
        .iter()
        .map(|letter| letter.reason.clone());
    events.chain(letters).collect::<Vec<_>>().join(" | ")
}

fn check(text: &str, expected: &str) {
    assert_eq!(show(&read(text)), expected, "{text}");
}

#[test]
fn a_record_says_itself_where_it_belongs() {
    // By category and content, never by hub; zone-less times are UTC.
    for (text, expected) in [
        (
            r#"{"records":[{"time":"2026-09-14T08:07:12Z","resourceId":"/tenants/T-1/providers/Microsoft.aadiam","operationName":"Sign-in activity","category":"NonInteractiveUserSignInLogs","tenantId":"T-1","properties":{"id":"s1","createdDateTime":"2026-09-14T08:02:11.1839042+00:00"}}]}"#,
            "signins t-1 s1 2026-09-14T08:02:11.183Z NonInteractiveUserSignInLogs",
        ),
        (
            r#"{"Time":"x","ResourceId":"/tenants/T-1/providers/Microsoft.aadiam","OperationName":"Update user","Category":"AuditLogs","Properties":{"Id":"a1","activityDateTime":"8/22/2022 6:07:16 PM"}}"#,
            "directory_audits t-1 a1 2022-08-22T18:07:16.000Z AuditLogs",
        ),
        // Intune's audits, from its stream, from a workspace and from Graph.
        (
            r#"{"time":"2026-09-14T08:07:12Z","operationName":"wipe ManagedDevice","category":"AuditLogs","tenantId":"t","resultType":"Success","properties":{"ActivityDate":"9/14/2026 8:07:11 AM","AuditEventId":"i1","Actor":{"UPN":"admin@contoso.test"}}}"#,
            "directory_audits t i1 2026-09-14T08:07:12.000Z AuditLogs",
        ),
        (
            r#"{"TimeGenerated":"2026-09-14T08:07:12Z","AADTenantId":"t","OperationName":"wipe ManagedDevice","ResultType":"Success","Category":"AuditLogs","Properties":"{\"AuditEventId\":\"i2\"}","Type":"IntuneAuditLogs"}"#,
            "directory_audits t i2 2026-09-14T08:07:12.000Z AuditLogs",
        ),
        (
            r#"{"value":[{"id":"i3","componentName":"ManagedDevices","activityDateTime":"2026-09-14T08:07:12Z","activityType":"wipe ManagedDevice","activityResult":"Success","actor":{"userPrincipalName":"admin@contoso.test"},"resources":[{"resourceId":"d1"}],"tenantId":"t"}]}"#,
            "directory_audits t i3 2026-09-14T08:07:12.000Z AuditLogs",
        ),
        (
            r#"{"time":"2026-09-14T08:07:12Z","operationName":"User Risk Detection","category":"UserRiskEvents","tenantId":"t","properties":{"id":"r1","activityDateTime":"2026-09-14T08:00:00Z","lastUpdatedDateTime":"2026-09-14T08:05:00Z"}}"#,
            "risk_events t r1 2026-09-14T08:00:00.000Z UserRiskEvents",
        ),
        (
            r#"{"time":"2026-09-14T08:07:12Z","operationName":"Risky user","category":"RiskyUsers","tenantId":"t","properties":{"id":"u1","riskLastUpdatedDateTime":"2026-09-14T08:05:00Z"}}"#,
            "risk_events t riskyusers:u1:2026-09-14T08:05:00Z 2026-09-14T08:05:00.000Z RiskyUsers",
        ),
        (
            r#"{"time":"2026-09-14T08:07:12Z","operationName":"Microsoft Graph Activity","category":"MicrosoftGraphActivityLogs","tenantId":"t","properties":{"requestId":"g1","timeGenerated":"2026-09-14T08:07:00Z"}}"#,
            "graph_activity t g1 2026-09-14T08:07:00.000Z MicrosoftGraphActivityLogs",
        ),
        (
            r#"{"operationName":"AAD Graph Activity","category":"AzureADGraphActivityLogs","tenantId":"t","properties":{"requestId":"g2","timeGenerated":"2026-09-14T08:07:00Z","httpMethod":"GET"}}"#,
            "graph_activity t g2 2026-09-14T08:07:00.000Z AzureADGraphActivityLogs",
        ),
        (
            r#"{"time":"2026-09-14T08:07:12Z","operationName":"x","category":"BrandNewLogs","tenantId":"t","properties":{"id":"n1"}}"#,
            "other_events t brandnewlogs:n1 2026-09-14T08:07:12.000Z BrandNewLogs",
        ),
        (
            r#"[{"CreationTime":"2026-09-14T08:02:41","Id":"m1","Operation":"Nobody-KnowsThis","OrganizationId":"T","RecordType":99999,"Workload":"Exchange"}]"#,
            "m365_activity t m1 2026-09-14T08:02:41.000Z Audit.Exchange",
        ),
        (
            r#"{"value":[{"id":"al1","lastUpdateDateTime":"2026-09-14T08:20:00.1234567Z","serviceSource":"azureAdIdentityProtection","tenantId":"t"}]}"#,
            "graph_alerts t al1:2026-09-14T08:20:00.1234567Z 2026-09-14T08:20:00.123Z alerts_v2",
        ),
        (
            r#"{"id":"gs1","createdDateTime":"2023-12-01T16:03:35Z","userPrincipalName":"a@b","appId":"x","status":{"errorCode":0}}"#,
            "signins unknown gs1 2023-12-01T16:03:35.000Z SignInLogs",
        ),
        (
            r#"{"id":"ga1","activityDateTime":"2025-11-12T13:29:28.9+00:00","activityDisplayName":"Update user","category":"UserManagement"}"#,
            "directory_audits unknown ga1 2025-11-12T13:29:28.900Z AuditLogs",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn raw_is_the_record_as_received() {
    let record = r#"{ "Id":"1","Operation":"x" , "Workload":"Exchange","n":1e400,"é":"\ud83d\ude00",  "a":[1 ,2] }"#;
    // 1e400 is no number that can be kept, so the whole record is a dead letter with its bytes.
    let kept = read(record);
    assert_eq!(show(&kept), "not_json");
    assert_eq!(kept.dead_letters[0].raw, record);
    let record = record.replace("1e400", "9007199254740993");
    let kept = read(&format!("{{\"records\":[{record},{record}]}}"));
    assert_eq!(kept.events.len(), 2);
    assert!(kept.events.iter().all(|event| event.raw == record));
    assert_eq!(kept.events[1].position, "p#1");
}

#[test]
fn a_record_without_id_or_time_is_kept_and_says_so() {
    // The hash of the canonical content stands for the id.
    let one = read(r#"{"Operation":"x","Workload":"Exchange","a":{"b":1,"c":2}}"#);
    let other = read(r#"{"a":{"c":2,"b":1},"Workload":"Exchange","Operation":"x"}"#);
    assert!(one.events[0].event_id.starts_with("sha:"));
    assert_eq!(one.events[0].event_id, other.events[0].event_id);
    assert_eq!(
        one.events[0].problems,
        ["no id: the hash of its content stands for it", "no time"]
    );
    assert_eq!(one.events[0].tenant_id, UNKNOWN_TENANT);
    let strange =
        read(r#"{"Operation":"x","Workload":"y","Id":"","CreationTime":"0001-01-01T00:00:00Z"}"#);
    assert_eq!(strange.events[0].event_time_us, None);
    assert_eq!(strange.events[0].problems[1], "its time could not be read");
    let future =
        read(r#"{"Operation":"x","Workload":"y","Id":"1","CreationTime":"2099-01-01T00:00:00"}"#);
    assert!(future.events[0].event_time_us.is_some());
    assert_eq!(future.events[0].problems, ["its time lies in the future"]);
}

#[test]
fn hostile_bytes_become_dead_letters_with_every_byte() {
    // 4.2.2 and 4.2.4.
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!("{{\"a\":\"{}\"}}", "x".repeat(50 * 1024 * 1024));
    for (text, expected) in [
        (deep.as_str(), "too_deep"),
        (r#"{"a":"cut"#, "truncated"),
        ("<!DOCTYPE html><html></html>", "not_the_format"),
        (r#"{"a":NaN}"#, "not_json"),
        (r#"{"a":"\ud800"}"#, "not_json"),
        ("{\"a\":\"\u{0}\"}", "not_json"),
    ] {
        let kept = read(text);
        assert_eq!(show(&kept), expected);
        assert_eq!(kept.dead_letters[0].raw, text);
    }
    let kept = read(&wide);
    assert_eq!(
        kept.dead_letters.len(),
        wide.len().div_ceil(DEAD_LETTER_PART_BYTES_MAX)
    );
    assert!(
        wide.len() > RECORD_BYTES_MAX
            && kept
                .dead_letters
                .iter()
                .all(|letter| letter.reason == "too_large")
    );
    assert_eq!(
        kept.dead_letters
            .iter()
            .map(|letter| letter.raw.len())
            .sum::<usize>(),
        wide.len()
    );
    let not_text = b"{\"a\":\"\xff\xfe\"}\n{\"Operation\":\"x\",\"Workload\":\"y\",\"Id\":\"1\"}\n";
    let kept = normalise(not_text, "p", &FILES);
    assert_eq!(
        (kept.events.len(), kept.dead_letters[0].reason.as_str()),
        (1, "not_utf8")
    );
    assert_eq!(kept.dead_letters[0].raw[..], b"{\"a\":\"\xff\xfe\"}"[..]);
}

#[test]
fn a_hundred_thousand_keys_and_keys_in_other_cases_are_one_record() {
    let keys: Vec<String> = (0..100_000)
        .map(|number| format!("\"k{number}\":1"))
        .collect();
    let record = format!(
        r#"{{"operation":"x","WORKLOAD":"y","ID":"1","Id":"2","Id":"3",{}}}"#,
        keys.join(",")
    );
    let kept = read(&record);
    assert_eq!(kept.events.len(), 1);
    // The exact name wins over another case, the last of two equal names over the first.
    assert_eq!(kept.events[0].event_id, "3");
}

#[test]
fn records_inside_exports_are_taken_out() {
    let inner = r#"{"CreationTime":"2026-09-14T08:02:41","Id":"m1","Operation":"FileAccessed","OrganizationId":"T","RecordType":6,"Workload":"OneDrive"}"#;
    let expected = "m365_activity t m1 2026-09-14T08:02:41.000Z Audit.SharePoint";
    let text = serde_json::Value::String(inner.to_owned());
    for outer in [
        format!(r#"{{"RecordType":6,"Operations":"FileAccessed","AuditData":{text}}}"#),
        format!(r#"{{"id":"q","auditData":{inner}}}"#),
        format!(r#"{{"sourcetype":"o365:management:activity","event":{inner},"raw":null}}"#),
    ] {
        let kept = read(&outer);
        assert_eq!(show(&kept), expected, "{outer}");
        assert_eq!(kept.events[0].raw, inner);
    }
    let cut = format!(
        r#"{{"RecordType":6,"AuditData":{}}}"#,
        serde_json::Value::String(inner[..40].to_owned())
    );
    let kept = read(&cut);
    assert_eq!(show(&kept), "not_json");
    assert_eq!(kept.dead_letters[0].raw, cut);
}

#[test]
fn an_export_of_the_directory_is_read_as_what_it_holds() {
    // A page loses its context, a single object has it.
    let user = r#"{"id":"u1","userPrincipalName":"ada@harbour.example","displayName":"Ada","accountEnabled":true}"#;
    let page = read(&format!(
        r#"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users","value":[{user},{{"id":"harbour.example","isVerified":true,"authenticationType":"Managed"}}]}}"#
    ));
    let tables: Vec<&str> = page
        .events
        .iter()
        .map(|event| event.table.as_str())
        .collect();
    assert_eq!(tables, ["directory_users", "directory_domains"]);
    assert!(page.events.iter().all(|event| event.problems.is_empty()));
    let alone = read(&user.replacen(
        '{',
        r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity","#,
        1,
    ));
    assert_eq!(alone.events[0].event_id, page.events[0].event_id);
    check(
        r##"{"@odata.type":"#microsoft.graph.group","displayName":"no id"}"##,
        "not_a_record",
    );
}

#[test]
fn a_tenant_that_would_break_paths_is_unknown() {
    let text = r#"{"Operation":"x","Workload":"y","Id":"1","OrganizationId":"../../etc"}"#;
    assert_eq!(read(text).events[0].tenant_id, UNKNOWN_TENANT);
    let known = Origin {
        tenant_id: Some("7F3C"),
        ..FILES
    };
    let kept = normalise(
        br#"{"Operation":"x","Workload":"y","Id":"1","OrganizationId":"other"}"#,
        "p",
        &known,
    );
    assert_eq!(kept.events[0].tenant_id, "7f3c");
}

#[test]
fn a_record_says_what_it_is_worth() {
    let connector = Origin {
        tenant_id: Some("T-1"),
        provenance: Provenance::Live,
        source: "event_hubs",
        ..FILES
    };
    let objects = Origin {
        category: Some("domains"),
        ..connector
    };
    let m365 = r#"{"Operation":"x","Workload":"y","Id":"1","CreationTime":"2026-09-14T08:02:41"}"#;
    let of = |tenant: &str| m365.replacen('{', &format!(r#"{{"OrganizationId":"{tenant}","#), 1);
    let sign_in = r#"{"time":"2026-09-14T08:07:12Z","resourceId":"/tenants/t-2/providers/Microsoft.aadiam","operationName":"x","category":"SignInLogs","properties":{"id":"s1"}}"#;
    let domain = r#"{"id":"b.example","isVerified":true,"authenticationType":"Managed"}"#;
    let foreign_domain = domain.replacen('{', r#"{"tenantId":"t-2","#, 1);
    for (text, origin, tenant_id, provenance) in [
        (of("t-1"), connector, "t-1", "live"),
        (m365.to_owned(), connector, "t-1", "live"),
        (
            of("00000000-0000-0000-0000-000000000000"),
            connector,
            "t-1",
            "live",
        ),
        (of("t-2"), connector, "t-1", "foreign"),
        (of("../../etc"), connector, "t-1", "foreign"),
        (sign_in.to_owned(), connector, "t-1", "foreign"),
        (domain.to_owned(), objects, "t-1", "live"),
        (foreign_domain, objects, "t-1", "foreign"),
        (of("t-2"), FILES, "t-2", "imported"),
        (domain.to_owned(), FILES, UNKNOWN_TENANT, "imported"),
    ] {
        let kept = normalise(text.as_bytes(), "p", &origin);
        let event = &kept.events[0];
        assert_eq!(
            (event.tenant_id.as_str(), event.provenance.as_str()),
            (tenant_id, provenance),
            "{text}"
        );
        let says_so = event.problems.iter().any(|problem| {
            problem.starts_with("it names another tenant than its connector's: ")
                && !problem.contains("..")
        });
        assert_eq!(says_so, provenance == "foreign", "{:?}", event.problems);
    }
}

#[test]
fn a_record_that_is_nearly_all_category_fits_in_a_message() {
    use prost::Message as _;

    let category = "é".repeat(RECORD_BYTES_MAX / 2 - 200);
    let text = format!(
        r#"{{"time":"2026-09-14T08:07:12Z","operationName":"x","resourceId":"/tenants/t","category":"{category}","properties":{{"id":"1"}}}}"#
    );
    let kept = read(&text);
    assert_eq!(kept.events.len(), 1);
    assert!(kept.events[0].encoded_len() <= RECORD_BYTES_MAX + 1024 * 1024);
    assert!(kept.events[0].problems[0].starts_with("its category is longer"));
}
