//! Pure: the audit chain, in which every entry carries the hash of the one before.
//!
//! Deleting, editing or reordering an entry breaks the chain at that entry; cutting its end or replacing all of
//! it shows against an anchor, for example the newest entry that the lake or another reader of the topic has. Who can
//! write the journal can also hash it anew: that shows against the entries that are signed ([`signature`]).

pub mod signature;

use std::collections::{BTreeMap, BTreeSet};

use schemas::wire::AuditRecord;

use self::signature::{PublicKey, Signed};

/// What an entry is about that signs those before it.
pub const HEAD: &str = "head";

/// A place in the chain that is known from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Sequence of the entry, from 1.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

/// What is wrong with the first bad entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is missing or stands elsewhere.
    #[error("entry {expected} is missing; entry {found} stands in its place")]
    Missing {
        /// The sequence that should come.
        expected: u64,
        /// The sequence that came.
        found: u64,
    },
    /// The entry does not carry the hash of the one before.
    #[error("entry {sequence} does not follow the entry before it")]
    Unchained {
        /// Sequence of the entry.
        sequence: u64,
    },
    /// The entry's fields are not those that were hashed.
    #[error("entry {sequence} was changed")]
    Changed {
        /// Sequence of the entry.
        sequence: u64,
    },
    /// The chain ends before an entry that is known to have been written.
    #[error("the chain ends before entry {sequence}, which was written")]
    Cut {
        /// Sequence of the known entry.
        sequence: u64,
    },
    /// The chain has another entry where one is known from elsewhere.
    #[error("entry {sequence} is not the one that was published")]
    Replaced {
        /// Sequence of the known entry.
        sequence: u64,
    },
    /// The entry has something else than what is written there: text for a number, bytes for a text.
    #[error("entry {sequence} cannot be read, so it was changed: {what}")]
    Unreadable {
        /// Sequence of the entry.
        sequence: u64,
        /// What it has.
        what: String,
    },
    /// A signature is not of the entry that it stands behind: that one, or one before it, was written anew.
    #[error(
        "the signature in entry {sequence} is not of the entries before it: one of them was changed and the chain \
         hashed anew"
    )]
    Forged {
        /// Sequence of the entry with the signature.
        sequence: u64,
    },
}

/// The key of an entry's message: its action, so that the entries of one stay in order; else its own id.
pub(crate) fn message_key(entry: &AuditRecord) -> &str {
    if entry.action_id.is_empty() {
        &entry.id
    } else {
        &entry.action_id
    }
}

/// Gives an entry its place: sequence, previous hash and hash.
pub fn chain(mut entry: AuditRecord, previous: Option<&Anchor>) -> AuditRecord {
    entry.sequence = previous.map_or(1, |previous| previous.sequence + 1);
    entry.previous_hash = previous.map_or_else(String::new, |previous| previous.hash.clone());
    entry.hash = hash(&entry);
    entry
}

/// Hash over the previous hash and every field, each with its length, so that no two entries share one.
pub fn hash(entry: &AuditRecord) -> String {
    let mut hasher = blake3::Hasher::new();
    let sequence = entry.sequence.to_le_bytes();
    let dry_run = [u8::from(entry.dry_run)];
    let time = entry.time_us.to_le_bytes();
    let fields: [&[u8]; 13] = [
        entry.previous_hash.as_bytes(),
        &sequence,
        entry.id.as_bytes(),
        entry.tenant_id.as_bytes(),
        entry.action_id.as_bytes(),
        entry.case_id.as_bytes(),
        entry.action.as_bytes(),
        entry.target.as_bytes(),
        entry.state.as_bytes(),
        entry.requested_by.as_bytes(),
        &dry_run,
        entry.detail.as_bytes(),
        &time,
    ];
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    hasher.finalize().to_hex().to_string()
}

/// Checks a chain entry by entry, in order, and against what is known from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    anchors: BTreeMap<u64, BTreeSet<String>>,
    last: Option<Anchor>,
    last_time_us: i64,
    back: Option<Back>,
    keys: Vec<PublicKey>,
    heads: Heads,
}

/// What is known of the signatures in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    /// How many entries have a signature that was checked.
    pub checked: u64,
    /// How many have one of a key that was not given.
    pub unchecked: u64,
    /// Sequence of the last entry whose signature was checked, or 0.
    pub last: u64,
    /// When the first entry after that one was written, in microseconds since the Unix epoch, UTC; none if there is none.
    pub unsigned_since_us: Option<i64>,
    /// The most entries that one signature was the first to cover, and the sequence of its entry.
    pub latest: Option<(u64, u64)>,
}

/// The greatest step back in time between an entry and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// Sequence of the entry.
    pub sequence: u64,
    /// How far, in microseconds.
    pub by_us: i64,
}

impl Verifier {
    /// A verifier that also expects these entries.
    pub fn new(anchors: Vec<Anchor>) -> Self {
        let mut known: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for anchor in anchors {
            known
                .entry(anchor.sequence)
                .or_default()
                .insert(anchor.hash);
        }
        Self {
            anchors: known,
            ..Self::default()
        }
    }

    /// A verifier that also checks the signatures of these keys.
    #[must_use]
    pub fn with_keys(mut self, keys: Vec<PublicKey>) -> Self {
        self.keys = keys;
        self
    }

    /// What is known of the signatures so far.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// The greatest step back in time so far: a clock that was put back, or entries that were written later.
    pub fn back(&self) -> Option<Back> {
        self.back
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`Broken`] names the entry and what is wrong with it.
    pub fn take(&mut self, entry: &AuditRecord) -> Result<(), Broken> {
        let expected = self.last.as_ref().map_or(1, |last| last.sequence + 1);
        if entry.sequence != expected {
            return Err(Broken::Missing {
                expected,
                found: entry.sequence,
            });
        }
        let previous_hash = self.last.as_ref().map_or("", |last| last.hash.as_str());
        if entry.previous_hash != previous_hash {
            return Err(Broken::Unchained {
                sequence: entry.sequence,
            });
        }
        if entry.hash != hash(entry) {
            return Err(Broken::Changed {
                sequence: entry.sequence,
            });
        }
        let known = self.anchors.get(&entry.sequence);
        if known.is_some_and(|hashes| hashes.iter().any(|hash| *hash != entry.hash)) {
            return Err(Broken::Replaced {
                sequence: entry.sequence,
            });
        }
        self.take_signature(entry)?;
        if self.heads.last != entry.sequence {
            self.heads.unsigned_since_us.get_or_insert(entry.time_us);
        }
        let by_us = self.last_time_us.saturating_sub(entry.time_us);
        if self.last.is_some() && by_us > self.back.map_or(0, |back| back.by_us) {
            self.back = Some(Back {
                sequence: entry.sequence,
                by_us,
            });
        }
        self.last_time_us = entry.time_us;
        self.last = Some(Anchor {
            sequence: entry.sequence,
            hash: entry.hash.clone(),
        });
        Ok(())
    }

    /// Checks the signature over the entry before, where this one has one of a known key.
    fn take_signature(&mut self, entry: &AuditRecord) -> Result<(), Broken> {
        if entry.action != HEAD || !entry.case_id.is_empty() {
            return Ok(());
        }
        let forged = Broken::Forged {
            sequence: entry.sequence,
        };
        let Ok(signed) = serde_json::from_str::<Signed>(&entry.detail) else {
            return Err(forged);
        };
        let Some(key) = self.keys.iter().find(|key| key.id() == signed.key_id) else {
            self.heads.unchecked += 1;
            return Ok(());
        };
        let is_of_last = self
            .last
            .as_ref()
            .is_some_and(|last| last.sequence == signed.sequence && last.hash == signed.hash);
        if !is_of_last || !key.has_signed(&signed) {
            return Err(forged);
        }
        let covered = signed.sequence - self.heads.last;
        if covered > self.heads.latest.map_or(0, |(most, _)| most) {
            self.heads.latest = Some((covered, entry.sequence));
        }
        self.heads.checked += 1;
        self.heads.last = entry.sequence;
        self.heads.unsigned_since_us = None;
        Ok(())
    }

    /// Ends the check: the newest entry, or none if there was no entry.
    ///
    /// # Errors
    /// [`Broken::Cut`] if an entry that was expected did not come.
    pub fn finish(self) -> Result<Option<Anchor>, Broken> {
        let count = self.last.as_ref().map_or(0, |last| last.sequence);
        match self.anchors.range(count + 1..).next() {
            Some((sequence, _)) => Err(Broken::Cut {
                sequence: *sequence,
            }),
            None => Ok(self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Broken, Verifier, chain};
    use schemas::wire::AuditRecord;

    fn written(count: u64) -> Vec<AuditRecord> {
        let mut entries: Vec<AuditRecord> = Vec::new();
        for number in 0..count {
            let entry = AuditRecord {
                id: format!("e{number}"),
                state: "planned".to_owned(),
                ..AuditRecord::default()
            };
            let previous = entries.last().map(|last| Anchor {
                sequence: last.sequence,
                hash: last.hash.clone(),
            });
            entries.push(chain(entry, previous.as_ref()));
        }
        entries
    }

    fn verify(entries: &[AuditRecord], anchors: Vec<Anchor>) -> Result<Option<Anchor>, Broken> {
        let mut verifier = Verifier::new(anchors);
        for entry in entries {
            verifier.take(entry)?;
        }
        verifier.finish()
    }

    #[test]
    fn an_untouched_chain_is_whole() {
        let entries = written(4);
        let head = Anchor {
            sequence: 4,
            hash: entries[3].hash.clone(),
        };
        assert_eq!(verify(&entries, vec![head.clone()]), Ok(Some(head)));
        assert_eq!(verify(&[], Vec::new()), Ok(None));
    }

    #[test]
    fn the_greatest_step_back_in_time_is_told() {
        let mut verifier = Verifier::default();
        let mut previous: Option<Anchor> = None;
        for time_us in [10, 30, 25, 40, 5, 6] {
            let entry = AuditRecord {
                time_us,
                ..AuditRecord::default()
            };
            let entry = chain(entry, previous.as_ref());
            verifier.take(&entry).unwrap();
            previous = Some(Anchor {
                sequence: entry.sequence,
                hash: entry.hash,
            });
        }
        let expected = super::Back {
            sequence: 5,
            by_us: 35,
        };
        assert_eq!(verifier.back(), Some(expected));
    }

    #[test]
    fn the_first_bad_entry_is_named() {
        // Edited, deleted, reordered, re-hashed, rolled back, replaced.
        let whole = written(4);
        let head = Anchor {
            sequence: 4,
            hash: whole[3].hash.clone(),
        };
        let mut edited = whole.clone();
        edited[1].target = "another".to_owned();
        assert_eq!(
            verify(&edited, Vec::new()),
            Err(Broken::Changed { sequence: 2 })
        );
        edited[1].hash = super::hash(&edited[1]);
        assert_eq!(
            verify(&edited, Vec::new()),
            Err(Broken::Unchained { sequence: 3 })
        );
        let mut deleted = whole.clone();
        deleted.remove(1);
        assert_eq!(
            verify(&deleted, Vec::new()),
            Err(Broken::Missing {
                expected: 2,
                found: 3
            })
        );
        let mut reordered = whole.clone();
        reordered.swap(2, 3);
        assert_eq!(
            verify(&reordered, Vec::new()),
            Err(Broken::Missing {
                expected: 3,
                found: 4
            })
        );
        assert_eq!(
            verify(&whole[..3], vec![head.clone()]),
            Err(Broken::Cut { sequence: 4 })
        );
        let mut replaced = written(3);
        let other = AuditRecord {
            id: "other".to_owned(),
            ..AuditRecord::default()
        };
        replaced.push(chain(
            other,
            Some(&Anchor {
                sequence: 3,
                hash: whole[2].hash.clone(),
            }),
        ));
        assert_eq!(
            verify(&replaced, vec![head]),
            Err(Broken::Replaced { sequence: 4 })
        );
    }

    #[test]
    fn every_field_counts() {
        let entry = chain(AuditRecord::default(), None);
        let changes: [fn(&mut AuditRecord); 12] = [
            |entry| entry.id.push('x'),
            |entry| entry.sequence += 1,
            |entry| entry.previous_hash.push('x'),
            |entry| entry.tenant_id.push('x'),
            |entry| entry.action_id.push('x'),
            |entry| entry.case_id.push('x'),
            |entry| entry.action.push('x'),
            |entry| entry.target.push('x'),
            |entry| entry.state.push('x'),
            |entry| entry.requested_by.push('x'),
            |entry| entry.dry_run = !entry.dry_run,
            |entry| entry.time_us += 1,
        ];
        for change in changes {
            let mut other = entry.clone();
            change(&mut other);
            assert_ne!(super::hash(&other), entry.hash, "{other:?}");
        }
        let mut moved = entry.clone();
        moved.detail = "x".to_owned();
        assert_ne!(super::hash(&moved), entry.hash);
    }
}
