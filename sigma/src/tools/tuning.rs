//! Filters that would leave out an event that a rule matched, and as little else as possible.
//!
//! ```text
//! event ─▶ fields that say who, with what, where and to what ─▶ without what the rule itself asks for
//!       ─▶ one to four selections, from narrow to wide ─▶ YAML ─▶ loaded and asked again ─▶ proposals
//! ```
//! A tenant keeps them in a folder of its own, apart from the rules that come with the binary, so that an update of
//! these never takes an exception away. A person chooses: nothing here judges whether an event is harmless.

mod candidates;
mod chosen;
mod yaml;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use rsigma_parser::SigmaRule;
use schemas::ids;
use schemas::wire::Event;

use self::candidates::{Candidate, Candidates};

pub use self::chosen::{Chosen, Role};
use crate::collection::{Rule, RuleCollection};
use crate::error::RuleError;
use crate::filter::terms::Terms;
use crate::filter::{self, Filter};
use crate::mapping::{Mapping, UserMapping};
use crate::plan::chunk::Batch;
use crate::plan::{Plan, event_batch};
use crate::tools::explain::row::Row;
use crate::tools::explain::tree::shown;

/// Most proposals for one event.
pub(crate) const PROPOSALS_MAX: usize = 4;

/// Most fields of one proposal.
const FIELDS_MAX: usize = 3;

/// Why there are no proposals.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The rule cannot be honoured.
    #[error("rule is refused")]
    Refused(#[from] RuleError),
    /// The event does not make a row.
    #[error("cannot make a row of the event")]
    Row(#[from] ArrowError),
    /// There is nothing to leave out.
    #[error("the rule does not match the event, so there is nothing to leave out")]
    NoMatch,
}

/// What can be done about an event that a rule matched.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Filters, from narrow to wide; `PROPOSALS_MAX` at most, and none if [`Self::why_none`] says why.
    pub proposals: Vec<Proposal>,
    /// Fields of the event that would tell it apart, and that the rule itself asks about.
    pub kept_out: Vec<Chosen>,
    /// Fields that are too common to be left out by themselves, where there is nothing else.
    pub too_common: Vec<Chosen>,
}

impl Tuning {
    /// Why there are no proposals, in a sentence; none if there are some.
    pub fn why_none(&self) -> Option<String> {
        let names = |fields: &[Chosen]| {
            let names: Vec<&str> = fields.iter().map(|field| field.called).collect();
            names.join(", ")
        };
        if !self.proposals.is_empty() {
            return None;
        }
        Some(
            match (self.kept_out.as_slice(), self.too_common.as_slice()) {
                ([], []) => {
                    "the event has no field that says who did it, with what, from where or to what"
                        .to_owned()
                }
                (kept_out, []) => format!(
                    "the event has nothing for it but its {}, and for that the rule itself asks",
                    names(kept_out)
                ),
                (_, common) => format!(
                    "the event has nothing for it but its {}, which many share and attackers choose",
                    names(common)
                ),
            },
        )
    }
}

/// A filter that leaves the event out.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Its id, made of the rule's id and the selection: the same proposal has the same id always.
    pub id: String,
    /// What an event must have, all of it, to be left out.
    pub selection: Vec<Chosen>,
    /// What it does, in a sentence; without control characters, whatever the event contains.
    pub sentence: String,
    /// The filter as a YAML document.
    pub yaml: String,
    filter: Filter,
}

impl Proposal {
    /// For each of some events of the rule's table, whether the filter would leave it out.
    ///
    /// # Errors
    /// [`TuneError`] if the filter cannot be compiled with this mapping, or an event makes no row.
    pub fn leaves_out(
        &self,
        rule: &Rule,
        user_mapping: &Arc<UserMapping>,
        events: &[Event],
    ) -> Result<Vec<bool>, TuneError> {
        let alone = filter::alone(&self.filter.sigma, &rule.sigma);
        let batch = event_batch::batch(rule.table, events)?;
        let kept = matching(rule, user_mapping, &[alone], &batch)?;
        Ok((0..events.len())
            .map(|row| !kept.contains(&(0, row)))
            .collect())
    }
}

/// Proposes filters for `event`, which `rule` matches; `terms` are written into them, missing ones left out.
///
/// `rule` is one that runs, with pipelines and placeholders in it; names of `user_mapping` come before our own. Every
/// proposal has been loaded and asked: the rule with it does not match the event.
///
/// # Errors
/// [`TuneError`] if the rule is refused or does not match the event, or the event makes no row.
pub fn propose(
    rule: &Rule,
    event: &Event,
    user_mapping: &Arc<UserMapping>,
    terms: &Terms,
) -> Result<Tuning, TuneError> {
    let row = Row::new(rule.table, event, user_mapping)?;
    let whole = std::slice::from_ref(&rule.sigma);
    if matching(rule, user_mapping, whole, row.batch())?.is_empty() {
        return Err(TuneError::NoMatch);
    }
    let gathered = candidates::gather(rule, &row, user_mapping)?;
    let mut proposals = Vec::new();
    for selection in selections(&gathered) {
        let is_widest = selection.len() == 1;
        let Some(proposal) = draft(rule, selection, is_widest, terms) else {
            continue;
        };
        let mut tuned = rule.sigma.clone();
        filter::add(&proposal.filter.sigma, TUNED, &mut tuned);
        // What does not leave the event out would only seem to help.
        if matching(rule, user_mapping, &[tuned], row.batch())?.is_empty() {
            proposals.push(proposal);
        }
    }
    let is_common = |one: &&Candidate| !one.may_stand_alone;
    let common = gathered.found.iter().filter(is_common);
    Ok(Tuning {
        too_common: common.map(|one| one.chosen.clone()).collect(),
        proposals,
        kept_out: gathered.kept_out,
    })
}

/// The number of a proposed filter among those of a rule, beyond those that a collection may have.
const TUNED: usize = filter::FILTERS_MAX;

/// Numbers of rules and rows that match.
fn matching(
    rule: &Rule,
    user_mapping: &Arc<UserMapping>,
    rules: &[SigmaRule],
    batch: &RecordBatch,
) -> Result<BTreeSet<(usize, usize)>, TuneError> {
    let mapping = Mapping::Lake(rule.table);
    let (plan, refused) = Plan::extended(mapping, user_mapping, rules.iter().enumerate());
    if let Some((_, refusal)) = refused.into_iter().next() {
        return Err(refusal.into());
    }
    let hits = plan.evaluate(&mut Batch(batch))?;
    let pairs = |hit: crate::plan::Hits| hit.rows.into_iter().map(move |row| (hit.rule, row));
    Ok(hits.into_iter().flat_map(pairs).collect())
}

/// What to leave out, from narrow to wide: three fields together, one of them with each other, and it alone.
fn selections(gathered: &Candidates) -> Vec<Vec<Chosen>> {
    let first_of = |role: &Role| gathered.found.iter().find(|one| one.chosen.role == *role);
    let present: Vec<&Candidate> = Role::ALL.iter().filter_map(first_of).collect();
    // What is common makes a selection narrower; without anything else it would hide attacks.
    let Some(alone) = present.iter().copied().find(|one| one.may_stand_alone) else {
        return Vec::new();
    };
    let mut others = present;
    others.retain(|one| one.chosen.field != alone.chosen.field);
    let mut all = Vec::new();
    if others.len() + 1 >= FIELDS_MAX {
        let narrow = std::iter::once(alone).chain(others.iter().copied());
        all.push(narrow.take(FIELDS_MAX).collect());
    }
    // What something was done to says more than from where: people move.
    others.sort_by_key(|one| one.chosen.role != Role::Object);
    all.extend(others.into_iter().map(|other| vec![alone, other]));
    all.truncate(PROPOSALS_MAX - 1);
    all.push(vec![alone]);
    let chosen =
        |selection: Vec<&Candidate>| selection.iter().map(|one| one.chosen.clone()).collect();
    all.into_iter().map(chosen).collect()
}

/// A proposal, if its document can be read again.
fn draft(rule: &Rule, selection: Vec<Chosen>, is_widest: bool, terms: &Terms) -> Option<Proposal> {
    let id = id_of(rule, &selection);
    let sentence = sentence(&selection, is_widest);
    let yaml = yaml::document(rule, &id, &sentence, &selection, terms);
    let mut collection = RuleCollection::default();
    collection.add("proposal", yaml.as_bytes());
    let filter = collection.filters.pop()?;
    let is_sound = collection.rejected.is_empty() && filter::applies(&filter.sigma, &rule.sigma);
    is_sound.then_some(Proposal {
        id,
        selection,
        sentence,
        yaml,
        filter,
    })
}

fn sentence(selection: &[Chosen], is_widest: bool) -> String {
    let parts: Vec<String> = selection
        .iter()
        .map(|one| format!("{} is {}", one.called, shown(&one.value)))
        .collect();
    let joined = match parts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    };
    let rest = if is_widest {
        ", whatever else it does"
    } else {
        ""
    };
    format!("Leaves out every match whose {joined}{rest}.")
}

/// A UUID made of the rule and the selection.
fn id_of(rule: &Rule, selection: &[Chosen]) -> String {
    let mut parts: Vec<&[u8]> = vec![b"tuning", rule.id.as_bytes()];
    for one in selection {
        parts.extend([one.field.as_bytes(), one.value.as_bytes()]);
    }
    let hex = ids::hex(&parts);
    // Sigma asks for random UUIDs, so it has the marks of one: version 4 and the variant of RFC 9562.
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}
