//! Who a tenant is, and how its app registration proves who it is.

use crate::credential::Credential;
use crate::endpoints::Endpoints;

/// A tenant and the app registration that reads it or acts in it.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Microsoft's tenant id.
    pub tenant_id: String,
    /// The app registration's client id.
    pub client_id: String,
    /// How it proves who it is.
    pub credential: Credential,
    /// Where the tenant's cloud is.
    pub endpoints: Endpoints,
}
