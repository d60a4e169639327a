//! What ingest promises, against small servers of the test and against the simulated tenant.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where an assumption does not hold"
)]

mod backlog;
mod directory;
mod directory_answers;
mod fake;
mod files;
mod graph_alerts;
mod lab;
mod management_activity;
mod outages;
mod replaced;
mod shapes;
mod simulated_tenant;
