//! The domains that each tenant's directory calls verified: what is sent there stays inside.
//!
//! Only what the tenant's own directory said to the connector counts: a file could make an attacker's domain ours.

use std::collections::BTreeMap;

use lake::Lake;
use schemas::fate::chain;
use sigma::mapping::TENANT_ID;
use sigma::placeholders::ACCEPTED_DOMAINS;
use sigma::plan::fields::text;

use crate::config::DetectConfig;
use crate::error::DetectError;

/// The newest state of each domain; one that was never verified belongs to nobody yet.
///
/// Rows of before provenance was kept have none; of those, too, only the connector wrote this source.
const QUERY: &str = "SELECT tenant_id, domain FROM (
    SELECT tenant_id, lower(domain) AS domain, is_verified,
           row_number() OVER (PARTITION BY tenant_id, lower(domain) ORDER BY ingest_time DESC, event_id) AS newest
    FROM directory_domains WHERE source = 'directory' AND coalesce(provenance, 'live') = 'live')
WHERE newest = 1 AND is_verified ORDER BY tenant_id, domain";

/// The verified domains of each tenant, in lower case and in order, by the tenant's id.
pub type Domains = BTreeMap<String, Vec<String>>;

/// The domains that the lake knows of.
///
/// # Errors
/// [`DetectError::Lake`] if the lake cannot be read.
pub async fn of_lake(lake: &Lake) -> Result<Domains, DetectError> {
    let (_, batches) = lake.query_all(QUERY).await?;
    let mut domains = Domains::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let (Some(tenant_id), Some(domain)) =
                (text(batch, TENANT_ID, row), text(batch, "domain", row))
            else {
                continue;
            };
            // A wildcard of the directory's would make all domains the tenant's own.
            if !domain.contains(['*', '?']) {
                domains.entry(tenant_id).or_default().push(domain);
            }
        }
    }
    Ok(domains)
}

/// The domains that the lake knows of; none, with a warning, where it cannot be read: for tools that a person runs.
pub async fn of_lake_or_none(lake: &Lake) -> Domains {
    of_lake(lake).await.unwrap_or_else(|error| {
        tracing::warn!(
            error = chain(&error),
            "rules do not know the directory's domains"
        );
        Domains::default()
    })
}

/// What is configured, and these domains beside the configured ones.
pub fn join(mut config: DetectConfig, domains: &Domains) -> DetectConfig {
    for (tenant_id, domains) in domains {
        let of_tenant = config.tenants.entry(tenant_id.clone()).or_default();
        let known = of_tenant.entry(ACCEPTED_DOMAINS.to_owned()).or_default();
        for domain in domains {
            if !known.contains(domain) {
                known.push(domain.clone());
            }
        }
    }
    config
}
