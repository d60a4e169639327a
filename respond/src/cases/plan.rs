//! Pure: which actions follow from a case.

use super::{Case, Policy, ROUNDS_MAX, SeenAlert};
use crate::playbook::{Playbook, Step};
use crate::record::{ActionRecord, Approval, State, action_id};

/// The actions that the playbooks want for a case and that are not known yet.
///
/// `trigger` is the alert that changed the case; `known` are the case's actions.
pub fn plan(
    case: &Case,
    trigger: &SeenAlert,
    known: &[ActionRecord],
    playbooks: &[Playbook],
    policy: &Policy,
    now_us: i64,
) -> Vec<ActionRecord> {
    if case.entity().is_empty() || trigger.state == "withdrawn" {
        return Vec::new();
    }
    let labels: Vec<&str> = case
        .alerts
        .iter()
        .map(|alert| alert.label.as_str())
        .collect();
    let is_fresh = now_us.saturating_sub(trigger.time_us) <= policy.automatic_age_us_max;
    let mut planned: Vec<ActionRecord> = Vec::new();
    for playbook in playbooks
        .iter()
        .filter(|playbook| playbook.when.holds(case.severity, labels.iter().copied()))
    {
        for step in &playbook.steps {
            let kind = step.action().kind();
            if planned.iter().any(|record| record.action.kind() == kind) {
                continue;
            }
            let latest = known
                .iter()
                .filter(|record| record.action.kind() == kind)
                .max_by_key(|record| record.round);
            let Some(round) = round(latest, step, trigger) else {
                continue;
            };
            let position = u32::try_from(known.len() + planned.len()).unwrap_or(u32::MAX);
            let requested_by = format!("playbook:{}", playbook.name);
            let mut record = record(case, step, round, position, requested_by, now_us);
            record.dry_run = policy.dry_run;
            if !policy.dry_run && is_fresh && policy.automatic.contains(&kind) {
                record.approval = Some(Approval::Policy);
            }
            planned.push(record);
        }
    }
    planned
}

/// The round of the next run, or none if the action is not to run again.
fn round(latest: Option<&ActionRecord>, step: &Step, trigger: &SeenAlert) -> Option<u32> {
    let Some(latest) = latest else { return Some(0) };
    let ran_before = latest.state.is_final()
        && latest
            .intended_time_us
            .is_some_and(|intended_us| trigger.accepted_time_us > intended_us);
    (step.again && ran_before && latest.round + 1 < ROUNDS_MAX).then_some(latest.round + 1)
}

fn record(
    case: &Case,
    step: &Step,
    round: u32,
    position: u32,
    requested_by: String,
    now_us: i64,
) -> ActionRecord {
    new_record(case, step.action(), round, position, requested_by, now_us)
}

/// A planned action of a case that nobody has approved.
pub fn new_record(
    case: &Case,
    action: crate::action::Action,
    round: u32,
    position: u32,
    requested_by: String,
    now_us: i64,
) -> ActionRecord {
    // The same alerts give the same action, also where only some of them know the object id.
    let account = if case.user.is_empty() {
        &case.user_id
    } else {
        &case.user
    };
    let target = case.entity().to_owned();
    let detail = serde_json::json!({
        "plan": action.plan(&target),
        "alerts": case.alerts.iter().map(|alert| serde_json::json!({"id": alert.alert_id, "label": alert.label}))
            .collect::<Vec<_>>(),
    });
    ActionRecord {
        action_id: action_id(&case.case_id, action.kind(), account, round),
        case_id: case.case_id.clone(),
        tenant_id: case.tenant_id.clone(),
        target,
        action,
        position,
        round,
        requested_by,
        approval: None,
        dry_run: false,
        state: State::Planned,
        receipt: None,
        warnings: Vec::new(),
        attempts: 0,
        not_before_us: 0,
        planned_time_us: now_us,
        intended_time_us: None,
        changed_time_us: now_us,
        detail,
    }
}
