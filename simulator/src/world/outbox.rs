//! Records on their way out: late, out of order, some twice, in messages and blobs.
//!
//! What leaves when depends on simulated time and the seed only, never on how often somebody asks.

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::chance::Chance;
use super::moment::{self, MINUTE_US, SECOND_US};

/// Records of one partition leave together at this interval of simulated time.
const MESSAGE_WINDOW_US: i64 = MINUTE_US;
/// Records of one content type leave together at this interval of simulated time.
const BLOB_WINDOW_US: i64 = 5 * MINUTE_US;
/// Longest time between the two deliveries of a duplicate, in simulated seconds.
pub(crate) const DUPLICATE_AFTER_S_MAX: i64 = 600;
/// One of so many blobs is listed long after its creation time.
const LATE_BLOB_OF: u128 = 6;
/// How long after its creation time a late blob is listed, at most, in simulated minutes.
const LATE_BLOB_MINUTES_MAX: u128 = 60;

/// Bounds of a delay, in simulated seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lateness {
    /// Shortest delay.
    pub min: u32,
    /// Longest delay.
    pub max: u32,
}

/// How records travel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    /// Partitions of the hub.
    pub(crate) partitions: u32,
    /// Share of records that are delivered twice.
    pub(crate) duplicate_ratio: f64,
    /// Most records in one message of the hub.
    pub(crate) message_records_max: usize,
    /// Most records in one blob.
    pub(crate) blob_records_max: usize,
    pub(crate) hub_lateness: Lateness,
    /// Of risk detections, which reach the hub later than the rest.
    pub(crate) risk_lateness: Lateness,
    pub(crate) activity_lateness: Lateness,
    /// When the day begins, and when everything of it is visible.
    pub(crate) start_us: i64,
    pub(crate) horizon_us: i64,
}

/// A feed, by the table that it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feed {
    Signins,
    DirectoryAudits,
    RiskEvents,
    GraphActivity,
    M365Activity,
    GraphAlerts,
}

impl Feed {
    /// Every feed.
    pub(crate) const ALL: [Self; 6] = [
        Self::Signins,
        Self::DirectoryAudits,
        Self::RiskEvents,
        Self::GraphActivity,
        Self::M365Activity,
        Self::GraphAlerts,
    ];

    /// Its name, which is that of the table that it fills.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Signins => "signins",
            Self::DirectoryAudits => "directory_audits",
            Self::RiskEvents => "risk_events",
            Self::GraphActivity => "graph_activity",
            Self::M365Activity => "m365_activity",
            Self::GraphAlerts => "graph_alerts",
        }
    }
}

/// A content type of the Management Activity API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ContentType {
    AzureActiveDirectory,
    Exchange,
    SharePoint,
    General,
}

impl ContentType {
    /// Every content type.
    pub(crate) const ALL: [Self; 4] = [
        Self::AzureActiveDirectory,
        Self::Exchange,
        Self::SharePoint,
        Self::General,
    ];

    /// Its name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AzureActiveDirectory => "Audit.AzureActiveDirectory",
            Self::Exchange => "Audit.Exchange",
            Self::SharePoint => "Audit.SharePoint",
            Self::General => "Audit.General",
        }
    }

    /// The content type of a name, in any letter case.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// A blob of the Management Activity API.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) content_type: ContentType,
    pub(crate) content_id: String,
    /// Simulated time that the listing filters on.
    pub(crate) created_us: i64,
    pub(crate) body: String,
    pub(crate) ids: Vec<String>,
}

/// An Event Hubs message.
#[derive(Debug, Clone)]
pub(crate) struct HubMessage {
    pub(crate) partition: usize,
    pub(crate) at_us: i64,
    pub(crate) body: String,
    pub(crate) ids: Vec<(Feed, String)>,
}

/// Something that a client can now see.
#[derive(Debug, Clone)]
pub(crate) enum Publication {
    Message(HubMessage),
    Blob(Blob),
    /// A new alert, or a new version of one.
    Alert(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    Hub(usize),
    Activity(ContentType),
    Alerts,
}

struct Parcel {
    /// Decides its place among those that leave together.
    order: u128,
    feed: Feed,
    id: String,
    body: String,
}

/// Records that nobody can see yet.
pub(crate) struct Outbox {
    chance: Chance,
    delivery: Delivery,
    blobs: u64,
    pending: BTreeMap<(i64, Channel), Vec<Parcel>>,
}

impl Outbox {
    pub(crate) fn new(chance: Chance, delivery: Delivery) -> Self {
        Self {
            chance,
            delivery,
            blobs: 0,
            pending: BTreeMap::new(),
        }
    }

    /// Whether everything has left.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Sends a record of diagnostic settings on its way; `time` becomes the time of its emission.
    pub(crate) fn send_to_hub(
        &mut self,
        feed: Feed,
        id: &str,
        mut record: Map<String, Value>,
        event_us: i64,
    ) {
        let lateness = if feed == Feed::RiskEvents {
            self.delivery.risk_lateness
        } else {
            self.delivery.hub_lateness
        };
        let mut dice = self.chance.stream(&["hub", id]);
        let first_us = self.leaves_at(event_us, lateness, &mut dice);
        let mut times = vec![first_us];
        if dice.random::<f64>() < self.delivery.duplicate_ratio {
            times.push(self.again_at(first_us, &mut dice));
        }
        for (copy, time_us) in times.into_iter().enumerate() {
            record.insert("time".to_owned(), json!(moment::ticks(time_us)));
            let copy = copy.to_string();
            let number = self.chance.number(&["partition", id, &copy]);
            let partition =
                usize::try_from(number % u128::from(self.delivery.partitions)).unwrap_or_default();
            let parcel = Parcel {
                order: number,
                feed,
                id: id.to_owned(),
                body: Value::Object(record.clone()).to_string(),
            };
            let window_us = self.window(time_us, MESSAGE_WINDOW_US);
            self.pending
                .entry((window_us, Channel::Hub(partition)))
                .or_default()
                .push(parcel);
        }
    }

    /// Sends a record of the unified audit log on its way; its second copy has its fields in another order.
    pub(crate) fn send_to_activity(
        &mut self,
        kind: ContentType,
        id: &str,
        record: &Map<String, Value>,
        event_us: i64,
    ) {
        let mut dice = self.chance.stream(&["activity", id]);
        let first_us = self.leaves_at(event_us, self.delivery.activity_lateness, &mut dice);
        let mut copies = vec![(first_us, written(record.iter()))];
        if dice.random::<f64>() < self.delivery.duplicate_ratio {
            copies.push((
                self.again_at(first_us, &mut dice),
                written(record.iter().rev()),
            ));
        }
        for (copy, (time_us, body)) in copies.into_iter().enumerate() {
            let order = self.chance.number(&["blob", id, &copy.to_string()]);
            let parcel = Parcel {
                order,
                feed: Feed::M365Activity,
                id: id.to_owned(),
                body,
            };
            let window_us = self.window(time_us, BLOB_WINDOW_US);
            self.pending
                .entry((window_us, Channel::Activity(kind)))
                .or_default()
                .push(parcel);
        }
    }

    /// Shows an alert, or its new version, at the time of its last update.
    pub(crate) fn send_to_alerts(&mut self, alert: &Value, at_us: i64) {
        let parcel = Parcel {
            order: 0,
            feed: Feed::GraphAlerts,
            id: String::new(),
            body: alert.to_string(),
        };
        self.pending
            .entry((at_us, Channel::Alerts))
            .or_default()
            .push(parcel);
    }

    /// The next that leave together, in their order, if they have left by a simulated time.
    fn next_due(&mut self, to_us: i64) -> Option<(i64, Channel, Vec<Parcel>)> {
        let entry = self.pending.first_entry()?;
        let (at_us, channel) = *entry.key();
        if at_us > to_us {
            return None;
        }
        let mut parcels = entry.remove();
        parcels.sort_by_key(|parcel| parcel.order);
        Some((at_us, channel, parcels))
    }

    /// What has left by a simulated time, record by record, each as one line of JSON.
    pub(crate) fn leave_singly(&mut self, to_us: i64) -> Vec<(Feed, String)> {
        let mut out = Vec::new();
        while let Some((_, _, parcels)) = self.next_due(to_us) {
            out.extend(parcels.into_iter().map(|one| (one.feed, one.body)));
        }
        out
    }

    /// What has left by a simulated time, in the order of leaving.
    pub(crate) fn leave(&mut self, to_us: i64, out: &mut Vec<Publication>) {
        while let Some((at_us, channel, parcels)) = self.next_due(to_us) {
            match channel {
                Channel::Hub(partition) => {
                    for chunk in parcels.chunks(self.delivery.message_records_max) {
                        out.push(Publication::Message(message(partition, at_us, chunk)));
                    }
                }
                Channel::Activity(kind) => {
                    for chunk in parcels.chunks(self.delivery.blob_records_max) {
                        out.push(Publication::Blob(self.blob(kind, at_us, chunk)));
                    }
                }
                Channel::Alerts => {
                    out.extend(parcels.iter().filter_map(|parcel| {
                        serde_json::from_str(&parcel.body)
                            .ok()
                            .map(Publication::Alert)
                    }));
                }
            }
        }
    }

    /// Nothing of the day leaves after the horizon; what happens later leaves at once.
    fn leaves_at(&self, event_us: i64, lateness: Lateness, dice: &mut ChaCha8Rng) -> i64 {
        let late_us = i64::from(dice.random_range(lateness.min..=lateness.max)) * SECOND_US
            + dice.random_range(0..SECOND_US);
        if event_us < self.delivery.horizon_us {
            (event_us + late_us).min(self.delivery.horizon_us)
        } else {
            event_us
        }
    }

    fn again_at(&self, first_us: i64, dice: &mut ChaCha8Rng) -> i64 {
        let after_us = dice.random_range(60..DUPLICATE_AFTER_S_MAX) * SECOND_US;
        if first_us < self.delivery.horizon_us {
            (first_us + after_us).min(self.delivery.horizon_us)
        } else {
            first_us
        }
    }

    /// The end of the window in which a time lies.
    fn window(&self, time_us: i64, width_us: i64) -> i64 {
        if time_us >= self.delivery.horizon_us {
            return time_us;
        }
        let windows = (time_us - self.delivery.start_us).div_euclid(width_us) + 1;
        (self.delivery.start_us + windows * width_us).min(self.delivery.horizon_us)
    }

    fn blob(&mut self, content_type: ContentType, at_us: i64, parcels: &[Parcel]) -> Blob {
        self.blobs += 1;
        let number = self.chance.number(&["created", &self.blobs.to_string()]);
        let early_minutes = if number.is_multiple_of(LATE_BLOB_OF) {
            (number >> 8) % LATE_BLOB_MINUTES_MAX
        } else {
            0
        };
        let created_us = at_us - i64::try_from(early_minutes).unwrap_or_default() * MINUTE_US;
        let written_name = content_type.name().replace('.', "_");
        let content_id = format!(
            "{}{:06}${}{:06}${}${written_name}",
            moment::digits(created_us - BLOB_WINDOW_US),
            self.blobs,
            moment::digits(created_us),
            self.blobs,
            written_name.to_lowercase(),
        );
        let bodies: Vec<&str> = parcels.iter().map(|parcel| parcel.body.as_str()).collect();
        Blob {
            content_type,
            content_id,
            created_us: created_us.max(self.delivery.start_us),
            body: format!("[{}]", bodies.join(",")),
            ids: parcels.iter().map(|parcel| parcel.id.clone()).collect(),
        }
    }
}

fn message(partition: usize, at_us: i64, parcels: &[Parcel]) -> HubMessage {
    let bodies: Vec<&str> = parcels.iter().map(|parcel| parcel.body.as_str()).collect();
    HubMessage {
        partition,
        at_us,
        body: format!("{{\"records\":[{}]}}", bodies.join(",")),
        ids: parcels
            .iter()
            .map(|parcel| (parcel.feed, parcel.id.clone()))
            .collect(),
    }
}

/// An object as JSON, with its members in the order given.
fn written<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let members: Vec<String> = members
        .map(|(name, value)| format!("{}:{value}", json!(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::{Chance, ContentType, Delivery, Feed, Lateness, Outbox, Publication};
    use crate::world::moment::HOUR_US;
    use serde_json::{Map, Value, json};

    fn outbox() -> Outbox {
        let lateness = Lateness { min: 60, max: 300 };
        let delivery = Delivery {
            partitions: 4,
            duplicate_ratio: 1.0,
            message_records_max: 25,
            blob_records_max: 20,
            hub_lateness: lateness,
            risk_lateness: lateness,
            activity_lateness: lateness,
            start_us: 0,
            horizon_us: 10 * HOUR_US,
        };
        Outbox::new(Chance::new(1), delivery)
    }

    fn record() -> Map<String, Value> {
        let mut record = Map::new();
        record.insert("Id".to_owned(), json!("x"));
        record.insert("Operation".to_owned(), json!("y"));
        record
    }

    #[test]
    fn a_duplicate_of_the_audit_log_has_its_fields_in_another_order() {
        let mut outbox = outbox();
        outbox.send_to_activity(ContentType::Exchange, "x", &record(), 0);
        let mut out = Vec::new();
        outbox.leave(10 * HOUR_US, &mut out);
        let bodies: Vec<&str> = out
            .iter()
            .filter_map(|one| match one {
                Publication::Blob(blob) => Some(blob.body.as_str()),
                _ => None,
            })
            .collect();
        let all = bodies.concat();
        assert!(all.contains(r#"{"Id":"x","Operation":"y"}"#), "{all}");
        assert!(all.contains(r#"{"Operation":"y","Id":"x"}"#), "{all}");
    }

    #[test]
    fn what_leaves_does_not_depend_on_how_often_one_looks() {
        let ids = |steps: i64| {
            let mut outbox = outbox();
            for serial in 0..50 {
                outbox.send_to_hub(
                    Feed::Signins,
                    &serial.to_string(),
                    record(),
                    serial * 60_000_000,
                );
            }
            let mut out = Vec::new();
            for step in 1..=steps {
                outbox.leave(step * 10 * HOUR_US / steps, &mut out);
            }
            out.iter()
                .map(|one| match one {
                    Publication::Message(message) => message.body.clone(),
                    _ => String::new(),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(1), ids(977));
    }
}
