//! One connection to a hub, with a time limit on every call.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::OffsetDateTime;
use azure_messaging_eventhubs::{
    ConsumerClient, EventReceiver, OpenReceiverOptions, RetryOptions, StartLocation, StartPosition,
};
use microsoft::{Audience, TenantClient};

use super::position::Facts;
use crate::config::EventHubsConfig;
use crate::error::IngestError;
use crate::sources::desk::Desk;

/// What a hub says about itself.
#[derive(Debug, Clone)]
pub(super) struct HubProperties {
    pub(super) partition_ids: Vec<String>,
    /// When it was made, in microseconds since the Unix epoch; tells a hub from its successor.
    pub(super) created_us: i64,
}

/// A connection.
pub(super) struct Connection {
    client: ConsumerClient,
    hub: String,
    limit: Duration,
}

/// Our tokens, as the client asks for them.
struct Credential {
    microsoft: TenantClient,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credential(redacted)")
    }
}

#[async_trait::async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let token = self
            .microsoft
            .token(Audience::EventHubs)
            .await
            .map_err(|error| {
                azure_core::Error::with_message(ErrorKind::Credential, error.to_string())
            })?;
        let expires = OffsetDateTime::now_utc() + token.good_for();
        Ok(AccessToken::new(token.expose().to_owned(), expires))
    }
}

/// The client asks for the process's crypto provider, also without TLS, and panics where two are linked and none
/// was chosen; in a build of everything, two are.
fn choose_crypto_provider() {
    // An error means that one was chosen before, which is as good.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

impl Connection {
    /// Connects.
    pub(super) async fn open(desk: &Desk, config: &EventHubsConfig) -> Result<Self, IngestError> {
        choose_crypto_provider();
        let limit = Duration::from_millis(config.call_timeout_ms);
        let mut builder = ConsumerClient::builder()
            .with_consumer_group(config.consumer_group.clone())
            .with_application_id("vedette".to_owned())
            .with_retry_options(no_retries(limit));
        if !config.endpoint.is_empty() {
            builder = builder.with_custom_endpoint(config.endpoint.clone());
        }
        let credential = Arc::new(Credential {
            microsoft: desk.microsoft.clone(),
        });
        let opened = builder.open(&config.namespace, config.hub.clone(), credential);
        let client = in_time("connect to the hub", limit, &config.hub, opened).await?;
        Ok(Self {
            client,
            hub: config.hub.clone(),
            limit,
        })
    }

    pub(super) async fn hub_properties(&self) -> Result<HubProperties, IngestError> {
        let asked = self.client.get_eventhub_properties();
        let properties = in_time("read the hub's properties", self.limit, &self.hub, asked).await?;
        let created_us = properties
            .created_on
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_micros()).ok());
        Ok(HubProperties {
            partition_ids: properties.partition_ids,
            created_us: created_us.unwrap_or(0),
        })
    }

    pub(super) async fn facts(&self, partition_id: &str) -> Result<Facts, IngestError> {
        let created_us = self.hub_properties().await?.created_us;
        let asked = self.client.get_partition_properties(partition_id);
        let properties = in_time(
            "read the partition's properties",
            self.limit,
            &self.hub,
            asked,
        )
        .await?;
        Ok(Facts {
            created_us,
            first: properties.beginning_sequence_number,
            last: properties.last_enqueued_sequence_number,
            is_empty: properties.is_empty,
        })
    }

    /// Opens a receiver whose first message has sequence number `next`, or a later one where that is gone.
    pub(super) async fn receiver(
        &self,
        partition_id: &str,
        next: i64,
        prefetch: u32,
    ) -> Result<EventReceiver, IngestError> {
        let start = StartPosition {
            // Exclusive: a number that does not exist yet would be refused.
            location: StartLocation::SequenceNumber(next - 1),
            inclusive: false,
        };
        let options = OpenReceiverOptions {
            start_position: Some(start),
            prefetch: Some(prefetch),
            ..OpenReceiverOptions::default()
        };
        let opened = self
            .client
            .open_receiver_on_partition(partition_id.to_owned(), Some(options));
        in_time("open a receiver", self.limit, &self.hub, opened).await
    }

    /// Closes, without waiting for a peer that does not answer.
    pub(super) async fn close(self) {
        match tokio::time::timeout(self.limit.min(CLOSE_WAIT), self.client.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(hub = self.hub, %error, "could not close"),
            Err(_) => tracing::debug!(hub = self.hub, "could not close in time"),
        }
    }
}

/// Longest wait for an orderly end of a connection.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// The client's own retries would reattach at the wrong place, so there are none.
fn no_retries(limit: Duration) -> RetryOptions {
    let limit = azure_core::time::Duration::try_from(limit)
        .unwrap_or(azure_core::time::Duration::seconds(30));
    RetryOptions {
        max_retries: 0,
        max_total_elapsed: limit,
        ..RetryOptions::default()
    }
}

async fn in_time<T, E: std::fmt::Display>(
    call: &'static str,
    limit: Duration,
    hub: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, IngestError> {
    match tokio::time::timeout(limit, asked).await {
        Err(_) => Err(IngestError::TimedOut { call, limit }),
        Ok(answer) => answer.map_err(|error| IngestError::EventHubs {
            call,
            hub: hub.to_owned(),
            reason: error.to_string(),
        }),
    }
}
