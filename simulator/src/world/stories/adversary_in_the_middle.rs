//! Adversary in the middle to business mail compromise.
//!
//! A session is phished through a proxy and replayed from elsewhere; the attacker registers a second
//! factor, hides and forwards mail by inbox rules, gets a malicious app consented, reads mail, takes
//! files, and sends invoices. Every step and every later attempt is decided by the state of the account
//! at that moment.

mod traces;

use serde_json::Value;

use super::cast::{Addresses, Begins, Cast, Casting, Opening, Victim};
use super::story::{GroundTruth, Holdings, Phase, Played, Story, StoryTurn, attempt, step, untold};
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{
    ATTACKER_DESK, ATTACKER_PROXY, OFFICE_HOME, OUTLOOK_WEB, Origin, PROXY_DEVICE, SCRIPT_DEVICE,
};
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::SignIn;
use crate::world::scene::Scene;
use crate::world::users::User;
use traces::MaliciousApplication;

/// Minutes after the story's begin at which the attacker's rounds of attempts begin.
const ATTEMPTS_AFTER_MINUTES: i64 = 40;
/// Messages reach the victim at this distance.
const MAIL_EVERY_US: i64 = 5 * MINUTE_US;

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionStep {
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
    Refresh,
    SignIn,
    SendMail,
    MailArrives,
}

/// The steps with the minutes after the story's begin, and how often each is repeated in a row.
const STEPS: &[(SessionStep, i64, u32)] = &[
    (SessionStep::PhishedSignIn, 0, 1),
    (SessionStep::ReplayedSession, 2, 3),
    (SessionStep::SecurityInfoRegistered, 4, 1),
    (SessionStep::HidingRule, 6, 1),
    (SessionStep::ForwardingRule, 8, 1),
    (SessionStep::Consent, 11, 1),
    (SessionStep::MailRead, 13, 16),
    (SessionStep::AlertRaised, 20, 1),
    (SessionStep::FilesDownloaded, 24, 40),
    (SessionStep::RiskDetected, 26, 1),
    (SessionStep::InvoicesSent, 31, 6),
    (SessionStep::AlertUpdated, 200, 1),
];

/// Repetitions follow one another at this distance.
const REPEAT_US: i64 = 20 * SECOND_US;

/// A phished session, and what the attacker makes of it.
pub(crate) struct AdversaryInTheMiddle {
    session_issued_us: Option<i64>,
    /// The attacker's own session, after a sign-in with password and registered factor.
    own_session_issued_us: Option<i64>,
    factor_registered: bool,
    application: MaliciousApplication,
    alert: Option<Value>,
    mail_arrived: u64,
    mail_forwarded: u64,
    last_forwarded_us: Option<i64>,
}

impl Story for AdversaryInTheMiddle {
    type Step = SessionStep;

    const NAME: &'static str = "adversary_in_the_middle";
    const SENTENCE: &'static str =
        "A session is phished through a proxy, and the mailbox is misused for payment fraud.";
    const PHASES: &'static [Phase<SessionStep>] = &[
        step(
            SessionStep::PhishedSignIn,
            "phished_sign_in",
            "The person signs in through a proxy, which keeps the session.",
        ),
        step(
            SessionStep::ReplayedSession,
            "replayed_session",
            "The session is used from the attacker's desk.",
        ),
        step(
            SessionStep::SecurityInfoRegistered,
            "security_info_registered",
            "The attacker registers a second factor.",
        ),
        step(
            SessionStep::HidingRule,
            "hiding_rule",
            "An inbox rule hides answers about money.",
        ),
        step(
            SessionStep::ForwardingRule,
            "forwarding_rule",
            "An inbox rule forwards everything outside.",
        ),
        step(
            SessionStep::Consent,
            "consent",
            "A malicious application is consented to.",
        ),
        step(
            SessionStep::MailRead,
            "mail_read",
            "The application reads mail.",
        ),
        step(
            SessionStep::AlertRaised,
            "alert_raised",
            "Microsoft raises an alert.",
        ),
        step(
            SessionStep::FilesDownloaded,
            "files_downloaded",
            "A file is downloaded.",
        ),
        step(
            SessionStep::RiskDetected,
            "risk_detected",
            "Microsoft detects the risk of the sign-in.",
        ),
        step(
            SessionStep::InvoicesSent,
            "invoices_sent",
            "A message with other bank details is sent.",
        ),
        step(
            SessionStep::AlertUpdated,
            "alert_updated",
            "Somebody begins to look at Microsoft's alert.",
        ),
        attempt(
            SessionStep::Refresh,
            "refresh",
            "The stolen session is refreshed.",
        ),
        attempt(
            SessionStep::SignIn,
            "sign_in",
            "The attacker signs in with the password and the second factor that was registered.",
        ),
        attempt(
            SessionStep::SendMail,
            "send_mail",
            "The attacker sends mail.",
        ),
        untold(
            SessionStep::MailArrives,
            "mail_arrives",
            "A message reaches the victim; whatever the account's state, an enabled rule forwards it.",
        ),
    ];
    const TRUTH: GroundTruth = GroundTruth {
        fires: &[
            "azure_app_consent_granted",
            "azure_risk_stolen_session",
            "azure_security_info_after_risk",
            "azure_signin_impossible_travel",
            "azure_signin_session_in_two_countries",
            "m365_app_consent_mail_scopes",
            "m365_files_downloaded_by_script",
            "m365_inbox_rule_after_security_info",
            "m365_inbox_rule_forwards",
            "m365_inbox_rule_hides_mail",
            "m365_inbox_rule_name_obscure",
            "m365_mail_copied_or_log_throttled",
        ],
        silent: &[
            "azure_signin_device_code",
            "azure_signin_password_spray",
            "azure_signin_second_factor_fatigue",
            "m365_mailbox_forwards",
        ],
    };
    const CASTING: Casting = Casting {
        victim: Victim::First,
        begins: Begins::AsConfigured,
        // The addresses are always the same ones; see `cast`.
        attacker: Addresses {
            network: "198.51.100",
            from: 77,
            count: 1,
            place: ATTACKER_DESK,
            device: SCRIPT_DEVICE,
        },
        acts_from_outside: true,
    };

    fn cast(opening: &Opening<'_>) -> Cast {
        Cast {
            acting: Origin::unknown("198.51.100.77", ATTACKER_DESK, SCRIPT_DEVICE),
            elsewhere: vec![Origin::unknown(
                "203.0.113.57",
                ATTACKER_PROXY,
                PROXY_DEVICE,
            )],
            session_id: opening.chance.uuid(&["story", "session"]),
            ..Self::CASTING.cast(Self::NAME, opening)
        }
    }

    fn begin(_cast: &Cast, opening: &Opening<'_>) -> Self {
        Self {
            session_issued_us: None,
            own_session_issued_us: None,
            factor_registered: false,
            application: MaliciousApplication {
                app_id: opening.chance.uuid(&["story", "app"]),
                principal_id: opening.chance.uuid(&["story", "principal"]),
            },
            alert: None,
            mail_arrived: 0,
            mail_forwarded: 0,
            last_forwarded_us: None,
        }
    }

    fn turns(&self, cast: &Cast, opening: &Opening<'_>) -> Vec<StoryTurn<SessionStep>> {
        let steps = STEPS.iter().map(|(step, minutes, repeats)| {
            StoryTurn::again(*step, minutes * MINUTE_US, *repeats, REPEAT_US)
        });
        let lasts_us = opening.end_us - cast.begins_us;
        let times = |us: i64| u32::try_from(us.max(0)).unwrap_or(u32::MAX);
        let every_us = opening.attempt_every_us;
        let first_us = ATTEMPTS_AFTER_MINUTES * MINUTE_US;
        let rounds = times((lasts_us - first_us) / every_us);
        // The three come at a distance, in an order that gives each its turn after a response.
        let attempts = [
            SessionStep::Refresh,
            SessionStep::SignIn,
            SessionStep::SendMail,
        ]
        .into_iter()
        .zip(0_i64..)
        .map(|(step, distance)| {
            let after_us = first_us + distance * every_us / 3;
            StoryTurn::again(step, after_us, rounds, every_us)
        });
        let messages = times(lasts_us / MAIL_EVERY_US - 1);
        let mail = StoryTurn::again(
            SessionStep::MailArrives,
            MAIL_EVERY_US,
            messages,
            MAIL_EVERY_US,
        );
        steps.chain(attempts).chain([mail]).collect()
    }

    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: SessionStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        let victim = cast.victim(scene);
        match step {
            SessionStep::PhishedSignIn => Some(self.phish(scene, cast, serial, at_us)),
            SessionStep::ReplayedSession => Some(
                self.use_session(scene, cast, step, serial, at_us)
                    .unwrap_or(Played::refused()),
            ),
            SessionStep::Refresh => self.use_session(scene, cast, step, serial, at_us),
            SessionStep::SignIn => self.try_sign_in(scene, cast, serial, at_us),
            SessionStep::MailArrives => {
                self.mail_arrives(victim, at_us);
                None
            }
            _ if self.can(victim, step) => {
                Some(Played::done(self.succeed(scene, cast, step, serial, at_us)))
            }
            _ => Some(Played::refused()),
        }
    }

    fn holdings(&self, scene: &Scene, cast: &Cast) -> Option<Holdings> {
        Some(Holdings {
            session_issued_us: self.session_issued_us,
            app_id: self.application.app_id.clone(),
            has_access: self.has_access(cast.victim(scene)),
            mail_arrived: self.mail_arrived,
            mail_forwarded: self.mail_forwarded,
            last_forwarded_us: self.last_forwarded_us,
        })
    }
}

impl AdversaryInTheMiddle {
    /// How a refresh of the phished session ends; none if no session was phished.
    fn refresh_outcome(&self, victim: &User) -> Option<SignInOutcome> {
        self.session_issued_us
            .map(|issued_us| victim.refresh_outcome(issued_us))
    }

    /// Whether the attacker gets into the mailbox: with a session that is good, of an account that is not blocked.
    ///
    /// Exchange and its siblings evaluate access continuously, so a revoked session ends at once.
    fn has_access(&self, victim: &User) -> bool {
        [self.session_issued_us, self.own_session_issued_us]
            .into_iter()
            .flatten()
            .any(|issued_us| victim.refresh_outcome(issued_us).succeeded())
    }

    /// Whether a step succeeds that leaves no record if it fails.
    fn can(&self, victim: &User, step: SessionStep) -> bool {
        match step {
            // Microsoft finds out whether or not the attacker still has access.
            SessionStep::AlertRaised | SessionStep::RiskDetected => {
                self.session_issued_us.is_some()
            }
            SessionStep::AlertUpdated => self.alert.is_some(),
            _ => self.has_access(victim),
        }
    }

    fn succeed(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: SessionStep,
        serial: u32,
        at_us: i64,
    ) -> Vec<String> {
        let app_id = &self.application.app_id;
        match step {
            SessionStep::SecurityInfoRegistered => {
                self.factor_registered = true;
                traces::register_security_info(scene, cast, at_us)
            }
            SessionStep::HidingRule => traces::make_hiding_rule(scene, cast, at_us),
            SessionStep::ForwardingRule => traces::make_forwarding_rule(scene, cast, at_us),
            SessionStep::Consent => traces::consent(scene, cast, &self.application, at_us),
            SessionStep::MailRead => traces::read_mail(scene, cast, app_id, serial, at_us),
            SessionStep::FilesDownloaded => traces::download(scene, cast, serial, at_us),
            SessionStep::InvoicesSent => {
                traces::send_invoice(scene, cast, app_id, ("story", serial), at_us)
            }
            SessionStep::SendMail => {
                traces::send_invoice(scene, cast, app_id, ("attempt", serial), at_us)
            }
            SessionStep::RiskDetected => traces::detect_risk(scene, cast, at_us),
            SessionStep::AlertRaised => {
                let (ids, shown) = traces::show_alert(scene, cast, None, at_us);
                self.alert = Some(shown);
                ids
            }
            SessionStep::AlertUpdated => {
                let (ids, shown) = traces::show_alert(scene, cast, self.alert.take(), at_us);
                self.alert = Some(shown);
                ids
            }
            // These leave records however they end.
            SessionStep::PhishedSignIn
            | SessionStep::ReplayedSession
            | SessionStep::Refresh
            | SessionStep::SignIn
            | SessionStep::MailArrives => Vec::new(),
        }
    }

    /// The person signs in through the proxy.
    fn phish(&mut self, scene: &mut Scene, cast: &Cast, serial: u32, at_us: i64) -> Played {
        let seen = SignIn {
            origin: cast.other_origin(),
            session_id: &cast.session_id,
            ..SignIn::usual(&scene.users[cast.victim], OFFICE_HOME, at_us)
        };
        if seen.outcome.succeeded() {
            self.session_issued_us = Some(at_us);
        }
        let name = ["story", "phished", &serial.to_string()];
        Played::by(seen.outcome, scene.recorder.sign_in(&name, &seen))
    }

    /// The phished session is used or refreshed from the attacker's desk, if there ever was one.
    fn use_session(
        &self,
        scene: &mut Scene,
        cast: &Cast,
        step: SessionStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        let outcome = self.refresh_outcome(cast.victim(scene))?;
        let (name, app) = if step == SessionStep::ReplayedSession {
            (["story", "replayed"], OUTLOOK_WEB)
        } else {
            (["attempt", "refresh"], OFFICE_HOME)
        };
        let seen = SignIn {
            origin: &cast.acting,
            outcome,
            interactive: false,
            session_id: &cast.session_id,
            ..SignIn::usual(&scene.users[cast.victim], app, at_us)
        };
        let name = [name[0], name[1], &serial.to_string()];
        Some(Played::by(outcome, scene.recorder.sign_in(&name, &seen)))
    }

    /// The attacker signs in with the password and the factor that was registered, if it was.
    fn try_sign_in(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        if !self.factor_registered {
            return None;
        }
        let serial = serial.to_string();
        let seen = SignIn {
            origin: &cast.acting,
            session_id: &scene.chance.uuid(&["attempt", "session", &serial]),
            ..SignIn::usual(&scene.users[cast.victim], OFFICE_HOME, at_us)
        };
        if seen.outcome.succeeded() {
            self.own_session_issued_us = Some(at_us);
        }
        let name = ["attempt", "sign-in", &serial];
        Some(Played::by(
            seen.outcome,
            scene.recorder.sign_in(&name, &seen),
        ))
    }

    fn mail_arrives(&mut self, victim: &User, at_us: i64) {
        self.mail_arrived += 1;
        let mut rules = victim.inbox_rules.iter();
        if rules.any(|rule| rule.enabled && rule.forwards_to().is_some()) {
            self.mail_forwarded += 1;
            self.last_forwarded_us = Some(at_us);
        }
    }
}
