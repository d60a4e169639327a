//! The AMQP side: an Event Hubs namespace with one hub, as `azure_messaging_eventhubs` needs it.
//!
//! Delivery: transfers are settled before they are sent; sequence numbers are dense and begin at 0 in
//! each partition, and everything is kept.
//! Protocol: AMQP 1.0 with SASL ANONYMOUS; claims-based security at `$cbs`; partition properties at
//! `$management`; receivers with the selector filters of Event Hubs.

mod attachment;
mod broker;
mod delivery;
mod requests;
mod selector;

use std::sync::{Arc, PoisonError};

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SaslAnonymousMechanism,
    SessionAcceptor,
};
use fe2o3_amqp_types::definitions::AmqpError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::SimulatorError;
use crate::shared::SharedTenant;
use attachment::{Answers, Attachment};
use broker::Broker;

/// Largest frame, in bytes.
const FRAME_BYTES_MAX: u32 = 65_536;
/// Most sessions of a connection: one for every partition and request of a client.
const SESSIONS_MAX: u16 = 1_000;
/// Largest message, in bytes: that of Event Hubs' standard tier.
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
/// Answers that wait for a slow client on one link.
const ANSWERS_MAX: usize = 64;

/// Serves AMQP until it is stopped.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<SharedTenant>,
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

async fn connection(stream: TcpStream, shared: Arc<SharedTenant>, broker: Arc<Broker>) {
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

async fn session(
    mut session: ListenerSessionHandle,
    shared: Arc<SharedTenant>,
    broker: Arc<Broker>,
) {
    let acceptor = LinkAcceptor::builder()
        .max_message_size(MESSAGE_BYTES_MAX)
        .verify_incoming_source(false)
        .verify_incoming_target(false)
        .build();
    let answers = Answers::default();
    let mut links = JoinSet::new();
    while let Some(attach) = session.next_incoming_attach().await {
        let asked = Attachment::of(&attach);
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
