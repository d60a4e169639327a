//! Pure: which actions follow from a case, and which of two cases' actions stand for each other.

use schemas::provenance::Provenance;
use schemas::severity::Severity;

use super::evidence::{evidence_for, standing, told, weakest};
use super::{Case, Policy, ROUNDS_MAX, SeenAlert};
use crate::accounts::named;
use crate::action::ActionKind;
use crate::playbook::{Playbook, Step};
use crate::record::{ActionRecord, Approval, State, action_id};

/// How much newer an alert must be for an approval to count from it, in microseconds: not every alert writes.
const EVIDENCE_STEP_US: i64 = 3_600_000_000;

/// The actions that the playbooks want for a case and that are not known yet.
///
/// `trigger` is the alert that changed the case; `known` are the actions of the case and of those merged into it.
pub fn plan(
    case: &Case,
    trigger: &SeenAlert,
    known: &[ActionRecord],
    playbooks: &[Playbook],
    policy: &Policy,
    now_us: i64,
) -> Vec<ActionRecord> {
    if case.entity().is_empty() || !trigger.stands() {
        return Vec::new();
    }
    let labels = case.labels();
    let mut planned: Vec<ActionRecord> = Vec::new();
    for playbook in playbooks
        .iter()
        .filter(|playbook| playbook.when.holds(case.severity, labels.iter().copied()))
    {
        let requested_by = requester(playbook);
        let evidence = evidence_for(case, playbook);
        let provenance = weakest(&evidence);
        let named = named::words(evidence.into_iter());
        for step in &playbook.steps {
            let kind = step.action().kind();
            if planned.iter().any(|record| record.action.kind() == kind) {
                continue;
            }
            let of_kind: Vec<&ActionRecord> = known
                .iter()
                .filter(|record| record.action.kind() == kind)
                .collect();
            let is_automatic = is_automatic(kind, trigger, policy, now_us);
            let Some(round) = round(&of_kind, step, trigger, is_automatic) else {
                continue;
            };
            let position = u32::try_from(known.len() + planned.len()).unwrap_or(u32::MAX);
            let by = requested_by.clone();
            let mut record = new_record(case, step.action(), round, position, by, now_us);
            record.evidence.clone_from(&named);
            record.provenance = provenance.to_string();
            record.dry_run = policy.dry_run;
            record.evidence_time_us = trigger.time_us;
            if is_automatic && provenance != Provenance::Live {
                record.detail["needs_a_person"] =
                    format!("its evidence is {}", told(provenance)).into();
            } else if is_automatic {
                record.approval = Some(Approval::Policy);
            }
            planned.push(record);
        }
    }
    planned
}

/// Who asks for what a playbook plans.
fn requester(playbook: &Playbook) -> String {
    format!("playbook:{}", playbook.name)
}

/// The playbook that asked for an action, if it is still there.
fn own<'a>(record: &ActionRecord, playbooks: &'a [Playbook]) -> Option<&'a Playbook> {
    playbooks
        .iter()
        .find(|playbook| requester(playbook) == record.requested_by)
}

/// Whether the configuration approves an action because of this alert.
fn is_automatic(kind: ActionKind, trigger: &SeenAlert, policy: &Policy, now_us: i64) -> bool {
    let is_fresh = now_us.saturating_sub(trigger.time_us) <= policy.automatic_age_us_max;
    !policy.dry_run && is_fresh && policy.automatic.contains(&kind)
}

/// Actions of the playbooks that the configuration approves because of an alert that came after their planning.
///
/// Those that wait for a person, for example because the first alert of the case was too old by a clock that was
/// wrong; and those that it has approved already, where this alert is newer by more than `EVIDENCE_STEP_US`.
pub fn approvals(
    case: &Case,
    known: &[ActionRecord],
    trigger: &SeenAlert,
    playbooks: &[Playbook],
    policy: &Policy,
    now_us: i64,
) -> Vec<ActionRecord> {
    known
        .iter()
        .filter(|record| {
            let is_newer =
                trigger.time_us.saturating_sub(record.evidence_time_us()) > EVIDENCE_STEP_US;
            trigger.stands()
                && !record.dry_run
                && record.is_of_playbook()
                && is_automatic(record.action.kind(), trigger, policy, now_us)
                && match (record.state, &record.approval) {
                    (State::Planned, _) => true,
                    (State::Approved, Some(Approval::Policy)) => is_newer,
                    _ => false,
                }
        })
        .filter_map(|record| {
            // Only live evidence that suffices by itself, and whom that names.
            let evidence = evidence_for(case, own(record, playbooks)?);
            let provenance = weakest(&evidence);
            (provenance == Provenance::Live).then(|| ActionRecord {
                evidence: named::words(evidence.into_iter()),
                provenance: provenance.to_string(),
                ..record.clone()
            })
        })
        .collect()
}

/// Actions of the playbooks that have not begun and that none of the alerts that still stand would plan.
///
/// `standing` are the labels of the case's alerts that were not taken back, each with its highest severity. What a
/// person has approved is left to the person.
pub fn withdrawn(
    known: &[ActionRecord],
    standing: &[(String, Severity)],
    playbooks: &[Playbook],
) -> Vec<ActionRecord> {
    let severity = standing.iter().map(|(_, severity)| *severity).max();
    let still_wanted = |record: &ActionRecord| {
        severity.is_some_and(|severity| {
            let labels = || standing.iter().map(|(label, _)| label.as_str());
            own(record, playbooks).is_none_or(|playbook| playbook.when.holds(severity, labels()))
        })
    };
    known
        .iter()
        .filter(|record| {
            record.is_of_playbook()
                && match (record.state, &record.approval) {
                    (State::Planned, _) => true,
                    (State::Approved, approval) => !matches!(approval, Some(Approval::Person(_))),
                    _ => false,
                }
                && !still_wanted(record)
        })
        .cloned()
        .collect()
}

/// The round of the next run, or none if the action is not to run again.
///
/// Of merged cases, two actions can have one round: the one that is still to end counts, then the newer look.
/// What was taken back or expired before it began is planned again by what comes after.
fn round(
    of_kind: &[&ActionRecord],
    step: &Step,
    trigger: &SeenAlert,
    is_automatic: bool,
) -> Option<u32> {
    let latest = of_kind
        .iter()
        .filter(|record| record.superseded_by.is_none())
        .max_by_key(|record| (record.is_to_end(), record.round, record.intended_time_us));
    let Some(latest) = latest else {
        return Some(next_round(of_kind.iter().copied()));
    };
    let looked_us = of_kind
        .iter()
        .filter_map(|record| record.intended_time_us)
        .max();
    let ran_before = latest.state.is_final()
        && latest.intended_time_us.is_some()
        && looked_us.is_some_and(|looked_us| trigger.accepted_time_us > looked_us);
    let next = next_round(of_kind.iter().copied());
    let never_began = match latest.state {
        State::Withdrawn => true,
        State::Expired => is_automatic,
        _ => false,
    };
    (((step.again && ran_before) || never_began) && next < ROUNDS_MAX).then_some(next)
}

/// The round after all of these, so that no two actions of a case have one id.
pub fn next_round<'a>(of_kind: impl Iterator<Item = &'a ActionRecord>) -> u32 {
    of_kind.map(|record| record.round + 1).max().unwrap_or(0)
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
        "alerts_count": case.alerts_count(),
        "alerts": case.alerts.iter().map(|alert| serde_json::json!({"id": alert.alert_id, "label": alert.label}))
            .collect::<Vec<_>>(),
    });
    ActionRecord {
        action_id: action_id(&case.case_id, action.kind(), account, round),
        case_id: case.case_id.clone(),
        tenant_id: case.tenant_id.clone(),
        target,
        evidence: named::words(standing(case).into_iter()),
        provenance: weakest(&standing(case)).to_string(),
        undoes: None,
        action,
        position,
        round,
        requested_by,
        superseded_by: None,
        approval: None,
        sighted: None,
        approved_time_us: None,
        evidence_time_us: 0,
        hold: None,
        dry_run: false,
        state: State::Planned,
        receipt: None,
        tries: Vec::new(),
        warnings: Vec::new(),
        attempts: 0,
        not_before_us: 0,
        planned_time_us: now_us,
        intended_time_us: None,
        changed_time_us: now_us,
        detail,
    }
}

/// Actions that have not begun and for which another case's action stands, once the cases are one.
///
/// `known` are the actions of case `into` and of those merged into it, in the order of their planning. Gives each
/// such action with the id of the one that stands for it: the same action that began after this one was planned,
/// or that is nearer to its beginning. What ended without effect stands for nothing.
pub fn superseded(known: &[ActionRecord], into: &str) -> Vec<(ActionRecord, String)> {
    let mut left: Vec<&ActionRecord> = known
        .iter()
        .filter(|record| record.superseded_by.is_none())
        .collect();
    let mut found = Vec::new();
    for record in known.iter().filter(|record| nearness(record).is_some()) {
        let stands = left
            .iter()
            .find(|other| stands_for(other, record, into))
            .map(|other| other.action_id.clone());
        if let Some(action_id) = stands {
            // What stands aside itself can stand for nothing.
            left.retain(|other| other.action_id != record.action_id);
            found.push((record.clone(), action_id));
        }
    }
    found
}

fn stands_for(other: &ActionRecord, record: &ActionRecord, into: &str) -> bool {
    if other.case_id == record.case_id || other.action != record.action {
        return false;
    }
    match (nearness(other), nearness(record)) {
        (Some(theirs), Some(own)) => {
            // Of equals, the one of the case that goes on; then the one planned first.
            let order = |record: &ActionRecord| (record.case_id != into, record.planned_time_us);
            theirs > own
                || (theirs == own
                    && (order(other), &other.action_id) < (order(record), &record.action_id))
        }
        (None, Some(_)) => {
            matches!(
                other.state,
                State::Intended | State::Applied | State::Effective
            ) && other.intended_time_us >= Some(record.planned_time_us)
        }
        (_, None) => false,
    }
}

/// How near an action is to its beginning; none once it has begun or ended.
fn nearness(record: &ActionRecord) -> Option<u8> {
    match (record.state, &record.approval) {
        (State::Approved, Some(Approval::Person(_))) => Some(3),
        (State::Approved, _) => Some(2),
        (State::Planned, _) => Some(u8::from(!record.dry_run)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{State, round, superseded};
    use crate::action::{Action, BlockSignIn, DisableInboxRules};
    use crate::cases::{SeenAlert, new_record};
    use crate::playbook::{self, Step};
    use crate::record::{ActionRecord, Approval};
    use schemas::wire;

    const BLOCK: Action = Action::BlockSignIn(BlockSignIn {});

    /// An action of case `case_id`, planned at 10 and, if it began, intended at `intended_time_us`.
    fn record(case_id: &str, action: Action, state: State, intended: i64) -> ActionRecord {
        let case = crate::cases::Case {
            case_id: case_id.to_owned(),
            tenant_id: "t".to_owned(),
            user: "a@b".to_owned(),
            user_id: String::new(),
            severity: schemas::severity::Severity::High,
            status: schemas::case::CaseStatus::New,
            alerts: Vec::new(),
            alerts_count: 0,
            labels: std::collections::BTreeSet::new(),
            taken: Vec::new(),
            anchor_time_us: 0,
            opened_time_us: 0,
            changed_time_us: 0,
            revision: 1,
            title: String::new(),
            merged_into: None,
        };
        let mut record = new_record(&case, action, 0, 0, "playbook:p".to_owned(), 10);
        record.state = state;
        record.approval = (state != State::Planned).then_some(Approval::Policy);
        record.intended_time_us = (intended > 0).then_some(intended);
        record
    }

    /// States and approvals of a block in case "into" and of one in case "from": which of them stand aside.
    fn aside(into: ActionRecord, from: ActionRecord) -> Vec<String> {
        let mut aside = Vec::new();
        for known in [[into.clone(), from.clone()], [from, into]] {
            let found = superseded(&known, "into");
            aside = found
                .iter()
                .map(|(record, _)| record.case_id.clone())
                .collect();
            for (record, by) in found {
                assert_ne!(record.action_id, by);
            }
        }
        aside
    }

    fn block(case_id: &str, state: State, intended: i64) -> ActionRecord {
        record(case_id, BLOCK, state, intended)
    }

    #[test]
    fn of_two_that_have_not_begun_the_nearer_one_stays() {
        let (planned, approved) = (State::Planned, State::Approved);
        assert_eq!(
            aside(block("into", planned, 0), block("from", planned, 0)),
            ["from"]
        );
        assert_eq!(
            aside(block("into", approved, 0), block("from", planned, 0)),
            ["from"]
        );
        assert_eq!(
            aside(block("into", planned, 0), block("from", approved, 0)),
            ["into"]
        );
        // What a person wants goes before what the configuration allows, and both before a dry-run.
        let mut wanted = block("from", approved, 0);
        wanted.approval = Some(Approval::Person("kim".to_owned()));
        assert_eq!(aside(block("into", approved, 0), wanted), ["into"]);
        let mut dry = block("into", planned, 0);
        dry.dry_run = true;
        assert_eq!(aside(dry, block("from", planned, 0)), ["into"]);
    }

    #[test]
    fn what_began_goes_on_and_stands_for_what_was_planned_before() {
        for state in [State::Intended, State::Applied, State::Effective] {
            assert_eq!(
                aside(block("into", State::Approved, 0), block("from", state, 11)),
                ["into"]
            );
            assert_eq!(
                aside(block("into", state, 11), block("from", state, 12)),
                [""; 0]
            );
            // What was planned later may be wanted for what happened since.
            assert_eq!(
                aside(block("into", State::Approved, 0), block("from", state, 9)),
                [""; 0]
            );
        }
        for state in [
            State::Refused,
            State::Expired,
            State::Withdrawn,
            State::NotEffective,
            State::Failed,
            State::Unknown,
        ] {
            assert_eq!(
                aside(block("into", State::Planned, 0), block("from", state, 11)),
                [""; 0]
            );
        }
        let rules = Action::DisableInboxRules(DisableInboxRules::default());
        let other = record("from", rules, State::Planned, 0);
        assert_eq!(aside(block("into", State::Planned, 0), other), [""; 0]);
    }

    fn rounds(known: &[ActionRecord], accepted_time_us: i64) -> Option<u32> {
        let trigger = SeenAlert::of(&wire::Alert {
            accepted_time_us,
            severity: "high".to_owned(),
            state: "raised".to_owned(),
            ..wire::Alert::default()
        })
        .unwrap();
        let playbooks = playbook::load(&[]).unwrap();
        let again: Vec<&Step> = playbooks[0]
            .steps
            .iter()
            .filter(|step| step.again)
            .collect();
        let known: Vec<&ActionRecord> = known.iter().collect();
        round(&known, again[0], &trigger, false)
    }

    #[test]
    fn the_actions_of_merged_cases_are_one_row_of_rounds() {
        let rules = |case_id: &str, state, intended| {
            let action = Action::DisableInboxRules(DisableInboxRules::default());
            record(case_id, action, state, intended)
        };
        let (early, late) = (
            rules("into", State::Effective, 20),
            rules("from", State::Effective, 30),
        );
        for known in [[early.clone(), late.clone()], [late.clone(), early.clone()]] {
            // The later look has seen what the earlier one could not.
            assert_eq!(rounds(&known, 25), None);
            assert_eq!(rounds(&known, 31), Some(1));
        }
        // One that is still to look will see it.
        let waiting = rules("from", State::Approved, 0);
        assert_eq!(rounds(&[waiting, early.clone()], 31), None);
        // One that stood aside looks no more, and its round is not given again.
        let mut aside = rules("into", State::Refused, 0);
        (aside.superseded_by, aside.round) = (Some("other".to_owned()), 1);
        assert_eq!(rounds(&[early, aside.clone()], 31), Some(2));
        assert_eq!(rounds(&[aside], 31), Some(2));
    }
}
