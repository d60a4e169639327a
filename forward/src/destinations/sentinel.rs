//! `sentinel` destination: the Logs Ingestion API of Azure Monitor, into a table of a Log Analytics workspace.
//!
//! Delivery: at least once. A batch counts as delivered when the data collection rule answers 204. Idempotency: the table
//! has no place for it; the column `NoticeKey` removes the second of two: `summarize take_any(*) by NoticeKey`.
//! A request has 1 MB at most, before compression as after it; a column 64 KiB, beyond which Azure cuts it.
//!
//! Who sends is an application with the role Monitoring Metrics Publisher on the data collection rule; its token is asked
//! for with a client secret, and again before it ends.
//!
//! Source: <https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview>,
//! <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api>.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use schemas::secret::Secret;
use serde::{Deserialize, Serialize};

use super::opening::{Opening, authorization, below};
use crate::contract::Notice;
use crate::destination::{Answer, BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::{json, log_analytics};
use crate::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use crate::http::{ANSWER_BYTES_MAX, HttpConfig, HttpDoor, HttpRequest, Meaning, Method, Url};
use crate::surroundings::Surroundings;

/// Most notices of a request.
const NOTICES_MAX: usize = 500;

/// Most bytes of their documents: columns repeat some of it, and a request has 1 MB at most.
const BYTES_MAX: usize = 500 * 1024;

/// Most bytes of a request before compression: 1 MB, less what a header may count.
const REQUEST_BYTES_MAX: usize = 1_000_000;

/// How long before its end a token is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_mins(5);

/// Longest time for which a token is believed to hold, whatever it says.
const TOKEN_LIFE_MAX: Duration = Duration::from_hours(24);

/// A data collection rule of Azure Monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentinelConfig {
    /// The rule's logs ingestion endpoint, or a data collection endpoint: `https://….ingest.monitor.azure.com`.
    pub endpoint: String,
    /// The rule's immutable id, `dcr-…`.
    pub rule: String,
    /// The stream, `Custom-VedetteNotices_CL`.
    #[serde(default = "stream")]
    pub stream: String,
    /// The directory of the application.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// Reference to its secret.
    pub client_secret: String,
    /// Where tokens are; another one in Azure Government or China.
    #[serde(default = "login")]
    pub login: String,
    /// For whom they are.
    #[serde(default = "scope")]
    pub scope: String,
    /// How both are reached.
    #[serde(default)]
    pub http: HttpConfig,
}

fn stream() -> String {
    "Custom-VedetteNotices_CL".to_owned()
}

fn login() -> String {
    "https://login.microsoftonline.com".to_owned()
}

fn scope() -> String {
    "https://monitor.azure.com/.default".to_owned()
}

/// Sends notices to a data collection rule.
pub struct SentinelDestination {
    door: HttpDoor,
    /// The same, which does not show the token in use.
    logs_door: HttpDoor,
    logs: Url,
    token_url: Url,
    form: Bytes,
    token: Option<(HeaderValue, Instant)>,
}

/// What the token endpoint answers.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
}

impl SentinelDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or the secret cannot be read.
    pub fn new(
        name: &str,
        config: &SentinelConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let mut opening = Opening::new(name, with);
        let endpoint = opening.url("to.sentinel.endpoint", &config.endpoint)?;
        let login = opening.url("to.sentinel.login", &config.login)?;
        let secret = opening.secret("to.sentinel.client_secret", &config.client_secret)?;
        for (key, word) in [
            ("to.sentinel.rule", &config.rule),
            ("to.sentinel.tenant_id", &config.tenant_id),
        ] {
            let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
            if word.is_empty() || !word.chars().all(is_word) {
                return Err(opening.fault(key, "it is no such id"));
            }
        }
        let mut logs = below(
            &endpoint,
            [
                "dataCollectionRules",
                &config.rule,
                "streams",
                &config.stream,
            ],
        );
        logs.query_pairs_mut()
            .append_pair("api-version", "2023-01-01");
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &config.client_id)
            .append_pair("client_secret", secret.expose().trim_end())
            .append_pair("scope", &config.scope)
            .finish();
        let door = opening.door(&config.http)?;
        Ok(Self {
            logs_door: door.clone(),
            door,
            logs,
            token_url: below(
                &login,
                [config.tenant_id.as_str(), "oauth2", "v2.0", "token"],
            ),
            form: Bytes::from(form),
            token: None,
        })
    }

    /// The token in use, or a new one where it ends soon.
    async fn token(&mut self) -> Result<HeaderValue, Retry> {
        if let Some((token, until)) = &self.token
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let asked = HttpRequest {
            method: Method::POST,
            url: self.token_url.clone(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]),
            body: self.form.clone(),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.door.send(asked).await.map_err(Retry::because)?;
        if answer.status != 200 {
            // What it says has AADSTS and a number, which tells what is wrong with the application.
            return Err(Retry {
                after: answer.retry_after,
                why: format!(
                    "no token was given: {}; fix: look at client_id and client_secret",
                    answer.said
                ),
            });
        }
        let unreadable = || Retry::because("what was given is no token");
        // Never shown, also not where it cannot be read: it is a secret that no redaction knows.
        let given: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let secret = Secret::new(given.access_token);
        let value = authorization("Bearer", &secret).map_err(Retry::because)?;
        self.logs_door = self.door.hiding(&secret);
        let life = Duration::from_secs(given.expires_in).min(TOKEN_LIFE_MAX);
        let until = Instant::now() + life.saturating_sub(TOKEN_MARGIN);
        self.token = Some((value.clone(), until));
        Ok(value)
    }

    /// Sends a body of rows.
    async fn send(&mut self, rows: &str) -> Result<(Meaning, String), Retry> {
        let token = self.token().await?;
        let body = gzip(rows.as_bytes()).map_err(|error| Retry::because(error.to_string()))?;
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, token),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        ]);
        let asked = HttpRequest {
            method: Method::POST,
            url: self.logs.clone(),
            headers,
            body: Bytes::from(body),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.logs_door.send(asked).await.map_err(Retry::because)?;
        if answer.status == 401 {
            self.token = None;
        }
        let meaning = match answer.meaning() {
            Meaning::Later(mut retry) if answer.status == 403 => {
                retry.why.push_str(", with the role Monitoring Metrics Publisher on the rule; it takes up to 30 minutes");
                Meaning::Later(retry)
            }
            // Whoever else answers 2xx has put it into no table.
            Meaning::Taken if !answer.body.is_empty() => Meaning::Later(Retry::because(format!(
                "what answered is no logs ingestion endpoint: {}",
                answer.said
            ))),
            meaning => meaning,
        };
        Ok((meaning, answer.said))
    }
}

fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text)?;
    packed.finish()
}

/// The rows of a request, as a JSON array.
fn rows(batch: &[Arc<Notice>]) -> String {
    let rows: Vec<String> = batch
        .iter()
        .map(|notice| json::line(&log_analytics::row(notice)))
        .collect();
    format!("[{}]", rows.join(","))
}

#[async_trait]
impl Destination for SentinelDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let rows = rows(batch);
        if rows.len() > REQUEST_BYTES_MAX {
            let why = format!(
                "{} bytes, and a request has {REQUEST_BYTES_MAX} at most",
                rows.len()
            );
            return Reply {
                said: why.clone(),
                answer: Answer::TooLarge { why },
            };
        }
        match self.send(&rows).await {
            Err(retry) => Reply {
                said: retry.why.clone(),
                answer: Answer::Later(retry),
            },
            Ok((meaning, said)) => Reply {
                answer: match meaning {
                    Meaning::Taken => Answer::Each(vec![Outcome::Delivered; batch.len()]),
                    Meaning::TooLarge => Answer::TooLarge { why: said.clone() },
                    Meaning::Later(retry) => Answer::Later(retry),
                    // It does not say which row; halved until it is alone.
                    Meaning::Refused { why } if batch.len() > 1 => Answer::TooLarge { why },
                    Meaning::Refused { why } => Answer::Each(vec![Outcome::Refused { why }]),
                },
                said,
            },
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let token = match self.token().await {
            Ok(_) => Validated::well("the application gets a token"),
            Err(retry) => Validated::fault("the application gets a token", retry.why),
        };
        let mut found = Vec::new();
        if token.fault.is_none() {
            let what = "the rule takes rows";
            // An array without rows changes nothing, and is answered by who may write.
            found.push(match self.send("[]").await {
                Ok((Meaning::Taken, _)) => Validated::well(what),
                Ok((_, said)) => Validated::fault(what, said),
                Err(retry) => Validated::fault(what, retry.why),
            });
        }
        found.push(token);
        found
    }
}
