//! Which objects are not what they were when they were last published. Pure.

use std::collections::HashMap;

use schemas::{ids, wire};

use crate::cursor::State;
use crate::normalise::directory::object_id;

/// What is new.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) events: Vec<wire::Event>,
    /// The states that the events tell, to be remembered once they are published.
    pub(super) states: HashMap<String, State>,
}

/// Events with the objects that they are about.
pub(super) fn by_object(events: Vec<wire::Event>) -> Vec<(String, wire::Event)> {
    let about = |event: &wire::Event| {
        serde_json::from_slice(&event.raw)
            .ok()
            .as_ref()
            .and_then(object_id)
    };
    events
        .into_iter()
        // The normaliser lets no object without id pass; one would stand for itself.
        .map(|event| {
            (
                about(&event).unwrap_or_else(|| event.event_id.clone()),
                event,
            )
        })
        .collect()
}

/// Leaves out the objects that are as they were; `known` is their newest states.
///
/// An object that returns to a former state is a new event again: whoever takes the newest state by ingest time
/// would otherwise see the one between for ever.
pub(super) fn changed(
    events: Vec<(String, wire::Event)>,
    mut known: HashMap<String, State>,
) -> Changed {
    let mut changed = Changed::default();
    for (object, event) in events {
        let number = match known.get(&object) {
            Some(state) if state.hash == event.event_id => continue,
            Some(state) => state.number.saturating_add(1),
            None => 0,
        };
        let state = State {
            hash: event.event_id.clone(),
            number,
        };
        changed.events.push(wire::Event {
            event_id: event_id(&state),
            // The place on a page says nothing later on.
            position: format!("{}/{object}", event.category),
            ..event
        });
        known.insert(object.clone(), state.clone());
        changed.states.insert(object, state);
    }
    changed
}

/// The id of the event that tells a state: the first has the id that an import of the same object would give.
fn event_id(state: &State) -> String {
    if state.number == 0 {
        return state.hash.clone();
    }
    ids::hex(&[
        b"directory state",
        state.hash.as_bytes(),
        &state.number.to_le_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::{by_object, changed};
    use schemas::wire::Event;

    fn event(object: &str, hash: &str) -> Event {
        Event {
            event_id: hash.to_owned(),
            category: "users".to_owned(),
            raw: format!(r#"{{"id":"{object}"}}"#).into(),
            ..Event::default()
        }
    }

    #[test]
    fn an_object_that_goes_to_and_fro_is_told_each_time_and_never_twice() {
        let mut known = HashMap::new();
        let mut ids = Vec::new();
        for hash in ["on", "on", "off", "off", "on", "off"] {
            let new = changed(by_object(vec![event("ada", hash)]), known.clone());
            ids.push(new.events.first().map(|event| event.event_id.clone()));
            known.extend(new.states);
        }
        let told: Vec<&String> = ids.iter().flatten().collect();
        assert_eq!(ids.iter().filter(|id| id.is_none()).count(), 2);
        assert_eq!(told[0], "on");
        assert_eq!(told.iter().collect::<HashSet<_>>().len(), 4, "{told:?}");
        assert_eq!(known["ada"].number, 3);
    }

    #[test]
    fn an_object_that_stands_twice_on_a_page_is_what_it_was_last() {
        let events = vec![
            event("ada", "on"),
            event("ben", "on"),
            event("ada", "on"),
            event("ada", "off"),
        ];
        let new = changed(by_object(events), HashMap::new());
        let positions: Vec<&str> = new
            .events
            .iter()
            .map(|event| event.position.as_str())
            .collect();
        assert_eq!(positions, ["users/ada", "users/ben", "users/ada"]);
        assert_eq!(new.states["ada"].hash, "off");
    }
}
