//! Event Hubs, through `azure_messaging_eventhubs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use azure_messaging_eventhubs::{
    ConsumerClient, OpenReceiverOptions, RetryOptions, StartLocation, StartPosition,
};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::lab::{EVENT_HUBS, GRAPH, Lab, WHOLE_DAY, small};

#[derive(Debug)]
struct Given(String);

#[async_trait::async_trait]
impl TokenCredential for Given {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(
            self.0.clone(),
            OffsetDateTime::now_utc() + Duration::hours(1),
        ))
    }
}

async fn consumer(lab: &Lab, scope: &str) -> azure_messaging_eventhubs::Result<ConsumerClient> {
    let token = lab.token(&lab.connection.reading, scope).await;
    // The client panics where two crypto providers are linked and none was chosen, as in a build of everything.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    ConsumerClient::builder()
        .with_custom_endpoint(lab.connection.amqp_url.clone())
        .with_retry_options(RetryOptions {
            max_retries: 0,
            ..RetryOptions::default()
        })
        .open(
            &lab.connection.hub_namespace,
            lab.connection.hub_name.clone(),
            Arc::new(Given(token)),
        )
        .await
}

/// Sequence numbers and bodies of so many messages from a position on.
async fn read(
    client: &ConsumerClient,
    partition: &str,
    location: StartLocation,
    inclusive: bool,
    count: usize,
) -> Vec<(i64, Value)> {
    let options = OpenReceiverOptions {
        start_position: Some(StartPosition {
            location,
            inclusive,
        }),
        prefetch: Some(500),
        ..OpenReceiverOptions::default()
    };
    let receiver = client
        .open_receiver_on_partition(partition.to_owned(), Some(options))
        .await
        .unwrap();
    let mut read = Vec::new();
    {
        let stream = receiver.stream_events();
        futures::pin_mut!(stream);
        while read.len() < count {
            let event = stream.next().await.unwrap().unwrap();
            let body = event.event_data().body().unwrap().to_vec();
            read.push((
                event.sequence_number().unwrap(),
                serde_json::from_slice(&body).unwrap(),
            ));
        }
    }
    receiver.close().await.unwrap();
    read
}

#[tokio::test]
async fn every_record_of_the_ledger_is_in_some_partition() {
    let lab = Lab::start(small()).await;
    lab.at_minute(WHOLE_DAY);
    let client = consumer(&lab, EVENT_HUBS).await.unwrap();
    let hub = client.get_eventhub_properties().await.unwrap();
    assert_eq!(hub.partition_ids, ["0", "1", "2", "3"]);
    let (mut ids, mut total, mut categories) = (BTreeSet::new(), 0, BTreeSet::new());
    for partition in &hub.partition_ids {
        let properties = client.get_partition_properties(partition).await.unwrap();
        assert_eq!(properties.beginning_sequence_number, 0);
        let count = usize::try_from(properties.last_enqueued_sequence_number + 1).unwrap();
        let all = read(&client, partition, StartLocation::Earliest, false, count).await;
        let expected: Vec<i64> = (0..=properties.last_enqueued_sequence_number).collect();
        assert_eq!(
            all.iter()
                .map(|(sequence, _)| *sequence)
                .collect::<Vec<_>>(),
            expected
        );
        for (_, body) in &all {
            for record in body["records"].as_array().unwrap() {
                total += 1;
                ids.insert(record["properties"]["id"].as_str().unwrap().to_owned());
                categories.insert(record["category"].as_str().unwrap().to_owned());
            }
        }
    }
    assert!(total > ids.len(), "no duplicates among {total}");
    assert_eq!(categories.len(), 5, "{categories:?}");
    let ledger = lab
        .ledger(&["signins", "directory_audits", "risk_events"])
        .await;
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ledger);
    client.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn a_reader_resumes_after_or_at_a_sequence_number_and_sees_what_comes_later() {
    let lab = Lab::start(small()).await;
    lab.at_minute(120);
    let client = consumer(&lab, EVENT_HUBS).await.unwrap();
    let after = read(&client, "0", StartLocation::SequenceNumber(5), false, 3).await;
    assert_eq!(
        after
            .iter()
            .map(|(sequence, _)| *sequence)
            .collect::<Vec<_>>(),
        [6, 7, 8]
    );
    let at = read(&client, "0", StartLocation::SequenceNumber(5), true, 3).await;
    assert_eq!(at[1..], after[..2]);
    let last = client
        .get_partition_properties("0")
        .await
        .unwrap()
        .last_enqueued_sequence_number;
    let (later, ()) = tokio::join!(
        read(&client, "0", StartLocation::SequenceNumber(last), false, 5),
        async {
            lab.at_minute(WHOLE_DAY);
        }
    );
    assert_eq!(later[0].0, last + 1);
    client.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let lab = Lab::start(small()).await;
    let opened = consumer(&lab, GRAPH).await;
    let refused = match opened {
        Ok(client) => client.get_eventhub_properties().await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    lab.stop().await;
}

#[tokio::test]
async fn a_scripted_detach_ends_the_stream_of_its_partition() {
    let lab = Lab::start(small()).await;
    lab.at_minute(60);
    let client = consumer(&lab, EVENT_HUBS).await.unwrap();
    let last = client
        .get_partition_properties("1")
        .await
        .unwrap()
        .last_enqueued_sequence_number;
    let position = StartPosition {
        location: StartLocation::SequenceNumber(last),
        inclusive: false,
    };
    let options = OpenReceiverOptions {
        start_position: Some(position),
        ..OpenReceiverOptions::default()
    };
    let receiver = client
        .open_receiver_on_partition("1".to_owned(), Some(options))
        .await
        .unwrap();
    let stream = receiver.stream_events();
    futures::pin_mut!(stream);
    // The first poll attaches the receiver, which then waits for what comes.
    let waited = tokio::time::timeout(std::time::Duration::from_secs(1), stream.next()).await;
    assert!(waited.is_err());
    lab.fault(&json!({"amqp_detach": 1})).await;
    let ended = stream.next().await;
    assert!(ended.is_none_or(|event| event.is_err()));
    lab.stop().await;
}
