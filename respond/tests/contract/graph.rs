//! The directory over HTTP: names as they come, refusals, throttling.

use respond::action::{Action, BlockSignIn, RevokeSessions};
use respond::directory::ObjectId;
use respond::executor::Progress;
use respond::record::{HoldReason, State};
use schemas::environment::Clock as _;
use serde_json::json;

use crate::world::World;

const BLOCK: Action = Action::BlockSignIn(BlockSignIn {});

#[tokio::test]
async fn names_are_one_encoded_segment() {
    // None of these may reach another path, and the list of all users is not a user.
    let world = World::simulated().await;
    for name in [
        "o'brien@harbour.example",
        "a/b@harbour.example",
        "x_y.test#EXT#@harbour.example",
        "jürgen@harbour.example",
        "a?b@harbour.example",
        "a%2Fb@harbour.example",
        "",
        ".",
        "..",
        r#"["a@b"]"#,
    ] {
        assert_eq!(world.directory.user(name).await.unwrap(), None, "{name}");
    }
    let found = world.directory.user(&world.account).await.unwrap().unwrap();
    let by_name = world
        .directory
        .user(&found.user_principal_name)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found, by_name);
}

#[tokio::test]
async fn a_rule_id_cannot_lead_elsewhere() {
    let world = World::simulated().await;
    let id = ObjectId::parse(&world.account).unwrap();
    for rule in ["..", ".", "", "../../..", "a/b", "#"] {
        let refused = world
            .directory
            .set_rule_enabled(&id, rule, false, "r")
            .await;
        assert!(refused.is_err(), "{rule}");
    }
    assert!(
        world
            .changes()
            .await
            .iter()
            .all(|call| call.contains("messageRules/"))
    );
}

#[tokio::test]
async fn a_lost_answer_to_a_revocation_is_read_back_rather_than_sent_again() {
    let world = World::simulated().await;
    world
        .script(
            &json!({"path_contains": "revokeSignInSessions", "status": 504, "after_effect": true}),
        )
        .await;
    let record = world
        .perform(&Action::RevokeSessions(RevokeSessions {}))
        .await;
    assert_eq!(record.state, State::Effective, "{}", record.detail);
    assert_eq!(world.changes().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_for_good_needs_a_human_and_is_not_repeated() {
    // Never retry a 403.
    let world = World::simulated().await;
    world
        .script(
            &json!({"path_contains": "/v1.0/users/", "method": "PATCH", "status": 403, "times": 5}),
        )
        .await;
    let record = world.perform(&BLOCK).await;
    assert_eq!(record.state, State::Failed, "{}", record.detail);
    assert_eq!(world.changes().await.len(), 1);
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let world = World::simulated().await;
    world
        .script(&json!({"path_contains": "/v1.0/users/", "status": 429, "retry_after_s": 0, "times": 2}))
        .await;
    assert_eq!(world.perform(&BLOCK).await.state, State::Effective);
}

#[tokio::test]
async fn a_page_of_html_is_no_fact() {
    let world = World::simulated().await;
    world
        .script(&json!({"path_contains": "roleAssignments", "html": true}))
        .await;
    let record = world.request(&BLOCK);
    let ran = world.executor().run(&record.action_id).await.unwrap();
    assert!(matches!(ran, Progress::Later { .. }), "{ran:?}");
    let hold = world.record(&record.action_id).hold.unwrap();
    assert_eq!(hold.reason, HoldReason::FactUnreadable);
    assert!(hold.why.contains("directory roles"), "{}", hold.why);
    assert!(world.changes().await.is_empty());
    // The next page is one of roles.
    let state = world.finish(&world.executor(), &record.action_id).await;
    assert_eq!(state, State::Effective);
}

#[tokio::test]
async fn a_change_is_not_sent_again_before_it_was_read_back() {
    // The tenant carries it out and says that it is busy: the client by itself would send it once more.
    let world = World::simulated().await;
    world
        .script(&json!({
            "path_contains": "/v1.0/users/", "method": "PATCH", "status": 503, "retry_after_s": 0,
            "after_effect": true,
        }))
        .await;
    let record = world.perform(&BLOCK).await;
    assert_eq!(record.state, State::Effective, "{}", record.detail);
    assert_eq!(world.changes().await.len(), 1);
}

#[tokio::test]
async fn roles_through_groups_and_roles_that_can_be_taken_are_roles() {
    // Nothing is sent for whoever may hold a role, however it is held.
    const ROLE: &str = "62e90394-69f5-4237-9190-012177145e10";
    let group = |number: u32, members: &[&str], roles: &[&str]| {
        json!({
            "id": format!("6a00aaaa-0000-4000-8000-{number:012}"), "name": format!("Tier {number}"),
            "is_assignable_to_role": !roles.is_empty(), "members": members, "roles": roles,
        })
    };
    let world = World::simulated().await;
    let account = world.account.as_str();
    let (inner, outer) = (
        group(1, &[account], &[]),
        group(2, &["6a00aaaa-0000-4000-8000-000000000001"], &[ROLE]),
    );
    let eligible = |principal: &str| json!([{"principal_id": principal, "role": ROLE}]);
    // So many groups that their roles are not asked for one by one.
    let mut many: Vec<serde_json::Value> = (10..60)
        .map(|number| group(number, &[account], &[]))
        .collect();
    many.push(group(3, &[account], &[ROLE]));
    for (how, privileges) in [
        (
            "directly through a group",
            json!({"groups": [group(3, &[account], &[ROLE])]}),
        ),
        (
            "through a group in a group",
            json!({"groups": [inner, outer]}),
        ),
        ("through one of many groups", json!({"groups": many})),
        ("it can be taken", json!({"eligible": eligible(account)})),
        (
            "it can be taken by a group",
            json!({
                "groups": [group(3, &[account], &[])], "eligible": eligible("6a00aaaa-0000-4000-8000-000000000003"),
            }),
        ),
    ] {
        world.set_privileges(&privileges).await;
        let record = world.perform(&BLOCK).await;
        assert_eq!(record.state, State::Refused, "{how}: {}", record.detail);
        let refusals = record.detail["refusals"].to_string();
        assert!(
            refusals.contains("Global Administrator"),
            "{how}: {refusals}"
        );
    }
    assert!(world.changes().await.is_empty());
    // Groups without roles, and a tenant without a licence for roles that can be taken, are no reason.
    let ordinary = json!({"groups": [group(4, &[account], &[])], "is_unlicensed": true});
    world.set_privileges(&ordinary).await;
    assert_eq!(world.perform(&BLOCK).await.state, State::Effective);
}

#[tokio::test]
async fn groups_or_eligibilities_that_cannot_be_read_are_a_missing_fact() {
    for path in ["transitiveMemberOf", "roleEligibilityScheduleInstances"] {
        let world = World::simulated().await;
        world
            .script(&json!({"path_contains": path, "status": 403, "times": 9}))
            .await;
        let record = world.request(&BLOCK);
        let ran = world.executor().run(&record.action_id).await.unwrap();
        assert_ne!(ran, Progress::Ended(State::Effective), "{path}");
        assert!(world.changes().await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn after_the_kill_switch_is_set_nothing_more_arrives() {
    // The tenant is busy, and the change would be sent again.
    let world = World::simulated().await;
    world
        .script(&json!({"path_contains": "/v1.0/users/", "method": "PATCH", "status": 503, "retry_after_s": 1, "times": 9}))
        .await;
    let record = world.request(&BLOCK);
    let executor = world.executor();
    for _ in 0..9 {
        let progress = executor.run(&record.action_id).await.unwrap();
        let Progress::Later { at_us } = progress else {
            panic!("{progress:?}")
        };
        std::fs::write(&world.gates.kill_switch, "").unwrap();
        world.pass(at_us - world.clock.now_us());
    }
    assert_eq!(world.changes().await.len(), 1);
    let waits = world.record(&record.action_id);
    assert_eq!(waits.state, State::Intended);
    assert_eq!(waits.hold.unwrap().reason, HoldReason::KillSwitch);
}
