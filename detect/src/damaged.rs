//! Rows of vedette's own tables that cannot be read: what is known is worked out without them, and the ledger says so.

use lake::RowError;
use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::wire::Coverage;

/// Most damaged rows that are told one by one; a table of which more cannot be read is lost as a whole, and the log
/// says how many there are.
const LINES_MAX: usize = 1_000;

/// Lines of the ledger for damaged rows.
pub(crate) fn lines(damaged: &[RowError], now_us: i64) -> Vec<Coverage> {
    if let Some(first) = damaged.first() {
        metrics::counter!("detect_damaged_rows_total").increment(damaged.len() as u64);
        tracing::error!(rows = damaged.len(), %first, "rows of the lake cannot be read and are left out");
    }
    let told = damaged.iter().take(LINES_MAX);
    told.map(|error| line(error, now_us)).collect()
}

fn line(error: &RowError, now_us: i64) -> Coverage {
    let range = CoverageRange {
        tenant_id: "",
        source: "detect",
        kind: "range",
        subject: &format!("{}/{}", error.table(), error.row()),
        from: 0,
        to: 1,
    };
    let why = error.to_string();
    range.line(CoverageState::Gap, Published::default(), &why, now_us)
}
