//! The sources: one file per connector.

pub(crate) mod desk;
mod directory;
mod event_hubs;
pub mod files;
mod graph_alerts;
pub(crate) mod live_source;
mod management_activity;

use crate::config::TenantConfig;
use desk::Desk;
use live_source::{MadeSource, TenantSources};

/// The live sources of a tenant. Nothing outside this list is read.
pub(crate) fn of_tenant(tenant: &TenantConfig, desk: &Desk) -> Vec<MadeSource> {
    let made = Vec::new();
    let mut sources = TenantSources { desk, made };
    sources.add(&tenant.event_hubs, event_hubs::EventHubs::new);
    sources.add(
        &tenant.management_activity,
        management_activity::ManagementActivity::new,
    );
    sources.add(&tenant.graph_alerts, graph_alerts::GraphAlerts::new);
    sources.add(&tenant.directory, directory::Directory::new);
    sources.made
}
