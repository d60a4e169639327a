//! `vedette forward replay`: sends again what the bus still has, and says what it has no more.

use std::io::Write as _;
use std::time::Duration;

use bus::{Bus, BusConfig};
use forward::feed::{Extent, Feed, FeedSource};
use forward::replay::{GivenUp, Sent, send};
use forward::stage::letter_source;
use forward::{DestinationConfig, ForwardConfig};
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use schemas::topics::Topic;

use super::{open, open_bus};
use crate::config::Config;
use crate::output::{self, Verdict, inert, inert_sentence};

/// Does it.
pub(super) async fn run(
    config: &Config,
    forward: &ForwardConfig,
    destination: &DestinationConfig,
    (source, since_us): (FeedSource, i64),
) -> anyhow::Result<Verdict> {
    let bus = open_bus(config).await?;
    let mut opened = open(destination)?;
    let what = (source, Extent::Since(since_us));
    let mut feed = Feed::open(&bus, &destination.name, forward.routes(), what).await?;
    let mut sent = Sent::default();
    let mut given_up: Option<GivenUp> = None;
    while let Some(notices) = feed.next().await? {
        if let Err(error) = send(opened.as_mut(), notices, &SystemClock, &mut sent).await {
            given_up = Some(error);
            break;
        }
    }
    let mut out = output::stdout();
    writeln!(
        out,
        "{} delivered to {} again, {} refused, {} that cannot be read",
        sent.delivered,
        destination.name,
        sent.refused.len(),
        feed.unreadable()
    )?;
    for (key, why) in &sent.refused {
        writeln!(out, "refused: {}: {}", inert(key), inert_sentence(why))?;
    }
    let removed = removed_since(config, &bus, &destination.name, &feed, since_us).await?;
    for line in &removed {
        writeln!(out, "{line}")?;
    }
    match given_up {
        Some(error) => Err(anyhow::Error::from(error).context("the rest was not sent")),
        None if sent.refused.is_empty() && feed.unreadable() == 0 && removed.is_empty() => {
            Ok(Verdict::Done)
        }
        None => Ok(Verdict::Findings),
    }
}

/// What of the time that was asked for the bus has no more, and where it is.
async fn removed_since(
    config: &Config,
    bus: &Bus,
    name: &str,
    feed: &Feed,
    since_us: i64,
) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    for (topic, from_us) in feed.removed() {
        // What it removed was older than that: nobody has asked for it.
        let kept = match config.bus() {
            BusConfig::Log(log) => Some(Duration::from_secs(
                log.retention_hours.saturating_mul(3_600),
            )),
            BusConfig::Kafka(_) => bus.retention(topic).await?,
        };
        let asked_us = SystemClock.now_us().saturating_sub(since_us);
        let asked = Duration::from_micros(u64::try_from(asked_us).unwrap_or(0));
        if kept.is_none_or(|kept| asked > kept) {
            told.push(removed(topic, from_us, name, since_us));
        }
    }
    Ok(told)
}

/// What is said of a topic of which the bus has removed something that was asked for.
fn removed(topic: Topic, from_us: Option<i64>, name: &str, since_us: i64) -> String {
    let has = from_us.map_or_else(
        || "nothing any more".to_owned(),
        |from_us| format!("nothing before {}", iso_ms(from_us)),
    );
    let since = iso_ms(since_us);
    let query = match topic {
        Topic::DeadLetters => format!(
            "dead_letters WHERE source = '{}' AND ingest_time",
            letter_source(name)
        ),
        Topic::Alerts => "alerts WHERE detected_time".to_owned(),
        Topic::Audit => "actions WHERE event_time".to_owned(),
        Topic::Coverage => "coverage WHERE observed_time".to_owned(),
        // The lake has none: they are kept where they are made.
        _ => {
            return format!(
                "the bus has {has} of {topic}; what is older is in the journal of respond"
            );
        }
    };
    format!(
        "the bus has {has} of {topic}; what is older is in the lake: \
         vedette sql \"SELECT * FROM {query} >= TIMESTAMP '{since}'\""
    )
}

#[cfg(test)]
mod tests {
    use schemas::topics::Topic;

    use super::removed;

    #[test]
    fn what_the_bus_has_no_more_is_said_with_where_it_is() {
        let said = removed(Topic::DeadLetters, Some(7_000_000), "soc", 1_000_000);
        for part in [
            "nothing before 1970-01-01T00:00:07",
            "source = 'forward/soc'",
            "ingest_time >= TIMESTAMP '1970-01-01T00:00:01",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let said = removed(Topic::Alerts, None, "soc", 1_000_000);
        assert!(said.contains("nothing any more of alerts"), "{said}");
    }
}
