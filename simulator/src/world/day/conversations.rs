//! Conversations on an ordinary day that reach outside: one person at a time.

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;

/// One person in fifty begins a chat with somebody outside on a day.
pub(super) const RATES: &[ErrandRate] = &[at_work(Errand::ChatOutside, RunBy::Staff, 200)];

pub(super) fn chat_outside(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let name = occasion.name();
    let id = scene.chance.uuid(&["outside chat", &name]);
    let thread_id = format!("19:{}@unq.gbl.spaces", scene.chance.hex(&["thread", &name]));
    let user = &scene.users[occasion.person];
    scene
        .recorder
        .conversation(&id, at_us, user, Some(&thread_id));
}
