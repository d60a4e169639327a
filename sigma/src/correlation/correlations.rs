//! All correlations of a set of rules: what refers to what, and which values of records they ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::HashMap;

use schemas::ids;

use super::correlator::GroupKey;
use super::definition::Definition;
use super::evaluate::Outcome;
use super::outcome::{Found, key_text};

/// Names the value of an outcome that is of a value.
const FIRST_SEEN: &str = "first_seen";

/// Names the account of an outcome in what identifies it.
const ACCOUNT: &str = "account";

/// Correlations, each after those that it refers to.
#[derive(Debug, Default)]
pub struct Correlations {
    definitions: Vec<Definition>,
    /// Correlations and the place of the member, by what they refer to.
    referring: HashMap<Arc<str>, Vec<(usize, usize)>>,
    /// Rules and correlations that raise no alerts of their own.
    silent: BTreeSet<Arc<str>>,
}

impl Correlations {
    /// Correlations and what they silence; none may refer to itself by way of others.
    pub(crate) fn new(definitions: Vec<Definition>, silent: BTreeSet<Arc<str>>) -> Self {
        let definitions = in_order(definitions);
        let mut referring: HashMap<Arc<str>, Vec<(usize, usize)>> = HashMap::default();
        for (at, definition) in definitions.iter().enumerate() {
            for (place, member) in definition.members.iter().enumerate() {
                let of_member = referring.entry(Arc::clone(&member.id)).or_default();
                of_member.push((at, place));
            }
        }
        Self {
            definitions,
            referring,
            silent,
        }
    }

    /// The correlations, each after those that it refers to.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// True if a rule or correlation raises no alerts of its own, because others count it.
    pub fn is_silent(&self, id: &str) -> bool {
        self.silent.contains(id)
    }

    /// The fields that correlations ask of the matches that go by `id`; none if no correlation refers to them.
    pub fn fields(&self, id: &str) -> Option<BTreeSet<Arc<str>>> {
        let mut fields = BTreeSet::new();
        for (definition, member) in self.referring.get(id)? {
            let definition = &self.definitions[*definition];
            let member = &definition.members[*member];
            fields.extend(member.group.iter().chain(&member.value).cloned());
            // What a rule makes of its own matches is about a record: who counts that may ask for the rest of it.
            if definition.is_of_records() && definition.id != member.id {
                fields.extend(self.fields(&definition.id).unwrap_or_default());
            }
        }
        Some(fields)
    }

    /// How far from an outcome the records behind it may be, by way of others too, in microseconds.
    pub fn reach_us(&self) -> i64 {
        let reaches = self.definitions.iter().map(|one| one.memory_us(0));
        reaches.max().unwrap_or(0).saturating_mul(2)
    }

    /// Where a rule or correlation is counted: the correlation, and its place among the members.
    pub(super) fn referring(&self, id: &str) -> &[(usize, usize)] {
        self.referring.get(id).map_or(&[], Vec::as_slice)
    }

    /// Identity of an outcome: its tenant, correlation, group, account and window.
    ///
    /// With the account, so that an alert whose records come in another order never passes to another account.
    pub(super) fn outcome_id(&self, key: &GroupKey, outcome: &Outcome) -> String {
        let definition = &self.definitions[key.definition];
        let mut group = group(definition, key, outcome);
        group.push((Arc::from(ACCOUNT), Arc::clone(&outcome.account)));
        let group = key_text(&group);
        ids::alert(&key.tenant_id, &definition.id, &group, outcome.window_us)
    }

    pub(super) fn found(&self, key: &GroupKey, id: &str, outcome: &Outcome) -> Found {
        let definition = &self.definitions[key.definition];
        Found {
            id: id.to_owned(),
            correlation: Arc::clone(&definition.id),
            tenant_id: Arc::clone(&key.tenant_id),
            group: group(definition, key, outcome),
            is_of_records: definition.is_of_records(),
            outcome: outcome.clone(),
        }
    }
}

fn group(definition: &Definition, key: &GroupKey, outcome: &Outcome) -> Vec<(Arc<str>, Arc<str>)> {
    let names = definition.group_by.iter().cloned();
    let value = outcome
        .value
        .iter()
        .map(|value| (Arc::from(FIRST_SEEN), Arc::clone(value)));
    names.zip(key.values.iter().cloned()).chain(value).collect()
}

/// Each after those that it refers to; what refers to itself would be left out, and was refused before.
fn in_order(definitions: Vec<Definition>) -> Vec<Definition> {
    let mut left: BTreeMap<Arc<str>, Definition> = definitions
        .into_iter()
        .map(|definition| (Arc::clone(&definition.id), definition))
        .collect();
    let mut ordered = Vec::with_capacity(left.len());
    loop {
        let is_ready = |definition: &Definition| {
            let mut members = definition.members.iter();
            !members.any(|member| member.id != definition.id && left.contains_key(&member.id))
        };
        let ready: Vec<Arc<str>> = left
            .iter()
            .filter(|(_, definition)| is_ready(definition))
            .map(|(id, _)| Arc::clone(id))
            .collect();
        if ready.is_empty() {
            return ordered;
        }
        ordered.extend(ready.iter().filter_map(|id| left.remove(id)));
    }
}
