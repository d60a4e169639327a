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

use super::beginning::Beginnings;
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
    /// Where it begins on partitions of which the group had no position when they were assigned.
    beginnings: Beginnings,
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
    /// Older messages are not for a destination that is new, in microseconds since the Unix epoch, UTC.
    pub(super) first_us: i64,
}

impl Reader {
    /// Joins the destination's group.
    pub(super) async fn join(bus: &Bus, reads: Reads) -> Result<Self, ForwardError> {
        let kinds = reads.routes.kinds_of(&reads.name);
        let topics: Vec<Topic> = reads.routes.topics_of(&reads.name).into_iter().collect();
        Ok(Self {
            window: Window::new(ROOM),
            consumer: bus.subscribe(&reads.group, &topics).await?,
            name: reads.name,
            group: reads.group,
            routes: reads.routes,
            kinds,
            beginnings: Beginnings::new(reads.first_us),
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
            self.beginnings.forget(*partition);
        }
        if !polled.assigned.is_empty() || !polled.replaced.is_empty() {
            self.begin(bus, clock, &polled).await?;
        }
        for record in polled.records {
            self.look_for_gap(bus, clock, &record).await?;
            self.admit(&record);
        }
        self.commit_beginnings(bus, clock).await
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
        let mut new: Vec<Position> = Vec::new();
        for partition in fresh {
            self.expected.remove(&partition);
            self.beginnings.forget(partition);
            if gone.contains_key(&partition) {
                continue;
            }
            if let Some(next_offset) = known.get(&partition) {
                self.expected.insert(partition, *next_offset);
            } else {
                new.push(Position {
                    topic: partition.0,
                    partition: partition.1,
                    next_offset: 0,
                    last: None,
                });
            }
        }
        for found in bus.recognise(&self.group, &new).await? {
            let partition = (found.position.topic, found.position.partition);
            let bounds = (found.first_offset.max(0), found.end_offset);
            self.beginnings.seek(partition, bounds);
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

    /// Says what was too old for a destination that is new, and commits where it begins: from now on it is not new, also
    /// if it cannot be used for weeks.
    async fn commit_beginnings(
        &mut self,
        bus: &Bus,
        clock: &dyn Clock,
    ) -> Result<(), ForwardError> {
        if self.beginnings.found().is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        for begins in self.beginnings.found() {
            let (topic, partition) = (begins.at.topic, begins.at.partition);
            tracing::debug!(destination = self.name, %topic, partition, offset = begins.at.next_offset,
                passed = begins.passed, "a destination that is new begins here");
            if begins.passed == 0 {
                continue;
            }
            tracing::warn!(destination = self.name, %topic, partition, passed = begins.passed,
                "older than forward.first_hours when this destination came: not sent; fix: \
                 `vedette forward replay` sends them if they are wanted");
            let detail = format!(
                "{} messages were older than forward.first_hours when this destination came, and are not sent; \
                 `vedette forward replay {}` sends what the bus still has",
                begins.passed, self.name
            );
            let range = CoverageRange {
                tenant_id: "",
                source: &self.source(),
                kind: "range",
                subject: &format!("{topic}/{partition}"),
                from: begins.from,
                to: begins.at.next_offset,
            };
            lines.push(range.line(
                CoverageState::Gap,
                Published::default(),
                &detail,
                clock.now_us(),
            ));
        }
        self.note(bus, lines).await?;
        for begins in self.beginnings.found() {
            self.window.begin(begins.at);
        }
        self.beginnings.clear_found();
        self.commit().await
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
        let is_before = self.beginnings.is_before(record);
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
                if !self.kinds.contains(&notice.kind) || !self.routes.lead(&notice, &self.name) {
                    "not_routed"
                } else if is_before {
                    self.beginnings.passes(record);
                    "before_beginning"
                } else {
                    self.window.hold(record, notice);
                    return;
                }
            }
        };
        self.window.pass(record);
        if is_before {
            self.beginnings.settle(record);
        }
        metrics::counter!("forward_notices_total",
            "destination" => self.name.clone(), "outcome" => outcome)
        .increment(1);
    }

    /// Moves the group's positions past what is settled.
    pub(super) async fn commit(&mut self) -> Result<(), ForwardError> {
        if !self.unreadable.is_empty() {
            return Ok(());
        }
        let (open, reached): (Vec<Position>, Vec<Position>) = self
            .window
            .take_reached()
            .into_iter()
            .partition(|at| self.beginnings.is_open((at.topic, at.partition)));
        self.window.put_back(open);
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
