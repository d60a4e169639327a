//! The world is a function of seed, time and responses, and its state decides what the attacker achieves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::moment::{HOUR_US, MINUTE_US};
use super::outbox::{Feed, Publication};
use super::responses::{ActingApplication, revoke_sessions, set_enabled, set_rule_enabled};
use super::stories::performance::{Happened, Performance};
use super::stories::story::{Ending, Holdings};
use super::{World, span_us};
use crate::config::SimulatorConfig;

const ACTOR: ActingApplication<'static> = ActingApplication {
    name: "responder",
    app_id: "app",
    principal_id: "principal",
};

/// Simulated time at which the tests respond: the story has run its steps, the attempts go on.
const RESPONSE_US: i64 = 4 * HOUR_US;

fn world(seed: u64) -> World {
    let config = SimulatorConfig {
        seed,
        ..SimulatorConfig::default()
    };
    World::new(&config, 0)
}

/// Everything that is published, time passing in so many steps.
fn published(world: &mut World, steps: i64) -> Vec<Publication> {
    let span = span_us(&SimulatorConfig::default());
    let mut out = Vec::new();
    for step in 1..=steps {
        world.advance(span * step / steps, &mut out);
    }
    out
}

/// Feed, id and content of every delivery, without the time of emission.
fn deliveries(published: &[Publication]) -> Vec<(Feed, String, Value)> {
    let mut all = Vec::new();
    for one in published {
        match one {
            Publication::Message(message) => {
                let body: Value = serde_json::from_str(&message.body).unwrap();
                let records = body["records"].as_array().unwrap();
                assert_eq!(records.len(), message.ids.len());
                for (record, (feed, id)) in records.iter().zip(&message.ids) {
                    assert_eq!(record["properties"]["id"].as_str(), Some(id.as_str()));
                    let mut record = record.clone();
                    record.as_object_mut().unwrap().remove("time");
                    all.push((*feed, id.clone(), record));
                }
            }
            Publication::Blob(blob) => {
                let records: Vec<Value> = serde_json::from_str(&blob.body).unwrap();
                assert_eq!(records.len(), blob.ids.len());
                for (record, id) in records.into_iter().zip(&blob.ids) {
                    assert_eq!(record["Id"].as_str(), Some(id.as_str()));
                    all.push((Feed::M365Activity, id.clone(), record));
                }
            }
            Publication::Alert(alert) => {
                let id = format!("{}:{}", alert["id"], alert["lastUpdateDateTime"]);
                all.push((Feed::GraphAlerts, id, alert.clone()));
            }
        }
    }
    all
}

/// The story of the configuration, with what the attacker holds.
fn story(world: &World) -> (&Performance, Holdings) {
    let (mut first, _) = world.performances_by_holdings();
    first.remove(0)
}

fn all_attempts(world: &World) -> &[Happened] {
    story(world).0.attempts.as_deref().unwrap()
}

fn attempts(world: &World, what: &str, from_us: i64) -> Vec<Happened> {
    let all = all_attempts(world).iter();
    all.filter(|one| one.what == what && one.at_us > from_us)
        .cloned()
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_world_however_time_passes() {
    let once = deliveries(&published(&mut world(5), 1));
    let often = deliveries(&published(&mut world(5), 1_237));
    assert_eq!(once, often);
    assert!(once.len() > 2_000, "{}", once.len());
    assert_ne!(once, deliveries(&published(&mut world(6), 1)));
}

#[test]
fn an_id_stands_for_one_content_and_some_are_delivered_twice() {
    let all = deliveries(&published(&mut world(1), 1));
    let mut known: BTreeMap<(Feed, &str), &Value> = BTreeMap::new();
    let mut again: BTreeSet<Feed> = BTreeSet::new();
    for (feed, id, content) in &all {
        if let Some(before) = known.insert((*feed, id), content) {
            assert_eq!(before, content, "{feed:?} {id}");
            again.insert(*feed);
        }
    }
    assert!(again.contains(&Feed::Signins) && again.contains(&Feed::M365Activity));
    for feed in [Feed::DirectoryAudits, Feed::RiskEvents, Feed::GraphAlerts] {
        assert!(known.keys().any(|(known, _)| *known == feed), "{feed:?}");
    }
}

#[test]
fn records_are_late_and_out_of_order() {
    let out = published(&mut world(1), 1);
    let mut last: BTreeMap<usize, String> = BTreeMap::new();
    let mut backwards = 0;
    for one in &out {
        let Publication::Message(message) = one else {
            continue;
        };
        let body: Value = serde_json::from_str(&message.body).unwrap();
        for record in body["records"].as_array().unwrap() {
            if let Some(created) = record["properties"]["createdDateTime"].as_str() {
                let emitted = schemas::time::parse_us(record["time"].as_str().unwrap()).unwrap();
                assert!(emitted > schemas::time::parse_us(created).unwrap());
                let before = last.insert(message.partition, created.to_owned());
                backwards += usize::from(before.is_some_and(|before| before.as_str() > created));
            }
        }
    }
    assert!(backwards > 100, "{backwards}");
}

#[test]
fn nothing_is_left_at_the_horizon() {
    let mut world = world(1);
    published(&mut world, 7);
    assert!(world.is_complete());
}

#[test]
fn without_a_response_every_step_and_attempt_succeeds() {
    let mut world = world(1);
    published(&mut world, 1);
    let (story, holdings) = story(&world);
    let attempts = all_attempts(&world);
    let mut all = story.steps.iter().chain(attempts);
    assert!(all.all(|one| one.ending == Ending::Succeeded));
    assert!(attempts.len() > 100);
    assert!(holdings.mail_forwarded > 50, "{}", holdings.mail_forwarded);
    let steps: BTreeSet<&str> = story.steps.iter().map(|step| step.what).collect();
    assert_eq!(steps.len(), 12);
}

/// The world after a response in the middle, and the victim's index.
fn answered(respond: impl FnOnce(&mut World, usize)) -> (World, Vec<Publication>) {
    let mut world = world(1);
    let mut out = Vec::new();
    world.advance(RESPONSE_US, &mut out);
    let victim = story(&world).0.cast.victim;
    respond(&mut world, victim);
    world.advance(span_us(&SimulatorConfig::default()), &mut out);
    (world, out)
}

#[test]
fn a_block_makes_the_attackers_sign_ins_fail_with_50057() {
    let (world, _) = answered(|world, victim| set_enabled(&mut world.scene, victim, false, ACTOR));
    for attempt in ["sign_in", "refresh"] {
        let later = attempts(&world, attempt, RESPONSE_US);
        assert!(later.len() > 10);
        assert!(
            later.iter().all(|one| one.error_code == 50_057),
            "{later:?}"
        );
    }
}

#[test]
fn a_revocation_makes_the_refresh_of_the_stolen_session_fail_with_50173() {
    let (world, _) = answered(|world, victim| revoke_sessions(&mut world.scene, victim, ACTOR));
    let refreshes = attempts(&world, "refresh", RESPONSE_US);
    assert!(refreshes.iter().all(|one| one.error_code == 50_173));
    // A revocation alone does not keep out somebody with password and factor.
    let sign_ins = attempts(&world, "sign_in", RESPONSE_US);
    assert!(sign_ins.iter().all(|one| one.error_code == 0));
}

#[test]
fn a_rule_that_is_turned_off_stops_forwarding_at_once() {
    let (world, _) = answered(|world, victim| {
        for rule in 0..world.scene.users[victim].inbox_rules.len() {
            set_rule_enabled(&mut world.scene, victim, rule, false, ACTOR);
        }
    });
    let (_, holdings) = story(&world);
    assert!(holdings.last_forwarded_us.unwrap() <= RESPONSE_US);
    assert!(holdings.mail_arrived > holdings.mail_forwarded);
}

#[test]
fn all_three_responses_leave_the_attacker_nothing() {
    let (world, _) = answered(|world, victim| {
        set_enabled(&mut world.scene, victim, false, ACTOR);
        revoke_sessions(&mut world.scene, victim, ACTOR);
        set_rule_enabled(&mut world.scene, victim, 0, false, ACTOR);
        set_rule_enabled(&mut world.scene, victim, 1, false, ACTOR);
    });
    let mut later = all_attempts(&world)
        .iter()
        .filter(|one| one.at_us > RESPONSE_US);
    assert!(later.all(|one| one.ending == Ending::Failed));
    assert!(!story(&world).1.has_access);
}

#[test]
fn a_response_changes_only_what_depends_on_it() {
    let undisturbed = deliveries(&published(&mut world(1), 1));
    let (world, out) =
        answered(|world, victim| set_enabled(&mut world.scene, victim, false, ACTOR));
    let answered = deliveries(&out);
    let victim = story(&world).0.cast.victim(&world.scene);
    let of_others = |all: &[(Feed, String, Value)]| -> BTreeSet<(Feed, String)> {
        all.iter()
            .filter(|(_, _, content)| {
                let text = content.to_string();
                !text.contains(&victim.id) && !text.contains(&victim.principal_name)
            })
            .map(|(feed, id, _)| (*feed, id.clone()))
            .collect()
    };
    assert_eq!(of_others(&undisturbed), of_others(&answered));
    assert_ne!(undisturbed, answered);
}

#[test]
fn an_early_block_prevents_the_steps_that_follow() {
    let mut world = world(1);
    let mut out = Vec::new();
    let begins_us = story(&world).0.cast.begins_us;
    world.advance(begins_us + 5 * MINUTE_US, &mut out);
    let victim = story(&world).0.cast.victim;
    set_enabled(&mut world.scene, victim, false, ACTOR);
    published(&mut world, 1);
    let (story, holdings) = story(&world);
    let ended = |what: &str| story.steps.iter().find(|step| step.what == what).unwrap();
    assert_eq!(ended("phished_sign_in").ending, Ending::Succeeded);
    assert_eq!(ended("forwarding_rule").ending, Ending::Failed);
    assert_eq!(ended("consent").record_ids, Vec::<String>::new());
    assert_eq!(holdings.mail_forwarded, 0);
    // Microsoft's alert comes all the same.
    assert_eq!(ended("alert_raised").ending, Ending::Succeeded);
}

/// A hash of everything that is published of seed 1: bodies, places and times, in order.
fn fingerprint(config: &SimulatorConfig) -> String {
    let mut world = World::new(config, 0);
    let mut parts: Vec<String> = Vec::new();
    for one in published(&mut world, 1) {
        parts.push(match one {
            Publication::Message(one) => format!("{} {} {}", one.partition, one.at_us, one.body),
            Publication::Blob(one) => format!("{} {} {}", one.content_id, one.created_us, one.body),
            Publication::Alert(alert) => alert.to_string(),
        });
    }
    schemas::ids::hex(&parts.iter().map(String::as_bytes).collect::<Vec<_>>())
}

/// The demonstration and the fault tests rely on these very records.
#[test]
fn the_ordinary_day_and_the_first_story_of_seed_1_are_what_they_have_always_been() {
    let ordinary = SimulatorConfig {
        stories: Vec::new(),
        ..SimulatorConfig::default()
    };
    let pinned = [
        (
            SimulatorConfig::default(),
            "2a9352633da2dc9501dd60f5043b4dd5",
        ),
        (ordinary, "8336d8539547a7f35bf9d214b0c6acc2"),
    ];
    for (config, expected) in pinned {
        assert_eq!(fingerprint(&config), expected);
    }
}
