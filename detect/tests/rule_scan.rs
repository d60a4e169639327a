//! The operator that evaluates rules, as DataFusion runs it and as the stage does: what it counts, what it holds, when it
//! ends, and what a damaged row group costs.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/stored.rs"]
mod stored;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::config::ConfigOptions;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use detect::DetectError;
use detect::announced::Announced;
use detect::rule_scan::{
    ComputeThread, LeftOut, ROW, RULE, RulePlans, RuleScanExec, ScanUnit, hit_schema,
};
use detect::rules::builtin;
use futures::StreamExt as _;
use lake::{Lake, LakeConfig};
use schemas::tables::Table;
use schemas::wire::{BatchFile, Event};
use serde_json::json;
use sigma::Ruleset;
use sigma::geo::{GeoLocation, GeoLocator};

use stored::{
    Hits, PATH, TABLE, TENANT, ask, damage, event, file, hiding, rules, scan, session, store, told,
    units,
};

fn metric(scan: &dyn ExecutionPlan, name: &str) -> usize {
    let sum = scan.metrics().unwrap().sum_by_name(name);
    sum.map_or(0, |sum| sum.as_usize())
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_analyze_shows_what_was_read_and_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..30).map(hiding));
    let context = session(Hits::over(&path));
    let found = ask(&context, "SELECT rule, row, event_id FROM hits").await;
    let found = told(&found.unwrap());
    let rows: BTreeSet<u64> = found.iter().map(|(_, row, _)| *row).collect();
    assert_eq!(rows, BTreeSet::from([0, 5, 10, 15, 20, 25]));
    assert!(found.iter().all(|(_, row, id)| *id == format!("e{row}")));
    let query =
        "EXPLAIN ANALYZE SELECT rule, count(*) FROM hits WHERE event_id <> 'e0' GROUP BY rule";
    let plan = ask(&context, query).await.unwrap();
    let plan = pretty_format_batches(&plan).unwrap().to_string();
    for expected in [
        "RuleScanExec: table=m365_activity, rules=",
        "units=3, columns=[rule, event_id]",
        "rows_scanned=30",
        "row_groups=3",
        &format!("hits={}", found.len()),
        "values_tested=",
        "bytes_decoded=",
        "elapsed_compute=",
    ] {
        assert!(plan.contains(expected), "{expected}\n{plan}");
    }
    let (values, bytes) = ("values_tested=0,", "bytes_decoded=0,");
    assert!(!plan.contains(values) && !plan.contains(bytes), "{plan}");
}

/// Whatever is asked of the rows, and however few at a time, the hits are the same.
#[tokio::test(flavor = "multi_thread")]
async fn hits_do_not_depend_on_batches_partitions_or_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..47).map(hiding));
    let columns = ["rule", "row", "event_id"];
    let context = Arc::new(TaskContext::default());
    let whole: Arc<dyn ExecutionPlan> = Arc::new(scan(units(&path), &columns));
    let expected = told(
        &collect(Arc::clone(&whole), Arc::clone(&context))
            .await
            .unwrap(),
    );
    assert!(!expected.is_empty());
    for batch_rows in [1, 2, 3] {
        let config = SessionConfig::new().with_batch_size(batch_rows);
        let context = Arc::new(TaskContext::default().with_session_config(config));
        let few = collect(Arc::clone(&whole), context).await.unwrap();
        assert!(few.iter().all(|batch| batch.num_rows() <= batch_rows));
        assert_eq!(told(&few), expected);
    }
    let options = ConfigOptions::new();
    let apart = whole.repartitioned(3, &options).unwrap().unwrap();
    assert_eq!(apart.properties().partitioning.partition_count(), 3);
    let found = collect(Arc::clone(&apart), Arc::clone(&context)).await;
    assert_eq!(told(&found.unwrap()), expected);
    // There are no more parts than row groups, and none without one.
    let most = apart.repartitioned(64, &options).unwrap().unwrap();
    assert_eq!(most.properties().partitioning.partition_count(), 5);
    let here = scan(units(&path), &columns).on_thread(ComputeThread::Caller);
    let found = collect(Arc::new(here), Arc::clone(&context)).await;
    assert_eq!(told(&found.unwrap()), expected);
    let events: Vec<Event> = (0..47)
        .map(|number| event(number, &hiding(number)))
        .collect();
    let batch = columns::event_batch(TABLE, &events).unwrap();
    let batch = scan(vec![ScanUnit::batch(file(), batch)], &columns);
    let found = collect(Arc::new(batch), Arc::clone(&context)).await;
    assert_eq!(told(&found.unwrap()), expected);
    // Of nothing but which rule it was, no row is read.
    let counted = scan(units(&path), &["rule"]);
    let counted = collect(Arc::new(counted), context).await.unwrap();
    let counted: usize = counted.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(counted, expected.len());
    let none = Arc::new(scan(Vec::new(), &columns));
    let none = collect(none, Arc::new(TaskContext::default())).await;
    assert_eq!(told(&none.unwrap()), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_a_row_is_and_of_which_day_comes_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..1).map(hiding));
    let context = session(Hits::over(&path));
    let query =
        format!("SELECT DISTINCT day FROM hits WHERE tenant_id = '{TENANT}' AND file = '{PATH}'");
    let days = ask(&context, &query).await.unwrap();
    let days = pretty_format_batches(&days).unwrap().to_string();
    assert!(days.contains("2026-09-14"), "{days}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_memory_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..30).map(hiding));
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(256, 1.0);
    let runtime = runtime.build_arc().unwrap();
    let context = SessionContext::new_with_config_rt(SessionConfig::new(), Arc::clone(&runtime));
    // Not even where damage may be left out.
    let hits = Hits::over(&path).leaving_out();
    context.register_table("hits", Arc::new(hits)).unwrap();
    let error = ask(&context, "SELECT * FROM hits").await.unwrap_err();
    assert!(
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
        "{error}"
    );
    let message = error.to_string();
    assert!(message.contains("RuleScanExec[0]"), "{message}");
    assert!(message.contains("more memory"), "{message}");
    assert_eq!(runtime.memory_pool.reserved(), 0, "all is given back");
    let enough = RuntimeEnvBuilder::new().with_memory_limit(64 << 20, 1.0);
    let enough = enough.build_arc().unwrap();
    let context = TaskContext::default().with_runtime(Arc::clone(&enough));
    let all = scan(units(&path), &["rule", "row", "event_id", "raw"]);
    let found = collect(Arc::new(all), Arc::new(context)).await.unwrap();
    assert!(!told(&found).is_empty());
    assert_eq!(enough.memory_pool.reserved(), 0, "all is given back");
}

/// Waits until an operator reads no more; the row groups that it has read.
async fn at_rest(scan: &RuleScanExec) -> usize {
    let start = Instant::now();
    let mut read = metric(scan, "row_groups");
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = metric(scan, "row_groups");
        if now == read {
            return read;
        }
        read = now;
        assert!(start.elapsed() < Duration::from_mins(1), "it goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_stream_ends_the_evaluation_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = store(folder.path(), (1..5).map(hiding));
    let many: Vec<ScanUnit> = units(&quiet).into_iter().cycle().take(200_000).collect();
    let context = Arc::new(TaskContext::default());
    let scan_of_many = scan(many, &["rule", "event_id"]);
    let mut stream = scan_of_many.execute(0, Arc::clone(&context)).unwrap();
    // No row of them is a hit, so that nothing comes before the end.
    let waited = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
    assert!(waited.is_err(), "it takes longer than that");
    drop(stream);
    let read = at_rest(&scan_of_many).await;
    assert!(read > 0 && read < 200_000, "{read} row groups were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_before_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..100).map(hiding));
    let all = scan(units(&path), &["rule", "event_id"]);
    let mut stream = all.execute(0, Arc::new(TaskContext::default())).unwrap();
    stream.next().await.unwrap().unwrap();
    assert_eq!(at_rest(&all).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_group_costs_that_row_group_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..30).map(hiding));
    damage(&path, 1);
    // An answer that lacks rows is none.
    let query = "SELECT rule, row, event_id FROM hits";
    let error = ask(&session(Hits::over(&path)), query).await.unwrap_err();
    assert!(error.to_string().contains("row group 1 of"), "{error}");
    assert!(error.to_string().contains(PATH), "{error}");
    // Where it may be left out, it is told.
    let hits = Hits::over(&path).leaving_out();
    let context = session(hits);
    let rows: BTreeSet<u64> = told(&ask(&context, query).await.unwrap())
        .into_iter()
        .map(|(_, row, _)| row)
        .collect();
    assert_eq!(rows, BTreeSet::from([0, 5, 20, 25]));
    let plan = ask(&context, &format!("EXPLAIN ANALYZE {query}")).await;
    let plan = pretty_format_batches(&plan.unwrap()).unwrap().to_string();
    assert!(plan.contains("row_groups_left_out=1"), "{plan}");
    let left = scan(units(&path), &["rule", "row", "event_id"]).leaving_out();
    let left = Arc::new(left);
    let plan: Arc<dyn ExecutionPlan> = Arc::clone(&left) as _;
    collect(plan, Arc::new(TaskContext::default()))
        .await
        .unwrap();
    let faults = left.left_out();
    let [LeftOut::RowGroup { file, at, rows, .. }] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert_eq!((file.as_str(), *at, *rows), (PATH, 1, 10));
}

/// A lake in a folder, of one file.
fn lake_of(folder: &Path) -> Lake {
    let config = LakeConfig {
        location: folder.display().to_string(),
        ..LakeConfig::default()
    };
    Lake::open(&config).unwrap()
}

fn announced(rows: u64) -> Announced {
    Announced {
        table: TABLE,
        file: BatchFile {
            path: PATH.to_owned(),
            tenant_id: TENANT.to_owned(),
            day: "2026-09-14".to_owned(),
            rows,
            bytes: 1,
        },
        version: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_announced_file_with_a_damaged_row_group_the_others_are_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let path = store(folder.path(), (0..30).map(hiding));
    let (rules, lake) = (rules(), lake_of(folder.path()));
    let whole = announced(30).evaluate(&rules, &lake, 1).await.unwrap();
    assert!(whole.damage.is_none());
    damage(&path, 1);
    let seen = announced(30).evaluate(&rules, &lake, 1).await.unwrap();
    assert_eq!((whole.rows, seen.rows), (30, 20));
    assert!(matches!(seen.damage, Some(DetectError::Evaluate { .. })));
    let of_others: BTreeSet<&str> = whole
        .findings
        .alerts
        .iter()
        .filter(|alert| !(10..20).contains(&alert.evidence[0].row))
        .map(|alert| alert.alert_id.as_str())
        .collect();
    let found: BTreeSet<&str> = seen
        .findings
        .alerts
        .iter()
        .map(|alert| alert.alert_id.as_str())
        .collect();
    assert!(!found.is_empty() && found.len() < whole.findings.alerts.len());
    assert_eq!(found, of_others);
}

/// Who knows where addresses are, and panics at one.
#[derive(Debug)]
struct Panics;

impl GeoLocator for Panics {
    fn place(&self, address: IpAddr) -> GeoLocation {
        assert!(address.to_string() != "203.0.113.66", "of this row");
        GeoLocation {
            coordinates: Some((52.37, 4.89)),
            ..GeoLocation::default()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_at_which_a_rule_panics_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let signs_in = |number: usize| {
        json!({"Operation": "UserLoggedIn", "UserId": "ada@contoso.test",
            "ClientIP": format!("203.0.113.{}", 60 + number)})
    };
    store(folder.path(), (0..10).map(signs_in));
    let mut collection = builtin();
    collection.places = Some(Arc::new(Panics));
    let rules = Arc::new(Ruleset::compile(&mut collection));
    let lake = lake_of(folder.path());
    let seen = announced(10).evaluate(&rules, &lake, 1).await.unwrap();
    assert_eq!(seen.panicked, [(PATH.to_owned(), 6)]);
    let rows: BTreeSet<u64> = seen
        .findings
        .signals
        .iter()
        .map(|signal| signal.evidence[0].row)
        .collect();
    let others: BTreeSet<u64> = (0..10).filter(|row| *row != 6).collect();
    assert!(rows.is_superset(&others), "{rows:?}");
}

/// What a batch of 1,000 records costs before its first row is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_costs_less_than_a_millisecond_of_planning() {
    let events: Vec<Event> = (0..1_000)
        .map(|number| event(number, &hiding(number)))
        .collect();
    let batch = columns::event_batch(TABLE, &events).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lake = lake_of(folder.path());
    let rules = rules();
    let all: Vec<usize> = (0..hit_schema(TABLE).fields().len()).collect();
    let plan = || {
        let start = Instant::now();
        let unit = ScanUnit::batch(file(), batch.clone());
        let plans = RulePlans::of(&rules, TABLE);
        let scan = RuleScanExec::new(plans, vec![vec![unit]], &all).unwrap();
        let stream = scan.execute(0, lake.task_context()).unwrap();
        let spent = start.elapsed();
        drop(stream);
        spent
    };
    // The least of several: the machine may have had other things to do.
    let spent = (0..20).map(|_| plan()).min().unwrap();
    assert!(spent < Duration::from_millis(1), "{spent:?}");
}

#[test]
fn the_first_columns_are_the_rule_the_file_and_the_row() {
    for table in Table::ALL {
        let schema = hit_schema(*table);
        let names = [RULE, ROW].map(|place| schema.field(place).name().as_str());
        assert_eq!(names, ["rule", "row"]);
        let own = schemas::arrow::file_schema(*table);
        for field in own.fields() {
            assert!(!["rule", "file", "row"].contains(&field.name().as_str()));
        }
    }
}
