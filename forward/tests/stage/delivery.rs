//! What arrives where, whatever is away, old, unreadable or killed.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test ends where its footing is missing, and says what it counted"
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use bus::{Bus, Message};
use forward::destinations::Target;
use forward::routes::Route;
use forward::{DestinationConfig, ForwardConfig};
use schemas::topics::Topic;
use schemas::wire::{Coverage, DeadLetter};

use crate::place::{Place, Running, alert, arrived, publish, until};

async fn lag(bus: &Bus, destination: &str) -> i64 {
    let ends = bus.ends(Topic::Alerts).await.expect("ends");
    let group = forward::config::group(destination);
    let committed = bus
        .committed(&group, Topic::Alerts)
        .await
        .expect("positions");
    bus::behind(&ends, &committed)
}

async fn dead_letters(bus: &Bus) -> Vec<DeadLetter> {
    let mut consumer = bus
        .subscribe("test", &[Topic::DeadLetters])
        .await
        .expect("joined");
    let mut letters = Vec::new();
    for _ in 0..20 {
        let polled = consumer
            .next(100, Duration::from_millis(250))
            .await
            .expect("the bus is there");
        letters.extend(
            polled
                .records
                .iter()
                .map(|record| record.decode().expect("a letter")),
        );
        if !letters.is_empty() {
            break;
        }
    }
    letters
}

pub(crate) async fn one_that_is_away_delays_no_other_and_gets_everything_when_it_is_back(
    place: &Place,
) {
    let bus = place.open().await;
    let destinations = || {
        vec![
            place.file("here", "here.ndjson"),
            place.file("away", "away/away.ndjson"),
        ]
    };
    let running = Running::start(&bus, destinations());
    publish(&bus, 0..3_000).await;
    let here = place.path("here.ndjson");
    until("all are here", async || arrived(&here).len() == 3_000).await;
    until("it is committed", async || lag(&bus, "here").await == 0).await;
    until("the outage is told", async || {
        let troubles = running.health.troubles();
        troubles.contains_key("forward/away") && !troubles.contains_key("forward/here")
    })
    .await;
    let why = running.health.troubles()["forward/away"].why.clone();
    assert!(why.contains("make the folder"), "{why}");
    assert_eq!(lag(&bus, "away").await, 3_000, "it waits on the bus");
    running.stop().await;
    // Nothing of it is lost while nobody runs, nor sent a second time.
    std::fs::create_dir(place.path("away")).expect("it comes back");
    let running = Running::start(&bus, destinations());
    publish(&bus, 3_000..3_100).await;
    for name in ["here.ndjson", "away/away.ndjson"] {
        let path = place.path(name);
        until("all are there", async || arrived(&path).len() == 3_100).await;
        assert!(arrived(&path).values().all(|times| *times == 1), "{name}");
    }
    until("both are committed", async || {
        lag(&bus, "here").await == 0 && lag(&bus, "away").await == 0
    })
    .await;
    until("all is well", async || running.health.troubles().is_empty()).await;
    running.stop().await;
}

pub(crate) async fn what_a_new_destination_is_too_late_for_is_counted_and_not_sent(place: &Place) {
    let bus = place.open().await;
    publish(&bus, 0..10).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let config = |names: &[&str]| ForwardConfig {
        first_hours: 0,
        destinations: names
            .iter()
            .map(|name| place.file(name, &format!("{name}.ndjson")))
            .collect(),
        ..ForwardConfig::default()
    };
    let running = Running::start_as(&bus, config(&["new"]));
    until("it has passed the old ones", async || {
        lag(&bus, "new").await == 0
    })
    .await;
    publish(&bus, 10..20).await;
    let path = place.path("new.ndjson");
    until("the new ones arrive", async || arrived(&path).len() == 10).await;
    assert!(arrived(&path).keys().all(|number| *number >= 10));
    until("they are committed", async || lag(&bus, "new").await == 0).await;
    until("the ledger has what was passed", async || {
        let lines = ledger(&bus).await;
        lines.iter().any(|line| {
            line.source == "forward/new"
                && line.state == "gap"
                && line.detail.contains("first_hours")
        })
    })
    .await;
    running.stop().await;
    // It is new no more: what came while nobody ran is its own, however old.
    publish(&bus, 20..30).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let running = Running::start_as(&bus, config(&["new"]));
    until("what waited arrives", async || arrived(&path).len() == 20).await;
    running.stop().await;
}

pub(crate) async fn one_that_never_worked_gets_all_since_it_came_however_late_it_is_mended(
    place: &Place,
) {
    let bus = place.open().await;
    // What is older than no hours at all is what was there before: a restart must not take it anew.
    let config = |to: Target| ForwardConfig {
        first_hours: 0,
        destinations: vec![DestinationConfig {
            name: "siem".to_owned(),
            to,
        }],
        retry_wait_ms: 20,
        ..ForwardConfig::default()
    };
    let later = || tokio::time::sleep(Duration::from_millis(20));
    let without_secret: Target = serde_json::from_str(
        r#"{"webhook": {"url": "https://hooks.example/", "secrets": ["env:NOBODY_HAS_SET_IT"]}}"#,
    )
    .expect("a destination");
    let running = Running::start_as(&bus, config(without_secret));
    until("its beginning is kept", async || {
        has_begun(&bus, "siem").await
    })
    .await;
    assert!(
        running.health.troubles()["forward/siem"]
            .why
            .contains("no secret")
    );
    publish(&bus, 0..10).await;
    later().await;
    running.stop().await;
    publish(&bus, 10..20).await;
    later().await;
    let away = || place.file("siem", "away/siem.ndjson").to;
    let running = Running::start_as(&bus, config(away()));
    until("it takes nothing", async || {
        running.health.troubles().contains_key("forward/siem")
    })
    .await;
    running.stop().await;
    assert_eq!(lag(&bus, "siem").await, 20);
    std::fs::create_dir(place.path("away")).expect("it is mended");
    later().await;
    let running = Running::start_as(&bus, config(away()));
    let path = place.path("away/siem.ndjson");
    until("all arrive", async || arrived(&path).len() == 20).await;
    running.stop().await;
}

async fn has_begun(bus: &Bus, destination: &str) -> bool {
    let group = forward::config::group(destination);
    let committed = bus.committed(&group, Topic::Alerts).await;
    let ends = bus.ends(Topic::Alerts).await.expect("ends");
    committed.expect("positions").len() == ends.len()
}

async fn ledger(bus: &Bus) -> Vec<Coverage> {
    let mut consumer = bus.browse(&[Topic::Coverage]).await.expect("it is read");
    let mut lines: Vec<Coverage> = Vec::new();
    for _ in 0..20 {
        let polled = consumer
            .next(100, Duration::from_millis(250))
            .await
            .expect("the bus is there");
        let come = polled.records.iter().map(bus::Delivery::decode);
        lines.extend(come.map(|line| line.expect("a line")));
        if !lines.is_empty() {
            break;
        }
    }
    lines
}

pub(crate) async fn the_place_of_one_that_is_configured_no_more_is_told_and_can_be_removed(
    place: &Place,
) {
    let bus = place.open().await;
    let old = [place.file("old", "away/old.ndjson")];
    let running = Running::start(&bus, old.to_vec());
    until("it has a place", async || has_begun(&bus, "old").await).await;
    publish(&bus, 0..7).await;
    running.stop().await;
    if place.is_kafka() {
        let left = forward::stage::left_behind(&bus, &[]).await;
        assert!(
            left.expect("it is asked").is_empty(),
            "Kafka keeps nothing for a group"
        );
        return;
    }
    let left = async |configured: &[DestinationConfig]| {
        let left = forward::stage::left_behind(&bus, configured).await;
        left.expect("the bus is there")
    };
    assert!(left(&old).await.is_empty(), "it is configured");
    let running = Running::start(&bus, vec![place.file("new", "new.ndjson")]);
    until("it is told", async || {
        let notes = running.health.notes();
        notes
            .get("forward/old")
            .is_some_and(|note| note.contains("forget old"))
    })
    .await;
    assert_eq!(left(&[place.file("new", "new.ndjson")]).await["old"], 7);
    bus.forget(&forward::config::group("old"))
        .await
        .expect("forgotten");
    until("it is told no more", async || {
        !running.health.notes().contains_key("forward/old")
    })
    .await;
    running.stop().await;
}

pub(crate) async fn routes_lead_to_some_and_not_to_others(place: &Place) {
    let bus = place.open().await;
    let route = r#"[{"to": ["siem"]}, {"to": ["chat"], "severity_min": "high"}]"#;
    let routes: Vec<Route> = serde_json::from_str(route).expect("routes");
    let config = ForwardConfig {
        routes,
        destinations: ["siem", "chat", "nowhere"]
            .map(|name| place.file(name, &format!("{name}.ndjson")))
            .to_vec(),
        ..ForwardConfig::default()
    };
    let running = Running::start_as(&bus, config);
    publish(&bus, 0..100).await;
    let siem = place.path("siem.ndjson");
    until("all go to the siem", async || arrived(&siem).len() == 100).await;
    let chat = place.path("chat.ndjson");
    until("half go to the chat", async || arrived(&chat).len() == 50).await;
    until("what was for others is passed", async || {
        lag(&bus, "chat").await == 0
    })
    .await;
    assert!(!place.path("nowhere.ndjson").exists());
    let notes = running.health.notes();
    assert!(notes["forward/nowhere"].contains("no route"), "{notes:?}");
    running.stop().await;
}

pub(crate) async fn what_cannot_be_read_is_set_aside_and_the_rest_arrives(place: &Place) {
    let bus = place.open().await;
    publish(&bus, 0..3).await;
    let torn = Message {
        key: "torn".to_owned(),
        payload: vec![0x0a, 0xff],
    };
    bus.publish(Topic::Alerts, vec![torn])
        .await
        .expect("published");
    publish(&bus, 3..6).await;
    let running = Running::start(&bus, vec![place.file("siem", "siem.ndjson")]);
    let siem = place.path("siem.ndjson");
    until("the rest arrives", async || arrived(&siem).len() == 6).await;
    until("it is passed", async || lag(&bus, "siem").await == 0).await;
    running.stop().await;
    let letters = dead_letters(&bus).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].source, "forward/siem");
    assert_eq!(letters[0].reason, "not_the_format");
    assert_eq!(letters[0].position, "alerts/0@3");
    assert_eq!(&letters[0].raw[..], [0x0a, 0xff]);
}

pub(crate) async fn killed_again_and_again_it_loses_nothing(place: &Place) {
    const ALERTS: u32 = 20_000;
    let bus = place.open().await;
    publish(&bus, 0..ALERTS).await;
    let destinations = vec![
        place.file("one", "one.ndjson"),
        place.file("two", "two.ndjson"),
    ];
    let destinations = serde_json::to_string(&destinations).expect("JSON");
    let mut kills = 0_u64;
    while lag(&bus, "one").await > 0 || lag(&bus, "two").await > 0 {
        let mut child = Command::new(program())
            .args(place.arguments())
            .arg(&destinations)
            .stdin(Stdio::null())
            .spawn()
            .expect("the stage runs");
        let before = arrived_lines(place);
        // Once it has begun to work, it is killed in the middle of it; also where one is done and the other is not: on
        // Kafka it takes seconds until a member of a group is given something.
        until("it works", async || {
            arrived_lines(place) > before || lag(&bus, "one").await + lag(&bus, "two").await == 0
        })
        .await;
        tokio::time::sleep(Duration::from_millis(kills * 97 % 300)).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        kills += 1;
        assert!(kills < 500, "it never comes to an end");
    }
    for name in ["one", "two"] {
        // A kill can cut a line; the next write removes it, and here there is none.
        let path = place.path(&format!("{name}.ndjson"));
        let text = std::fs::read_to_string(&path).expect("the file");
        assert!(
            text.ends_with('\n'),
            "nothing was committed in the middle of a line"
        );
        let there = arrived(&path);
        assert_eq!(there.len(), ALERTS as usize, "{name}");
        // How many came twice is no fault, and good to know.
        let all: usize = there.values().sum();
        println!(
            "{name}: {kills} kills, {ALERTS} alerts, {} twice",
            all - there.len()
        );
    }
}

fn arrived_lines(place: &Place) -> usize {
    let lines = |name: &str| {
        let bytes = std::fs::read(place.path(name)).unwrap_or_default();
        bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
            .count()
    };
    lines("one.ndjson") + lines("two.ndjson")
}

/// The example that runs the stage until it is killed.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("our own path");
    let folder = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("the target folder");
    let path = folder.join("examples/forward_until_killed");
    assert!(
        path.exists(),
        "build {} with `cargo build -p forward --examples`",
        path.display()
    );
    path
}

#[test]
fn alerts_of_the_test_differ() {
    assert_ne!(alert(1).alert_id, alert(2).alert_id);
}
