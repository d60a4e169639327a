//! `vedette lag`: how many messages each stage has yet to finish with, and whether the lake has read another log.

use anyhow::Context as _;
use bus::Bus;
use lake::Lake;
use schemas::topics::Topic;
use serde_json::json;

use super::runtime;
use crate::config::Config;
use crate::output::{self, Verdict};
use crate::stages::Stage;
use crate::stages::progress::stands;

/// Prints one JSON object for each stage, each destination of forward, and topic that has messages.
pub(crate) fn run(config: &Config) -> anyhow::Result<Verdict> {
    runtime()?.block_on(async {
        let bus = Bus::open(&config.bus())
            .await
            .context("could not open the bus")?;
        let lake = Lake::open(&config.lake()).context("could not open the lake")?;
        let mut out = output::stdout();
        for stage in Stage::ALL {
            for topic in stage.reads() {
                if let Some((_, behind)) = stands(&bus, stage.group(config), topic).await? {
                    let mut line =
                        json!({"stage": stage.name(), "topic": topic.name(), "behind": behind});
                    if stage == Stage::Lake && is_replaced(&bus, &lake, config, topic).await? {
                        line["log"] = "replaced: read from its beginning once the lake runs".into();
                    }
                    out.json(&line)?;
                }
            }
        }
        let forward = config.forward();
        let routes = forward.routes();
        for destination in &forward.destinations {
            for topic in routes.topics_of(&destination.name) {
                if let Some((_, behind)) = stands(&bus, &destination.group(), topic).await? {
                    let line = json!({"stage": Stage::Forward.name(), "destination": destination.name,
                        "topic": topic.name(), "behind": behind});
                    out.json(&line)?;
                }
            }
        }
        Ok(Verdict::Done)
    })
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
