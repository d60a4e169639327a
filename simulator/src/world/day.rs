//! The ordinary day: sign-ins, mail, files, conversations and some admin work.
//!
//! Everybody has habits; what happens now and then in a company of hundreds is an errand.
//!
//! | file | errands |
//! |---|---|
//! | [`accounts`] | accounts, groups, licenses and policies |
//! | [`applications`] | the tenant's applications, consents, owners and secrets |
//! | [`conversations`] | chats with people outside |
//! | [`correspondence`] | mail that an application keeps |
//! | [`help_desk`] | passwords reset, and new telephones |
//! | [`libraries`] | many files at once |
//! | [`mailboxes`] | inbox rules, forwards and delegates |
//! | [`printers`] | scans sent by mail |
//! | [`roles`] | roles taken for some hours |
//! | [`sharing`] | links and guests |
//! | [`sign_ins`] | phones, the company's address, prompts declined and device codes |
//! | [`travel`] | journeys |

mod accounts;
pub(crate) mod applications;
pub(crate) mod company;
mod conversations;
mod correspondence;
pub(crate) mod errands;
mod help_desk;
mod libraries;
mod mailboxes;
mod printers;
pub(crate) mod roles;
mod sharing;
mod sign_ins;
mod travel;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::moment::{HOUR_US, MINUTE_US, SECOND_US};
use super::outbox::ContentType;
use super::places::{APPS, OUTLOOK_WEB};
use super::records::files::{self, FileOperation};
use super::records::mail::{self, Mailbox};
use super::records::sign_in::{Manner, Outcome};
use super::users::{Kind, User};
use super::{Happening, Seen, World};
use crate::config::SimulatorConfig;
use mailboxes::newsletter_rule;

/// Something that a person does on an ordinary day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    SignIn,
    MistypePassword,
    RefreshToken,
    ReadMail,
    SendMail,
    OpenFile,
    EditFile,
    DownloadFile,
    Talk,
    SortNewsletters,
    AdministerUsers,
}

/// How often each habit shows, of a hundred.
const HABITS: &[(Habit, u32)] = &[
    (Habit::SignIn, 9),
    (Habit::MistypePassword, 1),
    (Habit::RefreshToken, 32),
    (Habit::ReadMail, 20),
    (Habit::SendMail, 7),
    (Habit::OpenFile, 14),
    (Habit::EditFile, 6),
    (Habit::DownloadFile, 3),
    (Habit::Talk, 8),
];

/// Actions of the administrator in an hour.
const ADMIN_ACTIONS_PER_HOUR: i64 = 4;
/// Every so many people, one makes a harmless inbox rule.
const NEWSLETTER_READER_EVERY: usize = 9;
/// How often each application signs in.
const APPLICATION_EVERY_US: i64 = 10 * MINUTE_US;

const FILES: &[&str] = &[
    "Quarterly forecast.xlsx",
    "Berth plan.docx",
    "Crane maintenance.pdf",
    "Supplier list.xlsx",
    "Minutes.docx",
    "Customs checklist.pdf",
    "Tariffs.xlsx",
    "Onboarding.pptx",
];

impl User {
    /// How a sign-in with the right password and second factor ends.
    pub(crate) fn sign_in_outcome(&self) -> Outcome {
        if self.enabled {
            Outcome::Success
        } else {
            Outcome::Disabled
        }
    }

    /// How the use of a refresh token of that time ends: revocation is looked at first.
    pub(crate) fn refresh_outcome(&self, issued_us: i64) -> Outcome {
        if issued_us < self.sessions_valid_from_us {
            Outcome::Revoked
        } else {
            self.sign_in_outcome()
        }
    }
}

impl World {
    pub(super) fn plan_day(&mut self, config: &SimulatorConfig, start_us: i64, end_us: i64) {
        for user in 0..self.users.len() {
            self.plan_person(user, config.ordinary_events_per_hour, start_us, end_us);
        }
        self.plan_errands(config, start_us, end_us);
        for principal in 0..self.principals.len() {
            let offset_us = i64::try_from(principal).unwrap_or_default() * MINUTE_US;
            for (serial, round) in (0_u32..).zip(0..(end_us - start_us) / APPLICATION_EVERY_US) {
                let at_us = start_us + offset_us + round * APPLICATION_EVERY_US;
                self.plan(at_us, Happening::Application { principal, serial });
            }
        }
    }

    fn plan_person(&mut self, user: usize, per_hour: u32, start_us: i64, end_us: i64) {
        let person = &self.users[user];
        let kind = person.kind;
        let from_us = start_us + person.starts_after_minutes * MINUTE_US;
        let to_us = (from_us + person.minutes_at_work * MINUTE_US).min(end_us);
        if kind == Kind::BreakGlass || to_us <= from_us || per_hour == 0 {
            return;
        }
        let mut dice = self.chance.stream(&["day", &user.to_string()]);
        self.plan(
            from_us,
            Happening::Habit {
                user,
                habit: Habit::SignIn,
                serial: 0,
            },
        );
        let actions = (to_us - from_us) * i64::from(per_hour) / HOUR_US;
        for (serial, _) in (1_u32..).zip(0..actions) {
            let at_us = dice.random_range(from_us..to_us);
            let habit = HABITS
                .choose_weighted(&mut dice, |(_, weight)| *weight)
                .map_or(Habit::RefreshToken, |(habit, _)| *habit);
            self.plan(
                at_us,
                Happening::Habit {
                    user,
                    habit,
                    serial,
                },
            );
        }
        let next = u32::try_from(actions + 1).unwrap_or(u32::MAX / 2);
        if kind == Kind::GlobalAdministrator {
            for (serial, _) in (next..).zip(0..(to_us - from_us) * ADMIN_ACTIONS_PER_HOUR / HOUR_US)
            {
                let at_us = dice.random_range(from_us..to_us);
                self.plan(
                    at_us,
                    Happening::Habit {
                        user,
                        habit: Habit::AdministerUsers,
                        serial,
                    },
                );
            }
        } else if user % NEWSLETTER_READER_EVERY == 4 {
            let at_us = dice.random_range(from_us..to_us);
            self.plan(
                at_us,
                Happening::Habit {
                    user,
                    habit: Habit::SortNewsletters,
                    serial: next,
                },
            );
        }
    }

    /// A person does something, as far as the state of the account lets them.
    pub(super) fn follow_habit(&mut self, user: usize, habit: Habit, serial: u32, at_us: i64) {
        if self.is_in_flight(user, at_us) {
            return;
        }
        match habit {
            Habit::SignIn => self.ordinary_sign_in(user, serial, at_us),
            Habit::MistypePassword => {
                let outcome = if self.users[user].enabled {
                    Outcome::BadPassword
                } else {
                    Outcome::Disabled
                };
                self.ordinary_attempt(user, serial, at_us, outcome, true);
            }
            Habit::RefreshToken => {
                let person = &self.users[user];
                let outcome = person.refresh_outcome(person.session_issued_us);
                self.ordinary_attempt(user, serial, at_us, outcome, false);
                if outcome == Outcome::Revoked {
                    // People whose session was revoked are asked to sign in again, and do.
                    self.plan(
                        at_us + 20 * SECOND_US,
                        Happening::Habit {
                            user,
                            habit: Habit::SignIn,
                            serial,
                        },
                    );
                }
            }
            // Nobody works on from a blocked account.
            _ if !self.users[user].enabled => {}
            Habit::ReadMail | Habit::SendMail | Habit::SortNewsletters => {
                self.handle_mail(user, habit, serial, at_us);
            }
            Habit::OpenFile => self.handle_file(user, "FileAccessed", serial, at_us),
            Habit::EditFile => self.handle_file(user, "FileModified", serial, at_us),
            Habit::DownloadFile => self.handle_file(user, "FileDownloaded", serial, at_us),
            Habit::Talk => {
                let id = self.chance.uuid(&["talk", &format!("{user}/{serial}")]);
                let record =
                    files::teams(&self.tenant, &id, at_us, &self.users[user], "MessageSent");
                self.outbox
                    .send_to_activity(ContentType::General, &id, &record, at_us);
            }
            Habit::AdministerUsers => self.administer(user, &format!("{user}/{serial}"), at_us),
        }
    }

    fn ordinary_sign_in(&mut self, user: usize, serial: u32, at_us: i64) {
        let outcome = self.users[user].sign_in_outcome();
        if outcome.succeeded() {
            let session_id = self
                .chance
                .uuid(&["session", &user.to_string(), &serial.to_string()]);
            let person = &mut self.users[user];
            person.session_id = session_id;
            person.session_issued_us = at_us;
        }
        self.ordinary_attempt(user, serial, at_us, outcome, true);
    }

    fn ordinary_attempt(
        &mut self,
        user: usize,
        serial: u32,
        at_us: i64,
        outcome: Outcome,
        interactive: bool,
    ) {
        let person = &self.users[user];
        let origin = person.origin.clone();
        let session_id = person.session_id.clone();
        let kind = if interactive {
            "interactive"
        } else {
            "refresh"
        };
        let name = [user.to_string(), serial.to_string()];
        let app = APPS[serial as usize % APPS.len()];
        let seen = Seen {
            at_us,
            app,
            outcome,
            interactive,
            session_id: &session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        self.record_sign_in(user, &origin, &["day", kind, &name[0], &name[1]], &seen);
    }

    fn handle_mail(&mut self, user: usize, habit: Habit, serial: u32, at_us: i64) {
        let name = format!("{user}/{serial}");
        let id = self.chance.uuid(&["mail", &name]);
        let message_id = format!(
            "<{}@{}>",
            self.chance.hex(&["message", &name]),
            self.tenant.domain
        );
        let person = &self.users[user];
        let facts = Mailbox {
            id: &id,
            at_us,
            user: person,
            origin: &person.origin,
            session_id: &person.session_id,
            app_id: OUTLOOK_WEB.id,
            client: "Client=OWA;Action=ViaProxy",
        };
        let record = match habit {
            Habit::SendMail => {
                mail::sent(&self.tenant, &facts, "Schedule for next week", &message_id)
            }
            Habit::SortNewsletters => {
                let parameters = [
                    ("Name", "Newsletters"),
                    ("From", "news@press.example"),
                    ("MoveToFolder", "Newsletters"),
                ];
                mail::cmdlet(
                    &self.tenant,
                    &facts,
                    "New-InboxRule",
                    "Newsletters",
                    &parameters,
                )
            }
            _ => mail::items_accessed(&self.tenant, &facts, "Bind", &[message_id]),
        };
        if habit == Habit::SortNewsletters {
            let rule = newsletter_rule(self.chance.hex(&["rule", &name]));
            self.users[user].inbox_rules.push(rule);
        }
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
    }

    fn handle_file(&mut self, user: usize, operation: &str, serial: u32, at_us: i64) {
        let id = self.chance.uuid(&["file", &format!("{user}/{serial}")]);
        let person = &self.users[user];
        let facts = FileOperation {
            id: &id,
            at_us,
            operation,
            user: person,
            origin: &person.origin,
            session_id: &person.session_id,
            file: FILES[serial as usize % FILES.len()],
            site: person.department,
        };
        let record = files::file(&self.tenant, &facts);
        self.outbox
            .send_to_activity(ContentType::SharePoint, &id, &record, at_us);
    }
}

#[cfg(test)]
mod tests;
