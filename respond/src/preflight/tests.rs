//! Guardrails as a table, and as properties over random facts.

mod identity;

use std::collections::BTreeSet;

use proptest::bool::weighted;
use proptest::prelude::*;
use serde_json::Value;

use super::{FACTS_AGE_MAX_US, Facts, Intent, Policy, Refusal, TARGETS_WINDOW_US, Verdict, check};
use crate::accounts::named::{Named, Resolved};
use crate::action::{Action, ActionKind, BlockSignIn, RevokeSessions};
use crate::directory::{Grant, ObjectId, Role, User};
use crate::never_act::Protected;
use crate::record::{ActionRecord, Approval, State};

const NOW: i64 = 1_789_000_000_000_000;
const HOUR_US: i64 = 3_600_000_000;
const ACCOUNT: &str = "1f00aaaa-0000-4000-8000-00000000000a";
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

fn record(action: Action) -> ActionRecord {
    ActionRecord {
        action_id: "id".to_owned(),
        case_id: "case".to_owned(),
        tenant_id: "t".to_owned(),
        target: ACCOUNT.to_owned(),
        evidence: vec![named()],
        provenance: "live".to_owned(),
        undoes: None,
        action,
        position: 0,
        round: 0,
        requested_by: "playbook:p".to_owned(),
        superseded_by: None,
        approval: Some(Approval::Policy),
        sighted: None,
        approved_time_us: Some(NOW),
        evidence_time_us: NOW,
        hold: None,
        dry_run: false,
        state: State::Approved,
        receipt: None,
        tries: Vec::new(),
        warnings: Vec::new(),
        attempts: 0,
        not_before_us: 0,
        planned_time_us: NOW,
        intended_time_us: None,
        changed_time_us: NOW,
        detail: Value::Null,
    }
}

fn named() -> Named {
    Named {
        user: "ada@contoso.test".to_owned(),
        user_id: ACCOUNT.to_owned(),
        time_us: NOW,
    }
}

fn policy() -> Policy {
    Policy {
        dry_run: false,
        automatic: ActionKind::ALL.to_vec(),
        never_act: BTreeSet::new(),
        automatic_age_us_max: 72 * HOUR_US,
        approval_age_us_max: 24 * HOUR_US,
        targets_per_hour_max: 5,
        outbox_age_us_max: 900_000_000,
        started_us: 0,
        cool_down_us: 60_000_000,
    }
}

fn user() -> User {
    User {
        id: ObjectId::parse(ACCOUNT).unwrap(),
        user_principal_name: "Ada@contoso.test".to_owned(),
        account_enabled: true,
        is_guest: false,
        is_synced: false,
        created_us: None,
        sessions_valid_from_us: None,
    }
}

fn facts() -> Facts {
    let roles = [
        "User.EnableDisableAccount.All",
        "User.RevokeSessions.All",
        "User.Read.All",
        "RoleManagement.Read.Directory",
    ];
    Facts {
        read_time_us: NOW,
        kill_switch: Some(false),
        grant: Some(Grant {
            roles: roles.map(str::to_owned).to_vec(),
            own_ids: vec!["0wn".to_owned()],
        }),
        user: Some(Some(user())),
        named: Some(vec![Resolved {
            named: named(),
            account: Some(user()),
        }]),
        pairs: Some(Vec::new()),
        protected: Some(Protected::default()),
        present: None,
        roles: Some(Vec::new()),
        intents: Some(Vec::new()),
        outbox_oldest_us: Some(None),
    }
}

fn block() -> ActionRecord {
    record(Action::BlockSignIn(BlockSignIn {}))
}

fn refusals(record: &ActionRecord, facts: &Facts, policy: &Policy) -> Vec<Refusal> {
    match check(record, facts, policy, NOW) {
        Verdict::Refused(refusals)
        | Verdict::Expired(refusals)
        | Verdict::Held { refusals, .. } => refusals,
        other => panic!("{other:?}"),
    }
}

fn intent(account: &str, kind: ActionKind, ago_us: i64) -> Intent {
    Intent {
        action_id: format!("other-{account}"),
        kind,
        account: account.to_owned(),
        is_automatic: true,
        time_us: NOW - ago_us,
    }
}

#[test]
fn with_every_fact_in_order_it_goes() {
    assert_eq!(
        check(&block(), &facts(), &policy(), NOW),
        Verdict::Go {
            warnings: Vec::new()
        }
    );
}

#[test]
fn a_missing_fact_refuses() {
    // Fails closed.
    let cuts: [fn(&mut Facts); 11] = [
        |facts| facts.outbox_oldest_us = None,
        |facts| facts.kill_switch = None,
        |facts| facts.grant = None,
        |facts| facts.user = None,
        |facts| facts.roles = None,
        |facts| facts.named = None,
        |facts| facts.pairs = None,
        |facts| facts.protected = None,
        |facts| facts.intents = None,
        |facts| facts.read_time_us = NOW - FACTS_AGE_MAX_US - 1,
        |facts| facts.read_time_us = NOW + FACTS_AGE_MAX_US + 1,
    ];
    for (place, cut) in cuts.into_iter().enumerate() {
        let mut facts = facts();
        cut(&mut facts);
        let refusals = refusals(&block(), &facts, &policy());
        assert!(
            matches!(refusals[..], [Refusal::FactMissing { .. }]),
            "{place}: {refusals:?}"
        );
    }
}

#[test]
fn the_gates_refuse() {
    let mut dry = policy();
    dry.dry_run = true;
    assert_eq!(refusals(&block(), &facts(), &dry), [Refusal::DryRun]);
    let mut planned_dry = block();
    planned_dry.dry_run = true;
    assert_eq!(
        refusals(&planned_dry, &facts(), &policy()),
        [Refusal::DryRun]
    );
    let mut set = facts();
    set.kill_switch = Some(true);
    assert_eq!(refusals(&block(), &set, &policy()), [Refusal::KillSwitch]);
}

#[test]
fn without_a_valid_approval_it_is_refused() {
    let mut nobody = block();
    nobody.approval = None;
    let mut nameless = block();
    nameless.approval = Some(Approval::Person(String::new()));
    for record in [nobody, nameless] {
        assert_eq!(
            refusals(&record, &facts(), &policy()),
            [Refusal::NotApproved]
        );
    }
    // Taken off the list since it was planned.
    let mut manual = policy();
    manual.automatic.clear();
    assert_eq!(
        refusals(&block(), &facts(), &manual),
        [Refusal::NotApproved]
    );
    let mut by_person = block();
    by_person.approval = Some(Approval::Person("kim".to_owned()));
    assert!(matches!(
        check(&by_person, &facts(), &manual, NOW),
        Verdict::Go { .. }
    ));
}

#[test]
fn never_act_holds_for_id_name_and_ourselves() {
    // A renamed account is still known by its id.
    for entry in [ACCOUNT, "ada@contoso.test", "ADA@CONTOSO.TEST"] {
        let mut policy = policy();
        policy.never_act.insert(entry.to_owned());
        let refusals = refusals(&block(), &facts(), &policy);
        assert!(
            matches!(refusals[..], [Refusal::NeverAct { .. }]),
            "{entry}: {refusals:?}"
        );
    }
    let mut own = facts();
    own.grant
        .as_mut()
        .unwrap()
        .own_ids
        .push(ACCOUNT.to_uppercase());
    assert!(matches!(
        refusals(&block(), &own, &policy())[..],
        [Refusal::NeverAct { .. }]
    ));
}

#[test]
fn a_privileged_account_needs_a_human_with_a_named_role() {
    let holding = |id: &str, name: &str| {
        let mut facts = facts();
        facts.roles = Some(vec![Role {
            id: id.to_owned(),
            name: name.to_owned(),
        }]);
        refusals(&block(), &facts, &policy())
    };
    for (id, name, expected) in [
        (
            GLOBAL_ADMINISTRATOR,
            "Global Administrator",
            "Privileged Authentication Administrator",
        ),
        (
            "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
            "Directory Readers",
            "User Administrator",
        ),
    ] {
        let expected = Refusal::Privileged {
            roles: name.to_owned(),
            needed: expected.to_owned(),
        };
        assert_eq!(holding(id, name), [expected]);
    }
}

#[test]
fn a_missing_permission_is_named() {
    // The least one, not User.ReadWrite.All.
    let mut facts = facts();
    facts
        .grant
        .as_mut()
        .unwrap()
        .roles
        .retain(|role| !role.starts_with("User.RevokeSessions"));
    let revoke = record(Action::RevokeSessions(RevokeSessions {}));
    let expected = Refusal::PermissionMissing {
        permission: "User.RevokeSessions.All".to_owned(),
    };
    assert_eq!(refusals(&revoke, &facts, &policy()), [expected]);
    facts
        .grant
        .as_mut()
        .unwrap()
        .roles
        .push("User.ReadWrite.All".to_owned());
    assert!(matches!(
        check(&revoke, &facts, &policy(), NOW),
        Verdict::Go { .. }
    ));
}

#[test]
fn more_accounts_than_the_limit_are_refused_and_the_same_account_is_one() {
    let with = |intents: Vec<Intent>| {
        let mut facts = facts();
        facts.intents = Some(intents);
        check(&block(), &facts, &policy(), NOW)
    };
    let others = |count: usize, ago_us: i64| {
        (0..count)
            .map(|n| intent(&format!("a{n}"), ActionKind::BlockSignIn, ago_us))
            .collect::<Vec<_>>()
    };
    assert!(matches!(with(others(4, 1)), Verdict::Go { .. }));
    // It waits until the first of them is an hour ago.
    assert_eq!(
        with(others(5, 1)),
        Verdict::Held {
            refusals: vec![Refusal::TooManyTargets { limit: 5 }],
            until_us: Some(NOW - 1 + TARGETS_WINDOW_US),
        }
    );
    assert!(matches!(
        with(others(5, TARGETS_WINDOW_US)),
        Verdict::Go { .. }
    ));
    let mut own = others(4, 1);
    own.push(intent(ACCOUNT, ActionKind::RevokeSessions, 1));
    assert!(matches!(with(own), Verdict::Go { .. }));
}

#[test]
fn a_person_is_not_bounded_by_the_budget_and_does_not_use_it_up() {
    let others = |is_automatic| {
        let of = |n| Intent {
            is_automatic,
            ..intent(&format!("a{n}"), ActionKind::BlockSignIn, 1)
        };
        let mut facts = facts();
        facts.intents = Some((0..9).map(of).collect());
        facts
    };
    let mut by_person = block();
    by_person.approval = Some(Approval::Person("kim".to_owned()));
    for (record, facts) in [(by_person, others(true)), (block(), others(false))] {
        let verdict = check(&record, &facts, &policy(), NOW);
        assert!(matches!(verdict, Verdict::Go { .. }), "{verdict:?}");
    }
}

#[test]
fn an_approval_counts_for_as_long_as_what_it_was_given_for() {
    let at = |record: &ActionRecord, age_us: i64| {
        let mut facts = facts();
        facts.read_time_us = NOW + age_us;
        check(record, &facts, &policy(), NOW + age_us)
    };
    let mut by_person = block();
    by_person.approval = Some(Approval::Person("kim".to_owned()));
    for (record, limit_h, expected) in [
        (block(), 72, Refusal::EvidenceTooOld { hours: 72 }),
        (by_person, 24, Refusal::ApprovalTooOld { hours: 24 }),
    ] {
        let limit_us = limit_h * HOUR_US;
        assert!(matches!(at(&record, limit_us), Verdict::Go { .. }));
        assert_eq!(at(&record, limit_us + 1), Verdict::Expired(vec![expected]));
        // A clock that was put back does not end anything.
        assert!(matches!(at(&record, -limit_us), Verdict::Go { .. }));
    }
    // A journal of before did not keep when it happened: then it counts from the plan.
    let mut older = block();
    older.evidence_time_us = 0;
    assert!(matches!(at(&older, 73 * HOUR_US), Verdict::Expired(_)));
}

#[test]
fn nothing_is_done_that_nobody_outside_would_see() {
    let mut facts = facts();
    facts.outbox_oldest_us = Some(Some(NOW - 900_000_001));
    let expected = Verdict::Held {
        refusals: vec![Refusal::OutboxOld { minutes: 15 }],
        until_us: None,
    };
    assert_eq!(check(&block(), &facts, &policy(), NOW), expected);
    facts.outbox_oldest_us = Some(Some(NOW - 900_000_000));
    assert!(matches!(
        check(&block(), &facts, &policy(), NOW),
        Verdict::Go { .. }
    ));
}

#[test]
fn what_is_final_counts_more_than_what_passes() {
    let mut facts = facts();
    facts.grant.as_mut().unwrap().roles.clear();
    let verdict = check(&block(), &facts, &policy(), NOW);
    assert!(matches!(verdict, Verdict::Held { .. }), "{verdict:?}");
    let mut policy = policy();
    policy.never_act.insert(ACCOUNT.to_owned());
    let verdict = check(&block(), &facts, &policy, NOW);
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
}

#[test]
fn the_same_action_on_the_same_account_cools_down() {
    let mut facts = facts();
    facts.intents = Some(vec![intent(ACCOUNT, ActionKind::BlockSignIn, 1_000_000)]);
    assert_eq!(
        check(&block(), &facts, &policy(), NOW),
        Verdict::Wait {
            until_us: NOW + 59_000_000
        }
    );
    facts.intents = Some(vec![intent(ACCOUNT, ActionKind::AllowSignIn, 1_000_000)]);
    assert!(matches!(
        check(&block(), &facts, &policy(), NOW),
        Verdict::Go { .. }
    ));
}

#[test]
fn what_an_action_does_not_achieve_goes_with_it() {
    let mut facts = facts();
    facts.user = Some(Some(User {
        is_synced: true,
        is_guest: true,
        ..user()
    }));
    let warnings = |action| match check(&record(action), &facts, &policy(), NOW) {
        Verdict::Go { warnings } => warnings.join("\n"),
        other => panic!("{other:?}"),
    };
    assert!(warnings(Action::BlockSignIn(BlockSignIn {})).contains("cloud only"));
    let revoke = warnings(Action::RevokeSessions(RevokeSessions {}));
    assert!(
        revoke.contains("guest") && revoke.contains("access tokens"),
        "{revoke}"
    );
}

/// Mostly `usual`, so that a single guardrail often stands alone.
fn seldom<T: Clone + std::fmt::Debug + 'static>(
    usual: T,
    others: Vec<T>,
) -> impl Strategy<Value = T> {
    prop_oneof![9 => Just(usual), 1 => proptest::sample::select(others)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever else the facts say, each guardrail by itself keeps the action from going; proptest prints the
    /// seed of a failure.
    #[test]
    fn no_combination_of_facts_passes_a_guardrail(
        dry_run in weighted(0.05), kill_switch in seldom(Some(false), vec![None, Some(true)]),
        approved in weighted(0.95), grant in weighted(0.95), on_list in weighted(0.1), by_name: bool,
        own in weighted(0.05), named in seldom(2_u8, vec![0, 1, 3]), account in seldom(2_u8, vec![0, 1]), roles in seldom(Some(0), vec![None, Some(1), Some(2)]),
        others in proptest::option::weighted(0.9, 0..9_usize), limit in 0..20_u32,
        age_us in seldom(0, vec![-FACTS_AGE_MAX_US - 1, FACTS_AGE_MAX_US, FACTS_AGE_MAX_US + 1]),
    ) {
        let mut policy = policy();
        policy.dry_run = dry_run;
        policy.targets_per_hour_max = limit;
        if on_list {
            policy.never_act.insert(if by_name { "ada@contoso.test".to_owned() } else { ACCOUNT.to_owned() });
        }
        let mut facts = facts();
        facts.kill_switch = kill_switch;
        facts.read_time_us = NOW - age_us;
        if own {
            facts.grant.as_mut().unwrap().own_ids.push(ACCOUNT.to_owned());
        }
        if !grant {
            facts.grant = None;
        }
        facts.user = match account { 0 => None, 1 => Some(None), _ => Some(Some(user())) };
        match named {
            0 => facts.named = None,
            1 => facts.named = Some(Vec::new()),
            2 => {}
            _ => facts.named.as_mut().unwrap()[0].account = None,
        }
        let role = Role { id: GLOBAL_ADMINISTRATOR.to_owned(), name: "Global Administrator".to_owned() };
        facts.roles = roles.map(|count| vec![role; count]);
        facts.intents = others
            .map(|count| (0..count).map(|n| intent(&format!("a{n}"), ActionKind::BlockSignIn, 1)).collect());
        let mut record = block();
        if !approved {
            record.approval = None;
        }
        let may_go = !dry_run && kill_switch == Some(false) && approved && grant && !on_list && !own
            && account == 2 && named == 2 && roles == Some(0) && age_us.abs() <= FACTS_AGE_MAX_US
            && others.is_some_and(|count| count < limit as usize);
        let verdict = check(&record, &facts, &policy, NOW);
        prop_assert_eq!(matches!(verdict, Verdict::Go { .. }), may_go, "{:?}", verdict);
    }
}
