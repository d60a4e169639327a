//! How topics that exist differ from those that we would make, and what follows from that. Pure.

use std::collections::HashMap;

use schemas::topics::Topic;

use super::{RETENTION, SAFE_IN_SYNC, SAFE_REPLICAS};
use crate::kafka::settings::BATCH_BYTES_MAX;
use crate::message::Concern;

/// A topic as the cluster has it.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    pub(super) name: String,
    pub(super) topic: Topic,
    pub(super) partitions: usize,
    /// Of the partition that has the fewest.
    pub(super) replicas: usize,
    /// Its settings by name, with the brokers' defaults.
    pub(super) settings: HashMap<String, String>,
}

impl Existing {
    /// What is to be said of it.
    pub(super) fn concerns(&self) -> Vec<Concern> {
        let mut faults = self.faults_of_settings();
        if i32::try_from(self.replicas).is_ok_and(|replicas| replicas < SAFE_REPLICAS) {
            let why = format!(
                "has {} replicas and not {SAFE_REPLICAS}: acknowledged messages are lost with a disk; fix: \
                 kafka-reassign-partitions",
                self.replicas
            );
            faults.push((true, why));
        }
        let expected = usize::try_from(self.topic.partitions()).unwrap_or(1);
        // Topics with one partition have one order, which signals are counted in and the audit chain is kept in.
        if self.partitions != expected {
            let why = format!("has {} partitions and not {expected}", self.partitions);
            faults.push((expected == 1, why));
        }
        let concern = |(is_loss, why): (bool, String)| Concern {
            part: format!("bus/topics/{}", self.name),
            is_loss,
            why: format!("topic \"{}\" {why}", self.name),
        };
        faults.into_iter().map(concern).collect()
    }

    /// Whether messages can be lost by it, and what is wrong.
    fn faults_of_settings(&self) -> Vec<(bool, String)> {
        let text = |key: &str| self.settings.get(key).map(String::as_str);
        let number = |key: &str| text(key).and_then(|value| value.parse::<i64>().ok());
        let mut faults = Vec::new();
        if number("min.insync.replicas").is_some_and(|replicas| replicas < i64::from(SAFE_IN_SYNC))
        {
            let why = format!(
                "takes a message as kept when fewer than {SAFE_IN_SYNC} replicas have it; fix: \
                 min.insync.replicas={SAFE_IN_SYNC}"
            );
            faults.push((true, why));
        }
        if text("unclean.leader.election.enable") == Some("true") {
            let why = "lets a replica lead that lacks acknowledged messages; fix: \
                       unclean.leader.election.enable=false";
            faults.push((true, why.to_owned()));
        }
        if text("cleanup.policy").is_some_and(|policy| policy != "delete") {
            let why = "is compacted, which removes messages that nobody has read; fix: cleanup.policy=delete";
            faults.push((true, why.to_owned()));
        }
        if number("max.message.bytes").is_some_and(|bytes| bytes < wanted(BATCH_BYTES_MAX)) {
            let why = format!("refuses large messages; fix: max.message.bytes={BATCH_BYTES_MAX}");
            faults.push((true, why));
        }
        let retention_ms = wanted(RETENTION.as_millis());
        // Below zero it is for ever.
        if number("retention.ms").is_some_and(|ms| (0..retention_ms).contains(&ms)) {
            let why = format!(
                "keeps messages shorter than an outage may last; fix: retention.ms={retention_ms}"
            );
            faults.push((false, why));
        }
        faults
    }
}

fn wanted(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use schemas::topics::Topic;

    use super::Existing;

    fn existing(changes: &[(&str, &str)]) -> Existing {
        let ours = [
            ("min.insync.replicas", "2"),
            ("unclean.leader.election.enable", "false"),
            ("cleanup.policy", "delete"),
            ("max.message.bytes", "10000000"),
            ("retention.ms", "604800000"),
        ];
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Existing {
            name: "vedette.signals".to_owned(),
            topic: Topic::Signals,
            partitions: 1,
            replicas: 3,
            settings: ours.iter().chain(changes).map(owned).collect(),
        }
    }

    #[test]
    fn what_a_topic_lacks_is_said_with_the_fix_and_whether_messages_are_lost_by_it() {
        assert!(existing(&[]).concerns().is_empty());
        assert!(existing(&[("retention.ms", "-1")]).concerns().is_empty());
        for (key, value, is_loss) in [
            ("min.insync.replicas", "1", true),
            ("unclean.leader.election.enable", "true", true),
            ("cleanup.policy", "compact", true),
            ("cleanup.policy", "compact,delete", true),
            ("max.message.bytes", "1048588", true),
            ("retention.ms", "3600000", false),
        ] {
            let concerns = existing(&[(key, value)]).concerns();
            assert_eq!(concerns.len(), 1, "{key}={value}");
            assert_eq!(concerns[0].is_loss, is_loss, "{key}={value}");
            assert!(
                concerns[0].why.contains(&format!("fix: {key}=")),
                "{concerns:?}"
            );
            assert!(concerns[0].why.contains("vedette.signals"));
        }
        let one_disk = Existing {
            replicas: 1,
            ..existing(&[])
        };
        assert!(one_disk.concerns()[0].is_loss);
        let more = Existing {
            partitions: 4,
            ..existing(&[])
        };
        assert!(
            more.concerns()[0].is_loss,
            "signals are counted in one order"
        );
    }
}
