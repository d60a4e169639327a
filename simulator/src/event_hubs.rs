//! The AMQP side: an Event Hubs namespace with one hub, as `azure_messaging_eventhubs` needs it.
//!
//! Delivery: transfers are settled before they are sent; sequence numbers are dense and begin at 0 in
//! each partition, and everything is kept.
//! Protocol: AMQP 1.0 with SASL ANONYMOUS; claims-based security at `$cbs`; partition properties at
//! `$management`; receivers with the selector filters of Event Hubs.

mod delivery;
mod requests;
mod selector;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SaslAnonymousMechanism,
    SessionAcceptor,
};
use fe2o3_amqp_types::definitions::AmqpError;
use fe2o3_amqp_types::messaging::{Message, TargetArchetype};
use fe2o3_amqp_types::performatives::Attach;
use fe2o3_amqp_types::primitives::{Symbol, Value};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::SimulatorError;
use crate::shared::Shared;

/// Largest frame, in bytes.
const FRAME_BYTES_MAX: u32 = 65_536;
/// Most sessions of a connection: one for every partition and request of a client.
const SESSIONS_MAX: u16 = 1_000;
/// Largest message, in bytes: that of Event Hubs' standard tier.
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
/// Answers that wait for a slow client on one link.
const ANSWERS_MAX: usize = 64;

/// Which reader of a partition is the newest with the highest epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ownership {
    epoch: i64,
    link: u64,
}

/// Nobody reads with an epoch.
const NOBODY: Ownership = Ownership { epoch: -1, link: 0 };

/// What the connections share besides the tenant.
#[derive(Default)]
pub(crate) struct Broker {
    owners: Mutex<HashMap<String, watch::Sender<Ownership>>>,
    links: Mutex<u64>,
}

impl Broker {
    /// Claims a partition's address; none if a reader of a higher epoch holds it.
    fn claim(
        &self,
        address: &str,
        epoch: Option<i64>,
    ) -> Option<(u64, watch::Receiver<Ownership>)> {
        let link = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            *links += 1;
            *links
        };
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = owners
            .entry(address.to_owned())
            .or_insert_with(|| watch::Sender::new(NOBODY));
        if epoch.unwrap_or(NOBODY.epoch) < owner.borrow().epoch {
            return None;
        }
        if let Some(epoch) = epoch {
            owner.send_replace(Ownership { epoch, link });
        }
        Some((link, owner.subscribe()))
    }

    /// Gives a claim back, so that a reader of a lower epoch may come.
    fn release(&self, address: &str, link: u64) {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get(address) {
            owner.send_if_modified(|owner| {
                let held = owner.link == link;
                if held {
                    owner.epoch = NOBODY.epoch;
                }
                held
            });
        }
    }
}

/// Answers of a session's request nodes, by the address that the client wants them at.
type Answers = Arc<Mutex<HashMap<String, mpsc::Sender<Message<Value>>>>>;

/// Serves AMQP until it is stopped.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> Result<(), SimulatorError> {
    let broker = Arc::new(Broker::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted.map_err(|cause| SimulatorError::Served { protocol: "AMQP", cause })?;
                connections.spawn(connection(stream, Arc::clone(&shared), Arc::clone(&broker)));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, broker: Arc<Broker>) {
    if let Err(refusal) = stream.set_nodelay(true) {
        tracing::debug!(%refusal, "small frames will wait");
    }
    let acceptor = ConnectionAcceptor::builder()
        .container_id("simulator")
        .max_frame_size(FRAME_BYTES_MAX)
        .channel_max(SESSIONS_MAX)
        .sasl_acceptor(SaslAnonymousMechanism {})
        .build();
    let mut connection = match acceptor.accept(stream).await {
        Ok(connection) => connection,
        Err(refusal) => {
            tracing::debug!(?refusal, "no AMQP connection");
            return;
        }
    };
    let sessions = SessionAcceptor::builder()
        .incoming_window(u32::MAX)
        .outgoing_window(u32::MAX)
        .build();
    let mut tasks = JoinSet::new();
    while let Ok(accepted) = sessions.accept(&mut connection).await {
        tasks.spawn(session(accepted, Arc::clone(&shared), Arc::clone(&broker)));
    }
    if let Err(ended) = connection.on_close().await {
        tracing::debug!(?ended, "AMQP connection ended");
    }
}

async fn session(mut session: ListenerSessionHandle, shared: Arc<Shared>, broker: Arc<Broker>) {
    let acceptor = LinkAcceptor::builder()
        .max_message_size(MESSAGE_BYTES_MAX)
        .verify_incoming_source(false)
        .verify_incoming_target(false)
        .build();
    let answers = Answers::default();
    let mut links = JoinSet::new();
    while let Some(attach) = session.next_incoming_attach().await {
        let asked = Asked::of(&attach);
        match acceptor.accept_incoming_attach(attach, &mut session).await {
            Ok(LinkEndpoint::Receiver(receiver)) if is_request_node(&asked.target) => {
                links.spawn(requests::serve(
                    receiver,
                    Arc::clone(&answers),
                    Arc::clone(&shared),
                ));
            }
            Ok(LinkEndpoint::Receiver(receiver)) => {
                // Nobody but the tenant itself sends to this hub.
                let refusal = fe2o3_amqp_types::definitions::Error::new(
                    AmqpError::NotAllowed,
                    Some("the simulated hub is read only".to_owned()),
                    None,
                );
                if let Err(ended) = receiver.close_with_error(refusal).await {
                    tracing::debug!(?ended, "sender link ended");
                }
            }
            Ok(LinkEndpoint::Sender(sender)) if is_request_node(&asked.source) => {
                let (send, receive) = mpsc::channel(ANSWERS_MAX);
                answers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(asked.target, send);
                links.spawn(requests::answer(sender, receive));
            }
            Ok(LinkEndpoint::Sender(sender)) => {
                links.spawn(delivery::deliver(
                    sender,
                    asked,
                    Arc::clone(&shared),
                    Arc::clone(&broker),
                ));
            }
            Err(refusal) => tracing::debug!(?refusal, "no AMQP link"),
        }
    }
    if let Err(ended) = session.on_end().await {
        tracing::debug!(?ended, "AMQP session ended");
    }
}

fn is_request_node(address: &str) -> bool {
    address == "$cbs" || address == "$management" || address.ends_with("/$management")
}

/// What a client asks for when it attaches a link.
pub(crate) struct Asked {
    source: String,
    target: String,
    selector: Option<String>,
    epoch: Option<i64>,
}

impl Asked {
    fn of(attach: &Attach) -> Self {
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

#[cfg(test)]
mod tests {
    use super::Broker;

    #[test]
    fn a_higher_epoch_displaces_and_a_lower_one_waits_until_it_is_gone() {
        let broker = Broker::default();
        let (_, without) = broker.claim("a", None).unwrap();
        let (first, mut owner) = broker.claim("a", Some(3)).unwrap();
        assert!(without.has_changed().unwrap());
        assert!(broker.claim("a", None).is_none());
        assert!(broker.claim("a", Some(2)).is_none());
        assert!(broker.claim("b", Some(2)).is_some());
        owner.borrow_and_update();
        let (second, _) = broker.claim("a", Some(3)).unwrap();
        assert_eq!(owner.borrow().link, second);
        broker.release("a", first);
        assert!(broker.claim("a", None).is_none());
        broker.release("a", second);
        assert!(broker.claim("a", None).is_some());
    }
}
