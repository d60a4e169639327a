//! A lease on Kafka: a group says who is to hold it, and transactions see to it that no other does.
//!
//! The members of a group on a topic of one partition agree on who reads it; that one is the next holder. But a member
//! that stood still learns late that another reads now. So the holder has a producer with the lease's transactional id:
//! when the next holder initialises that id, the coordinator refuses every later transaction of the one before, for
//! good. A committed transaction therefore proves that nobody else was the holder when it was asked for.
//! Source: <https://cwiki.apache.org/confluence/display/KAFKA/KIP-98+-+Exactly+Once+Delivery+and+Transactional+Messaging>.

mod entries;
mod seat;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use prost::Message as _;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;
use schemas::environment::{Clock as _, SystemClock};
use schemas::fate::chain;
use schemas::limits::LEASE_CONFIRMED_FOR;
use schemas::topics::Topic;
use schemas::wire::LeaseEntry;
use tokio::task;
use tokio::time::{sleep, timeout};

use self::entries::{CONFIRMED, RELEASED, TAKEN};
use self::seat::{Candidacy, Seat};
use super::context::Logging;
use super::{Cluster, settings};
use crate::error::BusError;
use crate::lease::{Confirmed, Terms, Told, Waiting, since_start, this_process};

/// Longest wait until the coordinator has ended what the former holder had begun.
const TAKE_WAIT: Duration = Duration::from_secs(30);

/// How often one that waits looks who holds the lease.
const LOOK_EVERY: Duration = Duration::from_secs(5);

const DOING: &str = "take a lease";

/// A lease that this process was given.
pub struct KafkaLease {
    cluster: Arc<Cluster>,
    office: Arc<Office>,
    _candidacy: Candidacy,
}

/// What the holder writes with; calls of it block.
struct Office {
    seat: Arc<Seat>,
    producer: FutureProducer<Logging>,
    topic: String,
    name: String,
    terms: Terms,
    epoch: u64,
    /// Another that held it last, for a person.
    taken_from: Option<String>,
    /// When it was last confirmed; held while it is being confirmed, because a producer has one transaction at a time.
    confirmed: Mutex<Option<Confirmed>>,
}

impl KafkaLease {
    pub(super) async fn take(
        cluster: Arc<Cluster>,
        name: &str,
        terms: &Terms,
        told: Told<'_>,
    ) -> Result<Self, BusError> {
        let topic = cluster.name(Topic::Responder);
        let group = cluster.group(&format!("{name}.lease"));
        let candidacy = Seat::ask_for(&cluster, &group, &topic, terms)?;
        let seat = &candidacy.0;
        while timeout(LOOK_EVERY, seat.decided()).await.is_err() {
            told(match entries::last(&cluster, &group, &topic).await {
                Ok(Some(entry)) => Waiting::Behind(format!("{} acts", entry.process)),
                Ok(None) => Waiting::Behind("nobody acts yet".to_owned()),
                Err(error) => Waiting::Blind(chain(&error)),
            });
        }
        seat.check()?;
        let (office, former) = {
            let asked = (Arc::clone(&cluster), Arc::clone(seat));
            let (name, terms) = (name.to_owned(), terms.clone());
            task::spawn_blocking(move || {
                Office::open(&asked.0, asked.1, name, terms, &group, topic)
            })
            .await
            .map_err(|_| BusError::ThreadEnded { doing: DOING })??
        };
        let lease = Self {
            cluster,
            office: Arc::new(office),
            _candidacy: candidacy,
        };
        if let Some(former) = former {
            told(Waiting::Behind(format!(
                "takes over from {}, when what that one may have begun is over, in {:?}",
                former.process, former.under_way_max
            )));
            tokio::select! {
                why = lease.lost() => return Err(BusError::LeaseLost { why }),
                () = sleep(former.under_way_max) => {}
            }
        }
        lease.confirm().await?;
        Ok(lease)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.office.epoch
    }

    pub(crate) fn taken_from(&self) -> Option<&str> {
        self.office.taken_from.as_deref()
    }

    pub(crate) async fn confirm(&self) -> Result<Confirmed, BusError> {
        self.office.seat.check()?;
        let office = Arc::clone(&self.office);
        let confirmed = task::spawn_blocking(move || office.confirm());
        tokio::select! {
            confirmed = confirmed => confirmed.map_err(|_| BusError::ThreadEnded {
                doing: "confirm a lease",
            })?,
            // The group may notice first that nothing is heard from here.
            why = self.lost() => Err(BusError::LeaseLost { why }),
        }
    }

    pub(crate) async fn lost(&self) -> String {
        self.office.seat.lost().await
    }

    pub(crate) async fn release(&self) {
        if self.office.seat.check().is_err() {
            return;
        }
        let office = Arc::clone(&self.office);
        let released = task::spawn_blocking(move || office.release()).await;
        if let Ok(Err(error)) = released {
            // The next holder waits as if this one had been cut off.
            tracing::warn!(error = %error, "the lease could not be given back");
        }
    }
}

impl Drop for KafkaLease {
    fn drop(&mut self) {
        // Off the runtime: it joins its threads.
        self.cluster.close(self.office.producer.clone());
    }
}

/// Who held the lease before, as far as it matters to the next one.
struct Former {
    process: String,
    under_way_max: Duration,
}

impl Office {
    /// Shuts the former holder out and says so; tells whom to wait for.
    fn open(
        cluster: &Arc<Cluster>,
        seat: Arc<Seat>,
        name: String,
        terms: Terms,
        group: &str,
        topic: String,
    ) -> Result<(Self, Option<Former>), BusError> {
        let failed = |cause| BusError::Kafka {
            doing: DOING,
            cause,
        };
        let id = format!("{topic}.{name}");
        let producer: FutureProducer<Logging> = settings::lease(cluster.config(), &id)?
            .create_with_context(Logging)
            .map_err(|cause| settings::refused("create a producer", cause))?;
        producer.init_transactions(TAKE_WAIT).map_err(failed)?;
        // Only now: the former holder writes no more.
        let last = entries::read_last(cluster, group, &topic)?;
        let other = last.as_ref().filter(|last| last.holder != terms.holder);
        let taken_from = other.map(|last| last.process.clone());
        let former = last.and_then(|last| {
            entries::may_be_under_way(&last, &terms).map(|under_way_max| Former {
                process: last.process,
                under_way_max,
            })
        });
        let mut office = Self {
            seat,
            producer,
            topic,
            name,
            terms,
            epoch: 0,
            taken_from,
            confirmed: Mutex::new(None),
        };
        let waits = former
            .as_ref()
            .map_or(Duration::ZERO, |it| it.under_way_max);
        let offset = office
            .write(TAKEN, office.terms.under_way_max.max(waits))
            .map_err(failed)?;
        office.epoch = u64::try_from(offset).unwrap_or(0);
        Ok((office, former))
    }

    /// Commits a transaction, unless that was done a moment ago.
    fn confirm(&self) -> Result<Confirmed, BusError> {
        let mut confirmed = self
            .confirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.seat.check()?;
        // Half of it, so that whoever is told has the other half.
        let known = confirmed.filter(|known| known.age() <= LEASE_CONFIRMED_FOR / 2);
        if let Some(known) = known {
            return Ok(known);
        }
        let asked = since_start().ok_or_else(|| self.lose("no clock tells how fresh it is"))?;
        self.write(CONFIRMED, self.terms.under_way_max)
            .map_err(|cause| self.lose(&format!("it could not be confirmed: {cause}")))?;
        self.seat.check()?;
        Ok(*confirmed.insert(Confirmed::at(self.epoch, asked)))
    }

    fn release(&self) -> Result<(), BusError> {
        let confirmed = self
            .confirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let written = self.write(RELEASED, Duration::ZERO);
        drop(confirmed);
        self.seat.lose("it was given back");
        written.map(|_| ()).map_err(|cause| BusError::Kafka {
            doing: "give back a lease",
            cause,
        })
    }

    /// Whatever went wrong, this producer may have been shut out: only taking the lease again can tell.
    fn lose(&self, why: &str) -> BusError {
        self.seat.lose(why);
        BusError::LeaseLost {
            why: why.to_owned(),
        }
    }

    /// Writes an entry in a transaction; gives its offset.
    fn write(&self, state: &str, under_way_max: Duration) -> Result<i64, KafkaError> {
        let entry = LeaseEntry {
            holder: self.terms.holder.clone(),
            process: this_process(),
            state: state.to_owned(),
            epoch: self.epoch,
            under_way_ms_max: u64::try_from(under_way_max.as_millis()).unwrap_or(u64::MAX),
            time_us: SystemClock.now_us(),
        };
        let payload = entry.encode_to_vec();
        self.producer.begin_transaction()?;
        let record = FutureRecord::to(&self.topic)
            .partition(0)
            .key(&self.name)
            .payload(&payload);
        let delivery = self
            .producer
            .send_result(record)
            .map_err(|(cause, _)| cause)?;
        // As librdkafka asks: for as long as the transaction may take.
        self.producer.commit_transaction(Timeout::Never)?;
        match delivery.now_or_never() {
            Some(Ok(Ok(delivered))) => Ok(delivered.offset),
            Some(Ok(Err((cause, _)))) => Err(cause),
            Some(Err(_)) | None => Err(KafkaError::Canceled),
        }
    }
}
