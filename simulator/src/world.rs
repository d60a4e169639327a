//! The simulated world: people, their day, the attack, and what becomes visible of it when.
//!
//! Pure: a function of the seed, of simulated time and of the responses that it was told of.
//! It does not wait, and no wall clock reaches it.

pub(crate) mod attack;
pub(crate) mod chance;
pub(crate) mod day;
pub(crate) mod episodes;
pub(crate) mod moment;
pub(crate) mod outbox;
pub(crate) mod places;
pub(crate) mod records;
pub(crate) mod responses;
pub(crate) mod users;

use std::collections::BTreeMap;

use attack::{Attempt, Story, StoryStep};
use chance::Chance;
use day::Habit;
use day::applications::{self, Principal};
use day::company::Company;
use day::errands::Occasion;
use episodes::{Episode, Scene};
use moment::{HOUR_US, MINUTE_US, SECOND_US};
use outbox::{ContentType, DUPLICATE_AFTER_S_MAX, Feed, Outbox, Publication};
use places::Origin;
use records::TenantFacts;
use records::directory_audit::DirectoryAudit;
use records::mail_page::{self, MailPage};
use records::sign_in::{self, Manner, Outcome, SignIn};
use users::{DOMAIN, User};

use crate::config::{SimulatorConfig, StoryName};

/// Something that will happen at a planned time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happening {
    /// A person does something ordinary.
    Habit {
        user: usize,
        habit: Habit,
        serial: u32,
    },
    /// Somebody does what is done now and then, or what goes on from it.
    Errand(Occasion),
    /// An application signs in.
    Application { principal: usize, serial: u32 },
    /// The attacker takes a step.
    Step { step: StoryStep, serial: u32 },
    /// The attacker tries again.
    Attempt { attempt: Attempt, serial: u32 },
    /// A message reaches the victim.
    MailArrives,
    /// One of the other stories goes on.
    Scene { scene: Scene, serial: u32 },
}

/// The world at a simulated time.
pub(crate) struct World {
    pub(crate) tenant: TenantFacts,
    pub(crate) users: Vec<User>,
    pub(crate) story: Option<Story>,
    /// The other stories, in the order of the configuration.
    pub(crate) episodes: Vec<Episode>,
    pub(crate) now_us: i64,
    pub(crate) horizon_us: i64,
    /// When the day is over: what would happen later does not.
    ends_us: i64,
    chance: Chance,
    company: Company,
    principals: Vec<Principal>,
    agenda: BTreeMap<(i64, u64), Happening>,
    planned: u64,
    outbox: Outbox,
    responses: u64,
}

/// How long the day and the tail in which its records become visible last.
pub(crate) fn span_us(config: &SimulatorConfig) -> i64 {
    let latest_s = config
        .activity_lateness_s
        .max
        .max(config.risk_lateness_s.max)
        .max(config.event_hubs_lateness_s.max);
    i64::from(config.day_hours) * HOUR_US
        + (i64::from(latest_s) + DUPLICATE_AFTER_S_MAX) * SECOND_US
}

impl World {
    /// The world as the day begins, with everything planned.
    pub(crate) fn new(config: &SimulatorConfig, start_us: i64) -> Self {
        let chance = Chance::new(config.seed);
        let horizon_us = start_us + span_us(config);
        let end_us = start_us + i64::from(config.day_hours) * HOUR_US;
        let mut users = users::people(chance, config.users, start_us);
        let company = Company::of(chance, &mut users);
        let mut world = Self {
            tenant: TenantFacts {
                id: chance.uuid(&["tenant"]),
                domain: DOMAIN,
            },
            users,
            story: None,
            episodes: Vec::new(),
            now_us: start_us,
            horizon_us,
            ends_us: end_us,
            chance,
            principals: applications::principals(chance, company.people),
            company,
            agenda: BTreeMap::new(),
            planned: 0,
            outbox: Outbox::new(config, chance, start_us, horizon_us),
            responses: 0,
        };
        world.plan_day(config, start_us, end_us);
        for name in &config.stories {
            if *name == StoryName::AdversaryInTheMiddle {
                let begins_us = start_us + i64::from(config.story_after_minutes) * MINUTE_US;
                let victim = users::victim_index(chance, config.users);
                let attempt_every_us = i64::from(config.attempt_every_s) * SECOND_US;
                world.plan_story(victim, begins_us, end_us, attempt_every_us);
            } else {
                world.plan_episode(*name, start_us, end_us);
            }
        }
        world
    }

    /// Lets time pass and appends what became visible; time never runs back.
    pub(crate) fn advance(&mut self, to_us: i64, out: &mut Vec<Publication>) {
        self.pass(to_us);
        self.outbox.leave(self.now_us, out);
    }

    /// The same, with what became visible as single records.
    pub(crate) fn advance_singly(&mut self, to_us: i64) -> Vec<(Feed, String)> {
        self.pass(to_us);
        self.outbox.leave_singly(self.now_us)
    }

    fn pass(&mut self, to_us: i64) {
        while let Some(entry) = self.agenda.first_entry() {
            let (at_us, _) = *entry.key();
            if at_us > to_us {
                break;
            }
            let happening = entry.remove();
            self.now_us = self.now_us.max(at_us);
            self.perform(happening, at_us);
        }
        self.now_us = self.now_us.max(to_us);
    }

    /// Whether the day is over and everything of it is visible.
    pub(crate) fn is_complete(&self) -> bool {
        self.agenda.is_empty() && self.outbox.is_empty() && self.now_us >= self.horizon_us
    }

    fn perform(&mut self, happening: Happening, at_us: i64) {
        match happening {
            Happening::Habit {
                user,
                habit,
                serial,
            } => self.follow_habit(user, habit, serial, at_us),
            Happening::Errand(occasion) => self.run_errand(occasion, at_us),
            Happening::Application { principal, serial } => {
                self.application_signs_in(principal, serial, at_us);
            }
            Happening::Step { step, serial } => self.take_step(step, serial, at_us),
            Happening::Attempt { attempt, serial } => self.try_again(attempt, serial, at_us),
            Happening::MailArrives => self.mail_arrives(at_us),
            Happening::Scene { scene, serial } => self.play(scene, serial, at_us),
        }
    }

    fn plan(&mut self, at_us: i64, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((at_us, self.planned), happening);
    }

    /// Records a person's sign-in; returns the ids of the records.
    fn record_sign_in(
        &mut self,
        user: usize,
        origin: &Origin,
        name: &[&str],
        seen: &Seen<'_>,
    ) -> Vec<String> {
        let user = &self.users[user];
        record_sign_in(
            &mut self.outbox,
            &self.tenant,
            self.chance,
            user,
            origin,
            name,
            seen,
        )
    }
}

/// What is seen of a sign-in besides who and from where.
struct Seen<'a> {
    at_us: i64,
    app: places::App<'a>,
    outcome: Outcome,
    interactive: bool,
    session_id: &'a str,
    manner: Manner,
    /// Of the attempt to sign in that several records tell of; one of its own if none.
    correlation_id: Option<&'a str>,
}

/// Records a sign-in in Entra, and an interactive one in the unified audit log too; returns the ids of the records.
fn record_sign_in(
    outbox: &mut Outbox,
    tenant: &TenantFacts,
    chance: Chance,
    user: &User,
    origin: &Origin,
    name: &[&str],
    seen: &Seen<'_>,
) -> Vec<String> {
    let name = name.join("/");
    let id = chance.uuid(&["sign-in", &name]);
    let correlation_id = chance.uuid(&["correlation", &name]);
    let facts = SignIn {
        id: &id,
        at_us: seen.at_us,
        user,
        origin,
        app: seen.app,
        outcome: seen.outcome,
        interactive: seen.interactive,
        manner: seen.manner,
        session_id: seen.session_id,
        correlation_id: seen.correlation_id.unwrap_or(&correlation_id),
        token_id: &token_id(chance, &name),
    };
    let record = sign_in::user_sign_in(tenant, &facts);
    let mut ids = vec![id.clone()];
    if seen.interactive {
        let logon_id = chance.uuid(&["logon", &name]);
        let logon = sign_in::logon(tenant, &logon_id, &facts);
        outbox.send_to_activity(
            ContentType::AzureActiveDirectory,
            &logon_id,
            &logon,
            seen.at_us,
        );
        ids.push(logon_id);
    }
    outbox.send_to_hub(Feed::Signins, &id, record, seen.at_us);
    ids
}

/// Sends a page of messages that an application has read on its way; returns the ids of the records.
fn record_mail_page(
    outbox: &mut Outbox,
    tenant: &TenantFacts,
    facts: &MailPage<'_>,
) -> Vec<String> {
    let messages = mail_page::messages(tenant, facts);
    outbox.send_to_activity(ContentType::Exchange, facts.mail_id, &messages, facts.at_us);
    let request = mail_page::request(tenant, facts);
    outbox.send_to_hub(Feed::GraphActivity, facts.request_id, request, facts.at_us);
    vec![facts.mail_id.to_owned(), facts.request_id.to_owned()]
}

/// The unique token identifier of a sign-in, by its name.
fn token_id(chance: Chance, name: &str) -> String {
    chance.hex(&["token", name])[..22].to_owned()
}

/// Sends a directory audit on its way in both feeds; returns the ids of its records.
fn record_audit(
    outbox: &mut Outbox,
    tenant: &TenantFacts,
    chance: Chance,
    audit: &DirectoryAudit<'_>,
) -> Vec<String> {
    let id = record_diagnostic_audit(outbox, tenant, audit);
    let activity_id = chance.uuid(&["audit", &id]);
    let record = audit.activity(tenant, &activity_id);
    outbox.send_to_activity(
        ContentType::AzureActiveDirectory,
        &activity_id,
        &record,
        audit.at_us,
    );
    vec![id, activity_id]
}

/// The same for services of Entra that write no unified audit record; returns the id of the record.
fn record_diagnostic_audit(
    outbox: &mut Outbox,
    tenant: &TenantFacts,
    audit: &DirectoryAudit<'_>,
) -> String {
    let id = audit.id();
    let record = audit.diagnostic(tenant);
    outbox.send_to_hub(Feed::DirectoryAudits, &id, record, audit.at_us);
    id
}

#[cfg(test)]
mod tests;
