//! `teams` destination: a channel or chat of Microsoft Teams, by the webhook of a workflow.
//!
//! Delivery: at least once; a message counts as delivered when the workflow answers 202: the flow has started. What the
//! flow does then is seen in its history alone. Idempotency: there is no place for it; the key stands at the foot.
//!
//! The message is an Adaptive Card, whose text stands in `TextRun`s: unlike a `TextBlock`, they read no Markdown. Office 365
//! connectors and their message cards are gone.
//! Source: <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook>,
//! <https://adaptivecards.io/explorer/TextRun.html>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::channel::Channel;
use super::one_by_one::{self, SendOne};
use super::opening::Opening;
use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Outcome, Reply, Validated};
use crate::error::ForwardError;
use crate::formats::json;
use crate::formats::message::{MessageTemplate, cut};
use crate::http::HttpConfig;
use crate::surroundings::Surroundings;

/// Most notices of a batch.
const NOTICES_MAX: usize = 30;

/// Most bytes of them.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Wait between two messages: Teams takes four requests a second.
const PAUSE: Duration = Duration::from_millis(300);

/// Most bytes of a message: Teams refuses 28 KB.
const MESSAGE_BYTES_MAX: usize = 26_000;

/// Most characters of the text: a character is at most six bytes in JSON, and most are one.
const TEXT_CHARACTERS_MAX: usize = 12_000;

/// A workflow of Teams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamsConfig {
    /// Reference to the workflow's address, which is a secret.
    pub workflow: String,
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

/// Sends notices to a workflow of Teams.
pub struct TeamsDestination {
    channel: Channel,
}

impl TeamsDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a template or the workflow cannot be used.
    pub fn new(
        name: &str,
        config: &TeamsConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let opening = Opening::new(name, with);
        let template = opening.template("to.teams.title or text", &config.title, &config.text)?;
        let address = ("to.teams.workflow", config.workflow.as_str());
        let channel = Channel::new(opening, address, template, &config.http)?;
        Ok(Self { channel })
    }
}

/// The message on one line, small enough for Teams whatever the notice says.
pub fn payload(template: &MessageTemplate, notice: &Notice) -> String {
    let message = template.message(notice);
    let mut characters = TEXT_CHARACTERS_MAX;
    loop {
        let card = card(&message.title, &cut(&message.text, characters), notice);
        let line = json::line(&json!({
            "type": "message",
            "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}],
        }));
        if line.len() <= MESSAGE_BYTES_MAX || characters == 0 {
            return line;
        }
        characters /= 2;
    }
}

fn card(title: &str, text: &str, notice: &Notice) -> Value {
    let run = |text: &str| json!({"type": "TextRun", "text": text});
    let mut body = vec![json!({
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": title, "weight": "bolder", "size": "large"}],
    })];
    // Line breaks within a run are not shown by every client, so each line is a block.
    let shown = text.lines().filter(|line| !line.trim().is_empty());
    body.extend(
        shown.map(
            |line| json!({"type": "RichTextBlock", "spacing": "small", "inlines": [run(line)]}),
        ),
    );
    body.push(json!({
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": notice.idempotency_key(), "isSubtle": true, "size": "small"}],
    }));
    let links = notice.document["links"].as_array().into_iter().flatten();
    let actions: Vec<Value> = links
        .filter(|link| link["url"].as_str().is_some_and(|url| url.len() <= 2_000))
        .map(|link| json!({"type": "Action.OpenUrl", "title": link["name"], "url": link["url"]}))
        .collect();
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    })
}

#[async_trait]
impl SendOne for TeamsDestination {
    async fn send_one(&self, notice: &Notice) -> (Outcome, String) {
        let request = self.channel.post(payload(&self.channel.template, notice));
        one_by_one::ask(&self.channel.door, request).await
    }
}

#[async_trait]
impl Destination for TeamsDestination {
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
        // Whatever is posted starts the flow, so nothing is: that its host answers is all that can be asked.
        let what = "the workflow's host answers";
        vec![match self.channel.ask().await {
            Ok(answer) if answer.status < 500 => Validated::well(what),
            Ok(answer) => Validated::fault(what, answer.said),
            Err(why) => Validated::fault(what, why),
        }]
    }
}
