//! What has become of the stories, as JSON: for the control plane and for exports.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::world::World;
use crate::world::attack::Happened;
use crate::world::episodes::Episode;
use crate::world::moment;

/// Steps or attempts in the order of time; `further` adds members that depend on the simulated time.
pub(crate) fn happened<T: Serialize>(
    all: &[Happened<T>],
    further: impl Fn(i64) -> (&'static str, Value),
) -> Vec<Value> {
    all.iter()
        .map(|one| {
            let mut members = Map::new();
            let mut tell = |name: &str, value| members.insert(name.to_owned(), value);
            tell("what", json!(one.what));
            tell("simulated_us", json!(one.at_us));
            let (name, value) = further(one.at_us);
            tell(name, value);
            tell("ending", json!(one.ending));
            tell("error_code", json!(one.error_code));
            tell("record_ids", json!(one.record_ids));
            Value::Object(members)
        })
        .collect()
}

/// The person to whom a story happens.
pub(crate) fn victim(world: &World, index: usize) -> Value {
    let user = &world.users[index];
    json!({
        "id": user.id,
        "user_principal_name": user.principal_name,
        "display_name": user.display_name,
        "enabled": user.enabled,
    })
}

/// One of the stories beside the first.
pub(crate) fn episode(
    world: &World,
    episode: &Episode,
    further: impl Fn(i64) -> (&'static str, Value),
) -> Value {
    let elsewhere: Vec<&str> = episode
        .elsewhere
        .iter()
        .map(|one| one.ip.as_str())
        .collect();
    json!({
        "story": episode.name,
        "victim": victim(world, episode.victim),
        "attacker": {"acting_ip": episode.acting.ip, "other_ips": elsewhere},
        "begins_us": episode.begins_us,
        "steps": happened(&episode.steps, further),
    })
}

/// A simulated time for people.
pub(crate) fn time(at_us: i64) -> (&'static str, Value) {
    ("time", json!(moment::milliseconds(at_us)))
}
