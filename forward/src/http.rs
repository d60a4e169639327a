//! The one HTTP door: guarded addresses, verified TLS, no redirects, time limits, bounded answers.
//!
//! Never: a request to an address that the guard refuses, whatever a name leads to at that moment; a redirect that is
//! followed; an answer that is read beyond its limit, before or after decompression; a secret in what is said of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use schemas::environment::{Clock, SystemClock};
use schemas::fate::chain;
use schemas::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::destination::Retry;
use crate::error::ForwardError;
use crate::guard::{Guard, Network, is_this_machine};
use crate::pace::parse_retry_after;
use crate::said::Redaction;
use crate::surroundings::Surroundings;
use crate::tls::{self, TlsConfig};

pub use reqwest::{Method, header};
pub use url::Url;

/// Most of an answer that is read where nobody needs more, in bytes after decompression.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How a destination is reached over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Networks that may be reached although they are private, for example `["10.20.0.0/16"]`; all others are refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_networks: Vec<Network>,
    /// Whom to trust, and who we are.
    pub tls: TlsConfig,
    /// Allows `http://` to other machines: whoever is on the way reads the alerts and the credentials.
    pub insecure: bool,
    /// Proxy, as a URL; empty for none. It resolves the names, so what they lead to is its own to guard.
    pub proxy: String,
    /// Longest wait for a connection, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Longest time for one request with its whole answer, in milliseconds; at most 30 s.
    pub request_timeout_ms: u64,
}

/// Longest time for one request, whatever is configured: a batch must end within the stage's limit.
const REQUEST_MAX: Duration = Duration::from_secs(30);

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            tls: TlsConfig::default(),
            insecure: false,
            proxy: String::new(),
            connect_timeout_ms: 10_000,
            request_timeout_ms: 15_000,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Its headers; mark those that hold secrets as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Most of the answer's body that is read, in bytes after decompression; the rest is left.
    pub answer_bytes_max: usize,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as far as it was read.
    pub body: Bytes,
    /// Whether there was more of it, or reading it failed.
    pub is_cut: bool,
    /// What `Retry-After` asks for, as it was said.
    pub retry_after: Option<Duration>,
    /// Status and body for a person: cut, escaped, without our secrets.
    pub said: String,
}

/// What an answer's status means to whoever sent a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// 2xx: it was taken.
    Taken,
    /// 413.
    TooLarge,
    /// Throttled, overloaded, or a configuration that a person has to mend: the same notice may be taken later.
    Later(Retry),
    /// The receiver will never take this.
    Refused {
        /// What it said.
        why: String,
    },
}

impl HttpAnswer {
    /// What the status means by itself.
    ///
    /// Source: RFC 9110 §15. What is wrong with the address or the credentials is wrong for every notice, so nothing is
    /// set aside for it.
    pub fn meaning(&self) -> Meaning {
        let later = |fix: &str| {
            Meaning::Later(Retry {
                after: self.retry_after,
                why: if fix.is_empty() {
                    self.said.clone()
                } else {
                    format!("{}; fix: {fix}", self.said)
                },
            })
        };
        match self.status {
            200..=299 => Meaning::Taken,
            300..=399 => later("redirects are not followed: name the address that it leads to"),
            401 | 403 => later("give it credentials that may write there"),
            404 | 405 => later("name the address that takes messages"),
            410 => {
                later("the receiver was removed: remove this destination, or name another address")
            }
            407 => later("give the proxy its credentials"),
            413 => Meaning::TooLarge,
            408 | 421 | 425 | 429 | 500..=599 => later(""),
            _ => Meaning::Refused {
                why: self.said.clone(),
            },
        }
    }
}

/// The HTTP door of a destination.
#[derive(Debug, Clone)]
pub struct HttpDoor {
    client: reqwest::Client,
    guard: Arc<Guard>,
    clock: Arc<SystemClock>,
    insecure: bool,
    redaction: Redaction,
}

impl HttpDoor {
    /// A door for the destination `name`; nothing is connected yet. `redaction` has its secrets.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a certificate, key or proxy cannot be used.
    pub fn new(
        name: &str,
        config: &HttpConfig,
        with: &Surroundings,
        mut redaction: Redaction,
    ) -> Result<Self, ForwardError> {
        let fault = |key, why: String| ForwardError::Setting {
            name: name.to_owned(),
            key,
            why,
        };
        let tls = tls::client(&config.tls, with).map_err(|why| fault("http.tls", why))?;
        let request = Duration::from_millis(config.request_timeout_ms).min(REQUEST_MAX);
        let mut guard = Guard::new(config.allow_networks.clone());
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms).min(request))
            .timeout(request)
            // It could lead past the guard, and carry credentials away from the host that they are for.
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls)
            // The environment is the command line's to read.
            .no_proxy();
        if !config.proxy.is_empty() {
            let proxy = with
                .resolve(&config.proxy)
                .map_err(|why| fault("http.proxy", why))?;
            let url = Url::parse(proxy.expose())
                .map_err(|error| fault("http.proxy", format!("it is no URL: {error}")))?;
            guard.trust(url.host_str().unwrap_or_default());
            let door = reqwest::Proxy::all(proxy.expose())
                .map_err(|_| fault("http.proxy", "it is no proxy that can be used".to_owned()))?;
            builder = builder.proxy(door);
            redaction.hide(&proxy);
        }
        let guard = Arc::new(guard);
        let client = builder
            .dns_resolver(Arc::new(GuardedNames(Arc::clone(&guard))))
            .build()
            .map_err(|error| fault("http", chain(&error)))?;
        Ok(Self {
            client,
            guard,
            clock: Arc::new(SystemClock),
            insecure: config.insecure,
            redaction,
        })
    }

    /// The same door, which shows this secret as little as those that it knows: a token that was given meanwhile.
    #[must_use]
    pub fn hiding(&self, secret: &Secret) -> Self {
        let mut door = self.clone();
        door.redaction.hide(secret);
        door
    }

    /// Sends a request and reads its answer, up to its limit.
    ///
    /// # Errors
    /// Why there is no answer, for a person, and without the URL: it can hold secrets.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, String> {
        self.check(&request.url)?;
        let limit = request.answer_bytes_max;
        let mut answer = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(|error| self.told(error))?;
        let status = answer.status().as_u16();
        let headers = std::mem::take(answer.headers_mut());
        let mut body = BytesMut::new();
        let mut is_cut = false;
        loop {
            match answer.chunk().await {
                Ok(None) => break,
                Ok(Some(piece)) => {
                    let room = limit - body.len();
                    body.extend_from_slice(&piece[..piece.len().min(room)]);
                    if piece.len() > room {
                        is_cut = true;
                        break;
                    }
                }
                // The status has come and counts; a body that never ends is not waited for twice.
                Err(_) => {
                    is_cut = true;
                    break;
                }
            }
        }
        let body = body.freeze();
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| parse_retry_after(text, self.clock.now_us()));
        let said = self
            .redaction
            .said(&format!("HTTP {status} {}", String::from_utf8_lossy(&body)));
        Ok(HttpAnswer {
            status,
            headers,
            body,
            is_cut,
            retry_after,
            said,
        })
    }

    /// Whether an address may be asked, as far as it can be told without resolving its name.
    ///
    /// # Errors
    /// Why not, and how to mend it.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let host = url.host().ok_or("the address names no host")?;
        match url.scheme() {
            "https" => {}
            "http" if self.insecure || is_this_machine(&host) => {}
            "http" => {
                return Err(
                    "http:// is not encrypted: whoever is on the way reads the alerts and the credentials; fix: \
                     https://, or insecure = true"
                        .to_owned(),
                );
            }
            scheme => return Err(format!("{scheme}:// is not spoken here; fix: https://")),
        }
        self.guard.check_literal(&host)
    }

    /// Why there was no answer.
    fn told(&self, error: reqwest::Error) -> String {
        let error = error.without_url();
        let what = if error.is_timeout() {
            "it did not answer in time"
        } else if error.is_connect() {
            "it could not be connected to"
        } else {
            "the request failed"
        };
        self.redaction.said(&format!("{what}: {}", chain(&error)))
    }
}

/// Resolves names to addresses that the guard allows: what it connects to is what was looked at.
struct GuardedNames(Arc<Guard>);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = guard.allowed(name.as_str(), found)?;
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

impl HttpConfig {
    /// Every path in it.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.tls.paths_mut()
    }
}
