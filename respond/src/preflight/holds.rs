//! Pure: which refusals pass by themselves, which have come too late, and until when the budget is used up.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Policy, Refusal, TARGETS_WINDOW_US, Verdict, account};
use crate::record::{ActionRecord, Approval, HoldReason};

const HOUR_US: i64 = 3_600_000_000;
const MINUTE_US: i64 = 60_000_000;

/// What a refusal means for the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It will not be sent.
    Final,
    /// It was not sent in time.
    Expired,
    /// It waits for this to pass.
    Held(HoldReason),
}

impl Refusal {
    /// What it means for the action.
    pub const fn meaning(&self) -> Meaning {
        match self {
            Self::DryRun
            | Self::NotApproved
            | Self::NoSuchAccount
            | Self::NeverAct { .. }
            | Self::EvidenceNotLive
            | Self::ChangedSince { .. }
            | Self::IdentityMismatch { .. }
            | Self::IdentityDoubt { .. }
            | Self::AnotherThanSeen { .. }
            | Self::Privileged { .. } => Meaning::Final,
            Self::EvidenceTooOld { .. } | Self::ApprovalTooOld { .. } => Meaning::Expired,
            Self::KillSwitch => Meaning::Held(HoldReason::KillSwitch),
            Self::FactMissing { .. } => Meaning::Held(HoldReason::FactUnreadable),
            Self::PermissionMissing { .. } => Meaning::Held(HoldReason::PermissionMissing),
            Self::TooManyTargets { .. } => Meaning::Held(HoldReason::BudgetUsed),
            Self::OutboxOld { .. } | Self::OutboxLeft => Meaning::Held(HoldReason::OutboxOld),
        }
    }
}

/// The verdict of these refusals, of which there is at least one: what is final counts most.
pub(super) fn verdict(
    refusals: Vec<Refusal>,
    record: &ActionRecord,
    facts: &Facts,
    policy: &Policy,
    now_us: i64,
) -> Verdict {
    let is = |wanted: fn(Meaning) -> bool| refusals.iter().any(|one| wanted(one.meaning()));
    if is(|meaning| meaning == Meaning::Final) {
        return Verdict::Refused(refusals);
    }
    if is(|meaning| meaning == Meaning::Expired) {
        return Verdict::Expired(refusals);
    }
    let waits_for_budget_only = !is(|meaning| meaning != Meaning::Held(HoldReason::BudgetUsed));
    let until_us = waits_for_budget_only.then(|| free_from_us(record, facts, policy, now_us));
    Verdict::Held { refusals, until_us }
}

impl Policy {
    /// Whether an action's approval counts no more.
    pub fn is_too_late(&self, record: &ActionRecord, now_us: i64) -> bool {
        let mut refusals = Vec::new();
        check_approval_age(record, self, now_us, &mut refusals);
        !refusals.is_empty()
    }
}

/// An approval counts for as long as what it was given for: the alert's events, or the person's decision.
pub(super) fn check_approval_age(
    record: &ActionRecord,
    policy: &Policy,
    now_us: i64,
    refusals: &mut Vec<Refusal>,
) {
    match &record.approval {
        Some(Approval::Policy)
            if now_us.saturating_sub(record.evidence_time_us()) > policy.automatic_age_us_max =>
        {
            refusals.push(Refusal::EvidenceTooOld {
                hours: policy.automatic_age_us_max / HOUR_US,
            });
        }
        Some(Approval::Person(_))
            if record.approved_time_us.is_some_and(|approved_us| {
                now_us.saturating_sub(approved_us) > policy.approval_age_us_max
            }) =>
        {
            refusals.push(Refusal::ApprovalTooOld {
                hours: policy.approval_age_us_max / HOUR_US,
            });
        }
        _ => {}
    }
}

/// Nothing is done that nobody outside would see.
pub(super) fn check_outbox(
    facts: &Facts,
    policy: &Policy,
    now_us: i64,
    refusals: &mut Vec<Refusal>,
) {
    match facts.outbox_oldest_us {
        None => refusals.push(super::missing("what is still to be published")),
        Some(Some(oldest_us)) if now_us.saturating_sub(oldest_us) > policy.outbox_age_us_max => {
            refusals.push(Refusal::OutboxOld {
                minutes: policy.outbox_age_us_max / MINUTE_US,
            });
        }
        Some(Some(oldest_us)) if oldest_us < policy.started_us => {
            refusals.push(Refusal::OutboxLeft);
        }
        Some(_) => {}
    }
}

/// What the configuration approves is bounded; what a person has approved is not counted, and not bounded.
pub(super) fn check_budget(
    record: &ActionRecord,
    facts: &Facts,
    policy: &Policy,
    now_us: i64,
    refusals: &mut Vec<Refusal>,
) {
    if facts.intents.is_none() {
        refusals.push(super::missing("the journal's intents"));
        return;
    }
    if record.approval != Some(Approval::Policy) {
        return;
    }
    let others = others(record, facts, now_us);
    if others.len() >= policy.targets_per_hour_max as usize {
        refusals.push(Refusal::TooManyTargets {
            limit: policy.targets_per_hour_max,
        });
    }
}

/// The other accounts that were acted on automatically within the window, each with when last.
fn others<'a>(record: &'a ActionRecord, facts: &'a Facts, now_us: i64) -> BTreeMap<&'a str, i64> {
    let own = account(record, facts);
    let mut others = BTreeMap::new();
    for intent in facts.intents.iter().flatten() {
        let is_recent = now_us.saturating_sub(intent.time_us) < TARGETS_WINDOW_US;
        if is_recent && intent.is_automatic && intent.account != own {
            let latest = others
                .entry(intent.account.as_str())
                .or_insert(intent.time_us);
            *latest = (*latest).max(intent.time_us);
        }
    }
    others
}

/// When the budget has room again.
fn free_from_us(record: &ActionRecord, facts: &Facts, policy: &Policy, now_us: i64) -> i64 {
    let times: BTreeSet<(i64, &str)> = others(record, facts, now_us)
        .into_iter()
        .map(|(account, time_us)| (time_us, account))
        .collect();
    let too_many = times
        .len()
        .saturating_sub(policy.targets_per_hour_max as usize);
    let leaves_us = times
        .iter()
        .nth(too_many)
        .map_or(now_us, |(time_us, _)| *time_us);
    leaves_us.saturating_add(TARGETS_WINDOW_US)
}
