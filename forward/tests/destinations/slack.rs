//! An incoming webhook of Slack, as Slack documents it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use forward::contract::Notice;
use forward::destinations::Target;
use forward::destinations::slack::{self, SlackConfig};
use forward::formats::message::MessageTemplate;
use forward::http::HttpConfig;
use serde_json::Value;

use crate::hostile;
use crate::kit::{check_http, deliver, open};
use crate::samples;
use crate::server::{Answered, Asked, Server, alerts, delivered, patient, plain};

/// What Slack says of a message; it must be of Block Kit.
fn answer(asked: &Asked) -> Answered {
    if asked.header("content-type") != "application/json" {
        return plain(400, "invalid_payload");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&asked.body) else {
        return plain(400, "invalid_payload");
    };
    if message.as_object().is_some_and(serde_json::Map::is_empty) {
        return plain(400, "no_text");
    }
    match faults(&message).first() {
        Some(fault) => plain(400, format!("invalid_blocks: {fault}")),
        None => plain(200, "ok"),
    }
}

/// Limits of Block Kit, and that no text is read as markup.
fn faults(message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut text = |text: &Value, most: usize| {
        let shown = text["text"].as_str().unwrap_or_default();
        // Slack counts after these three are escaped.
        let length = shown
            .chars()
            .map(|c| match c {
                '&' => 5,
                '<' | '>' => 4,
                _ => 1,
            })
            .sum::<usize>();
        if text["type"] != "plain_text"
            || shown.is_empty()
            || shown.chars().count() > most
            || length > 5 * most
        {
            faults.push(format!(
                "{} characters of {}",
                shown.chars().count(),
                text["type"]
            ));
        }
    };
    for block in message["blocks"].as_array().expect("blocks") {
        match block["type"].as_str() {
            Some("header") => text(&block["text"], 150),
            Some("section") => text(&block["text"], 3_000),
            Some("context") => block["elements"]
                .as_array()
                .expect("a list")
                .iter()
                .for_each(|e| text(e, 3_000)),
            Some("actions") => block["elements"]
                .as_array()
                .expect("a list")
                .iter()
                .for_each(|e| text(&e["text"], 75)),
            other => panic!("block {other:?}"),
        }
    }
    faults
}

fn target(url: &str, http: HttpConfig) -> Target {
    let (title, text) = (String::new(), String::new());
    Target::Slack(SlackConfig {
        webhook: url.to_owned(),
        title,
        text,
        http,
    })
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    check_http(target, |_| "ok".to_owned()).await;
}

#[tokio::test]
async fn messages_arrive_one_a_second() {
    let server = Server::new(answer).await;
    let mut destination = open(&target(
        &format!("{}/services/T0/B0/x", server.url),
        patient(),
    ));
    let began = std::time::Instant::now();
    let reply = deliver(destination.as_mut(), &alerts(3)).await;
    assert_eq!(delivered(&reply), 3, "{reply:?}");
    assert!(began.elapsed().as_millis() >= 2_000);
    for found in destination.validate().await {
        assert_eq!(found.fault, None, "{found:?}");
    }
}

#[test]
fn hostile_text_is_plain_text_within_the_limits() {
    let template = MessageTemplate::new("", "").expect("a template");
    for text in hostile::strings().iter().chain([&"<&>".repeat(20_000)]) {
        for notice in samples::each(text) {
            let payload = slack::payload(&template, &notice);
            assert!(
                faults(&payload).is_empty(),
                "{text:?}: {:?}",
                faults(&payload)
            );
            let links: Vec<&Value> = payload["blocks"]
                .as_array()
                .expect("blocks")
                .iter()
                .filter(|b| b["type"] == "actions")
                .collect();
            assert!(links.len() <= 1);
        }
    }
    let alert = Notice::of_alert(&samples::alert("<!channel> *x*"));
    let payload = slack::payload(&template, &alert).to_string();
    assert!(payload.contains("<!channel> *x*") && !payload.contains("mrkdwn"));
}
