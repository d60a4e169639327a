//! A rule as a condition of SQL: `SELECT … FROM matches('RULE')` are the rows that it finds.
//!
//! The condition is a function over the columns that the rule reads, and it evaluates the rule's plan: the same
//! code that runs on the stream.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::common::{Column, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lake::{Conditions, Lake};
use schemas::tables::Table;
use sigma::mapping::Mapping;
use sigma::plan::chunk::Batch;
use sigma::{Plan, Rule, Ruleset};
use tokio::sync::OnceCell;

use crate::config::DetectConfig;
use crate::domains;
use crate::rules::ruleset;

/// Rules that SQL can name, by label, id, or title in any letter case; compiled when a query first names one.
#[derive(Debug)]
pub struct RuleConditions {
    config: DetectConfig,
    rules: OnceCell<Ruleset>,
}

impl RuleConditions {
    /// The rules of a configuration, which will know the domains that the lake's directory has.
    pub fn new(config: DetectConfig) -> Self {
        Self {
            config,
            rules: OnceCell::new(),
        }
    }

    fn rules(&self) -> &[Rule] {
        self.rules.get().map_or(&[], Ruleset::rules)
    }
}

#[async_trait]
impl Conditions for RuleConditions {
    async fn prepare(&self, lake: &Lake) -> Result<()> {
        let compile = || async {
            let domains = domains::of_lake_or_none(lake).await;
            ruleset(&domains::join(self.config.clone(), &domains))
        };
        let compiled = self.rules.get_or_try_init(compile).await;
        compiled.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(())
    }

    fn find(&self, name: &str) -> Option<(Table, Expr)> {
        let is_called = |rule: &&Rule| {
            [&rule.label, &rule.id, &rule.sigma.title]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let rule = self.rules().iter().find(is_called)?;
        let (plan, refused) = Plan::new(Mapping::Lake(rule.table), [(0, &rule.sigma)]);
        refused
            .is_empty()
            .then(|| (rule.table, condition(&rule.id, plan)))
    }

    fn names(&self) -> Vec<String> {
        let rules = self.rules().iter();
        rules.map(|rule| rule.label.clone()).collect()
    }
}

/// The plan of one rule as an expression over the columns that it reads.
fn condition(id: &str, plan: Plan) -> Expr {
    let columns: Vec<String> = plan.columns().into_iter().map(str::to_owned).collect();
    let arguments = columns
        .iter()
        .map(|name| Expr::Column(Column::new_unqualified(name)))
        .collect();
    let function = ScalarUDF::new_from_impl(RuleFunction {
        id: id.to_owned(),
        signature: Signature::any(columns.len(), Volatility::Immutable),
        columns,
        plan,
    });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), arguments))
}

/// A rule as `DataFusion` sees it.
#[derive(Debug)]
struct RuleFunction {
    id: String,
    columns: Vec<String>,
    plan: Plan,
    signature: Signature,
}

impl PartialEq for RuleFunction {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for RuleFunction {}

impl Hash for RuleFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl ScalarUDFImpl for RuleFunction {
    fn name(&self) -> &'static str {
        "sigma_rule"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|value| value.to_array(args.number_rows))
            .collect::<Result<_>>()?;
        let fields: Vec<Field> = self
            .columns
            .iter()
            .zip(&arrays)
            .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(args.number_rows));
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let mut found = BooleanBufferBuilder::new(args.number_rows);
        found.append_n(args.number_rows, false);
        for hits in self.plan.evaluate(&mut Batch(&batch))? {
            for row in hits.rows {
                found.set_bit(row, true);
            }
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(
            found.finish(),
            None,
        ))))
    }
}
