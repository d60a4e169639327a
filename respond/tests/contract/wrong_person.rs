//! The right person or nobody: thousands of generated worlds in which names pass on, swap, look alike and lie.
//!
//! What is true stands beside each alert; respond sees the alert, the journal and the directory only. A world fails
//! if a change is sent to an account that no alert of its case is truly about, or that must never be touched.
//! `VEDETTE_WORLDS` and `VEDETTE_SEED` change how many there are and which.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use respond::accounts::{Half, Pair, told_name};
use respond::action::ActionKind;
use respond::cases::{Intake, Policy, SeenAlert};
use respond::directory::DirectoryReads as _;
use respond::effects::Gates;
use respond::executor::{Executor, Pace, Progress};
use respond::journal::sqlite::SqliteJournal;
use respond::journal::{Journal, Ledger};
use respond::never_act::Pin;
use respond::playbook;
use respond::preflight;
use respond::record::State;
use schemas::severity::Severity;
use schemas::wire::Alert;
use tokio_util::sync::CancellationToken;

use crate::town::{Resident, Town};
use crate::world::{Hand, T0};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Numbers by seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.roll(count as u64)).unwrap()
    }

    fn hours(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from((to - from) * 60).unwrap();
        from * HOUR + i64::try_from(self.roll(width)).unwrap() * 60_000_000
    }
}

/// An alert, when it comes, and whom it is truly about; nobody if it lies.
struct Told {
    arrives_us: i64,
    alert: Alert,
    about: Option<String>,
}

struct Generated {
    tenant_id: String,
    residents: Vec<Resident>,
    is_lenient: bool,
    never_act: BTreeSet<String>,
    /// The list, by the names of when it was first looked up.
    pins: Vec<Pin>,
    pairs: Vec<Pair>,
    told: Vec<Told>,
    runs_us: i64,
    /// A name passed on between what an alert by name tells and its arrival, and nothing in the world says so.
    is_blind: bool,
}

fn id(number: usize) -> String {
    format!("1f00aaaa-0000-4000-8000-{number:012x}")
}

/// Accounts that may be taken for one another.
fn residents(dice: &mut Dice) -> Vec<Resident> {
    let names = [
        "kim.smith@b.test",
        "ada@b.test",
        "\u{212a}im.smith@b.test",
        "аda@b.test",
        "zo\u{eb}@b.test",
        "zoe\u{308}@b.test",
        "x_y.test#EXT#@b.test",
        "x_y.test@b.test",
        "Bo.Jones@b.test",
    ];
    let first = dice.place(names.len());
    let count = 3 + dice.place(4);
    (0..count)
        .map(|number| {
            let name = names[(first + number) % names.len()];
            Resident::new(&id(number + 1), T0 - 400 * DAY, name)
        })
        .collect()
}

/// Names pass on: somebody is renamed, two swap, somebody leaves and the name is given again.
fn live(dice: &mut Dice, residents: &mut Vec<Resident>) {
    for _ in 0..dice.roll(4) {
        // Long ago, of late, or right now.
        let at_us = match dice.roll(3) {
            0 => T0 - dice.hours(24, 24 * 90),
            1 => T0 - dice.hours(0, 24),
            _ => T0 + dice.hours(0, 6),
        };
        let (one, other) = (dice.place(residents.len()), dice.place(residents.len()));
        let Some(name) = residents[one].name_at(at_us).map(str::to_owned) else {
            continue;
        };
        if residents[one].names.last().unwrap().0 >= at_us {
            continue;
        }
        match dice.roll(3) {
            0 => {
                let new = format!("new{}@b.test", dice.roll(1_000));
                residents[one].names.push((at_us, new));
            }
            1 => {
                let theirs = residents[other].name_at(at_us).map(str::to_owned);
                if let Some(theirs) = theirs
                    && one != other
                    && residents[other].names.last().unwrap().0 < at_us
                {
                    residents[one].names.push((at_us, theirs));
                    residents[other].names.push((at_us, name));
                }
            }
            _ => {
                residents[one].left_us = Some(at_us);
                let number = residents.len() + 1;
                residents.push(Resident::new(&id(number), at_us + dice.hours(0, 2), &name));
            }
        }
    }
}

/// Whether no two have one name at one time, as in every directory.
fn are_distinct(residents: &[Resident]) -> bool {
    let changes = residents.iter().flat_map(|one| {
        let named = one.names.iter().map(|(since_us, _)| *since_us);
        named.chain(one.left_us)
    });
    changes.into_iter().all(|time_us| {
        let names: Vec<String> = residents
            .iter()
            .filter_map(|one| one.name_at(time_us).map(str::to_lowercase))
            .collect();
        names.iter().collect::<BTreeSet<_>>().len() == names.len()
    })
}

fn alert(tenant_id: &str, name: &str, user_id: &str, time_us: i64, number: u64) -> Alert {
    Alert {
        alert_id: format!("a{number}"),
        tenant_id: tenant_id.to_owned(),
        label: "SAAS-M365-00001".to_owned(),
        title: "Inbox rule hides mail".to_owned(),
        severity: "high".to_owned(),
        user: name.to_owned(),
        user_id: user_id.to_owned(),
        first_event_time_us: time_us,
        accepted_time_us: time_us,
        state: "raised".to_owned(),
        provenance: "live".to_owned(),
        ..Alert::default()
    }
}

/// Whether the name of somebody meant another account at one of two times: then the name alone says too little.
fn passed_on(residents: &[Resident], name: &str, from_us: i64, to_us: i64) -> bool {
    let holders = |time_us: i64| -> Vec<&str> {
        residents
            .iter()
            .filter(|one| {
                one.name_at(time_us)
                    .is_some_and(|now| now.to_lowercase() == name.to_lowercase())
            })
            .map(|one| one.id.as_str())
            .collect()
    };
    holders(from_us) != holders(to_us)
}

/// What earlier alerts taught, of any age, true when it was told.
fn remembered(dice: &mut Dice, tenant_id: &str, residents: &[Resident]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for resident in residents {
        for _ in 0..dice.roll(3) {
            let hours = if dice.one_in(2) { 30 } else { 2_400 };
            let seen_time_us = T0 + 3 * HOUR - dice.hours(0, hours);
            if let Some(name) = resident.name_at(seen_time_us) {
                pairs.push(Pair {
                    tenant_id: tenant_id.to_owned(),
                    user_id: resident.id.clone(),
                    user: told_name(name),
                    seen_time_us,
                });
            }
        }
    }
    pairs
}

/// An alert that is true, or one that mixes two accounts; none about somebody who was not there.
fn tell(dice: &mut Dice, world: &mut Generated, number: u64) -> Option<Told> {
    let time_us = T0 - dice.hours(0, 3) + dice.hours(0, 3);
    let late = if dice.one_in(3) { 40 } else { 2 };
    let arrives_us = time_us + dice.hours(0, late);
    let residents = &world.residents;
    let about = &residents[dice.place(residents.len())];
    let other = &residents[dice.place(residents.len())];
    let name = about.name_at(time_us)?;
    let (name, user_id, about) = match dice.roll(8) {
        0..=3 => {
            let is_seen = world.pairs.iter().any(|pair| {
                pair.user_id == about.id
                    && pair.user == told_name(name)
                    && (time_us - DAY..=time_us).contains(&pair.seen_time_us)
            });
            world.is_blind |= !is_seen && passed_on(residents, name, time_us, arrives_us);
            (name, "", Some(about.id.clone()))
        }
        4 => ("", about.id.as_str(), Some(about.id.clone())),
        5 | 6 => (name, about.id.as_str(), Some(about.id.clone())),
        // An import or a forged message that names somebody as he is: a file can say anything.
        7 if dice.one_in(2) => {
            let mut alert = alert(&world.tenant_id, name, &about.id, time_us, number);
            ["imported", "foreign", ""][dice.place(3)].clone_into(&mut alert.provenance);
            return Some(Told {
                arrives_us,
                alert,
                about: None,
            });
        }
        // A forged or mixed message: the name of one with the id of another who was never called so.
        _ if !other.was_ever_called(name) => (name, other.id.as_str(), None),
        _ => return None,
    };
    Some(Told {
        arrives_us,
        alert: alert(&world.tenant_id, name, user_id, time_us, number),
        about,
    })
}

fn generate(seed: u64) -> Generated {
    let mut dice = Dice(seed);
    let tenant_id = format!("7f3caaaa-0000-4000-8000-{seed:012x}");
    let mut residents = residents(&mut dice);
    let before = residents.clone();
    live(&mut dice, &mut residents);
    if !are_distinct(&residents) {
        residents = before;
    }
    for resident in &mut residents {
        // However the role is held, the directory tells it: directly, through groups, or as one that can be taken.
        if dice.one_in(8) {
            resident.roles.push(respond::directory::Role {
                id: "62e90394-69f5-4237-9190-012177145e10".to_owned(),
                name: "Global Administrator".to_owned(),
            });
        }
    }
    let never_act: BTreeSet<String> = residents
        .iter()
        .filter(|_| dice.one_in(10))
        .map(|one| one.id.clone())
        .collect();
    let pins = residents
        .iter()
        .filter(|one| never_act.contains(&one.id))
        .map(|one| Pin {
            entry: told_name(&one.names[0].1),
            user_id: one.id.clone(),
        })
        .collect();
    let mut world = Generated {
        pins,
        pairs: remembered(&mut dice, &tenant_id, &residents),
        is_lenient: dice.one_in(2),
        tenant_id,
        residents,
        never_act,
        told: Vec::new(),
        runs_us: T0,
        is_blind: false,
    };
    for number in 0..=dice.roll(4) {
        let told = tell(&mut dice, &mut world, number);
        world.told.extend(told);
    }
    world.told.sort_by_key(|one| one.arrives_us);
    let last_us = world.told.last().map_or(T0, |one| one.arrives_us);
    world.runs_us = last_us + dice.hours(0, 4);
    world
}

#[derive(Debug, Default)]
struct Count {
    worlds: u64,
    blind: u64,
    blind_wrong: u64,
    hit: usize,
    refused: usize,
}

/// Takes an alert in as the stage does: the directory is asked for what nobody knows of late.
async fn arrive(journal: &SqliteJournal, town: &Town, intake: &Intake, alert: &Alert, now_us: i64) {
    let seen = [SeenAlert::of(alert).unwrap()];
    let mut pairs = Vec::new();
    for half in journal.halves(&seen, now_us).unwrap() {
        let Half { text, .. } = &half;
        if let Some(user) = town.user(text).await.unwrap() {
            pairs.extend(Pair::answered(&half, &user, now_us));
        }
    }
    journal.learn(&pairs).unwrap();
    journal.admit(&seen, intake, now_us).unwrap();
}

fn intake(tenant_id: &str) -> Intake {
    Intake {
        policy: Policy {
            case_severity_min: Severity::High,
            window_us: Policy::window_of_hours(24),
            automatic: ActionKind::ALL.to_vec(),
            automatic_age_us_max: Policy::age_of_hours(72),
            dry_run: false,
        },
        playbooks: playbook::load(&[]).unwrap(),
        acting_tenants: BTreeSet::from([tenant_id.to_owned()]),
    }
}

fn executor(
    journal: &Arc<SqliteJournal>,
    town: &Arc<Town>,
    clock: &Arc<Hand>,
    world: &Generated,
) -> Executor {
    Executor {
        ledger: Ledger::new(journal.clone()),
        directory: town.clone(),
        gates: Gates::new(false, std::env::temp_dir().join("vedette-is-not-stopped")),
        policy: preflight::Policy {
            dry_run: false,
            automatic: ActionKind::ALL.to_vec(),
            never_act: world.pins.iter().map(|pin| pin.entry.clone()).collect(),
            automatic_age_us_max: Policy::age_of_hours(72),
            approval_age_us_max: Policy::age_of_hours(24),
            outbox_age_us_max: i64::MAX,
            started_us: 0,
            targets_per_hour_max: 100,
            cool_down_us: 0,
        },
        pace: Pace {
            read_backs_max: 1,
            read_back_wait: Duration::from_millis(1),
            attempts_max: 1,
            retry_wait: Duration::from_millis(1),
        },
        clock: clock.clone(),
        stop: CancellationToken::new(),
    }
}

async fn play(seed: u64, journal: &Arc<SqliteJournal>, count: &mut Count) {
    let world = generate(seed);
    let clock = Arc::new(Hand(AtomicI64::new(T0)));
    let mut town = Town::new(clock.clone(), world.residents.clone());
    town.is_lenient = world.is_lenient;
    let town = Arc::new(town);
    journal.learn(&world.pairs).unwrap();
    journal.pin(&world.tenant_id, &world.pins, T0).unwrap();
    let intake = intake(&world.tenant_id);
    for told in &world.told {
        clock.0.store(told.arrives_us, Ordering::SeqCst);
        arrive(journal, &town, &intake, &told.alert, told.arrives_us).await;
    }
    clock.0.store(world.runs_us, Ordering::SeqCst);
    let executor = executor(journal, &town, &clock, &world);
    let about: BTreeMap<&str, Option<&str>> = world
        .told
        .iter()
        .map(|one| (one.alert.alert_id.as_str(), one.about.as_deref()))
        .collect();
    let mut wrong = Vec::new();
    for record in journal
        .runnable(&world.tenant_id, world.runs_us, 1_000)
        .unwrap()
    {
        let before = town.sent().len();
        let ended = executor.run(&record.action_id).await.unwrap();
        count.refused += usize::from(ended == Progress::Ended(State::Refused));
        let case = journal.case(&record.case_id).unwrap().unwrap();
        let truly: BTreeSet<&str> = case
            .alerts
            .iter()
            .filter_map(|alert| about[alert.alert_id.as_str()])
            .collect();
        for sent in &town.sent()[before..] {
            let hit = world
                .residents
                .iter()
                .find(|one| one.id == sent.id)
                .unwrap();
            let is_spared = world.never_act.contains(&hit.id) || !hit.roles.is_empty();
            if !truly.contains(sent.id.as_str()) || is_spared {
                let record = journal.action(&record.action_id).unwrap().unwrap();
                wrong.push(format!("{sent:?} of {record:?}, truly about {truly:?}"));
            }
        }
    }
    count.worlds += 1;
    count.hit += town.hit().len();
    count.blind += u64::from(world.is_blind);
    if world.is_blind {
        count.blind_wrong += u64::from(!wrong.is_empty());
    } else {
        assert!(
            wrong.is_empty(),
            "seed {seed}: {wrong:#?}\n{:#?}",
            world.residents
        );
    }
}

fn number_of(name: &str, usual: u64) -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test is told its worlds by the one who runs it"
    )]
    let told = std::env::var(name);
    told.ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usual)
}

#[tokio::test]
async fn in_every_world_the_account_that_is_hit_is_one_that_the_evidence_is_truly_about() {
    let (worlds, first) = (
        number_of("VEDETTE_WORLDS", 1_000),
        number_of("VEDETTE_SEED", 1),
    );
    let mut count = Count::default();
    let mut journal = Arc::new(SqliteJournal::in_memory().unwrap());
    for seed in first..first + worlds {
        if (seed - first).is_multiple_of(500) {
            journal = Arc::new(SqliteJournal::in_memory().unwrap());
        }
        play(seed, &journal, &mut count).await;
    }
    let said = format!("seeds {first}..{}: {count:?}\n", first + worlds);
    std::io::stdout().write_all(said.as_bytes()).unwrap();
    // It is no proof if nothing is ever done.
    assert!(count.hit as u64 > worlds / 10, "{count:?}");
}
