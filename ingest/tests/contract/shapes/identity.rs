//! When a record was, whose it is, and which table takes it.

use ingest::sources::files::ImportOptions;
use schemas::time::DateOrder;

use super::encodings::record;
use super::{Case, TENANT, options, read, sample};

/// A row of the portal's sign-ins.
fn portal(dates: &[&str]) -> String {
    let rows = dates
        .iter()
        .enumerate()
        .map(|(number, date)| format!("\"{date}\",r{number},ada@contoso.test,x,0"));
    let header = "Date (UTC),Request ID,Username,Application ID,Sign-in error code".to_owned();
    std::iter::once(header)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What tells, the dates of a column, what the operator says, and the times.
const DATES: &[(&str, &[&str], DateOrder, &str)] = &[
    (
        "a later row tells",
        &["05/01/2026, 22:15:00", "15/01/2026, 06:00:00"],
        DateOrder::Unknown,
        "2026-01-05T22:15:00.000Z 2026-01-15T06:00:00.000Z",
    ),
    (
        "the month is first",
        &["5/1/2026, 10:15:00 PM", "5/13/2026, 6:00:00 AM"],
        DateOrder::Unknown,
        "2026-05-01T22:15:00.000Z 2026-05-13T06:00:00.000Z",
    ),
    (
        "dots tell",
        &["05.01.2026, 22:15:00"],
        DateOrder::Unknown,
        "2026-01-05T22:15:00.000Z",
    ),
    (
        "nothing tells",
        &["05/01/2026, 22:15:00"],
        DateOrder::Unknown,
        "-",
    ),
    (
        "the operator tells",
        &["05/01/2026, 22:15:00"],
        DateOrder::DayFirst,
        "2026-01-05T22:15:00.000Z",
    ),
    (
        "the column tells otherwise",
        &["05/01/2026, 22:15:00", "15/01/2026, 06:00:00"],
        DateOrder::MonthFirst,
        "2026-01-05T22:15:00.000Z 2026-01-15T06:00:00.000Z",
    ),
    (
        "both stand in it",
        &[
            "05/01/2026, 22:15:00",
            "15/01/2026, 06:00:00",
            "1/15/2026, 06:00:00",
        ],
        DateOrder::Unknown,
        "- 2026-01-15T06:00:00.000Z 2026-01-15T06:00:00.000Z",
    ),
    (
        "no order is needed",
        &["2026-01-05T22:15:00Z"],
        DateOrder::Unknown,
        "2026-01-05T22:15:00.000Z",
    ),
];

#[tokio::test]
async fn a_column_tells_day_from_month_and_what_it_does_not_tell_is_unknown() {
    for (what, dates, order, expected) in DATES {
        let mut case = Case::new().await;
        case.put("InteractiveSignIns.csv", portal(dates));
        let summary = case
            .read(&ImportOptions {
                dates: *order,
                ..options()
            })
            .await;
        assert_eq!(case.rows("time").join(" "), *expected, "{what}");
        let unknown =
            u64::from(expected.contains('-') && expected.split(' ').any(|time| time == "-"));
        let file = &summary.by_file[0];
        assert_eq!(
            (file.without_time, file.ambiguous),
            (unknown, unknown),
            "{what}"
        );
    }
    let (case, _) = read(
        "NonInteractiveSignIns_1.csv",
        portal(&["2026-01-05T22:15:00Z"]),
    )
    .await;
    assert_eq!(
        case.rows("category is_interactive"),
        ["NonInteractiveUserSignInLogs false"]
    );
}

#[tokio::test]
async fn a_workspace_is_no_tenant_and_the_operator_may_overrule() {
    let workspace = "11111111-aaaa-4000-8000-000000000001";
    let row = |id: &str, more: &str| {
        format!(
            r#"{{"TenantId":"{workspace}","TimeGenerated":"2026-03-04T08:00:05Z","CreatedDateTime":"2026-03-04T08:00:01Z","Id":"{id}","AppId":"x","ResultType":"0","UserPrincipalName":"ada@contoso.test",{more}}}"#
        )
    };
    let rows = [
        row("a", &format!(r#""Type":"SigninLogs","AADTenantId":"{TENANT}","LocationDetails":{{"countryOrRegion":"NL","city":"Amsterdam"}}"#)),
        row("b", &format!(r#""Type":"AADNonInteractiveUserSignInLogs","ResourceId":"/tenants/{TENANT}/providers/Microsoft.aadiam","LocationDetails":"{{\"countryOrRegion\":\"NL\",\"city\":\"Amsterdam\"}}""#)),
        row("c", &format!(r#""Type":"AADServicePrincipalSignInLogs","AADTenantId":"{TENANT}","Location":"NG","ServicePrincipalName":"job""#)),
        row("d", r#""Type":"AADManagedIdentitySignInLogs","Location":"","IPAddress":"""#),
    ]
    .join("\n");
    let (case, _) = read("query.ndjson", &rows).await;
    assert_eq!(
        case.rows("tenant id time category country city is_interactive"),
        [
            "home a 2026-03-04T08:00:01.000Z SignInLogs NL Amsterdam -",
            "home b 2026-03-04T08:00:01.000Z NonInteractiveUserSignInLogs NL Amsterdam false",
            "home c 2026-03-04T08:00:01.000Z ServicePrincipalSignInLogs NG - -",
            "unknown d 2026-03-04T08:00:01.000Z ManagedIdentitySignInLogs - - -",
        ]
    );
    for (of_all, expected) in [
        (false, "home home home other"),
        (true, "other other other other"),
    ] {
        let mut case = Case::new().await;
        case.put("query.ndjson", &rows);
        let told = ImportOptions {
            tenant_id: Some("Other".to_owned()),
            is_tenant_of_all: of_all,
            ..options()
        };
        let summary = case.read(&told).await;
        assert_eq!(case.rows("tenant").join(" "), expected);
        assert_eq!(summary.by_file[0].other_tenant, 3);
    }
}

/// What it is, its text, which columns are looked at, and what they hold.
type Row = (&'static str, String, &'static str, &'static str);

fn rows_of_tables() -> Vec<Row> {
    vec![
        (
            "an Office row of Log Analytics",
            format!(r#"{{"TenantId":"w","TimeGenerated":"2026-03-04T08:00:01Z","Type":"OfficeActivity","OfficeId":"o1","RecordType":"ExchangeAdmin","Operation":"New-InboxRule","OrganizationId":"{TENANT}","UserType":"Admin","OfficeWorkload":"Exchange","UserId":"ada@contoso.test","Client_IPAddress":"203.0.113.57","Parameters":"[{{\"Name\":\"ForwardTo\",\"Value\":\"x@example.com\"}}]"}}"#),
            "table tenant id time category record_type user_type_code ip_address workload forward_to problems",
            "m365_activity home o1 2026-03-04T08:00:01.000Z Audit.Exchange 1 2 203.0.113.57 Exchange x@example.com -",
        ),
        (
            "a directory audit of Log Analytics",
            format!(r#"{{"TenantId":"w","TimeGenerated":"2026-03-04T08:00:05Z","Type":"AuditLogs","Id":"a1","AADTenantId":"{TENANT}","ActivityDateTime":"2026-03-04T08:00:01Z","ActivityDisplayName":"Add user","OperationName":"Add user","InitiatedBy":"{{\"user\":{{\"userPrincipalName\":\"ada@contoso.test\"}}}}","TargetResources":"[{{\"id\":\"t1\"}}]"}}"#),
            "table tenant id time user_principal_name target_id",
            "directory_audits home a1 2026-03-04T08:00:01.000Z ada@contoso.test t1",
        ),
        (
            "an event of Azure's REST API",
            format!(r#"{{"eventDataId":"e1","eventTimestamp":"2026-03-04T08:00:01Z","submissionTimestamp":"2026-03-04T08:09:00Z","tenantId":"{TENANT}","caller":"ada@contoso.test","category":{{"value":"Administrative","localizedValue":"管理"}},"operationName":{{"value":"Microsoft.Authorization/roleAssignments/write","localizedValue":"x"}},"status":{{"value":"Succeeded"}},"httpRequest":{{"clientIpAddress":"203.0.113.57"}},"properties":{{}},"resourceId":"/subscriptions/s"}}"#),
            "table tenant id time category operation_name caller ip_address",
            "azure_activity home e1 2026-03-04T08:00:01.000Z Administrative Microsoft.Authorization/roleAssignments/write ada@contoso.test 203.0.113.57",
        ),
        (
            "an Azure row of Log Analytics",
            r#"{"TenantId":"w","TimeGenerated":"2026-03-04T08:00:01Z","Type":"AzureActivity","EventDataId":"e2","OperationName":"Create role assignment","OperationNameValue":"Microsoft.Authorization/roleAssignments/write","CategoryValue":"Administrative","Category":"Administrative","ActivityStatusValue":"Success","Caller":"ada@contoso.test","CallerIpAddress":"203.0.113.57","Properties":"{}","ResourceId":"/subscriptions/s"}"#.to_owned(),
            "table id time category operation_name result_type ip_address",
            "azure_activity e2 2026-03-04T08:00:01.000Z Administrative Microsoft.Authorization/roleAssignments/write Success 203.0.113.57",
        ),
        (
            "a Graph request of Log Analytics",
            format!(r#"{{"TenantId":"w","AadTenantId":"{TENANT}","TimeGenerated":"2026-03-04T08:00:01Z","Type":"MicrosoftGraphActivityLogs","RequestId":"g1","RequestMethod":"GET","RequestUri":"https://graph.example/users","ResponseStatusCode":200,"AppId":"x","IPAddress":"203.0.113.57"}}"#),
            "table tenant id time request_method response_status_code ip_address",
            "graph_activity home g1 2026-03-04T08:00:01.000Z GET 200 203.0.113.57",
        ),
        (
            "a request of Graph's predecessor in Log Analytics",
            format!(r#"{{"TenantId":"w","AADTenantId":"{TENANT}","TimeGenerated":"2026-03-04T08:00:01Z","Type":"AADGraphActivityLogs","RequestId":"g2","RequestMethod":"GET","RequestUri":"/v2/{TENANT}/users","ResponseStatusCode":403,"AppId":"x","CallerIpAddress":"203.0.113.57"}}"#),
            "table tenant id time category request_method response_status_code ip_address",
            "graph_activity home g2 2026-03-04T08:00:01.000Z AzureADGraphActivityLogs GET 403 203.0.113.57",
        ),
        (
            "a request of Graph's predecessor in the stream",
            format!(r#"{{"time":"2026-03-04T08:00:09Z","resourceId":"/tenants/{TENANT}/providers/Microsoft.aadiam","operationName":"AAD Graph Activity","category":"AzureADGraphActivityLogs","tenantId":"{TENANT}","properties":{{"requestId":"g3","timeGenerated":"2026-03-04T08:00:01Z","httpMethod":"GET","httpStatusCode":403,"callerIpAddress":"203.0.113.57","requestUri":"/v2/{TENANT}/users"}}}}"#),
            "table tenant id time category request_method response_status_code ip_address",
            "graph_activity home g3 2026-03-04T08:00:01.000Z AzureADGraphActivityLogs GET 403 203.0.113.57",
        ),
]
}

fn rows_of_tools() -> Vec<Row> {
    vec![        (
            "a table of rows without the name of their table",
            "TimeGenerated [UTC];AppDisplayName;ResultType;Id;AppId;UserPrincipalName;Status;CreatedDateTime [UTC]\n\"3/14/2026, 8:00:05.123 AM\";x;0;s1;y;ada@contoso.test;\"{\"\"errorCode\"\":0}\";\"3/14/2026, 8:00:01.000 AM\"\n".to_owned(),
            "table id time category result_type",
            "signins s1 2026-03-14T08:00:01.000Z SignInLogs 0",
        ),
        (
            "a sign-in as PowerShell's objects write it",
            r#"{"Id":"p1","CreatedDateTime":{"value":"\/Date(1772611201000)\/","DisplayHint":2,"DateTime":"Wednesday, March 4, 2026 8:00:01 AM"},"AppId":"x","UserPrincipalName":"ada@contoso.test","IPAddress":"203.0.113.57","Status":{"ErrorCode":50126},"PSComputerName":"host"}"#.to_owned(),
            "table id time result_type ip_address problems",
            "signins p1 2026-03-04T08:00:01.000Z 50126 203.0.113.57 -",
        ),
        (
            "a row of Splunk's with the audit search's row in it",
            format!("_raw,_time\n\"{}\",x\n", format!("{{\"AuditData\":{}}}", serde_json::Value::from(record("a"))).replace('"', "\"\"")),
            "table id time",
            "m365_activity a 2026-03-04T08:00:01.000Z",
        ),
]
}

#[tokio::test]
async fn other_tables_and_dresses_go_where_they_belong() {
    for (what, text, columns, expected) in [rows_of_tables(), rows_of_tools()].concat() {
        let (case, summary) = read("file", text).await;
        assert_eq!(
            case.rows(columns),
            [expected],
            "{what}: {:?}",
            summary.by_file
        );
        assert_eq!(summary.dead_letters, 0, "{what}");
    }
}

#[tokio::test]
async fn a_record_inside_several_layers_says_so_and_what_is_unknown_is_kept() {
    let (_, summary) = read("a.ndjson", sample("splunk.sample.ndjson")).await;
    let names: Vec<(&str, u64)> = summary.by_file[0]
        .recognised
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(
        names,
        [
            (
                "a record of the unified audit log in a result of Splunk's",
                1
            ),
            (
                "a record of the unified audit log in an event for Splunk's collector",
                1
            ),
        ]
    );
    let (case, summary) = read("b.ndjson", "{\"what\":\"is this\"}\n").await;
    assert_eq!(case.rows("table"), ["other_events"]);
    assert_eq!(
        summary.by_file[0].recognised["something that no format describes"],
        1
    );
}
