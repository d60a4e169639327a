//! How to reach the simulated tenant: addresses, names, and the credentials of its app registrations.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tenant::AppRegistration;

/// Namespace of the simulated Event Hubs: the name in addresses, not a host that is called.
pub(crate) const HUB_NAMESPACE: &str = "harbour.servicebus.windows.net";
/// The hub to which diagnostic settings send.
pub(crate) const HUB_NAME: &str = "insights-logs";

/// An app registration's credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Application (client) id.
    pub client_id: String,
    /// Client secret; not shown by `Debug`.
    pub client_secret: String,
}

impl fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Registration")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl From<&AppRegistration> for Registration {
    fn from(application: &AppRegistration) -> Self {
        Self {
            client_id: application.client_id.clone(),
            client_secret: application.client_secret.clone(),
        }
    }
}

/// Everything that a client needs to know of the simulated tenant; also at `/simulator/connection`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Base of the token endpoint, of Graph and of the Management Activity API, `http://host:port`.
    pub http_url: String,
    /// Custom endpoint of the Event Hubs client, `amqp://host:port`.
    pub amqp_url: String,
    /// The tenant's id.
    pub tenant_id: String,
    /// The app registration that reads.
    pub reading: Registration,
    /// The app registration that acts.
    pub acting: Registration,
    /// Fully qualified namespace of the hub.
    pub hub_namespace: String,
    /// Name of the hub.
    pub hub_name: String,
    /// Object ids of the accounts that nobody may ever act on.
    pub break_glass_ids: Vec<String>,
}
