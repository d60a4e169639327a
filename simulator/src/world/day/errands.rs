//! What happens in a company now and then: rare for each person, and daily among thousands.
//!
//! Each errand has a harmless reason, and the shape of something that an attacker does too.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::plans::{DayEvent, Errand, Occasion};
use super::rates::{ErrandRate, RunBy, RunWhen};
use super::workday::Workday;
use super::{
    accounts, applications, conversations, correspondence, help_desk, libraries, mailboxes,
    printers, roles, sharing, sign_ins, travel,
};
use crate::world::moment::{HOUR_US, MINUTE_US};

/// The rates of every family.
pub(super) const RATES: [&[ErrandRate]; 12] = [
    applications::RATES,
    roles::RATES,
    help_desk::RATES,
    mailboxes::RATES,
    travel::RATES,
    sign_ins::RATES,
    printers::RATES,
    sharing::RATES,
    libraries::RATES,
    conversations::RATES,
    correspondence::RATES,
    accounts::RATES,
];

/// People to whom a rate relates.
const RATE_PEOPLE: u64 = 10_000;
/// Hours of a working day, to which a rate relates.
const RATE_HOURS: u64 = 8;
/// How long the morning of a person lasts.
const MORNING_US: i64 = 90 * MINUTE_US;
/// Days of a week.
const WEEK_DAYS: i64 = 7;
/// Day of the week of the Unix epoch, where Monday is 0.
const EPOCH_WEEK_DAY: i64 = 3;

fn is_monday(at_us: i64) -> bool {
    (at_us.div_euclid(24 * HOUR_US) + EPOCH_WEEK_DAY).rem_euclid(WEEK_DAYS) == 0
}

/// Plans the errands of a day of so many hours.
pub(super) fn plan_errands(day: &mut Workday<'_>, day_hours: u32, start_us: i64, end_us: i64) {
    let people = u64::try_from(day.company.people).unwrap_or_default();
    let hours = u64::from(day_hours).min(RATE_HOURS);
    for rate in RATES.into_iter().flatten() {
        if rate.when == RunWhen::FirstHourOfMonday && !is_monday(start_us) {
            continue;
        }
        let parts = rate.times * people * hours;
        let (whole, rest) = (
            parts / (RATE_PEOPLE * RATE_HOURS),
            parts % (RATE_PEOPLE * RATE_HOURS),
        );
        let name = format!("{:?}", rate.errand);
        let mut dice = day.scene.chance.stream(&["errand", &name]);
        let once_more = dice.random_range(0..RATE_PEOPLE * RATE_HOURS) < rest;
        for (serial, _) in (0_u32..).zip(0..whole + u64::from(once_more)) {
            plan_errand(day, rate, serial, start_us, end_us);
        }
    }
}

fn plan_errand(day: &mut Workday<'_>, rate: &ErrandRate, serial: u32, start_us: i64, end_us: i64) {
    let company = &*day.company;
    let those: &[usize] = match rate.by {
        RunBy::Staff => &company.staff,
        RunBy::Developers => &company.developers,
        RunBy::HelpDesk => &company.help_desk,
        RunBy::Administrators => &company.administrators,
        RunBy::EligibleAdministrators => company.administrators.get(1..).unwrap_or_default(),
        RunBy::Printers => &company.printers,
    };
    let name = format!("{:?}/{serial}", rate.errand);
    let mut dice = day.scene.chance.stream(&["errand", &name]);
    let Some(person) = those.choose(&mut dice).copied() else {
        return;
    };
    let from_us = start_us + day.scene.users[person].starts_after_minutes * MINUTE_US;
    let to_us = match rate.by {
        RunBy::Printers => end_us,
        _ => (from_us + day.scene.users[person].minutes_at_work * MINUTE_US).min(end_us),
    };
    let (first_us, last_us) = match rate.when {
        RunWhen::AtWork => (from_us, to_us),
        RunWhen::BeforeWork => (from_us - 1, from_us),
        RunWhen::InTheMorning => (from_us, to_us.min(from_us + MORNING_US)),
        RunWhen::FirstHourOfMonday => (start_us, end_us.min(start_us + HOUR_US)),
    };
    if first_us < last_us {
        let at_us = dice.random_range(first_us..last_us);
        let occasion = Occasion {
            errand: rate.errand,
            person,
            serial,
            step: 0,
        };
        day.plans.plan(at_us, DayEvent::Errand(occasion));
    }
}

/// Somebody runs an errand, as far as the state of the account lets them.
pub(super) fn run_errand(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let is_present =
        day.scene.users[occasion.person].enabled && !day.is_in_flight(occasion.person, at_us);
    if !is_present && !occasion.goes_on_alone() {
        return;
    }
    match occasion.errand {
        Errand::ConsentToApplication => applications::consent_to_application(day, occasion, at_us),
        Errand::GrantForEverybody => applications::grant_for_everybody(day, occasion, at_us),
        Errand::AddOwner => applications::add_owner(day, occasion, at_us),
        Errand::RotateSecret => applications::rotate_secret(day, occasion, at_us),
        Errand::ActivateDeskRole | Errand::ActivateRole => roles::use_role(day, occasion, at_us),
        Errand::ResetPassword => help_desk::reset_password(day, occasion, at_us),
        Errand::RegisterTelephone => {
            help_desk::register_telephone(day, occasion, occasion.person, at_us);
        }
        Errand::SilenceNotifications | Errand::ForwardToColleague => {
            mailboxes::make_rule(day, occasion, at_us);
        }
        Errand::ForwardForHoliday
        | Errand::DelegateMailbox
        | Errand::DelegateSending
        | Errand::ShareCalendar => mailboxes::set_mailbox(day, occasion, at_us),
        Errand::BeAway | Errand::Fly => travel::travel(day, occasion, at_us),
        Errand::UsePhone => sign_ins::use_phone(day, occasion, at_us),
        Errand::ConnectToCompany => sign_ins::connect_to_company(day, occasion, at_us),
        Errand::DeclinePrompt => sign_ins::decline_prompt(day, occasion, at_us),
        Errand::LockAccount => sign_ins::lock_account(day, occasion, at_us),
        Errand::UseDeviceCode => sign_ins::use_device_code(day, occasion, at_us),
        Errand::SendScan => printers::send_scan(day, occasion, at_us),
        Errand::ShareInside | Errand::ShareWithAnybody => sharing::share_file(day, occasion, at_us),
        Errand::InviteGuest => sharing::invite_guest(day, occasion, at_us),
        Errand::SetUpComputer | Errand::DownloadFolder | Errand::TidyUp => {
            libraries::handle_many_files(day, occasion, at_us);
        }
        Errand::ChatOutside => conversations::chat_outside(day, occasion, at_us),
        Errand::KeepCorrespondence | Errand::FirstSynchronisation => {
            correspondence::keep_correspondence(day, occasion, at_us);
        }
        Errand::AdministerAccount => {
            accounts::administer(day, occasion.person, &occasion.name(), at_us);
        }
        Errand::AddUser | Errand::WelcomeNewcomers => accounts::add_users(day, occasion, at_us),
        Errand::EnforcePolicy => accounts::enforce_policy(day, occasion, at_us),
    }
}
