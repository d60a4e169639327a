//! What every query starts from.

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use crate::error::LakeError;

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
