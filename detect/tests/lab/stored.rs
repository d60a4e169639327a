//! Files of a lake that tests write themselves, with row groups of ten rows, and the hits of rules in them as a table.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::AsArray as _;
use arrow::datatypes::{SchemaRef, UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use detect::rule_scan::{RulePlans, RuleScanExec, ScanFile, ScanUnit, hit_schema};
use detect::rules::builtin;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::{Value, json};
use sigma::Ruleset;
use sigma::plan::chunk::row_group::ParquetFile;
use sigma::plan::fields::text;

pub(crate) const TENANT: &str = "7f3c1d52-0000-4000-8000-00000000c0de";
pub(crate) const TABLE: Table = Table::M365Activity;
pub(crate) const PATH: &str =
    "tenant_id=7f3c1d52-0000-4000-8000-00000000c0de/day=2026-09-14/a.parquet";
const GROUP_ROWS: usize = 10;

pub(crate) fn event(number: usize, record: &Value) -> Event {
    Event {
        event_id: format!("e{number}"),
        event_time_us: Some(1_789_372_800_000_000),
        ingest_time_us: 1_789_372_801_000_000,
        source: "management_activity".to_owned(),
        raw: record.to_string().into(),
        provenance: "live".to_owned(),
        ..Event::default()
    }
}

/// An inbox rule that hides mail, in every fifth row; the others read files.
pub(crate) fn hiding(number: usize) -> Value {
    if number.is_multiple_of(5) {
        return json!({"Operation": "New-InboxRule", "UserId": format!("u{number}@contoso.test"),
            "Parameters": [{"Name": "Name", "Value": "A rule"}, {"Name": "MoveToFolder", "Value": "RSS Feeds"}]});
    }
    json!({"Operation": "FileAccessed", "UserId": format!("u{number}@contoso.test")})
}

/// Records as a file of a lake, ten rows a row group.
pub(crate) fn store(folder: &Path, records: impl Iterator<Item = Value>) -> PathBuf {
    let path = folder.join(TABLE.name()).join(PATH);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let events: Vec<Event> = records
        .enumerate()
        .map(|(number, record)| event(number, &record))
        .collect();
    let batch = columns::event_batch(TABLE, &events).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

/// Overwrites the pages of a row group; the footer is as it was.
pub(crate) fn damage(path: &Path, group: usize) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let group = reader.metadata().row_group(group).clone();
    let file = File::options().write(true).open(path).unwrap();
    for column in group.columns() {
        let (start, length) = column.byte_range();
        let noise = vec![0xff; usize::try_from(length).unwrap()];
        file.write_all_at(&noise, start).unwrap();
    }
}

pub(crate) fn file() -> ScanFile {
    ScanFile {
        path: PATH.to_owned(),
        tenant_id: TENANT.to_owned(),
        day: Some(20_710),
    }
}

pub(crate) fn units(path: &Path) -> Vec<ScanUnit> {
    let opened = ParquetFile::open(File::open(path).unwrap()).unwrap();
    ScanUnit::row_groups(file(), &opened)
}

/// The rules that come with vedette, compiled once: it takes seconds here.
pub(crate) fn rules() -> Arc<Ruleset> {
    static RULES: LazyLock<Arc<Ruleset>> =
        LazyLock::new(|| Arc::new(Ruleset::compile(&mut builtin())));
    Arc::clone(&RULES)
}

/// Places of columns, by name.
pub(crate) fn places(names: &[&str]) -> Vec<usize> {
    let schema = hit_schema(TABLE);
    let places = names.iter().map(|name| schema.index_of(name).unwrap());
    places.collect()
}

pub(crate) fn scan(units: Vec<ScanUnit>, columns: &[&str]) -> RuleScanExec {
    let plans = RulePlans::of(&rules(), TABLE);
    RuleScanExec::new(plans, vec![units], &places(columns)).unwrap()
}

/// The operator as a table, so that SQL can name it.
#[derive(Debug)]
pub(crate) struct Hits {
    units: Vec<ScanUnit>,
    plans: RulePlans,
    leaves_out: bool,
}

impl Hits {
    pub(crate) fn over(path: &Path) -> Self {
        Self {
            units: units(path),
            plans: RulePlans::of(&rules(), TABLE),
            leaves_out: false,
        }
    }

    pub(crate) fn leaving_out(self) -> Self {
        Self {
            leaves_out: true,
            ..self
        }
    }
}

#[async_trait]
impl TableProvider for Hits {
    fn schema(&self) -> SchemaRef {
        hit_schema(TABLE)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = (0..self.schema().fields().len()).collect();
        let asked = projection.unwrap_or(&all);
        let partitions = vec![self.units.clone()];
        let scan = RuleScanExec::new(self.plans.clone(), partitions, asked)?;
        Ok(Arc::new(if self.leaves_out {
            scan.leaving_out()
        } else {
            scan
        }))
    }
}

pub(crate) async fn ask(context: &SessionContext, query: &str) -> Result<Vec<RecordBatch>> {
    context.sql(query).await?.collect().await
}

pub(crate) fn session(hits: Hits) -> SessionContext {
    let context = SessionContext::new();
    context.register_table("hits", Arc::new(hits)).unwrap();
    context
}

/// Rules, rows and events of hits.
pub(crate) fn told(batches: &[RecordBatch]) -> BTreeSet<(u32, u64, String)> {
    let mut told = BTreeSet::new();
    for batch in batches {
        let rule = batch.column_by_name("rule").unwrap();
        let row = batch.column_by_name("row").unwrap();
        for at in 0..batch.num_rows() {
            told.insert((
                rule.as_primitive::<UInt32Type>().value(at),
                row.as_primitive::<UInt64Type>().value(at),
                text(batch, "event_id", at).unwrap(),
            ));
        }
    }
    told
}
