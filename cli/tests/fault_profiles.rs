//! The profiles of `make faults` can be read, what fails is reduced, and the replay finds what it should; without running any of them.
#![expect(clippy::unwrap_used, reason = "a test harness: it fails loudly")]

#[expect(dead_code, reason = "what only runs need")]
#[path = "faults/profile.rs"]
mod profile;
#[expect(dead_code, reason = "what only runs need")]
#[path = "faults/replay.rs"]
mod replay;

use profile::{Profile, reduce};
use replay::Findings;
use serde_json::json;

#[test]
fn every_profile_can_be_read() {
    let profiles = Profile::all();
    assert!(!profiles.is_empty());
    for profile in profiles {
        assert!(profile.about.ends_with('.'), "{}", profile.name);
        let plan = profile.plan(1);
        assert_eq!(plan, profile.plan(1), "{}: the seed decides", profile.name);
        assert_ne!(plan, profile.plan(2), "{}: so does another", profile.name);
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let with = |log: &str, fault: &str| {
        let text = format!(
            "about = \"A.\"\nlog = \"{log}\"\nruns = [\"live\"]\npause_ms = [1, 2]\n[[faults]]\ntimes = 1\nfault = {fault}"
        );
        Profile::parse(&text)
    };
    assert!(with("embedded", r#"{ kind = "kill", process = "run" }"#).is_ok());
    assert!(with("embedded", r#"{ kind = "kill", process = "lake" }"#).is_err());
    assert!(with("embedded", r#"{ kind = "kill_broker" }"#).is_err());
    assert!(with("kafka", r#"{ kind = "kill", process = "lake", often = 3 }"#).is_err());
    assert!(with("kafka", r#"{ kind = "bite" }"#).is_err());
}

#[test]
fn a_failing_plan_is_reduced_to_what_it_needs() {
    let all: Vec<usize> = (0..16).collect();
    let needs =
        |wanted: &'static [usize]| move |kept: &[usize]| wanted.iter().all(|at| kept.contains(at));
    assert_eq!(reduce(&all, 100, needs(&[5])), [5]);
    assert_eq!(reduce(&all, 100, needs(&[2, 13])), [2, 13]);
    assert!(reduce(&all, 4, needs(&[2, 13])).len() < 16);
    assert_eq!(reduce(&[7], 100, needs(&[7])), [7]);
}

fn action(id: &str, state: &str, detail: &serde_json::Value) -> serde_json::Value {
    json!({"action_id": id, "action": "block_sign_in", "target": "ada", "state": state, "detail": detail})
}

fn call(at_us: i64) -> serde_json::Value {
    json!({"method": "PATCH", "path": "/v1.0/users/ada", "body": "{\"accountEnabled\":false}",
        "effective": true, "wall_us": at_us})
}

fn intent(at: &str) -> serde_json::Value {
    json!({"action_id": "1", "action_state": "intended", "event_time": at})
}

fn findings(
    actions: &[serde_json::Value],
    calls: &[serde_json::Value],
    entries: &[serde_json::Value],
) -> Vec<String> {
    let mut findings = Findings::default();
    replay::response(actions, calls, entries, true, &mut findings);
    findings.0
}

#[test]
fn a_run_in_which_all_was_done_once_has_no_findings() {
    let effective = action(
        "1",
        "effective",
        &json!({"after": {"accountEnabled": false}}),
    );
    let merged = action("2", "refused", &json!({"superseded_by": "1"}));
    let entries = [intent("1970-01-01T00:00:01Z")];
    assert_eq!(
        findings(&[effective, merged], &[call(2_000_000)], &entries),
        Vec::<String>::new()
    );
}

#[test]
fn an_action_that_was_given_up_is_a_finding_although_another_one_is_effective() {
    let effective = action("1", "effective", &json!({"after": {}}));
    let entries = [intent("1970-01-01T00:00:01Z")];
    for (state, detail) in [
        ("refused", json!({"why": "the kill switch is set"})),
        ("refused", json!({"superseded_by": "3"})),
        ("failed", json!({})),
        ("approved", json!({})),
    ] {
        let given_up = action("2", state, &detail);
        let found = findings(&[effective.clone(), given_up], &[call(2_000_000)], &entries);
        assert_eq!(found.len(), 1, "{state}: {found:?}");
    }
}

#[test]
fn a_call_without_intent_before_it_or_made_twice_is_a_finding() {
    let effective = [action("1", "effective", &json!({"after": {}}))];
    let before = [intent("1970-01-01T00:00:01Z")];
    let late = [intent("1970-01-01T00:00:03Z")];
    assert_eq!(findings(&effective, &[call(2_000_000)], &late).len(), 1);
    assert_eq!(findings(&effective, &[call(2_000_000)], &[]).len(), 1);
    assert_eq!(
        findings(&effective, &[call(2_000_000), call(3_000_000)], &before).len(),
        1
    );
    let unread = [action("1", "effective", &json!({}))];
    assert_eq!(findings(&unread, &[call(2_000_000)], &before).len(), 1);
}

#[test]
fn a_position_that_goes_back_or_a_file_that_comes_twice_is_a_finding() {
    let entry = |to: i64, file: &str| {
        vec![
            json!({"txn": {"appId": "events.signins/0", "version": to}}),
            json!({"add": {"path": file}}),
        ]
    };
    let found = |commits: &[Vec<serde_json::Value>]| {
        let mut findings = Findings::default();
        replay::table("signins", commits, &mut findings);
        findings.0.len()
    };
    assert_eq!(found(&[entry(3, "a"), entry(5, "b")]), 0);
    assert_eq!(found(&[entry(5, "a"), entry(3, "b")]), 1);
    assert_eq!(found(&[entry(3, "a"), entry(5, "a")]), 1);
    let removed = vec![json!({"remove": {"path": "a"}})];
    assert_eq!(found(&[entry(3, "a"), removed.clone()]), 0);
    assert_eq!(found(&[entry(3, "b"), removed]), 1);
}
