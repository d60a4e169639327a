//! Conversations on an ordinary day that reach outside: one person at a time.

use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::World;
use crate::world::outbox::ContentType;
use crate::world::records::files;

/// One person in fifty begins a chat with somebody outside on a day.
pub(super) const RATES: &[Rate] = &[at_work(Errand::ChatOutside, By::Staff, 200)];

impl World {
    pub(super) fn chat_outside(&mut self, occasion: Occasion, at_us: i64) {
        let name = occasion.name();
        let id = self.chance.uuid(&["outside chat", &name]);
        let thread_id = format!("19:{}@unq.gbl.spaces", self.chance.hex(&["thread", &name]));
        let user = &self.users[occasion.person];
        let record = files::outside_chat(&self.tenant, &id, at_us, user, &thread_id);
        self.outbox
            .send_to_activity(ContentType::General, &id, &record, at_us);
    }
}
