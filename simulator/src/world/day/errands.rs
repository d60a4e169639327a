//! What happens in a company now and then: rare for each person, and daily among thousands.
//!
//! Each errand has a harmless reason, and the shape of something that an attacker does too.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::{
    accounts, applications, conversations, correspondence, help_desk, libraries, mailboxes,
    printers, roles, sharing, sign_ins, travel,
};
use crate::config::SimulatorConfig;
use crate::world::moment::{HOUR_US, MINUTE_US};
use crate::world::records::directory_audit::{DirectoryAudit, Entry, Initiator, Values};
use crate::world::{Happening, World, record_audit, record_diagnostic_audit};

/// Something harmless that somebody does now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Errand {
    ConsentToApplication,
    GrantForEverybody,
    AddOwner,
    RotateSecret,
    ActivateDeskRole,
    ActivateRole,
    ResetPassword,
    RegisterTelephone,
    SilenceNotifications,
    ForwardToColleague,
    ForwardForHoliday,
    DelegateMailbox,
    DelegateSending,
    ShareCalendar,
    BeAway,
    Fly,
    UsePhone,
    ConnectToCompany,
    DeclinePrompt,
    LockAccount,
    UseDeviceCode,
    SendScan,
    ShareInside,
    ShareWithAnybody,
    InviteGuest,
    SetUpComputer,
    DownloadFolder,
    TidyUp,
    ChatOutside,
    KeepCorrespondence,
    FirstSynchronisation,
    AdministerAccount,
    AddUser,
    WelcomeNewcomers,
    EnforcePolicy,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Staff,
    Developers,
    HelpDesk,
    Administrators,
    /// The administrators who hold no role while they do not need it.
    EligibleAdministrators,
    Printers,
}

/// When it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    AtWork,
    BeforeWork,
    /// Within the first hours of somebody's work.
    InTheMorning,
    FirstHourOfMonday,
}

/// How often an errand is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) errand: Errand,
    pub(super) by: By,
    pub(super) when: When,
    /// Times in a working day of ten thousand people.
    pub(super) times: u64,
}

/// An errand during work.
pub(super) const fn at_work(errand: Errand, by: By, times: u64) -> Rate {
    Rate {
        errand,
        by,
        when: When::AtWork,
        times,
    }
}

/// The rates of every family.
pub(super) const RATES: [&[Rate]; 12] = [
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

/// One time that an errand is done, and how far it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    pub(crate) errand: Errand,
    pub(crate) person: usize,
    pub(crate) serial: u32,
    /// 0 at first; an errand that goes on has further steps.
    pub(crate) step: u32,
}

impl Occasion {
    /// Names the errand whatever its step.
    pub(super) fn name(self) -> String {
        format!("{:?}/{}", self.errand, self.serial)
    }

    /// Whether it goes on without the person or with somebody else, whatever has become of the account.
    fn goes_on_alone(self) -> bool {
        let can = matches!(
            self.errand,
            Errand::RotateSecret
                | Errand::ActivateDeskRole
                | Errand::ActivateRole
                | Errand::ResetPassword
                | Errand::InviteGuest
                | Errand::ConsentToApplication
        );
        self.step > 0 && can
    }

    /// Names the errand at this step.
    pub(super) fn step_name(self) -> String {
        format!("{:?}/{}/{}", self.errand, self.serial, self.step)
    }
}

fn is_monday(at_us: i64) -> bool {
    (at_us.div_euclid(24 * HOUR_US) + EPOCH_WEEK_DAY).rem_euclid(WEEK_DAYS) == 0
}

impl World {
    pub(super) fn plan_errands(&mut self, config: &SimulatorConfig, start_us: i64, end_us: i64) {
        let people = u64::try_from(self.company.people).unwrap_or_default();
        if config.ordinary_events_per_hour == 0 {
            return;
        }
        let hours = u64::from(config.day_hours).min(RATE_HOURS);
        for rate in RATES.into_iter().flatten() {
            if rate.when == When::FirstHourOfMonday && !is_monday(start_us) {
                continue;
            }
            let parts = rate.times * people * hours;
            let (whole, rest) = (
                parts / (RATE_PEOPLE * RATE_HOURS),
                parts % (RATE_PEOPLE * RATE_HOURS),
            );
            let name = format!("{:?}", rate.errand);
            let mut dice = self.chance.stream(&["errand", &name]);
            let once_more = dice.random_range(0..RATE_PEOPLE * RATE_HOURS) < rest;
            for (serial, _) in (0_u32..).zip(0..whole + u64::from(once_more)) {
                self.plan_errand(rate, serial, start_us, end_us);
            }
        }
    }

    fn plan_errand(&mut self, rate: &Rate, serial: u32, start_us: i64, end_us: i64) {
        let company = &self.company;
        let those: &[usize] = match rate.by {
            By::Staff => &company.staff,
            By::Developers => &company.developers,
            By::HelpDesk => &company.help_desk,
            By::Administrators => &company.administrators,
            By::EligibleAdministrators => company.administrators.get(1..).unwrap_or_default(),
            By::Printers => &company.printers,
        };
        let name = format!("{:?}/{serial}", rate.errand);
        let mut dice = self.chance.stream(&["errand", &name]);
        let Some(person) = those.choose(&mut dice).copied() else {
            return;
        };
        let from_us = start_us + self.users[person].starts_after_minutes * MINUTE_US;
        let to_us = match rate.by {
            By::Printers => end_us,
            _ => (from_us + self.users[person].minutes_at_work * MINUTE_US).min(end_us),
        };
        let (first_us, last_us) = match rate.when {
            When::AtWork => (from_us, to_us),
            When::BeforeWork => (from_us - 1, from_us),
            When::InTheMorning => (from_us, to_us.min(from_us + MORNING_US)),
            When::FirstHourOfMonday => (start_us, end_us.min(start_us + HOUR_US)),
        };
        if first_us < last_us {
            let at_us = dice.random_range(first_us..last_us);
            let occasion = Occasion {
                errand: rate.errand,
                person,
                serial,
                step: 0,
            };
            self.plan(at_us, Happening::Errand(occasion));
        }
    }

    /// Plans how an errand goes on, unless the day is over by then.
    pub(super) fn go_on(&mut self, occasion: Occasion, step: u32, at_us: i64) {
        if at_us < self.ends_us {
            self.plan(at_us, Happening::Errand(Occasion { step, ..occasion }));
        }
    }

    /// Somebody runs an errand, as far as the state of the account lets them.
    pub(crate) fn run_errand(&mut self, occasion: Occasion, at_us: i64) {
        let is_present =
            self.users[occasion.person].enabled && !self.is_in_flight(occasion.person, at_us);
        if !is_present && !occasion.goes_on_alone() {
            return;
        }
        match occasion.errand {
            Errand::ConsentToApplication => self.consent_to_application(occasion, at_us),
            Errand::GrantForEverybody => self.grant_for_everybody(occasion, at_us),
            Errand::AddOwner => self.add_owner(occasion, at_us),
            Errand::RotateSecret => self.rotate_secret(occasion, at_us),
            Errand::ActivateDeskRole | Errand::ActivateRole => self.use_role(occasion, at_us),
            Errand::ResetPassword => self.reset_password(occasion, at_us),
            Errand::RegisterTelephone => self.register_telephone(occasion, occasion.person, at_us),
            Errand::SilenceNotifications | Errand::ForwardToColleague => {
                self.make_rule(occasion, at_us);
            }
            Errand::ForwardForHoliday
            | Errand::DelegateMailbox
            | Errand::DelegateSending
            | Errand::ShareCalendar => self.set_mailbox(occasion, at_us),
            Errand::BeAway | Errand::Fly => self.travel(occasion, at_us),
            Errand::UsePhone => self.use_phone(occasion, at_us),
            Errand::ConnectToCompany => self.connect_to_company(occasion, at_us),
            Errand::DeclinePrompt => self.decline_prompt(occasion, at_us),
            Errand::LockAccount => self.lock_account(occasion, at_us),
            Errand::UseDeviceCode => self.use_device_code(occasion, at_us),
            Errand::SendScan => self.send_scan(occasion, at_us),
            Errand::ShareInside | Errand::ShareWithAnybody => self.share_file(occasion, at_us),
            Errand::InviteGuest => self.invite_guest(occasion, at_us),
            Errand::SetUpComputer | Errand::DownloadFolder | Errand::TidyUp => {
                self.handle_many_files(occasion, at_us);
            }
            Errand::ChatOutside => self.chat_outside(occasion, at_us),
            Errand::KeepCorrespondence | Errand::FirstSynchronisation => {
                self.keep_correspondence(occasion, at_us);
            }
            Errand::AdministerAccount => {
                self.administer(occasion.person, &occasion.name(), at_us);
            }
            Errand::AddUser | Errand::WelcomeNewcomers => self.add_users(occasion, at_us),
            Errand::EnforcePolicy => self.enforce_policy(occasion, at_us),
        }
    }

    /// Somebody of the staff whom an errand concerns besides the one who runs it; the same at every step.
    pub(super) fn concerned(&self, occasion: Occasion) -> usize {
        self.concerned_two(occasion).0
    }

    /// Two of the staff whom an errand concerns besides the one who runs it.
    pub(super) fn concerned_two(&self, occasion: Occasion) -> (usize, usize) {
        let name = occasion.name();
        let mut dice = self.chance.stream(&["errand concerns", &name]);
        let staff = &self.company.staff;
        let half = (staff.len() / 2).max(2);
        let first = dice.random_range(0..staff.len().max(1));
        let second = first + dice.random_range(1..half);
        let third = second + dice.random_range(1..half);
        // Three places that differ, of which at most one is the person's own.
        let mut others = [first, second, third]
            .into_iter()
            .filter_map(|place| staff.get(place % staff.len()).copied())
            .filter(|index| *index != occasion.person);
        let mut other = || others.next().unwrap_or(occasion.person);
        (other(), other())
    }

    /// Whether a person is in the air.
    pub(super) fn is_in_flight(&self, person: usize, at_us: i64) -> bool {
        at_us < self.users[person].in_flight_until_us
    }

    /// Tells a directory audit of an errand in the feeds of its service.
    pub(super) fn tell(&mut self, occasion: Occasion, at_us: i64, entry: &Entry<'_>) {
        let name = occasion.step_name();
        let person = &self.users[occasion.person];
        let own = Initiator::Person(person, &person.origin.ip);
        let audit = DirectoryAudit {
            number: self
                .chance
                .number(&["errand audit", &name, entry.activity, entry.target.id]),
            at_us,
            activity: entry.activity,
            category: entry.category,
            service: entry.service,
            operation_type: entry.operation_type,
            initiator: entry.initiator.unwrap_or(own),
            target_type: entry.target.kind,
            target_id: entry.target.id,
            target_name: entry.target.name,
            changes: entry.changes,
            values: Values::Typed,
            further_targets: entry.further_targets,
            user_agent: match entry.initiator {
                Some(Initiator::Application { .. }) => "",
                Some(Initiator::Person(other, _)) => other.origin.device.user_agent,
                None => person.origin.device.user_agent,
            },
            correlation_id: &self.chance.uuid(&["errand correlation", &name]),
        };
        if entry.is_in_unified_log() {
            record_audit(&mut self.outbox, &self.tenant, self.chance, &audit);
        } else {
            record_diagnostic_audit(&mut self.outbox, &self.tenant, &audit);
        }
    }
}
