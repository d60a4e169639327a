//! `SELECT … FROM matches('NAME')`: the rows of a table for which a named condition holds.
//!
//! The lake knows nothing of rules: whoever opens it says what a name means.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use schemas::tables::Table;

use super::snapshot::TableSnapshot;
use crate::reader::Conditions;

/// Name of the table function.
pub(crate) const NAME: &str = "matches";

/// The table function, over the tables as one query sees them.
#[derive(Debug)]
pub(crate) struct Matches {
    pub(crate) conditions: Arc<dyn Conditions>,
    pub(crate) tables: HashMap<Table, TableSnapshot>,
}

impl TableFunctionImpl for Matches {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let [Expr::Literal(ScalarValue::Utf8(Some(name)), _)] = args.exprs() else {
            return plan_err!("{NAME} takes one text, for example {NAME}('SAAS-M365-00001')");
        };
        let Some(table) = self.conditions.table(name) else {
            let names = self.conditions.names().join(", ");
            return plan_err!("no rule is called \"{name}\"; there are {names}");
        };
        let Some(snapshot) = self.tables.get(&table) else {
            return plan_err!("table {table} cannot be read here");
        };
        self.conditions.rows(name, snapshot.clone())
    }
}
