//! Printers on an ordinary day: what is scanned is sent by mail, with a password alone.

use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::places::EXCHANGE;
use crate::world::records::sign_in::Manner;
use crate::world::{Seen, World};

/// One printer for every thousand people, which signs in forty times a day.
pub(super) const RATES: &[Rate] = &[at_work(Errand::SendScan, By::Printers, 400)];

impl World {
    pub(super) fn send_scan(&mut self, occasion: Occasion, at_us: i64) {
        let printer = &self.users[occasion.person];
        let origin = printer.origin.clone();
        let seen = Seen {
            at_us,
            app: EXCHANGE,
            outcome: printer.sign_in_outcome(),
            interactive: true,
            session_id: "",
            manner: Manner::MailSubmission,
            correlation_id: None,
        };
        let name = occasion.step_name();
        self.record_sign_in(occasion.person, &origin, &["errand", &name], &seen);
    }
}
