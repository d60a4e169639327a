//! The lake's copy of the audit chain: whether it says of each entry what its hash says, and whether it has all of them.

use std::collections::BTreeSet;

use lake::read_rows;
use respond::audit::{Anchor, hash};
use respond::review::Review;
use schemas::time::iso_ms;
use schemas::wire::AuditRecord;

use crate::commands::audit::lake::ask_lake;
use crate::config::Config;

/// Most findings of one kind that are told one by one.
pub(super) const TOLD_MAX: usize = 20;

/// How long an entry may be on its way to the lake, in microseconds, once it was published.
const ON_ITS_WAY_US: i64 = 900_000_000;

/// What the lake has of the chain.
pub(super) struct Copy {
    /// Each entry that it has, by its hash there.
    pub(super) anchors: Vec<Anchor>,
    /// Entries that are not what their hash says.
    rewritten: Vec<u64>,
    /// Why rows cannot be read.
    damaged: Vec<String>,
}

/// The entries that the lake has; none where there is no lake on this machine.
pub(super) fn of_lake(config: &Config) -> anyhow::Result<Option<Copy>> {
    let Some([batches]) = ask_lake(config, ["SELECT * FROM actions"])? else {
        return Ok(None);
    };
    let (entries, damaged) = read_rows::<AuditRecord>(&batches);
    let mut copy = Copy {
        anchors: Vec::new(),
        rewritten: Vec::new(),
        damaged: damaged.iter().map(ToString::to_string).collect(),
    };
    for entry in entries {
        if !is_whole(&entry) {
            copy.rewritten.push(entry.sequence);
        }
        let AuditRecord { sequence, hash, .. } = entry;
        copy.anchors.push(Anchor { sequence, hash });
    }
    copy.rewritten.sort_unstable();
    Ok(Some(copy))
}

/// Whether an entry is what its hash says; what is about no tenant has none, whatever its partition is called.
fn is_whole(entry: &AuditRecord) -> bool {
    let without_tenant = || AuditRecord {
        tenant_id: String::new(),
        ..entry.clone()
    };
    hash(entry) == entry.hash
        || (entry.action_id.is_empty() && hash(&without_tenant()) == entry.hash)
}

impl Copy {
    /// What the lake says otherwise than a chain of so many entries that verifies, and what it lacks of it.
    pub(super) fn findings(
        &self,
        review: &Review,
        count: u64,
        now_us: i64,
    ) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        if !self.rewritten.is_empty() {
            found.push(format!(
                "{} entries of the lake are not what was published: who can write the lake has changed them: {}",
                self.rewritten.len(),
                listed(&self.rewritten)
            ));
        }
        if let Some(first) = self.damaged.first() {
            found.push(format!(
                "{} rows of the lake's copy cannot be read: who can write the lake has changed them, or its files are \
                 damaged; the first: {first}",
                self.damaged.len()
            ));
        }
        let known: BTreeSet<u64> = self.anchors.iter().map(|anchor| anchor.sequence).collect();
        // What is not published yet, and what was just published, may come.
        let due_us = review
            .unpublished_since()?
            .unwrap_or(i64::MAX)
            .min(now_us.saturating_sub(ON_ITS_WAY_US));
        let due = review.entries_before(due_us)?.min(count);
        let lacking: Vec<u64> = (1..=due).filter(|number| !known.contains(number)).collect();
        if !lacking.is_empty() {
            found.push(format!(
                "the lake lacks {} entries of the chain that were published before {}: its table `actions` was emptied or \
                 rewritten, or what it reads was lost (table coverage): {}",
                lacking.len(),
                iso_ms(due_us),
                listed(&lacking)
            ));
        }
        Ok(found)
    }
}

/// Numbers as ranges, within a bound.
fn listed(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 >= *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let mut told: Vec<String> = ranges
        .iter()
        .take(TOLD_MAX)
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first} to {last}")
            }
        })
        .collect();
    if ranges.len() > TOLD_MAX {
        told.push("…".to_owned());
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use respond::audit::chain;
    use schemas::wire::AuditRecord;

    use super::{is_whole, listed};

    #[test]
    fn numbers_are_told_as_ranges() {
        assert_eq!(listed(&[1, 2, 3, 7, 9, 10]), "1 to 3, 7, 9 to 10");
    }

    #[test]
    fn an_entry_that_says_something_else_is_not_whole() {
        let entry = chain(AuditRecord::default(), None);
        assert!(is_whole(&entry));
        let of_partition = AuditRecord {
            tenant_id: "unknown".to_owned(),
            ..entry.clone()
        };
        assert!(is_whole(&of_partition));
        let changed = AuditRecord {
            state: "refused".to_owned(),
            ..entry
        };
        assert!(!is_whole(&changed));
    }
}
