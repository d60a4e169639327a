//! SQL over the lake: one read-only query at a time, over tables that stand still while it runs.

pub(crate) mod bounds;
pub(crate) mod matches;
mod provider;
pub(crate) mod session;
pub(crate) mod snapshot;
pub(crate) mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use schemas::fate::chain;
use schemas::tables::Table;

use crate::error::LakeError;
use crate::reader::Lake;
use matches::Matches;
use provider::SnapshotTable;
use snapshot::TableSnapshot;
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

impl Lake {
    /// Runs one read-only query over the tables as they are now, each at one version throughout.
    ///
    /// Names of tables and views match in any letter case, those of columns as they are written.
    ///
    /// # Errors
    /// [`LakeError::Query`] if it cannot be planned, or is not a query.
    pub async fn query(
        &self,
        sql: &str,
    ) -> Result<(SchemaRef, SendableRecordBatchStream), LakeError> {
        run(self, &self.state, sql).await
    }

    /// Like [`Self::query`], with all of the answer in memory.
    ///
    /// # Errors
    /// As [`Self::query`], and for what fails while it runs.
    pub async fn query_all(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), LakeError> {
        let (schema, stream) = self.query(sql).await?;
        Ok((
            schema,
            bounds::collect(stream, bounds::ANSWER_BYTES_MAX).await?,
        ))
    }

    /// Names of the tables and views that a query can name, with their columns, in order.
    ///
    /// # Errors
    /// [`LakeError::Query`] if a view cannot be planned.
    pub async fn tables(&self) -> Result<BTreeMap<String, SchemaRef>, LakeError> {
        names(self, &self.state).await
    }

    /// Names of the views.
    pub fn views() -> impl Iterator<Item = &'static str> {
        VIEWS.iter().map(|view| view.name)
    }
}

/// Plans and starts a query.
async fn run(
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
async fn names(
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
    snapshots: HashMap<Table, TableSnapshot>,
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
            return Ok(Arc::clone(known.provider()) as Arc<dyn TableProvider>);
        }
        let snapshot = self.lake.snapshot(table).await?;
        let provider = Arc::new(SnapshotTable::new(table, self.lake.root(table), snapshot));
        let known = TableSnapshot::new(self.lake, Arc::clone(&provider));
        self.snapshots.insert(table, known);
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
