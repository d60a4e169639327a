//! What was made available, by feed: the distinct ids that a complete lake holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::world::outbox::Feed;

/// The distinct ids that were made available, by feed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    ids: BTreeMap<Feed, BTreeSet<String>>,
    /// Records delivered, duplicates counted.
    deliveries: BTreeMap<Feed, u64>,
}

impl Ledger {
    /// Enters a record that can now be read.
    pub(crate) fn enter(&mut self, feed: Feed, id: &str) {
        *self.deliveries.entry(feed).or_default() += 1;
        self.ids.entry(feed).or_default().insert(id.to_owned());
    }

    /// The ledger as JSON: per feed the count of distinct ids and of deliveries, and the sorted ids if asked for.
    pub(crate) fn to_json(&self, with_ids: bool) -> Value {
        let mut out = Map::new();
        for feed in Feed::ALL {
            let ids = self.ids.get(&feed);
            let mut entry = json!({
                "count": ids.map_or(0, BTreeSet::len),
                "deliveries": self.deliveries.get(&feed).copied().unwrap_or_default(),
            });
            if with_ids && let Some(entry) = entry.as_object_mut() {
                entry.insert(
                    "ids".to_owned(),
                    json!(
                        ids.map(|ids| ids.iter().collect::<Vec<_>>())
                            .unwrap_or_default()
                    ),
                );
            }
            out.insert(feed.name().to_owned(), entry);
        }
        Value::Object(out)
    }
}
