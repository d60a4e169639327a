//! A company has its errands, at their rates and in the shapes of the stories; a tenant of some dozens has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

use super::errands::RATES;
use super::plans::{DayEvent, Errand, Occasion};
use crate::config::{SimulatorConfig, StoryName};
use crate::export::START_US;
use crate::world::moment::{HOUR_US, MINUTE_US};
use crate::world::outbox::Feed;
use crate::world::{Happening, World, span_us};

/// People of a large company.
const PEOPLE: u32 = 5_000;

fn config(seed: u64, users: u32, stories: &[StoryName]) -> SimulatorConfig {
    SimulatorConfig {
        seed,
        users,
        stories: stories.to_vec(),
        // What people do all the time is of no interest here.
        ordinary_events_per_hour: 1,
        ..SimulatorConfig::default()
    }
}

/// The errands that are planned, with their times.
fn planned(world: &World) -> Vec<(i64, Occasion)> {
    world
        .agenda
        .iter()
        .filter_map(|(at_us, happening)| match happening {
            Happening::Day(DayEvent::Errand(occasion)) => Some((at_us, *occasion)),
            _ => None,
        })
        .collect()
}

fn id_of(record: &Value) -> String {
    ["/properties/id", "/properties/requestId", "/Id", "/id"]
        .iter()
        .find_map(|path| record.pointer(path)?.as_str())
        .unwrap()
        .to_owned()
}

/// The distinct records of a day, by id.
fn records(world: &mut World, config: &SimulatorConfig) -> BTreeMap<String, (Feed, Value)> {
    let all = world.advance_singly(START_US + span_us(config));
    assert!(world.is_complete());
    all.into_iter()
        .map(|(feed, line)| {
            let record: Value = serde_json::from_str(&line).unwrap();
            (id_of(&record), (feed, record))
        })
        .collect()
}

/// An ordinary day of [`PEOPLE`], which several tests look at.
fn large_day() -> &'static BTreeMap<String, (Feed, Value)> {
    static DAY: OnceLock<BTreeMap<String, (Feed, Value)>> = OnceLock::new();
    DAY.get_or_init(|| {
        let config = config(1, PEOPLE, &[]);
        records(&mut World::new(&config, START_US), &config)
    })
}

fn operation(record: &Value) -> &str {
    let named = record.get("operationName").or(record.get("Operation"));
    named.and_then(Value::as_str).unwrap_or_default()
}

/// How often an operation or a sign-in of some kind shows in a day of [`PEOPLE`].
const SHOWS: &[(Feed, &str, &str, std::ops::RangeInclusive<usize>)] = &[
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Consent to application",
        9..=11,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Add owner to application",
        1..=1,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Add service principal credentials",
        3..=3,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Add member to role completed (PIM activation)",
        12..=15,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Remove member from role (PIM activation expired)",
        6..=15,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Reset user password",
        20..=20,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "User registered security info",
        7..=20,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Invite external user",
        12..=13,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Redeem external user invite",
        4..=13,
    ),
    (Feed::DirectoryAudits, "/operationName", "Add user", 22..=37),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Change user license",
        30..=80,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Add member to group",
        20..=70,
    ),
    (
        Feed::DirectoryAudits,
        "/operationName",
        "Update conditional access policy",
        0..=1,
    ),
    (
        Feed::M365Activity,
        "/Operation",
        "Add-MailboxPermission",
        4..=4,
    ),
    (
        Feed::M365Activity,
        "/Operation",
        "Add-RecipientPermission",
        3..=3,
    ),
    (
        Feed::M365Activity,
        "/Operation",
        "Add-MailboxFolderPermission",
        15..=15,
    ),
    (Feed::M365Activity, "/Operation", "Set-Mailbox", 2..=3),
    (Feed::M365Activity, "/Operation", "New-InboxRule", 500..=620),
    (
        Feed::M365Activity,
        "/Operation",
        "CompanyLinkCreated",
        490..=500,
    ),
    (
        Feed::M365Activity,
        "/Operation",
        "AnonymousLinkCreated",
        28..=30,
    ),
    (Feed::M365Activity, "/Operation", "ChatCreated", 96..=100),
    (
        Feed::M365Activity,
        "/Operation",
        "FileSyncDownloadedFull",
        300..=1_600,
    ),
    (Feed::M365Activity, "/Operation", "FileDeleted", 600..=1_800),
    (
        Feed::Signins,
        "/properties/authenticationProtocol",
        "deviceCode",
        6..=6,
    ),
    (
        Feed::Signins,
        "/properties/clientAppUsed",
        "Authenticated SMTP",
        200..=200,
    ),
    (
        Feed::Signins,
        "/properties/ipAddress",
        "192.0.2.200",
        20..=400,
    ),
    (
        Feed::Signins,
        "/properties/deviceDetail/operatingSystem",
        "Ios 18.6",
        1_400..=1_530,
    ),
    (Feed::Signins, "/resultType", "50053", 5..=5),
    (
        Feed::Signins,
        "/properties/appDisplayName",
        "Azure Portal",
        12..=15,
    ),
    (Feed::Signins, "/resultType", "500121", 4..=4),
    (Feed::Signins, "/resultType", "65001", 10..=10),
];

#[test]
fn every_errand_shows_in_a_large_company_as_often_as_is_true_to_life() {
    let all = large_day();
    for (feed, path, value, bounds) in SHOWS {
        let count = all
            .values()
            .filter(|(of, record)| {
                of == feed && record.pointer(path).and_then(Value::as_str) == Some(value)
            })
            .count();
        assert!(bounds.contains(&count), "{value}: {count}");
    }
    let abroad: BTreeSet<String> = all
        .values()
        .filter(|(feed, _)| *feed == Feed::Signins)
        .filter(|(_, record)| {
            let country = record["properties"]["location"]["countryOrRegion"].as_str();
            matches!(
                country,
                Some("GB" | "ES" | "PL" | "IT" | "DK" | "US" | "SG" | "AE")
            ) && record["properties"]["userType"] == "Member"
        })
        .map(|(_, record)| record["properties"]["userPrincipalName"].to_string())
        .collect();
    assert!((50..=65).contains(&abroad.len()), "{}", abroad.len());
}

#[test]
fn an_application_that_keeps_mail_reads_with_the_token_of_its_sign_in() {
    let all = large_day();
    let of = |wanted: Feed| {
        all.values()
            .filter(move |(feed, _)| *feed == wanted)
            .map(|(_, record)| &record["properties"])
    };
    let tokens: BTreeSet<&str> = of(Feed::Signins)
        .filter_map(|one| one["uniqueTokenIdentifier"].as_str())
        .collect();
    let requests: Vec<&Value> = of(Feed::GraphActivity).collect();
    assert!((150..500).contains(&requests.len()), "{}", requests.len());
    for one in requests {
        assert!(tokens.contains(one["signInActivityId"].as_str().unwrap()));
        assert!(one["tokenIssuedAt"].as_str() < one["timeGenerated"].as_str());
    }
}

#[test]
fn who_takes_a_role_holds_it_until_it_expires() {
    let config = config(1, PEOPLE, &[]);
    let mut world = World::new(&config, START_US);
    let held = |world: &World| {
        world
            .scene
            .users
            .iter()
            .map(|user| user.roles.len())
            .sum::<usize>()
    };
    let always = held(&world);
    let mut most = 0;
    for hour in 1..=8 {
        world.advance_singly(START_US + hour * HOUR_US);
        most = most.max(held(&world));
    }
    assert!(most > always && held(&world) < most, "{always} {most}");
}

#[test]
fn errands_are_planned_at_their_rates() {
    let mut seen: BTreeSet<Errand> = BTreeSet::new();
    for seed in 1..=5 {
        let world = World::new(&config(seed, PEOPLE, &[]), START_US);
        let mut counts: BTreeMap<Errand, u64> = BTreeMap::new();
        for (_, occasion) in planned(&world) {
            *counts.entry(occasion.errand).or_default() += 1;
        }
        for rate in RATES.into_iter().flatten() {
            let count = counts.get(&rate.errand).copied().unwrap_or_default();
            let half = rate.times / 2;
            assert!(
                (half..=half + rate.times % 2).contains(&count),
                "{rate:?}: {count}"
            );
        }
        seen.extend(counts.keys());
    }
    assert_eq!(seen.len(), RATES.into_iter().flatten().count());
}

#[test]
fn a_tenant_of_some_dozens_has_no_errands_and_a_small_company_has_few() {
    for seed in 1..=20 {
        for users in [20, 40, 99] {
            let world = World::new(&config(seed, users, &[]), START_US);
            assert!(planned(&world).is_empty());
            assert_eq!(world.scene.service_principals.len(), 3);
        }
    }
    let mut rare = 0;
    for seed in 1..=20 {
        let world = World::new(&config(seed, 200, &[]), START_US);
        let administration = [
            Errand::GrantForEverybody,
            Errand::AddOwner,
            Errand::RotateSecret,
            Errand::ActivateRole,
            Errand::DelegateMailbox,
            Errand::EnforcePolicy,
        ];
        let of_them = |one: &(i64, Occasion)| administration.contains(&one.1.errand);
        rare += planned(&world).iter().filter(|one| of_them(one)).count();
    }
    // 29 times for ten thousand people: every other day for two hundred, in twenty days.
    assert!((4..=22).contains(&rare), "{rare}");
}

#[test]
fn newcomers_arrive_together_on_mondays_only() {
    let welcomes = |start_us: i64| {
        let world = World::new(&config(1, PEOPLE, &[]), start_us);
        let all = planned(&world);
        let those = all
            .iter()
            .filter(|(_, one)| one.errand == Errand::WelcomeNewcomers);
        those.map(|(at_us, _)| at_us - start_us).collect::<Vec<_>>()
    };
    let on_monday = welcomes(START_US);
    assert_eq!(on_monday.len(), 2);
    assert!(on_monday.iter().all(|after_us| *after_us < HOUR_US));
    assert!(welcomes(START_US + 24 * HOUR_US).is_empty());
}

#[test]
fn a_company_is_the_same_however_time_passes() {
    let config = config(3, 700, &StoryName::all());
    let end_us = START_US + span_us(&config);
    let once = World::new(&config, START_US).advance_singly(end_us);
    let mut world = World::new(&config, START_US);
    let mut often = Vec::new();
    for step in 1..=331 {
        often.extend(world.advance_singly(START_US + span_us(&config) * step / 331));
    }
    assert!(once == often);
    let ids: BTreeSet<String> = once
        .iter()
        .map(|(_, line)| id_of(&serde_json::from_str(line).unwrap()))
        .collect();
    assert!(ids.len() > 4_000, "{}", ids.len());
}

#[test]
fn who_flies_is_not_seen_until_there_has_been_time_to() {
    let world = World::new(&config(1, PEOPLE, &[]), START_US);
    let flights: Vec<(i64, String)> = planned(&world)
        .into_iter()
        .filter(|(_, one)| one.errand == Errand::Fly)
        .map(|(at_us, one)| (at_us, world.scene.users[one.person].id.clone()))
        .collect();
    assert_eq!(flights.len(), 15);
    let all = large_day();
    let mut arrived = 0;
    for (left_us, id) in &flights {
        let sign_ins = all.values().filter(|(feed, record)| {
            *feed == Feed::Signins && record["properties"]["userId"] == **id
        });
        for (_, record) in sign_ins {
            let properties = &record["properties"];
            let created = properties["createdDateTime"].as_str().unwrap();
            let at_us = schemas::time::parse_us(created).unwrap();
            let country = properties["location"]["countryOrRegion"].as_str().unwrap();
            // Servers of applications do not fly.
            if country == "IE" {
                continue;
            }
            let is_home = ["DE", "NL", "BE"].contains(&country);
            assert!(is_home == (at_us <= *left_us), "{record}");
            if !is_home {
                assert!(at_us - left_us >= 220 * MINUTE_US);
                arrived += 1;
            }
        }
    }
    assert!(arrived >= 15, "{arrived}");
}

#[test]
fn a_declined_prompt_is_followed_by_an_accepted_one_from_the_same_place() {
    let all = large_day();
    let prompted = |code: &str| -> BTreeSet<(String, String)> {
        all.values()
            .filter(|(feed, record)| *feed == Feed::Signins && record["resultType"] == code)
            .map(|(_, record)| &record["properties"])
            .map(|one| (one["userId"].to_string(), one["ipAddress"].to_string()))
            .collect()
    };
    let declined = prompted("500121");
    assert!(!declined.is_empty() && declined.is_subset(&prompted("0")));
}

/// What stories do that nobody does for a harmless reason on an ordinary day.
const STORIES_ONLY: &[&str] = &[
    "Add eligible member to role",
    "Add eligible member to role in PIM completed (permanent)",
    "Add eligible member to role in PIM requested (permanent)",
    "Add eligible member to role.",
    "Add unverified domain",
    "Add unverified domain.",
    "Set domain authentication",
    "Set domain authentication.",
    "Set federation settings on domain",
    "Set federation settings on domain.",
    "Set-AdminAuditLogConfig",
    "User Risk Detection",
    // The first story tells it in the unified audit log too; the service writes to diagnostic settings only.
    "User registered security info.",
    "Verify domain",
    "Verify domain.",
];

/// Names of the members of a record and of its properties.
fn members(record: &Value) -> BTreeSet<String> {
    let own = record.as_object().unwrap().keys().cloned();
    let properties = record["properties"].as_object();
    let inner = properties.into_iter().flat_map(|inner| inner.keys());
    own.chain(inner.map(|name| format!("properties.{name}")))
        .collect()
}

#[test]
fn what_the_stories_do_has_a_harmless_counterpart_with_the_same_fields() {
    // A day of this seed has every errand of administration.
    let seed = (1..20)
        .find(|seed| {
            let world = World::new(&config(*seed, PEOPLE, &[]), START_US);
            planned(&world)
                .iter()
                .any(|(_, one)| one.errand == Errand::EnforcePolicy)
        })
        .unwrap();
    let config = config(seed, PEOPLE, &StoryName::all());
    let mut world = World::new(&config, START_US);
    let all = records(&mut world, &config);
    let told: BTreeSet<&String> = world
        .performances
        .iter()
        .flat_map(|one| one.steps.iter().chain(one.attempts.iter().flatten()))
        .flat_map(|step| &step.record_ids)
        .collect();
    let mut ordinary: BTreeMap<&str, BTreeSet<BTreeSet<String>>> = BTreeMap::new();
    for (id, (_, record)) in &all {
        if !told.contains(id) {
            ordinary
                .entry(operation(record))
                .or_default()
                .insert(members(record));
        }
    }
    let mut without: BTreeSet<&str> = BTreeSet::new();
    for id in told {
        let Some((feed, record)) = all.get(id) else {
            continue;
        };
        let name = operation(record);
        match ordinary.get(name) {
            _ if *feed == Feed::GraphAlerts => {}
            None => {
                without.insert(name);
            }
            Some(shapes) => assert!(shapes.contains(&members(record)), "{name}: {record}"),
        }
    }
    assert_eq!(without.into_iter().collect::<Vec<_>>(), STORIES_ONLY);
}
