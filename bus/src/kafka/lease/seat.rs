//! A candidate's seat in the group of a lease: waiting, elected, or lost for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use tokio::sync::watch;

use super::super::context::Logging;
use super::super::{Cluster, settings};
use crate::error::BusError;
use crate::lease::Terms;

/// How often the thread looks whether the seat was left.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// How a seat stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Another one is to hold the lease, or nobody yet.
    Waiting,
    /// This one is to hold it.
    Elected,
    /// This one is to hold it no more, for good.
    Lost(String),
}

/// A seat in the group.
pub(super) struct Seat {
    standing: watch::Sender<Standing>,
    is_left: AtomicBool,
}

/// A seat that is left when nobody wants it any more.
pub(super) struct Candidacy(pub(super) Arc<Seat>);

impl Drop for Candidacy {
    fn drop(&mut self) {
        self.0.lose("it was given up");
        self.0.is_left.store(true, Ordering::SeqCst);
    }
}

/// The consumer's context: it tells the seat what the group decides.
struct Member(Arc<Seat>);

impl Seat {
    /// Joins the group of a lease, on a thread that takes part in it until the seat is left.
    pub(super) fn ask_for(
        cluster: &Arc<Cluster>,
        group: &str,
        topic: &str,
        terms: &Terms,
    ) -> Result<Candidacy, BusError> {
        let seat = Arc::new(Self {
            standing: watch::channel(Standing::Waiting).0,
            is_left: AtomicBool::new(false),
        });
        let client: BaseConsumer<Member> =
            settings::candidate(cluster.config(), group, &terms.holder)?
                .create_with_context(Member(Arc::clone(&seat)))
                .map_err(|cause| settings::refused("create a consumer", cause))?;
        client
            .subscribe(&[topic])
            .map_err(|cause| BusError::Kafka {
                doing: "ask for a lease",
                cause,
            })?;
        let thread = thread::Builder::new()
            .name("bus-kafka-lease".to_owned())
            .spawn({
                let seat = Arc::clone(&seat);
                move || seat.take_part(&client)
            });
        let thread = thread.map_err(|_| BusError::ThreadEnded {
            doing: "ask for a lease",
        })?;
        cluster.close_by(Some(thread));
        Ok(Candidacy(seat))
    }

    fn take_part(&self, client: &BaseConsumer<Member>) {
        while !self.is_left.load(Ordering::SeqCst) {
            if let Some(Err(error)) = client.poll(POLL_WAIT)
                && let KafkaError::MessageConsumptionFatal(_) = error
            {
                self.lose(&format!("another process has this one's seat: {error}"));
                return;
            }
        }
    }

    /// Waits until it is elected or lost.
    pub(super) async fn decided(&self) {
        let mut standing = self.standing.subscribe();
        // The sender lives as long as the seat.
        drop(standing.wait_for(|now| *now != Standing::Waiting).await);
    }

    /// Waits until it is lost; says why.
    pub(super) async fn lost(&self) -> String {
        let mut standing = self.standing.subscribe();
        match standing
            .wait_for(|now| matches!(now, Standing::Lost(_)))
            .await
            .as_deref()
        {
            Ok(Standing::Lost(why)) => why.clone(),
            _ => "its seat is gone".to_owned(),
        }
    }

    /// Whether it is elected.
    pub(super) fn check(&self) -> Result<(), BusError> {
        match &*self.standing.borrow() {
            Standing::Elected => Ok(()),
            Standing::Waiting => Err(BusError::LeaseLost {
                why: "it was not given".to_owned(),
            }),
            Standing::Lost(why) => Err(BusError::LeaseLost { why: why.clone() }),
        }
    }

    /// Ends it for good; the first reason is kept.
    pub(super) fn lose(&self, why: &str) {
        self.standing.send_if_modified(|now| {
            let is_first = !matches!(now, Standing::Lost(_));
            if is_first {
                *now = Standing::Lost(why.to_owned());
            }
            is_first
        });
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logging.error(error, reason);
    }

    fn stats(&self, _statistics: Statistics) {}
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) if list.count() > 0 => {
                self.0.standing.send_if_modified(|now| {
                    let waited = *now == Standing::Waiting;
                    if waited {
                        *now = Standing::Elected;
                    }
                    waited
                });
            }
            Rebalance::Revoke(list) if list.count() > 0 => {
                self.0
                    .lose("the group has given it to another, or hears nothing from this one");
            }
            Rebalance::Assign(_) | Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "could not rebalance"),
        }
    }
}
