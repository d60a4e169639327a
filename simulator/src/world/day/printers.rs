//! Printers on an ordinary day: what is scanned is sent by mail, with a password alone.

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::places::EXCHANGE;
use crate::world::records::sign_in::{SignIn, SignInManner};

/// One printer for every thousand people, which signs in forty times a day.
pub(super) const RATES: &[ErrandRate] = &[at_work(Errand::SendScan, RunBy::Printers, 400)];

pub(super) fn send_scan(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let seen = SignIn {
        session_id: "",
        manner: SignInManner::MailSubmission,
        ..SignIn::usual(&scene.users[occasion.person], EXCHANGE, at_us)
    };
    let name = ["errand", &occasion.step_name()];
    scene.recorder.sign_in(&name, &seen);
}
