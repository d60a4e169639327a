//! Correspondence on an ordinary day: an application that keeps customers' mail reads it for those who use it.

use rand::Rng;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::ClientApplication;
use crate::world::records::mail_page::MailPage;
use crate::world::records::sign_in::{SignIn, token_id};
use crate::world::service_principals::{CORRESPONDENCE, server_of};

/// Three people in a hundred use it, and every other day somebody of five thousand begins to.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::KeepCorrespondence, RunBy::Staff, 300),
    at_work(Errand::FirstSynchronisation, RunBy::Staff, 1),
];

/// Messages that the application asks for at once.
const PAGE_MESSAGES: u32 = 25;
/// Fewest and most messages: what is new, and what a quarter of a year has left behind.
const NEW_MESSAGES: std::ops::RangeInclusive<u32> = 1..=40;
const QUARTER_MESSAGES: std::ops::RangeInclusive<u32> = 200..=2_000;
/// Fewest and most bytes of a message in an answer, with its text and without its attachments.
const MESSAGE_BYTES: std::ops::RangeInclusive<u64> = 12_000..=90_000;
/// From one page to the next.
const NEXT_PAGE_US: i64 = 6 * SECOND_US;
/// How long before the first page the token is issued.
const TOKEN_AGE_US: i64 = MINUTE_US;

/// The application's server refreshes its token, and reads page by page.
pub(super) fn keep_correspondence(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let name = occasion.name();
    let mut dice = day.scene.chance.stream(&["correspondence", &name]);
    let count = dice.random_range(if occasion.errand == Errand::FirstSynchronisation {
        QUARTER_MESSAGES
    } else {
        NEW_MESSAGES
    });
    if occasion.step > 0 {
        read_correspondence(day, occasion, count, at_us);
        return;
    }
    let pages = if refresh_for_correspondence(day, occasion, at_us) {
        count.div_ceil(PAGE_MESSAGES)
    } else {
        0
    };
    for (step, distance) in (1..=pages).zip(0_i64..) {
        let at_us = at_us + TOKEN_AGE_US + distance * NEXT_PAGE_US;
        day.plans.go_on(occasion, step, at_us);
    }
}

fn refresh_for_correspondence(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) -> bool {
    let (application, _) = CORRESPONDENCE;
    let scene = &mut *day.scene;
    let person = &scene.users[occasion.person];
    let app_id = scene.chance.uuid(&["application", application]);
    let seen = SignIn {
        origin: &server_of(application),
        outcome: person.refresh_outcome(person.session_issued_us),
        interactive: false,
        ..SignIn::usual(
            person,
            ClientApplication::over_graph(&app_id, application),
            at_us,
        )
    };
    let name = ["errand", &occasion.name()];
    scene.recorder.sign_in(&name, &seen);
    seen.outcome.succeeded()
}

fn read_correspondence(day: &mut Workday<'_>, occasion: Occasion, count: u32, at_us: i64) {
    let (application, scopes) = CORRESPONDENCE;
    let scene = &mut *day.scene;
    let name = occasion.step_name();
    let first = (occasion.step - 1) * PAGE_MESSAGES;
    let last = (first + PAGE_MESSAGES).min(count);
    let messages: Vec<String> = (first..last)
        .map(|message| scene.message_id(&["correspondence", &name, &message.to_string()]))
        .collect();
    let mut dice = scene.chance.stream(&["correspondence page", &name]);
    let bytes = messages.iter().map(|_| dice.random_range(MESSAGE_BYTES));
    let token = ["errand", &occasion.name()].join("/");
    let user = &scene.users[occasion.person];
    scene.recorder.mail_page(&MailPage {
        mail_id: &scene.chance.uuid(&["correspondence", "mail", &name]),
        request_id: &scene.chance.uuid(&["correspondence", "request", &name]),
        at_us,
        user,
        origin: &server_of(application),
        app_id: &scene.chance.uuid(&["application", application]),
        scopes,
        token_id: &token_id(scene.chance, &token),
        token_issued_us: at_us - TOKEN_AGE_US - i64::from(occasion.step - 1) * NEXT_PAGE_US,
        session_id: &user.session_id,
        first,
        size: PAGE_MESSAGES,
        messages: &messages,
        answer_bytes: bytes.sum(),
    });
}
