//! `SELECT … FROM matches('NAME')`: the rows of a table for which a named condition holds.
//!
//! The lake knows nothing of rules: whoever opens it says what a name means.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use schemas::tables::Table;

use crate::reader::Conditions;

/// Name of the table function.
pub(crate) const NAME: &str = "matches";

/// The table function, over the tables as one query sees them.
#[derive(Debug)]
pub(crate) struct Matches {
    pub(crate) conditions: Arc<dyn Conditions>,
    pub(crate) tables: HashMap<Table, Arc<dyn TableProvider>>,
}

impl TableFunctionImpl for Matches {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let [Expr::Literal(ScalarValue::Utf8(Some(name)), _)] = args.exprs() else {
            return plan_err!("{NAME} takes one text, for example {NAME}('SAAS-M365-00001')");
        };
        let Some((table, condition)) = self.conditions.find(name) else {
            let names = self.conditions.names().join(", ");
            return plan_err!("no rule is called \"{name}\"; there are {names}");
        };
        let Some(provider) = self.tables.get(&table) else {
            return plan_err!("table {table} cannot be read here");
        };
        let plan =
            LogicalPlanBuilder::scan(table.name(), provider_as_source(Arc::clone(provider)), None)?
                .filter(condition)?
                .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}
