//! The one HTTP client: proxy, private authorities, time limits, no redirects, bounded bodies.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use schemas::limits::SETTING_BYTES_MAX;
use schemas::small_file;

use crate::config::HttpConfig;
use crate::error::MicrosoftError;

/// A whole response, whatever its status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The HTTP client.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
}

impl Http {
    /// Builds the client.
    pub(crate) fn new(config: &HttpConfig) -> Result<Self, MicrosoftError> {
        let refused = |part| move |_| MicrosoftError::HttpConfig { part };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .timeout(Duration::from_millis(config.request_timeout_ms))
            // A redirect could carry the token away from the host that was checked.
            .redirect(reqwest::redirect::Policy::none())
            // The environment is the command line's to read.
            .no_proxy();
        if !config.proxy.is_empty() {
            let proxy = reqwest::Proxy::all(&config.proxy).map_err(refused("proxy"))?;
            builder = builder.proxy(proxy);
        }
        if !config.ca_file.as_os_str().is_empty() {
            let unreadable = MicrosoftError::HttpConfig { part: "ca_file" };
            let Ok(pem) = small_file::read_text(&config.ca_file, SETTING_BYTES_MAX) else {
                return Err(unreadable);
            };
            let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(refused("ca_file"))?;
            if certificates.is_empty() {
                return Err(unreadable);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(refused("tls"))?;
        Ok(Self { client })
    }

    /// Starts a request.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        url: url::Url,
    ) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and reads the whole body, up to `limit_bytes` after decompression.
    pub(crate) async fn send(
        request: reqwest::RequestBuilder,
        host: &str,
        request_id: &str,
        limit_bytes: usize,
    ) -> Result<Response, MicrosoftError> {
        let failed = |error: reqwest::Error| MicrosoftError::Transport {
            host: host.to_owned(),
            request_id: request_id.to_owned(),
            kind: kind_of(&error),
        };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let announced = response.content_length().unwrap_or(0);
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limit_bytes {
                return Err(MicrosoftError::BodyTooLarge {
                    host: host.to_owned(),
                    request_id: request_id.to_owned(),
                    length_bytes: announced.max((body.len() + chunk.len()) as u64),
                    limit_bytes,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status,
            headers,
            body: body.freeze(),
        })
    }
}

/// What failed, without the URL: it can hold identifiers.
fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "connect"
    } else if error.is_timeout() {
        "timeout"
    } else if error.is_body() || error.is_decode() {
        "body"
    } else {
        "request"
    }
}
