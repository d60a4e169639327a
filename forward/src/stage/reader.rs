//! What a destination reads: messages of its topics as notices in hand, and what of them was gone before it came.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, Delivery, Message, Polled, Position};
use schemas::coverage::{CoverageRange, CoverageState, Published, replaced_log};
use schemas::dead_letter::Reason;
use schemas::environment::Clock;
use schemas::topics::Topic;
use schemas::wire::Coverage;

use super::letters::{Place, SetAside, letter_source};
use crate::contract::{self, NoticeKind};
use crate::error::ForwardError;
use crate::routes::Routes;
use crate::window::{Partition, Room, Window};

/// What is in hand at most.
const ROOM: Room = Room {
    notices_max: 1_000,
    bytes_max: 16 * 1024 * 1024,
};

/// Reads for one destination.
pub(super) struct Reader {
    pub(super) window: Window,
    consumer: Consumer,
    name: String,
    group: String,
    routes: Arc<Routes>,
    kinds: BTreeSet<NoticeKind>,
    /// Older messages are not for a destination that is new, in microseconds since the Unix epoch, UTC.
    first_us: i64,
    /// Partitions of which the group had no position when they were assigned.
    new: BTreeSet<Partition>,
    /// The offset that comes next, where it is known.
    expected: BTreeMap<Partition, i64>,
    /// What cannot be read and is to be set aside before the position moves past it.
    pub(super) unreadable: Vec<SetAside>,
}

/// Who reads what.
pub(super) struct Reads {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) routes: Arc<Routes>,
    pub(super) first_us: i64,
}

impl Reader {
    /// Joins the destination's group.
    pub(super) async fn join(bus: &Bus, reads: Reads) -> Result<Self, ForwardError> {
        let kinds = reads.routes.kinds_of(&reads.name);
        let topics: Vec<Topic> = topics(&kinds).into_iter().collect();
        Ok(Self {
            window: Window::new(ROOM),
            consumer: bus.subscribe(&reads.group, &topics).await?,
            name: reads.name,
            group: reads.group,
            routes: reads.routes,
            kinds,
            first_us: reads.first_us,
            new: BTreeSet::new(),
            expected: BTreeMap::new(),
            unreadable: Vec::new(),
        })
    }

    /// Takes what is there, if there is room for it; waits so long for the first message.
    pub(super) async fn take(
        &mut self,
        bus: &Bus,
        clock: &dyn Clock,
        wait_max: Duration,
    ) -> Result<(), ForwardError> {
        let room = self.window.room_left();
        if room == 0 || !self.unreadable.is_empty() {
            tokio::time::sleep(wait_max).await;
            return Ok(());
        }
        let polled = self.consumer.next(room, wait_max).await?;
        self.window.forget(&polled.revoked);
        for partition in &polled.revoked {
            self.expected.remove(partition);
            self.new.remove(partition);
        }
        if !polled.assigned.is_empty() || !polled.replaced.is_empty() {
            self.begin(bus, clock, &polled).await?;
        }
        for record in polled.records {
            self.look_for_gap(bus, clock, &record).await?;
            self.admit(&record);
        }
        Ok(())
    }

    /// Reads what is newly assigned, and what another log took the place of, from where the group stands on it.
    async fn begin(
        &mut self,
        bus: &Bus,
        clock: &dyn Clock,
        polled: &Polled,
    ) -> Result<(), ForwardError> {
        let mut fresh = polled.assigned.clone();
        let replaced = polled.replaced.iter();
        fresh.extend(replaced.clone().map(|at| (at.topic, at.partition)));
        self.window.forget(&fresh);
        let mut gone: BTreeMap<Partition, Position> =
            replaced.map(|at| ((at.topic, at.partition), *at)).collect();
        for found in self.consumer.resume(&fresh).await? {
            let at = found.position;
            gone.entry((at.topic, at.partition)).or_insert(at);
        }
        let mut lines: Vec<Coverage> = Vec::new();
        for at in gone.values() {
            metrics::counter!("forward_replaced_logs_total", "destination" => self.name.clone())
                .increment(1);
            tracing::error!(destination = self.name, topic = %at.topic, partition = at.partition,
                stood_at = at.next_offset,
                "the bus has another log than the one that was read; it is read from its beginning");
            lines.push(replaced_log(
                &self.source(),
                (at.topic, at.partition),
                at.next_offset,
                "the log was replaced or cut: what it had from this offset on and was not delivered is not sent",
                clock.now_us(),
            ));
        }
        let topics: BTreeSet<Topic> = fresh.iter().map(|(topic, _)| *topic).collect();
        let mut known: BTreeMap<Partition, i64> = BTreeMap::new();
        for topic in topics {
            for at in bus.committed(&self.group, topic).await? {
                known.insert((at.topic, at.partition), at.next_offset);
            }
        }
        for partition in fresh {
            self.expected.remove(&partition);
            if gone.contains_key(&partition) {
                self.new.remove(&partition);
            } else if let Some(next_offset) = known.get(&partition) {
                self.expected.insert(partition, *next_offset);
                self.new.remove(&partition);
            } else {
                self.new.insert(partition);
            }
        }
        self.note(bus, lines).await
    }

    /// Says of messages that the bus removed before they were read that they are lost to this destination.
    async fn look_for_gap(
        &mut self,
        bus: &Bus,
        clock: &dyn Clock,
        record: &Delivery,
    ) -> Result<(), ForwardError> {
        let partition = (record.topic, record.partition);
        let expected = self.expected.insert(partition, record.offset + 1);
        let Some(expected) = expected.filter(|expected| *expected < record.offset) else {
            return Ok(());
        };
        let lost = (record.offset - expected).unsigned_abs();
        metrics::counter!("forward_lost_total", "destination" => self.name.clone()).increment(lost);
        tracing::error!(destination = self.name, topic = %record.topic, lost,
            "the bus removed messages before they were delivered: this destination was away for too long");
        let line = CoverageRange {
            tenant_id: "",
            source: &self.source(),
            kind: "range",
            subject: &format!("{}/{}", record.topic, record.partition),
            from: expected,
            to: record.offset,
        }
        .line(
            CoverageState::Lost,
            Published::default(),
            "the bus removed these messages before this destination took them; the tables of the lake still have \
             what they told",
            clock.now_us(),
        );
        let noted = self.note(bus, vec![line]).await;
        if noted.is_err() {
            // Said again, before the position moves past it.
            self.expected.insert(partition, expected);
        }
        noted
    }

    async fn note(&self, bus: &Bus, lines: Vec<Coverage>) -> Result<(), ForwardError> {
        let messages = lines
            .iter()
            .map(|line| Message::of(line.id.clone(), line))
            .collect();
        bus.publish(Topic::Coverage, messages).await?;
        Ok(())
    }

    fn source(&self) -> String {
        letter_source(&self.name)
    }

    /// Takes a message in hand, if it is a notice that a route leads here.
    fn admit(&mut self, record: &Delivery) {
        let outcome = match contract::read(record.topic, &record.payload) {
            Err(error) => {
                self.unreadable.push(SetAside {
                    tenant_id: String::new(),
                    place: Place {
                        topic: record.topic,
                        partition: record.partition,
                        offset: record.offset,
                    },
                    reason: Reason::NotTheFormat,
                    why: error.to_string(),
                    bytes: record.payload.clone(),
                });
                "unreadable"
            }
            Ok(None) => "nothing_to_tell",
            Ok(Some(notice)) => {
                let is_old = record.published_us > 0 && record.published_us < self.first_us;
                let is_new = self.new.contains(&(record.topic, record.partition));
                if !self.kinds.contains(&notice.kind) || !self.routes.lead(&notice, &self.name) {
                    "not_routed"
                } else if is_new && is_old {
                    "before_beginning"
                } else {
                    self.window.hold(record, notice);
                    return;
                }
            }
        };
        self.window.pass(record);
        metrics::counter!("forward_notices_total",
            "destination" => self.name.clone(), "outcome" => outcome)
        .increment(1);
    }

    /// Moves the group's positions past what is settled.
    pub(super) async fn commit(&mut self) -> Result<(), ForwardError> {
        if !self.unreadable.is_empty() {
            return Ok(());
        }
        let reached = self.window.take_reached();
        if reached.is_empty() {
            return Ok(());
        }
        let outcome = self.consumer.commit(&reached).await;
        if outcome.is_err() {
            self.window.put_back(reached);
        }
        Ok(outcome?)
    }
}

/// The topics of these kinds.
pub(super) fn topics(kinds: &BTreeSet<NoticeKind>) -> BTreeSet<Topic> {
    kinds.iter().map(|kind| kind.topic()).collect()
}
