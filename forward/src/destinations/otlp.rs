//! `otlp` destination: logs of OpenTelemetry over HTTP, as JSON.
//!
//! Delivery: at least once. A batch counts as delivered when the receiver answers 2xx without a partial success that
//! rejects records. Of rejected ones OTLP says how many, not which, and forbids to send them again: a batch with such
//! ones is set aside whole, as dead letters that say so, and nothing is lost that could be looked at. Idempotency: OTLP
//! has no place for it; every record has the attribute `vedette.notice.key`.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/>, "OTLP/HTTP", "Partial Success";
//! <https://opentelemetry.io/docs/specs/otel/logs/data-model/>.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::opening::{Opening, below};
use crate::contract::Notice;
use crate::destination::{Answer, BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::{Format, json, otlp};
use crate::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use crate::http::{ANSWER_BYTES_MAX, HttpConfig, HttpDoor, HttpRequest, Meaning, Method, Url};
use crate::surroundings::Surroundings;

/// Most notices of a request.
const NOTICES_MAX: usize = 500;

/// Most bytes of a request: the Collector takes 20 MiB, gRPC's own limit is 4 MiB, and records are escaped once more.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A receiver of OTLP over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// Its address, for example `https://collector.example:4318`; `/v1/logs` is added.
    pub url: String,
    /// Further headers; a value that is a reference is read from there.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How the body of a record is written.
    #[serde(default)]
    pub format: Format,
    /// How it is reached.
    #[serde(default)]
    pub http: HttpConfig,
}

/// Sends notices to a receiver of OTLP.
pub struct OtlpDestination {
    door: HttpDoor,
    url: Url,
    headers: HeaderMap,
    format: Format,
}

impl OtlpDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or a secret cannot be read.
    pub fn new(name: &str, config: &OtlpConfig, with: &Surroundings) -> Result<Self, ForwardError> {
        let mut opening = Opening::new(name, with);
        let url = opening.url("to.otlp.url", &config.url)?;
        let mut headers = HeaderMap::new();
        for (header, value) in &config.headers {
            let key = "to.otlp.headers";
            let value = opening.value(key, value)?;
            let name = HeaderName::from_bytes(header.as_bytes());
            let value = HeaderValue::from_str(value.expose().trim_end());
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(opening.fault(key, format!("\"{header}\" is no header")));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            door: opening.door(&config.http)?,
            url: below(&url, ["v1", "logs"]),
            headers,
            format: config.format,
        })
    }

    fn request(&self, batch: &[Arc<Notice>]) -> HttpRequest {
        let body = otlp::request(
            batch
                .iter()
                .map(|notice| (&**notice, self.format.render(notice))),
        );
        HttpRequest {
            method: Method::POST,
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(json::line(&body)),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

/// How many records the receiver says that it rejected; none if what answered speaks no OTLP.
fn rejected(body: &[u8]) -> Option<u64> {
    if body.is_empty() {
        return Some(0);
    }
    let said: Value = serde_json::from_slice(body).ok().filter(Value::is_object)?;
    let count = &said["partialSuccess"]["rejectedLogRecords"];
    // JSON of protobuf writes 64 bits as digits; some write a number.
    match count.as_str() {
        Some(digits) => digits.parse().ok(),
        None => Some(count.as_u64().unwrap_or(0)),
    }
}

#[async_trait]
impl Destination for OtlpDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let answer = match self.door.send(self.request(batch)).await {
            Ok(answer) => answer,
            Err(why) => return Reply::later(why),
        };
        let answered = match answer.meaning() {
            Meaning::Taken => match rejected(&answer.body) {
                Some(0) => Answer::Each(vec![Outcome::Delivered; batch.len()]),
                None => Answer::Later(Retry::because(format!(
                    "what answered speaks no OTLP: {}",
                    answer.said
                ))),
                Some(count) => {
                    let why = format!(
                        "{count} of {} records were rejected, and it is not said which: {}",
                        batch.len(),
                        answer.said
                    );
                    Answer::Each(vec![Outcome::Refused { why }; batch.len()])
                }
            },
            Meaning::TooLarge => Answer::TooLarge {
                why: answer.said.clone(),
            },
            Meaning::Later(retry) => Answer::Later(retry),
            // It does not say which record; halved until it is alone.
            Meaning::Refused { why } if batch.len() > 1 => Answer::TooLarge { why },
            Meaning::Refused { why } => Answer::Each(vec![Outcome::Refused { why }]),
        };
        Reply {
            answer: answered,
            said: answer.said,
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = "it takes logs";
        let mut asked = self.request(&[]);
        asked.body = Bytes::from(json!({"resourceLogs": []}).to_string());
        vec![match self.door.send(asked).await {
            Ok(answer) if answer.meaning() == Meaning::Taken => Validated::well(what),
            Ok(answer) => Validated::fault(what, answer.said),
            Err(why) => Validated::fault(what, why),
        }]
    }
}
