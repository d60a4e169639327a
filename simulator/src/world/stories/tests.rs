//! Each story shows its steps in order, with Microsoft's operations and codes, and stops at a blocked account.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::performance::{Happened, Performance};
use super::story::{Ending, Track};
use super::{STORIES, StoryName};
use crate::config::SimulatorConfig;
use crate::world::outbox::Feed;
use crate::world::responses::{ActingApplication, set_enabled};
use crate::world::users::{ADMINISTRATOR, UserKind};
use crate::world::{World, span_us};

mod consent_phishing;

const SEEDS: [u64; 2] = [1, 7];

fn config(seed: u64, stories: &[StoryName]) -> SimulatorConfig {
    SimulatorConfig {
        seed,
        stories: stories.to_vec(),
        ..SimulatorConfig::default()
    }
}

fn named(name: &str) -> [StoryName; 1] {
    [name.parse().unwrap()]
}

/// A world whose day is over, and its records by feed and id.
struct Day {
    seed: u64,
    world: World,
    records: BTreeMap<String, (Feed, Value)>,
}

impl Day {
    fn of(seed: u64, stories: &[StoryName]) -> Self {
        let config = config(seed, stories);
        let world = World::new(&config, 0);
        Self::finished(seed, world, span_us(&config))
    }

    fn finished(seed: u64, mut world: World, end_us: i64) -> Self {
        let mut records = BTreeMap::new();
        for (feed, line) in world.advance_singly(end_us) {
            let record: Value = serde_json::from_str(&line).unwrap();
            let id = ["/properties/id", "/properties/requestId", "/Id", "/id"]
                .iter()
                .find_map(|path| record.pointer(path)?.as_str().map(str::to_owned));
            records.insert(id.unwrap(), (feed, record));
        }
        Self {
            seed,
            world,
            records,
        }
    }

    fn performance(&self) -> &Performance {
        assert_eq!(self.world.performances.len(), 1, "seed {}", self.seed);
        &self.world.performances[0]
    }

    /// The records of steps by the step's name, in order.
    fn told(&self, what: &str) -> Vec<&Value> {
        let steps = self.steps(what);
        let ids = steps.iter().flat_map(|step| &step.record_ids);
        ids.map(|id| &self.records[id].1).collect()
    }

    fn steps(&self, what: &str) -> Vec<&Happened> {
        let all = self.performance().steps.iter();
        all.filter(|step| step.what == what).collect()
    }

    /// Names of the steps in the order of their first time; everything tells of the victim and of its time.
    fn order(&self) -> Vec<String> {
        let performance = self.performance();
        let mut order: Vec<String> = Vec::new();
        let mut last_us = performance.cast.begins_us;
        for step in &performance.steps {
            assert!(step.at_us >= last_us, "seed {}", self.seed);
            last_us = step.at_us;
            let name = step.what.to_owned();
            if !order.contains(&name) {
                order.push(name);
            }
            assert!(
                step.record_ids
                    .iter()
                    .all(|id| self.records.contains_key(id)),
                "seed {}: {step:?}",
                self.seed
            );
        }
        order
    }
}

fn texts(records: &[&Value], path: &str) -> Vec<String> {
    records
        .iter()
        .filter_map(|record| record.pointer(path)?.as_str().map(str::to_owned))
        .collect()
}

fn codes(records: &[&Value]) -> BTreeSet<u64> {
    records
        .iter()
        .filter_map(|record| record.pointer("/properties/status/errorCode")?.as_u64())
        .collect()
}

fn has_change(record: &Value, name: &str, part: &str) -> bool {
    let diagnostic = record.pointer("/properties/targetResources/0/modifiedProperties");
    let changes = record.get("ModifiedProperties").or(diagnostic);
    changes.unwrap().as_array().unwrap().iter().any(|change| {
        (change["Name"] == name || change["displayName"] == name)
            && [&change["NewValue"], &change["newValue"]]
                .iter()
                .any(|value| value.as_str().is_some_and(|text| text.contains(part)))
    })
}

#[test]
fn a_spray_tries_everybody_and_one_password_fits_without_a_second_factor() {
    for seed in SEEDS {
        let day = Day::of(seed, &named("password_spray"));
        let names = ["password_tried", "signed_in", "mail_read", "mail_sent"];
        assert_eq!(day.order(), names, "seed {seed}");
        let tried = day.told("password_tried");
        let refusals = [50_034, 50_053, 50_055, 50_126];
        assert_eq!(codes(&tried), BTreeSet::from(refusals), "seed {seed}");
        let persons = day
            .world
            .scene
            .users
            .iter()
            .filter(|user| user.kind != UserKind::Guest);
        let names: BTreeSet<String> = texts(&tried, "/properties/userPrincipalName")
            .into_iter()
            .collect();
        for person in persons {
            assert!(names.contains(&person.principal_name), "seed {seed}");
        }
        let addresses: BTreeSet<String> =
            texts(&tried, "/properties/ipAddress").into_iter().collect();
        assert_eq!(addresses.len(), 4);
        let first: BTreeSet<String> = day.steps("password_tried")[..day.world.scene.users.len()]
            .iter()
            .map(|step| &day.records[&step.record_ids[0]].1["properties"]["ipAddress"])
            .map(Value::to_string)
            .collect();
        assert_eq!(first.len(), 1, "the first round comes from one address");
        let found = day.told("signed_in");
        let properties = &found[0]["properties"];
        assert_eq!(properties["authenticationProtocol"], "ropc");
        assert_eq!(
            properties["authenticationRequirement"],
            "singleFactorAuthentication"
        );
        assert_eq!(properties["clientAppUsed"], "IMAP4");
        assert_eq!(found[1]["Operation"], "UserLoggedIn");
        for record in day.told("mail_read") {
            assert_eq!(record["ClientIPAddress"], properties["ipAddress"]);
            assert_eq!(record["OperationProperties"][0]["Value"], "Sync");
        }
    }
}

#[test]
fn fatigue_sends_prompts_until_one_is_accepted_and_registers_a_factor() {
    for seed in SEEDS {
        let day = Day::of(seed, &named("mfa_fatigue"));
        let names = ["prompt_sent", "prompt_accepted", "security_info_registered"];
        assert_eq!(day.order(), names, "seed {seed}");
        let prompts = day.told("prompt_sent");
        let asked = [50_074, 50_076, 500_121];
        assert_eq!(codes(&prompts), BTreeSet::from(asked), "seed {seed}");
        let details: BTreeSet<String> = texts(&prompts, "/properties/status/additionalDetails")
            .into_iter()
            .collect();
        assert!(details.contains("MFA denied; user declined the authentication"));
        assert!(details.iter().any(|text| text.contains("did not respond")));
        let errors: BTreeSet<String> = texts(&prompts, "/LogonError").into_iter().collect();
        assert!(errors.contains("AuthenticationFailedSasError"));
        let steps = day.steps("prompt_sent");
        assert!(steps.len() >= 15);
        assert!(steps[steps.len() - 1].at_us - steps[0].at_us <= 20 * 60_000_000);
        // Question and answer of one prompt belong together.
        let one: BTreeSet<String> = texts(&prompts[..4], "/correlationId").into_iter().collect();
        assert_eq!(one.len(), 1, "seed {seed}");
        let accepted = day.steps("prompt_accepted")[0];
        assert_eq!(
            (accepted.ending, accepted.error_code),
            (Ending::Succeeded, 0)
        );
        let registered = day.told("security_info_registered");
        assert_eq!(
            texts(&registered, "/operationName"),
            ["User registered security info", "Update user"]
        );
        assert_eq!(texts(&registered, "/Operation"), ["Update user."]);
    }
}

/// A step, its operations in diagnostic settings, and those in the unified audit log.
type Operations = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const ADMINISTRATION: [Operations; 8] = [
    ("signed_in", &["Sign-in activity"], &["UserLoggedIn"]),
    (
        "credential_added",
        &[
            "Update application – Certificates and secrets management ",
            "Add service principal credentials",
        ],
        &[
            "Update application – Certificates and secrets management ",
            "Add service principal credentials.",
        ],
    ),
    (
        "role_member_added",
        &["Add member to role"],
        &["Add member to role."],
    ),
    (
        "role_made_eligible",
        &[
            "Add eligible member to role in PIM requested (permanent)",
            "Add eligible member to role in PIM completed (permanent)",
            "Add eligible member to role",
        ],
        &["Add eligible member to role."],
    ),
    (
        "conditional_access_changed",
        &["Update conditional access policy", "Update policy"],
        &["Update policy."],
    ),
    ("audit_log_switched_off", &[], &["Set-AdminAuditLogConfig"]),
    (
        "domain_federated",
        &[
            "Add unverified domain",
            "Verify domain",
            "Set domain authentication",
            "Set federation settings on domain",
        ],
        &[
            "Add unverified domain.",
            "Verify domain.",
            "Set domain authentication.",
            "Set federation settings on domain.",
        ],
    ),
    ("credential_used", &["Sign-in activity"; 3], &[]),
];

#[test]
fn a_rogue_administrator_opens_back_doors_and_switches_off_the_log() {
    for seed in SEEDS {
        let day = Day::of(seed, &named("rogue_administrator"));
        assert_eq!(day.performance().cast.victim, ADMINISTRATOR);
        assert_eq!(
            day.order(),
            ADMINISTRATION.map(|(step, ..)| step),
            "seed {seed}"
        );
        for (step, diagnostic, unified) in ADMINISTRATION {
            let records = day.told(step);
            assert_eq!(texts(&records, "/operationName"), diagnostic, "seed {seed}");
            assert_eq!(texts(&records, "/Operation"), unified, "seed {seed}");
        }
        let role = day.told("role_member_added");
        assert!(has_change(
            role[0],
            "Role.DisplayName",
            "\"Global Administrator\""
        ));
        assert!(has_change(role[1], "Role.TemplateId", "62e90394"));
        let policy = day.told("conditional_access_changed")[0];
        let change = &policy["properties"]["targetResources"][0]["modifiedProperties"][0];
        let old: Value = serde_json::from_str(change["oldValue"].as_str().unwrap()).unwrap();
        assert_eq!(old["conditions"]["users"]["excludeUsers"], json!([]));
        assert!(has_change(
            policy,
            "ConditionalAccessPolicy",
            "\"excludeUsers\":[\""
        ));
        let federated = day.told("domain_federated");
        assert!(has_change(federated[4], "LiveType", "[\"Federated\"]"));
        let log = day.told("audit_log_switched_off")[0];
        assert_eq!(
            log["Parameters"],
            json!([{"Name": "UnifiedAuditLogIngestionEnabled", "Value": "False"}])
        );
        let key = &day.told("credential_used")[0]["properties"]["servicePrincipalCredentialKeyId"];
        let added = day.told("credential_added");
        assert!(has_change(
            added[0],
            "KeyDescription",
            key.as_str().unwrap()
        ));
    }
}

#[test]
fn a_leaver_takes_shares_forwards_and_deletes() {
    for seed in SEEDS {
        let day = Day::of(seed, &named("mass_exfiltration"));
        let names = [
            "signed_in",
            "file_downloaded",
            "link_created",
            "forwarding_set",
            "file_deleted",
        ];
        assert_eq!(day.order(), names, "seed {seed}");
        let downloads = day.told("file_downloaded");
        assert!(downloads.len() > 300);
        let first = day.steps("file_downloaded");
        assert!(first[first.len() - 1].at_us - first[0].at_us < 3_600_000_000);
        let workloads: BTreeSet<String> = texts(&downloads, "/Workload").into_iter().collect();
        assert_eq!(
            workloads.into_iter().collect::<Vec<_>>(),
            ["OneDrive", "SharePoint"]
        );
        let links: BTreeSet<String> = texts(&day.told("link_created"), "/Operation")
            .into_iter()
            .collect();
        assert_eq!(
            links.into_iter().collect::<Vec<_>>(),
            ["AnonymousLinkCreated", "SharingSet"]
        );
        assert!(
            day.told("link_created")
                .iter()
                .all(|record| record["RecordType"] == 14)
        );
        let forwarding = day.told("forwarding_set")[0];
        assert_eq!(forwarding["Operation"], "Set-Mailbox");
        assert_eq!(forwarding["Parameters"][1]["Name"], "ForwardingSmtpAddress");
        let deleted = texts(&day.told("file_deleted"), "/Operation");
        assert!(deleted.len() > 100 && deleted.iter().all(|name| name == "FileDeleted"));
    }
}

#[test]
fn every_story_has_a_person_of_its_own_and_leaves_the_others_as_they_are() {
    for seed in SEEDS {
        let all = Day::of(seed, &StoryName::all());
        let casts = || all.world.performances.iter().map(|one| &one.cast);
        let victims: BTreeSet<usize> = casts().map(|cast| cast.victim).collect();
        assert_eq!(victims.len(), STORIES.len(), "seed {seed}");
        let ordinary = Day::of(seed, &[]);
        for (id, (feed, record)) in &ordinary.records {
            // Only `time` may differ: of two deliveries the later is kept.
            let (same_feed, same) = &all.records[id];
            assert_eq!((feed, record), (same_feed, same), "seed {seed}");
        }
        let begins: BTreeSet<i64> = casts().map(|cast| cast.begins_us).collect();
        assert_eq!(begins.len(), STORIES.len(), "seed {seed}");
    }
}

#[test]
fn a_blocked_account_ends_its_story() {
    let actor = ActingApplication {
        name: "responder",
        app_id: "app",
        principal_id: "principal",
    };
    let others = StoryName::all()
        .into_iter()
        .filter(|name| *name != StoryName::ADVERSARY_IN_THE_MIDDLE);
    for name in others {
        let config = config(1, &[name]);
        let mut world = World::new(&config, 0);
        let cast = &world.performances[0].cast;
        let (victim, begins_us) = (cast.victim, cast.begins_us);
        world.advance_singly(begins_us - 1);
        set_enabled(&mut world.scene, victim, false, actor);
        let day = Day::finished(1, world, span_us(&config));
        let of_victim: Vec<&Happened> = day
            .performance()
            .steps
            .iter()
            .filter(|step| !step.record_ids.is_empty())
            .filter(|step| {
                let (_, record) = &day.records[&step.record_ids[0]];
                record["properties"]["userId"] == day.world.scene.users[victim].id
            })
            .collect();
        assert!(!of_victim.is_empty(), "{name}");
        assert!(
            of_victim.iter().all(|step| step.error_code == 50_057),
            "{name}"
        );
        assert!(
            day.performance()
                .steps
                .iter()
                .all(|step| step.ending == Ending::Failed),
            "{name}"
        );
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for story in StoryName::all() {
        assert_eq!(story.to_string().parse::<StoryName>().unwrap(), story);
        assert_eq!(json!(story), story.name());
        let read: StoryName = serde_json::from_value(json!(story)).unwrap();
        assert_eq!(read, story);
    }
    let refusal = "spray".parse::<StoryName>().unwrap_err().to_string();
    assert!(refusal.contains("\"spray\"") && refusal.contains("password_spray"));
}

/// What is listed of a story is what happens: every phase once, and in a day that nobody disturbs each is reached.
#[test]
fn every_story_is_listed_with_its_phases() {
    for entry in STORIES {
        assert!(entry.sentence.ends_with('.'), "{}", entry.name);
        let phases = entry.phases();
        let names: BTreeSet<&str> = phases.iter().map(|phase| phase.name).collect();
        assert_eq!(names.len(), phases.len(), "{}", entry.name);
        let day = Day::of(1, &[entry.name]);
        let performance = day.performance();
        let attempts = performance.attempts.iter().flatten();
        let taken: BTreeSet<&str> = performance
            .steps
            .iter()
            .chain(attempts)
            .map(|one| one.what)
            .collect();
        let told = phases.iter().filter(|phase| phase.track != Track::Untold);
        let told: BTreeSet<&str> = told.map(|phase| phase.name).collect();
        assert_eq!(taken, told, "{}", entry.name);
    }
}
