//! Which reader of a partition is the one that Event Hubs lets read: the newest with the highest epoch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Which reader of a partition is the newest with the highest epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ownership {
    pub(super) epoch: i64,
    pub(super) link: u64,
}

/// Nobody reads with an epoch.
const NOBODY: Ownership = Ownership { epoch: -1, link: 0 };

/// What the connections share besides the tenant.
#[derive(Default)]
pub(super) struct Broker {
    owners: Mutex<HashMap<String, watch::Sender<Ownership>>>,
    links: Mutex<u64>,
}

impl Broker {
    /// Claims a partition's address; none if a reader of a higher epoch holds it.
    pub(super) fn claim(
        &self,
        address: &str,
        epoch: Option<i64>,
    ) -> Option<(u64, watch::Receiver<Ownership>)> {
        let link = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            *links += 1;
            *links
        };
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = owners
            .entry(address.to_owned())
            .or_insert_with(|| watch::Sender::new(NOBODY));
        if epoch.unwrap_or(NOBODY.epoch) < owner.borrow().epoch {
            return None;
        }
        if let Some(epoch) = epoch {
            owner.send_replace(Ownership { epoch, link });
        }
        Some((link, owner.subscribe()))
    }

    /// Gives a claim back, so that a reader of a lower epoch may come.
    pub(super) fn release(&self, address: &str, link: u64) {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get(address) {
            owner.send_if_modified(|owner| {
                let held = owner.link == link;
                if held {
                    owner.epoch = NOBODY.epoch;
                }
                held
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Broker;

    #[test]
    fn a_higher_epoch_displaces_and_a_lower_one_waits_until_it_is_gone() {
        let broker = Broker::default();
        let (_, without) = broker.claim("a", None).unwrap();
        let (first, mut owner) = broker.claim("a", Some(3)).unwrap();
        assert!(without.has_changed().unwrap());
        assert!(broker.claim("a", None).is_none());
        assert!(broker.claim("a", Some(2)).is_none());
        assert!(broker.claim("b", Some(2)).is_some());
        owner.borrow_and_update();
        let (second, _) = broker.claim("a", Some(3)).unwrap();
        assert_eq!(owner.borrow().link, second);
        broker.release("a", first);
        assert!(broker.claim("a", None).is_none());
        broker.release("a", second);
        assert!(broker.claim("a", None).is_some());
    }
}
