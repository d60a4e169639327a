//! Pure: may this action happen now, by facts that were just read.
//!
//! Every refusal is named. A fact that is missing refuses: nothing is assumed. What can pass by itself or by somebody
//! else's doing holds the action instead of ending it, for as long as what speaks for it is young enough.

mod holds;
mod identity;

use std::collections::BTreeSet;

use schemas::provenance::Provenance;
use serde::{Deserialize, Serialize};

use crate::accounts::Pair;
use crate::accounts::named::{Doubt, Resolved};
use crate::action::{ActionKind, RevokeSessions};
use crate::directory::{Grant, Role, User};
use crate::never_act::Protected;
use crate::record::{ActionRecord, Approval, State};
use crate::undo::Left;

pub use self::holds::Meaning;

/// How far back targets are counted, in microseconds.
pub const TARGETS_WINDOW_US: i64 = 3_600_000_000;

/// Facts older than this are missing ones, in microseconds.
pub const FACTS_AGE_MAX_US: i64 = 60_000_000;

/// What the configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Nothing is sent.
    pub dry_run: bool,
    /// Actions that need no person's approval.
    pub automatic: Vec<ActionKind>,
    /// Object ids and user principal names that are never acted on, in lower case.
    pub never_act: BTreeSet<String>,
    /// Age of what speaks for an action beyond which the configuration's approval is none, in microseconds.
    pub automatic_age_us_max: i64,
    /// Age of a person's approval beyond which it is none, in microseconds.
    pub approval_age_us_max: i64,
    /// Most accounts acted on in an hour in a tenant without a person.
    pub targets_per_hour_max: u32,
    /// Age of the oldest message that is still to be published beyond which nothing is sent, in microseconds.
    pub outbox_age_us_max: i64,
    /// When the responder started: what an earlier one left to be published must be out before anything is sent.
    pub started_us: i64,
    /// Shortest time between two runs of one action on one account, in microseconds.
    pub cool_down_us: i64,
}

/// An intent of the last hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The action's id.
    pub action_id: String,
    /// The action.
    pub kind: ActionKind,
    /// Object id of the account.
    pub account: String,
    /// Whether the configuration approved it, and no person.
    pub is_automatic: bool,
    /// When, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

/// What was read before deciding; none is a fact that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// When the reading began, in microseconds since the Unix epoch, UTC.
    pub read_time_us: i64,
    /// Whether the kill switch is set.
    pub kill_switch: Option<bool>,
    /// What the token may do.
    pub grant: Option<Grant>,
    /// The account; the inner none is an account that does not exist.
    pub user: Option<Option<User>>,
    /// Whom the words of the evidence name now, in the order of the evidence.
    pub named: Option<Vec<Resolved>>,
    /// What is there now of what an undo takes back; asked for of an undo that has not begun.
    pub present: Option<Left>,
    /// Whom the never-act list is known to protect.
    pub protected: Option<Protected>,
    /// What the journal knows of the names in the evidence.
    pub pairs: Option<Vec<Pair>>,
    /// The roles that the account holds.
    pub roles: Option<Vec<Role>>,
    /// Intents of the tenant in the last hour.
    pub intents: Option<Vec<Intent>>,
    /// Since when the oldest message waits to be published; the inner none is an empty outbox.
    pub outbox_oldest_us: Option<Option<i64>>,
}

/// Why an action does not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing is sent in dry-run.
    #[error("dry-run is on")]
    DryRun,
    /// The kill switch is set.
    #[error("the kill switch is set")]
    KillSwitch,
    /// Nobody approved it, or what approved it does so no longer.
    #[error("nobody has approved it")]
    NotApproved,
    /// What speaks for it is too old for the configuration's approval.
    #[error("what speaks for it is older than {hours} h: a person decides")]
    EvidenceTooOld {
        /// The limit.
        hours: i64,
    },
    /// A person's approval is too old.
    #[error("it was approved more than {hours} h ago")]
    ApprovalTooOld {
        /// The limit.
        hours: i64,
    },
    /// What was done before cannot be published.
    #[error("nothing could be published for more than {minutes} min: nobody outside would see it")]
    OutboxOld {
        /// The limit.
        minutes: i64,
    },
    /// What was done before the start is not published yet.
    #[error("what was done before the start is not published yet: nobody outside has seen it")]
    OutboxLeft,
    /// What an undo takes back is not as it was left: somebody has changed it since.
    #[error("it is not as it was left: it was left {left}, and is {now}")]
    ChangedSince {
        /// As it was left.
        left: String,
        /// As it is now.
        now: String,
    },
    /// It would be automatic, and its evidence is not live throughout.
    #[error("its evidence is not live: a person decides")]
    EvidenceNotLive,
    /// A fact could not be read, or is too old.
    #[error("{fact} could not be read")]
    FactMissing {
        /// Which fact.
        fact: String,
    },
    /// The token lacks a permission.
    #[error("the token lacks permission {permission}")]
    PermissionMissing {
        /// The least permission that suffices.
        permission: String,
    },
    /// The account does not exist.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The account is not certainly the one that the evidence names.
    #[error("it is not certain that this is whom the evidence names: {why}")]
    IdentityMismatch {
        /// What speaks against it.
        why: String,
    },
    /// The account may be another than the one that the evidence names, and the person who approved it did not see that.
    #[error("it is not certain that this is whom the evidence names: {}", .doubt.why)]
    IdentityDoubt {
        /// What speaks against it.
        doubt: Doubt,
    },
    /// The account is another than the one that the person who approved it had seen.
    #[error("it was approved for {seen}, and it is {found} now")]
    AnotherThanSeen {
        /// Object id of the account that the person saw.
        seen: String,
        /// Object id of the account now.
        found: String,
    },
    /// The account is on the never-act list, or is our own.
    #[error("\"{entry}\" is never acted on")]
    NeverAct {
        /// What is on the list.
        entry: String,
    },
    /// The account holds directory roles: a human must act.
    #[error("the account holds {roles}; it needs a human with the role {needed}")]
    Privileged {
        /// Names of the roles that the account holds.
        roles: String,
        /// The role that whoever acts must hold.
        needed: String,
    },
    /// Too many accounts in an hour.
    #[error("{limit} accounts were acted on within an hour")]
    TooManyTargets {
        /// The limit.
        limit: u32,
    },
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may happen; the warnings go with its outcome.
    Go {
        /// What the action does not achieve on this account, one sentence each.
        warnings: Vec<String>,
    },
    /// It may happen later.
    Wait {
        /// Not before this time.
        until_us: i64,
    },
    /// It waits for every reason to pass.
    Held {
        /// The reasons.
        refusals: Vec<Refusal>,
        /// When they pass, where that is known.
        until_us: Option<i64>,
    },
    /// It must not happen any more; every reason.
    Expired(Vec<Refusal>),
    /// It must not happen; every reason.
    Refused(Vec<Refusal>),
}

/// Roles whose holders a User Administrator may act on, by template id.
///
/// Source: Microsoft Entra, "Who can perform sensitive actions".
const LIMITED_ROLES: [&str; 5] = [
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b", // Directory Readers
    "95e79109-95c0-4d8e-aee3-d01accf2d47b", // Guest Inviter
    "729827e3-9c14-49f7-bb1b-9608f156bbb8", // Helpdesk Administrator
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", // Message Center Reader
    "4a5d8f65-41da-4de4-8968-e035b65339cf", // Reports Reader
];

/// Decides by the facts whether the action may happen now.
pub fn check(record: &ActionRecord, facts: &Facts, policy: &Policy, now_us: i64) -> Verdict {
    let mut refusals = Vec::new();
    check_gates(record, facts, policy, &mut refusals);
    holds::check_approval_age(record, policy, now_us, &mut refusals);
    if !refusals.is_empty() {
        // Where a gate is shut, nothing else has been asked for.
        return holds::verdict(refusals, record, facts, policy, now_us);
    }
    holds::check_outbox(facts, policy, now_us, &mut refusals);
    check_age(facts, now_us, &mut refusals);
    check_grant(record, facts, &mut refusals);
    check_target(record, facts, policy, &mut refusals);
    check_undo(record, facts, &mut refusals);
    let doubts = check_identity(record, facts, now_us, &mut refusals);
    holds::check_budget(record, facts, policy, now_us, &mut refusals);
    if !refusals.is_empty() {
        return holds::verdict(refusals, record, facts, policy, now_us);
    }
    if let Some(until_us) = cooling_until(record, facts, policy, now_us) {
        return Verdict::Wait { until_us };
    }
    let of_action = facts
        .user
        .iter()
        .flatten()
        .flat_map(|user| warnings(record.action.kind(), user));
    let warnings = of_action.chain(doubts).collect();
    Verdict::Go { warnings }
}

/// Whether it is decided before anything is asked for: a gate is shut, or its approval counts no more.
pub fn is_decided(record: &ActionRecord, facts: &Facts, policy: &Policy, now_us: i64) -> bool {
    let mut refusals = Vec::new();
    check_gates(record, facts, policy, &mut refusals);
    holds::check_approval_age(record, policy, now_us, &mut refusals);
    !refusals.is_empty()
}

fn check_gates(record: &ActionRecord, facts: &Facts, policy: &Policy, refusals: &mut Vec<Refusal>) {
    if policy.dry_run || record.dry_run {
        refusals.push(Refusal::DryRun);
    }
    match facts.kill_switch {
        Some(false) => {}
        Some(true) => refusals.push(Refusal::KillSwitch),
        None => refusals.push(missing("the kill switch")),
    }
    let is_approved = match &record.approval {
        Some(Approval::Person(name)) => !name.is_empty(),
        Some(Approval::Policy) => policy.automatic.contains(&record.action.kind()),
        None => false,
    };
    if !is_approved {
        refusals.push(Refusal::NotApproved);
    }
    let is_automatic = record.approval == Some(Approval::Policy);
    if is_automatic && record.provenance.parse() != Ok(Provenance::Live) {
        refusals.push(Refusal::EvidenceNotLive);
    }
}

fn check_age(facts: &Facts, now_us: i64, refusals: &mut Vec<Refusal>) {
    if now_us.abs_diff(facts.read_time_us) > FACTS_AGE_MAX_US.unsigned_abs() {
        refusals.push(missing("the directory as it is now"));
    }
}

fn check_grant(record: &ActionRecord, facts: &Facts, refusals: &mut Vec<Refusal>) {
    let Some(grant) = &facts.grant else {
        refusals.push(missing("the token's permissions"));
        return;
    };
    for permission in record.action.permissions() {
        if !permission.is_in(&grant.roles) {
            refusals.push(Refusal::PermissionMissing {
                permission: permission.least.to_owned(),
            });
        }
    }
}

fn check_target(
    record: &ActionRecord,
    facts: &Facts,
    policy: &Policy,
    refusals: &mut Vec<Refusal>,
) {
    let own_ids = facts
        .grant
        .iter()
        .flat_map(|grant| &grant.own_ids)
        .map(|id| id.to_lowercase());
    let never: BTreeSet<String> = policy
        .never_act
        .iter()
        .map(|entry| entry.to_lowercase())
        .chain(own_ids)
        .collect();
    let mut names = vec![record.target.to_lowercase()];
    match &facts.user {
        None => refusals.push(missing("the account")),
        Some(None) => refusals.push(Refusal::NoSuchAccount),
        Some(Some(user)) => {
            // Both, so that a renamed account stays on the list.
            names.push(user.id.as_str().to_owned());
            names.push(user.user_principal_name.to_lowercase());
        }
    }
    let account = facts.user.iter().flatten().next();
    let by_id = facts
        .protected
        .iter()
        .zip(account)
        .find_map(|(protected, user)| protected.entry_of(user.id.as_str()));
    let by_name = names.into_iter().find(|name| never.contains(name));
    if let Some(entry) = by_name.or_else(|| by_id.map(str::to_owned)) {
        refusals.push(Refusal::NeverAct { entry });
    } else {
        match &facts.protected {
            None => refusals.push(missing("whom the never-act list means")),
            Some(protected) => refusals.extend(
                protected
                    .unresolved
                    .iter()
                    .map(|entry| missing(&format!("whom the never-act entry \"{entry}\" means"))),
            ),
        }
    }
    match &facts.roles {
        None if facts.user == Some(None) => {}
        None => refusals.push(missing("the account's directory roles")),
        Some(roles) if roles.is_empty() => {}
        Some(roles) => {
            let is_limited = roles
                .iter()
                .all(|role| LIMITED_ROLES.contains(&role.id.as_str()));
            let needed = if is_limited {
                "User Administrator"
            } else {
                "Privileged Authentication Administrator"
            };
            let names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
            refusals.push(Refusal::Privileged {
                roles: names.join(", "),
                needed: needed.to_owned(),
            });
        }
    }
}

/// Refuses an undo that has not begun unless what it takes back is as it was left.
fn check_undo(record: &ActionRecord, facts: &Facts, refusals: &mut Vec<Refusal>) {
    let Some(undoes) = record
        .undoes
        .as_ref()
        .filter(|_| record.state == State::Approved)
    else {
        return;
    };
    let shown = |left: &Left| serde_json::to_string(left).unwrap_or_default();
    match &facts.present {
        None => refusals.push(missing("what is there now of what it takes back")),
        Some(present) if !undoes.left.is_still(present) => refusals.push(Refusal::ChangedSince {
            left: shown(&undoes.left),
            now: shown(present),
        }),
        Some(_) => {}
    }
}

/// Refuses unless the account is certainly whom the evidence names, and whom the person saw who approved it.
///
/// Gives the doubts that this person has decided.
fn check_identity(
    record: &ActionRecord,
    facts: &Facts,
    now_us: i64,
    refusals: &mut Vec<Refusal>,
) -> Vec<String> {
    let (Some(Some(account)), Some(named), Some(pairs)) = (&facts.user, &facts.named, &facts.pairs)
    else {
        // An account that could not be read, or is not there, is a reason of its own.
        if matches!(facts.user, Some(Some(_))) {
            refusals.push(missing("whom the evidence names"));
        }
        return Vec::new();
    };
    let is_by_person = matches!(record.approval, Some(Approval::Person(_)));
    let sighted = record.sighted.as_ref().filter(|_| is_by_person);
    let against = identity::against(account, named, pairs, sighted, now_us);
    refusals.extend(against.another.map(|seen| Refusal::AnotherThanSeen {
        seen: seen.account.to_string(),
        found: account.id.to_string(),
    }));
    let mismatches = against.mismatches.into_iter();
    refusals.extend(mismatches.map(|why| Refusal::IdentityMismatch { why }));
    let doubts = against.doubts.into_iter();
    refusals.extend(doubts.map(|doubt| Refusal::IdentityDoubt { doubt }));
    let waived = against.waived.into_iter();
    waived
        .map(|why| format!("approved by a person although {why}"))
        .collect()
}

/// Until when the same action on the same account must wait, if it must.
fn cooling_until(
    record: &ActionRecord,
    facts: &Facts,
    policy: &Policy,
    now_us: i64,
) -> Option<i64> {
    let account = account(record, facts);
    let latest_us = facts
        .intents
        .iter()
        .flatten()
        .filter(|intent| intent.action_id != record.action_id)
        .filter(|intent| intent.kind == record.action.kind() && intent.account == account)
        .map(|intent| intent.time_us)
        // What is to come was done before the clock was set back, nobody knows when.
        .filter(|time_us| *time_us <= now_us)
        .max()?;
    let until_us = latest_us.saturating_add(policy.cool_down_us);
    (until_us > now_us).then_some(until_us)
}

fn account<'a>(record: &'a ActionRecord, facts: &'a Facts) -> &'a str {
    facts
        .user
        .iter()
        .flatten()
        .next()
        .map_or(record.account(), |user| user.id.as_str())
}

/// What the action does not achieve on this account.
fn warnings(kind: ActionKind, user: &User) -> Vec<String> {
    let mut warnings = Vec::new();
    let signs_in = matches!(kind, ActionKind::BlockSignIn | ActionKind::AllowSignIn);
    if user.is_synced && signs_in {
        warnings.push(
            "cloud only: the account is synchronised from an on-premises directory, where it is unchanged, and the \
             next synchronisation can undo this"
                .to_owned(),
        );
    }
    if user.is_guest && kind == ActionKind::RevokeSessions {
        warnings.push("no effect on a guest: the sessions belong to the home tenant".to_owned());
    }
    if kind == ActionKind::RevokeSessions {
        warnings.push(RevokeSessions::LIMITS.to_owned());
    }
    warnings
}

fn missing(fact: &str) -> Refusal {
    Refusal::FactMissing {
        fact: fact.to_owned(),
    }
}

#[cfg(test)]
mod tests;
