//! What everybody does all the time: sign-ins, mail, files, conversations and some admin work.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::accounts;
use super::mailboxes::newsletter_rule;
use super::plans::{DayEvent, Habit};
use super::workday::Workday;
use crate::world::moment::{HOUR_US, MINUTE_US, SECOND_US};
use crate::world::places::APPS;
use crate::world::records::files::FileOperation;
use crate::world::records::mail::{Cmdlet, Mailbox};
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::SignIn;
use crate::world::users::UserKind;

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

/// Names of files that people work with.
pub(super) const FILES: &[&str] = &[
    "Quarterly forecast.xlsx",
    "Berth plan.docx",
    "Crane maintenance.pdf",
    "Supplier list.xlsx",
    "Minutes.docx",
    "Customs checklist.pdf",
    "Tariffs.xlsx",
    "Onboarding.pptx",
];

/// Plans what a person does, so many times in an hour at work.
pub(super) fn plan_person(
    day: &mut Workday<'_>,
    user: usize,
    per_hour: u32,
    start_us: i64,
    end_us: i64,
) {
    let person = &day.scene.users[user];
    let kind = person.kind;
    let from_us = start_us + person.starts_after_minutes * MINUTE_US;
    let to_us = (from_us + person.minutes_at_work * MINUTE_US).min(end_us);
    if kind == UserKind::BreakGlass || to_us <= from_us || per_hour == 0 {
        return;
    }
    let mut dice = day.scene.chance.stream(&["day", &user.to_string()]);
    day.plans.plan(
        from_us,
        DayEvent::Habit {
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
        day.plans.plan(
            at_us,
            DayEvent::Habit {
                user,
                habit,
                serial,
            },
        );
    }
    let next = u32::try_from(actions + 1).unwrap_or(u32::MAX / 2);
    if kind == UserKind::GlobalAdministrator {
        for (serial, _) in (next..).zip(0..(to_us - from_us) * ADMIN_ACTIONS_PER_HOUR / HOUR_US) {
            let at_us = dice.random_range(from_us..to_us);
            day.plans.plan(
                at_us,
                DayEvent::Habit {
                    user,
                    habit: Habit::AdministerUsers,
                    serial,
                },
            );
        }
    } else if user % NEWSLETTER_READER_EVERY == 4 {
        let at_us = dice.random_range(from_us..to_us);
        day.plans.plan(
            at_us,
            DayEvent::Habit {
                user,
                habit: Habit::SortNewsletters,
                serial: next,
            },
        );
    }
}

/// A person does something, as far as the state of the account lets them.
pub(super) fn follow_habit(
    day: &mut Workday<'_>,
    user: usize,
    habit: Habit,
    serial: u32,
    at_us: i64,
) {
    if day.is_in_flight(user, at_us) {
        return;
    }
    match habit {
        Habit::SignIn => ordinary_sign_in(day, user, serial, at_us),
        Habit::MistypePassword => {
            let outcome = if day.scene.users[user].enabled {
                SignInOutcome::BadPassword
            } else {
                SignInOutcome::Disabled
            };
            ordinary_attempt(day, user, serial, at_us, outcome, true);
        }
        Habit::RefreshToken => {
            let person = &day.scene.users[user];
            let outcome = person.refresh_outcome(person.session_issued_us);
            ordinary_attempt(day, user, serial, at_us, outcome, false);
            if outcome == SignInOutcome::Revoked {
                // People whose session was revoked are asked to sign in again, and do.
                day.plans.plan(
                    at_us + 20 * SECOND_US,
                    DayEvent::Habit {
                        user,
                        habit: Habit::SignIn,
                        serial,
                    },
                );
            }
        }
        // Nobody works on from a blocked account.
        _ if !day.scene.users[user].enabled => {}
        Habit::ReadMail | Habit::SendMail | Habit::SortNewsletters => {
            handle_mail(day, user, habit, serial, at_us);
        }
        Habit::OpenFile => handle_file(day, user, "FileAccessed", serial, at_us),
        Habit::EditFile => handle_file(day, user, "FileModified", serial, at_us),
        Habit::DownloadFile => handle_file(day, user, "FileDownloaded", serial, at_us),
        Habit::Talk => {
            let scene = &mut *day.scene;
            let id = scene.chance.uuid(&["talk", &format!("{user}/{serial}")]);
            let person = &scene.users[user];
            scene.recorder.conversation(&id, at_us, person, None);
        }
        Habit::AdministerUsers => {
            accounts::administer(day, user, &format!("{user}/{serial}"), at_us);
        }
    }
}

fn ordinary_sign_in(day: &mut Workday<'_>, user: usize, serial: u32, at_us: i64) {
    let outcome = day.scene.users[user].sign_in_outcome();
    if outcome.succeeded() {
        let session_id =
            day.scene
                .chance
                .uuid(&["session", &user.to_string(), &serial.to_string()]);
        let person = &mut day.scene.users[user];
        person.session_id = session_id;
        person.session_issued_us = at_us;
    }
    ordinary_attempt(day, user, serial, at_us, outcome, true);
}

fn ordinary_attempt(
    day: &mut Workday<'_>,
    user: usize,
    serial: u32,
    at_us: i64,
    outcome: SignInOutcome,
    interactive: bool,
) {
    let kind = if interactive {
        "interactive"
    } else {
        "refresh"
    };
    let app = APPS[serial as usize % APPS.len()];
    let scene = &mut *day.scene;
    let person = &scene.users[user];
    let name = ["day", kind, &user.to_string(), &serial.to_string()];
    let seen = SignIn {
        outcome,
        interactive,
        ..SignIn::usual(person, app, at_us)
    };
    scene.recorder.sign_in(&name, &seen);
}

fn handle_mail(day: &mut Workday<'_>, user: usize, habit: Habit, serial: u32, at_us: i64) {
    let scene = &mut *day.scene;
    let name = format!("{user}/{serial}");
    let id = scene.chance.uuid(&["mail", &name]);
    let message_id = scene.message_id(&["message", &name]);
    let mailbox = Mailbox::own(&id, &scene.users[user], at_us);
    match habit {
        Habit::SendMail => {
            let subject = "Schedule for next week";
            scene.recorder.mail_sent(&mailbox, subject, &message_id);
        }
        Habit::SortNewsletters => {
            let cmdlet = Cmdlet {
                operation: "New-InboxRule",
                object: "Newsletters",
                parameters: &[
                    ("Name", "Newsletters"),
                    ("From", "news@press.example"),
                    ("MoveToFolder", "Newsletters"),
                ],
                user_type: 0,
            };
            scene.recorder.cmdlet(&mailbox, &cmdlet);
            let rule = newsletter_rule(scene.chance.hex(&["rule", &name]));
            scene.users[user].inbox_rules.push(rule);
        }
        _ => {
            scene.recorder.mail_read(&mailbox, "Bind", &[message_id]);
        }
    }
}

fn handle_file(day: &mut Workday<'_>, user: usize, operation: &str, serial: u32, at_us: i64) {
    let scene = &mut *day.scene;
    let person = &scene.users[user];
    scene.recorder.file(&FileOperation {
        id: &scene.chance.uuid(&["file", &format!("{user}/{serial}")]),
        at_us,
        operation,
        user: person,
        origin: &person.origin,
        session_id: &person.session_id,
        file: FILES[serial as usize % FILES.len()],
        site: person.department,
    });
}
