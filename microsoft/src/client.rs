//! What is shared by all tenants, and what a request is.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use schemas::environment::Clock;
use serde_json::Value;
use url::Url;

use crate::config::HttpConfig;
use crate::error::MicrosoftError;
use crate::http::Http;

/// The HTTP client that all tenants share. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: Http,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retry_wait: Duration,
    /// Longest that a request may take that is sent once.
    pub(crate) single_wait: Duration,
    pub(crate) requests_per_minute: u32,
}

impl Client {
    /// Builds the client.
    ///
    /// # Errors
    /// [`MicrosoftError::HttpConfig`] names the part of the configuration that cannot be used.
    pub fn new(config: &HttpConfig, clock: Arc<dyn Clock>) -> Result<Self, MicrosoftError> {
        Ok(Self {
            http: Http::new(config)?,
            clock,
            retry_wait: Duration::from_millis(config.retry_wait_ms),
            single_wait: config.change_wait(),
            requests_per_minute: config.requests_per_minute,
        })
    }
}

/// A request to one of Microsoft's APIs.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) client_request_id: String,
    pub(crate) is_repeatable: bool,
    pub(crate) is_single: bool,
}

impl Request {
    /// A request with a fresh `client-request-id`.
    ///
    /// A POST is sent again only if it was surely not carried out, everything else also after a lost answer.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            is_repeatable: method != Method::POST,
            is_single: false,
            method,
            url,
            headers: Vec::new(),
            body: None,
            client_request_id: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// With a JSON body.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With a header besides those that every call has.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a `client-request-id` of the caller's, for example one that it has made durable before.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.client_request_id);
        self
    }

    /// Says that carrying it out twice is the same as once, so that a lost answer may be retried.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// Sent once: whether it is sent again is for the caller, who looks first what became of it.
    ///
    /// It takes at most [`HttpConfig::change_wait`]. A token that was refused is still renewed: what it came with was not carried out.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_single = true;
        self
    }

    /// Its `client-request-id`.
    pub fn request_id(&self) -> &str {
        &self.client_request_id
    }
}
