//! A member of a consumer group on Kafka: cooperative rebalance, commit after effect.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use schemas::topics::Topic;
use tokio::task;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::context::{Membership, published_us};
use super::leaving::Leaving;
use super::{Cluster, recognise, settings};
use crate::error::BusError;
use crate::message::{Delivery, Polled, Position, Recognised};

/// Longest that a commit waits for the group's coordinator.
const COMMIT_WAIT: Duration = Duration::from_secs(30);

/// Longest that a seek waits for a partition that was just assigned to be ready.
const SEEK_WAIT: Duration = Duration::from_secs(10);

/// Wait between two tries of a commit or seek that came at a bad moment.
const PAUSE: Duration = Duration::from_millis(50);

/// Most bytes that one call of next brings, but for a first message that is larger.
const POLL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// librdkafka's client with our context.
pub(super) type Client = StreamConsumer<Membership>;

/// A member of a consumer group.
pub struct KafkaConsumer {
    cluster: Arc<Cluster>,
    settings: ClientConfig,
    group: String,
    topics: Vec<(String, Topic)>,
    /// None only while it is dropped or replaced.
    client: Option<Arc<Client>>,
    /// Taken from the client and not yet returned: a call that was cancelled left them.
    gathered: Vec<Delivery>,
    gathered_bytes: usize,
    /// The offset after the last message that the client brought of each partition.
    reached: HashMap<(Topic, i32), i64>,
    /// Partitions whose offsets went back, with how far they had been read; not yet reported.
    replaced: BTreeMap<(Topic, i32), i64>,
}

/// What one look at the client's queue brought.
enum Taken {
    Record(Delivery),
    /// The client met an error that it does not mend itself.
    Fatal(KafkaError),
    Failed(KafkaError),
    /// Something that concerns nobody.
    Nothing,
}

impl KafkaConsumer {
    /// Joins `group`, prefix included.
    pub(super) fn join(
        cluster: Arc<Cluster>,
        group: String,
        topics: Vec<(String, Topic)>,
    ) -> Result<Self, BusError> {
        let settings = settings::consumer(cluster.config(), &group)?;
        let client = connect(&settings, &topics)?;
        Ok(Self {
            cluster,
            settings,
            group,
            topics,
            client: Some(client),
            gathered: Vec::new(),
            gathered_bytes: 0,
            reached: HashMap::new(),
            replaced: BTreeMap::new(),
        })
    }

    fn client(&self) -> Result<Arc<Client>, BusError> {
        self.client.clone().ok_or(BusError::ThreadEnded {
            doing: "read from Kafka",
        })
    }

    pub(crate) async fn next(
        &mut self,
        records_max: usize,
        wait_max: Duration,
    ) -> Result<Polled, BusError> {
        let deadline = Instant::now() + wait_max;
        loop {
            let client = self.client()?;
            self.gather(&client, records_max, deadline).await?;
            let polled = self.take(&client, records_max);
            let nothing = polled.records.is_empty()
                && polled.assigned.is_empty()
                && polled.revoked.is_empty()
                && polled.replaced.is_empty();
            if !nothing || Instant::now() >= deadline {
                return Ok(polled);
            }
        }
    }

    /// Waits for the first record, takes what is there, and ends early when partitions come or go.
    async fn gather(
        &mut self,
        client: &Client,
        records_max: usize,
        deadline: Instant,
    ) -> Result<(), BusError> {
        let membership = client.context();
        let mut stream = client.stream();
        while self.gathered.len() < records_max
            && self.gathered_bytes < POLL_BYTES_MAX
            && membership.changes().is_empty()
            && self.replaced.is_empty()
        {
            let taken = if self.gathered.is_empty() {
                tokio::select! {
                    taken = stream.next() => taken,
                    () = membership.changed() => None,
                    () = sleep_until(deadline) => break,
                }
            } else {
                match stream.next().now_or_never() {
                    Some(taken) => taken,
                    None => break,
                }
            };
            if let Some(taken) = taken {
                self.keep(client, taken)?;
            }
        }
        Ok(())
    }

    /// Adds what the client's queue brought to what was gathered.
    fn keep(
        &mut self,
        client: &Client,
        taken: Result<BorrowedMessage<'_>, KafkaError>,
    ) -> Result<(), BusError> {
        match sort(client.context(), taken) {
            Taken::Record(record) => {
                // It came after the changes that its poll met; what was gathered came before.
                self.discard_stale(client);
                self.follow(&record);
                self.gathered_bytes += record.bytes();
                self.gathered.push(record);
                Ok(())
            }
            Taken::Failed(cause) => Err(BusError::Kafka {
                doing: "read",
                cause,
            }),
            Taken::Fatal(cause) => self.rebuild(&cause),
            Taken::Nothing => Ok(()),
        }
    }

    /// Notices when the client begins anew by itself: its offset was out of range of what the brokers have now.
    fn follow(&mut self, record: &Delivery) {
        let partition = (record.topic, record.partition);
        let before = self.reached.insert(partition, record.offset + 1);
        if let Some(reached) = before.filter(|reached| record.offset < *reached) {
            tracing::warn!(topic = %record.topic, partition = record.partition, reached,
                offset = record.offset, "offsets went back: the topic was replaced or cut");
            self.replaced.entry(partition).or_insert(reached);
        }
    }

    /// Forgets how far partitions were read: what comes next of them may be anywhere.
    fn unfollow(&mut self, partitions: impl IntoIterator<Item = (Topic, i32)>) {
        for partition in partitions {
            self.reached.remove(&partition);
            self.replaced.remove(&partition);
        }
    }

    /// Lets the client take part in its group for a while; what it brings is kept for the next call.
    async fn serve(&mut self, client: &Client, wait: Duration) -> Result<(), BusError> {
        let deadline = Instant::now() + wait;
        let mut stream = client.stream();
        while self.gathered_bytes < POLL_BYTES_MAX {
            match timeout_at(deadline, stream.next()).await {
                Ok(Some(taken)) => self.keep(client, taken)?,
                Ok(None) | Err(_) => break,
            }
        }
        sleep_until(deadline).await;
        Ok(())
    }

    /// Replaces what is gathered.
    fn hold(&mut self, records: Vec<Delivery>) {
        self.gathered_bytes = records.iter().map(Delivery::bytes).sum();
        self.gathered = records;
    }

    /// Throws away what was gathered of partitions that were taken since: their new owner reads it again,
    /// or we do after a new assignment.
    fn discard_stale(&mut self, client: &Client) {
        let stale = std::mem::take(&mut client.context().changes().stale);
        if !stale.is_empty() {
            let mut records = std::mem::take(&mut self.gathered);
            records.retain(|record| !stale.contains(&(record.topic, record.partition)));
            self.hold(records);
            self.unfollow(stale);
        }
    }

    /// What was gathered, and the changes; first records of a new partition or log stay for the next call.
    fn take(&mut self, client: &Client, records_max: usize) -> Polled {
        self.discard_stale(client);
        let mut changes = client.context().changes();
        let assigned = std::mem::take(&mut changes.assigned);
        let revoked = std::mem::take(&mut changes.revoked);
        let replaced = std::mem::take(&mut self.replaced);
        let (mut later, mut records): (Vec<_>, Vec<_>) = std::mem::take(&mut self.gathered)
            .into_iter()
            .partition(|record| {
                let partition = (record.topic, record.partition);
                assigned.contains(&partition) || replaced.contains_key(&partition)
            });
        if records.len() > records_max {
            later.extend(records.split_off(records_max));
        }
        self.hold(later);
        let position = |((topic, partition), next_offset)| Position {
            topic,
            partition,
            next_offset,
            last: None,
        };
        Polled {
            records,
            assigned: assigned.into_iter().collect(),
            revoked: revoked.into_iter().collect(),
            replaced: replaced.into_iter().map(position).collect(),
        }
    }

    /// Replaces a client that met a fatal error; all that it read is reported as revoked.
    fn rebuild(&mut self, cause: &KafkaError) -> Result<(), BusError> {
        tracing::warn!(group = self.group, error = %cause, "replacing a consumer that met a fatal error");
        let client = connect(&self.settings, &self.topics)?;
        if let Some(old) = self.client.replace(Arc::clone(&client)) {
            let mut before = old.context().changes();
            before.revoke_all();
            client.context().changes().revoked = std::mem::take(&mut before.revoked);
            drop(before);
            self.cluster.close(Leaving(old));
        }
        self.hold(Vec::new());
        self.reached.clear();
        self.replaced.clear();
        Ok(())
    }

    pub(crate) async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let started = Instant::now();
        loop {
            let client = self.client()?;
            let list = self.list(self.still_ours(&client, positions).iter())?;
            if list.count() == 0 {
                return Ok(());
            }
            let commit = {
                let client = Arc::clone(&client);
                task::spawn_blocking(move || client.commit(&list, CommitMode::Sync))
            };
            let outcome = timeout(COMMIT_WAIT.saturating_sub(started.elapsed()), commit)
                .await
                .map_err(|_| BusError::KafkaSlow {
                    doing: "commit",
                    waited: COMMIT_WAIT,
                })?
                .map_err(|_| BusError::ThreadEnded { doing: "commit" })?;
            match outcome {
                Ok(()) => break,
                // The group is being rearranged: we take part, and keep what stays ours.
                Err(KafkaError::ConsumerCommit(
                    RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::AssignmentLost,
                )) if started.elapsed() < COMMIT_WAIT => self.serve(&client, PAUSE).await?,
                Err(cause) => {
                    return Err(BusError::Kafka {
                        doing: "commit",
                        cause,
                    });
                }
            }
        }
        metrics::counter!("bus_commits_total", "group" => self.group.clone()).increment(1);
        Ok(())
    }

    /// Without the positions of partitions that were taken, be it only for a moment: another member may have
    /// moved them since.
    fn still_ours(&self, client: &Client, positions: &[Position]) -> Vec<Position> {
        let changes = client.context().changes();
        let (ours, lost): (Vec<_>, Vec<_>) = positions.iter().partition(|at| {
            let partition = (at.topic, at.partition);
            changes.owned.contains(&partition)
                && !changes.assigned.contains(&partition)
                && !changes.revoked.contains(&partition)
        });
        if !lost.is_empty() {
            metrics::counter!("bus_commits_fenced_total", "group" => self.group.clone())
                .increment(lost.len() as u64);
            tracing::warn!(
                group = self.group,
                lost = lost.len(),
                "left positions to their new owner"
            );
        }
        ours
    }

    pub(crate) async fn resume(
        &mut self,
        partitions: &[(Topic, i32)],
    ) -> Result<Vec<Recognised>, BusError> {
        let (client, cluster) = (self.client()?, Arc::clone(&self.cluster));
        let (group, partitions) = (self.group.clone(), partitions.to_vec());
        let mut recognised = task::spawn_blocking(move || {
            let positions = recognise::committed(&client, &cluster, &partitions)?;
            recognise::recognise(&cluster, &group, &positions)
        })
        .await
        .map_err(|_| BusError::ThreadEnded { doing: "resume" })??;
        recognised.retain(|one| !one.is_same_log);
        let begin: Vec<Position> = recognised.iter().map(Recognised::resume).collect();
        self.seek(&begin).await?;
        Ok(recognised)
    }

    pub(crate) async fn seek(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let client = self.client()?;
        {
            let changes = client.context().changes();
            let strange = |at: &&Position| !changes.owned.contains(&(at.topic, at.partition));
            if let Some(Position {
                topic, partition, ..
            }) = positions.iter().find(strange)
            {
                return Err(BusError::NotAssigned {
                    topic: *topic,
                    partition: *partition,
                });
            }
        }
        let mut records = std::mem::take(&mut self.gathered);
        records.retain(|record| {
            !positions
                .iter()
                .any(|at| (at.topic, at.partition) == (record.topic, record.partition))
        });
        self.hold(records);
        self.unfollow(positions.iter().map(|at| (at.topic, at.partition)));
        let started = Instant::now();
        let mut list = self.list(positions.iter())?;
        while list.count() > 0 {
            let (client, asked) = (Arc::clone(&client), list.clone());
            let answer = task::spawn_blocking(move || client.seek_partitions(asked, SEEK_WAIT))
                .await
                .map_err(|_| BusError::ThreadEnded { doing: "seek" })?
                .map_err(|cause| BusError::Kafka {
                    doing: "seek",
                    cause,
                })?;
            // A partition whose fetcher has not started yet refuses; it starts within milliseconds.
            let mut again = TopicPartitionList::new();
            for element in answer
                .elements()
                .iter()
                .filter(|element| element.error().is_err())
            {
                let kept = list.find_partition(element.topic(), element.partition());
                if let Some(kept) = kept {
                    add(&mut again, kept.topic(), kept.partition(), kept.offset())?;
                }
            }
            if again.count() > 0 && started.elapsed() >= SEEK_WAIT {
                return Err(BusError::KafkaSlow {
                    doing: "seek",
                    waited: SEEK_WAIT,
                });
            }
            list = again;
            if list.count() > 0 {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    fn list<'a>(
        &self,
        positions: impl Iterator<Item = &'a Position>,
    ) -> Result<TopicPartitionList, BusError> {
        let mut list = TopicPartitionList::new();
        for at in positions {
            let name = self.cluster.name(at.topic);
            add(
                &mut list,
                &name,
                at.partition,
                Offset::Offset(at.next_offset.max(0)),
            )?;
            if let (Some(mut element), Some(_)) =
                (list.find_partition(&name, at.partition), at.last)
            {
                element.set_metadata(recognise::to_metadata(at.last));
            }
        }
        Ok(list)
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            self.cluster.close(Leaving(client));
        }
    }
}

fn connect(settings: &ClientConfig, topics: &[(String, Topic)]) -> Result<Arc<Client>, BusError> {
    let client: Client = settings
        .create_with_context(Membership::new(topics.to_vec()))
        .map_err(|cause| settings::refused("create a consumer", cause))?;
    client
        .subscribe(&client.context().names())
        .map_err(|cause| BusError::Kafka {
            doing: "subscribe",
            cause,
        })?;
    Ok(Arc::new(client))
}

pub(super) fn add(
    list: &mut TopicPartitionList,
    name: &str,
    partition: i32,
    offset: Offset,
) -> Result<(), BusError> {
    list.add_partition_offset(name, partition, offset)
        .map_err(|cause| BusError::Kafka {
            doing: "name a position",
            cause,
        })
}

fn sort(membership: &Membership, taken: Result<BorrowedMessage<'_>, KafkaError>) -> Taken {
    match taken {
        Ok(message) => match membership.topic(message.topic()) {
            Some(topic) => Taken::Record(delivery(topic, &message)),
            None => Taken::Nothing,
        },
        Err(cause @ KafkaError::MessageConsumptionFatal(_)) => Taken::Fatal(cause),
        Err(cause) => match cause.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition,
            ) => Taken::Failed(cause),
            // Brokers that are away, a poll that came late: librdkafka reconnects and rejoins itself.
            _ => Taken::Nothing,
        },
    }
}

pub(super) fn delivery(topic: Topic, message: &BorrowedMessage<'_>) -> Delivery {
    Delivery {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        // A key of other producers may be no text; it is data, not an error.
        key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
        payload: message.payload().unwrap_or_default().to_vec(),
        published_us: published_us(message.timestamp()),
    }
}
