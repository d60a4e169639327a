//! How Microsoft is reached.

use std::path::PathBuf;
use std::time::Duration;

use schemas::limits::CHANGE_WAIT_MAX;
use serde::{Deserialize, Serialize};

/// One HTTP client for every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Proxy for every call, as a URL; empty for none. The environment's proxies are not read.
    pub proxy: String,
    /// PEM file with certificate authorities that are trusted besides the system's; empty for none.
    pub ca_file: PathBuf,
    /// Longest wait for a connection, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest time for one request with its whole body, in milliseconds.
    pub request_timeout_ms: u64,
    /// Shortest wait before a retry, in milliseconds; it doubles with each one.
    pub retry_wait_ms: u64,
    /// Most requests a minute for each tenant and audience.
    pub requests_per_minute: u32,
}

impl HttpConfig {
    /// Longest that one try of a request may take that changes something and is sent once.
    pub fn change_wait(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms).min(CHANGE_WAIT_MAX)
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            proxy: String::new(),
            ca_file: PathBuf::new(),
            connect_timeout_ms: 10_000,
            // A blob of 256 MiB at 2 MiB/s.
            request_timeout_ms: 130_000,
            retry_wait_ms: 500,
            // The Management Activity API's baseline is 2,000 a minute for each tenant.
            requests_per_minute: 1_800,
        }
    }
}
