//! Correspondence on an ordinary day: an application that keeps customers' mail reads it for those who use it.

use rand::Rng;

use super::applications::{CORRESPONDENCE, server_of};
use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{App, GRAPH_RESOURCE};
use crate::world::records::mail_page::MailPage;
use crate::world::records::sign_in::Manner;
use crate::world::{Seen, World, record_mail_page, token_id};

/// Three people in a hundred use it, and every other day somebody of five thousand begins to.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::KeepCorrespondence, By::Staff, 300),
    at_work(Errand::FirstSynchronisation, By::Staff, 1),
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

impl World {
    /// The application's server refreshes its token, and reads page by page.
    pub(super) fn keep_correspondence(&mut self, occasion: Occasion, at_us: i64) {
        let name = occasion.name();
        let mut dice = self.chance.stream(&["correspondence", &name]);
        let count = dice.random_range(if occasion.errand == Errand::FirstSynchronisation {
            QUARTER_MESSAGES
        } else {
            NEW_MESSAGES
        });
        if occasion.step > 0 {
            self.read_correspondence(occasion, count, at_us);
            return;
        }
        let outcome = self.refresh_for_correspondence(occasion, at_us);
        let pages = if outcome {
            count.div_ceil(PAGE_MESSAGES)
        } else {
            0
        };
        for (step, distance) in (1..=pages).zip(0_i64..) {
            self.go_on(
                occasion,
                step,
                at_us + TOKEN_AGE_US + distance * NEXT_PAGE_US,
            );
        }
    }

    fn refresh_for_correspondence(&mut self, occasion: Occasion, at_us: i64) -> bool {
        let (application, _) = CORRESPONDENCE;
        let person = &self.users[occasion.person];
        let outcome = person.refresh_outcome(person.session_issued_us);
        let session_id = person.session_id.clone();
        let seen = Seen {
            at_us,
            app: App {
                id: &self.chance.uuid(&["application", application]),
                name: application,
                resource_id: GRAPH_RESOURCE,
                resource: "Microsoft Graph",
            },
            outcome,
            interactive: false,
            session_id: &session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        let name = ["errand", &occasion.name()];
        self.record_sign_in(occasion.person, &server_of(application), &name, &seen);
        outcome.succeeded()
    }

    fn read_correspondence(&mut self, occasion: Occasion, count: u32, at_us: i64) {
        let (application, scopes) = CORRESPONDENCE;
        let name = occasion.step_name();
        let first = (occasion.step - 1) * PAGE_MESSAGES;
        let last = (first + PAGE_MESSAGES).min(count);
        let messages: Vec<String> = (first..last)
            .map(|message| {
                let name = ["correspondence", &name, &message.to_string()];
                format!("<{}@{}>", self.chance.hex(&name), self.tenant.domain)
            })
            .collect();
        let mut dice = self.chance.stream(&["correspondence page", &name]);
        let bytes = messages.iter().map(|_| dice.random_range(MESSAGE_BYTES));
        let token = ["errand", &occasion.name()].join("/");
        let user = &self.users[occasion.person];
        let page = MailPage {
            mail_id: &self.chance.uuid(&["correspondence", "mail", &name]),
            request_id: &self.chance.uuid(&["correspondence", "request", &name]),
            at_us,
            user,
            origin: &server_of(application),
            app_id: &self.chance.uuid(&["application", application]),
            scopes,
            token_id: &token_id(self.chance, &token),
            token_issued_us: at_us - TOKEN_AGE_US - i64::from(occasion.step - 1) * NEXT_PAGE_US,
            session_id: &user.session_id,
            first,
            size: PAGE_MESSAGES,
            messages: &messages,
            answer_bytes: bytes.sum(),
        };
        record_mail_page(&mut self.outbox, &self.tenant, &page);
    }
}
