//! SQL: the names analysts know, dictionaries from file to scan, files skipped, nothing written.

use arrow::datatypes::DataType;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::Event;

use crate::house::{DAY_US, House, NOON_US, rows_of_file, sign_in, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

async fn house_with_sign_ins() -> House {
    let house = House::new().await;
    let running = house.start();
    let mut events = sign_ins(0, 20);
    for (at, event) in events.iter_mut().enumerate() {
        event.event_time_us = Some(NOON_US - i64::try_from(at % 4).unwrap() * DAY_US);
        if at % 5 == 0 {
            event.category = "NonInteractiveUserSignInLogs".into();
        }
    }
    house.publish(&events).await;
    house.caught_up(SIGNINS).await;
    running.stop().await;
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_names_work_without_quotes() {
    let house = house_with_sign_ins().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM SigninLogs", "16"),
        ("select count(*) from signinlogs", "16"),
        ("SELECT COUNT(*) FROM AADNonInteractiveUserSignInLogs", "4"),
        (
            "SELECT count(*) FROM SigninLogs WHERE UserPrincipalName = 'ada@contoso.example' AND ResultType = '0'",
            "16",
        ),
        ("SELECT count(*) FROM SIGNINS", "20"),
        (
            "SELECT max(TimeGenerated) FROM SigninLogs",
            "2024-10-04T12:00:00Z",
        ),
        (
            "SELECT count(*) FROM signins a JOIN SigninLogs b ON a.event_id = b.Id",
            "16",
        ),
    ] {
        assert_eq!(house.column(sql).await, [expected], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_and_view_can_be_read_even_if_empty() {
    let house = house_with_sign_ins().await;
    let lake = house.lake();
    let names = lake.tables().await.unwrap();
    assert_eq!(names.len(), Table::ALL.len() + lake::Lake::views().count());
    for name in names.keys() {
        let (schema, _) = lake
            .query_all(&format!("SELECT * FROM {name} LIMIT 3"))
            .await
            .unwrap();
        assert_eq!(schema.fields().len(), names[name].fields().len(), "{name}");
    }
    let shown = house
        .column(
            "SELECT table_name FROM information_schema.tables WHERE table_name = 'OfficeActivity'",
        )
        .await;
    assert_eq!(shown, ["OfficeActivity"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dictionaries_come_from_the_file_to_the_scan() {
    let house = house_with_sign_ins().await;
    let lake = house.lake();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let (_, batches) = lake
        .query_all("SELECT result_type, tenant_id FROM signins")
        .await
        .unwrap();
    for batch in &batches {
        assert_eq!(batch.column(0).data_type(), &dictionary);
    }
    let announced = house.batches().await;
    let path = &announced[0].files[0].path;
    let rows = rows_of_file(&lake, Table::Signins, path);
    assert_eq!(
        rows[0].column_by_name("result_type").unwrap().data_type(),
        &dictionary
    );
    assert_eq!(
        rows[0].schema(),
        schemas::arrow::file_schema(Table::Signins)
    );
    lake.open_file(Table::Signins, "../alerts/a.parquet")
        .unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_other_days_tenants_and_times_are_skipped() {
    let house = house_with_sign_ins().await;
    for (filter, rows, files) in [
        ("true", 20, 4),
        ("day = '2024-10-04'", 5, 1),
        ("day >= '2024-10-03'", 10, 2),
        ("event_time >= timestamp '2024-10-03T00:00:00Z'", 10, 2),
        ("tenant_id = 'somebody else'", 0, 0),
        (
            "tenant_id = '5f0c0e5a-0000-4000-8000-000000000001' AND day = '2024-10-01'",
            5,
            1,
        ),
    ] {
        let count = house
            .column(&format!(
                "SELECT count(event_time) FROM signins WHERE {filter}"
            ))
            .await;
        assert_eq!(count, [rows.to_string()], "{filter}");
        let lake = house.lake();
        let (_, plan) = lake
            .query_all(&format!("EXPLAIN SELECT raw FROM signins WHERE {filter}"))
            .await
            .unwrap();
        let plan = arrow::util::pretty::pretty_format_batches(&plan)
            .unwrap()
            .to_string();
        assert_eq!(plan.matches(".parquet").count(), files, "{filter}\n{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_only_reads() {
    let house = house_with_sign_ins().await;
    let lake = house.lake();
    for sql in [
        "DROP TABLE signins",
        "INSERT INTO signins SELECT * FROM signins",
        "DELETE FROM signins",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY signins TO 'out.csv'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT 1; DROP TABLE signins",
        "SELEC",
        "",
    ] {
        assert!(lake.query_all(sql).await.is_err(), "{sql}");
    }
    assert_eq!(house.ids(Table::Signins).await.len(), 20);
}

/// A stack that overflows ends the process, whatever it was doing.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_many_operators_is_refused_and_one_of_a_long_list_is_not() {
    let house = house_with_sign_ins().await;
    let lake = house.lake();
    let terms = |count: usize| {
        let terms: Vec<String> = (0..count).map(|at| format!("event_id = '{at}'")).collect();
        format!("SELECT count(*) FROM signins WHERE {}", terms.join(" OR "))
    };
    let refused = lake.query_all(&terms(20_000)).await.unwrap_err();
    assert!(
        refused.to_string().contains("at most 1000 are taken"),
        "{refused}"
    );
    lake.query_all(&terms(490)).await.unwrap();
    let sum = vec!["1"; 20_000].join(" + ");
    assert!(lake.query_all(&format!("SELECT {sum}")).await.is_err());
    let list = lake::literals((0..20_000).map(|at| at.to_string()));
    let listed = format!("SELECT count(*) FROM signins WHERE event_id IN ({list})");
    lake.query_all(&listed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_version_of_an_alert_is_the_newest() {
    let house = House::new().await;
    let running = house.start();
    let version = |at: i64, status: &str| {
        Event {
        table: "graph_alerts".into(),
        event_id: format!("alert-1/{at}"),
        event_time_us: Some(NOON_US + at),
        raw: format!(
            r#"{{"id":"alert-1","status":"{status}","lastUpdateDateTime":"2024-10-04T12:00:0{at}Z"}}"#
        )
        .into_bytes()
        .into(),
        ..sign_in("", "0")
    }
    };
    house
        .publish(&[version(2, "resolved"), version(1, "new")])
        .await;
    house.caught_up(Topic::Events(Table::GraphAlerts)).await;
    assert_eq!(
        house
            .column("SELECT status FROM graph_alerts_current")
            .await,
        ["resolved"]
    );
    assert_eq!(
        house.column("SELECT count(*) FROM graph_alerts").await,
        ["2"]
    );
    running.stop().await;
}
