//! The one door to Microsoft's APIs: tokens, throttling, retries and what an error means.
//!
//! A crate of its own because ingest and respond both need it and may not name each other.
//!
//! ```text
//! caller ─▶ TenantClient ─▶ host check ─▶ rate budget ─▶ token ─▶ one HTTP client ─▶ Microsoft
//!                              foreign: refused     empty: waits   401: renewed once
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
