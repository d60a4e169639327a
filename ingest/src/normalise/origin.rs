//! Where bytes come from, as far as a record does not say itself. Pure.

use schemas::provenance::Provenance;

use super::dates::Dates;

/// Where bytes come from, as far as a record does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The tenant, where the source knows it; records of imports say it themselves.
    pub tenant_id: Option<&'a str>,
    /// [`Provenance::Live`] for a connector, which makes those that name another tenant [`Provenance::Foreign`];
    /// anything else is kept as it is.
    pub provenance: Provenance,
    /// The connector.
    pub source: &'static str,
    /// The feed's category for records that have none, for example `Audit.Exchange`.
    pub category: Option<&'a str>,
    /// When the bytes were accepted, in microseconds since the Unix epoch, UTC.
    pub ingest_time_us: i64,
    /// What tells day from month in dates whose form does not; Microsoft's services write the month first.
    pub dates: Dates<'a>,
}

/// Tenant of records that do not say theirs.
pub const UNKNOWN_TENANT: &str = "unknown";
