//! How far each stage is with what it reads, as the bus knows it.

use bus::Bus;
use schemas::topics::Topic;

use super::Stage;
use crate::config::Config;

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
pub(crate) async fn stands(
    bus: &Bus,
    group: &str,
    topic: Topic,
) -> anyhow::Result<Option<(i64, i64)>> {
    let ends = bus.ends(topic).await?;
    if ends.iter().all(|end| end.next_offset == 0) {
        return Ok(None);
    }
    let committed = bus.committed(group, topic).await?;
    let done = committed.iter().map(|position| position.next_offset).sum();
    Ok(Some((done, bus::behind(&ends, &committed))))
}
