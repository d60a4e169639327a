//! `splunk` destination: Splunk's HTTP Event Collector, with indexer acknowledgement.
//!
//! Delivery: at least once. HTTP 200 says only that Splunk has received events; with `acknowledge` (the default) a notice
//! counts as delivered once Splunk says that it is indexed. A batch that is not acknowledged within five minutes is
//! sent again on another channel, as Splunk asks. Without `acknowledge`, which Splunk Cloud needs for most tokens, the
//! answer to the request is all there is, and what an indexer loses then is lost.
//! Idempotency: HEC has no place for it. Every event has the indexed field `notice_key`: `| dedup notice_key` removes the
//! second one.
//!
//! Source: <https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data>, "Format events for HTTP
//! Event Collector", "About HTTP Event Collector indexer acknowledgment", "Troubleshoot HTTP Event Collector".

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::opening::{Opening, below};
use crate::contract::Notice;
use crate::destination::{Answer, BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::{Format, json};
use crate::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use crate::http::{
    ANSWER_BYTES_MAX, HttpAnswer, HttpConfig, HttpDoor, HttpRequest, Meaning, Method, Url,
};
use crate::surroundings::Surroundings;

/// Most notices of a request.
const NOTICES_MAX: usize = 500;

/// Most bytes of a request: Splunk's own default limit (`max_content_length`) has been between 1 MB and 800 MB.
const BYTES_MAX: usize = 800 * 1024;

/// How long an acknowledgement is waited for before the batch is sent again: Splunk's own advice is five minutes.
const ACK_PATIENCE: Duration = Duration::from_mins(5);

/// How long one call waits for it; the next call goes on waiting.
const ACK_CALL_WAIT: Duration = Duration::from_secs(10);

/// Wait between two questions whether it has come.
const ACK_POLL: Duration = Duration::from_millis(200);

const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// An HTTP Event Collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplunkConfig {
    /// Its address, for example `https://splunk.example:8088`; the path of HEC is added.
    pub url: String,
    /// Reference to the token.
    pub token: String,
    /// The index; empty for the token's own.
    #[serde(default)]
    pub index: String,
    /// The source type.
    #[serde(default = "sourcetype")]
    pub sourcetype: String,
    /// Whether delivered means indexed; false for tokens without indexer acknowledgement.
    #[serde(default = "acknowledge")]
    pub acknowledge: bool,
    /// How a notice is written.
    #[serde(default)]
    pub format: Format,
    /// How it is reached.
    #[serde(default)]
    pub http: HttpConfig,
}

fn sourcetype() -> String {
    "vedette:notice".to_owned()
}

const fn acknowledge() -> bool {
    true
}

/// Sends notices to an HTTP Event Collector.
pub struct SplunkDestination {
    door: HttpDoor,
    url: Url,
    headers: HeaderMap,
    config: SplunkConfig,
    channel: uuid::Uuid,
    pending: Option<Pending>,
}

/// A batch that Splunk has received, and has not said to be indexed.
struct Pending {
    ack_id: u64,
    keys: Vec<String>,
    since: Instant,
}

/// What HEC says in the body of an answer.
#[derive(Debug, Default, Deserialize)]
struct HecAnswer {
    code: Option<u64>,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
    #[serde(rename = "invalid-event-number")]
    invalid_event_number: Option<usize>,
}

impl SplunkDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or the token cannot be read.
    pub fn new(
        name: &str,
        config: &SplunkConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let mut opening = Opening::new(name, with);
        let url = opening.url("to.splunk.url", &config.url)?;
        let token = opening.secret("to.splunk.token", &config.token)?;
        let mut headers = HeaderMap::new();
        headers.insert(
            AUTHORIZATION,
            opening.authorization("to.splunk.token", "Splunk", &token)?,
        );
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            door: opening.door(&config.http)?,
            url,
            headers,
            config: config.clone(),
            channel: uuid::Uuid::new_v4(),
            pending: None,
        })
    }

    fn request(&self, method: Method, segments: &[&str], body: Vec<u8>) -> HttpRequest {
        let mut headers = self.headers.clone();
        if let Ok(channel) = HeaderValue::from_str(&self.channel.to_string()) {
            headers.insert(CHANNEL, channel);
        }
        let path = ["services", "collector"].iter().chain(segments).copied();
        HttpRequest {
            method,
            url: below(&self.url, path),
            headers,
            body: Bytes::from(body),
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// Sends the notices; their acknowledgement is pending where it is waited for.
    async fn send(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let body: String = batch
            .iter()
            .map(|notice| event(&self.config, notice))
            .collect();
        let asked = self.request(Method::POST, &["event"], body.into_bytes());
        let answer = match self.door.send(asked).await {
            Ok(answer) => answer,
            Err(why) => return Reply::later(why),
        };
        let said: HecAnswer = serde_json::from_slice(&answer.body).unwrap_or_default();
        match answer.meaning() {
            Meaning::Taken => self.taken(batch, &said, &answer),
            Meaning::TooLarge => Reply {
                answer: Answer::TooLarge {
                    why: answer.said.clone(),
                },
                said: answer.said,
            },
            Meaning::Later(retry) => Reply {
                answer: Answer::Later(retry),
                said: answer.said,
            },
            Meaning::Refused { why } => refused(batch.len(), &said, why),
        }
    }

    fn taken(&mut self, batch: &[Arc<Notice>], said: &HecAnswer, answer: &HttpAnswer) -> Reply {
        match (said.code, said.ack_id) {
            // A proxy or another server can answer 200 to anything.
            (None, _) => Reply::later(format!(
                "what answered is no HTTP Event Collector: {}",
                answer.said
            )),
            (Some(0), Some(ack_id)) if self.config.acknowledge => {
                self.pending = Some(Pending {
                    ack_id,
                    keys: batch
                        .iter()
                        .map(|notice| notice.idempotency_key())
                        .collect(),
                    since: Instant::now(),
                });
                Reply::later("received, and not yet indexed")
            }
            (Some(0), None) if self.config.acknowledge => Reply::later(
                "the token has no indexer acknowledgement; fix: enable it for the token, or acknowledge = false",
            ),
            (Some(0), _) => Reply::delivered(batch.len(), answer.said.clone()),
            (Some(_), _) => Reply::later(answer.said.clone()),
        }
    }

    /// Waits for the acknowledgement of what is pending; none if this batch does not begin with it.
    async fn acknowledged(&mut self, batch: &[Arc<Notice>]) -> Option<Reply> {
        let pending = self.pending.as_ref()?;
        let same = batch.iter().map(|notice| notice.idempotency_key());
        if pending.keys.len() > batch.len()
            || !same.zip(&pending.keys).all(|(key, known)| key == *known)
        {
            return None;
        }
        let (ack_id, sent, since) = (pending.ack_id, pending.keys.len(), pending.since);
        let began = Instant::now();
        loop {
            let said = match self.ask(ack_id).await {
                Ok(true) => {
                    self.pending = None;
                    let mut outcomes = vec![Outcome::Delivered; sent];
                    outcomes.resize(batch.len(), Outcome::NotTried);
                    return Some(Reply {
                        answer: Answer::Each(outcomes),
                        said: format!("indexed: acknowledgement {ack_id}"),
                    });
                }
                Ok(false) => format!(
                    "received, and not indexed for {} s",
                    since.elapsed().as_secs()
                ),
                Err(why) => why,
            };
            if since.elapsed() > ACK_PATIENCE {
                // What was sent on a channel without an answer is sent again on another one.
                self.pending = None;
                self.channel = uuid::Uuid::new_v4();
                return Some(Reply::later(format!(
                    "{said}: it is sent again; fix: look at Splunk's indexers"
                )));
            }
            if began.elapsed() > ACK_CALL_WAIT {
                return Some(Reply::later(said));
            }
            tokio::time::sleep(ACK_POLL).await;
        }
    }

    /// Whether a batch is indexed.
    async fn ask(&self, ack_id: u64) -> Result<bool, String> {
        let body = json!({"acks": [ack_id]}).to_string().into_bytes();
        let mut asked = self.request(Method::POST, &["ack"], body);
        asked
            .url
            .query_pairs_mut()
            .append_pair("channel", &self.channel.to_string());
        let answer = self.door.send(asked).await?;
        if answer.status != 200 {
            return Err(answer.said);
        }
        let said: Value = serde_json::from_slice(&answer.body).map_err(|_| answer.said)?;
        Ok(said["acks"][ack_id.to_string()] == json!(true))
    }
}

/// One event of a body; events stand one after the other, without anything between.
fn event(config: &SplunkConfig, notice: &Notice) -> String {
    let seconds = notice.time_us.div_euclid(1_000_000);
    let micros = notice.time_us.rem_euclid(1_000_000);
    let mut event = json!({
        "time": format!("{seconds}.{micros:06}"),
        "source": "vedette",
        "sourcetype": config.sourcetype,
        "event": config.format.value(notice),
        "fields": {
            "notice_key": notice.idempotency_key(),
            "kind": notice.kind.as_str(),
            "severity": notice.severity.as_str(),
        },
    });
    if !config.index.is_empty() {
        event["index"] = json!(config.index);
    }
    json::line(&event)
}

/// What a refusal means. Source: Splunk, "Possible error codes" of HEC.
fn refused(sent: usize, said: &HecAnswer, why: String) -> Reply {
    let fix = match said.code {
        // Of events that are no events HEC says which one; those before it were taken, and are known when they come again.
        Some(6 | 12 | 13 | 15) => {
            let bad = said.invalid_event_number.filter(|place| *place < sent);
            if sent == 1 || bad.is_some() {
                let mut outcomes = vec![Outcome::NotTried; sent];
                outcomes[bad.unwrap_or(0)] = Outcome::Refused { why: why.clone() };
                return Reply {
                    answer: Answer::Each(outcomes),
                    said: why,
                };
            }
            // Halved until it is alone.
            return Reply {
                answer: Answer::TooLarge { why: why.clone() },
                said: why,
            };
        }
        Some(7) => "name an index that the token may write to",
        Some(14) => "enable indexer acknowledgement for the token, or acknowledge = false",
        _ => "look at the collector's settings",
    };
    Reply {
        answer: Answer::Later(Retry::because(format!("{why}; fix: {fix}"))),
        said: why,
    }
}

#[async_trait]
impl Destination for SplunkDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        if let Some(reply) = self.acknowledged(batch).await {
            return reply;
        }
        let reply = self.send(batch).await;
        match self.pending {
            Some(_) => self.acknowledged(batch).await.unwrap_or(reply),
            None => reply,
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let healthy = match self
            .door
            .send(self.request(Method::GET, &["health"], Vec::new()))
            .await
        {
            Ok(answer) if answer.status == 200 => Validated::well("the collector is healthy"),
            Ok(answer) => Validated::fault("the collector is healthy", answer.said),
            Err(why) => Validated::fault("the collector is healthy", why),
        };
        // A request without an event is refused for that alone where token and channel are good: code 5, "no data".
        let asked = self.request(Method::POST, &["event"], Vec::new());
        let token = match self.door.send(asked).await {
            Ok(answer) => {
                let said: HecAnswer = serde_json::from_slice(&answer.body).unwrap_or_default();
                if said.code == Some(5) {
                    Validated::well("the token may write")
                } else {
                    Validated::fault("the token may write", answer.said)
                }
            }
            Err(why) => Validated::fault("the token may write", why),
        };
        vec![healthy, token]
    }
}
