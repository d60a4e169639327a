//! From alerts to cases and plans, in one transaction: accounts made whole, cases of one account merged.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::json;

use schemas::case::CaseStatus;
use schemas::provenance::Provenance;

use super::{Admitted, JournalError, chain, pairs, rows};
use crate::accounts::Pair;
use crate::cases::{self, Case, Change, Intake, Join, Known, SeenAlert};
use crate::record::{ActionRecord, Approval, State};

/// Most earlier alerts that a new case takes in.
const WAITING_MAX: usize = 1_000;

/// Most cases of one account that are looked at for an alert.
const CASES_MAX: usize = 100;

/// Keeps alerts with the cases and the plans that follow from them.
///
/// What any of them tells about accounts is learnt before the first is placed.
pub(super) fn admit(
    transaction: &Transaction<'_>,
    alerts: &[SeenAlert],
    intake: &Intake,
    now_us: i64,
) -> Result<Vec<Admitted>, JournalError> {
    let told: Vec<Pair> = alerts
        .iter()
        .filter_map(|alert| Pair::of(alert, now_us))
        .collect();
    pairs::learn(transaction, &told)?;
    let mut admitted = Vec::new();
    let mut changed = BTreeSet::new();
    for alert in alerts {
        let alert = pairs::complete(transaction, alert, now_us)?;
        let one = admit_one(transaction, &alert, intake, now_us)?;
        if one.is_new || !one.merged.is_empty() {
            changed.extend(one.case_id.iter().chain(&one.merged).cloned());
        }
        admitted.push(one);
    }
    // Once for all that was taken together: the newest revision is the one that counts.
    for case_id in changed {
        if let Some(case) = rows::case(transaction, &case_id)? {
            rows::announce_case(transaction, &case)?;
        }
    }
    Ok(admitted)
}

/// What is known about an alert and its account.
fn known(transaction: &Transaction<'_>, alert: &SeenAlert) -> Result<Known, JournalError> {
    let seen: Option<(String, Option<String>)> = transaction
        .prepare_cached("SELECT body, case_id FROM alerts WHERE tenant_id = ?1 AND alert_id = ?2")?
        .query_row(params![alert.tenant_id, alert.alert_id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let seen = match seen {
        Some((body, case_id)) => Some((rows::read::<SeenAlert>(&body, "an alert")?, case_id)),
        None => None,
    };
    let own = seen
        .as_ref()
        .and_then(|(_, case_id)| case_id.as_deref())
        .unwrap_or_default();
    let cases = rows::bodies(
        transaction,
        "SELECT body FROM cases WHERE case_id = ?1 OR (tenant_id = ?2 AND ((user <> '' AND user = ?3) \
         OR (user_id <> '' AND user_id = ?4))) ORDER BY anchor_time_us DESC, case_id LIMIT ?5",
        params![
            own,
            alert.tenant_id,
            alert.user,
            alert.user_id,
            rows::bound(CASES_MAX)
        ],
        "a case",
    )?;
    Ok(Known {
        alert: seen,
        cases,
        waiting: Vec::new(),
    })
}

/// Alerts of the account that have no case, near enough for one that an alert belongs to.
fn waiting(
    transaction: &Transaction<'_>,
    alert: &SeenAlert,
    window_us: i64,
) -> Result<Vec<SeenAlert>, JournalError> {
    // Each half by its index of what waits: what has a case is never looked at, however much of it there is.
    let near_us = window_us.saturating_mul(2);
    rows::bodies(
        transaction,
        "SELECT body FROM (SELECT tenant_id, alert_id, time_us, body FROM alerts WHERE tenant_id = ?1 \
         AND case_id IS NULL AND user = ?2 AND user <> '' AND time_us BETWEEN ?4 AND ?5 \
         UNION SELECT tenant_id, alert_id, time_us, body FROM alerts WHERE tenant_id = ?1 \
         AND case_id IS NULL AND user_id = ?3 AND user_id <> '' AND time_us BETWEEN ?4 AND ?5) \
         ORDER BY time_us DESC, alert_id LIMIT ?6",
        params![
            alert.tenant_id,
            alert.user,
            alert.user_id,
            alert.time_us.saturating_sub(near_us),
            alert.time_us.saturating_add(near_us),
            rows::bound(WAITING_MAX)
        ],
        "an alert",
    )
}

fn admit_one(
    transaction: &Transaction<'_>,
    alert: &SeenAlert,
    intake: &Intake,
    now_us: i64,
) -> Result<Admitted, JournalError> {
    let policy = intake.policy(&alert.tenant_id);
    let mut known = known(transaction, alert)?;
    let mut admitted = Admitted {
        is_new: true,
        case_id: None,
        planned: Vec::new(),
        merged: Vec::new(),
    };
    let joins = cases::joins(alert, &known.cases, policy.window_us, now_us);
    for join in &joins {
        let planned = merge(transaction, join, intake, now_us)?;
        admitted.planned.extend(planned);
        let merged = join.from.iter().map(|case| case.case_id.clone());
        admitted.merged.extend(merged);
    }
    if !joins.is_empty() {
        known = self::known(transaction, alert)?;
    }
    if cases::takes_waiting(alert, &known, &policy) {
        known.waiting = waiting(transaction, alert, policy.window_us)?;
    }
    match cases::place(alert, &known, &policy, now_us) {
        Change::Nothing => {
            admitted.is_new = false;
            admitted.case_id = known.alert.and_then(|(_, case_id)| case_id);
        }
        Change::Wait => rows::put_alert(transaction, alert, None)?,
        Change::Case(case) => {
            keep(transaction, &case)?;
            let planned = plan(transaction, &case, alert, intake, now_us)?;
            if !alert.stands() {
                withdraw(transaction, &case, alert, intake, now_us)?;
            }
            admitted.planned.extend(planned);
            admitted.case_id = Some(case.case_id);
        }
    }
    Ok(admitted)
}

/// Keeps a case, and the alerts that it has taken.
fn keep(transaction: &Transaction<'_>, case: &Case) -> Result<(), JournalError> {
    rows::put_case(transaction, case)?;
    for member in &case.taken {
        rows::put_alert(transaction, member, Some(&case.case_id))?;
    }
    Ok(())
}

/// Adds what follows from a case and was not planned by it or by one that was merged into it.
fn plan(
    transaction: &Transaction<'_>,
    case: &Case,
    trigger: &SeenAlert,
    intake: &Intake,
    now_us: i64,
) -> Result<Vec<String>, JournalError> {
    let known = rows::actions_of(transaction, &case.case_id, usize::MAX)?;
    let policy = intake.policy(&case.tenant_id);
    let mut planned = Vec::new();
    for record in cases::plan(case, trigger, &known, &intake.playbooks, &policy, now_us) {
        if rows::add_action(transaction, &record)? {
            planned.push(record.action_id);
        }
    }
    for mut record in cases::approvals(case, &known, trigger, &intake.playbooks, &policy, now_us) {
        let was = record.state;
        record.evidence_time_us = record.evidence_time_us().max(trigger.time_us);
        if was == State::Planned {
            record.state = State::Approved;
            record.approval = Some(Approval::Policy);
            record.approved_time_us = Some(now_us);
            record.changed_time_us = now_us;
            record.detail = json!({"approved_by": record.approval, "because_of": trigger.alert_id});
            chain::append(transaction, &record)?;
        }
        rows::update_action(transaction, &record)?;
    }
    Ok(planned)
}

/// Takes back what has not begun and nothing speaks for any more.
fn withdraw(
    transaction: &Transaction<'_>,
    case: &Case,
    taken_back: &SeenAlert,
    intake: &Intake,
    now_us: i64,
) -> Result<(), JournalError> {
    let standing = rows::standing(transaction, &case.case_id)?;
    let known = rows::actions_of(transaction, &case.case_id, usize::MAX)?;
    for mut record in cases::withdrawn(&known, &standing, &intake.playbooks) {
        record.state = State::Withdrawn;
        record.hold = None;
        record.changed_time_us = now_us;
        record.detail = json!({
            "why": format!("alert {} is {}, and no other one asks for this", taken_back.alert_id, taken_back.state),
            "alert": taken_back.alert_id,
        });
        rows::update_action(transaction, &record)?;
        chain::append(transaction, &record)?;
    }
    Ok(())
}

/// Makes cases one: what both planned and neither began is left to one action, and what began goes on.
fn merge(
    transaction: &Transaction<'_>,
    join: &Join,
    intake: &Intake,
    now_us: i64,
) -> Result<Vec<String>, JournalError> {
    for case in &join.from {
        rows::put_case(transaction, case)?;
    }
    keep(transaction, &join.into)?;
    let case_id = &join.into.case_id;
    for case in &join.from {
        transaction
            .prepare_cached("UPDATE alerts SET case_id = ?1 WHERE case_id = ?2")?
            .execute(params![case_id, case.case_id])?;
    }
    let known = rows::actions_of(transaction, case_id, usize::MAX)?;
    for (mut record, by) in cases::superseded(&known, case_id) {
        record.state = State::Refused;
        record.changed_time_us = now_us;
        record.detail = json!({
            "why": "the cases are about one account, and the other one's action stands for it",
            "superseded_by": by,
            "merged_into": case_id,
        });
        stand_for(transaction, &by, &record)?;
        record.superseded_by = Some(by);
        record.hold = None;
        rows::update_action(transaction, &record)?;
        chain::append(transaction, &record)?;
    }
    match &join.trigger {
        Some(trigger) => plan(transaction, &join.into, trigger, intake, now_us),
        None => Ok(Vec::new()),
    }
}

/// An action that stands for another one is about whom the evidence of both names, unless it has begun.
fn stand_for(
    transaction: &Transaction<'_>,
    action_id: &str,
    aside: &ActionRecord,
) -> Result<(), JournalError> {
    let Some(mut standing) = rows::action(transaction, action_id)? else {
        return Ok(());
    };
    if !matches!(standing.state, State::Planned | State::Approved) {
        return Ok(());
    }
    standing.provenance = {
        let of =
            |record: &ActionRecord| record.provenance.parse::<Provenance>().unwrap_or_default();
        of(&standing).and(of(aside)).to_string()
    };
    for named in &aside.evidence {
        if !standing.evidence.contains(named) {
            standing.evidence.push(named.clone());
        }
    }
    rows::update_action(transaction, &standing)
}

/// A case in which something is being done is no longer new.
pub(super) fn note_progress(
    transaction: &Transaction<'_>,
    record: &ActionRecord,
) -> Result<(), JournalError> {
    let Some(mut case) = rows::living_case(transaction, &record.case_id)? else {
        return Ok(());
    };
    if case.status != CaseStatus::New {
        return Ok(());
    }
    case.status = CaseStatus::InProgress;
    case.revision += 1;
    case.changed_time_us = record.changed_time_us;
    rows::put_case(transaction, &case)?;
    rows::announce_case(transaction, &case)
}
