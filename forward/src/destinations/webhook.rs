//! `webhook` destination: one `POST` for each notice, signed as Standard Webhooks 1.0 asks.
//!
//! Delivery: at least once. A notice counts as delivered when the receiver answers 2xx. Idempotency: `webhook-id` is the
//! notice's key, the same in every try. A notice that the receiver refuses (4xx beside those about address, credentials
//! and load) is a dead letter; the next one is sent all the same.
//!
//! Signature: `webhook-signature` has one `v1,` and HMAC-SHA256 over `id.timestamp.body` for each secret, so that a new
//! secret can be added before the receiver knows it, and the old one removed after.
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemas::environment::{Clock, SystemClock};
use schemas::secret::Secret;
use serde::{Deserialize, Serialize};

use super::one_by_one::{self, SendOne};
use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Outcome, Reply, Validated};
use crate::error::ForwardError;
use crate::formats::Format;
use crate::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use crate::http::{ANSWER_BYTES_MAX, HttpConfig, HttpDoor, HttpRequest, Method, Url};
use crate::said::Redaction;
use crate::surroundings::Surroundings;

/// Most notices of a batch: one request each, one after the other, so that versions stay in order.
const NOTICES_MAX: usize = 100;

/// Most bytes of them.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Fewest bytes of a signing secret, as Standard Webhooks asks.
const SECRET_BYTES_MIN: usize = 24;

/// A receiver of webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to; a reference, `env:NAME` or `file:PATH`, where the address itself is a secret.
    pub url: String,
    /// References to signing secrets, `whsec_…`; every one signs. Without any, requests are not signed.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Further headers; a value that is a reference is read from there.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How a notice is written.
    #[serde(default)]
    pub format: Format,
    /// How it is reached.
    #[serde(default)]
    pub http: HttpConfig,
}

/// Sends notices to a receiver of webhooks.
pub struct WebhookDestination {
    door: HttpDoor,
    url: Url,
    keys: Vec<hmac::Key>,
    headers: HeaderMap,
    format: Format,
    clock: Arc<dyn Clock>,
}

impl WebhookDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or a secret cannot be read.
    pub fn new(
        name: &str,
        config: &WebhookConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let fault = |key, why: String| ForwardError::Setting {
            name: name.to_owned(),
            key,
            why,
        };
        let mut redaction = Redaction::default();
        let address = with
            .resolve(&config.url)
            .map_err(|why| fault("to.webhook.url", why))?;
        if address.expose() != config.url {
            redaction.hide(&address);
        }
        let url = Url::parse(address.expose())
            .map_err(|error| fault("to.webhook.url", format!("it is no URL: {error}")))?;
        let mut keys = Vec::new();
        for reference in &config.secrets {
            let secret = with
                .resolve_reference(reference)
                .map_err(|why| fault("to.webhook.secrets", why))?;
            redaction.hide(&secret);
            keys.push(signing_key(&secret).map_err(|why| fault("to.webhook.secrets", why))?);
        }
        let mut headers = HeaderMap::new();
        for (header, value) in &config.headers {
            let value = with
                .resolve(value)
                .map_err(|why| fault("to.webhook.headers", why))?;
            redaction.hide(&value);
            let (header, value) = header_of(header, &value)
                .ok_or_else(|| fault("to.webhook.headers", format!("\"{header}\" is no header")))?;
            headers.insert(header, value);
        }
        Ok(Self {
            door: HttpDoor::new(name, &config.http, with, redaction)?,
            url,
            keys,
            headers,
            format: config.format,
            clock: Arc::new(SystemClock),
        })
    }

    /// The request for one notice.
    fn request(&self, notice: &Notice) -> HttpRequest {
        let id = notice.idempotency_key();
        let seconds = self.clock.now_us().div_euclid(1_000_000).to_string();
        let body = self.format.render(notice);
        let mut headers = self.headers.clone();
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(self.format.media_type()));
        let signature = signature(&self.keys, &id, &seconds, &body);
        for (name, text) in [
            ("webhook-id", id),
            ("webhook-timestamp", seconds),
            ("webhook-signature", signature),
        ] {
            // An id of Microsoft's is plain text; one that is none could not be sent, and is not.
            if let Ok(value) = HeaderValue::from_str(&text)
                && !text.is_empty()
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        HttpRequest {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: Bytes::from(body),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

#[async_trait]
impl SendOne for WebhookDestination {
    async fn send_one(&self, notice: &Notice) -> (Outcome, String) {
        one_by_one::ask(&self.door, self.request(notice)).await
    }
}

#[async_trait]
impl Destination for WebhookDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        one_by_one::deliver(self, batch, Duration::ZERO).await
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = match self.url.host_str() {
            Some(host) => format!("{host} answers over {}", self.url.scheme()),
            None => "the address can be asked".to_owned(),
        };
        let asked = self
            .door
            .send(HttpRequest {
                method: Method::HEAD,
                url: self.url.clone(),
                headers: self.headers.clone(),
                body: Bytes::new(),
                answer_bytes_max: ANSWER_BYTES_MAX,
            })
            .await;
        let reached = match asked {
            Err(why) => Validated::fault(what, why),
            Ok(answer) => match answer.status {
                401 | 403 => Validated::fault(
                    what,
                    format!(
                        "{}; fix: give it credentials that may write there",
                        answer.said
                    ),
                ),
                500..=599 => Validated::fault(what, answer.said),
                // What takes POST only says so; that it speaks HTTP is what was asked.
                _ => Validated::well(what),
            },
        };
        let signed = if self.keys.is_empty() {
            Validated::fault(
                "requests are signed",
                "no secret is configured: the receiver cannot tell them from forged ones; fix: secrets = [\"file:…\"] \
                 with whsec_ and the output of `openssl rand -base64 32` in the file",
            )
        } else {
            Validated::well(format!(
                "requests are signed by {} secret(s)",
                self.keys.len()
            ))
        };
        vec![reached, signed]
    }
}

/// A header as it is sent; its value is kept from logs.
fn header_of(name: &str, value: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value.expose()).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// The key in a secret, `whsec_` and base64.
fn signing_key(secret: &Secret) -> Result<hmac::Key, String> {
    let text = secret.expose();
    let bytes = STANDARD
        .decode(text.strip_prefix("whsec_").unwrap_or(text))
        .map_err(|_| "a secret is whsec_ and base64".to_owned())?;
    if bytes.len() < SECRET_BYTES_MIN {
        return Err(format!(
            "a secret has {SECRET_BYTES_MIN} bytes at least, and this one {}; fix: `openssl rand -base64 32`",
            bytes.len()
        ));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The value of `webhook-signature`; empty without a key.
fn signature(keys: &[hmac::Key], id: &str, seconds: &str, body: &str) -> String {
    let signed: Vec<String> = keys
        .iter()
        .map(|key| {
            let tag = hmac::sign(key, format!("{id}.{seconds}.{body}").as_bytes());
            format!("v1,{}", STANDARD.encode(tag.as_ref()))
        })
        .collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use schemas::secret::Secret;

    use super::{signature, signing_key};

    /// The example of the specification's own libraries.
    #[test]
    fn signs_as_the_reference_does() {
        let key =
            signing_key(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).expect("a key");
        let signed = signature(
            &[key.clone(), key],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed, format!("{one} {one}"));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_and_not_shown() {
        for weak in ["whsec_aHVudGVyMg==", "whsec_hunter2!"] {
            let error = signing_key(&Secret::new(weak)).expect_err("too short or no base64");
            assert!(
                !error.contains("hunter2") && !error.contains("aHVu"),
                "{error}"
            );
        }
    }
}
