//! SQL over the lake: one read-only query at a time, over tables that stand still while it runs.

pub(crate) mod bounds;
pub(crate) mod matches;
mod provider;
pub(crate) mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use schemas::fate::chain;
use schemas::tables::Table;

use crate::error::LakeError;
use crate::reader::Lake;
use matches::Matches;
use provider::SnapshotTable;
use views::{VIEWS, View};

/// Texts as literals of SQL, separated by commas: whatever a tenant wrote, it stays text.
pub fn literals(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let all: Vec<String> = texts
        .into_iter()
        .map(|text| quoted(text.as_ref()))
        .collect();
    all.join(", ")
}

/// Most memory that queries of one reader may hold, in bytes; sorts and joins beyond it go to the disk.
const QUERY_MEMORY_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;

/// What every query starts from.
pub(crate) fn session() -> Result<SessionState, LakeError> {
    let mut config = SessionConfig::new().with_information_schema(true);
    let options = config.options_mut();
    // Columns of the views are written as Microsoft writes them, without quotes.
    options.sql_parser.enable_ident_normalization = false;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_limit(QUERY_MEMORY_BYTES_MAX, 1.0)
        .build_arc()?;
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build())
}

/// Plans and starts a query.
pub(crate) async fn run(
    lake: &Lake,
    state: &SessionState,
    sql: &str,
) -> Result<(SchemaRef, SendableRecordBatchStream), LakeError> {
    let context = context(state)?;
    let dialect = state.config().options().sql_parser.dialect;
    if let Some(dialect) = dialect_from_str(dialect) {
        bounds::check(sql, dialect.as_ref())?;
    }
    let statement = state.sql_to_statement(sql, &dialect)?;
    let mut names = state.resolve_table_references(&statement)?;
    if names
        .iter()
        .any(|name| name.schema() == Some("information_schema"))
    {
        names.extend(all_names().map(TableReference::bare));
    }
    let mut catalogue = Catalogue {
        lake,
        context: &context,
        snapshots: HashMap::new(),
    };
    let calls_matches = names.iter().any(|name| name.table() == matches::NAME);
    for name in names {
        catalogue.register(name.table()).await?;
    }
    if calls_matches {
        catalogue.register_matches().await?;
    }
    let start = async {
        let plan = context.state().statement_to_plan(statement).await?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let frame = context.execute_logical_plan(plan).await?;
        frame.execute_stream().await
    };
    let stream = bounds::without_panics(start).await??;
    Ok((stream.schema(), bounds::stream_without_panics(stream)))
}

/// Every table and view with its columns.
pub(crate) async fn names(
    lake: &Lake,
    state: &SessionState,
) -> Result<BTreeMap<String, SchemaRef>, LakeError> {
    let context = context(state)?;
    let mut catalogue = Catalogue {
        lake,
        context: &context,
        snapshots: HashMap::new(),
    };
    let mut found = BTreeMap::new();
    for name in all_names() {
        // A table that cannot be read is missed by whoever asks for it, and by nobody else.
        if let Err(error) = catalogue.register(name).await {
            tracing::warn!(name, error = chain(&error), "could not read the table");
            continue;
        }
        found.insert(
            name.to_owned(),
            context
                .table_provider(TableReference::bare(name))
                .await?
                .schema(),
        );
    }
    Ok(found)
}

fn all_names() -> impl Iterator<Item = &'static str> {
    Table::ALL
        .iter()
        .map(|table| table.name())
        .chain(VIEWS.iter().map(|view| view.name))
}

/// A context of its own for each query, so that its tables cannot move under it.
fn context(state: &SessionState) -> Result<SessionContext, LakeError> {
    let defaults = &state.config().options().catalog;
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(
        &defaults.default_schema,
        Arc::new(MemorySchemaProvider::new()),
    )?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(defaults.default_catalog.clone(), Arc::new(catalog));
    let state = SessionStateBuilder::new_from_existing(state.clone())
        .with_catalog_list(Arc::new(catalogs))
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// Registers the names that a query uses, and holds one snapshot of each table for it.
struct Catalogue<'a> {
    lake: &'a Lake,
    context: &'a SessionContext,
    snapshots: HashMap<Table, Arc<dyn TableProvider>>,
}

impl Catalogue<'_> {
    /// Makes a name known, as it was typed; names that nobody has are left for the planner to complain about.
    async fn register(&mut self, name: &str) -> Result<(), LakeError> {
        let table = Table::ALL
            .iter()
            .find(|table| table.name().eq_ignore_ascii_case(name));
        if let Some(table) = table {
            let provider = self.snapshot(*table).await?;
            return self.add(name, provider);
        }
        let Some(view) = VIEWS
            .iter()
            .find(|view| view.name.eq_ignore_ascii_case(name))
        else {
            return Ok(());
        };
        let provider = self.view(view).await?;
        self.add(name, provider)
    }

    fn add(&self, name: &str, provider: Arc<dyn TableProvider>) -> Result<(), LakeError> {
        let reference = TableReference::bare(name);
        if !self.context.table_exist(reference.clone())? {
            self.context.register_table(reference, provider)?;
        }
        Ok(())
    }

    /// Makes `matches('NAME')` known, over the same snapshots as everything else in the query.
    async fn register_matches(&mut self) -> Result<(), LakeError> {
        let Some(conditions) = self.lake.conditions() else {
            return Ok(());
        };
        conditions.prepare(self.lake).await?;
        for table in Table::EVENTS {
            self.snapshot(*table).await?;
        }
        let function = Matches {
            conditions,
            tables: self.snapshots.clone(),
        };
        self.context
            .register_udtf(matches::NAME, Arc::new(function));
        Ok(())
    }

    async fn view(&mut self, view: &View) -> Result<Arc<dyn TableProvider>, LakeError> {
        for table in view.tables {
            let provider = self.snapshot(*table).await?;
            self.add(table.name(), provider)?;
        }
        Ok(self.context.sql(view.sql).await?.into_view())
    }

    async fn snapshot(&mut self, table: Table) -> Result<Arc<dyn TableProvider>, LakeError> {
        if let Some(known) = self.snapshots.get(&table) {
            return Ok(Arc::clone(known));
        }
        let snapshot = self.lake.snapshot(table).await?;
        let provider: Arc<dyn TableProvider> =
            Arc::new(SnapshotTable::new(table, self.lake.root(table), snapshot));
        self.snapshots.insert(table, Arc::clone(&provider));
        Ok(provider)
    }
}

impl From<LakeError> for DataFusionError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Query(error) => error,
            other => Self::External(Box::new(other)),
        }
    }
}
