//! The webhook of a Teams workflow, as Microsoft documents it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use forward::destinations::Target;
use forward::destinations::teams::{self, TeamsConfig};
use forward::formats::message::MessageTemplate;
use forward::http::HttpConfig;
use serde_json::Value;

use crate::hostile;
use crate::kit::{check_http, deliver, open};
use crate::samples;
use crate::server::{Answered, Asked, Server, alerts, delivered, patient, plain};

fn answer(asked: &Asked) -> Answered {
    if asked.body.len() > 28 * 1024 {
        return plain(413, "");
    }
    match serde_json::from_slice::<Value>(&asked.body) {
        Ok(message) if faults(&message).is_empty() => plain(202, ""),
        _ => plain(400, r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#),
    }
}

/// What is not of an Adaptive Card that a workflow takes, or in which text is read as Markdown.
fn faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut want = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    want(message["type"] == "message", "type");
    let attachments = message["attachments"].as_array().expect("a list");
    want(attachments.len() == 1, "one card");
    want(
        attachments[0]["contentType"] == "application/vnd.microsoft.card.adaptive",
        "contentType",
    );
    let card = &attachments[0]["content"];
    want(
        card["type"] == "AdaptiveCard" && card["version"] == "1.4",
        "version",
    );
    for block in card["body"].as_array().expect("a list") {
        want(
            block["type"] == "RichTextBlock",
            "a block in which text is Markdown",
        );
        let inlines = block["inlines"].as_array().expect("a list");
        want(
            inlines
                .iter()
                .all(|run| run["type"] == "TextRun" && run["text"].is_string()),
            "inlines",
        );
    }
    for action in card["actions"].as_array().expect("a list") {
        want(action["type"] == "Action.OpenUrl", "action");
        want(
            action["url"]
                .as_str()
                .is_some_and(|url| url.starts_with("https://security.microsoft.com/")),
            "link",
        );
    }
    faults
}

fn target(url: &str, http: HttpConfig) -> Target {
    let (title, text) = (String::new(), String::new());
    Target::Teams(TeamsConfig {
        workflow: url.to_owned(),
        title,
        text,
        http,
    })
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    check_http(target, |_| String::new()).await;
}

#[tokio::test]
async fn cards_arrive() {
    let server = Server::new(answer).await;
    let mut destination = open(&target(
        &format!("{}/paths/invoke?sig=signature", server.url),
        patient(),
    ));
    let reply = deliver(destination.as_mut(), &alerts(4)).await;
    assert_eq!(delivered(&reply), 4, "{reply:?}");
    assert_eq!(server.asked()[0].query["sig"], "signature");
}

#[test]
fn hostile_text_is_no_markdown_and_every_card_is_small_enough() {
    let template = MessageTemplate::new("", "").expect("a template");
    for text in hostile::strings()
        .iter()
        .chain([&"\"\\\u{1}".repeat(9_000), &"a\n".repeat(8_000)])
    {
        for notice in samples::each(text) {
            let payload = teams::payload(&template, &notice);
            assert!(
                payload.len() < 28 * 1024,
                "{} bytes for {text:.40?}",
                payload.len()
            );
            let message: Value = serde_json::from_str(&payload).expect("JSON");
            assert!(
                faults(&message).is_empty(),
                "{:?} for {text:.40?}",
                faults(&message)
            );
        }
    }
}
