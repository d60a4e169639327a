//! Alerts, cases and plans as values.

use std::collections::BTreeSet;

use schemas::alert::AlertState;
use schemas::case::CaseStatus;
use schemas::severity::Severity;
use schemas::wire;

use super::{Case, Change, Intake, Known, Policy, ROUNDS_MAX, SeenAlert, joins, place, plan};
use crate::accounts::named::Named;
use crate::action::ActionKind;
use crate::playbook;
use crate::record::{ActionRecord, Approval, State};

const HOUR: i64 = 3_600_000_000;
const T0: i64 = 1_789_000_000_000_000;

fn alert(id: &str, severity: Severity, time_us: i64) -> SeenAlert {
    SeenAlert::of(&wire::Alert {
        alert_id: id.to_owned(),
        tenant_id: "T".to_owned(),
        label: "SAAS-M365-00001".to_owned(),
        title: "Inbox rule hides mail".to_owned(),
        severity: severity.as_str().to_owned(),
        user: "Ada@Contoso.test".to_owned(),
        first_event_time_us: time_us,
        accepted_time_us: time_us,
        state: "raised".to_owned(),
        provenance: "live".to_owned(),
        ..wire::Alert::default()
    })
    .unwrap()
}

fn policy() -> Policy {
    Policy {
        case_severity_min: Severity::High,
        window_us: 24 * HOUR,
        automatic: vec![ActionKind::BlockSignIn],
        automatic_age_us_max: 72 * HOUR,
        dry_run: false,
    }
}

fn case_of(change: Change) -> Case {
    let Change::Case(case) = change else {
        panic!("no case: {change:?}")
    };
    *case
}

fn opened() -> Case {
    case_of(place(
        &alert("a1", Severity::High, T0),
        &Known::default(),
        &policy(),
        T0,
    ))
}

fn knowing(case: &Case) -> Known {
    Known {
        cases: vec![case.clone()],
        ..Known::default()
    }
}

#[test]
fn severity_decides_whether_a_case_is_opened() {
    for (severity, opens) in [
        (Severity::Medium, false),
        (Severity::High, true),
        (Severity::Critical, true),
    ] {
        let change = place(&alert("a", severity, T0), &Known::default(), &policy(), T0);
        assert_eq!(matches!(change, Change::Case(_)), opens, "{severity}");
    }
}

#[test]
fn the_same_alerts_open_the_same_case() {
    let again = case_of(place(
        &alert("a1", Severity::High, T0),
        &Known::default(),
        &policy(),
        T0 + 5,
    ));
    assert_eq!(opened().case_id, again.case_id);
    // An alert that also knows the object id means the same account.
    let mut with_id = alert("a2", Severity::High, T0);
    with_id.user_id = "1f".to_owned();
    let other = case_of(place(&with_id, &Known::default(), &policy(), T0));
    assert_eq!(opened().case_id, other.case_id);
}

#[test]
fn alerts_of_one_account_within_the_window_share_a_case_and_keep_their_labels() {
    // Microsoft's alert and ours.
    let mut theirs = alert("g1", Severity::Medium, T0 + 23 * HOUR);
    theirs.label = "MS-SEC-GRAPH-00001".to_owned();
    theirs.user_id = "1f".to_owned();
    let case = case_of(place(&theirs, &knowing(&opened()), &policy(), T0));
    let labels: Vec<&str> = case
        .alerts
        .iter()
        .map(|alert| alert.label.as_str())
        .collect();
    assert_eq!(labels, ["SAAS-M365-00001", "MS-SEC-GRAPH-00001"]);
    assert_eq!((case.severity, case.revision), (Severity::High, 2));
    assert_eq!(case.entity(), "1f");

    // By object id alone, too.
    let mut by_id = alert("g2", Severity::Low, T0);
    by_id.user = String::new();
    by_id.user_id = "1f".to_owned();
    assert_eq!(
        case_of(place(&by_id, &knowing(&case), &policy(), T0)).case_id,
        case.case_id
    );
}

#[test]
fn another_window_account_or_tenant_is_another_case() {
    let late = alert("a2", Severity::High, T0 + 25 * HOUR);
    let mut other_user = alert("a3", Severity::High, T0);
    other_user.user = "bo@contoso.test".to_owned();
    let mut other_tenant = alert("a4", Severity::High, T0);
    other_tenant.tenant_id = "u".to_owned();
    for other in [late, other_user, other_tenant] {
        let case = case_of(place(&other, &knowing(&opened()), &policy(), T0));
        assert_ne!(case.case_id, opened().case_id, "{}", other.alert_id);
    }
}

#[test]
fn an_alert_seen_twice_changes_nothing_and_a_graver_one_does() {
    let seen = alert("a1", Severity::High, T0);
    let mut known = knowing(&opened());
    known.alert = Some((seen.clone(), Some(opened().case_id)));
    assert_eq!(place(&seen, &known, &policy(), T0), Change::Nothing);
    let mut graver = seen;
    graver.severity = Severity::Critical;
    graver.state = AlertState::Amended;
    let case = case_of(place(&graver, &known, &policy(), T0));
    assert_eq!((case.severity, case.alerts.len()), (Severity::Critical, 1));
}

#[test]
fn what_was_not_grave_enough_joins_when_a_case_opens() {
    let known = Known {
        waiting: vec![
            alert("early", Severity::Low, T0 - HOUR),
            alert("long ago", Severity::Low, T0 - 30 * HOUR),
        ],
        ..Known::default()
    };
    let case = case_of(place(
        &alert("a1", Severity::High, T0),
        &known,
        &policy(),
        T0,
    ));
    let ids: Vec<&str> = case
        .alerts
        .iter()
        .map(|alert| alert.alert_id.as_str())
        .collect();
    assert_eq!(ids, ["early", "a1"]);
}

#[test]
fn alerts_about_nobody_have_a_case_each_and_no_plan() {
    let nobody = |id: &str| {
        let mut alert = alert(id, Severity::High, T0);
        alert.user = String::new();
        alert
    };
    let first = case_of(place(&nobody("n1"), &Known::default(), &policy(), T0));
    let second = case_of(place(&nobody("n2"), &knowing(&first), &policy(), T0));
    assert_ne!(first.case_id, second.case_id);
    let playbooks = playbook::load(&[]).unwrap();
    assert_eq!(
        plan(&first, &nobody("n1"), &[], &playbooks, &policy(), T0),
        []
    );
}

#[test]
fn a_withdrawn_alert_opens_and_plans_nothing() {
    let mut withdrawn = alert("a1", Severity::High, T0);
    withdrawn.state = AlertState::Withdrawn;
    assert_eq!(
        place(&withdrawn, &Known::default(), &policy(), T0),
        Change::Wait
    );
    let playbooks = playbook::load(&[]).unwrap();
    assert_eq!(
        plan(&opened(), &withdrawn, &[], &playbooks, &policy(), T0),
        []
    );
}

fn plans(known: &[ActionRecord], trigger: &SeenAlert, policy: &Policy) -> Vec<ActionRecord> {
    plan(
        &opened(),
        trigger,
        known,
        &playbook::load(&[]).unwrap(),
        policy,
        T0,
    )
}

#[test]
fn a_plan_is_made_once_in_the_order_of_the_playbook() {
    let first = plans(&[], &alert("a1", Severity::High, T0), &policy());
    let kinds: Vec<ActionKind> = first.iter().map(|record| record.action.kind()).collect();
    assert_eq!(
        kinds,
        [
            ActionKind::BlockSignIn,
            ActionKind::RevokeSessions,
            ActionKind::DisableInboxRules
        ]
    );
    // Only what is on the list of automatic actions is approved.
    assert_eq!(first[0].approval, Some(Approval::Policy));
    assert_eq!(first[1].approval, None);
    assert_eq!(first[0].requested_by, "playbook:contain_account");
    assert_eq!(
        plans(&first, &alert("a2", Severity::High, T0), &policy()),
        []
    );
}

#[test]
fn a_dry_run_plans_the_same_and_approves_nothing() {
    let mut dry = policy();
    dry.dry_run = true;
    let trigger = alert("a1", Severity::High, T0);
    let (dry, wet) = (plans(&[], &trigger, &dry), plans(&[], &trigger, &policy()));
    assert!(
        dry.iter()
            .all(|record| record.dry_run && record.approval.is_none())
    );
    let ids = |records: &[ActionRecord]| -> Vec<String> {
        records
            .iter()
            .map(|record| record.action_id.clone())
            .collect()
    };
    assert_eq!(ids(&dry), ids(&wet));
}

#[test]
fn what_happened_long_ago_is_left_to_a_person() {
    let blocks = |happened_us| {
        let trigger = alert("a1", Severity::High, happened_us);
        plans(&[], &trigger, &policy())[0].approval.clone()
    };
    // A record that is two days late is acted on; an imported export of last week is not.
    assert_eq!(blocks(T0 - 53 * HOUR), Some(Approval::Policy));
    assert_eq!(blocks(T0 - 24 * 7 * HOUR), None);
}

#[test]
fn activity_after_the_rules_were_looked_at_makes_us_look_again() {
    let mut known = plans(&[], &alert("a1", Severity::High, T0), &policy());
    for record in &mut known {
        record.state = State::Effective;
        record.intended_time_us = Some(T0 + HOUR);
    }
    assert_eq!(
        plans(&known, &alert("a2", Severity::Low, T0), &policy()),
        []
    );
    let later = alert("a3", Severity::Low, T0 + 2 * HOUR);
    let again = plans(&known, &later, &policy());
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].action.kind(), ActionKind::DisableInboxRules);
    assert_eq!(again[0].round, 1);
    assert_ne!(again[0].action_id, known[2].action_id);
    // Not for ever.
    known[2].round = ROUNDS_MAX - 1;
    assert_eq!(plans(&known, &later, &policy()), []);
}

#[test]
fn in_a_tenant_where_nothing_can_be_done_plans_stay_plans() {
    let intake = Intake {
        policy: policy(),
        playbooks: Vec::new(),
        acting_tenants: BTreeSet::from(["t".to_owned()]),
    };
    assert!(!intake.policy("t").dry_run);
    assert!(intake.policy("u").dry_run);
}

/// The other way round: Microsoft's alert opens the case, and one of ours that knows name and object id
/// brings together what names the account by one of them only.
#[test]
fn alerts_that_know_only_a_name_or_only_an_id_share_a_case_once_one_knows_both() {
    let mut theirs = alert("g1", Severity::High, T0);
    theirs.label = "MS-SEC-GRAPH-00001".to_owned();
    theirs.user = String::new();
    theirs.user_id = "1f".to_owned();
    let opened = case_of(place(&theirs, &Known::default(), &policy(), T0));
    assert_eq!((opened.user.as_str(), opened.entity()), ("", "1f"));

    // Ours knows the name only: nothing says that it is the same account.
    let named = alert("a1", Severity::High, T0 + HOUR);
    let other = case_of(place(&named, &knowing(&opened), &policy(), T0));
    assert_ne!(other.case_id, opened.case_id);

    // Ours knows both, and from then on the name leads to the case too.
    let mut both = alert("a2", Severity::Low, T0 + HOUR);
    both.user_id = "1f".to_owned();
    let joined = case_of(place(&both, &knowing(&opened), &policy(), T0));
    let joined = case_of(place(&named, &knowing(&joined), &policy(), T0));
    assert_eq!(joined.case_id, opened.case_id);
    let labels: Vec<&str> = joined.alerts.iter().map(|one| one.label.as_str()).collect();
    assert_eq!(
        labels,
        ["MS-SEC-GRAPH-00001", "SAAS-M365-00001", "SAAS-M365-00001"]
    );
}

const ADA: &str = "1f00aaaa-0000-4000-8000-00000000000a";
const BO: &str = "1f00aaaa-0000-4000-8000-00000000000b";

/// An alert of this hour that says so much about its account.
fn about(id: &str, user: &str, user_id: &str, hour: i64) -> SeenAlert {
    let time_us = T0 + hour * HOUR;
    SeenAlert {
        user: user.to_owned(),
        user_id: user_id.to_owned(),
        told: Some(Named {
            user: user.to_owned(),
            user_id: user_id.to_owned(),
            time_us,
        }),
        ..alert(id, Severity::High, time_us)
    }
}

fn case_about(id: &str, user: &str, user_id: &str, hour: i64) -> Case {
    let alert = about(id, user, user_id, hour);
    let now_us = alert.time_us;
    case_of(place(&alert, &Known::default(), &policy(), now_us))
}

#[test]
fn the_older_of_two_cases_goes_on_and_the_other_names_it() {
    let (older, newer) = (case_about("g1", "", ADA, 0), case_about("a1", "x", "", 1));
    let both = about("a2", "x", ADA, 2);
    for cases in [
        [older.clone(), newer.clone()],
        [newer.clone(), older.clone()],
    ] {
        let joins = joins(&both, &cases, policy().window_us, T0 + 2 * HOUR);
        assert_eq!(joins.len(), 1);
        let (into, from) = (&joins[0].into, &joins[0].from);
        assert_eq!(
            (into.case_id.as_str(), into.alerts.len()),
            (older.case_id.as_str(), 2)
        );
        assert_eq!((into.user.as_str(), into.user_id.as_str()), ("x", ADA));
        assert_eq!((into.revision, from.len()), (2, 1));
        // What was merged keeps its alerts, says where to look, and takes nothing more.
        assert_eq!(
            (from[0].alerts.clone(), from[0].revision),
            (newer.alerts.clone(), 2)
        );
        assert_eq!(from[0].merged_into.as_ref(), Some(&older.case_id));
        assert_eq!(from[0].status, CaseStatus::Closed);
        assert!(from[0].title.contains(&older.case_id));
        assert!(!from[0].takes(&both, policy().window_us));
        // Once is enough.
        let merged = [into.clone(), from[0].clone()];
        assert_eq!(super::joins(&both, &merged, policy().window_us, T0), []);
    }
}

#[test]
fn cases_that_are_apart_for_a_reason_are_not_merged() {
    let both = about("a9", "x", ADA, 2);
    let older = case_about("g1", "", ADA, 0);
    for other in [
        // Beyond the window of the older one.
        case_about("a1", "x", "", 25),
        // The name belongs to another object id there.
        case_about("a1", "x", BO, 1),
        case_about("a1", "y", "", 1),
    ] {
        assert_eq!(
            joins(&both, &[older.clone(), other], policy().window_us, T0),
            []
        );
    }
    let whole = [case_about("a1", "x", ADA, 0), case_about("a2", "x", ADA, 1)];
    assert_eq!(joins(&both, &whole, policy().window_us, T0), []);
    // Half an account says nothing about another one.
    let cases = [older, case_about("a1", "x", "", 1)];
    for half in [about("a9", "x", "", 2), about("a9", "", ADA, 2)] {
        assert_eq!(joins(&half, &cases, policy().window_us, T0), []);
    }
}

#[test]
fn a_name_that_passed_to_another_account_leads_to_a_case_of_its_own() {
    let first = case_about("a1", "x", ADA, 0);
    let second = case_of(place(
        &about("a2", "x", BO, 1),
        &knowing(&first),
        &policy(),
        T0,
    ));
    // By the name alone they would have one id, and the second would be written over the first.
    assert_ne!(first.case_id, second.case_id);
    assert_eq!((second.entity(), second.alerts.len()), (BO, 1));
    // A renamed account is the same one.
    let renamed = about("a3", "y", ADA, 2);
    let case = case_of(place(&renamed, &knowing(&first), &policy(), T0));
    assert_eq!(case.case_id, first.case_id);
    // An alert about nobody is about nobody, not about everybody who does not exist.
    let nobody = wire::Alert {
        user_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        severity: "low".to_owned(),
        state: "raised".to_owned(),
        ..wire::Alert::default()
    };
    assert_eq!(SeenAlert::of(&nobody).unwrap().user_id, "");
}

#[test]
fn an_alert_of_a_state_or_severity_that_nobody_knows_is_an_error() {
    let known = wire::Alert {
        severity: "low".to_owned(),
        state: "withdrawn".to_owned(),
        ..wire::Alert::default()
    };
    assert!(!SeenAlert::of(&known).unwrap().stands());
    for (severity, state) in [("low", "snoozed"), ("low", ""), ("grave", "raised")] {
        let unknown = wire::Alert {
            severity: severity.to_owned(),
            state: state.to_owned(),
            ..wire::Alert::default()
        };
        assert!(SeenAlert::of(&unknown).is_err(), "{severity} {state}");
    }
}

/// What journals of earlier versions have.
#[test]
fn states_of_kept_alerts_and_cases_are_the_words_that_they_were() {
    let mut kept = serde_json::to_value(opened()).unwrap();
    assert_eq!(
        (&kept["status"], &kept["alerts"][0]["state"]),
        (&"new".into(), &"raised".into())
    );
    for status in CaseStatus::ALL {
        kept["status"] = status.as_str().into();
        let case: Case = serde_json::from_value(kept.clone()).unwrap();
        assert_eq!(case.status, *status);
    }
    kept["status"] = "forgotten".into();
    assert!(serde_json::from_value::<Case>(kept).is_err());
}

#[test]
fn what_waited_under_one_half_joins_once_both_are_known() {
    let known = Known {
        cases: vec![case_about("a1", "x", "", 0)],
        waiting: vec![about("w1", "", ADA, 1), about("w2", "", BO, 1)],
        ..Known::default()
    };
    let case = case_of(place(&about("a2", "x", ADA, 2), &known, &policy(), T0));
    let ids: Vec<&str> = case
        .alerts
        .iter()
        .map(|one| one.alert_id.as_str())
        .collect();
    assert_eq!(ids, ["a1", "w1", "a2"]);
}
