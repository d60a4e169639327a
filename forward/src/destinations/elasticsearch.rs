//! `elasticsearch` destination: the `_bulk` API of Elasticsearch and OpenSearch.
//!
//! Delivery: at least once, and kept once: every document is created under its notice's key as `_id`, so that the second
//! of two is refused as there already (409), which counts as delivered. HTTP 200 says nothing of the single document: each
//! item's own status does. An item that cannot be mapped (400) is a dead letter; those that were throttled (429) or failed
//! (5xx) are tried again, without the others.
//!
//! `index` may be a data stream, an alias or an index. In a data stream an `_id` is unique within its present backing index.
//! Give the index the template in `deploy/elasticsearch/template.json` first: without one, the first text that looks like a
//! date makes dates of all that follow, and those that are none are refused.
//! Source: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>,
//! <https://docs.opensearch.org/latest/api-reference/document-apis/bulk/>.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemas::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::opening::{Opening, below};
use crate::contract::Notice;
use crate::destination::{Answer, BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::{Format, json};
use crate::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use crate::http::{ANSWER_BYTES_MAX, HttpConfig, HttpDoor, HttpRequest, Meaning, Method, Url};
use crate::surroundings::Surroundings;

/// Most notices of a request.
const NOTICES_MAX: usize = 1_000;

/// Most bytes of a request: well below `http.max_content_length` (100 MB), as the documentation advises.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most of an answer that is read: an item's status and error is some hundred bytes.
const ITEMS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An Elasticsearch or OpenSearch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElasticsearchConfig {
    /// Its address, for example `https://elastic.example:9200`.
    pub url: String,
    /// The data stream, alias or index.
    #[serde(default = "index")]
    pub index: String,
    /// Reference to an API key in its encoded form; empty for none.
    #[serde(default)]
    pub api_key: String,
    /// A user, where there is no API key; empty for none.
    #[serde(default)]
    pub user: String,
    /// Reference to the user's password.
    #[serde(default)]
    pub password: String,
    /// How a notice is written; one of the JSON formats.
    #[serde(default = "format")]
    pub format: Format,
    /// How it is reached.
    #[serde(default)]
    pub http: HttpConfig,
}

fn index() -> String {
    "logs-vedette-default".to_owned()
}

const fn format() -> Format {
    Format::Ecs
}

/// Sends notices to Elasticsearch or OpenSearch.
pub struct ElasticsearchDestination {
    door: HttpDoor,
    url: Url,
    index: String,
    headers: HeaderMap,
    format: Format,
}

/// What the answer to a bulk request says of one item.
#[derive(Debug, Deserialize)]
struct BulkItem {
    status: u16,
    #[serde(default)]
    error: Value,
}

/// The answer to a bulk request.
#[derive(Debug, Deserialize)]
struct BulkAnswer {
    items: Vec<std::collections::BTreeMap<String, BulkItem>>,
}

impl ElasticsearchDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or a secret cannot be read.
    pub fn new(
        name: &str,
        config: &ElasticsearchConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let mut opening = Opening::new(name, with);
        let url = opening.url("to.elasticsearch.url", &config.url)?;
        if !matches!(config.format, Format::Ecs | Format::Ocsf | Format::Json) {
            return Err(opening.fault(
                "to.elasticsearch.format",
                "a document is JSON: use ecs, ocsf or json",
            ));
        }
        if !is_index(&config.index) {
            return Err(opening.fault("to.elasticsearch.index", "it is no name of an index"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        );
        let key = "to.elasticsearch.api_key";
        let secret = if !config.api_key.is_empty() {
            Some(("ApiKey", opening.secret(key, &config.api_key)?))
        } else if !config.user.is_empty() {
            let password = opening.secret("to.elasticsearch.password", &config.password)?;
            let pair = format!("{}:{}", config.user, password.expose().trim_end());
            Some(("Basic", Secret::new(STANDARD.encode(pair))))
        } else {
            None
        };
        if let Some((scheme, secret)) = secret {
            headers.insert(AUTHORIZATION, opening.authorization(key, scheme, &secret)?);
        }
        Ok(Self {
            door: opening.door(&config.http)?,
            url,
            index: config.index.clone(),
            headers,
            format: config.format,
        })
    }

    fn request(&self, method: Method, segments: &[&str], body: Vec<u8>) -> HttpRequest {
        HttpRequest {
            method,
            url: below(&self.url, segments.iter().copied()),
            headers: self.headers.clone(),
            body: Bytes::from(body),
            answer_bytes_max: ITEMS_BYTES_MAX,
        }
    }

    fn bulk(&self, batch: &[Arc<Notice>]) -> HttpRequest {
        let mut body = String::new();
        for notice in batch {
            body.push_str(&json::line(
                &json!({"create": {"_id": notice.idempotency_key()}}),
            ));
            body.push('\n');
            body.push_str(&self.format.render(notice));
            body.push('\n');
        }
        let mut request = self.request(Method::POST, &[&self.index, "_bulk"], body.into_bytes());
        request.url.query_pairs_mut().append_pair(
            "filter_path",
            "errors,items.*.status,items.*.error.type,items.*.error.reason",
        );
        request
    }
}

/// Whether it can be the name of an index. Source: Elasticsearch, "Create index API".
fn is_index(name: &str) -> bool {
    let is_letter = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter)
    };
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(['-', '_', '.'])
        && name.chars().all(is_letter)
}

/// What became of an item.
fn outcome(item: &BulkItem) -> Outcome {
    let why = || {
        let word = |name: &str| item.error[name].as_str().unwrap_or_default();
        format!("{} {}: {}", item.status, word("type"), word("reason"))
    };
    match item.status {
        // 409: it was created before.
        200..=299 | 409 => Outcome::Delivered,
        400 | 413 => Outcome::Refused { why: why() },
        401 | 403 => Outcome::Retry(Retry::because(format!(
            "{}; fix: let it create documents there",
            why()
        ))),
        404 => Outcome::Retry(Retry::because(format!(
            "{}; fix: make the index or its template",
            why()
        ))),
        _ => Outcome::Retry(Retry::because(why())),
    }
}

#[async_trait]
impl Destination for ElasticsearchDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let answer = match self.door.send(self.bulk(batch)).await {
            Ok(answer) => answer,
            Err(why) => return Reply::later(why),
        };
        let answered = match answer.meaning() {
            Meaning::Taken => {
                let said: Option<BulkAnswer> = serde_json::from_slice(&answer.body).ok();
                let items = said.map(|said| said.items).unwrap_or_default();
                let outcomes: Vec<Outcome> = items
                    .iter()
                    .flat_map(|item| item.values())
                    .map(outcome)
                    .collect();
                if outcomes.len() == batch.len() {
                    Answer::Each(outcomes)
                } else {
                    // Which of them were taken is not known; those that were are found there the next time.
                    let why = format!(
                        "it does not say what became of each document: {}",
                        answer.said
                    );
                    Answer::Later(Retry::because(why))
                }
            }
            Meaning::TooLarge => Answer::TooLarge {
                why: answer.said.clone(),
            },
            Meaning::Later(retry) => Answer::Later(retry),
            // The request as a whole is ours, so no document is to blame for it.
            Meaning::Refused { why } => {
                Answer::Later(Retry::because(format!("{why}; fix: look at url and index")))
            }
        };
        Reply {
            answer: answered,
            said: answer.said,
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let mut asked = self.request(Method::GET, &[], Vec::new());
        asked.answer_bytes_max = ANSWER_BYTES_MAX;
        let answers = match self.door.send(asked).await {
            Ok(answer) if answer.status == 200 => Validated::well("the cluster answers"),
            Ok(answer) => Validated::fault("the cluster answers", answer.said),
            Err(why) => Validated::fault("the cluster answers", why),
        };
        let what = format!("documents can be created in {}", self.index);
        let mut asked = self.request(Method::HEAD, &[&self.index], Vec::new());
        asked.answer_bytes_max = ANSWER_BYTES_MAX;
        let index = match self.door.send(asked).await {
            Ok(answer) if answer.status == 200 => Validated::well(what),
            Ok(answer) if answer.status == 404 => {
                Validated::well(format!("{what}: it is made by the first one"))
            }
            Ok(answer) => Validated::fault(what, answer.said),
            Err(why) => Validated::fault(what, why),
        };
        vec![answers, index]
    }
}
