//! `slack` destination: a channel of Slack, by an incoming webhook.
//!
//! Delivery: at least once; a message counts as delivered when Slack answers `ok`. Idempotency: a webhook has no place for
//! it; the key stands at the foot of each message. One message a second, as Slack asks, and what `Retry-After` says.
//!
//! All text is `plain_text`, in which Slack reads no markup, mention or link.
//! Source: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>,
//! <https://docs.slack.dev/reference/block-kit/composition-objects/text-object/>,
//! <https://docs.slack.dev/apis/web-api/rate-limits/>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::channel::Channel;
use super::one_by_one::{self, SendOne};
use super::opening::Opening;
use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::json;
use crate::formats::message::{MessageTemplate, cut};
use crate::http::HttpConfig;
use crate::surroundings::Surroundings;

/// Most notices of a batch: at one a second, what is done in time.
const NOTICES_MAX: usize = 15;

/// Most bytes of them.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Wait between two messages.
const PAUSE: Duration = Duration::from_secs(1);

/// Most characters of a `plain_text`: Slack takes 3,000.
const TEXT_CHARACTERS_MAX: usize = 2_900;

/// A channel of Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// Reference to the incoming webhook's address, which is a secret.
    pub webhook: String,
    /// Template of the title; empty for vedette's own.
    #[serde(default)]
    pub title: String,
    /// Template of the text; empty for vedette's own.
    #[serde(default)]
    pub text: String,
    /// How it is reached.
    #[serde(default)]
    pub http: HttpConfig,
}

/// Sends notices to a channel of Slack.
pub struct SlackDestination {
    channel: Channel,
}

impl SlackDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a template or the webhook cannot be used.
    pub fn new(
        name: &str,
        config: &SlackConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let opening = Opening::new(name, with);
        let template = opening.template("to.slack.title or text", &config.title, &config.text)?;
        let address = ("to.slack.webhook", config.webhook.as_str());
        let channel = Channel::new(opening, address, template, &config.http)?;
        Ok(Self { channel })
    }
}

/// The message: a header, a text and the key, all of them plain.
pub fn payload(template: &MessageTemplate, notice: &Notice) -> Value {
    let message = template.message(notice);
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    // A block without text is refused.
    let shown = |text: &str, most: usize| match cut(text, most) {
        text if text.trim().is_empty() => plain("-"),
        text => plain(&text),
    };
    let mut blocks = vec![
        json!({"type": "header", "text": shown(&message.title, 140)}),
        json!({"type": "section", "text": shown(&message.text, TEXT_CHARACTERS_MAX)}),
        json!({"type": "context", "elements": [plain(&notice.idempotency_key())]}),
    ];
    let links = notice.document["links"].as_array().into_iter().flatten();
    let buttons: Vec<Value> = links
        .filter_map(|link| {
            let url = link["url"].as_str().filter(|url| url.len() <= 3_000)?;
            let label = link["name"].as_str()?;
            Some(json!({"type": "button", "text": plain(label), "url": url}))
        })
        .collect();
    if !buttons.is_empty() {
        blocks.push(json!({"type": "actions", "elements": buttons}));
    }
    json!({"blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

#[async_trait]
impl SendOne for SlackDestination {
    async fn send_one(&self, notice: &Notice) -> (Outcome, String) {
        let body = json::line(&payload(&self.channel.template, notice));
        let request = self.channel.post(body);
        let (outcome, said) = one_by_one::ask(&self.channel.door, request).await;
        // Whoever else answers 2xx has not shown it to anybody.
        if outcome == Outcome::Delivered && said != "HTTP 200 ok" {
            let why = format!("what answered is not Slack: {said}");
            return (Outcome::Retry(Retry::because(why)), said);
        }
        (outcome, said)
    }
}

#[async_trait]
impl Destination for SlackDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        one_by_one::deliver(self, batch, PAUSE).await
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = "the webhook is known";
        // Slack refuses a body without a message for that alone where the webhook is good.
        let request = self.channel.post(&b"{}"[..]);
        vec![match self.channel.door.send(request).await {
            Ok(answer) if answer.status == 400 && answer.body.as_ref() == b"no_text" => {
                Validated::well(what)
            }
            Ok(answer) => Validated::fault(what, answer.said),
            Err(why) => Validated::fault(what, why),
        }]
    }
}
