//! What a look beside the destinations finds, and what is sent again.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeSet;

use bus::{Bus, Message};
use forward::contract::Notice;
use forward::feed::{Extent, Feed, FeedSource};
use forward::replay::{Sent, send};
use forward::routes::{Match, Route, Routes};
use forward::stage::letter_source;
use schemas::dead_letter::{Letter, Reason};
use schemas::environment::{Clock as _, SystemClock};
use schemas::topics::Topic;

use crate::place::{Place, alert, arrived, publish};

/// Everything that a feed brings until it ends.
async fn all(feed: &mut Feed) -> Vec<Notice> {
    let mut notices = Vec::new();
    while let Some(some) = feed.next().await.expect("the bus is there") {
        notices.extend(some);
    }
    notices
}

async fn feed(bus: &Bus, source: FeedSource, extent: Extent) -> Feed {
    let routes: Vec<Route> =
        serde_json::from_str(r#"[{"to": ["siem"], "severity_min": "high"}]"#).expect("routes");
    let routes = Routes::new(Match::All, routes);
    Feed::open(bus, "siem", routes, (source, extent))
        .await
        .expect("it opens")
}

pub(crate) async fn what_was_there_since_is_sent_again_and_nobodys_place_moves(place: &Place) {
    let bus = place.open().await;
    publish(&bus, 0..100).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let since_us = SystemClock.now_us();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    publish(&bus, 100..1_300).await;
    let mut since = feed(&bus, FeedSource::Topics, Extent::Since(since_us)).await;
    let notices = all(&mut since).await;
    assert_eq!(notices.len(), 600, "half of them are high");
    let config = place.file("siem", "again.ndjson");
    let with = forward::Surroundings {
        read_secret: std::sync::Arc::new(|_| Err("none".to_owned())),
    };
    let mut destination = config.to.open("siem", &with).expect("a destination");
    let mut sent = Sent::default();
    send(destination.as_mut(), notices, &SystemClock, &mut sent)
        .await
        .expect("it is taken");
    assert_eq!((sent.delivered, sent.refused.len()), (600, 0));
    let there: BTreeSet<u32> = arrived(&place.path("again.ndjson")).into_keys().collect();
    assert!(there.iter().all(|number| (100..1_300).contains(number)));
    assert_eq!(there.len(), 600);
    let group = forward::config::group("siem");
    let committed = bus
        .committed(&group, Topic::Alerts)
        .await
        .expect("positions");
    assert!(committed.is_empty(), "{committed:?}");
}

pub(crate) async fn dead_letters_come_back_whole_and_only_ones_own(place: &Place) {
    let bus = place.open().await;
    let mut large = Notice::of_alert(&alert(2));
    large.document["title"] = "x".repeat(5_000_000).into();
    let small = Notice::of_alert(&alert(4));
    let mut messages = Vec::new();
    for (destination, raw) in [
        ("siem", serde_json::to_vec(&large).expect("JSON")),
        ("other", serde_json::to_vec(&small).expect("JSON")),
        ("siem", b"no notice".to_vec()),
        ("siem", serde_json::to_vec(&small).expect("JSON")),
    ] {
        let letter = Letter {
            tenant_id: "0b5c",
            source: &letter_source(destination),
            position: "alerts/0@1",
            reason: Reason::Refused,
            detail: "no",
            ingest_time_us: 1,
            raw: &raw,
        };
        let parts = letter.into_parts();
        messages.extend(parts.iter().map(|part| Message::of(part.id.clone(), part)));
    }
    bus.publish(Topic::DeadLetters, messages)
        .await
        .expect("published");
    let mut letters = feed(&bus, FeedSource::DeadLetters, Extent::Since(0)).await;
    let notices = all(&mut letters).await;
    assert_eq!(notices, [large, small]);
    assert_eq!(letters.unreadable(), 1);
}

pub(crate) async fn a_tap_shows_what_comes_from_now_on(place: &Place) {
    let bus = place.open().await;
    publish(&bus, 0..10).await;
    let mut tap = feed(&bus, FeedSource::Topics, Extent::FromNow).await;
    // It has its partitions once it has looked for a while.
    let mut early = Vec::new();
    for _ in 0..20 {
        early.extend(tap.next().await.expect("the bus is there").expect("no end"));
    }
    assert!(early.is_empty(), "{early:?}");
    publish(&bus, 10..20).await;
    let mut came = Vec::new();
    while came.len() < 5 {
        came.extend(tap.next().await.expect("the bus is there").expect("no end"));
    }
    assert_eq!(came[0].id, alert(10).alert_id);
}
