//! Publishes what the journal holds for others: publish, then forget. Where the bus lost it, all of it again.

use std::sync::Arc;

use bus::retry::retry_or_stop;
use bus::{Bus, Message};
use schemas::environment::Clock;
use schemas::health::Health;
use schemas::topics::Topic;
use tokio_util::sync::CancellationToken;

use super::log::{Witness, went_back};
use super::{LOOK_EVERY, Wake};
use crate::error::RespondError;
use crate::journal::{Ledger, Outgoing};

/// Most messages in one round.
const MESSAGES_MAX: usize = 500;

/// The part that is in trouble while nothing can be published.
const PART: &str = "respond/publisher";

/// Where it is told that nothing can be published.
pub(super) struct Watch {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Health,
}

pub(super) async fn run(
    ledger: Ledger,
    bus: Bus,
    wake: Wake,
    watch: Watch,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    let mut woken = wake.subscribe();
    let mut witness = Witness::new(ledger, bus, Arc::clone(&watch.clock));
    loop {
        woken.mark_unchanged();
        // Before the look, so that what was written before the end is seen by it.
        let is_last = stop.is_cancelled();
        let published = publish(&mut witness).await;
        if published.is_ok() {
            watch.health.well(PART);
        }
        match published {
            Ok(0) if is_last => return Ok(()),
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                let why = format!("cases and audit entries cannot be published: {error}");
                watch.health.trouble(PART, why, watch.clock.now_us());
                retry_or_stop(error, "respond/publisher", &stop).await?;
                continue;
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = woken.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Publishes what is there; gives the number of messages.
async fn publish(witness: &mut Witness) -> Result<usize, RespondError> {
    // First: what is published now would hide that the log is another.
    witness.compare_if_due().await?;
    let (ledger, bus) = (witness.ledger.clone(), witness.bus.clone());
    let outgoing = ledger
        .with(|journal| journal.outgoing(MESSAGES_MAX))
        .await?;
    let Some(last) = outgoing.last().map(|message| message.number) else {
        return Ok(0);
    };
    let count = outgoing.len();
    let acknowledged = ledger.with(|journal| journal.acknowledged()).await?;
    let mut placed = Vec::new();
    for topic in [Topic::Cases, Topic::Audit] {
        let messages = messages(&outgoing, topic);
        if messages.is_empty() {
            continue;
        }
        let number = messages.len();
        let put = bus.publish_placed(topic, messages).await?;
        if went_back(&acknowledged, &put, number) && witness.compare().await? {
            // All is there again, and these come once more.
            return Ok(count);
        }
        placed.extend(put);
    }
    // A crash before this line publishes again; readers know the ids.
    ledger
        .with(move |journal| journal.published(last, &placed))
        .await?;
    Ok(count)
}

fn messages(outgoing: &[Outgoing], topic: Topic) -> Vec<Message> {
    outgoing
        .iter()
        .filter(|message| message.topic == topic)
        .map(|message| Message {
            key: message.key.clone(),
            payload: message.payload.clone(),
        })
        .collect()
}
