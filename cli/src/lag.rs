//! `vedette lag`: how many messages each stage has yet to finish with, and whether the lake has read another log.

use std::io::Write as _;

use anyhow::Context as _;
use bus::Bus;
use lake::Lake;
use schemas::topics::Topic;
use serde_json::json;

use crate::config::Config;
use crate::exit::Verdict;
use crate::run::{Stage, runtime};

/// Prints one JSON object for each stage and topic that has messages.
pub(crate) fn run(config: &Config) -> anyhow::Result<Verdict> {
    runtime()?.block_on(async {
        let bus = Bus::open(&config.bus())
            .await
            .context("could not open the bus")?;
        let lake = Lake::open(&config.lake()).context("could not open the lake")?;
        let mut out = crate::inert::stdout();
        for stage in Stage::ALL {
            for topic in stage.reads() {
                if let Some((_, behind)) = stands(&bus, stage.group(config), topic).await? {
                    let mut line =
                        json!({"stage": stage.name(), "topic": topic.name(), "behind": behind});
                    if stage == Stage::Lake && is_replaced(&bus, &lake, config, topic).await? {
                        line["log"] = "replaced: read from its beginning once the lake runs".into();
                    }
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(Verdict::Done)
    })
}

/// Messages that these stages have yet to finish with, all together.
pub(crate) async fn total(bus: &Bus, config: &Config, stages: &[Stage]) -> anyhow::Result<i64> {
    let mut total = 0;
    for stage in stages {
        for topic in stage.reads() {
            let stands = stands(bus, stage.group(config), topic).await?;
            total += stands.map_or(0, |(_, behind)| behind);
        }
    }
    Ok(total)
}

/// True if the lake has read another log of a topic than the one that is there.
async fn is_replaced(
    bus: &Bus,
    lake: &Lake,
    config: &Config,
    topic: Topic,
) -> anyhow::Result<bool> {
    let mut positions = Vec::new();
    for end in bus.ends(topic).await? {
        positions.push(lake.taken(topic, end.partition).await?.position);
    }
    let recognised = bus.recognise(&config.lake.group, &positions).await?;
    Ok(recognised.iter().any(|found| !found.is_same_log))
}

/// How far a stage is: the sum of its positions, and the messages that it has yet to finish with.
pub(crate) async fn progress(
    bus: &Bus,
    config: &Config,
    stage: Stage,
) -> anyhow::Result<(i64, i64)> {
    let mut sums = (0, 0);
    for topic in stage.reads() {
        if let Some((done, behind)) = stands(bus, stage.group(config), topic).await? {
            sums = (sums.0 + done, sums.1 + behind);
        }
    }
    Ok(sums)
}

/// The sum of a group's positions on a topic, and the messages after them; none where the topic is empty.
async fn stands(bus: &Bus, group: &str, topic: Topic) -> anyhow::Result<Option<(i64, i64)>> {
    let ends = bus.ends(topic).await?;
    if ends.iter().all(|end| end.next_offset == 0) {
        return Ok(None);
    }
    let committed = bus.committed(group, topic).await?;
    let done = committed.iter().map(|position| position.next_offset).sum();
    Ok(Some((done, bus::behind(&ends, &committed))))
}
