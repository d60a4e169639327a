//! What a client asks for when it attaches a link, and where the answers to its requests go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use fe2o3_amqp_types::messaging::{Message, TargetArchetype};
use fe2o3_amqp_types::performatives::Attach;
use fe2o3_amqp_types::primitives::{Symbol, Value};
use tokio::sync::mpsc;

use super::selector;

/// Answers of a session's request nodes, by the address that the client wants them at.
pub(super) type Answers = Arc<Mutex<HashMap<String, mpsc::Sender<Message<Value>>>>>;

/// What a client asks for when it attaches a link.
pub(super) struct Attachment {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) selector: Option<String>,
    pub(super) epoch: Option<i64>,
}

impl Attachment {
    pub(super) fn of(attach: &Attach) -> Self {
        let source = attach.source.as_deref();
        let target = match attach.target.as_deref() {
            Some(TargetArchetype::Target(target)) => target.address.clone(),
            _ => None,
        };
        let epoch = attach
            .properties
            .as_ref()
            .and_then(|properties| properties.get(&Symbol::from("com.microsoft:epoch")));
        Self {
            source: source
                .and_then(|source| source.address.clone())
                .unwrap_or_default(),
            target: target.unwrap_or_default(),
            selector: source
                .and_then(|source| source.filter.as_ref())
                .and_then(selector::of_filter),
            epoch: match epoch {
                Some(Value::Long(epoch)) => Some(*epoch),
                Some(Value::Int(epoch)) => Some(i64::from(*epoch)),
                _ => None,
            },
        }
    }
}
