//! Requests and their answers: claims at `$cbs`, properties at `$management`.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::messaging::{AmqpValue, ApplicationProperties, Body, Message, Properties};
use fe2o3_amqp_types::primitives::{Array, OrderedMap, SimpleValue, Timestamp, Value};
use tokio::sync::mpsc;

use super::attachment::Answers;
use super::selector::OFFSET_STEP;
use crate::connection::HUB_NAME;
use crate::shared::SharedTenant;
use crate::tenant::{EVENT_HUBS, Tenant};

/// How long a delivery waits for its acceptance.
///
/// fe2o3-amqp 0.16 registers what it sent after sending it: an acceptance that is faster is lost,
/// and the client waits for ever.
const ACCEPT_AFTER: Duration = Duration::from_millis(10);
/// How often an answer looks for its link, which the client attaches after the one for requests.
const LINK_LOOKS_MAX: u32 = 200;
/// Distance of these looks.
const LINK_LOOK: Duration = Duration::from_millis(5);

/// Serves the requests of one link.
pub(super) async fn serve(mut receiver: Receiver, answers: Answers, shared: Arc<SharedTenant>) {
    while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
        tokio::time::sleep(ACCEPT_AFTER).await;
        if receiver.accept(&delivery).await.is_err() {
            break;
        }
        let message = delivery.into_message();
        let asked = message
            .application_properties
            .map(|properties| properties.0)
            .unwrap_or_default();
        let properties = message.properties.unwrap_or_default();
        let (status, description, body) =
            shared.with(|tenant| decide(tenant, &asked, &message.body));
        let mut said = OrderedMap::new();
        said.insert("status-code".to_owned(), SimpleValue::Int(status));
        said.insert(
            "status-description".to_owned(),
            SimpleValue::String(description.to_owned()),
        );
        let answer = Message {
            header: None,
            delivery_annotations: None,
            message_annotations: None,
            properties: Some(Properties {
                correlation_id: properties.message_id,
                ..Properties::default()
            }),
            application_properties: Some(ApplicationProperties(said)),
            body,
            footer: None,
        };
        send_back(&answers, &properties.reply_to.unwrap_or_default(), answer).await;
    }
    if let Err(ended) = receiver.close().await {
        tracing::debug!(?ended, "request link ended");
    }
}

async fn send_back(answers: &Answers, address: &str, answer: Message<Value>) {
    for _ in 0..LINK_LOOKS_MAX {
        let link = answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(address)
            .cloned();
        if let Some(link) = link {
            if link.send(answer).await.is_err() {
                tracing::debug!(address, "the client left before its answer");
            }
            return;
        }
        tokio::time::sleep(LINK_LOOK).await;
    }
    tracing::debug!(address, "no link for an answer");
}

/// Sends the answers of one link.
pub(super) async fn answer(mut sender: Sender, mut answers: mpsc::Receiver<Message<Value>>) {
    loop {
        tokio::select! {
            answer = answers.recv() => {
                let Some(answer) = answer else { break };
                if let Err(refusal) = sender.send_batchable(answer.map_body(AmqpValue)).await.map(drop) {
                    tracing::debug!(?refusal, "no answer sent");
                    return;
                }
            }
            _ = sender.on_detach() => break,
        }
    }
    if let Err(ended) = sender.close().await {
        tracing::debug!(?ended, "answer link ended");
    }
}

fn text<'a>(asked: &'a OrderedMap<String, SimpleValue>, name: &str) -> &'a str {
    match asked.get(name) {
        Some(SimpleValue::String(text)) => text,
        _ => "",
    }
}

/// Status, description and body of an answer.
fn decide(
    tenant: &Tenant,
    asked: &OrderedMap<String, SimpleValue>,
    body: &Body<Value>,
) -> (i32, &'static str, Value) {
    match (text(asked, "operation"), text(asked, "type")) {
        ("put-token", "jwt") => {
            let token = match body {
                Body::Value(AmqpValue(Value::String(token))) => token.as_str(),
                _ => "",
            };
            let may_read = tenant.claims(token).is_some_and(|claims| {
                claims.aud == EVENT_HUBS
                    && claims.appid == tenant.reading.client_id
                    && tenant.reading.reads_hub
            });
            if may_read {
                (202, "Accepted", Value::Null)
            } else {
                (
                    401,
                    "InvalidToken: the token is not for this namespace",
                    Value::Null,
                )
            }
        }
        ("put-token", _) => (
            401,
            "InvalidToken: only tokens of the directory are accepted",
            Value::Null,
        ),
        ("READ", "com.microsoft:eventhub") => (200, "OK", hub(tenant)),
        ("READ", "com.microsoft:partition") => match partition(tenant, text(asked, "partition")) {
            Some(found) => (200, "OK", found),
            None => (404, "no such partition", Value::Null),
        },
        _ => (400, "unknown operation", Value::Null),
    }
}

fn map(members: Vec<(&str, Value)>) -> Value {
    Value::Map(
        members
            .into_iter()
            .map(|(name, value)| (Value::String(name.to_owned()), value))
            .collect(),
    )
}

fn hub(tenant: &Tenant) -> Value {
    let ids: Vec<Value> = (0..tenant.partitions.len())
        .map(|id| Value::String(id.to_string()))
        .collect();
    map(vec![
        ("name", Value::String(HUB_NAME.to_owned())),
        ("type", Value::String("com.microsoft:eventhub".to_owned())),
        (
            "created_at",
            Value::Timestamp(Timestamp::from_milliseconds(
                tenant.pace.wall(tenant.pace.start_us) / 1_000,
            )),
        ),
        (
            "partition_count",
            Value::Int(i32::try_from(ids.len()).unwrap_or(i32::MAX)),
        ),
        ("partition_ids", Value::Array(Array::from(ids))),
    ])
}

fn partition(tenant: &Tenant, id: &str) -> Option<Value> {
    let log = tenant.partitions.get(id.parse::<usize>().ok()?)?;
    let last = i64::try_from(log.len()).ok()? - 1;
    let offset = if last < 0 { -1 } else { last * OFFSET_STEP };
    Some(map(vec![
        ("name", Value::String(HUB_NAME.to_owned())),
        ("type", Value::String("com.microsoft:partition".to_owned())),
        ("partition", Value::String(id.to_owned())),
        ("begin_sequence_number", Value::Long(0)),
        ("last_enqueued_sequence_number", Value::Long(last)),
        ("last_enqueued_sequence_number_epoch", Value::Long(-1)),
        ("last_enqueued_offset", Value::String(offset.to_string())),
        (
            "last_enqueued_time_utc",
            Value::Timestamp(Timestamp::from_milliseconds(
                log.last().map_or(0, |one| one.wall_us / 1_000),
            )),
        ),
        ("is_partition_empty", Value::Bool(log.is_empty())),
    ]))
}
