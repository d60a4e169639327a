//! The attack, adversary in the middle to business mail compromise: what was planned, what became of it, and what the attacker holds.
//!
//! A session is phished through a proxy and replayed from elsewhere; the attacker registers a second
//! factor, hides and forwards mail by inbox rules, gets a malicious app consented, reads mail, takes
//! files, and sends invoices. Every step and every later attempt is decided by the state of the account
//! at that moment.

pub(crate) mod attempts;
pub(crate) mod steps;

use serde::Serialize;
use serde_json::Value;

use super::moment::MINUTE_US;
use super::places::{ATTACKER_DESK, ATTACKER_PROXY, Origin, PROXY_DEVICE, SCRIPT_DEVICE};
use super::{Happening, World};

/// Where the attacker has mail forwarded to.
pub(crate) const DROP_ADDRESS: &str = "accounts@invoice-desk.example";
/// Name of the malicious application.
pub(crate) const MALICIOUS_APP: &str = "Mail Insights Pro";

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoryStep {
    PhishedSignIn,
    ReplayedSession,
    SecurityInfoRegistered,
    HidingRule,
    ForwardingRule,
    Consent,
    MailRead,
    AlertRaised,
    FilesDownloaded,
    RiskDetected,
    InvoicesSent,
    AlertUpdated,
}

/// The steps with the minutes after the story's begin, and how often each is repeated in a row.
const STEPS: &[(StoryStep, i64, u32)] = &[
    (StoryStep::PhishedSignIn, 0, 1),
    (StoryStep::ReplayedSession, 2, 3),
    (StoryStep::SecurityInfoRegistered, 4, 1),
    (StoryStep::HidingRule, 6, 1),
    (StoryStep::ForwardingRule, 8, 1),
    (StoryStep::Consent, 11, 1),
    (StoryStep::MailRead, 13, 16),
    (StoryStep::AlertRaised, 20, 1),
    (StoryStep::FilesDownloaded, 24, 40),
    (StoryStep::RiskDetected, 26, 1),
    (StoryStep::InvoicesSent, 31, 6),
    (StoryStep::AlertUpdated, 200, 1),
];

/// Repetitions follow one another at this distance.
const REPEAT_US: i64 = 20_000_000;
/// Minutes after the story's begin at which the attacker's rounds of attempts begin.
const ATTEMPTS_AFTER_MINUTES: i64 = 40;
/// Messages reach the victim at this distance.
const MAIL_EVERY_US: i64 = 5 * MINUTE_US;

/// What the attacker tries again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attempt {
    /// To refresh the stolen session.
    Refresh,
    /// To sign in with the password and the second factor that was registered.
    SignIn,
    /// To send mail.
    SendMail,
}

/// How a step or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    Succeeded,
    /// It failed, with an AADSTS code where Entra refused.
    Failed,
}

/// A step or attempt that happened.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Happened<T> {
    pub(crate) what: T,
    pub(crate) at_us: i64,
    pub(crate) ending: Ending,
    /// AADSTS code; 0 where Entra did not refuse.
    pub(crate) error_code: u32,
    /// Ids of the records that tell of it.
    pub(crate) record_ids: Vec<String>,
}

/// The story, with what has become of it so far.
pub(crate) struct Story {
    pub(crate) victim: usize,
    pub(crate) begins_us: i64,
    /// The phished session.
    pub(crate) session_id: String,
    pub(crate) session_issued_us: Option<i64>,
    /// The attacker's own session, after a sign-in with password and registered factor.
    pub(crate) own_session_issued_us: Option<i64>,
    pub(crate) factor_registered: bool,
    pub(crate) proxy: Origin,
    pub(crate) desk: Origin,
    pub(crate) app_id: String,
    pub(crate) app_principal_id: String,
    pub(crate) alert: Option<Value>,
    pub(crate) steps: Vec<Happened<StoryStep>>,
    pub(crate) attempts: Vec<Happened<Attempt>>,
    /// Messages that reached the victim since the story began.
    pub(crate) mail_arrived: u64,
    /// Those of them that an inbox rule forwarded to the attacker.
    pub(crate) mail_forwarded: u64,
    /// When the last one was forwarded.
    pub(crate) last_forwarded_us: Option<i64>,
}

impl World {
    pub(super) fn plan_story(
        &mut self,
        victim: usize,
        begins_us: i64,
        end_us: i64,
        attempt_every_us: i64,
    ) {
        let chance = self.chance;
        let unknown_device = |ip: &str, place, device| Origin {
            ip: ip.to_owned(),
            place,
            device,
            device_id: String::new(),
        };
        self.story = Some(Story {
            victim,
            begins_us,
            session_id: chance.uuid(&["story", "session"]),
            session_issued_us: None,
            own_session_issued_us: None,
            factor_registered: false,
            proxy: unknown_device("203.0.113.57", ATTACKER_PROXY, PROXY_DEVICE),
            desk: unknown_device("198.51.100.77", ATTACKER_DESK, SCRIPT_DEVICE),
            app_id: chance.uuid(&["story", "app"]),
            app_principal_id: chance.uuid(&["story", "principal"]),
            alert: None,
            steps: Vec::new(),
            attempts: Vec::new(),
            mail_arrived: 0,
            mail_forwarded: 0,
            last_forwarded_us: None,
        });
        for (step, minutes, repeats) in STEPS {
            for (serial, distance) in (0..*repeats).zip(0_i64..) {
                let at_us = begins_us + minutes * MINUTE_US + distance * REPEAT_US;
                if at_us < end_us {
                    self.plan(
                        at_us,
                        Happening::Step {
                            step: *step,
                            serial,
                        },
                    );
                }
            }
        }
        let first_us = begins_us + ATTEMPTS_AFTER_MINUTES * MINUTE_US;
        let rounds = (end_us - first_us).max(0) / attempt_every_us;
        for (serial, round) in (0_u32..).zip(0..rounds) {
            let at_us = first_us + round * attempt_every_us;
            // The three come at a distance, in an order that gives each its turn after a response.
            for (attempt, distance) in [Attempt::Refresh, Attempt::SignIn, Attempt::SendMail]
                .into_iter()
                .zip(0_i64..)
            {
                self.plan(
                    at_us + distance * attempt_every_us / 3,
                    Happening::Attempt { attempt, serial },
                );
            }
        }
        for round in 1..(end_us - begins_us) / MAIL_EVERY_US {
            self.plan(begins_us + round * MAIL_EVERY_US, Happening::MailArrives);
        }
    }
}
