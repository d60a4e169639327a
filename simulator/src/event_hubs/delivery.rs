//! One receiver of one partition: from its start position to whatever comes.

use std::sync::Arc;

use fe2o3_amqp::{Sendable, Sender};
use fe2o3_amqp_types::definitions::{AmqpError, Error, ErrorCondition, LinkError};
use fe2o3_amqp_types::messaging::annotations::OwnedKey;
use fe2o3_amqp_types::messaging::{Data, Message, MessageAnnotations};
use fe2o3_amqp_types::primitives::{Binary, Symbol, Timestamp, Value};

use super::attachment::Attachment;
use super::broker::Broker;
use super::selector::{self, OFFSET_STEP};
use crate::shared::SharedTenant;
use crate::tenant::{Enqueued, Tenant};

/// Most messages that are taken out of the tenant at once.
const TAKE_MAX: usize = 256;
/// The default of Event Hubs: only what comes from now on.
const LATEST: &str = "amqp.annotation.x-opt-offset > '@latest'";

/// Sends a partition to a receiver until one of them leaves.
pub(super) async fn deliver(
    mut sender: Sender,
    asked: Attachment,
    shared: Arc<SharedTenant>,
    broker: Arc<Broker>,
) {
    let ended = match begin(&asked, &shared) {
        Ok((partition, next)) => match broker.claim(&asked.source, asked.epoch) {
            Some((link, owner)) => {
                let reader = Reader {
                    partition,
                    next,
                    link,
                    has_epoch: asked.epoch.is_some(),
                    owner,
                };
                let ended = reader.run(&mut sender, &shared).await;
                broker.release(&asked.source, link);
                ended
            }
            None => Some(refusal(
                LinkError::Stolen,
                "a receiver with a higher epoch exists",
            )),
        },
        Err(refusal) => Some(refusal),
    };
    let closed = match ended {
        Some(error) => sender.close_with_error(error).await,
        None => sender.close().await,
    };
    if let Err(ended) = closed {
        tracing::debug!(?ended, "receiver link ended");
    }
}

fn refusal(condition: impl Into<ErrorCondition>, text: &str) -> Error {
    Error::new(condition, Some(text.to_owned()), None)
}

/// The partition of an address, and the sequence number that comes first.
fn begin(asked: &Attachment, shared: &SharedTenant) -> Result<(usize, usize), Error> {
    let partition = asked
        .source
        .rsplit_once("/Partitions/")
        .and_then(|(_, id)| id.parse::<usize>().ok());
    shared.with(|tenant| {
        let log = partition.and_then(|partition| tenant.partitions.get(partition));
        let (Some(partition), Some(log)) = (partition, log) else {
            return Err(refusal(AmqpError::NotFound, "no such partition"));
        };
        let enqueued_ms: Vec<i64> = log.iter().map(|one| one.wall_us / 1_000).collect();
        let first = selector::first(asked.selector.as_deref().unwrap_or(LATEST), &enqueued_ms);
        let first = first.ok_or_else(|| {
            refusal(
                AmqpError::InvalidField,
                "the selector filter is not understood",
            )
        })?;
        // A position after the end waits for it.
        Ok((partition, first))
    })
}

struct Reader {
    partition: usize,
    next: usize,
    link: u64,
    has_epoch: bool,
    owner: tokio::sync::watch::Receiver<super::broker::Ownership>,
}

impl Reader {
    /// Runs until the client leaves, or returns the error that the link is closed with.
    async fn run(mut self, sender: &mut Sender, shared: &SharedTenant) -> Option<Error> {
        let detached = |tenant: &mut Tenant, partition: usize| tenant.detached[partition];
        let before = shared.with(|tenant| detached(tenant, self.partition));
        let mut bell = shared.bell();
        loop {
            bell.borrow_and_update();
            let (taken, times) =
                shared.with(|tenant| (self.take(tenant), detached(tenant, self.partition)));
            if times != before {
                return Some(refusal(
                    LinkError::DetachForced,
                    "the link was detached by the service",
                ));
            }
            if self.owner.has_changed().unwrap_or(false) && self.is_displaced() {
                return Some(refusal(
                    LinkError::Stolen,
                    "displaced by a receiver with a higher epoch",
                ));
            }
            if taken.is_empty() {
                tokio::select! {
                    rung = bell.changed() => if rung.is_err() { return None },
                    _ = sender.on_detach() => return None,
                    _ = self.owner.changed() => if self.is_displaced() {
                        return Some(refusal(LinkError::Stolen, "displaced by a receiver with a higher epoch"));
                    },
                }
            }
            for enqueued in taken {
                if let Err(ended) = sender.send(self.sendable(&enqueued)).await {
                    tracing::debug!(?ended, "the receiver left");
                    return None;
                }
                self.next += 1;
            }
        }
    }

    fn is_displaced(&mut self) -> bool {
        let owner = *self.owner.borrow_and_update();
        if self.has_epoch {
            owner.link != self.link
        } else {
            owner.epoch >= 0
        }
    }

    fn take(&self, tenant: &Tenant) -> Vec<Arc<Enqueued>> {
        tenant.partitions[self.partition]
            .iter()
            .skip(self.next)
            .take(TAKE_MAX)
            .map(Arc::clone)
            .collect()
    }

    fn sendable(&self, enqueued: &Enqueued) -> Sendable<Data> {
        let sequence = i64::try_from(self.next).unwrap_or(i64::MAX);
        let mut annotations = MessageAnnotations::default();
        let mut annotate = |name: &str, value: Value| {
            annotations
                .0
                .insert(OwnedKey::from(Symbol::from(name)), value);
        };
        annotate("x-opt-sequence-number", Value::Long(sequence));
        annotate(
            "x-opt-offset",
            Value::String((sequence * OFFSET_STEP).to_string()),
        );
        annotate(
            "x-opt-enqueued-time",
            Value::Timestamp(Timestamp::from_milliseconds(enqueued.wall_us / 1_000)),
        );
        let message = Message {
            header: None,
            delivery_annotations: None,
            message_annotations: Some(annotations),
            properties: None,
            application_properties: None,
            body: Data(Binary::from(enqueued.body.clone().into_bytes())),
            footer: None,
        };
        Sendable::builder().message(message).settled(true).build()
    }
}
