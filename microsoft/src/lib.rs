//! The one door to Microsoft's APIs: tokens, throttling, retries and what an error means.
//!
//! A crate of its own because ingest and respond both need it and may not name each other.
//!
//! ```text
//! caller ─▶ TenantClient ─▶ host check ─▶ rate budget ─▶ token ─▶ one HTTP client ─▶ Microsoft
//!                              foreign: refused     empty: waits   401: renewed once
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use microsoft::{Audience, Client, Cloud, Endpoints, HttpConfig, MicrosoftError, Secret, Tenant, Url};
//! use schemas::environment::SystemClock;
//!
//! let client = Client::new(&HttpConfig::default(), Arc::new(SystemClock))?;
//! let tenant = client.tenant(Tenant {
//!     tenant_id: "7f3c0000-0000-4000-8000-000000000001".to_owned(),
//!     client_id: "1f00aaaa-0000-4000-8000-00000000000a".to_owned(),
//!     credential: Secret::new("never shown").into(),
//!     endpoints: Endpoints::of_cloud(Cloud::Worldwide)?,
//! });
//! let users = tenant.url(Audience::Graph, &["v1.0", "users"])?;
//! assert_eq!(users.as_str(), "https://graph.microsoft.com/v1.0/users");
//!
//! // A link in an answer leads where no token may go: nothing is sent.
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let elsewhere = Url::parse("https://graph.microsoft.com.evil.example/v1.0/users")?;
//! let refused = tenant.get(Audience::Graph, elsewhere).await;
//! assert!(matches!(refused, Err(MicrosoftError::ForeignHost { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Never: a token sent to a host that is not the audience's own; a redirect that is followed; a body
//! without a bound; a retry without a bound; a secret in a log, an error or a `Debug` text.

mod aadsts;
mod answer;
mod audience;
mod budget;
mod client;
mod config;
mod credential;
mod endpoints;
mod error;
mod http;
mod retry;
mod tenant;
mod tenant_client;
pub mod token;

pub use crate::answer::{Answer, MESSAGE_BYTES_MAX};
pub use crate::audience::Audience;
pub use crate::client::{Client, Request};
pub use crate::config::HttpConfig;
pub use crate::credential::{Certificate, Credential};
pub use crate::endpoints::{Cloud, Endpoints};
pub use crate::error::MicrosoftError;
pub use crate::retry::{ATTEMPTS_MAX, RETRY_AFTER_MAX, WAIT_IN_PLACE_MAX};
pub use crate::tenant::Tenant;
pub use crate::tenant_client::TenantClient;
pub use reqwest::Method;
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use schemas::secret::Secret;
pub use url::Url;
