//! Clients that ask about groups without joining them: one for each group, for as long as the bus is open.
//!
//! How far the groups are is asked again and again. A client for each question would be made and destroyed, with its
//! threads and connections, thousands of times a day.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;

use super::context::Logging;
use super::settings;
use crate::config::KafkaConfig;
use crate::error::BusError;

/// How long the log lines of a client are heard before it is asked: none, it would tell but one.
const HEAR: Duration = Duration::from_millis(1);

/// Asks as a group.
pub(super) type Asker = BaseConsumer<Logging>;

/// The clients, by the groups' names with their prefix.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<String, Arc<Asker>>>);

impl Groups {
    /// The client that asks as `group`; blocks for as long as it takes to make one.
    pub(super) fn asker(&self, config: &KafkaConfig, group: &str) -> Result<Arc<Asker>, BusError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = known.get(group) {
            // What it has to say would pile up: it reads nothing, and nobody else polls it.
            while asker.poll(HEAR).is_some() {}
            return Ok(Arc::clone(asker));
        }
        let asker: Asker = settings::consumer(config, group)?
            .create_with_context(Logging)
            .map_err(|cause| settings::refused("create a consumer", cause))?;
        let asker = Arc::new(asker);
        known.insert(group.to_owned(), Arc::clone(&asker));
        Ok(asker)
    }

    /// Takes the clients, to close them.
    pub(super) fn take(&mut self) -> Vec<Arc<Asker>> {
        let known = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        known.drain().map(|(_, asker)| asker).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Groups;
    use crate::config::KafkaConfig;

    #[test]
    fn a_group_is_asked_by_one_client() {
        // Port 9 (discard) of this machine: nobody listens.
        let config = KafkaConfig {
            brokers: "127.0.0.1:9".to_owned(),
            ..KafkaConfig::default()
        };
        let mut groups = Groups::default();
        let lake = groups.asker(&config, "lake").unwrap();
        assert!(Arc::ptr_eq(&lake, &groups.asker(&config, "lake").unwrap()));
        assert!(!Arc::ptr_eq(
            &lake,
            &groups.asker(&config, "detect").unwrap()
        ));
        assert_eq!(groups.take().len(), 2);
    }
}
