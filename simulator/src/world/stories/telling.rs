//! What has become of the stories, as JSON: for the control plane and for exports.

use serde_json::{Map, Value, json};

use super::performance::{Happened, Performance};
use crate::world::moment;
use crate::world::scene::Scene;

/// Steps or attempts in the order of time; `further` adds members that depend on the simulated time.
pub(crate) fn happened(
    all: &[Happened],
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

/// One of the stories, with its attempts if something is tried again and again in it.
pub(crate) fn performance(
    scene: &Scene,
    performance: &Performance,
    further: impl Fn(i64) -> (&'static str, Value),
) -> Value {
    let cast = &performance.cast;
    let victim = cast.victim(scene);
    let elsewhere: Vec<&str> = cast.elsewhere.iter().map(|one| one.ip.as_str()).collect();
    let mut told = json!({
        "story": cast.name,
        "victim": {
            "id": victim.id,
            "user_principal_name": victim.principal_name,
            "display_name": victim.display_name,
            "enabled": victim.enabled,
        },
        "attacker": {"acting_ip": cast.acting.ip, "other_ips": elsewhere},
        "begins_us": cast.begins_us,
        "steps": happened(&performance.steps, &further),
    });
    if let Some(attempts) = &performance.attempts {
        told["attempts"] = json!(happened(attempts, &further));
    }
    told
}

/// A simulated time for people.
pub(crate) fn time(at_us: i64) -> (&'static str, Value) {
    ("time", json!(moment::milliseconds(at_us)))
}
