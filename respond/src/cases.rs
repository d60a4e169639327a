//! Pure: which case an alert belongs to, and which actions follow from the case.
//!
//! An alert is made whole before it is placed ([`crate::accounts`]); what could not be, opens a case of its own,
//! and the cases are merged once somebody says that they are about one account ([`joins`]).

mod evidence;
mod join;
mod plan;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use schemas::alert::AlertState;
use schemas::case::CaseStatus;
use schemas::ids;
use schemas::provenance::Provenance;
use schemas::severity::Severity;
use schemas::wire;
use schemas::word::UnknownWord;

use crate::accounts::{self, named::Named};
use crate::action::ActionKind;
use crate::playbook::Playbook;

pub use self::join::{Join, joins};
pub use self::plan::{approvals, new_record, next_round, plan, superseded, withdrawn};

/// Most alerts that a case carries and its message names, the newest; all of them are rows of the journal, and counted.
pub const CASE_ALERTS_MAX: usize = 100;

/// Most alerts of a case that start another round of an action: an attacker must not make us act for ever.
pub const ROUNDS_MAX: u32 = 8;

const HOUR_US: i64 = 3_600_000_000;

/// What the configuration says about cases and plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Alerts of at least this severity open a case; lower ones join one.
    pub case_severity_min: Severity,
    /// How far from the case's first alert another one may lie, in microseconds.
    pub window_us: i64,
    /// Actions that need no person's approval.
    pub automatic: Vec<ActionKind>,
    /// Age of an alert's events beyond which a person decides after all, in microseconds: an export of last year
    /// that somebody imports must not block anybody today.
    pub automatic_age_us_max: i64,
    /// Plan only.
    pub dry_run: bool,
}

impl Policy {
    /// An age of this many hours.
    pub fn age_of_hours(hours: u64) -> i64 {
        i64::try_from(hours)
            .unwrap_or(i64::MAX)
            .saturating_mul(HOUR_US)
    }

    /// A window of this many hours, at least one.
    pub fn window_of_hours(hours: u64) -> i64 {
        i64::try_from(hours)
            .unwrap_or(i64::MAX)
            .clamp(1, 24 * 365)
            .saturating_mul(HOUR_US)
    }
}

/// Everything that decides what an alert leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    /// What the configuration says.
    pub policy: Policy,
    /// The playbooks, in order.
    pub playbooks: Vec<Playbook>,
    /// Tenants in which something can be done; in all others plans stay plans.
    pub acting_tenants: BTreeSet<String>,
}

impl Intake {
    /// The policy for a tenant.
    pub fn policy(&self, tenant_id: &str) -> Policy {
        let mut policy = self.policy.clone();
        policy.dry_run |= !self.acting_tenants.contains(tenant_id);
        policy
    }
}

/// An alert as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenAlert {
    /// Its id.
    pub alert_id: String,
    /// The tenant.
    pub tenant_id: String,
    /// Its label.
    pub label: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: Severity,
    /// What became of it.
    pub state: AlertState,
    /// User principal name in lower case, or empty.
    pub user: String,
    /// Object id in lower case, or empty.
    pub user_id: String,
    /// When it happened, as far as known, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
    /// When the first of its events was accepted.
    pub accepted_time_us: i64,
    /// Where its evidence came from, by the word of [`Provenance`]; empty where that is not known.
    #[serde(default)]
    pub provenance: String,
    /// Whom it names in its own words; none in a journal from before these were kept.
    #[serde(default)]
    pub told: Option<Named>,
}

impl SeenAlert {
    /// What respond keeps of an alert.
    ///
    /// # Errors
    /// [`UnknownWord`] if its state or its severity is none.
    pub fn of(alert: &wire::Alert) -> Result<Self, UnknownWord> {
        let times = [
            alert.first_event_time_us,
            alert.accepted_time_us,
            alert.detected_time_us,
        ];
        let user = accounts::told_name(&alert.user);
        let user_id = accounts::told_id(&alert.user_id);
        let time_us = times.into_iter().find(|time_us| *time_us > 0).unwrap_or(0);
        Ok(Self {
            alert_id: alert.alert_id.clone(),
            tenant_id: alert.tenant_id.to_ascii_lowercase(),
            label: alert.label.clone(),
            title: alert.title.clone(),
            severity: alert.severity.parse()?,
            state: alert.state.parse()?,
            provenance: alert.provenance.clone(),
            told: Some(Named {
                user: user.clone(),
                user_id: user_id.clone(),
                time_us,
            }),
            user,
            user_id,
            time_us,
            accepted_time_us: alert.accepted_time_us,
        })
    }

    /// Where its evidence came from.
    pub fn provenance(&self) -> Provenance {
        self.provenance.parse().unwrap_or_default()
    }

    /// Whether it counts: it was not taken back, by its rule or by whoever resolved it at Microsoft.
    pub fn stands(&self) -> bool {
        self.state.stands()
    }

    /// Whom it names: in its own words, or as it was kept where those were not.
    pub fn named(&self) -> Named {
        self.told.clone().unwrap_or_else(|| Named {
            user: self.user.clone(),
            user_id: self.user_id.clone(),
            time_us: self.time_us,
        })
    }

    fn is_about_nobody(&self) -> bool {
        self.user.is_empty() && self.user_id.is_empty()
    }
}

/// A case with its alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Hash of tenant, account and window.
    pub case_id: String,
    /// The tenant.
    pub tenant_id: String,
    /// User principal name, or empty.
    pub user: String,
    /// Object id, or empty.
    pub user_id: String,
    /// Highest severity of its alerts.
    pub severity: Severity,
    /// How it stands.
    pub status: CaseStatus,
    /// The newest of its alerts, at most [`CASE_ALERTS_MAX`], in the order of their arrival.
    pub alerts: Vec<SeenAlert>,
    /// How many alerts it has; 0 where a journal of before did not count, and all of them are there.
    #[serde(default)]
    pub alerts_count: u64,
    /// The labels of all its alerts.
    #[serde(default)]
    pub labels: BTreeSet<String>,
    /// Alerts that it has taken since it was read, to be kept as its own.
    #[serde(skip)]
    pub taken: Vec<SeenAlert>,
    /// Time of the alert that opened it.
    pub anchor_time_us: i64,
    /// When it was opened.
    pub opened_time_us: i64,
    /// When it last changed.
    pub changed_time_us: i64,
    /// Counts changes from 1.
    pub revision: u64,
    /// For a person.
    pub title: String,
    /// Id of the older case that goes on in its place, once both were known to be about one account; or none.
    #[serde(default)]
    pub merged_into: Option<String>,
}

impl Case {
    /// The account: object id, or user principal name where no id is known.
    pub fn entity(&self) -> &str {
        if self.user_id.is_empty() {
            &self.user
        } else {
            &self.user_id
        }
    }

    /// What travels.
    pub fn to_wire(&self) -> wire::Case {
        wire::Case {
            case_id: self.case_id.clone(),
            tenant_id: self.tenant_id.clone(),
            entity: self.entity().to_owned(),
            severity: self.severity.as_str().to_owned(),
            status: self.status.to_string(),
            alert_ids: self
                .alerts
                .iter()
                .map(|alert| alert.alert_id.clone())
                .collect(),
            opened_time_us: self.opened_time_us,
            changed_time_us: self.changed_time_us,
            revision: self.revision,
            title: self.title.clone(),
            alerts: self.alerts_count(),
        }
    }

    /// How many alerts it has.
    pub fn alerts_count(&self) -> u64 {
        self.alerts_count.max(self.alerts.len() as u64)
    }

    /// The labels of its alerts.
    pub fn labels(&self) -> BTreeSet<&str> {
        let newest = self.alerts.iter().map(|alert| alert.label.as_str());
        self.labels
            .iter()
            .map(String::as_str)
            .chain(newest)
            .collect()
    }

    /// Whether an alert is about this case's account, within its window.
    ///
    /// A case that was merged takes nothing: the other one does.
    pub fn takes(&self, alert: &SeenAlert, window_us: i64) -> bool {
        self.merged_into.is_none()
            && self.is_about(alert)
            && alert.time_us.abs_diff(self.anchor_time_us) <= window_us.unsigned_abs()
    }

    /// Whether an alert is about this case's account, at whatever time.
    ///
    /// The object id goes before the name, because a name may pass to another account.
    fn is_about(&self, alert: &SeenAlert) -> bool {
        let same_name = !alert.user.is_empty() && alert.user == self.user;
        let same_id = !alert.user_id.is_empty() && alert.user_id == self.user_id;
        alert.tenant_id == self.tenant_id
            && !accounts::are_two(&alert.user_id, &self.user_id)
            && (same_name || same_id)
    }

    /// Adds what came before `alert` and was not grave enough to open a case, or did not know whose it was.
    fn add_waiting(&mut self, alert: &SeenAlert, waiting: &[SeenAlert], policy: &Policy) {
        self.learn(&alert.user, &alert.user_id);
        for earlier in waiting
            .iter()
            .filter(|earlier| earlier.alert_id != alert.alert_id)
        {
            if self.takes(earlier, policy.window_us) {
                self.add(earlier.clone(), false);
            }
        }
    }

    /// Keeps the half of the account that was not known.
    fn learn(&mut self, user: &str, user_id: &str) {
        if self.user.is_empty() {
            user.clone_into(&mut self.user);
        }
        if self.user_id.is_empty() {
            user_id.clone_into(&mut self.user_id);
        }
    }

    /// Takes an alert; one that is its own already says something new.
    fn add(&mut self, alert: SeenAlert, is_own: bool) {
        self.learn(&alert.user, &alert.user_id);
        self.severity = self.severity.max(alert.severity);
        self.alerts_count = self.alerts_count() + u64::from(!is_own);
        if !self.labels.contains(&alert.label) {
            self.labels.insert(alert.label.clone());
        }
        self.taken.push(alert.clone());
        self.carry(alert);
    }

    /// Keeps an alert among the newest.
    fn carry(&mut self, alert: SeenAlert) {
        match self
            .alerts
            .iter_mut()
            .find(|known| known.alert_id == alert.alert_id)
        {
            Some(known) => *known = alert,
            None => self.alerts.push(alert),
        }
        let beyond = self.alerts.len().saturating_sub(CASE_ALERTS_MAX);
        self.alerts.drain(..beyond);
    }
}

/// Identity of a case: the same alerts open the same case, however often they arrive.
///
/// The name goes before the object id because every source knows it.
fn case_id(alert: &SeenAlert, window_us: i64) -> String {
    let window = alert.time_us.div_euclid(window_us.max(1));
    let (kind, account): (&[u8], &str) = if alert.is_about_nobody() {
        (b"alert", &alert.alert_id)
    } else if alert.user.is_empty() {
        (b"id", &alert.user_id)
    } else {
        (b"name", &alert.user)
    };
    ids::hex(&[
        b"case",
        alert.tenant_id.as_bytes(),
        kind,
        account.as_bytes(),
        &window.to_le_bytes(),
    ])
}

/// What the journal knows when an alert arrives.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The same alert as it was seen before, with its case.
    pub alert: Option<(SeenAlert, Option<String>)>,
    /// Cases of the account, newest first.
    pub cases: Vec<Case>,
    /// Alerts of the account that have no case.
    pub waiting: Vec<SeenAlert>,
}

/// What an alert changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was seen before and says nothing new.
    Nothing,
    /// It is kept, without a case.
    Wait,
    /// The case as it stands now, with the alert in it.
    Case(Box<Case>),
}

/// Decides what an alert changes.
pub fn place(alert: &SeenAlert, known: &Known, policy: &Policy, now_us: i64) -> Change {
    match home(alert, known, policy) {
        Home::Known => Change::Nothing,
        Home::None => Change::Wait,
        Home::New => Change::Case(Box::new(open(alert, known, policy, now_us))),
        Home::Case(case) => {
            let has_own = matches!(&known.alert, Some((_, Some(_))));
            let mut case = case.clone();
            case.add_waiting(alert, &known.waiting, policy);
            case.add(alert.clone(), has_own);
            case.revision += 1;
            case.changed_time_us = now_us;
            Change::Case(Box::new(case))
        }
    }
}

/// Whether [`place`] puts an alert into a case, and so has to know which alerts wait for one.
pub fn takes_waiting(alert: &SeenAlert, known: &Known, policy: &Policy) -> bool {
    matches!(home(alert, known, policy), Home::Case(_) | Home::New)
}

/// Where an alert belongs.
enum Home<'a> {
    /// It says nothing new.
    Known,
    /// Into this case.
    Case(&'a Case),
    /// Into one of its own.
    New,
    /// Into none, until one takes it in.
    None,
}

fn home<'a>(alert: &SeenAlert, known: &'a Known, policy: &Policy) -> Home<'a> {
    let seen = known.alert.as_ref();
    if seen.is_some_and(|(seen, _)| says_the_same(seen, alert)) {
        return Home::Known;
    }
    let own = seen.and_then(|(_, case_id)| case_id.as_deref());
    let case = known.cases.iter().find(|case| {
        own.map_or_else(
            || case.takes(alert, policy.window_us),
            |own| case.case_id == own,
        )
    });
    match case {
        Some(case) => Home::Case(case),
        None if alert.severity >= policy.case_severity_min && alert.stands() => Home::New,
        None => Home::None,
    }
}

/// An alert says something new if its state or its severity differs.
fn says_the_same(seen: &SeenAlert, alert: &SeenAlert) -> bool {
    seen.state == alert.state && seen.severity == alert.severity
}

fn open(alert: &SeenAlert, known: &Known, policy: &Policy, now_us: i64) -> Case {
    let mut case_id = case_id(alert, policy.window_us);
    if known.cases.iter().any(|case| case.case_id == case_id) {
        // The name was another account's within the window, or that case was merged: neither is written over.
        case_id = ids::hex(&[b"case", case_id.as_bytes(), alert.alert_id.as_bytes()]);
    }
    let mut case = Case {
        case_id,
        tenant_id: alert.tenant_id.clone(),
        user: alert.user.clone(),
        user_id: alert.user_id.clone(),
        severity: alert.severity,
        status: CaseStatus::New,
        alerts: Vec::new(),
        alerts_count: 0,
        labels: BTreeSet::new(),
        taken: Vec::new(),
        anchor_time_us: alert.time_us,
        opened_time_us: now_us,
        changed_time_us: now_us,
        revision: 1,
        title: if alert.is_about_nobody() {
            alert.title.clone()
        } else {
            let account = if alert.user.is_empty() {
                &alert.user_id
            } else {
                &alert.user
            };
            format!("{}: {account}", alert.title)
        },
        merged_into: None,
    };
    case.add_waiting(alert, &known.waiting, policy);
    case.add(alert.clone(), false);
    case
}

#[cfg(test)]
mod tests;
